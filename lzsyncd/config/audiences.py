"""Audiences: `[[sites.NAME.audiences]]` becomes `Audience`, every field, operator and value checked."""

from collections.abc import Sequence
from typing import Any, get_args
from zoneinfo import ZoneInfo

from lzsyncd.checks.cells import CellCheck, Rules
from lzsyncd.config.fields import date_text, number_text
from lzsyncd.config.models import ElementConfig, OnLeave
from lzsyncd.config.places import quoted
from lzsyncd.config.table import Table
from lzsyncd.config.values import (
    SECONDS,
    BadValueError,
    Check,
    boolean,
    did_you_mean,
    duration,
    line_of_text,
    list_of,
    one_of,
)
from lzsyncd.feed.elements import Column, Element, Kind
from lzsyncd.learning.rules import (
    MOVING,
    OPERATORS,
    Audience,
    Condition,
    Field,
    FieldKind,
    Group,
    Operator,
    in_order,
    rule_fields,
)

DAY = SECONDS["d"]
LONGEST = 36_500 * DAY  # seconds; a hundred years
MOST_CONDITIONS = 500  # of one rule: SQLite's expressions are a thousand deep at most
LIMIT_NAME = 255  # characters of the name of an audience or item
NO_RULES: tuple[Condition | Group, ...] = ()
NO_ITEMS: tuple[str, ...] = ()
GROUPS = ("all", "any")
ELSEWHERE = {
    "orgidnumber": "org",
    "posidnumber": "pos",
    "manageridnumber": "manager",
    "deleted": "nothing: deleted people are in no audience",
}


def read_audiences(table: Table, people: ElementConfig) -> tuple[Audience, ...]:
    """The audiences of a site's table.

    Args:
        table: the site's.
        people: what it says of people: the custom fields, and how dates are written.
    """
    reader = _Reader(rule_fields(people.custom), people)
    members = table.members("audiences")
    audiences = [reader.audience(member) for member in members]
    _refuse_twice(members, audiences)
    _refuse_circles(members, audiences)
    return tuple(audiences)


def _refuse_twice(members: Sequence[Table], audiences: Sequence[Audience]) -> None:
    seen: set[str] = set()
    for member, audience in zip(members, audiences):
        if audience.name and audience.name in seen:
            member.complain("is the name of another audience, too", "name")
        seen.add(audience.name)


def _refuse_circles(members: Sequence[Table], audiences: Sequence[Audience]) -> None:
    """Whoever follows the names from a member of a circle comes back to it."""
    by_name = {audience.name: audience for audience in audiences}
    fine = {audience.name for audience in in_order(audiences)}
    for member, audience in zip(members, audiences):
        if audience.name not in fine and audience.name in _reached(audience, by_name):
            member.complain("names audiences whose rules lead back to this one", "rules")


def _reached(audience: Audience, by_name: dict[str, Audience]) -> set[str]:
    reached, left = set[str](), set(audience.others)
    while left:
        name = left.pop()
        reached.add(name)
        left |= (by_name[name].others if name in by_name else set()) - reached
    return reached


