"""What the daemon sees of a ledger in one look, and that it survives what databases do."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lzsyncd.config import Site
from lzsyncd.ledger import runs, waiting
from lzsyncd.ledger.glance import Glance, glance, trace
from lzsyncd.ledger.status import Status
from lzsyncd.zone.database import Database

DESCRIPTORS = Path("/proc/self/fd")
NOW = "2026-11-23T08:00:00.000Z"


@pytest.fixture
def site(tmp_path: Path, database: Callable[[Path], str]) -> Site:
    made = Site.standard("acme", tmp_path)
    return replace(made, database=database(made.folder))


def add(site: Site, run: str, status: Status, *, spool: bool = True, outbox: bool = False) -> None:
    with closing(Database(site)) as database:
        runs.start(database, run, kind="sync", trigger="arrival", now=NOW)
        runs.move(database, run, Status.CHECKING)
        if status is not Status.CHECKING:
            runs.finish(database, run, status, NOW)
    for is_there, folder in ((spool, site.folder / "spool"), (outbox, site.outbox)):
        if is_there:
            (folder / run).mkdir(parents=True)


def test_a_new_site_is_ready_and_has_nothing(site: Site) -> None:
    seen = glance(site)
    assert seen.since is not None
    assert abs(datetime.now(UTC) - seen.since) < timedelta(hours=1)
    assert seen == Glance(reachable=True, ready=True, since=seen.since)


def test_what_waits_is_held_and_was_good_is_seen(site: Site) -> None:
    add(site, "1", Status.APPLIED, spool=False)
    add(site, "2", Status.CHECKED, outbox=True)
    add(site, "3", Status.HELD, outbox=True)
    add(site, "4", Status.REJECTED, spool=False)
    seen = glance(site)
    assert (seen.held, seen.under_way) == (("3",), ())


@pytest.mark.parametrize("status", [Status.CHECKING, Status.INTERRUPTED, Status.FAILED])
def test_what_goes_on_is_under_way_as_long_as_its_spool_is_there(site: Site, status: Status) -> None:
    """A command's run that failed or was killed leaves nothing: nobody has to come for it, again and again."""
    add(site, "1", status, spool=False)
    assert glance(site).under_way == ()
    (site.folder / "spool" / "1").mkdir(parents=True)
    ended = "" if status is Status.CHECKING else NOW
    assert glance(site).under_way == (("1", str(status), 1, ended),)


def test_a_run_whose_archive_or_report_is_missing_is_under_way(site: Site) -> None:
    add(site, "1", Status.APPLIED)
    add(site, "2", Status.CHECKED)
    assert [(run, status) for run, status, _, _ in glance(site).under_way] == [("1", "applied"), ("2", "checked")]


def test_a_spool_folder_that_the_ledger_does_not_know_is_under_way(site: Site) -> None:
    """Also what is left of one that a killed process has half swept: it has the files of people."""
    names = ".20261122T080000000-00000000.done", "20261123T080000000-00000000"
    for name in (*names, "' OR 1=1"):
        (site.folder / "spool" / name).mkdir(parents=True)
    assert glance(site).under_way == tuple((name, "unknown", 0, "") for name in names)


def test_slots_are_seen_with_their_times(site: Site) -> None:
    with closing(Database(site)) as database:
        waiting.claim_slot(database, "daily:2026-11-22", "2026-11-22T02:00:00.000Z", NOW)
        waiting.claim_slot(database, "daily:2026-11-23", "2026-11-23T02:00:00.000Z", NOW)
        waiting.finish_slot(database, "daily:2026-11-22", None, NOW)
    seen = glance(site)
    assert seen.slots["daily:2026-11-23"] == datetime(2026, 11, 23, 2, tzinfo=UTC)
    assert (len(seen.slots), seen.open_slots) == (2, 1)


def test_a_slot_that_was_left_is_seen_among_very_many(site: Site) -> None:
    with closing(Database(site)) as database:
        for day in range(60):
            due = (datetime(2026, 9, 1, 2, tzinfo=UTC) + timedelta(days=day)).isoformat()
            waiting.claim_slot(database, f"daily:{due[:10]}", due, NOW)
            if day:
                waiting.finish_slot(database, f"daily:{due[:10]}", None, NOW)
    seen = glance(site)
    assert (len(seen.slots), seen.open_slots) == (50, 1)


def test_a_look_leaves_no_connection_and_no_lock(site: Site) -> None:
    with closing(Database(site)) as database, database.transaction():
        database.run("UPDATE sync_run SET status = 'checked'")
        assert glance(site).reachable
    before = len(list(DESCRIPTORS.iterdir()))
    for _ in range(3):
        glance(site)
    assert len(list(DESCRIPTORS.iterdir())) == before


def test_a_schema_that_is_only_begun_is_no_trouble(site: Site) -> None:
    with closing(Database(site)) as database:
        database.run("DELETE FROM lzsyncd_migration")
        assert glance(site) == Glance(reachable=True)
        database.run("DROP TABLE sync_slot")
        database.run("INSERT INTO lzsyncd_migration (name, applied) VALUES ('x', CURRENT_TIMESTAMP)")
        assert glance(site) == Glance(reachable=True)
        database.run("DROP TABLE lzsyncd_migration")
    assert glance(site) == Glance(reachable=True)


def test_without_a_database_there_is_nothing_to_see_and_none_is_made(tmp_path: Path) -> None:
    site = Site.standard("acme", tmp_path)
    assert glance(site) == Glance(reachable=True)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_database_is_told_in_a_word(tmp_path: Path) -> None:
    site = Site.standard("acme", tmp_path)
    site.folder.mkdir()
    (site.folder / "zone.db").write_bytes(b"ann@a.test is no database" * 100)
    seen = glance(site)
    assert not seen.reachable
    assert str(seen.trouble).startswith(f"{site.folder}/zone.db is damaged (SQLITE_NOTADB): restore ")


def test_a_locked_database_is_told_and_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lzsyncd.ledger.glance.PATIENCE", 0.05)
    site = Site.standard("acme", tmp_path)
    site.folder.mkdir()
    with closing(sqlite3.connect(site.folder / "zone.db")) as other:
        other.execute("CREATE TABLE lzsyncd_migration (applied)")
        other.execute("BEGIN EXCLUSIVE")
        assert str(glance(site).trouble) == "The database does not answer (SQLITE_BUSY)."


def test_a_server_that_is_away_is_told(tmp_path: Path) -> None:
    site = replace(Site.standard("acme", tmp_path), database="postgresql://nobody@127.0.0.1:1/nowhere")
    seen = glance(site)
    assert (seen.reachable, str(seen.trouble)) == (False, "The database does not answer (OperationalError).")


def test_whatever_is_written_leaves_a_trace(site: Site) -> None:
    """Also where the database is behind a link, and somebody keeps it open: then its log alone grows."""
    if site.database != "sqlite":
        assert trace(site) is None
        return
    (site.folder / "zone").mkdir()
    (site.folder / "zone.db").rename(site.folder / "zone" / "zone.db")
    (site.folder / "zone.db").symlink_to("zone/zone.db")
    with closing(Database(site)) as database:
        database.value("SELECT count(*) FROM sync_run")
        before = trace(site)
        assert trace(site) == before
        runs.start(database, "1", kind="sync", trigger="arrival", now=NOW)
        assert trace(site) != before
    before = trace(site)
    (site.folder / "spool").mkdir()
    assert trace(site) != before
