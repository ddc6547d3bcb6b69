"""A few of the kills that `python -m tests.plug` makes at every step, and whether it finds what it looks for."""

import os
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import pytest

from tests.plug.installation import Workshop
from tests.plug.judge import differences
from tests.plug.load import Load
from tests.plug.pulling import Rehearsal, Step, rehearse
from tests.postgres import Cluster
from tests.report.letterbox import Letterbox, served
from tests.system.disks import Disk

CAN_CUT = not os.geteuid() and all(shutil.which(program) for program in ("mkfs.ext4", "mount"))
Open = Callable[..., Workshop]


def disk_in(folder: Path) -> Disk:
    try:
        return Disk(folder)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no file system can be mounted here: {error.stderr.decode().strip()}")


@pytest.fixture
def workshop(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens a workshop, on a disk that can lose its power where it is asked for."""
    with ExitStack() as stack:

        def opened(database: str, *, power: bool = False) -> Workshop:
            cluster: Cluster | None = request.getfixturevalue("cluster") if database == "postgresql" else None
            disk = disk_in(tmp_path) if power else None
            if disk:
                stack.callback(disk.unmount)
            box = stack.enter_context(served(Letterbox()))
            return Workshop(disk.mounted if disk else tmp_path, cluster, box, disk)

        yield opened


def survived(rehearsal: Rehearsal, *places: str, power: bool = False) -> None:
    """Each of these places is there, and to be killed at it leaves no trace."""
    steps = {step.place: step for step in rehearsal.steps}
    for place in places:
        pulled = rehearsal.pull(steps[place], 1, power=power)
        assert pulled.hit, place
        assert pulled.found == (), place
        assert pulled.again == place.startswith("ledger.mails.sent"), place


def test_a_set_that_arrives_is_applied_and_told_once(workshop: Open) -> None:
    survived(
        rehearse(workshop("sqlite"), "arrival"),
        "intake.claim._move: rename",
        "sync.run.Run._go: COMMIT",
        "intake.spool.archive: rename",
        "ledger.mails.sent: UPDATE sync_mail",
    )


def test_a_set_is_applied_at_its_slot_once(workshop: Open) -> None:
    survived(rehearse(workshop("postgresql"), "slot"), "ledger.waiting.claim_slot: INSERT INTO sync_slot")


def test_what_is_old_goes_whole(workshop: Open) -> None:
    survived(rehearse(workshop("sqlite"), "lzsyncd prune"), "sync.retention._remove_whole: rename")


def test_an_undo_is_done_once(workshop: Open) -> None:
    survived(
        rehearse(workshop("postgresql"), "undo"),
        "sync.undo._try: COMMIT",
        "ledger.requests.finish: UPDATE sync_request",
    )


@pytest.mark.skipif(not CAN_CUT, reason="mounting a file system takes root and e2fsprogs")
def test_what_was_not_synced_is_not_needed(workshop: Open) -> None:
    shop = workshop("sqlite", power=True)
    survived(rehearse(shop, "lzsyncd sync"), "sync.run.Run._go: COMMIT", "report.after.sweep: rename", power=True)


@pytest.mark.skipif(not CAN_CUT, reason="mounting a file system takes root and e2fsprogs")
def test_the_report_of_an_undo_is_written_after_a_power_cut(workshop: Open) -> None:
    """The server's disk is another one, so its commit syncs nothing of ours."""
    rehearsal = rehearse(workshop("postgresql", power=True), "undo")
    survived(rehearsal, "ledger.planned.forget: DELETE FROM sync_planned", power=True)


def test_at_random_moments_too(workshop: Open) -> None:
    load = Load(workshop("sqlite"), random.Random(), power=0.0)
    rounds = load.rounds()
    for one in islice(rounds, 2):
        assert one.found == ()
    rounds.close()


def test_it_finds_what_it_looks_for(workshop: Open) -> None:
    """A file too many, a mail that nobody got, a cell that is another: each is seen."""
    rehearsal = rehearse(workshop("sqlite"), "lzsyncd prune")
    with rehearsal.workshop.lent(rehearsal.template) as made:
        before = differences(made, rehearsal.end)
        (made.place.site.folder / "spool" / "forgotten").mkdir()
        found = differences(made, rehearsal.end._replace(mails=rehearsal.end.mails + Counter(["nobody"])))
    assert "archived" in before  # it was not pruned yet
    assert {"left: spool/forgotten", "mails"} <= {*found} - {*before}
    assert not rehearsal.pull(Step("nowhere: rename", 1), 1).hit
