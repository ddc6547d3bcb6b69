"""What waits in the ledger: order, slots that are claimed once, and which good set is the newest."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from lzsyncd.config import Site
from lzsyncd.feed.elements import Element
from lzsyncd.ledger import runs, waiting
from lzsyncd.ledger.status import Status
from lzsyncd.zone.database import Database

NOW = "2026-11-23T08:00:00.000Z"
SETS = {"org.csv": Element.ORG, "user.csv": Element.USER, "rejected-user.csv": Element.USER}


@pytest.fixture
def ledger(tmp_path: Path, database: Callable[[Path], str]) -> Iterator[Database]:
    site = Site.standard("acme", tmp_path)
    with closing(Database(replace(site, database=database(site.folder)))) as opened:
        yield opened


def add(
    ledger: Database, run: str, status: Status, *files: str, sha256: str = "a", header: str = "[]", **more: str
) -> str:
    runs.start(ledger, run, kind=more.pop("kind", "sync"), trigger=more.pop("trigger", "arrival"), now=NOW, **more)
    runs.move(ledger, run, status)
    for name in files:
        ledger.run(
            "INSERT INTO sync_file (run_id, element, name, size, sha256, header) VALUES (?, ?, ?, 0, ?, ?)",
            (run, SETS[name], name, sha256, header),
        )
    return run


def test_what_waits_comes_in_the_order_of_arrival(ledger: Database) -> None:
    for run, status in (("3", Status.CHECKED), ("1", Status.HELD), ("2", Status.FAILED), ("4", Status.APPLIED)):
        add(ledger, run, status)
    add(ledger, "5", Status.CHECKED, kind="dry-run")
    assert [one.run for one in waiting.pending(ledger)] == ["1", "2", "3"]
    (held,) = waiting.pending(ledger, (Status.HELD,))
    assert held == waiting.Pending("1", Status.HELD, 1, "", NOW, "")


def test_a_slot_is_claimed_once_by_whoever_is_first(ledger: Database) -> None:
    with closing(Database(ledger.site)) as other:
        assert waiting.claim_slot(ledger, "daily:2026-11-23", NOW, NOW)
        assert not waiting.claim_slot(other, "daily:2026-11-23", NOW, NOW)
        assert waiting.claim_slot(other, "daily:2026-11-24", NOW, NOW)
    assert waiting.unfinished_slots(ledger) == ["daily:2026-11-23", "daily:2026-11-24"]
    assert waiting.claimed_at(ledger, "daily:2026-11-23") == NOW
    assert waiting.claimed_at(ledger, "daily:2026-11-25") == ""


def test_a_slot_that_is_finished_again_keeps_its_run(ledger: Database) -> None:
    waiting.claim_slot(ledger, "daily:2026-11-23", NOW, NOW)
    for run in (None, "7", None):
        waiting.finish_slot(ledger, "daily:2026-11-23", run, NOW)
    assert waiting.unfinished_slots(ledger) == []
    assert ledger.rows("SELECT run_id FROM sync_slot")[0][0] == "7"
    assert not waiting.claim_slot(ledger, "daily:2026-11-23", NOW, NOW)


def test_only_attempts_of_the_slots_own_runs_count(ledger: Database) -> None:
    slot = "weekly:2026-W48:user"
    add(ledger, "1", Status.INTERRUPTED, trigger="slot", slot=slot)
    add(ledger, "2", Status.FAILED, trigger="slot", slot=slot)
    add(ledger, "3", Status.FAILED, slot=slot)
    add(ledger, "4", Status.APPLIED, trigger="slot", slot=slot)
    add(ledger, "5", Status.FAILED, trigger="slot", slot="weekly:2026-W49:user")
    assert waiting.attempts_at(ledger, slot) == 2
    runs.refund(ledger, "1")
    assert waiting.attempts_at(ledger, slot) == 1


def test_the_newest_good_set_of_an_element(ledger: Database) -> None:
    add(ledger, "1", Status.APPLIED, "org.csv", "user.csv")
    add(ledger, "2", Status.UNCHANGED, "user.csv", slot="s")
    add(ledger, "3", Status.CHECKED, "user.csv")
    add(ledger, "4", Status.REJECTED, "user.csv")
    add(ledger, "5", Status.SUPERSEDED, "user.csv")
    add(ledger, "6", Status.APPLIED, "rejected-user.csv")
    add(ledger, "7", Status.APPLIED, "org.csv")
    add(ledger, "8", Status.CHECKED, "user.csv", kind="dry-run")
    assert waiting.newest_with(ledger, Element.USER) == [
        ("3", "checked", ""),
        ("2", "unchanged", "s"),
        ("1", "applied", ""),
    ]


def test_what_was_undone_counts_only_when_it_is_delivered_again(ledger: Database) -> None:
    add(ledger, "1", Status.APPLIED, "user.csv", sha256="old")
    add(ledger, "2", Status.APPLIED, "user.csv", sha256="bad")
    add(ledger, "3", Status.UNDONE, "user.csv", sha256="bad", trigger="slot")
    assert [run for run, _, _ in waiting.newest_with(ledger, Element.USER)] == ["1"]
    add(ledger, "4", Status.APPLIED, "user.csv", sha256="bad")
    assert [run for run, _, _ in waiting.newest_with(ledger, Element.USER)] == ["4", "1"]


def test_good_sets_after_a_run_are_full_ones_that_came_later(ledger: Database) -> None:
    add(ledger, "1", Status.APPLIED, "org.csv")
    add(ledger, "2", Status.CHECKED, "org.csv", "user.csv")
    add(ledger, "3", Status.REJECTED, "org.csv")
    add(ledger, "4", Status.APPLIED, "rejected-user.csv")
    add(ledger, "5", Status.APPLIED, "user.csv", header='["idnumber", "LZ_Line"]')
    add(ledger, "6", Status.APPLIED, "user.csv", trigger="slot")
    assert waiting.good_after(ledger, "1") == [frozenset({Element.ORG, Element.USER})]
    assert waiting.good_after(ledger, "2") == []


def test_a_run_whose_end_was_committed_can_not_be_broken_off(ledger: Database) -> None:
    for number, status in enumerate((Status.APPLIED, Status.UNCHANGED, Status.CHECKED, Status.HELD, Status.REJECTED)):
        run = add(ledger, str(number), status)
        runs.finish(ledger, run, Status.INTERRUPTED, NOW)
        runs.refund(ledger, run)
        (row,) = ledger.rows("SELECT status, attempt FROM sync_run WHERE id = ?", (run,))
        assert tuple(row) == (status, 1)


def test_a_claim_that_was_ended_is_no_attempt(ledger: Database) -> None:
    add(ledger, "1", Status.CLAIMED)
    add(ledger, "2", Status.CHECKING)
    assert runs.interrupted(ledger) == ["1", "2"]
    assert [(run.status, run.attempt) for run in waiting.pending(ledger)] == [("interrupted", 0), ("interrupted", 1)]
