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
    "undo": "Taking back",
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
        self.reading: Element | None = None

    def read(self, element: Element, records: int) -> None:
        """So many records of an element have been read."""
        if element is not self.reading:
            self.reading = element
            self._begin(WORDS["read"], estimated_records(self.folder / element.file_name))
        told = f"{WORDS['read']} {element.file_name}: {records:,} records"
        self.progress.update(self.task, description=told, completed=records)

    def stage(self, name: str) -> None:
        """The run has come to a stage."""
        self.reading = None
        self._begin(WORDS.get(name, name), None)

    def _begin(self, told: str, total: int | None) -> None:
        """A new bar in the place of the old one."""
        self.progress.remove_task(self.task)
        self.task = self.progress.add_task(told, total=total)


def estimated_records(path: Path) -> int | None:
    """How many records a file may have, judged by its first lines; None where nobody can tell."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            sample = stream.read(SAMPLE)
    except OSError:
        return None
    return sample.count(b"\n") * size // max(1, len(sample)) or None
