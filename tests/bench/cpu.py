"""The processor time of a process and all its descendants, from /proc: other work on the machine changes it little."""

import os
from pathlib import Path

from tests.bench.memory import descendants

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of_tree(pid: int) -> float:
    """Seconds that a running process has used, with its children's, those that have ended and were waited for too."""
    return sum(_cpu_of(each) for each in (pid, *descendants(pid)))


def _cpu_of(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS  # utime, stime, cutime, cstime: see proc(5)
