"""Physical lines into records: fast ways for runs of good lines, the exact way for the rest.

Lines without a quote are split as they stand. A line with a quote goes to the csv module in strict mode, which is right
where it does not complain; what it complains of, or what has the wrong number of cells, is read by `QuoteParser`.
Nothing depends on where a block of lines ends: a record that is still open waits for more lines.
"""

import csv
from collections.abc import Iterator, Sequence
from enum import Enum, auto

from lzsyncd.feed.lines import NO_LINES, Block, Limits
from lzsyncd.feed.longline import LongLine
from lzsyncd.feed.quotes import How, Parsed, QuoteParser, breaks_in
from lzsyncd.feed.records import Batch, Gathering, Spoiled

QUOTES_DO_NOT_MATCH = "The quotes of the record do not match up: there is text behind a closing quote."
STRAY_QUOTE = "A quote opens here and is not closed; it would have swallowed the records behind it."

# An open quote is followed some way, always in vain in a file made to keep us busy. What was looked at in vain may grow
# with the file, and no faster: beyond that a quote that stays open on its line counts as stray at once.
LINE_COST = 256  # characters that take as long to look at as the change to another line
FREE_LOOKS = 16 * 1024 * 1024
LOOKS_PER_LINE = 2 * LINE_COST
CSV_LINES = 16  # of one record; records with more are rare
RUN_LINES = 64  # as many are tried at once; half of that after each run that was tried in vain
FEWEST_LINES = 2  # one line is nothing to gain


class _AtEnd(Enum):
    """What becomes of a quote that is open when the lines run out."""

    WAIT = auto()
    GIVE_UP = auto()
    """A line follows that is too long to be held."""
    END_OF_FILE = auto()


class _Tape:
    """The lines of a block, for the csv module: some of them from any place on."""

    def __init__(self, block: Block) -> None:
        self.at = self._end = 0
        self._lines = block.lines
        self._ends = block.ends

    def wind(self, at: int) -> None:
        """Go to a line; the tape ends `CSV_LINES` behind it."""
        self.at = at
        self._end = min(at + CSV_LINES, len(self._lines))

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        at = self.at
        if at == self._end:
            raise StopIteration
        self.at = at + 1
        return self._lines[at] + self._ends[at]


