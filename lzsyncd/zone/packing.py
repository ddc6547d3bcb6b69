"""Rows on their way into a table, as text that costs little to send between processes and to write."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

Columns = list[list[str]]  # of one length
Packed = tuple[int, str] | bytes  # rows, as the dialect wants them

ROWS_A_BLOCK = 2_000  # a few hundred KiB

# stand-ins while a block is put together; cells with control characters are refused (`record.control`)
_LINE, _CELL, _NULL = "\x1c", "\x1d", "\x1b"


def copy_blocks(rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Rows of text and numbers as blocks for PostgreSQL's COPY."""
    block: list[str] = []
    for row in rows:
        try:
            block.append(_CELL.join(row))
        except TypeError:  # numbers, None
            block.append(_CELL.join(_NULL if value is None else str(value) for value in row))
        if len(block) >= ROWS_A_BLOCK:
            yield _copy_text(block)
            block = []
    if block:
        yield _copy_text(block)


def _copy_text(block: list[str]) -> bytes:
    """COPY's text format: what it gives a meaning to is escaped once per block, not per cell."""
    text = _LINE.join(block)
    for plain, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        if plain in text:
            text = text.replace(plain, escaped)
    for mark, meaning in ((_LINE, "\n"), (_CELL, "\t"), (_NULL, "\\N")):
        text = text.replace(mark, meaning)
    return (text + "\n").encode()


def _as_text(columns: Columns) -> Packed:
    """Column by column in one text: it is sent and taken apart in half the time of its cells."""
    return len(columns[0]), _CELL.join(chain.from_iterable(columns))


def rows_of(packed: Any) -> Iterable[Sequence[str]]:
    """The rows of such a text."""
    rows, text = packed
    if not rows:
        return ()
    cells = text.split(_CELL)
    return zip(*(cells[at : at + rows] for at in range(0, len(cells), rows)), strict=True)


def _as_copy_text(columns: Columns) -> Packed:
    rows = [*map(_CELL.join, zip(*columns, strict=True))]
    return _copy_text(rows) if rows else b""


def behind(same: Iterable[str], block: Any) -> bytes:
    """A block for COPY with cells before each row that are the same in all of them."""
    head = _copy_text([_CELL.join([*same, ""])])[:-1]
    rows: bytes = block
    return head + rows[:-1].replace(b"\n", b"\n" + head) + b"\n" if head and rows else rows


PACKERS: dict[str, Callable[[Columns], Packed]] = {"sqlite": _as_text, "postgresql": _as_copy_text}
