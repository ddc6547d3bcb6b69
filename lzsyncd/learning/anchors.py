"""Rules that are met only by who has one of a few values: a unit, a position, a leader, a text. Most rules are.

All of them are asked at once, however many there are: their values are a table, one for each field, which is joined
with people. Rule by rule, each is planned and looks for its people by itself (measured on PostgreSQL, 200 rules and a
million people: 2.3 s and 3 s of indexes against 0.9 s).

| table | a row is |
|---|---|
| `anchor_FIELD` | a value that somebody in an audience has: `audience_id, value, rest` |

`rest` numbers what else the rule asks for; 0 is nothing.
"""

from collections import defaultdict
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


@dataclass(frozen=True)
class Anchor:
    """A condition without which a rule never holds, and that names the values that meet it.

    Attributes:
        audience_id: whose rule it is.
        condition: the condition.
        rest: what else the rule asks for, None for nothing.
    """

    audience_id: int
    condition: Condition
    rest: Group | None


def anchors_of(planned: Iterable[Planned]) -> list[Anchor]:
    """The anchors of the rules in force, one each; rules that have none, or wait for other audiences, are left out."""
    found = []
    for p in planned:
        if p.audience is None or p.frozen or p.audience.others:
            continue
        rule = p.audience.rule
        candidates = [r for r in rule.rules if isinstance(r, Condition) and _names_values(r)]
        if candidates and (rule.match == "all" or len(rule.rules) == 1):
            # a link comes first: of a million people more have the same city than the same unit
            anchor = min(candidates, key=lambda condition: condition.field.name not in LINKS)
            rest = tuple(r for r in rule.rules if r is not anchor)
            found.append(Anchor(p.id, anchor, Group("all", rest) if rest else None))
    return found


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
    by_column = defaultdict[str, list[Anchor]](list)
    for anchor in anchors:
        by_column[value_of(anchor.condition.field).removeprefix("p.")].append(anchor)
    return " UNION ALL ".join(_joined(picture, column, some, meaning) for column, some in by_column.items())


def _joined(picture: Picture, column: str, anchors: Sequence[Anchor], meaning: Meaning) -> str:
    rests = {"TRUE": 0}
    for anchor in anchors:
        rests.setdefault(_rest(anchor, meaning), len(rests))
    _fill(picture, column, [(anchor, rests[_rest(anchor, meaning)]) for anchor in anchors], meaning)
    if picture.database.dialect.seeks_by_index:
        picture.database.run(f"CREATE INDEX IF NOT EXISTS judged_{column} ON judged ({column}, user_id)")
    cases = " ".join(f"WHEN {number} THEN {rest}" for rest, number in rests.items())
    # CROSS: SQLite starts with the anchors, and so finds the members in the order of the audiences
    return (
        f"SELECT k.audience_id, p.user_id FROM anchor_{column} k CROSS JOIN judged p WHERE k.is_root = 0 "
        f"AND p.{column} = k.value AND CASE k.rest {cases} END"
    )


def _rest(anchor: Anchor, meaning: Meaning) -> str:
    return holds(anchor.rest, meaning) if anchor.rest else "TRUE"


def _fill(picture: Picture, column: str, anchors: Iterable[tuple[Anchor, int]], meaning: Meaning) -> None:
    database, name = picture.database, f"anchor_{column}"
    is_link = column in BELOW
    picture.table(name, f"audience_id BIGINT, value {'BIGINT' if is_link else 'TEXT'}, rest INTEGER, is_root INTEGER")
    rows = [
        (str(anchor.audience_id), value, str(rest), str(int(anchor.condition.operator in SUBTREE)))
        for anchor, rest in anchors
        for value in _values(anchor.condition, meaning)
    ]
    database.load(name, ("audience_id", "value", "rest", "is_root"), rows)
    if is_link:
        below, member = BELOW[column]
        database.run(
            f"INSERT INTO {name} SELECT k.audience_id, b.{member}, k.rest, 0 FROM {name} k CROSS JOIN {below} b "
            "WHERE k.is_root = 1 AND b.root_id = k.value"
        )
    analyze(picture, name)


def _values(condition: Condition, meaning: Meaning) -> list[str]:
    if condition.field.name in LINKS:
        return [str(number) for number in sorted({meaning.ids[condition.field.name, key] for key in condition.names})]
    return sorted(set(condition.names))
