"""Would a plan change more than it may? Pure: totals and limits go in, breaches come out (CONTRACT section 10)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from lzsyncd.config import Guard, Limit
from lzsyncd.feed.elements import Element

LARGEST = 10  # groups behind a breach that are told


class Figure(StrEnum):
    """What is limited: each by the key `max_…` of the configuration."""

    REMOVED = "removed"
    UPDATED = "updated"
    CREATED = "created"
    KEY_CHANGES = "key_changes"
    MOVED = "moved"
    MANAGER_CHANGES = "manager_changes"
    UNASSIGNED = "unassigned"
    REJECTED = "rejected"


LOST_COLUMN = "lost_column"
APPROVED_PLAN = "approved_plan"  # no limit: the plan is another one than a person approved


@dataclass(frozen=True)
class Group:
    """So many of what is behind a breach: in a unit, in a column, by a finding.

    Attributes:
        name: for people; a value of the file where it is a unit's.
        count: how many.
        base: of how many, 0 where nobody knows.
    """

    name: str
    count: int
    base: int = 0


@dataclass
class Unit:
    """What a plan does below one unit of the first level.

    Attributes:
        name: for people.
        standing: managed records that stand there before the run.
        figures: how many of each.
        bases: of how many, for figures that are no share of the records that stand.
    """

    name: str
    standing: int = 0
    figures: dict[Figure, int] = field(default_factory=dict)
    bases: dict[Figure, int] = field(default_factory=dict)

    def base(self, figure: Figure) -> int:
        """What a share of this figure is a share of."""
        return self.bases.get(figure, self.standing)


@dataclass
class Totals:
    """What a plan does to one element. A figure that nobody has filled in is not judged.

    Attributes:
        element: whose.
        whole: all of it.
        units: the units of the first level in which something happens.
        elsewhere: what happens in none of them; not judged by itself.
        reasons: groups of figures that have no units.
        lost_columns: columns that the last applied set had and this one has not.
    """

    element: Element
    whole: Unit
    units: list[Unit] = field(default_factory=list)
    elsewhere: Unit = field(default_factory=lambda: Unit(""))
    reasons: dict[Figure, list[Group]] = field(default_factory=dict)
    lost_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Breach:
    """One limit of one element that a plan exceeds.

    Attributes:
        element: whose.
        guard: the key of the configuration.
        count: how many.
        base: of how many; 0 where it is no share.
        allowed: the limit, as it is written.
        unit: where: "" for the whole element, else the unit of the first level that is farthest over the limit.
        largest: the largest groups behind it.
    """

    element: Element
    guard: str
    count: int
    base: int
    allowed: str
    unit: str
    largest: tuple[Group, ...]

    @property
    def is_about_removals(self) -> bool:
        """Whether withholding removals mends it."""
        return self.guard == f"max_{Figure.REMOVED}"


def could_exceed(limit: Limit | None, count: int, least: int) -> bool:
    """Whether so many might be too many of some number of records, of which there are `least` at least."""
    return limit is not None and limit.exceeded_by(count, least)


def judge(totals: Totals, guard: Guard, only: Sequence[Figure] = tuple(Figure)) -> list[Breach]:
    """Every limit that is exceeded, in the order of the configuration.

    Args:
        totals: of the complete plan.
        guard: the limits.
        only: the figures to judge.
    """
    if totals.whole.standing < guard.min_records:
        return []
    found = [breach for figure in only if (breach := _judged(totals, guard, figure))]
    if guard.lost_column and totals.lost_columns:
        found.append(_lost(totals))
    return found


def _judged(totals: Totals, guard: Guard, figure: Figure) -> Breach | None:
    limit: Limit | None = getattr(guard, f"max_{figure}")
    if limit is None:
        return None
    places = [totals.whole, *(unit for unit in totals.units if unit.standing >= guard.min_records)]
    over = [unit for unit in places if limit.exceeded_by(unit.figures.get(figure, 0), unit.base(figure))]
    if not over:
        return None
    worst = totals.whole if totals.whole in over else max(over, key=lambda unit: _share(unit, figure))
    return Breach(
        totals.element,
        f"max_{figure}",
        worst.figures[figure],
        worst.base(figure),
        str(limit),
        "" if worst is totals.whole else worst.name,
        tuple(_largest(totals, figure)),
    )


def _share(unit: Unit, figure: Figure) -> float:
    return unit.figures[figure] / max(unit.base(figure), 1)


def _largest(totals: Totals, figure: Figure) -> Iterator[Group]:
    groups = totals.reasons.get(figure) or [
        Group(unit.name, unit.figures.get(figure, 0), unit.base(figure)) for unit in (*totals.units, totals.elsewhere)
    ]
    some = [group for group in groups if group.count]
    yield from sorted(some, key=lambda group: (-group.count, group.name))[:LARGEST]


def _lost(totals: Totals) -> Breach:
    columns = totals.lost_columns
    groups = tuple(Group(name, 1) for name in columns[:LARGEST])
    return Breach(totals.element, LOST_COLUMN, len(columns), 0, "0", "", groups)


# -- in words

_SUBJECTS = {
    Element.ORG: ("unit", "units"),
    Element.POS: ("position", "positions"),
    Element.USER: ("person", "people"),
}
_WOULD = {
    Figure.REMOVED: "would go",
    Figure.UPDATED: "would change",
    Figure.CREATED: "would be new",
    Figure.KEY_CHANGES: "would get another username or e-mail address",
    Figure.MOVED: "would move to another unit",
    Figure.MANAGER_CHANGES: "would get another manager",
    Figure.UNASSIGNED: "would lose learning",
}


def sentence(breach: Breach) -> str:
    """What is over which limit, without a value of the file (law 8)."""
    if breach.guard == LOST_COLUMN:
        columns = ", ".join(group.name for group in breach.largest)
        return f"{breach.element.file_name} has lost {columns} (lost_column = true)"
    return f"{_what(breach)}{_percent(breach)}; {breach.guard} = {breach.allowed}"


def largest_groups(breach: Breach) -> str:
    """The largest groups behind a breach, "" for none. It may name units: not for the log."""
    if breach.guard == LOST_COLUMN:
        return ""
    told = [f"{g.name} {g.count:,}{f' of {g.base:,}' if g.base else ''}" for g in breach.largest]
    return ", ".join(told)


def _what(breach: Breach) -> str:
    figure = Figure(breach.guard.removeprefix("max_"))
    number, where = f"{breach.count:,} of {breach.base:,}", " of one unit" if breach.unit else ""
    if figure is Figure.REJECTED:
        return f"{number} records of {breach.element.file_name} are rejected"
    would = _WOULD[figure]
    if figure is Figure.MOVED and breach.element is not Element.USER:
        would = "would move, with those below them"
    return f"{number} {_SUBJECTS[breach.element][breach.base != 1]}{where} {would}"


def _percent(breach: Breach) -> str:
    """` (12.5%)`; with as many places as tell it from the limit."""
    if not breach.base:
        return ""
    return f" ({100 * breach.count / breach.base:.3f}".rstrip("0").rstrip(".") + "%)"
