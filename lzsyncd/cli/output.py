"""What commands print: tables and sentences for people, one JSON document for programs.

On a terminal tables are drawn with rich. Elsewhere they are aligned text without colour, frame or truncation; a table
that is too long to measure is measured by its first rows.
"""

# ruff: noqa: PLC0415 what only a terminal needs is loaded when there is one

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice
from typing import Any, TextIO

MEASURED = 1_000  # rows of a plain table that decide how wide its columns are
GAP = "  "
ESCAPED_BREAK = "\\n"  # a line break inside a cell, where a row is a line
_C1_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}  # JSON lets them through, terminals obey them

_MOVING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

Cell = str | int


@dataclass(frozen=True)
class Heading:
    """The head of one column.

    Attributes:
        name: what stands above it.
        is_number: its cells are right-aligned.
        whole: on a terminal its cells are never broken.
    """

    name: str
    is_number: bool = False
    whole: bool = False


class ReaderGone(Exception):
    """Whoever read standard output has seen enough (`lzsyncd errors | head`); what is left need not be written."""


def number(name: str) -> Heading:
    """A column of numbers."""
    return Heading(name, is_number=True, whole=True)


def whole(name: str) -> Heading:
    """A column of words that must stay whole."""
    return Heading(name, whole=True)


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at it, on something that can do more than a teletype."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def prepare() -> None:
    """Make the standard streams fit for names of any script, whatever the locale says."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def flush() -> None:
    """Write what is still held back; a reader that went away is no trouble of ours."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str = "") -> None:
    """A line for people on standard output.

    Raises:
        ReaderGone: nobody reads it any more.
    """
    try:
        print(text)  # noqa: T201 this is what the command line is for
    except BrokenPipeError:
        raise ReaderGone from None


def note(text: str) -> None:
    """A line for people on standard error: it does not belong to what was asked for."""
    print(text, file=sys.stderr)  # noqa: T201


def say_json(document: Any) -> None:
    """One JSON document."""
    say(_json(document, indent=2))


def say_json_list(rows: Iterable[Any]) -> None:
    """One JSON list, written as its rows come: a row a line."""
    texts = map(_json, rows)
    last = next(texts, None)
    if last is None:
        say("[]")
        return
    say("[")
    for text in texts:
        say(f"  {last},")
        last = text
    say(f"  {last}\n]")


def say_json_with(document: dict[str, Any], name: str, rows: Iterable[Any]) -> None:
    """One JSON object with one more member: a list, written as its rows come."""
    say(f"{_json(document, indent=2).removesuffix(chr(10) + '}')},\n  {_json(name)}:")
    say_json_list(rows)
    say("}")


def _json(value: Any, *, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent).translate(_C1_CONTROLS)


def say_table(headings: Sequence[Heading], rows: Iterable[Sequence[Cell]]) -> int:
    """A table, drawn for whoever looks, and nothing where it has no rows; returns how many it has."""
    remaining, number_of = iter(rows), count()
    start = list(islice(remaining, 1))
    counted = (row for row, _ in zip(chain(start, remaining), number_of))
    if start and is_terminal(sys.stdout):
        from lzsyncd.cli.terminal import draw

        draw(headings, counted)
    elif start:
        for line in plain_table(headings, counted):
            say(line)
    return next(number_of)


def say_block(words: Sequence[tuple[str, str]], lines: Sequence[str]) -> None:
    """A line of words, each with its style, and lines below it."""
    if is_terminal(sys.stdout):
        from lzsyncd.cli.terminal import block

        block(words, lines)
        return
    say(visible(GAP.join(word for word, _ in words if word), line_break=ESCAPED_BREAK))
    for line in lines:
        say(f"    {visible(line, line_break=ESCAPED_BREAK)}")


def plain_table(headings: Sequence[Heading], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """The lines of a table as aligned text."""
    texts = (tuple(visible(str(cell), line_break=ESCAPED_BREAK) for cell in row) for row in rows)
    first = list(islice(texts, MEASURED))
    names = tuple(heading.name for heading in headings)
    widths = [max(map(_width, column)) for column in zip(names, *first)]
    for row in chain([names], first, texts):
        cells = (_padded(text, width, heading) for text, width, heading in zip(row, widths, headings))
        yield GAP.join(cells).rstrip()


def _padded(text: str, width: int, heading: Heading) -> str:
    blanks = " " * (width - _width(text))
    return blanks + text if heading.is_number else text + blanks


def _width(text: str) -> int:
    """How many cells a text takes on a screen: those of Chinese are two wide."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def visible(text: str, *, line_break: str = "\n") -> str:
    """A text of which nothing moves the cursor or turns the writing round."""
    return _MOVING.sub("\N{REPLACEMENT CHARACTER}", text.replace("\n", line_break) if "\n" in text else text)
