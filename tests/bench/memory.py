"""The peak memory of a process and all its descendants, from /proc."""

import threading
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

MIB = 1024  # /proc counts in KiB


class Memory(NamedTuple):
    """Memory of a process tree in MiB.

    Attributes:
        pss: each page counted once, shared ones by halves, thirds and so on: what the tree really takes.
        rss: the processes' resident sizes summed up, so shared pages count for each of them.
    """

    pss: float = 0.0
    rss: float = 0.0


class PeakMemory:
    """Looks at a process tree again and again while the block runs; `peak` is the most it has seen.

    Args:
        pid: the root of the tree.
        interval: seconds between two looks. A look costs some milliseconds for each 100 MiB.
    """

    def __init__(self, pid: int, interval: float = 0.05) -> None:
        self.peak = Memory()
        self._pid = pid
        self._interval = interval
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.peak = Memory(*map(max, self.peak, memory_of_tree(self._pid)))
            if self._done.wait(self._interval):
                return


def memory_of_tree(pid: int) -> Memory:
    """What a process and its descendants take now; nothing for processes that are gone."""
    looks = [memory_of(each) for each in (pid, *descendants(pid))]
    return Memory(sum(look.pss for look in looks), sum(look.rss for look in looks))


def memory_of(pid: int) -> Memory:
    """What one process takes now."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError):
        return Memory()
    sizes = {name: int(size.split()[0]) for name, _, size in (line.partition(":") for line in lines)}
    return Memory(sizes["Pss"] / MIB, sizes["Rss"] / MIB)


def descendants(pid: int) -> list[int]:
    """All processes below one, as far as they are still there."""
    children: list[int] = []
    # a process or thread that is gone meanwhile has no children any more
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                children += map(int, (task / "children").read_text().split())
    return [one for child in children for one in (child, *descendants(child))]
