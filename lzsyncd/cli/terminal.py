"""What a terminal shows, drawn with rich: tables, and blocks of a line with others below it."""

from collections.abc import Iterable, Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from lzsyncd.cli.output import Cell, Heading, plain_table, visible

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

GAPS = (3, 2, 1)  # blanks between two columns: the widest that fits
WRAPPED = 20  # cells that a column of longer texts should have


def draw(headings: Sequence[Heading], rows: Iterable[Sequence[Cell]]) -> None:
    """Print a table as wide as it needs to be; where the terminal is too narrow for a frame, without one, but whole."""
    console, cells = Console(highlight=False), [[_cell(cell) for cell in row] for row in rows]
    gap = next((gap for gap in GAPS if _needed(headings, cells, gap) <= console.width), None)
    if gap is not None:
        console.print(_table(headings, cells, gap))
        return
    for line in plain_table(headings, [[text.plain for text in row] for row in cells]):
        console.print(Text(line), soft_wrap=True)


def _needed(headings: Sequence[Heading], rows: Sequence[Sequence[Text]], gap: int) -> int:
    """How many cells of the screen a table needs at least."""
    columns = zip(headings, zip(*([Text(h.name) for h in headings], *rows)))
    widths = (max(text.cell_len for text in column) if h.whole else WRAPPED for h, column in columns)
    return sum(widths) + gap * (len(headings) - 1)


def _table(headings: Sequence[Heading], rows: Sequence[Sequence[Text]], gap: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False, show_edge=False, padding=(0, gap - 1, 0, 0))
    for heading in headings:
        side: Literal["left", "right"] = "right" if heading.is_number else "left"
        table.add_column(heading.name, justify=side, no_wrap=heading.whole, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


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


def rule(text: str) -> None:
    """Print a title."""
    Console(highlight=False).print("", Rule(Text(text, style="bold"), align="left", style="dim"), "", sep="\n")
