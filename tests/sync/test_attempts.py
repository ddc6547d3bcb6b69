"""Runs that fail: tried again with growing pauses, put aside after three attempts, and nothing of them is ever lost."""

import signal
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from lzsyncd.errors import DiskFull, Interrupted, TookTooLong, TryAgain
from lzsyncd.service.job import within
from lzsyncd.sync import run
from lzsyncd.sync.picture import Picture
from lzsyncd.zone.brake import Brake
from lzsyncd.zone.database import Database
from tests.laws.company import DAY_ONE, DAY_TWO
from tests.sync.desk import ON_SQLITE, Desk, Killed

MARKED = DAY_TWO | {"set.done": b""}


def quarantined(desk: Desk, run_id: str) -> dict[str, bytes]:
    folder = desk.site.folder / "quarantine" / run_id
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "REASON.txt"}


def test_a_failed_run_is_tried_again_after_a_while(at_once: Desk, broken: Callable[..., None]) -> None:
    broken(2)
    run_id = at_once.arrive(DAY_TWO)
    assert at_once.run(run_id)["status"] == "failed"
    assert at_once.spool() == [run_id]
    for wait, attempt in ((50, 1), (20, 2), (550, 2), (60, 3)):
        at_once.later(seconds=wait)
        at_once.work()
        assert at_once.run(run_id)["attempt"] == attempt
    assert at_once.run(run_id)["status"] == "applied"
    assert at_once.archived(run_id) == DAY_TWO
    assert at_once.spool() == at_once.inbox() == []


@ON_SQLITE
def test_a_failed_run_tells_no_value(at_once: Desk, broken: Callable[..., None]) -> None:
    broken(1, RuntimeError("ann@a.test"))
    run_id = at_once.arrive(DAY_TWO)
    assert at_once.run(run_id)["message"] == "RuntimeError."
    assert at_once.people()["2"] == "London"
    assert not (at_once.site.outbox / run_id).exists()


@ON_SQLITE
def test_a_set_that_fails_three_times_is_put_aside_whole(at_once: Desk, broken: Callable[..., None]) -> None:
    broken(99)
    run_id = at_once.arrive(MARKED)
    for _ in range(5):
        at_once.later(hours=1)
        at_once.work()
    row = at_once.run(run_id)
    assert (row["status"], row["attempt"]) == ("failed", 3)
    assert quarantined(at_once, run_id) == MARKED
    reason = (at_once.site.folder / "quarantine" / run_id / "REASON.txt").read_text()
    assert "failed 3 times" in reason
    assert at_once.spool() == at_once.inbox() == []
    assert at_once.actions().count("set_quarantined") == 1
    assert "put the files into the inbox" in at_once.outbox(run_id)


@ON_SQLITE
def test_a_failure_keeps_no_other_set_from_its_turn(desk: Desk, broken: Callable[..., None]) -> None:
    broken(1)
    first = desk.deliver({"org.csv": DAY_ONE["org.csv"]})
    arrivals = desk.work(first, desk.deliver({"user.csv": DAY_ONE["user.csv"]}))
    assert desk.statuses() == ["failed", "checked"]
    assert arrivals.failed


def test_a_set_that_fails_at_its_slot_is_tried_again_for_that_slot(desk: Desk, broken: Callable[..., None]) -> None:
    """With what came behind it; what came after the slot waits for the next one."""
    first = desk.arrive(DAY_TWO)
    second = desk.arrive({"user.csv": DAY_TWO["user.csv"]})
    broken(1)
    slot = desk.slot()
    assert (desk.status(first), desk.status(second)) == ("failed", "checked")
    late = desk.arrive({"user.csv": DAY_TWO["user.csv"], "pos.csv": DAY_TWO["pos.csv"]})
    assert desk.statuses() == ["failed", "superseded", "checked"]
    desk.later(minutes=2)
    desk.work()
    assert desk.statuses() == ["applied", "superseded", "checked"]
    assert desk.run(first)["slot"] == slot.name
    assert desk.slots()[slot.name]["run_id"] == first
    desk.slot()
    assert desk.status(late) == "unchanged"


def test_a_later_slot_does_not_overtake_a_set_that_is_tried_again(desk: Desk, broken: Callable[..., None]) -> None:
    broken(1)
    older, newer = desk.arrive(DAY_TWO), desk.arrive({"user.csv": DAY_ONE["user.csv"]})
    desk.now = desk.now.replace(hour=23)
    desk.tell(f"UPDATE sync_run SET finished_at = '2026-11-24T02:00:00.000Z' WHERE id = '{older}'")
    slot = desk.slot()
    assert desk.slots()[slot.name]["finished_at"]
    assert (desk.status(older), desk.status(newer)) == ("failed", "checked")
    desk.later(minutes=2)
    desk.work()
    desk.slot()
    assert (desk.status(older), desk.status(newer)) == ("applied", "applied")
    assert desk.people()["2"] == "London"


@ON_SQLITE
def test_a_person_does_not_wait_for_the_next_attempt(desk: Desk, broken: Callable[..., None]) -> None:
    broken(1)
    run_id = desk.arrive(DAY_ONE)
    with desk.arrivals("command") as arrivals:
        arrivals.recover()
        arrivals.apply_waiting()
    assert desk.status(run_id) == "applied"


