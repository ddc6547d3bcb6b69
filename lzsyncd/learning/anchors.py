"""Rules that are met only by who has one of a few values: a unit, a position, a leader, a text. Most rules are.

All of them are asked at once, however many there are: their values are a table, one for each field, which is joined
with people. Rule by rule, each is planned and looks for its people by itself (measured on PostgreSQL, 200 rules and a
million people: 2.3 s and 3 s of indexes against 0.9 s).

| table | a row is |
|---|---|
| `anchor_COLUMN_once` | a value that somebody in an audience has: `audience_id, value, rest` |
| `anchor_COLUMN_often` | the same of rules that hold in several ways, in each of which somebody may be found |

`rest` numbers what else the rule asks for; 0 is nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lzsyncd.learning.conditions import Meaning, holds, value_of
from lzsyncd.learning.judged import analyze
from lzsyncd.learning.planned import Planned
from lzsyncd.learning.rules import LINKS, Condition, FieldKind, Group, Operator
from lzsyncd.sync.picture import Picture

BELOW = {  # where what lies below somebody is listed
    "org_id": ("below_org", "unit_id"),
    "pos_id": ("below_pos", "unit_id"),
    "manager_id": ("reporting", "user_id"),
}
NAMED = (Operator.IS, Operator.IN)
SUBTREE = (Operator.UNDER, Operator.REPORTS_TO)


Rules = tuple[Condition | Group, ...]


@dataclass(frozen=True)
class Anchor:
    """A way in which a rule holds: a condition that names the values that meet it, and what else has to hold.

    Attributes:
        audience_id: whose rule it is.
        condition: the condition.
        rest: what else the rule asks for in this way.
    """

    audience_id: int
    condition: Condition
    rest: Rules

    @property
    def column(self) -> str:
        """The column of `judged` that is to have one of the values."""
        return value_of(self.condition.field).removeprefix("p.")


def anchors_of(planned: Iterable[Planned], at_least: int = 1) -> list[Anchor]:
    """The anchors of the rules in force; rules that have none, or wait for other audiences, are left out.

    Args:
        planned: the audiences, in the order in which the members are wanted.
        at_least: with fewer anchors a column is not worth a join; rules that need it are left out, too.
    """
    found = {
        p.id: [Anchor(p.id, *way) for way in _ways(p.audience.rule)]
        for p in planned
        if p.audience and not p.frozen and not p.audience.others
    }
    number = Counter(anchor.column for anchors in found.values() for anchor in anchors)
    worth = {column for column, count in number.items() if count >= at_least}
    return [anchor for anchors in found.values() if worth.issuperset(a.column for a in anchors) for anchor in anchors]


def _ways(rule: Group) -> list[tuple[Condition, Rules]]:
    """The ways in which a group holds, each with a condition that names its values; none where one way has none."""
    if rule.match == "all":
        return _ways_of_all(rule.rules)
    ways = [_ways_of_all((one,)) for one in rule.rules]
    return [way for some in ways for way in some] if all(ways) else []


def _ways_of_all(rules: Rules) -> list[tuple[Condition, Rules]]:
    named = [one for one in rules if isinstance(one, Condition) and _names_values(one)]
    if named:
        # a link comes first: of a million people more have the same city than the same unit
        anchor = min(named, key=lambda condition: condition.field.name not in LINKS)
        return [(anchor, tuple(one for one in rules if one is not anchor))]
    for group in rules:
        if isinstance(group, Group) and (ways := _ways(group)):
            others = tuple(one for one in rules if one is not group)
            return [(condition, rest + others) for condition, rest in ways]
    return []


def _names_values(condition: Condition) -> bool:
    if condition.field.name in LINKS:
        return condition.operator in (*NAMED, *SUBTREE)
    return condition.field.kind is FieldKind.TEXT and condition.operator in NAMED


def anchored_members(picture: Picture, anchors: Iterable[Anchor], meaning: Meaning) -> str:
    """A query for the members (audience_id, user_id) of all anchored rules; whoever has two jobs may come twice.

    Args:
        picture: what the run works on, with `judged` filled.
        anchors: the anchors, in the order of their audiences.
        meaning: what they name.
    """
    ways = Counter(anchor.audience_id for anchor in anchors)
    by_column = defaultdict[tuple[str, str], list[Anchor]](list)
    for anchor in anchors:
        by_column["once" if ways[anchor.audience_id] == 1 else "often", anchor.column].append(anchor)
    joined = {
        key: _joined(picture, key[1], f"anchor_{key[1]}_{key[0]}", some, meaning) for key, some in by_column.items()
    }
    once = [query for (number, _), query in joined.items() if number == "once"]
    often = [query for (number, _), query in joined.items() if number == "often"]
    if often:  # somebody may be found in two ways
        once.append(f"SELECT DISTINCT w.* FROM ({' UNION ALL '.join(often)}) w")
    return " UNION ALL ".join(once)


def _joined(picture: Picture, column: str, table: str, anchors: Sequence[Anchor], meaning: Meaning) -> str:
    rests = {"TRUE": 0}
    for anchor in anchors:
        rests.setdefault(_rest(anchor, meaning), len(rests))
    _fill(picture, column, table, [(anchor, rests[_rest(anchor, meaning)]) for anchor in anchors], meaning)
    if picture.database.dialect.seeks_by_index:
        picture.database.run(f"CREATE INDEX IF NOT EXISTS judged_{column} ON judged ({column}, user_id)")
    cases = " ".join(f"WHEN {number} THEN {rest}" for rest, number in rests.items())
    # CROSS: SQLite starts with the anchors, and so finds the members in the order of the audiences
    return (
        f"SELECT k.audience_id, p.user_id FROM {table} k CROSS JOIN judged p WHERE k.is_root = 0 "
        f"AND p.{column} = k.value AND CASE k.rest {cases} END"
    )


def _rest(anchor: Anchor, meaning: Meaning) -> str:
    return holds(Group("all", anchor.rest), meaning) if anchor.rest else "TRUE"


def _fill(picture: Picture, column: str, table: str, anchors: Iterable[tuple[Anchor, int]], meaning: Meaning) -> None:
    database = picture.database
    is_link = column in BELOW
    kind = "BIGINT" if is_link else "TEXT"
    picture.table(table, f"audience_id BIGINT, value {kind}, rest INTEGER, is_root INTEGER", large=True)
    rows = [
        (str(anchor.audience_id), value, str(rest), str(int(anchor.condition.operator in SUBTREE)))
        for anchor, rest in anchors
        for value in _values(anchor.condition, meaning)
    ]
    database.load(table, ("audience_id", "value", "rest", "is_root"), rows)
    if is_link:
        below, member = BELOW[column]
        database.run(
            f"INSERT INTO {table} SELECT k.audience_id, b.{member}, k.rest, 0 FROM {table} k CROSS JOIN {below} b "
            "WHERE k.is_root = 1 AND b.root_id = k.value"
        )
    analyze(picture, table, "value")


def _values(condition: Condition, meaning: Meaning) -> list[str]:
    if condition.field.name in LINKS:
        return [str(number) for number in sorted({meaning.ids[condition.field.name, key] for key in condition.names})]
    return sorted(set(condition.names))
