"""Bytes into blocks of whole physical lines, in constant memory.

A physical line ends in LF, CRLF or CR, mixed as they come, and in nothing else: `str.splitlines` would also break at
form feeds, U+0085 or U+2028, which are text here.
"""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from lzsyncd.feed.cells import has_control


class Limits(NamedTuple):
    """How much is read and kept at a time; tests make them small.

    Attributes:
        chunk: bytes read at a time. Measured: 64 KiB take half the time of 1 MiB; their rows fit into the CPU cache.
        cell: characters of one cell; more costs the record, and a quote is looked ahead no further.
        record: bytes of one physical line that are held in memory, and characters of a record that spans lines.
    """

    chunk: int = 64 * 1024
    cell: int = 1024 * 1024
    record: int = 2 * 1024 * 1024


LIMITS = Limits()


class Block(NamedTuple):
    """Some whole physical lines.

    Attributes:
        lines: their text. A byte that is not UTF-8 stands as a lone surrogate (PEP 383).
        ends: the line end of each, as it came; "" where the file ends without one.
        quoted: there may be a quote somewhere.
        damaged: there are bytes that are not UTF-8, or control characters.
        size: characters, at least; no cell is longer.
    """

    lines: list[str]
    ends: list[str]
    quoted: bool
    damaged: bool
    size: int

    def from_line(self, at: int) -> "Block":
        """The lines from `at` on."""
        lines = self.lines[at:]
        return self._replace(lines=lines, ends=self.ends[at:], size=sum(map(len, lines)) + 2 * len(lines))

    def followed_by(self, other: "Block") -> "Block":
        """The lines of both."""
        return Block(
            self.lines + other.lines,
            self.ends + other.ends,
            self.quoted or other.quoted,
            self.damaged or other.damaged,
            self.size + other.size,
        )


NO_LINES = Block([], [], quoted=False, damaged=False, size=0)


class LineReader:
    """Iterates over a stream: a `Block` of lines, or the pieces of one line that is too long to be held.

    The pieces have to be read to their end before the next item is asked for.

    Args:
        stream: where to read from, at its present position.
        size: how many bytes to read; a file that grows meanwhile does not keep us for ever.
        limits: chunk size and longest line.
    """

    def __init__(self, stream: BinaryIO, size: int, limits: Limits) -> None:
        self._stream = stream
        self._left = size
        # what follows a long line and one more chunk must not hold another one
        self._limits = limits._replace(chunk=min(limits.chunk, limits.record // 2))
        self._rest = b""

    def __iter__(self) -> Iterator[Block | Iterator[bytes]]:
        while chunk := self._read():
            self._rest += chunk
            if self._first_is_too_long():
                yield self._pieces()
            elif cut := _behind_last_end(self._rest):
                data, self._rest = self._rest[:cut], self._rest[cut:]
                yield to_block(data)
        if self._rest:
            yield to_block(self._rest)

    def _read(self) -> bytes:
        chunk = self._stream.read(min(self._limits.chunk, self._left))
        self._left -= len(chunk)
        return chunk

    def _first_is_too_long(self) -> bool:
        """Only the first line can be: it is the one that goes back over more than one chunk."""
        if len(self._rest) <= self._limits.record:
            return False
        end = _first_end(self._rest)
        return end < 0 or end > self._limits.record

    def _pieces(self) -> Iterator[bytes]:
        data = self._rest
        while (end := _first_end(data)) < 0:
            yield data
            data = self._read()
            if not data:
                self._rest = b""
                return
        yield data[:end]
        self._rest = data[end:]
        if self._rest == b"\r":
            self._rest += self._read()  # the LF of a CRLF may be the first byte of the next chunk
        self._rest = self._rest[2:] if self._rest.startswith(b"\r\n") else self._rest[1:]


def _first_end(data: bytes) -> int:
    line_feed = data.find(b"\n")
    carriage_return = data.find(b"\r", 0, line_feed if line_feed >= 0 else len(data))
    return carriage_return if carriage_return >= 0 else line_feed


def _behind_last_end(data: bytes) -> int:
    """Where the last whole line ends; a CR as the last byte may be half of a CRLF and waits for the next chunk."""
    line_feed = data.rfind(b"\n")
    return max(line_feed, data.rfind(b"\r", line_feed + 1, len(data) - 1)) + 1


def to_block(data: bytes) -> Block:
    """Split and decode whole lines."""
    plain = data.replace(b"\r\n", b"\n") if b"\r" in data else data
    lone = b"\r" in plain
    text, valid = _decode(plain.replace(b"\r", b"\n") if lone else plain)
    lines = text.split("\n")
    unended = lines[-1]
    if not unended:
        lines.pop()
    changed = len(data) - len(plain)
    if lone or (changed and changed != len(lines)):
        ends = [_end_of(line) for line in data.splitlines(keepends=True)]  # of bytes: only LF, CRLF and CR
    else:
        ends = ["\r\n" if changed else "\n"] * len(lines)
        ends[-1:] = [""] if unended else ends[-1:]
    return Block(lines, ends, b'"' in plain, not valid or has_control(plain), len(data))


def _decode(data: bytes) -> tuple[str, bool]:
    try:
        return data.decode(), True
    except UnicodeDecodeError:
        return data.decode(errors="surrogateescape"), False


def _end_of(line: bytes) -> str:
    return line[len(line.rstrip(b"\r\n")) :].decode()
