"""The daemon's child: one errand for one site in a process of its own, and what it says when it ends."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lzsyncd.errors import ExitCode
from lzsyncd.feed.elements import Element
from lzsyncd.intake.claim import Order
from lzsyncd.service.errand import SITE_IS_BUSY, Errand
from lzsyncd.service.slots import Slot
from lzsyncd.service.worker import Worker
from lzsyncd.zone.database import Database
from tests.laws.bridge import site_of
from tests.laws.company import DAY_ONE, DAY_TWO, PEOPLE
from tests.laws.ground import SYNC, csv_of
from tests.sync.desk import ON_SQLITE, Desk

DESCRIPTORS = Path("/proc/self/fd")
LONGEST = 60.0  # seconds; a test must not hang
SLOT = Slot("daily:2026-11-23", datetime(2026, 11, 23, 2, tzinfo=UTC), tuple(Element))


@pytest.fixture
def desk(tmp_path: Path, database: Callable[[Path], str]) -> Desk:
    """A site that applies its sets on arrival; its children have the real clock."""
    return Desk(replace(site_of(SYNC, tmp_path, database(tmp_path / "acme")), apply="on-arrival"))


@pytest.fixture
def log(capfd: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """What the child has logged, line by line; nothing else may be there."""

    def lines() -> list[dict[str, Any]]:
        captured = capfd.readouterr()
        assert captured.err == ""
        return [json.loads(line) for line in captured.out.splitlines()]

    return lines


@contextmanager
def hired(desk: Desk, *orders: Order, **more: Any) -> Iterator[Worker]:
    worker = Worker(Errand(desk.site, orders=orders, **more))
    try:
        yield worker
    finally:
        worker.kill()
        worker._process.wait()


def code_of(worker: Worker) -> int:
    until = time.monotonic() + LONGEST
    while (code := worker.ended()) is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    return code


def done(desk: Desk, *orders: Order, **more: Any) -> int:
    with hired(desk, *orders, **more) as worker:
        return code_of(worker)


def many_people(number: int) -> dict[str, bytes]:
    """So many that there is time for something to happen."""
    return {"user.csv": csv_of(PEOPLE, *(f"{n},u{n},Ann,Lee,u{n}@a.test,,,,York" for n in range(number)))}


def test_a_set_is_claimed_checked_and_applied(desk: Desk, log: Callable[[], list[dict[str, Any]]]) -> None:
    assert done(desk, desk.deliver(DAY_TWO)) == ExitCode.CLEAN
    (run,) = desk.runs()
    assert (run["status"], run["trigger"], run["attempt"]) == ("applied", "arrival", 1)
    assert desk.archived(run["id"]) == DAY_TWO
    assert desk.inbox() == desk.spool() == []
    told = log()
    assert [line["event.action"] for line in told] == ["set_claimed", "run_started", "run_finished"]
    assert {(line["site"], line["run.id"]) for line in told} == {("acme", run["id"])}
    assert "a.test" not in json.dumps(told)


def test_a_whole_errand_is_done_in_its_order(desk: Desk) -> None:
    """What was left, then what arrived, then the slots, then what is held."""
    desk.site = replace(desk.site, apply="on-schedule")
    order = desk.deliver(DAY_TWO)
    with hired(desk, order, slots=(SLOT,)) as worker:
        begun = worker.last_step
        assert code_of(worker) == ExitCode.CLEAN
        assert worker.last_step > begun
    assert desk.statuses() == ["applied"]
    assert desk.runs()[0]["slot"] == SLOT.name
    desk.put({"user.csv": DAY_ONE["user.csv"]})
    held = (desk.judge("user.csv").files, (Element.ORG, Element.POS))
    assert done(desk, held=held) == ExitCode.CLEAN
    assert done(desk, slots=(SLOT,), held=held) == ExitCode.CLEAN
    assert desk.statuses() == ["applied", "held"]


@ON_SQLITE
def test_a_rejected_set_is_no_failure(desk: Desk) -> None:
    assert done(desk, desk.deliver({"user.csv": b"nothing\n1\n"})) == ExitCode.CLEAN
    assert desk.statuses() == ["rejected"]


@ON_SQLITE
def test_a_set_that_changed_meanwhile_is_left_to_a_later_look(desk: Desk) -> None:
    order = desk.deliver(DAY_ONE)
    desk.put({"user.csv": DAY_TWO["user.csv"]})
    assert done(desk, order) == ExitCode.CLEAN
    assert desk.runs() == []
    assert desk.inbox() == sorted(DAY_ONE)


def test_who_finds_the_lock_taken_comes_again(desk: Desk, log: Callable[[], list[dict[str, Any]]]) -> None:
    order = desk.deliver(DAY_ONE)
    with closing(Database(desk.site)) as database:
        database.lock("of somebody else")
        assert done(desk, order) == SITE_IS_BUSY
    assert desk.inbox() == sorted(DAY_ONE)
    (line,) = log()
    assert "of somebody else" in line["message"]
    assert (line["log.level"], line["event.action"]) == ("info", "site_busy")


@ON_SQLITE
def test_a_server_that_is_away_is_no_fault_of_a_set(desk: Desk, log: Callable[[], list[dict[str, Any]]]) -> None:
    order = desk.deliver(DAY_ONE)
    desk.site = replace(desk.site, database="postgresql://nobody@127.0.0.1:1/nowhere")
    assert done(desk, order) == ExitCode.TRY_AGAIN
    assert desk.inbox() == sorted(DAY_ONE)
    (line,) = log()
    assert line["message"] == "The database of site acme is not reachable."


def test_a_run_that_fails_is_told_without_a_value(desk: Desk, log: Callable[[], list[dict[str, Any]]]) -> None:
    desk.tell("ALTER TABLE sync_change RENAME TO elsewhere")
    assert done(desk, desk.deliver(DAY_TWO)) == ExitCode.FAILED
    (run,) = desk.runs()
    assert (run["status"], run["attempt"]) == ("failed", 1)
    told = log()
    assert [line["event.action"] for line in told] == ["set_claimed", "run_started", "run_finished"]
    assert told[-1]["event.outcome"] == "failure"
    assert not any(value in json.dumps(told) for value in ("a.test", "London", "Acme"))
    desk.tell("ALTER TABLE elsewhere RENAME TO sync_change")
    assert done(desk) == ExitCode.CLEAN
    assert desk.statuses() == ["failed"], "it is not time yet"


def stopped_in_the_middle(desk: Desk, order: Order) -> int:
    """SIGTERM in a run that can't end before it: people it wants to write are locked, or there are many of them."""
    if desk.site.database == "sqlite":
        with hired(desk, order) as worker:
            wait_for(lambda: desk.statuses() == ["checking"])
            worker.stop()
            return code_of(worker)
    with closing(Database(desk.site)) as database, database.transaction():
        database.run("LOCK TABLE lz_user")
        with hired(desk, order) as worker:
            wait_for(lambda: waits_for_a_lock(desk))
            worker.stop()
            return code_of(worker)


