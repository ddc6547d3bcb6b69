"""A disk that breaks while it is written to: told, nothing is half done, and the next sync on a sound one works."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.laws.bridge import get_zone
from tests.laws.company import DAY_TWO
from tests.system.aftermath import State, mended, newest
from tests.system.conftest import Kitchen
from tests.system.disks import Disk
from tests.system.program import Point, ended, wait_until_stopped

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root mounts")
STEPS = {
    "a file is taken": Point("lzsyncd.sync.run", "take", "before"),
    "the commit": Point("lzsyncd.sync.run", "Run._record"),
    "the report": Point("lzsyncd.report.after", "write_outbox", "before"),
}
STANDS = "is applied and the site is up to date; only its archive or report is missing"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path)
    yield made
    made.unmount()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kitchen", ["sqlite"], indirect=True)
def test_a_disk_that_breaks_before(kitchen: Kitchen, undisturbed: State, disk: Disk, step: str) -> None:
    """Each write, and each read of what is not in memory, is an error of the block device from then on."""
    place = kitchen.after_one_day(disk.mounted / "srv")
    folder, before = place.deliver("two", DAY_TWO), get_zone(place.site)
    process = place.start("sync", "acme", "--from", folder, point=STEPS[step], number=signal.SIGSTOP)
    wait_until_stopped(process)
    disk.break_down()
    os.kill(process.pid, signal.SIGCONT)
    end = ended(process)
    disk.replace()
    assert (end.code, end.out) == (1, "")
    assert "error.stack_trace" not in end.err
    sentence = end.err.splitlines()[-1]
    assert sentence.startswith("lzsyncd: The disk is ")
    assert (STANDS in sentence) == (step == "the report")
    assert (get_zone(place.site) == before) == (step != "the report")
    mended(place, folder, newest(place)["id"], undisturbed)
