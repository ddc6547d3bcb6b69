"""Options and arguments that several commands share, and how examples are written."""

from typing import Annotated

import typer

SiteOption = Annotated[
    str | None, typer.Option("--site", metavar="SITE", help="The site; may be left out where there is only one.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", metavar="N", min=0, help="At most N; 0 for all. [default: 50 on a terminal, else all]"),
]
ShownOption = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=0, help="Show at most N records; 0 for all. [default: 50]")
]
RunArgument = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="The run: its id, or how it begins or ends. [default: the last run]"),
]


def examples(*commands: str) -> str:
    """The end of a command's help."""
    return "\n".join(["\b", "Examples:", *(f"  {command}" for command in commands)])
