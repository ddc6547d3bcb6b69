"""A letter as text: the templates, and what they are given."""

from collections.abc import Sequence
from pathlib import Path

from lzsyncd.config import Site
from lzsyncd.report.letter import Letter

TEMPLATES = Path(__file__).parent / "templates"


def rendered(name: str, site: Site, letter: Letter) -> str:
    """A template with the facts of a letter."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 only who sends needs it

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=name.endswith(".html.j2"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    facts = {name: getattr(letter, name) for name in Letter.__dataclass_fields__}
    return environment.get_template(name).render(**facts, site=site.name, counts_text=_aligned(letter.counts))


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
