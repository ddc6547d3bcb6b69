"""Who watches a run: a person at a terminal, or nobody."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lzsyncd.cli.output import is_terminal
from lzsyncd.progress import Progress, Silent


@contextmanager
def watching(folder: Path) -> Iterator[Progress]:
    """Show how far a run is, where standard error is a terminal."""
    if not is_terminal(sys.stderr):
        yield Silent()
        return
    from lzsyncd.cli.bar import bar  # noqa: PLC0415 only a terminal needs it

    with bar(folder) as watcher:
        yield watcher
