"""Killed at any step between inbox and archive: the next errand ends as if nothing had happened."""

import os
import signal
from collections.abc import Callable

import pytest

from lzsyncd.feed.elements import Element
from tests.conftest import DATABASES
from tests.laws.company import DAY_ONE, DAY_TWO, PEOPLE
from tests.laws.ground import ask, csv_of
from tests.sync.desk import ON_SQLITE, Desk
from tests.system.points.sitecustomize import _at
from tests.system.program import Point

DAY_TWO_MARKED = DAY_TWO | {"set.done": b"", "manifest.json": b'["org.csv", "pos.csv", "user.csv"]'}
MENDED = {"rejected-user.csv": csv_of(f"{PEOPLE},lz_line", "6,fay,Fay,Lee,fay@a.test,A,D,2,Hull,6")}


BEFORE_THE_CLAIM = {
    "the run is written down": Point("lzsyncd.ledger.runs", "start"),
    "before the claim": Point("lzsyncd.sync.arrivals", "claim", "before"),
    "the spool is made": Point("lzsyncd.intake.claim", "write_order", "before"),
    "half of the order is written": Point("json", "dump", "before"),
}
CLAIMED = {
    "the order is written": Point("lzsyncd.intake.claim", "write_order"),
    "one file is claimed": Point("lzsyncd.intake.claim", "_move"),
    "two files are claimed": Point("lzsyncd.intake.claim", "_move", call=2),
    "one marker is claimed": Point("lzsyncd.intake.claim", "_move", call=4),
    "the set is claimed": Point("lzsyncd.sync.arrivals", "claim"),
    "the run goes on": Point("lzsyncd.ledger.runs", "resume"),
    "half of the set is taken": Point("lzsyncd.intake.spool", "_take", call=2),
    "the set is copied": Point("lzsyncd.intake.spool", "_take", call=3),
    "one file is taken": Point("pathlib", "Path.unlink", text="/claimed/"),
    "the set is taken": Point("lzsyncd.sync.run", "take_claimed"),
    "the run is checking": Point("lzsyncd.ledger.runs", "move"),
    "a file is packed": Point("lzsyncd.intake.spool", "pack"),
    "the plan is made": Point("lzsyncd.sync.run", "make_plan"),
    "the set is applied": Point("lzsyncd.sync.run", "apply"),
    "before the commit": Point("lzsyncd.zone.database", "Database.run", "before", text="COMMIT"),
    "after the commit": Point("lzsyncd.zone.database", "Database.run", text="COMMIT"),
    "half of the archive": Point("pathlib", "Path.rename", call=2, text="/archive/"),
    "half of a marker is packed": Point("gzip", "GzipFile.close", "before", call=4),
    "a marker is packed": Point("lzsyncd.intake.spool", "pack", call=4),
    "a marker is in the archive": Point("pathlib", "Path.rename", call=4, text="/archive/"),
    "the archive": Point("lzsyncd.report.after", "archive"),
    "half of the outbox": Point("lzsyncd.report.outbox", "_make_durable"),
    "the outbox": Point("lzsyncd.report.after", "write_outbox"),
    "before the spool is swept": Point("shutil", "rmtree", "before", text="/spool/"),
    "half of the spool is swept": Point("os", "unlink", text=".csv"),
    "the spool is swept": Point("shutil", "rmtree", text="/spool/"),
    "before what it supersedes": Point("lzsyncd.sync.arrivals", "Arrivals._end_pointless", "before", call=2),
}


def killed_at(point: Point, do: Callable[[], object]) -> None:
    """Do it in a process that is killed at the point."""
    child = os.fork()
    if not child:
        try:
            _at({**vars(point), "signal": signal.SIGKILL})
            do()
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL, "the point was not met"


def where(*names: str, else_on: str) -> pytest.MarkDecorator:
    """On both databases where the ledger is at stake, else on the quicker one."""
    both = [(database, name) for name in names for database in DATABASES]
    rest = [(else_on, name) for name in (*BEFORE_THE_CLAIM, *CLAIMED) if name not in names]
    return pytest.mark.parametrize(("database", "name"), [*both, *rest], indirect=["database"])


@where(
    "the run is written down",
    "the set is claimed",
    "the plan is made",
    "before the commit",
    "after the commit",
    "before what it supersedes",
    else_on="sqlite",
)
def test_the_next_errand_ends_as_if_nothing_had_happened(at_once: Desk, name: str) -> None:
    order = at_once.deliver(DAY_TWO_MARKED)
    killed_at((BEFORE_THE_CLAIM | CLAIMED)[name], lambda: at_once.work(order))
    at_once.later(seconds=1)
    whole = at_once.inbox() == sorted(DAY_TWO_MARKED) and name in BEFORE_THE_CLAIM
    at_once.work(*([order] if whole else []))
    assert at_once.inbox() == at_once.spool() == []
    assert at_once.people() == {"1": "London", "2": "Leeds", "3": "London", "5": "York"}
    (run,) = (run for run in at_once.runs()[1:] if run["status"] == "applied")
    assert run["attempt"] <= 2
    assert at_once.statuses() == ["applied", *["interrupted"] * whole, "applied"]
    assert at_once.archived(run["id"]) == DAY_TWO_MARKED
    assert "The set was applied." in at_once.outbox(run["id"])
    assert at_once.findings(run["id"]) == ["user.email.invalid"]
    assert len(ask(at_once.site, "SELECT DISTINCT run_id FROM sync_change")) == 2
    assert not (at_once.site.folder / "quarantine").exists()
    at_once.work()
    assert at_once.statuses()[-1] == "applied"


