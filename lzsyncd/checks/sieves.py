"""Sieves: which cells of a column are good as they stand? Builtins test whole columns, not Python cell by cell."""

import re
import sys
from typing import Protocol

from lzsyncd.checks import formats
from lzsyncd.checks.cells import DROPPED, SHORT, CellCheck
from lzsyncd.feed.elements import Kind

UNKNOWN = sys.maxsize  # how long the longest cell is
MEMO = 16_384  # texts a column remembers the normal form of: more than the working days of forty years


class Sieve(Protocol):
    """Tells the good cells of a column from those that have to be judged one by one.

    Attributes:
        trims: it takes cells with blanks around them.
    """

    trims: bool

    def sift(self, texts: list[str], longest: int = UNKNOWN) -> tuple[list[str], list[int]]:
        """The normal form of the good cells (of the others: anything), and the positions of the others.

        Args:
            texts: the cells.
            longest: none of them has more characters.
        """


class LengthSieve:
    """For plain text: there when it must be, and not too long."""

    trims = False

    def __init__(self, cell: CellCheck) -> None:
        self._needed = bool(cell.empty.code)
        self._longest = cell.limit or SHORT

    def sift(self, texts: list[str], longest: int = UNKNOWN) -> tuple[list[str], list[int]]:
        odd = [] if not self._needed or all(texts) else [at for at, text in enumerate(texts) if not text]
        return texts, odd + self._too_long(texts, longest)

    def _too_long(self, texts: list[str], longest: int) -> list[int]:
        """Usually a whole record is no longer than one cell may be: then no cell has to be measured."""
        if longest <= self._longest or max(map(len, texts)) <= self._longest:
            return []
        return [at for at, text in enumerate(texts) if len(text) > self._longest]


class PatternSieve(LengthSieve):
    """For cells of many different values: one match over the whole column, joined to lines."""

    def __init__(self, cell: CellCheck, pattern: str) -> None:
        super().__init__(cell)
        self._cell = re.compile(f"(?:{pattern})?")
        self._lines = re.compile(f"(?:(?:{pattern})\n|\n)*")

    def sift(self, texts: list[str], longest: int = UNKNOWN) -> tuple[list[str], list[int]]:
        _, odd = super().sift(texts, longest)
        # `re` keeps 100 bytes for each repetition: a mebibyte of `a.a.a.` in `url` took 57 MiB
        short = [text if len(text) <= self._longest else "" for text in texts] if odd else texts
        return texts, odd + self._unlike(short)

    def _unlike(self, texts: list[str]) -> list[int]:
        lines = "\n".join(texts) + "\n"
        if lines.count("\n") != len(texts):
            return [at for at, text in enumerate(texts) if not self._cell.fullmatch(text)]
        odd, at, start = [], 0, 0
        while (stop := self._stop(lines, start)) < len(lines):
            at += lines.count("\n", start, stop)
            odd.append(at)
            at, start = at + 1, lines.index("\n", stop) + 1
        return odd

    def _stop(self, lines: str, start: int) -> int:
        """Where the first line begins, from `start` on, that is not like the pattern. `match` never has to go back."""
        found = self._lines.match(lines, start)
        return found.end() if found else start


class MemoSieve(dict[str, str]):
    """For cells of few different values: the normal form of each text is remembered, untrimmed as it came."""

    trims = True

    def __init__(self, cell: CellCheck) -> None:
        super().__init__()
        self._judge = cell.judge
        self._normal: set[str] = set()

    def __missing__(self, text: str) -> str:
        verdict = self._judge(text.strip())
        normal = DROPPED if verdict.code else verdict.text
        if len(text) <= SHORT:
            if len(self) >= MEMO:
                self.clear()
                self._normal.clear()
            self[text] = normal
            if normal == text:
                self._normal.add(text)
        return normal

    def sift(self, texts: list[str], longest: int = UNKNOWN) -> tuple[list[str], list[int]]:  # noqa: ARG002 by heart
        if self._normal.issuperset(texts):
            return texts, []
        normal = list(map(self.__getitem__, texts))
        odd = [at for at, text in enumerate(normal) if text == DROPPED] if DROPPED in normal else []
        return normal, odd


# how good cells look that are in normal form; what is rare may be left out, since a judge looks at it again
PATTERNS = {
    Kind.USERNAME: formats.USERNAME,
    Kind.EMAIL: rf"{formats.EMAIL_LOCAL}@(?!.{{64}})[a-zA-Z0-9]+(?:[.-][a-zA-Z0-9]+)*",
    Kind.URL: formats.URL,
    Kind.NUMBER: r"-?(?:[1-9][0-9]{0,14}(?:\.[0-9]{0,13}[1-9])?|0\.[0-9]{0,13}[1-9])|0",
}
PLAIN = (Kind.KEY, Kind.TEXT, Kind.TEXTAREA, Kind.REFERENCE)


def sieve_for(cell: CellCheck) -> Sieve:
    """The sieve that suits what a column holds."""
    kind = cell.column.kind
    if kind in PATTERNS:
        return PatternSieve(cell, PATTERNS[kind])
    return LengthSieve(cell) if kind in PLAIN else MemoSieve(cell)
