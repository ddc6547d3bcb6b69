"""One physical line that is too long to be held: its cells as far as they can be kept, in constant memory."""

import re
from collections.abc import Callable, Iterable

from lzsyncd.feed.cells import KEPT_CHARACTERS

KEPT_IN_ALL = 1024 * 1024  # bytes of all cells together

_QUOTED = re.compile(rb'[^"]*+(?:""[^"]*+)*+')


class LongLine:
    """Splits a line that comes in pieces.

    The rules are those of `quotes.py`; that module needs the whole line, this one only a state.

    Args:
        delimiter: one character.
        columns: more cells than one beyond these are not counted.
        quoted: the line starts inside a quote.

    Attributes:
        cells: the text of the cells, each cut when it is too long to be kept.
        whole: which of them were kept whole.
        sizes: their true sizes in bytes.
        junk: there was text behind a closing quote, where the splitting ended.
        inside: the line ended inside a quote.
    """

    def __init__(self, delimiter: str, columns: int, *, quoted: bool = False) -> None:
        self.cells: list[str] = []
        self.whole: list[bool] = []
        self.sizes: list[int] = []
        self.junk = False
        self.inside = quoted
        self._delimiter = delimiter.encode()
        self._blanks = re.compile(rb"[ ]*+" if delimiter == "\t" else rb"[ \t]*+")
        self._columns = columns
        self._kept_in_all = 0
        self._text = bytearray()
        self._size = 0
        self._state: Callable[[bytes, int], int] = self._in_quotes if quoted else self._at_start

    def read(self, pieces: Iterable[bytes]) -> None:
        """Take the whole line."""
        for piece in pieces:
            place = 0
            while place < len(piece):
                place = self._state(piece, place)
        self.inside = self._state == self._in_quotes
        if not self.junk and len(self.cells) <= self._columns:
            self._end_cell()

    def _at_start(self, piece: bytes, place: int) -> int:
        blanks = self._span(self._blanks, piece, place)
        self._take(piece[place:blanks])
        if blanks == len(piece):
            return blanks
        if piece[blanks] != ord('"'):
            self._state = self._unquoted
            return blanks
        self._text.clear()
        self._state = self._in_quotes
        return blanks + 1

    def _unquoted(self, piece: bytes, place: int) -> int:
        border = piece.find(self._delimiter, place)
        self._take(piece[place : border if border >= 0 else len(piece)])
        return self._next_cell(border) if border >= 0 else len(piece)

    def _in_quotes(self, piece: bytes, place: int) -> int:
        end = self._span(_QUOTED, piece, place)
        self._take(piece[place:end].replace(b'""', b'"'))
        if end == len(piece):
            return end
        self._state = self._behind_quote
        return end + 1

    def _behind_quote(self, piece: bytes, place: int) -> int:
        if piece[place] == ord('"'):  # the second half of a "" that two pieces share
            self._take(b'"')
            self._state = self._in_quotes
            return place + 1
        self._state = self._closed
        return place

    def _closed(self, piece: bytes, place: int) -> int:
        if piece.startswith(self._delimiter, place):
            return self._next_cell(place)
        if piece[place] in b" \t":
            return place + 1
        self.junk = True
        self._state = self._ignored
        return len(piece)

    def _ignored(self, piece: bytes, place: int) -> int:
        del place
        return len(piece)

    def _next_cell(self, border: int) -> int:
        self._end_cell()
        self._state = self._ignored if len(self.cells) > self._columns else self._at_start
        return border + 1

    def _end_cell(self) -> None:
        self._kept_in_all += len(self._text)
        if self._kept_in_all > KEPT_IN_ALL:
            self._text.clear()
        whole = self._size == len(self._text)
        self.cells.append(self._text.decode(errors="surrogateescape" if whole else "ignore"))
        self.whole.append(whole)
        self.sizes.append(self._size)
        self._text.clear()
        self._size = 0

    def _take(self, text: bytes) -> None:
        self._size += len(text)
        room = KEPT_CHARACTERS - len(self._text)
        if room > 0:
            self._text += text[:room]

    @staticmethod
    def _span(pattern: re.Pattern[bytes], piece: bytes, place: int) -> int:
        match = pattern.match(piece, place)
        return match.end() if match else place
