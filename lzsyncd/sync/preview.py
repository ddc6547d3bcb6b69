"""What a dry run shows of its plan before it is rolled back: totals by unit of the first level, and who, a few of each.

The plan is the real run's, row by row; here some of its rows are only read, so there is nothing that could tell another
story than the run.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from lzsyncd.config import Guard
from lzsyncd.feed.elements import Element
from lzsyncd.ledger.queries import Change, changes
from lzsyncd.sync.guard import Unit
from lzsyncd.sync.picture import Picture
from lzsyncd.sync.plan import Plan
from lzsyncd.sync.totals import Tally

FIGURES = ("created", "updated", "removed", "moved", "key_changes", "manager_changes")


@dataclass(frozen=True)
class Preview:
    """Some of a plan.

    Attributes:
        units: (element, unit of the first level, how many of each of `FIGURES`), where anything happens.
        changes: what would change, record by record.
        more: how many more records of each element would change.
    """

    units: list[tuple[str, str, dict[str, int]]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    more: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        units = [{"element": element, "unit": unit, **figures} for element, unit, figures in self.units]
        shown = [
            {name: part for name, part in c._asdict().items() if name not in ("id", "run_id")} for c in self.changes
        ]
        return {"units": units, "changes": shown, "more": self.more}


def preview(picture: Picture, plan: Plan, guard: Guard, run_id: str, limit: int) -> Preview:
    """Look at a plan while it is there.

    Args:
        picture: what the run works on.
        plan: finished.
        guard: the site's; it knows what a unit of the first level is.
        run_id: whose plan.
        limit: at most so many changes of each element; 0 for all.
    """
    made = Preview()
    for e, counts in plan.counts.items():
        number = counts.created + counts.updated + counts.revived + counts.removed
        if not number:
            continue
        made.units.extend((str(e), *told) for told in _units(Tally(picture, e, guard).by_unit(counts)))
        made.changes.extend(_some(picture, run_id, e, limit))
        if 0 < limit < number:
            made.more[str(e)] = number - limit
    return made


def _some(picture: Picture, run_id: str, e: Element, limit: int) -> Iterator[Change]:
    return islice(changes(picture.database, run_id, element=e), limit or None)


def _units(units: list[Unit]) -> Iterator[tuple[str, dict[str, int]]]:
    for unit in sorted(units, key=lambda unit: unit.name):
        figures = {name: next((n for f, n in unit.figures.items() if f == name), 0) for name in FIGURES}
        if any(figures.values()):
            yield unit.name, figures
