"""What the reader's tests share: a file from bytes, and everything that was read of it in one list."""

from pathlib import Path
from typing import NamedTuple

from lzsyncd.feed.csvfile import LIMITS, Batch, CsvFile, FileRejected, Limits, Spoiled

MAX_SIZE = 1 << 40


class Read(NamedTuple):
    """A whole file: header, batches, and the code and line with which it was rejected at the end."""

    header: list[str]
    batches: list[Batch]
    rejected: tuple[str, int] | None

    @property
    def rows(self) -> list[tuple[int, list[str]]]:
        return [pair for batch in self.batches for pair in zip(batch.lines, batch.rows, strict=True)]

    @property
    def numbers(self) -> list[int]:
        return [number for batch in self.batches for number in batch.numbers]

    @property
    def spoiled(self) -> list[Spoiled]:
        return [record for batch in self.batches for record in batch.spoiled]

    @property
    def told(self) -> list[tuple[int, str, int, bool]]:
        """Line, code, position and whether the key was readable, of each spoiled record."""
        return [(s.line, s.code, s.position, s.key_readable) for s in self.spoiled]


def read(path: Path, delimiter: str = ",", limits: Limits = LIMITS) -> Read:
    """Read a file; its key is in the first column."""
    source = CsvFile(path, delimiter=delimiter, max_size=MAX_SIZE, limits=limits)
    source.key_position = 0
    batches: list[Batch] = []
    rejected = None
    try:
        batches.extend(source.batches())
    except FileRejected as error:
        rejected = error.code, error.line
    return Read(source.header, batches, rejected)


def read_bytes(folder: Path, data: bytes, delimiter: str = ",", limits: Limits = LIMITS) -> Read:
    """Read a file with these bytes."""
    path = folder / "user.csv"
    path.write_bytes(data)
    return read(path, delimiter, limits)
