"""The shape of a rule (CONTRACT section 11): fields, what may be asked of each, and conditions that have been checked.

Pure: `config/audiences.py` makes rules from the configuration, `learning/conditions.py` makes SQL from rules.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from lzsyncd.feed.elements import USER_COLUMNS, Column, Element, Home, Kind


class Operator(StrEnum):
    """What a condition asks of its field."""

    IS = "is"
    IN = "in"
    NOT_IN = "not_in"
    UNDER = "under"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    EMPTY = "empty"
    BEFORE = "before"
    AFTER = "after"
    WITHIN_LAST = "within_last"
    WITHIN_NEXT = "within_next"
    REPORTS_TO = "reports_to"
    HAS_REPORTS = "has_reports"


class FieldKind(StrEnum):
    """What a field holds, and therefore what may be asked of it."""

    UNIT = "unit"
    MANAGER = "manager"
    AUDIENCE = "audience"
    TEXT = "text"
    BOOLEAN = "yes or no"
    OPTIONS = "options"
    NUMBER = "number"
    DATE = "date"


OPERATORS: dict[FieldKind, tuple[Operator, ...]] = {
    FieldKind.UNIT: (Operator.IS, Operator.IN, Operator.NOT_IN, Operator.UNDER, Operator.EMPTY),
    FieldKind.MANAGER: (Operator.REPORTS_TO, Operator.HAS_REPORTS, Operator.EMPTY),
    FieldKind.AUDIENCE: (Operator.IS, Operator.IN, Operator.NOT_IN),
    FieldKind.TEXT: (
        Operator.IS,
        Operator.IN,
        Operator.NOT_IN,
        Operator.CONTAINS,
        Operator.STARTS_WITH,
        Operator.ENDS_WITH,
        Operator.EMPTY,
    ),
    FieldKind.BOOLEAN: (Operator.IS, Operator.EMPTY),
    FieldKind.OPTIONS: (Operator.IS, Operator.IN, Operator.NOT_IN, Operator.CONTAINS, Operator.EMPTY),
    FieldKind.NUMBER: (Operator.IS, Operator.IN, Operator.BEFORE, Operator.AFTER, Operator.EMPTY),
    FieldKind.DATE: (
        Operator.IS,
        Operator.BEFORE,
        Operator.AFTER,
        Operator.WITHIN_LAST,
        Operator.WITHIN_NEXT,
        Operator.EMPTY,
    ),
}
MOVING = (Operator.WITHIN_LAST, Operator.WITHIN_NEXT)  # what they match follows from the day, too

_KINDS = {
    Kind.BOOLEAN: FieldKind.BOOLEAN,
    Kind.CHECKBOX: FieldKind.BOOLEAN,
    Kind.MULTISELECT: FieldKind.OPTIONS,
    Kind.NUMBER: FieldKind.NUMBER,
    Kind.DATE: FieldKind.DATE,
    Kind.DATETIME: FieldKind.DATE,
}
_SHORT = {"jobassignmentstartdate": "start_date", "jobassignmentenddate": "end_date"}
LINKS = {"org": Element.ORG, "pos": Element.POS, "manager": Element.USER}


@dataclass(frozen=True)
class Field:
    """Something of a person, or of one of their jobs, that a rule can ask for.

    Attributes:
        name: as rules write it.
        kind: what it holds.
        column: the column of `user.csv` that brings it; None for another audience.
    """

    name: str
    kind: FieldKind
    column: Column | None = None


@dataclass(frozen=True)
class Condition:
    """One checked line of a rule.

    Attributes:
        field: what it asks for.
        operator: how.
        value: a key or text, several of them, a number of days, or whether; texts as the database holds them.
    """

    field: Field
    operator: Operator
    value: str | int | bool | tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The keys or names it gives."""
        if isinstance(self.value, tuple):
            return self.value
        return (self.value,) if isinstance(self.value, str) else ()

    def __str__(self) -> str:
        value = f"{self.value}d" if self.operator in MOVING else _shown(self.value)
        return f"{self.field.name} {self.operator} {value}"