class _Reader:
    """Reads audiences of one site."""

    def __init__(self, fields: dict[str, Field], people: ElementConfig) -> None:
        self._fields, self._people = fields, people

    def audience(self, table: Table) -> Audience:
        if "name" not in table:
            table.complain("needs a name")
        if "rules" not in table:
            table.complain("needs rules: a list of conditions")
        on_leave: OnLeave = table.take("on_leave", one_of(*get_args(OnLeave)), "remove")
        audience = Audience(
            name=table.take("name", _name, ""),
            rule=Group(table.take("match", one_of(*GROUPS), "all"), self._rules(table, "rules", nested=False)),
            assign=table.take("assign", _items, NO_ITEMS),
            due=table.take("due", duration(DAY, LONGEST), None),
            on_leave=on_leave,
            never_remove_members=table.take("never_remove_members", boolean, default=False),
        )
        if (number := sum(1 for _ in audience.rule.conditions())) > MOST_CONDITIONS:
            many = f"has {number:,} conditions, {MOST_CONDITIONS} are the most"
            table.complain(f"{many}; one condition can name several values: {{ in = [ … ] }}", "rules")
        table.finish()
        return audience

    def _rules(self, table: Table, name: str, *, nested: bool) -> tuple[Condition | Group, ...]:
        if table.values.get(name) == []:
            table.complain("must have one condition at least", name)
        rules = [self._rule(member, nested=nested) for member in table.members(name)]
        return tuple(rule for rule in rules if rule is not None)

    def _rule(self, table: Table, *, nested: bool) -> Condition | Group | None:
        groups = [name for name in GROUPS if name in table]
        if not groups:
            return self._condition(table)
        if nested:
            table.complain("groups nest one level: there can be no group in a group")
            return None
        name = groups[0]
        group = Group(one_of(*GROUPS)(name), self._rules(table, name, nested=True))
        table.finish()
        return group

    def _condition(self, table: Table) -> Condition | None:
        if "field" not in table:
            table.complain(f"needs a field, or is a group: {' = […] or '.join(GROUPS)} = […]")
            return None
        field: Field | None = table.take("field", self._field, None)
        given = [name for name in table.values if name != "field"]
        if field is None:
            return None
        known = OPERATORS[field.kind]
        operators = [Operator(name) for name in given if name in list(Operator)]
        if len(operators) != 1:
            near = next((did_you_mean(name, known) for name in given if name not in list(Operator)), "")
            table.complain(f"needs one of {', '.join(known)}{near}")
            return None
        (operator,) = operators
        if operator not in known:
            table.complain(
                f"can't be asked of {field.name}, which holds {_holds(field)}; ask {', '.join(known)}", operator
            )
            return None
        value = table.take(operator, self._value(field, operator), None)
        table.finish()
        return None if value is None else Condition(field, operator, value)

    def _field(self, value: Any) -> Field:
        name = line_of_text(value)
        if name in self._fields:
            return self._fields[name]
        if name in ELSEWHERE:
            raise BadValueError(f"is no field of a rule; write {ELSEWHERE[name]}")
        raise BadValueError(f"is no field of a person, {quoted(name[:60])}{did_you_mean(name, self._fields)}")

    def _value(self, field: Field, operator: Operator) -> Check[Any]:
        if operator in (Operator.EMPTY, Operator.HAS_REPORTS):
            return boolean
        if operator in MOVING:
            return _days
        single = self._single(field, operator)
        return _several(single) if operator in (Operator.IN, Operator.NOT_IN) else single

    def _single(self, field: Field, operator: Operator) -> Check[str]:
        column = field.column
        if column is None:
            return _name
        if operator in (Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH) and field.kind is FieldKind.TEXT:
            return _part_of_text
        words = ("true", "false") if column.kind is Kind.CHECKBOX else ("1", "0")
        checks: dict[FieldKind, Check[str]] = {
            FieldKind.DATE: date_text,
            FieldKind.NUMBER: number_text,
            FieldKind.BOOLEAN: lambda value: words[0] if boolean(value) else words[1],
            FieldKind.OPTIONS: lambda value: _option(value, column),
        }
        return checks.get(field.kind) or self._cell(column)

    def _cell(self, column: Column) -> Check[str]:
        """A text that a cell may hold, as it is kept when a file brings it."""
        config = self._people
        # a zone is only asked for by dates with a time, and those have a check of their own
        rules = Rules(Element.USER, config.date_formats, ZoneInfo("UTC"), allow_duplicate_emails=True)
        judge = CellCheck(column, rules).judge

        def check(value: Any) -> str:
            text = line_of_text(value)
            verdict = judge(text)
            if verdict.code and verdict.code != "value.normalised":
                near = did_you_mean(text, column.options)
                why = (
                    f"has {verdict.detail}" if verdict.code == "value.too_long" else "is never the value of this field"
                )
                raise BadValueError(f"{why}{near}")
            return verdict.text

        return check


def _holds(field: Field) -> str:
    words = {FieldKind.UNIT: "a unit or position", FieldKind.OPTIONS: "several options", FieldKind.MANAGER: "a person"}
    return words.get(field.kind, f"{'an' if field.kind is FieldKind.AUDIENCE else 'a'} {field.kind}")


def _name(value: Any) -> str:
    name = line_of_text(value)
    if len(name) > LIMIT_NAME:
        raise BadValueError(f"is longer than {LIMIT_NAME} characters")
    return name


def _items(value: Any) -> tuple[str, ...]:
    return _several(_name, least=0)(value)


def _several(check: Check[str], least: int = 1) -> Check[tuple[str, ...]]:
    def check_all(value: Any) -> tuple[str, ...]:
        members = list_of(check)(value)
        if len(members) < least:
            raise BadValueError("must name one value at least")
        if len(set(members)) < len(members):
            raise BadValueError("has the same value twice")
        return members

    return check_all


def _days(value: Any) -> int:
    seconds = duration(0, LONGEST)(value)
    if seconds % DAY:
        raise BadValueError('must be whole days, like "90d"')
    return int(seconds) // DAY


def _option(value: Any, column: Column) -> str:
    option = line_of_text(value)
    if option not in column.options:
        raise BadValueError(f"is none of the options{did_you_mean(option, column.options)}")
    return option


def _part_of_text(value: Any) -> str:
    """Unlike a whole cell a part of one may begin or end with a blank."""
    if not isinstance(value, str) or not value:
        raise BadValueError("must be text in quotes, and not empty")
    line_of_text(value.strip() or "-")
    return value
