"""The totals of a plan, for the guard: one look at what changes, by unit of the first level.

Nothing is asked of a row that does not change. How many stand in a unit is counted by indexes, and only where what
changes could be too much at all.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from lzsyncd.config import Guard
from lzsyncd.feed.elements import Element
from lzsyncd.feed.header import read_header
from lzsyncd.ledger.waiting import last_header
from lzsyncd.sync.fields import fields_of, standing_join
from lzsyncd.sync.going import away
from lzsyncd.sync.guard import LARGEST, Figure, Group, Totals, Unit, could_exceed
from lzsyncd.sync.picture import UNITS, Picture
from lzsyncd.sync.plan import Counts, Plan
from lzsyncd.sync.tree import Tree

CHANGES = {  # of the records that stand: figure -> the fields of which one changes
    Figure.KEY_CHANGES: ("username", "email"),
    Figure.MOVED: ("orgidnumber", "parentidnumber"),
    Figure.MANAGER_CHANGES: ("manageridnumber",),
}
AWAY = away(Element.USER)
NO_UNIT = "without a unit"

ByUnit = Counter[int | None]


class Tally:
    """Counts what a plan does to one element.

    Args:
        picture: what the run works on.
        element: which.
        guard: the limits.
    """

    def __init__(self, picture: Picture, element: Element, guard: Guard) -> None:
        self._picture, self._element, self._guard = picture, element, guard
        self._database, self._staged = picture.database, picture.staged[element]

    def removals(self) -> Totals | None:
        """Who would go, as the rounds have it; None where they can't be too many."""
        number = int(self._database.value(f"SELECT count(*) FROM going_{self._element}"))
        if not could_exceed(self._guard.max_removed, number, self._guard.min_records):
            return None
        return self._totals({Figure.REMOVED: self._gone()}, {}, ())

    def complete(self, counts: Counts, unlearned: Mapping[int | None, int]) -> Totals | None:
        """All figures of a finished plan; None where none can be too much.

        Args:
            counts: what becomes of the records.
            unlearned: people who lose learning, by unit.
        """
        changes = self._changes() if counts.updated else {}
        if unlearned:
            changes[Figure.UNASSIGNED] = ByUnit(unlearned)
        sums = {figure: sum(by_unit.values()) for figure, by_unit in changes.items()}
        sums |= {Figure.REMOVED: counts.removed, Figure.CREATED: counts.created}
        lost = self._lost_columns() if self._guard.lost_column and self._staged.present else ()
        if not (lost or self._could_reject(counts) or any(self._could(*pair) for pair in sums.items())):
            return None
        if counts.removed:
            changes[Figure.REMOVED] = self._gone()
        if counts.created:
            changes[Figure.CREATED] = self._created()
        return self._totals(changes, {Figure.REJECTED: (counts.rejected, counts.read)}, lost)

    def by_unit(self, counts: Counts) -> list[Unit]:
        """What happens in each unit of the first level, and in none of them, whatever the limits are."""
        changes = self._changes() if counts.updated else {}
        units, elsewhere = self._units(changes | {Figure.REMOVED: self._gone(), Figure.CREATED: self._created()})
        return [*units, elsewhere]

    def _could(self, figure: Figure, count: int) -> bool:
        return could_exceed(getattr(self._guard, f"max_{figure}"), count, self._guard.min_records)

    def _could_reject(self, counts: Counts) -> bool:
        return could_exceed(self._guard.max_rejected, counts.rejected, counts.read)

    def _totals(
        self, by_unit: dict[Figure, ByUnit], others: dict[Figure, tuple[int, int]], lost: tuple[str, ...]
    ) -> Totals:
        """Everything put together; `others` have no units, but what they are a share of."""
        figures = {figure: sum(counter.values()) for figure, counter in by_unit.items()}
        figures |= {figure: count for figure, (count, _) in others.items()}
        whole = Unit("", self._standing(), figures, {figure: base for figure, (_, base) in others.items()})
        totals = Totals(self._element, whole, lost_columns=lost)
        if whole.standing >= self._guard.min_records:  # else nothing is judged
            totals.units, totals.elsewhere = self._units(by_unit)
            totals.reasons = {figure: list(self._codes()) for figure in others}
        return totals

    # -- what changes, by unit

    def _changes(self) -> dict[Figure, ByUnit]:
        """What changes of those who stand, by their unit."""
        fields = fields_of(self._picture, self._staged)
        wanted = {f: [field.changed for field in fields if field.name in names] for f, names in CHANGES.items()}
        sums = [f"sum(CASE WHEN {' OR '.join(wanted[f] or ['FALSE'])} THEN 1 ELSE 0 END)" for f in CHANGES]
        rows = self._database.rows(
            f"SELECT {self._unit_of()}, count(*), {', '.join(sums)} FROM {standing_join(self._staged)} "
            f"JOIN change_{self._element} c ON c.line = m.line WHERE c.action = 'updated' GROUP BY 1"
        )
        found = {
            f: ByUnit({row[0]: int(row[at]) for row in rows}) for at, f in enumerate((Figure.UPDATED, *CHANGES), 1)
        }
        if self._element in UNITS and found[Figure.MOVED].total():
            # a unit that moves takes along all that is below it
            found[Figure.MOVED] = ByUnit(self._tree.below(u for u, n in found[Figure.MOVED].items() if n and u))
        return found

    def _unit_of(self) -> str:
        """SQL: the unit in which a record stands that changes; of somebody who has none, the one they come to."""
        if self._element in UNITS:
            return "m.id"
        return "coalesce(m.old_org, CASE WHEN m.org > 0 THEN m.org END)"

    def _gone(self) -> ByUnit:
        if self._element in UNITS:
            return ByUnit(row[0] for row in self._database.rows(f"SELECT id FROM going_{self._element}"))
        return self._counted(
            "SELECT j.org_id, count(*) FROM going_user g "
            "LEFT JOIN lz_job j ON j.user_id = g.id AND j.managed GROUP BY 1"
        )

    def _created(self) -> ByUnit:
        unit = "id" if self._element in UNITS else "CASE WHEN org > 0 THEN org END"
        return self._counted(
            f"SELECT {unit}, count(*) FROM match_{self._element} WHERE sid IS NULL AND NOT goes GROUP BY 1"
        )

    def _codes(self) -> Iterator[Group]:
        query = (
            "SELECT code, count(*) FROM finding WHERE severity = 'error' AND element = ? "
            f"GROUP BY code ORDER BY 2 DESC, code LIMIT {LARGEST}"
        )
        return (Group(str(code), int(number)) for code, number in self._database.rows(query, (self._element,)))

    def _lost_columns(self) -> tuple[str, ...]:
        """Columns that the last applied file had and this one has not. A reject file has what it mends."""
        staged = self._staged
        before = None if staged.mended else last_header(self._database, self._element)
        if before is None:
            return ()
        now = {column.name for column in read_header(self._element, staged.header, staged.config).columns}
        had = read_header(self._element, before, staged.config).columns
        return tuple(column.name for column in had if column.name not in now)

    # -- who stands

    @cached_property
    def _tree(self) -> Tree:
        return Tree.of(self._database, self._element if self._element in UNITS else Element.ORG)

    def _standing(self) -> int:
        if self._element in UNITS:
            return len(self._tree.standing)
        away = f"SELECT count(*) FROM lz_user u WHERE {AWAY}"
        return int(self._database.value(f"SELECT (SELECT count(*) FROM lz_user) - ({away})"))

    def _standing_by_unit(self) -> ByUnit:
        """By the index of the jobs; the few that don't count are taken off."""
        if self._element in UNITS:
            return ByUnit(self._tree.standing)
        found = self._counted("SELECT org_id, count(*) FROM lz_job WHERE org_id IS NOT NULL GROUP BY org_id")
        found.subtract(self._counted("SELECT org_id, count(*) FROM lz_job WHERE NOT managed GROUP BY org_id"))
        found.subtract(
            self._counted(
                # CROSS: SQLite keeps the order; it would start with all jobs
                "SELECT j.org_id, count(*) FROM lz_user u CROSS JOIN lz_job j "
                f"WHERE j.user_id = u.id AND j.managed AND {AWAY} GROUP BY 1"
            )
        )
        return found

    def _counted(self, query: str) -> ByUnit:
        return ByUnit({unit: int(number) for unit, number in self._database.rows(query)})

    def _units(self, by_unit: dict[Figure, ByUnit]) -> tuple[list[Unit], Unit]:
        """The units of the first level in which something happens, and what happens in none of them."""
        tops, units = self._tree.tops(), dict[int | None, Unit]()
        for figure, counter in by_unit.items():
            for unit, number in counter.items():
                found = units.setdefault(tops.get(unit or 0), Unit(NO_UNIT))
                found.figures[figure] = found.figures.get(figure, 0) + number
        elsewhere = units.pop(None, Unit(NO_UNIT))
        for unit, number in self._standing_by_unit().items():
            if (top := tops.get(unit or 0)) in units:
                units[top].standing += number
        self._name(units)
        return list(units.values()), elsewhere

    def _name(self, units: dict[int | None, Unit]) -> None:
        listed = ", ".join(str(unit) for unit in units) or "0"
        tree = self._element if self._element in UNITS else Element.ORG
        for unit, key, name in self._database.rows(
            f"SELECT id, idnumber, fullname FROM lz_{tree} WHERE id IN ({listed})"
        ):
            units[unit].name = f"{name} ({key})" if name and name != key else str(key)
        for unit, key in self._database.rows(
            f"SELECT id, idnumber FROM match_{tree} WHERE sid IS NULL AND id IN ({listed})"
        ):
            units[unit].name = str(key)


def totals_of(picture: Picture, guard: Guard, plan: Plan) -> Iterable[Totals]:
    """The totals of a finished plan, of each element in which something could be too much.

    Learning may be lost without any file of people: units move, days pass, rules are changed.
    """
    unlearned = plan.learning.unlearned
    counts = {Element.USER: Counts(), **plan.counts} if unlearned else plan.counts
    for e, numbers in counts.items():
        found = Tally(picture, e, guard).complete(numbers, unlearned if e is Element.USER else {})
        if found is not None:
            yield found
