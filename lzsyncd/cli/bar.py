"""A progress bar on standard error, gone when the run is done."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lzsyncd.feed.elements import Element

SAMPLE = 1 << 16  # bytes of a file from which the number of its records is guessed
WORDS = {
    "take": "Taking the files",
    "read": "Reading",
    "check": "Checking",
    "plan": "Planning",
    "apply": "Applying",
    "report": "Reporting",
}


@contextmanager
def bar(folder: Path) -> Iterator["Bar"]:
    """Show a bar as long as the block runs."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bar(progress, folder)


class Bar:
    """Moves the bar: it fills while a file is read, and swings while the database works."""

    def __init__(self, progress: Progress, folder: Path) -> None:
        self.progress, self.folder = progress, folder
        self.task = progress.add_task(WORDS["take"], total=None)
        self.expected: dict[Element, int] = {}

    def read(self, element: Element, records: int) -> None:
        """So many records of an element have been read."""
        if element not in self.expected:
            self.expected[element] = estimated_records(self.folder / element.file_name)
        told = f"Reading {element.file_name}: {records:,} records"
        self._update(told, completed=records, total=max(self.expected[element], records))

    def stage(self, name: str) -> None:
        """The run has come to a stage."""
        self._update(WORDS.get(name, name), completed=0, total=None)

    def _update(self, told: str, *, completed: int, total: int | None) -> None:
        self.progress.reset(self.task, start=False, total=total, completed=completed, description=told)
        self.progress.start_task(self.task)


def estimated_records(path: Path) -> int:
    """How many records a file may have, judged by its first lines; 0 where nobody can tell."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            sample = stream.read(SAMPLE)
    except OSError:
        return 0
    return sample.count(b"\n") * size // max(1, len(sample))
