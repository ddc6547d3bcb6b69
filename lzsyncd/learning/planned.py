"""The audiences of a site in one run: those of the configuration, and those that were taken out of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from lzsyncd.learning.conditions import Meaning
from lzsyncd.learning.rules import Audience, Condition, FieldKind, in_order, moving
from lzsyncd.learning.units import people_of, units_of
from lzsyncd.sync.picture import UNITS, Picture


@dataclass
class Planned:
    """An audience of the site in this run.

    Attributes:
        id: the one it has, or will get.
        name: the one it will have.
        audience: its rule; None where the configuration has none any more.
        stored: what the database says of it, (name, rule, frozen); None for a new one.
        broken: what its rule names that is not there, like `org OPS`.
        by_day: the date alone may move somebody.
    """

    id: int
    name: str
    audience: Audience | None
    stored: tuple[str, str, bool] | None = None
    broken: str = ""
    by_day: bool = False

    @property
    def frozen(self) -> bool:
        """Nobody joins or leaves, but for who is deleted or suspended."""
        return self.audience is None or bool(self.broken)

    @cached_property
    def rule(self) -> str:
        """Its rule as the database keeps it: of one that was taken out of the configuration the last one."""
        if self.audience is not None:
            return self.audience.text()
        return self.stored[1] if self.stored else "{}"

    @property
    def row(self) -> tuple[str, str, bool]:
        """What the database will say of it."""
        return self.name, self.rule, self.frozen


def planned_audiences(picture: Picture) -> list[Planned]:
    """The audiences of the configuration, and those that were taken out of it."""
    database, audiences = picture.database, in_order(picture.database.site.audiences)
    rows = database.rows("SELECT id, name, rule, frozen FROM lz_audience ORDER BY id")
    stored = {str(name): (int(number), (str(name), str(rule), bool(frozen))) for number, name, rule, frozen in rows}
    configured = {audience.name for audience in audiences}
    left = {name: found for name, found in stored.items() if name not in configured}
    following = database.next_ids("lz_audience") if audiences else 0
    by_day = moving(audiences)
    planned = []
    for audience in audiences:
        found = stored.get(audience.name) or _renamed(audience, audiences, stored, left)
        number, row = found or (following, None)
        following += not found
        planned.append(Planned(number, audience.name, audience, row, by_day=audience.name in by_day))
    return planned + [Planned(number, row[0], None, row) for number, row in left.values()]


Stored = dict[str, tuple[int, tuple[str, str, bool]]]


def _renamed(
    audience: Audience, audiences: Sequence[Audience], stored: Stored, left: Stored
) -> tuple[int, tuple[str, str, bool]] | None:
    """The audience that had this rule under a name that is gone, where that can be one only."""
    if not left:
        return None
    text = audience.text()
    same = [name for name, (_, row) in left.items() if row[1] == text]
    new = [a for a in audiences if a.name not in stored and a.text() == text]
    return left.pop(same[0]) if len(same) == len(new) == 1 else None


def meaning_of(picture: Picture, planned: Sequence[Planned], conditions: Sequence[Condition]) -> Meaning:
    """What the keys and names in the rules stand for; what is not there stands for nothing."""
    ids: dict[tuple[str, str], int] = {}
    for e in UNITS:
        ids |= {(e.value, key): number for key, number in units_of(picture, e, names(conditions, e.value)).items()}
    people = people_of(picture, names(conditions, "manager"))
    ids |= {("manager", key): number for key, number in people.items()}
    ids |= {("audience", p.name): p.id for p in planned if p.audience}
    return Meaning(date.fromisoformat(picture.today), picture.database.site.timezone, ids)


def names(conditions: Sequence[Condition], name: str) -> set[str]:
    """The keys that conditions on a field give."""
    return {key for condition in conditions if condition.field.name == name for key in condition.names}


def find_broken(planned: Sequence[Planned], meaning: Meaning) -> None:
    """Freeze those whose rules name what is not there."""
    for p in planned:
        named = p.audience.rule.conditions() if p.audience else ()
        linked = (c for c in named if c.field.kind in (FieldKind.UNIT, FieldKind.MANAGER, FieldKind.AUDIENCE))
        gone = [(c.field.name, key) for c in linked for key in c.names if (c.field.name, key) not in meaning.ids]
        p.broken = ", ".join(dict.fromkeys(f"{name} {key}" for name, key in gone))
