"""The exact way through quotes (RFC 4180), for the few lines on which the fast ways do not agree with themselves.

A quote that is the first character of a cell, blanks aside, opens; `""` inside is a quote; line breaks inside belong to
the cell. Behind the closing quote only blanks may come before the delimiter. Any other quote is text (`5" pipe`).
Blanks outside the quotes are dropped, as PHP's `fgetcsv` and so Totara do.
"""

import re
import sys
from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

from lzsyncd.feed.lines import Limits


class How(Enum):
    """How the reading of a record ended."""

    WHOLE = auto()
    JUNK = auto()
    """There is text behind a closing quote, or far too many cells in a record that spans lines."""
    OPEN = auto()
    """The lines ran out inside a quote."""
    FAR = auto()
    """The quote is open for longer than it is looked ahead."""


class Parsed(NamedTuple):
    """A record, or the beginning of one.

    Attributes:
        how: how the reading ended.
        cells: the whole cells, and for `OPEN` and `FAR` what there is of the open one.
        end: index behind the last line looked at.
    """

    how: How
    cells: list[str]
    end: int


class _Cell(NamedTuple):
    how: How
    text: str
    row: int
    place: int


_BREAK = re.compile(r"\r\n|\r|\n")


def breaks_in(cells: Sequence[str]) -> int:
    """How many line ends there are inside cells."""
    return sum(len(_BREAK.findall(cell)) for cell in cells)


class QuoteParser:
    """Parses records with quotes.

    Args:
        delimiter: one character.
        limits: how far an open quote is followed.
        most: cells after which a record that spans lines is given up.
    """

    def __init__(self, delimiter: str, limits: Limits, most: int = sys.maxsize) -> None:
        blank = "[ ]" if delimiter == "\t" else "[ \\t]"
        self._delimiter = delimiter
        self._limits = limits
        self._most = most
        self._opening = re.compile(f'{blank}*+"')
        self._text = re.compile('[^"]*+(?:""[^"]*+)*+')
        self._closing = re.compile(f'"{blank}*+(?:({re.escape(delimiter)})|\\Z)')
        self._blank_before_quote = re.compile(f'(?:^|{re.escape(delimiter)}){blank}++"')
        self._cell_before_quote = re.compile(f'(?:^|{re.escape(delimiter)}){blank}*+"')

    def has_blank_before_quote(self, line: str) -> bool:
        """Whether a quote may open behind blanks, which the csv module would take as text."""
        return (' "' in line or '\t"' in line) and bool(self._blank_before_quote.search(line))

    def opens_cell(self, line: str) -> bool:
        """Whether a quote may open a cell on this line."""
        return bool(self._cell_before_quote.search(line))

    def stays_open(self, line: str) -> bool:
        """Whether a quote that is open before the line is still open behind it."""
        match = self._text.match(line)
        return match is not None and match.end() == len(line)

    def alone(self, line: str) -> list[str] | None:
        """The cells of a line that is a whole record by itself, or None."""
        if '"' not in line:
            return line.split(self._delimiter)
        parsed = self.record([line], [""], 0)
        return parsed.cells if parsed.how is How.WHOLE else None

    def record(self, lines: Sequence[str], ends: Sequence[str], at: int, *, look_ahead: bool = True) -> Parsed:
        """Parse the record that starts on line `at`.

        Args:
            lines: physical lines.
            ends: their line ends.
            at: index of the record's first line.
            look_ahead: False to read only this line.
        """
        cells: list[str] = []
        row, place = at, 0
        limit = self._limits.record if look_ahead else 0
        while True:
            line = lines[row]
            opening = self._opening.match(line, place)
            if opening is None:
                border = line.find(self._delimiter, place)
                if border < 0:
                    return Parsed(How.WHOLE, [*cells, line[place:]], row + 1)
                cells.append(line[place:border])
                place = border + 1
                continue
            cell = self._quoted(lines, ends, row, opening.end(), limit)
            limit -= sum(map(len, lines[row : cell.row]))
            cells.append(cell.text)
            if cell.how is not How.WHOLE:
                return Parsed(cell.how, cells, min(cell.row + 1, len(lines)))
            closing = self._closing.match(lines[cell.row], cell.place)
            if closing is None:
                return Parsed(How.JUNK, cells, cell.row + 1)
            row, place = cell.row, closing.end()
            if not closing[1]:
                return Parsed(How.WHOLE, cells, row + 1)
            if row > at and len(cells) > self._most:
                return Parsed(How.JUNK, cells, row + 1)

    def _quoted(self, lines: Sequence[str], ends: Sequence[str], row: int, place: int, limit: int) -> _Cell:
        """The cell whose text starts at `place`; in the answer `row` and `place` are those of the closing quote."""
        parts: list[str] = []
        length = 0
        for at in range(row, len(lines)):
            line = lines[at]
            match = self._text.match(line, place)
            end = match.end() if match else place
            parts.append(line[place:end])
            if end < len(line):
                return _Cell(How.WHOLE, _unquote(parts), at, end)
            length += end - place + 1
            if length > min(limit, self._limits.cell):
                return _Cell(How.FAR, _unquote(parts), at, end)
            parts.append(ends[at])
            place = 0
        return _Cell(How.OPEN, _unquote(parts), len(lines), 0)


def _unquote(parts: list[str]) -> str:
    return "".join(parts).replace('""', '"')