@dataclass(frozen=True)
class Group:
    """Conditions of which all hold, or any."""

    match: Literal["all", "any"]
    rules: tuple["Condition | Group", ...]

    def conditions(self) -> Iterator[Condition]:
        """Every condition in it, in the order of the rule."""
        for rule in self.rules:
            if isinstance(rule, Condition):
                yield rule
            else:
                yield from rule.conditions()


@dataclass(frozen=True)
class Audience:
    """One `[[sites.NAME.audiences]]`.

    Attributes:
        name: unique in its site.
        rule: who is in it.
        assign: the items it assigns, like `course:SAFE-101`.
        due: seconds from the assignment until it is due; None for never.
        on_leave: what becomes of the learning of whom the rule does not match any more.
        never_remove_members: nobody leaves, but for who is deleted or suspended.
    """

    name: str
    rule: Group
    assign: tuple[str, ...] = ()
    due: float | None = None
    on_leave: Literal["remove", "keep"] = "remove"
    never_remove_members: bool = False

    @property
    def others(self) -> set[str]:
        """The audiences its rule names."""
        asked = (c for c in self.rule.conditions() if c.field.kind is FieldKind.AUDIENCE)
        return {name for condition in asked for name in condition.names}

    @property
    def moves_with_the_day(self) -> bool:
        """Whether a condition of its own follows from the day."""
        return any(condition.operator in MOVING for condition in self.rule.conditions())

    def text(self) -> str:
        """All of it but the name, as the database keeps it: another text is another rule."""
        told = {
            **_plain(self.rule),
            "assign": self.assign,
            "due": self.due,
            "on_leave": self.on_leave,
            "never_remove_members": self.never_remove_members,
        }
        return json.dumps(told, ensure_ascii=False)


def rule_fields(custom: Sequence[Column] = ()) -> dict[str, Field]:
    """Every field of a site, by its name; the dates of a job also by the names of their columns."""
    by_name = {column.name: column for column in USER_COLUMNS}
    fields = [
        Field("org", FieldKind.UNIT, by_name["orgidnumber"]),
        Field("pos", FieldKind.UNIT, by_name["posidnumber"]),
        Field("manager", FieldKind.MANAGER, by_name["manageridnumber"]),
        Field("audience", FieldKind.AUDIENCE),
    ]
    for column in (*USER_COLUMNS, *custom):
        if column.home is Home.NOWHERE or column.refers_to is not None:
            continue
        kind = _KINDS.get(column.kind, FieldKind.TEXT)
        fields += [Field(name, kind, column) for name in (_SHORT.get(column.name), column.name) if name]
    return {field.name: field for field in fields}


def in_order(audiences: Iterable[Audience]) -> list[Audience]:
    """Each after those its rule names; whoever is in a circle, or names somebody in one, is left out."""
    left, ordered = list(audiences), list[Audience]()
    names = {audience.name for audience in left}
    done: set[str] = set()
    while ready := [audience for audience in left if not (audience.others & names) - done]:
        ordered += ready
        done |= {audience.name for audience in ready}
        left = [audience for audience in left if audience.name not in done]
    return ordered


def moving(audiences: Sequence[Audience]) -> set[str]:
    """The names of the audiences whose members the date alone may move: by their own rule, or by that of another."""
    names: set[str] = set()
    for audience in in_order(audiences):
        if audience.moves_with_the_day or audience.others & names:
            names.add(audience.name)
    return names


def _plain(rule: Condition | Group) -> dict[str, Any]:
    if isinstance(rule, Condition):
        return {"field": rule.field.name, str(rule.operator): rule.value}
    return {"match": rule.match, "rules": [_plain(inner) for inner in rule.rules]}


def _shown(value: str | int | bool | tuple[str, ...]) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, tuple) else str(value)