@pytest.mark.parametrize(
    "error", [Interrupted("SIGTERM"), TryAgain("away"), DiskFull("full"), psycopg.OperationalError()]
)
def test_what_is_not_the_sets_fault_is_no_attempt(at_once: Desk, broken: Callable[..., None], error: Exception) -> None:
    broken(6, error)
    with pytest.raises(type(error)):
        at_once.arrive(DAY_TWO)
    for _ in range(5):
        at_once.later(hours=1)
        with pytest.raises(type(error)):
            at_once.work()
    run_id = at_once.runs()[-1]["id"]
    assert at_once.spool() == [run_id]
    at_once.later(hours=1)
    at_once.work()
    row = at_once.run(run_id)
    assert (row["status"], row["attempt"]) == ("applied", 1)


@ON_SQLITE
def test_after_a_failure_that_was_no_attempt_it_is_tried_again_soon(at_once: Desk, broken: Callable[..., None]) -> None:
    broken(1, DiskFull("full"))
    with pytest.raises(DiskFull):
        at_once.arrive(DAY_TWO)
    at_once.later(seconds=70)
    at_once.work()
    assert at_once.statuses() == ["applied", "applied"]


def test_an_interrupted_run_is_gone_on_with_at_once(at_once: Desk, broken: Callable[..., None]) -> None:
    broken(1, Interrupted("SIGTERM"))
    with pytest.raises(Interrupted):
        at_once.arrive(DAY_TWO)
    run_id = at_once.runs()[-1]["id"]
    assert at_once.status(run_id) == "interrupted"
    at_once.work()
    assert at_once.status(run_id) == "applied"


@ON_SQLITE
def test_what_kills_its_process_three_times_is_put_aside(at_once: Desk, broken: Callable[..., None]) -> None:
    broken(99, Killed())
    with pytest.raises(Killed):
        at_once.arrive(MARKED)
    for _ in range(2):
        with pytest.raises(Killed):
            at_once.work()
    at_once.work()
    run_id = at_once.runs()[-1]["id"]
    assert at_once.status(run_id) == "failed"
    assert quarantined(at_once, run_id) == MARKED
    assert at_once.spool() == []


def test_a_run_that_takes_too_long_is_ended_and_tried_again(at_once: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_long(_number: int, _frame: object) -> None:
        brake.pull(TookTooLong("too long"))

    def slow(picture: Picture, *_more: object, **_named: object) -> None:
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= at_once.site.run_timeout
        picture.database.brake = brake
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        while True:
            picture.database.value("SELECT 1")

    brake = Brake()
    at_once.limit = within
    before = signal.signal(signal.SIGALRM, too_long)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(run, "make_plan", slow)
            run_id = at_once.arrive(DAY_TWO)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert at_once.run(run_id)["message"] == "too long"
    assert (at_once.status(run_id), at_once.run(run_id)["attempt"]) == ("failed", 1)
    at_once.later(minutes=2)
    at_once.work()
    assert (at_once.status(run_id), at_once.run(run_id)["attempt"]) == ("applied", 2)


def test_a_signal_as_the_commit_returns_does_not_unmake_it(at_once: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Database.run

    def run_and_stop(database: Database, text: str, parameters: tuple[object, ...] = ()) -> int:
        done = real(database, text, parameters)
        if text == "COMMIT":
            raise Interrupted("SIGTERM")
        return done

    with monkeypatch.context() as patch:
        patch.setattr(Database, "run", run_and_stop)
        with pytest.raises(Interrupted):
            at_once.arrive(DAY_TWO)
    assert at_once.statuses() == ["applied", "applied"]
    at_once.work()
    run_id = at_once.runs()[-1]["id"]
    assert at_once.run(run_id)["attempt"] == 1
    assert at_once.archived(run_id) == DAY_TWO
    assert at_once.spool() == []
    assert (at_once.site.outbox / run_id).is_dir()


@ON_SQLITE
def test_a_spool_folder_that_the_ledger_does_not_know_goes_to_quarantine(desk: Desk) -> None:
    """It was restored from a copy, say. The folder may be of any moment: half claimed, half taken, with links."""
    run_id = desk.arrive(MARKED)
    claimed = desk.site.folder / "spool" / run_id / "claimed"
    (claimed / "org.csv").symlink_to("/etc/passwd")
    desk.tell(f"DELETE FROM sync_run WHERE id = '{run_id}'")
    desk.work()
    assert desk.quarantined(run_id) == {*MARKED, "REASON.txt"}
    folder = desk.site.folder / "quarantine" / run_id
    assert (folder / "org.csv").readlink() == Path("/etc/passwd")
    assert (folder / "user.csv").read_bytes() == MARKED["user.csv"]
    assert "knows nothing" in (folder / "REASON.txt").read_text()
    assert desk.spool() == []


@ON_SQLITE
def test_a_spool_that_was_half_swept_is_swept(desk: Desk) -> None:
    desk.arrive(DAY_ONE)
    desk.slot()
    half = desk.site.folder / "spool" / ".20261123T080000000-00000000.done"
    half.mkdir()
    (half / "claimed.json").write_text("{}")
    desk.work()
    assert desk.spool() == []
    assert not (desk.site.folder / "quarantine").exists()


def test_a_run_without_files_is_not_waited_for(desk: Desk) -> None:
    """It was killed before it had claimed anything: its files are in the inbox, and come again as another run."""
    order = desk.deliver(DAY_ONE)
    desk.tell(
        'INSERT INTO sync_run (id, kind, "trigger", attempt, status, created_at) '
        "VALUES ('20261123T080000000-00000000', 'sync', 'arrival', 1, 'claimed', '2026-11-23T08:00:00.000Z')"
    )
    desk.work(order)
    assert desk.statuses() == ["interrupted", "checked"]
    desk.slot()
    assert desk.statuses() == ["interrupted", "applied"]
