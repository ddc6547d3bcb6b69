"""`lzsyncd status`: the daemon's word for what it watches, the ledger's for what was done; also with neither."""

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lzsyncd.errors import TryAgain
from lzsyncd.feed.elements import Element
from lzsyncd.ledger import runs
from lzsyncd.ledger.runs import iso
from lzsyncd.ledger.status import Status
from lzsyncd.service.instance import Instance, published
from lzsyncd.zone.database import Database

REPORT = {
    "status": "1 site; acme: user.csv is missing",
    "sites": {
        "acme": {
            "trouble": {"database": "The database does not answer (57P03)."},
            "working": True,
            "waiting": ["user.csv is missing (waiting until 09:10)"],
            "overdue": ["org.csv: not complete for longer than 10 min, still waiting"],
            "near_misses": ["users.csv"],
            "ignored": ["notes.txt"],
            "next_slot": {"name": "daily:2026-11-24", "due_at": "2026-11-24T02:00:00+00:00"},
        }
    },
}


@pytest.fixture
def place(before: Any) -> Any:
    """The same with a runtime folder of its own."""
    configure(before)
    return before


def configure(place: Any, more: str = "") -> None:
    head = f'[daemon]\ndata_dir = "{place.folder}/data"\nruntime_dir = "{place.folder}/run"\n'
    place.config.write_text(f"{head}[sites.acme]\n{more}")


def told(lzsyncd: Callable[..., Any], *words: str) -> dict[str, Any]:
    outcome = lzsyncd("status", "--json", *words)
    assert (outcome.code, outcome.err) == (0, "")
    return json.loads(outcome.out)


def add(
    place: Any, run: str, status: Status, message: str = "", ago: timedelta = timedelta(), *, has_come: bool = False
) -> None:
    now = iso(datetime.now(UTC) - ago)
    with closing(Database(place.site)) as database:
        runs.start(database, run, kind="sync", trigger="arrival", now=now)
        runs.finish(database, run, status, now, message=message)
        if has_come:
            database.run("UPDATE sync_run SET set_hash = 'set', plan_hash = 'plan' WHERE id = ?", (run,))
            file = "INSERT INTO sync_file (run_id, element, name, size, sha256) VALUES (?, 'user', 'user.csv', 1, '')"
            database.run(file, (run,))


def test_without_a_daemon_it_says_so_and_shows_the_rest(place: Any, lzsyncd: Callable[..., Any]) -> None:
    first = place.run
    state = told(lzsyncd)
    assert state["daemon"] is False
    (site,) = state["sites"]
    assert (site["site"], site["trouble"], site["working"], site["waiting"]) == ("acme", [], False, [])
    assert site["inbox"] == ["org.csv", "pos.csv", "user.csv"]
    assert (site["last_run"]["run"], site["last_run"]["status"]) == (first, "applied")
    assert site["next_slot"]["name"].startswith("daily:")
    assert 0 <= site["feed_age"] < 86_400
    text = lzsyncd("status", "acme").out
    assert "The daemon does not run" in text
    assert "org.csv, pos.csv, user.csv" in text


def test_with_a_daemon_its_word_is_shown(place: Any, lzsyncd: Callable[..., Any]) -> None:
    with Instance(place.folder / "run") as daemon:
        daemon.publish(REPORT)
        state = told(lzsyncd)
        text = lzsyncd("status").out
    (site,) = state["sites"]
    known = REPORT["sites"]["acme"]
    assert state["daemon"] is True
    assert site["trouble"] == list(known["trouble"].values())
    assert site["waiting"] == [*known["waiting"], *known["overdue"]]
    assert (site["working"], site["near_misses"], site["next_slot"]) == (
        True,
        known["near_misses"],
        known["next_slot"],
    )
    for part in ("The daemon runs.", "WRONG", "user.csv is missing", "users.csv", "a run is under way"):
        assert part in text
    assert told(lzsyncd)["daemon"] is False, "it has ended"


def test_what_waits_and_is_held_is_shown_however_old_it_is(place: Any, lzsyncd: Callable[..., Any]) -> None:
    with closing(Database(place.site)) as database:
        database.run("DELETE FROM sync_run")
    add(place, "00-good", Status.APPLIED, ago=timedelta(days=3), has_come=True)
    add(place, "01-held", Status.HELD, "org.csv is missing.")
    add(place, "02-checked", Status.CHECKED)
    for number in range(60):
        add(place, f"1{number:02}-rejected", Status.REJECTED)
    (site,) = told(lzsyncd)["sites"]
    assert site["held"] == [{"run": "01-held", "why": "org.csv is missing."}]
    assert site["waiting_runs"] == ["02-checked"]
    assert site["last_run"]["status"] == "rejected"
    assert site["feed_age"] == pytest.approx(3 * 86_400, abs=600)
    text = lzsyncd("status").out
    assert "run 01-held: org.csv is missing." in text
    assert "run 02-checked is checked and waits for its slot" in text
    assert "3 days ago" in text