@ON_SQLITE
def test_a_file_that_a_power_cut_has_shortened_is_not_taken_for_whole(at_once: Desk) -> None:
    """An SFTP server syncs nothing: what was claimed and not yet copied may be half of what was judged."""
    order = at_once.deliver(DAY_TWO_MARKED)
    killed_at(CLAIMED["the set is claimed"], lambda: at_once.work(order))
    (spool,) = (at_once.site.folder / "spool").iterdir()
    users = spool / "claimed" / "user.csv"
    users.write_bytes(b"".join(DAY_TWO["user.csv"].splitlines(keepends=True)[:2]))
    before = at_once.people()
    at_once.work()
    assert at_once.people() == before
    (run,) = (run for run in at_once.runs() if run["status"] == "rejected")
    assert at_once.findings(run["id"]) == ["file.changed"]
    assert at_once.spool() == []


AT_THE_SLOT = {
    "the slot is claimed": Point("lzsyncd.ledger.waiting", "claim_slot"),
    "in the first set": Point("lzsyncd.sync.run", "make_plan"),
    "the first set is applied": Point("lzsyncd.zone.database", "Database.run", text="COMMIT"),
    "between the sets": Point("lzsyncd.report.events", "RunLog.finished"),
    "in the second set": Point("lzsyncd.sync.run", "make_plan", call=2),
    "the sets are applied": Point("lzsyncd.ledger.waiting", "finish_slot", "before"),
}


@pytest.mark.parametrize("point", AT_THE_SLOT.values(), ids=AT_THE_SLOT)
def test_a_slot_that_was_killed_is_finished(desk: Desk, point: Point) -> None:
    first, second = desk.arrive(DAY_TWO), desk.arrive(MENDED, mended=True)
    slot = desk.next_slot()
    killed_at(point, lambda: desk.work(slots=(slot,)))
    desk.later(hours=1)
    desk.work()
    assert desk.statuses() == ["applied", "applied"]
    assert desk.run(first)["finished_at"] < desk.run(second)["finished_at"]
    assert {run["slot"] for run in desk.runs()} == {slot.name}
    assert desk.slots()[slot.name]["finished_at"]
    assert desk.people()["6"] == "Hull"
    assert desk.spool() == []
    desk.work(slots=(slot,))
    assert len(desk.runs()) == 2


PUTTING_ASIDE = {
    "it is told": Point("lzsyncd.sync.arrivals", "write_outbox"),
    "its reason is written": Point("pathlib", "Path.write_text", text="failed 3 times"),
    "one file is aside": Point("pathlib", "Path.rename", text="/quarantine/"),
    "all is aside": Point("lzsyncd.report.after", "quarantine"),
    "its spool is half swept": Point("shutil", "rmtree", "before", text="/spool/"),
}


@ON_SQLITE
@pytest.mark.parametrize("point", PUTTING_ASIDE.values(), ids=PUTTING_ASIDE)
def test_what_is_put_aside_is_put_aside_whole(desk: Desk, broken: Callable[..., None], point: Point) -> None:
    broken(99)
    run = desk.arrive(DAY_TWO_MARKED)
    for _ in range(2):
        desk.later(hours=1)
        desk.work()
    killed_at(point, desk.work)
    desk.work()
    assert desk.quarantined(run) == {*DAY_TWO_MARKED, "REASON.txt"}
    assert desk.status(run) == "failed"
    assert desk.spool() == []


SUPERSEDING = {
    "the newer one is checked": Point("lzsyncd.zone.database", "Database.run", text="COMMIT"),
    "it is superseded": Point("lzsyncd.ledger.runs", "move", text="superseded"),
    "its archive is half written": Point("pathlib", "Path.rename", call=2, text="/archive/"),
}


@ON_SQLITE
@pytest.mark.parametrize("point", SUPERSEDING.values(), ids=SUPERSEDING)
def test_what_is_superseded_is_never_applied(desk: Desk, point: Point) -> None:
    old = desk.arrive(DAY_ONE)
    order = desk.deliver(DAY_TWO)
    killed_at(point, lambda: desk.work(order))
    desk.work()
    assert desk.statuses() == ["superseded", "checked"]
    assert desk.archived(old) == DAY_ONE
    new = desk.runs()[-1]["id"]
    assert "it waits for its turn" in desk.outbox(new)
    desk.slot()
    assert desk.statuses() == ["superseded", "applied"]


HOLDING = {
    "the run is written down": Point("lzsyncd.ledger.runs", "start"),
    "what it has is written down": Point("pathlib", "Path.write_text", text="user.csv"),
    "before the commit": Point("lzsyncd.zone.database", "Database.run", "before", text="COMMIT"),
    "after the commit": Point("lzsyncd.zone.database", "Database.run", text="COMMIT"),
    "it is told": Point("lzsyncd.report.after", "write_outbox"),
}


@ON_SQLITE
@pytest.mark.parametrize("point", HOLDING.values(), ids=HOLDING)
def test_an_incomplete_set_is_held_and_told_once(desk: Desk, point: Point) -> None:
    desk.put({"user.csv": DAY_ONE["user.csv"]})
    held = (desk.judge("user.csv").files, (Element.ORG, Element.POS))
    killed_at(point, lambda: desk.work(held=held))
    desk.later(seconds=1)
    desk.work(held=held)
    (run,) = (run for run in desk.runs() if run["status"] == "held")
    assert "org.csv and pos.csv are missing." in desk.outbox(run["id"])
    assert desk.findings(run["id"]) == ["set.incomplete"]
    assert {row["status"] for row in desk.runs()} <= {"held", "interrupted"}
    assert desk.spool() == [run["id"]]
    assert desk.inbox() == ["user.csv"]
