"""Records, and how a batch of them is put together: good rows, and what was wrong with the others."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from lzsyncd.feed.cells import damaged_at, has_bad_byte, lines_are_trimmed, readable, rows_are_trimmed
from lzsyncd.feed.elements import OWN_PREFIX

_MARK = "\x1c"  # stands between lines that are split together; a line that has it is damaged


class Spoiled(NamedTuple):
    """A record that could not be read properly.

    Attributes:
        line: the physical line on which it starts.
        number: the record's number, from 1.
        code: `record.columns`, `record.encoding`, `record.control` or `value.too_long`.
        position: the column it is about, from 0; -1 when it is about the whole record.
        cells: the cells as far as they could be read, U+FFFD for what is not UTF-8.
        key_readable: the key was read whole and is not empty; then `cells` has it in its place.
        detail: what the finding's sentence needs.
    """

    line: int
    number: int
    code: str
    position: int
    cells: list[str]
    key_readable: bool
    detail: str


class Batch(NamedTuple):
    """Some records, in the order of the file.

    Attributes:
        lines: the physical line on which each starts; the first line of the file is 1.
        numbers: the number of each, from 1; spoiled records have numbers, too.
        cells: their cells, one record after the other, not trimmed.
        width: how many of them are one record's: as many as the header has.
        clean: it is certain that no cell begins or ends with white space.
        spoiled: the records that could not be read.
        texts: the line of each as it came; "" for a record with quotes.
        longest: no cell has more characters.
    """

    lines: list[int]
    numbers: list[int]
    cells: list[str]
    width: int
    clean: bool
    spoiled: list[Spoiled]
    texts: list[str]
    longest: int

    @property
    def rows(self) -> list[list[str]]:
        """The cells, record by record."""
        return [self.cells[at : at + self.width] for at in range(0, len(self.cells), self.width)]


class Gathering:
    """Takes the records of a file in their order and hands them out in batches.

    Args:
        delimiter: one character.
        header: the names of the columns.
        key_position: where the key stands, -1 when unknown: then no key of a spoiled record counts as readable.
        longest: characters a cell may have.

    Attributes:
        careful: cells have to be looked at one by one, because some may be damaged or too long.
    """

    def __init__(self, delimiter: str, header: Sequence[str], key_position: int, longest: int) -> None:
        self.careful = False
        self._delimiter = delimiter
        self._columns = len(header)
        self._own = {at for at, name in enumerate(header) if name.lower().startswith(OWN_PREFIX)}
        self._key = key_position
        self._longest = longest
        self._next_number = 1
        self._start()

    def _start(self) -> None:
        self._cells: list[str] = []
        self._lines: list[int] = []
        self._spoiled: list[Spoiled] = []
        self._texts: list[str] = []
        self._quoted: list[list[str]] = []

    @property
    def _number(self) -> int:
        return self._next_number + len(self._lines) + len(self._spoiled)

    def add_lines(self, texts: list[str], line: int) -> None:
        """Take lines without quotes: each is a record, or blank.

        Args:
            texts: the lines.
            line: the physical line number of the first.
        """
        delimiter = self._delimiter
        if cells := self._split_all(texts):
            self._cells += cells
            self._texts += texts
            self._lines += range(line, line + len(texts))
            return
        for at, text in enumerate(texts, line):
            cells = text.split(delimiter)
            if len(cells) > 1 or (cells[0] and not cells[0].isspace()):
                self._add(cells, at, text)

    def _split_all(self, texts: list[str]) -> list[str]:
        """The cells of lines all of which have the right number; none else. One split takes half the time of many."""
        delimiter, width = self._delimiter, self._columns
        if self.careful or width < 2:  # noqa: PLR2004 - of one cell, a blank line is no record
            return []
        cells = f"{delimiter}{_MARK}{delimiter}".join(texts).split(delimiter)
        if len(cells) != len(texts) * (width + 1) - 1 or cells[width :: width + 1].count(_MARK) != len(texts) - 1:
            return []
        del cells[width :: width + 1]
        return cells

    def _all_good(self, widths: Iterable[int]) -> bool:
        return not self.careful and set(widths) == {self._columns}

    def add_quoted_rows(self, rows: list[list[str]], line: int) -> None:
        """Take the cells of records that have quotes and one line each.

        Args:
            rows: the cells.
            line: the physical line number of the first.
        """
        self._quoted += rows
        if self._all_good(map(len, rows)):
            self._cells += chain.from_iterable(rows)
            self._texts += [""] * len(rows)
            self._lines += range(line, line + len(rows))
        else:
            for at, cells in enumerate(rows, line):
                self._add(cells, at)

    def add_quoted(self, cells: list[str], line: int) -> None:
        """Take the cells of a record that has quotes."""
        self._quoted.append(cells)
        self._add(cells, line)

    def _add(self, cells: list[str], line: int, text: str = "") -> None:
        if len(cells) != self._columns:
            self.spoil_count(line, cells)
        elif not (self.careful and self._is_damaged(cells, line)):
            self._texts.append("" if self.careful and self._has_emptied(cells) else text)
            self._cells += cells
            self._lines.append(line)

    def _has_emptied(self, cells: list[str]) -> bool:
        """Empty our own columns where they are damaged, as whoever saves them in another encoding does; if any was."""
        damaged = damaged_at(cells)
        for at in damaged:
            cells[at] = ""
        return bool(damaged)

    def _is_damaged(self, cells: list[str], line: int) -> bool:
        long = []
        if max(map(len, cells)) > self._longest:
            long = [at for at, cell in enumerate(cells) if len(cell) > self._longest]
        damaged = [at for at in damaged_at(cells) if at not in self._own]
        if long:
            self.spoil_too_long(line, cells, long[0], key_readable=self._key_of(cells, long + damaged))
        elif damaged:
            code = "record.encoding" if has_bad_byte(cells[damaged[0]]) else "record.control"
            self._spoil(line, code, damaged[0], cells, key_readable=self._key_of(cells, damaged))
        return bool(long or damaged)

    def _key_of(self, cells: Sequence[str], bad: Sequence[int]) -> bool:
        return self._key not in bad and self.has_key(cells)

    def has_key(self, cells: Sequence[str]) -> bool:
        """Whether the key cell is there, and more than white space and damage."""
        return 0 <= self._key < len(cells) and bool(cells[self._key].strip()) and not damaged_at([cells[self._key]])

    def spoil_whole(self, line: int, cells: list[str], detail: str, *, key_readable: bool = False) -> None:
        """Take a record whose quotes or columns are not right."""
        self._spoil(line, "record.columns", -1, cells, detail, key_readable=key_readable)

    def spoil_count(self, line: int, cells: list[str], *, exact: bool = True) -> None:
        """Take a record with the wrong number of cells; without `exact` there may be more than are told."""
        count = f"{len(cells):,} column{'s' if len(cells) > 1 else ''} instead of {self._columns:,}"
        self.spoil_whole(line, cells, f"The record has {count if exact else f'more than {self._columns:,} columns'}.")

    def spoil_too_long(self, line: int, cells: list[str], position: int, *, key_readable: bool) -> None:
        """Take a record with a cell that is too long."""
        detail = f"more than {self._longest:,} bytes"
        self._spoil(line, "value.too_long", position, cells, detail, key_readable=key_readable)

    def _spoil(
        self, line: int, code: str, position: int, cells: list[str], detail: str = "", *, key_readable: bool
    ) -> None:
        shown = [readable(cell) for cell in cells]
        self._spoiled.append(Spoiled(line, self._number, code, position, shown, key_readable, detail))

    def batch(self) -> Batch:
        """What was taken since the last batch."""
        numbers = list(range(self._next_number, self._number))
        self._next_number = self._number
        if self._spoiled:
            spoiled = {record.number for record in self._spoiled}
            numbers = [number for number in numbers if number not in spoiled]
        clean = lines_are_trimmed(self._texts, self._delimiter) and rows_are_trimmed(self._quoted)
        # a line has more characters than each of its cells, and is looked at in a twentieth of the time
        longest = max(map(len, chain(self._texts, *self._quoted)), default=0)
        batch = Batch(self._lines, numbers, self._cells, self._columns, clean, self._spoiled, self._texts, longest)
        self._start()
        return batch
