"""What a terminal shows, drawn with rich: tables, and blocks of a line with others below it."""

from collections.abc import Iterable, Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lzsyncd.cli.output import Cell, Heading, visible

STYLES = {
    "fatal": "bold red",
    "error": "red",
    "rejected": "red",
    "failed": "red",
    "removed": "red",
    "warning": "yellow",
    "held": "yellow",
    "updated": "yellow",
    "created": "green",
    "revived": "green",
}


def draw(headings: Sequence[Heading], rows: Iterable[Sequence[Cell]]) -> None:
    """Print a table as wide as it needs to be, and no wider than the terminal."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False)
    for heading in headings:
        side: Literal["left", "right"] = "right" if heading.is_number else "left"
        table.add_column(heading.name, justify=side, no_wrap=heading.whole, overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row))
    Console(highlight=False).print(table)


def _cell(cell: Cell) -> Text:
    if isinstance(cell, int):
        return Text(f"{cell:,}", style="" if cell else "dim")
    return Text(visible(cell), style=STYLES.get(cell, ""))


def block(words: Sequence[tuple[str, str]], lines: Sequence[str]) -> None:
    """Print a block.

    Args:
        words: the first line's, each with a style: a name of `STYLES`, or one of rich's.
        lines: those below; long ones are wrapped under themselves.
    """
    console = Console(highlight=False)
    head = [Text(visible(word), style=STYLES.get(style, style)) for word, style in words if word]
    console.print(Text("  ").join(head), soft_wrap=True)
    for line in lines:
        console.print(Padding(Text(visible(line), overflow="fold"), (0, 0, 0, 4)))
