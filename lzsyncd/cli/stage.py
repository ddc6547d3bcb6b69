"""Where the tour of `demo` is shown: this terminal."""

import sys
from typing import Any

from lzsyncd.cli.output import is_terminal, say, visible
from lzsyncd.cli.shown import show_audiences, show_cause, show_counts, show_step
from lzsyncd.ledger.queries import Cause, Step


class Stage:
    """Shows a tour on standard output."""

    def title(self, text: str) -> None:
        """The head of a step."""
        if is_terminal(sys.stdout):
            from lzsyncd.cli.terminal import rule  # noqa: PLC0415 only a terminal needs it

            rule(text)
        else:
            say(f"\n== {text}\n")

    def text(self, text: str) -> None:
        """A sentence."""
        say(text)

    def quote(self, text: str) -> None:
        """Text of a file, as it stands there."""
        say(f"    {visible(text)}")

    def counts(self, counts: dict[str, dict[str, int]]) -> None:
        """What became of the records."""
        say()
        show_counts(counts)
        say()

    def audiences(self, moved: list[dict[str, Any]]) -> None:
        """What moved in audiences."""
        show_audiences(moved)
        say()

    def causes(self, found: list[Cause]) -> None:
        """Findings with their places."""
        for cause in found:
            show_cause(cause)

    def history(self, steps: list[Step]) -> None:
        """The changes of one record."""
        for step in steps:
            show_step(step)