def test_how_many_records_the_last_run_rejected_is_shown(place: Any, lzsyncd: Callable[..., Any]) -> None:
    add(place, "9-last", Status.APPLIED)
    with closing(Database(place.site)) as database:
        for element, rejected in ((Element.ORG, 0), (Element.USER, 2)):
            database.run(
                'INSERT INTO sync_count (run_id, element, "read", created, updated, unchanged, revived, removed, '
                "absent, rejected, warnings) VALUES ('9-last', ?, 4, 0, 0, 4, 0, 0, 0, ?, 0)",
                (element, rejected),
            )
    (site,) = told(lzsyncd)["sites"]
    assert (site["last_run"]["read"], site["last_run"]["rejected"]) == (8, 2)
    assert "2 of 8 records rejected: lzsyncd errors 9-last" in lzsyncd("status").out


def test_before_the_first_run_there_is_little_to_show(place: Any, lzsyncd: Callable[..., Any]) -> None:
    for path in place.site.folder.glob("zone.db*"):
        path.unlink()
    (site,) = told(lzsyncd)["sites"]
    assert (site["last_run"], site["feed_age"], site["held"]) == (None, None, [])
    assert "none yet" in lzsyncd("status").out
    assert not (place.site.folder / "zone.db").exists()


def test_one_sites_trouble_does_not_hide_the_others(place: Any, lzsyncd: Callable[..., Any]) -> None:
    (place.folder / "data" / "broken" / "sftp" / "inbox").mkdir(parents=True)
    (place.folder / "data" / "broken" / "zone.db").write_bytes(b"ann@a.test is no database" * 100)
    configure(
        place,
        '[sites.broken]\n[sites.away]\ndatabase = "postgresql://nobody@127.0.0.1:1/nowhere"\n'
        f'inbox = "{place.folder}/nowhere"\n',
    )
    acme, broken, away = told(lzsyncd)["sites"]
    assert acme["trouble"] == []
    assert [len(site["trouble"]) for site in (broken, away)] == [1, 1]
    assert "zone.db is damaged (SQLITE_NOTADB)" in broken["trouble"][0]
    assert away["trouble"] == ["The database of site away is not reachable."]
    assert "a.test" not in json.dumps(broken)


def test_of_a_full_inbox_people_see_a_few_names_and_programs_all(place: Any, lzsyncd: Callable[..., Any]) -> None:
    place.site.inbox.mkdir(parents=True, exist_ok=True)
    for number in range(1_000, 3_000):
        (place.site.inbox / f"{number}.txt").touch()
    assert len(told(lzsyncd)["sites"][0]["inbox"]) == 2_003  # and the set of the fixture
    assert "1009.txt, and 1,993 more\n" in lzsyncd("status").out


def test_an_inbox_that_is_not_there_is_trouble(place: Any, lzsyncd: Callable[..., Any]) -> None:
    place.site.inbox.rename(place.folder / "moved")
    (site,) = told(lzsyncd)["sites"]
    assert site["inbox"] == []
    assert "can't be read" in site["trouble"][0]


def test_odd_names_are_shown_safely(place: Any, lzsyncd: Callable[..., Any]) -> None:
    (place.site.inbox / "a\nb\x1b[31m").touch()
    (place.site.inbox / ".hidden").touch()
    (site,) = told(lzsyncd)["sites"]
    assert not any("\n" in name or "\x1b" in name for name in site["inbox"])
    assert len(site["inbox"]) == 4


def test_a_site_that_is_not_there_is_a_wrong_use(place: Any, lzsyncd: Callable[..., Any]) -> None:
    outcome = lzsyncd("status", "acmee")
    assert (place.config.exists(), outcome.code) == (True, 2)
    assert "did you mean “acme”?" in outcome.err


def test_one_daemon_at_a_time(tmp_path: Path) -> None:
    with Instance(tmp_path) as first:
        first.publish(REPORT)
        with pytest.raises(TryAgain, match="Another lzsyncd runs"), Instance(tmp_path):
            pass
        assert published(tmp_path) == REPORT
    assert published(tmp_path) is None
    assert published(tmp_path / "nowhere") is None
    with Instance(tmp_path):
        assert not (tmp_path / "status.json").exists()