def waits_for_a_lock(desk: Desk) -> bool:
    with closing(Database(desk.site)) as database:
        query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return bool(database.value(query))


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST
    while not what():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_a_run_that_is_stopped_goes_on_at_the_next_errand(desk: Desk) -> None:
    """On PostgreSQL in the middle of a query, which must not cost the connection that the ledger is told by."""
    files = many_people(20_000)
    assert stopped_in_the_middle(desk, desk.deliver(files)) == ExitCode.TRY_AGAIN
    (run,) = desk.runs()
    assert (run["status"], run["attempt"]) == ("interrupted", 0)
    assert desk.people() == {}
    assert done(desk) == ExitCode.CLEAN
    assert len(desk.people()) == 20_000
    (run,) = desk.runs()
    assert (run["status"], run["attempt"]) == ("applied", 1)
    assert desk.archived(run["id"]) == files


def test_a_run_that_takes_too_long_is_ended(desk: Desk, log: Callable[[], list[dict[str, Any]]]) -> None:
    order = desk.deliver(many_people(20_000))
    desk.site = replace(desk.site, run_timeout=0.1)
    assert done(desk, order) == ExitCode.FAILED
    (run,) = desk.runs()
    assert (run["status"], run["attempt"]) == ("failed", 1)
    assert "longer than run_timeout" in run["message"]
    assert desk.people() == {}
    assert log()[-1]["error.type"] == "TookTooLong"


@ON_SQLITE
def test_who_is_killed_is_said_to_be(desk: Desk) -> None:
    with hired(desk, desk.deliver(many_people(20_000))) as worker:
        wait_for(lambda: desk.statuses() == ["checking"])
        worker.kill()
        assert code_of(worker) == -9
    assert done(desk) == ExitCode.CLEAN
    assert [(run["status"], run["attempt"]) for run in desk.runs()] == [("applied", 2)]


@ON_SQLITE
def test_a_child_hears_nothing_of_systemd_and_leaves_no_descriptor(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere")
    before = sorted(DESCRIPTORS.iterdir())
    with hired(desk, desk.deliver(DAY_ONE)) as worker:
        environment = Path(f"/proc/{worker.pid}/environ").read_bytes()
        assert code_of(worker) == ExitCode.CLEAN
    assert b"NOTIFY_SOCKET" not in environment
    assert sorted(DESCRIPTORS.iterdir()) == before
