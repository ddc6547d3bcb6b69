"""A process that may start no other one: `fork` and new threads fail with EAGAIN, as under a unit's `TasksMax`."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bench.memory import descendants

CONTROLLERS = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))  # version 1, and version 2


@contextmanager
def no_more_tasks(pid: int) -> Iterator[None]:
    """Neither a process nor those below it start another process or thread, as long as the block lasts."""
    group = _group()
    try:
        for member in (pid, *descendants(pid)):
            with contextlib.suppress(ProcessLookupError):
                (group / "cgroup.procs").write_text(str(member))
        (group / "pids.max").write_text("1")
        yield
    finally:
        (group / "pids.max").write_text("max")
        for member in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                (group.parent / "cgroup.procs").write_text(member)
        group.rmdir()


def _group() -> Path:
    for controller in CONTROLLERS:
        group = controller / f"lzsyncd-test-{os.getpid()}"
        with contextlib.suppress(OSError):
            group.mkdir()
            if (group / "pids.max").exists():
                return group
            group.rmdir()
    pytest.skip("the number of processes can't be limited here (no pids controller)")