class Splitter:
    """Makes batches of records from the lines of one file, in their order.

    Args:
        delimiter: one character.
        header: the names of the columns.
        key_position: where the key stands, -1 when unknown.
        line: the physical line number of the first line it gets.
        limits: of cells and records.

    Attributes:
        truncated: the line on which a quote opened inside which the file ended, or 0; known after `end`.
    """

    def __init__(self, delimiter: str, header: Sequence[str], key_position: int, line: int, limits: Limits) -> None:
        self.truncated = 0
        self._delimiter = delimiter
        self._columns = len(header)
        self._line = line
        self._limits = limits
        self._parser = QuoteParser(delimiter, limits, most=2 * self._columns)
        self._gathering = Gathering(delimiter, header, key_position, limits.cell)
        self._block = NO_LINES
        self._waiting = NO_LINES
        self._retry_at = 0
        self._at_end = _AtEnd.WAIT
        self._unclosed: Spoiled | None = None
        self._looks = 0
        self._run_lines = RUN_LINES

    def take(self, block: Block) -> Batch:
        """The records that are complete with these lines."""
        if self._waiting.lines:
            block = self._waiting.followed_by(block)
        if block.size < self._retry_at:
            self._waiting = block
        else:
            self._split(block, _AtEnd.WAIT)
        return self._gathering.batch()

    def take_long(self, pieces: Iterator[bytes]) -> Batch:
        """The records before a line that is too long to be held, and that line's own."""
        self._split(self._waiting, _AtEnd.GIVE_UP)
        self._split_long(pieces)
        self._line += 1
        return self._gathering.batch()

    def end(self) -> Batch:
        """The records that were still open at the end of the file."""
        self._split(self._waiting, _AtEnd.END_OF_FILE)
        if self._unclosed is not None:
            self.truncated = self._unclosed.line + breaks_in(self._unclosed.cells[:-1])
        return self._gathering.batch()

    def _split(self, block: Block, at_end: _AtEnd) -> None:
        """Take all lines of the block; those of a record that is open at its end go to `_waiting`."""
        resumed = bool(self._waiting.lines)
        self._block, self._waiting, self._at_end, self._retry_at = block, NO_LINES, at_end, 0
        self._gathering.careful = block.damaged or block.size > self._limits.cell
        at = self._skip_unclosed(0)
        if block.quoted:
            at = self._split_quoted(at, resumed=resumed)
        self._add_plain(at, len(block.lines))
        self._line += len(block.lines) - len(self._waiting.lines)

    def _split_quoted(self, at: int, *, resumed: bool) -> int:
        lines = self._block.lines
        # The csv module knows no limit of ours: it gets only what can't reach one, and no open record a second time.
        fast = self._block.size <= self._limits.cell
        tape = _Tape(self._block)
        reader = csv.reader(tape, delimiter=self._delimiter, strict=True)
        for opening in [number for number, line in enumerate(lines) if '"' in line]:
            if opening < at:
                continue
            if opening > at:
                self._add_plain(at, opening)
            if fast and (run := self._run_of_quotes(opening)):
                self._gathering.add_quoted_rows(run, self._line + opening)
                at = opening + len(run)
                continue
            tape.wind(opening)
            cells = self._ask_csv(tape, reader) if fast and not (resumed and opening == 0) else None
            if cells is not None:
                self._gathering.add_quoted(cells, self._line + opening)
                at = tape.at
            else:
                at = self._skip_unclosed(self._split_exactly(opening))
        return at

    def _add_plain(self, at: int, to: int) -> None:
        if at < to:
            texts = self._block.lines if to - at == len(self._block.lines) else self._block.lines[at:to]
            self._gathering.add_lines(texts, self._line + at)

    def _run_of_quotes(self, at: int) -> list[list[str]]:
        """The cells of the next lines when each has quotes and is a record: files often have quotes on every line."""
        run: list[str] = []
        for line in self._block.lines[at : at + self._run_lines]:
            quotes = line.count('"')
            if not quotes or quotes % 2 or ' "' in line or '\t"' in line:
                break
            run.append(line)
        if len(run) < FEWEST_LINES:
            return []
        try:
            rows = list(csv.reader(run, delimiter=self._delimiter, strict=True))
        except csv.Error:
            rows = []
        if len(rows) != len(run):
            self._run_lines = max(len(run) // 2, FEWEST_LINES)
            return []
        self._run_lines = min(2 * self._run_lines, RUN_LINES)
        return rows

    def _ask_csv(self, tape: _Tape, reader: "Iterator[list[str]]") -> list[str] | None:
        """The cells of the next record on the tape, None where the csv module can't be trusted with it."""
        at = tape.at
        try:
            cells = next(reader)
        except (csv.Error, StopIteration):
            return None
        if len(cells) != self._columns:
            return None
        if any(map(self._parser.has_blank_before_quote, self._block.lines[at : tape.at])):
            return None
        return cells

    def _may_look(self, at: int) -> bool:
        return self._looks <= FREE_LOOKS + LOOKS_PER_LINE * (self._line + at)

    def _split_exactly(self, at: int) -> int:
        """Take the record that starts at index `at`; returns the index of the next one."""
        block, line = self._block, self._line + at
        may_look = self._may_look(at)
        parsed = self._parser.record(block.lines, block.ends, at, look_ahead=may_look)
        if parsed.how is How.OPEN and self._at_end is _AtEnd.WAIT:
            return self._wait(at)
        one_line = parsed.end == at + 1
        if parsed.how is How.WHOLE and (one_line or len(parsed.cells) == self._columns):
            self._gathering.add_quoted(parsed.cells, line)
            return parsed.end
        if parsed.how is How.JUNK and one_line:
            self._gathering.spoil_whole(line, self._naive(at), QUOTES_DO_NOT_MATCH)
            return parsed.end
        if not may_look or self._is_stray(at, parsed):
            self._looks += sum(LINE_COST + len(text) for text in block.lines[at + 1 : parsed.end])
            self._gathering.spoil_whole(line, self._naive(at), STRAY_QUOTE)
            return at + 1
        return self._take_broken(parsed, line)

    def _wait(self, at: int) -> int:
        self._waiting = self._block.from_line(at)
        self._retry_at = 2 * self._waiting.size  # or a long cell would be read anew with each chunk
        return len(self._block.lines)

    def _naive(self, at: int) -> list[str]:
        return self._block.lines[at].split(self._delimiter)

    def _take_broken(self, parsed: Parsed, line: int) -> int:
        """A record over several lines none of which is a record by itself."""
        if parsed.how is How.WHOLE:
            self._gathering.add_quoted(parsed.cells, line)
        elif parsed.how is How.JUNK:
            self._gathering.spoil_whole(line, parsed.cells, QUOTES_DO_NOT_MATCH)
        elif parsed.how is How.OPEN and self._at_end is _AtEnd.END_OF_FILE:
            self.truncated = line + breaks_in(parsed.cells[:-1])
        else:
            self._leave_open(line, parsed.cells, self._gathering.has_key(parsed.cells[:-1]))
        return parsed.end

    def _is_stray(self, at: int, parsed: Parsed) -> bool:
        """Whether the quote that opened swallowed whole records."""
        lines, last = self._block.lines, parsed.end - 1
        if any(map(self._is_record, lines[at + 1 : last])):
            return True
        if last == at:
            return False
        if parsed.how is How.JUNK:
            # What seemed to close may open a cell of another record, and what seemed to be junk be its text.
            return self._parser.opens_cell(lines[last]) or self._is_record(lines[last])
        return lines[last].count('"') % 2 == 0 and self._is_record(lines[last])

    def _is_record(self, line: str) -> bool:
        """Whether a line by itself has the right number of cells."""
        if not line or line.isspace() or line.count(self._delimiter) < self._columns - 1:
            return False
        cells = self._parser.alone(line)
        return cells is not None and len(cells) == self._columns

    def _leave_open(self, line: int, cells: list[str], key_readable: bool) -> None:
        self._unclosed = Spoiled(line, 0, "value.too_long", len(cells) - 1, cells, key_readable, "")

    def _skip_unclosed(self, at: int) -> int:
        """Pass over the rest of a quoted cell that is too long; returns the index behind its record."""
        record = self._unclosed
        if record is None:
            return at
        for index in range(at, len(self._block.lines)):
            text = self._block.lines[index]
            if text.count('"') % 2 == 0 and self._is_record(text):
                self._gathering.spoil_whole(record.line, record.cells, STRAY_QUOTE)
                self._unclosed = None
                return index
            if not self._parser.stays_open(text):
                self._close(record)
                return index + 1
        return len(self._block.lines)

    def _close(self, record: Spoiled) -> None:
        self._unclosed = None
        line, cells, at = record.line, record.cells, record.position
        if at < self._columns:
            self._gathering.spoil_too_long(line, cells, at, key_readable=record.key_readable)
        else:
            self._gathering.spoil_count(line, cells, exact=False)

    def _split_long(self, pieces: Iterator[bytes]) -> None:
        record = self._unclosed
        long = LongLine(self._delimiter, self._columns, quoted=record is not None)
        long.read(pieces)
        if record is None:
            self._take_long(long)
        elif not long.inside:
            self._close(record)

    def _take_long(self, long: LongLine) -> None:
        cells, gathering = long.cells, self._gathering
        key_readable = gathering.has_key([cell if whole else "" for cell, whole in zip(cells, long.whole, strict=True)])
        if long.inside:
            self._leave_open(self._line, cells, key_readable)
        elif long.junk:
            gathering.spoil_whole(self._line, cells, QUOTES_DO_NOT_MATCH)
        elif len(cells) != self._columns:
            gathering.spoil_count(self._line, cells, exact=len(cells) < self._columns)
        elif max(long.sizes) > self._limits.cell:
            widest = long.sizes.index(max(long.sizes))
            gathering.spoil_too_long(self._line, cells, widest, key_readable=key_readable)
        else:
            detail = f"The record is longer than {self._limits.record:,} bytes."
            gathering.spoil_whole(self._line, cells, detail, key_readable=key_readable)
