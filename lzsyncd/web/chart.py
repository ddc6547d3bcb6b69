"""The chart of the last runs, as SVG: rows changed above the line, findings below it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from zoneinfo import ZoneInfo

from lzsyncd.web.questions.runs import RunLine
from lzsyncd.web.shown import moment, state

STEP, BAR, HALF, GAP = 34, 20, 60, 3  # units of the drawing
LEAST = 24  # runs for which there is room: with few of them bars do not grow


@dataclass(frozen=True)
class Bar:
    """One run in the chart; places and lengths in units of the drawing."""

    run: str
    x: int
    up: int
    down: int
    tone: str
    label: str


@dataclass(frozen=True)
class Chart:
    """The drawing and its size."""

    bars: list[Bar]
    width: int
    height: int = 2 * HALF + 2 * GAP
    middle: int = HALF + GAP
    bar: int = BAR


def chart(lines: Sequence[RunLine], zone: ZoneInfo) -> Chart:
    """Runs from the oldest on. Lengths are roots: one large day must not make all others invisible."""
    shown = [line for line in reversed(lines) if line.kind != "dry-run"]
    most_up = max((line.changed for line in shown), default=0)
    most_down = max((line.findings for line in shown), default=0)
    bars = [
        Bar(
            line.run,
            place * STEP + (STEP - BAR) // 2,
            _length(line.changed, most_up),
            _length(line.findings, most_down),
            state(line.status).tone,
            f"{moment(line.created_at, zone).striptags()}, {state(line.status).word}: "
            f"{line.changed:,} changed, {line.findings:,} findings",
        )
        for place, line in enumerate(shown)
    ]
    return Chart(bars, max(len(bars), LEAST) * STEP)


def _length(amount: int, most: int) -> int:
    """At least what can be seen, where there is something."""
    return max(round(sqrt(amount / most) * (HALF - GAP)), 2) if amount else 0
