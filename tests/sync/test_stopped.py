"""Stopped at any step for so long that the server has given its lock to the next, who does the work; then it goes on.

A virtual machine that is paused, a host that was cut off: it comes back in the middle of a step and knows of nothing.
It must neither apply nor move anything a second time, nor spoil what the other one has done.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.laws.company import DAY_TWO
from tests.laws.ground import ask
from tests.sync.desk import Desk
from tests.sync.test_killed import BEFORE_THE_CLAIM, CLAIMED, DAY_TWO_MARKED
from tests.system.points.sitecustomize import _at
from tests.system.program import LONGEST, Point

BESIDE_THE_SERVER = {
    "before a file is claimed": Point("lzsyncd.intake.claim", "_move", "before", call=2),
    "before a file is copied": Point("lzsyncd.intake.spool", "_copy", "before", call=2),
    "before a copy gets its name": Point("pathlib", "Path.rename", "before", text=".part"),
    "before a claimed file goes": Point("pathlib", "Path.unlink", "before", text="/claimed/"),
    "before a file is packed": Point("lzsyncd.intake.spool", "pack", "before"),
    "before the archive": Point("lzsyncd.report.after", "archive", "before"),
    "before the sweep": Point("lzsyncd.report.after", "sweep", "before"),
}
ALL = BEFORE_THE_CLAIM | CLAIMED
POINTS = BESIDE_THE_SERVER | {
    name: ALL[name]
    for name in (
        *("before the claim", "half of the order is written", "one marker is claimed", "the set is copied"),
        *("the plan is made", "before the commit", "after the commit", "half of the archive", "half of the outbox"),
        *("half of the spool is swept", "before what it supersedes"),
    )
}

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@contextmanager
def stopped_at(point: Point, do: Callable[[], object]) -> Iterator[None]:
    """Do it in a process that stops at the point, loses its session, and goes on after the block."""
    child = os.fork()
    if not child:
        try:
            _at({**vars(point), "signal": signal.SIGSTOP})
            do()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, os.WUNTRACED)
    assert os.WIFSTOPPED(status), "the point was not met"
    try:
        yield
    finally:
        os.kill(child, signal.SIGCONT)
        assert os.waitpid(child, 0)[1] == 1 << 8


def cut_off(desk: Desk) -> None:
    """The server drops all our sessions, and with them the locks; an autovacuum worker is the superuser's."""
    ours = "usename = current_user AND datname = current_database()"
    others = f"FROM pg_stat_activity WHERE {ours} AND pid <> pg_backend_pid()"
    ask(desk.site, f"SELECT pg_terminate_backend(pid) {others}")
    deadline = time.monotonic() + LONGEST
    while ask(desk.site, f"SELECT 1 AS one {others}"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("name", POINTS)
def test_who_comes_back_does_nothing_twice(at_once: Desk, name: str) -> None:
    order = at_once.deliver(DAY_TWO_MARKED)
    with stopped_at(POINTS[name], lambda: at_once.work(order)):
        cut_off(at_once)
        at_once.later(seconds=1)
        whole = at_once.inbox() == sorted(DAY_TWO_MARKED) and name in BEFORE_THE_CLAIM
        at_once.work(*([order] if whole else []))
        before = at_once.statuses()
    assert at_once.statuses() == before
    at_once.work()  # whatever it has left is cleared away
    assert at_once.inbox() == at_once.spool() == []
    assert at_once.people() == {"1": "London", "2": "Leeds", "3": "London", "5": "York"}
    (run,) = (run for run in at_once.runs()[1:] if run["status"] == "applied")
    assert len(at_once.runs()) == 2 + whole
    assert at_once.archived(run["id"]) == DAY_TWO_MARKED
    assert "The set was applied." in at_once.outbox(run["id"])
    assert len(ask(at_once.site, "SELECT DISTINCT run_id FROM sync_change")) == 2
    assert not (at_once.site.folder / "quarantine").exists()


def test_a_set_that_somebody_else_took_meanwhile_is_not_missed(at_once: Desk) -> None:
    order = at_once.deliver(DAY_TWO)
    with stopped_at(BEFORE_THE_CLAIM["the spool is made"], lambda: at_once.work(order)):
        cut_off(at_once)
        at_once.later(seconds=1)  # or the ids of both runs begin alike
        at_once.work(order)
    at_once.later(hours=1)
    at_once.work()
    assert at_once.statuses() == ["applied", "interrupted", "applied"]
    assert at_once.spool() == []
