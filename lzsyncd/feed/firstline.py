"""The beginning of a file: byte order mark, what is no UTF-8 text at all, the header, a delimiter that is not ours."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lzsyncd.errors import LzsyncdError
from lzsyncd.feed.cells import damaged_at, has_bad_byte
from lzsyncd.feed.lines import NO_LINES, Block, Limits
from lzsyncd.feed.quotes import How, QuoteParser

BOM = b"\xef\xbb\xbf"
LONGEST_MAGIC = 8

_MAGIC = (
    (b"\xff\xfe\0\0", "it begins with the byte order mark of UTF-32"),
    (b"\0\0\xfe\xff", "it begins with the byte order mark of UTF-32"),
    (b"\xff\xfe", "it begins with the byte order mark of UTF-16"),
    (b"\xfe\xff", "it begins with the byte order mark of UTF-16"),
    (b"PK\x03\x04", "it is a workbook (xlsx, ods) or a zip archive"),
    (b"\xd0\xcf\x11\xe0", "it is an Excel workbook (xls)"),
    (b"\x1f\x8b", "it is compressed with gzip"),
    (b"%PDF-", "it is a PDF document"),
)
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", ":": "colons"}


class FileRejected(LzsyncdError):
    """A file that can't be used, or whose end could not be read.

    Args:
        code: of the catalogue, `file.…`.
        line: the physical line it is about.
        detail: what the finding's sentence needs, as are `column` and `value`.
    """

    def __init__(self, code: str, line: int = 1, detail: str = "", column: str = "", value: str = "") -> None:
        super().__init__(f"The file was rejected ({code}, line {line}).")
        self.code = code
        self.line = line
        self.detail = detail
        self.column = column
        self.value = value


class FirstRecord(NamedTuple):
    """The header.

    Attributes:
        header: its cells, trimmed.
        lines: physical lines up to its end, blank ones before it included.
        size: their bytes.
    """

    header: list[str]
    lines: int
    size: int


def refuse_other_formats(start: bytes) -> None:
    """Raise `FileRejected` when the first bytes are those of something other than UTF-8 text."""
    for magic, detail in _MAGIC:
        if start.startswith(magic):
            raise FileRejected("file.encoding", detail=detail)


def read_first_record(blocks: Iterable[Block | Iterator[bytes]], delimiter: str, limits: Limits) -> FirstRecord:
    """Read the header.

    Args:
        blocks: the lines of the file, behind its byte order mark.
        delimiter: one character.
        limits: how far a quote in the header may go.

    Raises:
        FileRejected: there is none, it is not text, or it has another delimiter.
    """
    parser = QuoteParser(delimiter, limits)
    block = NO_LINES
    for more in blocks:
        if not isinstance(more, Block):
            detail = f"its first line does not end within {limits.record:,} bytes"
            raise FileRejected("file.encoding", detail=detail)
        block = block.followed_by(more)
        at = _first_filled(block.lines)
        if at < len(block.lines) and parser.record(block.lines, block.ends, at).how is not How.OPEN:
            break
    return _first_record(block, delimiter, parser)


def suggest_delimiter(header_line: str, candidates: Iterable[str] = _DELIMITERS) -> str:
    """The delimiter that splits a header into the most columns, "" when none of them splits it."""
    best = max(candidates, key=header_line.count)
    return best if best in header_line else ""


def _first_filled(lines: list[str]) -> int:
    return next((at for at, line in enumerate(lines) if line and not line.isspace()), len(lines))


def _first_record(block: Block, delimiter: str, parser: QuoteParser) -> FirstRecord:
    at = _first_filled(block.lines)
    if at == len(block.lines):
        raise FileRejected("file.empty")
    parsed = parser.record(block.lines, block.ends, at)
    cells, end = parsed.cells, parsed.end
    if parsed.how is not How.WHOLE:
        if parsed.how is How.OPEN and _first_filled(block.lines[at + 1 :]) == len(block.lines) - at - 1:
            raise FileRejected("file.truncated", at + 1)
        cells, end = block.lines[at].split(delimiter), at + 1  # the names tell better what is missing
    _refuse_damage(cells)
    if len(cells) == 1 and (other := suggest_delimiter(cells[0])):
        raise FileRejected(
            "file.delimiter", at + 1, f"{_DELIMITERS[other]}, not {_DELIMITERS.get(delimiter, delimiter)}"
        )
    ends = zip(block.lines[:end], block.ends[:end], strict=True)
    return FirstRecord([cell.strip() for cell in cells], end, sum(len((line + tail).encode()) for line, tail in ends))


def _refuse_damage(cells: list[str]) -> None:
    damaged = damaged_at(cells)
    if not damaged:
        return
    text = "".join(cells)
    if text.count("\0") * 4 >= len(text):
        raise FileRejected("file.encoding", detail="it looks like UTF-16 or UTF-32 without a byte order mark")
    if has_bad_byte(text):
        raise FileRejected("file.encoding", detail="its header has bytes that are not UTF-8")
    raise FileRejected("file.encoding", detail="its header has control characters")
