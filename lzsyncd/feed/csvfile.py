"""The reader of delivered files: bytes into batches of records, each with the physical line on which it starts.

UTF-8 with or without byte order mark; LF, CRLF and CR, mixed; RFC 4180 quotes. Memory does not grow with the file, its
lines or its cells. A damaged record costs itself and no other: it comes as `Spoiled` beside the good rows.

The way of a file: `firstline` (the header) -> `lines` (blocks of physical lines) -> `splitter` (runs of lines without
quotes at once; `quotes` reads the odd ones, `longline` a line that is too long to be held) -> `records` (batches).
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lzsyncd.feed.firstline import (
    BOM,
    LONGEST_MAGIC,
    FileRejected,
    read_first_record,
    refuse_other_formats,
    suggest_delimiter,
)
from lzsyncd.feed.lines import LIMITS, Block, Limits, LineReader
from lzsyncd.feed.records import Batch, Spoiled
from lzsyncd.feed.splitter import Splitter

__all__ = ["LIMITS", "Batch", "CsvFile", "FileRejected", "Limits", "Spoiled", "suggest_delimiter"]


class CsvFile:
    """One delivered file.

    Reads the header at once; `batches` may be called more than once and reads the records from the start each time.

    Args:
        path: where it is.
        delimiter: `,` `;` `:` `|` or tab.
        max_size: bytes it may have.
        limits: how much is held at a time.

    Attributes:
        header: the names of the columns, trimmed.
        key_position: where the key stands in a record; whoever knows the columns sets it before reading records.
            While it is -1, no spoiled record counts as having a readable key.

    Raises:
        FileRejected: `file.unreadable`, `file.too_large`, `file.empty`, `file.encoding`, `file.delimiter`, or
            `file.truncated` inside the header.
    """

    def __init__(self, path: str | Path, *, delimiter: str = ",", max_size: int, limits: Limits = LIMITS) -> None:
        self.key_position = -1
        self._path = path
        self._delimiter = delimiter
        self._limits = limits
        with self._open() as stream:
            self._identity = _identity(stream)
            self._size = os.fstat(stream.fileno()).st_size
            if self._size > max_size:
                raise FileRejected("file.too_large", value=str(self._size), detail=f"{max_size:,}")
            self._start = self._pass_mark(stream)
            first = read_first_record(LineReader(stream, self._size - self._start, limits), delimiter, limits)
        self.header = first.header
        self._first_line = first.lines + 1
        self._start += first.size

    def batches(self) -> Iterator[Batch]:
        """The records, in the order of the file.

        Raises:
            FileRejected: `file.changed` when it is not the file any more whose header was read; `file.unreadable`;
                behind the last batch `file.truncated` when the file ends inside a quote.
        """
        with self._open() as stream:
            self._refuse_change(stream)
            stream.seek(self._start)
            splitter = Splitter(self._delimiter, self.header, self.key_position, self._first_line, self._limits)
            for lines in LineReader(stream, self._size - self._start, self._limits):
                yield from _filled(splitter.take(lines) if isinstance(lines, Block) else splitter.take_long(lines))
            yield from _filled(splitter.end())
            self._refuse_change(stream)
        if splitter.truncated:
            raise FileRejected("file.truncated", splitter.truncated)

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        try:
            with open(self._path, "rb", buffering=0, opener=_without_waiting) as stream:
                if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    raise FileRejected("file.unreadable", detail="it is no plain file")
                yield stream
        except OSError as error:
            raise FileRejected("file.unreadable", detail=error.strerror or type(error).__name__) from None

    def _refuse_change(self, stream: BinaryIO) -> None:
        if _identity(stream) != self._identity:
            raise FileRejected("file.changed")

    @staticmethod
    def _pass_mark(stream: BinaryIO) -> int:
        """Go behind the byte order mark; some exporters write it twice."""
        start = 0
        while (head := stream.read(LONGEST_MAGIC)).startswith(BOM):
            start += len(BOM)
            stream.seek(start)
        refuse_other_formats(head)
        stream.seek(start)
        return start


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe in the inbox must not hold us up


def _identity(stream: BinaryIO) -> tuple[int, int, int, int]:
    status = os.fstat(stream.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _filled(batch: Batch) -> Iterator[Batch]:
    if batch.lines or batch.spoiled:
        yield batch
