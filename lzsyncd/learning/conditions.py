"""Conditions as SQL over `judged` (alias `p`): does it hold, and what is to be said of it?

Pure. A row of `judged` is a person with one of their jobs, as both will be after the run, so all that a rule says of a
job is judged on the same job. Texts of the configuration become literals; nothing of a file is in the SQL.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from lzsyncd.feed.elements import Column, Kind
from lzsyncd.learning.rules import LINKS, Condition, Field, FieldKind, Group, Operator

SHOWN = 60  # characters of a value that a reason shows


@dataclass(frozen=True)
class Meaning:
    """What the words of rules stand for in one run.

    Attributes:
        today: the day of the run in the site's zone.
        zone: the site's.
        ids: the ids of the keys and names that rules give, by field (`org`, `pos`, `manager`, `audience`) and key.
    """

    today: date
    zone: ZoneInfo
    ids: dict[tuple[str, str], int] = field(default_factory=dict)

    def of(self, condition: Condition) -> str:
        """The ids that a condition names, for SQL."""
        return ", ".join(str(self.ids[condition.field.name, name]) for name in condition.names)


def holds(rule: Condition | Group, meaning: Meaning) -> str:
    """SQL: the rule matches the person with this job."""
    if isinstance(rule, Group):
        word = " AND " if rule.match == "all" else " OR "
        return f"({word.join(holds(inner, meaning) for inner in rule.rules)})"
    return _CONDITIONS[rule.field.kind](rule, meaning)


def explained(rule: Group, meaning: Meaning, *, kept: bool) -> str:
    """SQL: the conditions that hold (or that do not), each with the value behind it, as one text.

    What the rule says stands in `k.word_0`, `k.word_1` …, as `words` has it: rules that differ in that alone have the
    same SQL. Where all conditions have to hold, nothing is asked again of who matches; where one would do, of who does
    not.
    """
    parts = []
    is_certain = len(rule.rules) == 1 or (rule.match == "all") == kept
    certain = rule.rules if is_certain else ()
    for number, condition in enumerate(_different(rule)):
        told = f"k.word_{number}{_shown(condition)}"
        if condition in certain:
            parts.append(f"({told})")
            continue
        yes, no = (told, "''") if kept else ("''", told)
        parts.append(f"CASE WHEN {holds(condition, meaning)} THEN {yes} ELSE {no} END")
    return f"substr({' || '.join(parts)}, 3)"


def words(rule: Group, *, kept: bool) -> tuple[str, ...]:
    """What `explained` says of each condition, before the value."""
    return tuple(f"; {'' if kept else 'not '}{condition}" for condition in _different(rule))


def _different(rule: Group) -> Iterable[Condition]:
    return dict.fromkeys(rule.conditions())


def value_of(asked: Field) -> str:
    """The column of `judged` that holds a field."""
    if asked.name in LINKS:
        return f"p.{asked.name}_id"
    return f"p.{stored_as(asked.column)}" if asked.column else "p.user_id"


def stored_as(column: Column) -> str:
    """The name, in `judged`, of a field that is no link."""
    return f"f_{column.name}"


def literal(text: str) -> str:
    """A text of the configuration as SQL."""
    return "'" + text.replace("'", "''") + "'"


def _shown(condition: Condition) -> str:
    """SQL: ` (VALUE)`, the value that a condition looked at; nothing where it says nothing more."""
    name, operator = condition.field.name, condition.operator
    if condition.field.kind is FieldKind.AUDIENCE or operator is Operator.HAS_REPORTS:
        return ""
    value = f"CAST({value_of(condition.field)} AS TEXT)"
    if name in LINKS:
        table = "lz_user" if name == "manager" else f"next_{name}"
        value = f"(SELECT n.idnumber FROM {table} n WHERE n.id = {value_of(condition.field)})"
    return f" || ' (' || coalesce(substr(NULLIF({value}, ''), 1, {SHOWN}), 'nothing') || ')'"


# -- one function a kind of field


def _unit(condition: Condition, meaning: Meaning) -> str:
    value, operator = value_of(condition.field), condition.operator
    if operator is Operator.EMPTY:
        return _is_null(value, condition)
    if operator is Operator.UNDER:
        root = meaning.of(condition)
        return f"{value} IN (SELECT b.unit_id FROM below_{condition.field.name} b WHERE b.root_id = {root})"
    if operator is Operator.NOT_IN:
        return f"({value} IS NULL OR {value} NOT IN ({meaning.of(condition)}))"
    return f"{value} IN ({meaning.of(condition)})"


def _manager(condition: Condition, meaning: Meaning) -> str:
    value, operator = value_of(condition.field), condition.operator
    if operator is Operator.EMPTY:
        return _is_null(value, condition)
    if operator is Operator.HAS_REPORTS:
        return f"p.user_id {'' if condition.value else 'NOT '}IN (SELECT l.id FROM leader l)"
    return f"{value} IN (SELECT r.user_id FROM reporting r WHERE r.root_id = {meaning.of(condition)})"


def _audience(condition: Condition, meaning: Meaning) -> str:
    """Membership of another audience, whose next members are known by then."""
    word = "NOT IN" if condition.operator is Operator.NOT_IN else "IN"
    others = meaning.of(condition)
    return f"p.user_id {word} (SELECT o.user_id FROM next_member o WHERE o.audience_id IN ({others}))"


def _is_null(value: str, condition: Condition) -> str:
    return f"{value} IS {'' if condition.value else 'NOT '}NULL"


def _is_empty(value: str, condition: Condition, *nothing: str) -> str:
    words = "''" if not nothing else f"'', {', '.join(map(literal, nothing))}"
    return f"coalesce({value}, '') {'' if condition.value else 'NOT '}IN ({words})"


def _text(condition: Condition, _meaning: Meaning) -> str:
    value, operator, asked = value_of(condition.field), condition.operator, condition.value
    if operator is Operator.EMPTY:
        return _is_empty(value, condition)
    texts = ", ".join(map(literal, condition.names))
    if operator is Operator.NOT_IN:
        return f"coalesce({value}, '') NOT IN ({texts})"
    if operator in (Operator.IS, Operator.IN):
        return f"{value} IN ({texts})"
    length = len(str(asked))
    if operator is Operator.STARTS_WITH:
        return f"substr({value}, 1, {length}) = {texts}"
    if operator is Operator.ENDS_WITH:  # a start before the text is none on either database: what is shorter differs
        return f"substr({value}, length({value}) - {length - 1}) = {texts}"
    return _contains(value, str(asked))


def _contains(value: str, text: str) -> str:
    """LIKE would fold the case on one of the two databases."""
    return f"replace({value}, {literal(text)}, '') <> {value}"


def _boolean(condition: Condition, meaning: Meaning) -> str:
    return _text(condition, meaning)


def _options(condition: Condition, _meaning: Meaning) -> str:
    """The options that were chosen are JSON, `["A","B"]`, in the order in which they are declared."""
    value, operator = value_of(condition.field), condition.operator
    if operator is Operator.EMPTY:
        return _is_empty(value, condition, "[]")
    chosen = [json.dumps(name, ensure_ascii=False) for name in condition.names]
    if operator is Operator.IS:
        return f"{value} = {literal(f'[{chosen[0]}]')}"
    has = [_contains(f"coalesce({value}, '')", option) for option in chosen]
    return f"{'NOT ' if operator is Operator.NOT_IN else ''}({' OR '.join(has)})"


def _number(condition: Condition, _meaning: Meaning) -> str:
    value, operator = value_of(condition.field), condition.operator
    if operator is Operator.EMPTY:
        return _is_empty(value, condition)
    # what was written by hand may be no number, and a cast of it would end the run
    first = ", ".join(map(literal, "-0123456789"))
    number = f"CASE WHEN substr({value}, 1, 1) IN ({first}) THEN CAST({value} AS NUMERIC) END"
    if operator in (Operator.IS, Operator.IN):
        return f"({number}) IN ({', '.join(condition.names)})"
    return f"({number}) {'<' if operator is Operator.BEFORE else '>'} {condition.value}"


def _date(condition: Condition, meaning: Meaning) -> str:
    value, operator = value_of(condition.field), condition.operator
    if operator is Operator.EMPTY:
        return _is_empty(value, condition)
    column = condition.field.column
    start = _start_of if column is not None and column.kind is Kind.DATETIME else _day
    since, until = (None if day is None else start(day, meaning.zone) for day in _days(condition, meaning.today))
    return f"({' AND '.join(_bounds(value, since, until))})"


def _bounds(value: str, since: str | None, until: str | None) -> Iterable[str]:
    """Two texts of one form compare like the times they stand for."""
    yield f"{value} <> ''"
    if since:
        yield f"{value} >= {literal(since)}"
    if until:
        yield f"{value} < {literal(until)}"


def _days(condition: Condition, today: date) -> tuple[date | None, date | None]:
    """The first day that matches, and the first after it that does not; None for no such bound."""
    value, one = condition.value, timedelta(days=1)
    if isinstance(value, int):
        span = timedelta(days=value)
        back = condition.operator is Operator.WITHIN_LAST
        return (_moved(today, -span), today + one) if back else (today, _moved(today, span + one))
    day = date.fromisoformat(str(value))
    if condition.operator is Operator.BEFORE:
        return None, day
    after = _moved(day, one)
    return (after, None) if condition.operator is Operator.AFTER else (day, after)


def _moved(day: date, span: timedelta) -> date:
    """The calendar ends somewhere."""
    try:
        return day + span
    except OverflowError:
        return date.max if span > timedelta(0) else date.min


def _day(day: date, _zone: ZoneInfo) -> str:
    return day.isoformat()


def _start_of(day: date, zone: ZoneInfo) -> str:
    """Midnight of the site in UTC; without the `Z`, so that a fraction of a second is later."""
    try:
        moment = datetime.combine(day, time(), zone).astimezone(UTC)
    except OverflowError:
        moment = datetime.combine(day, time(), UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="seconds")


_CONDITIONS = {
    FieldKind.UNIT: _unit,
    FieldKind.MANAGER: _manager,
    FieldKind.AUDIENCE: _audience,
    FieldKind.TEXT: _text,
    FieldKind.BOOLEAN: _boolean,
    FieldKind.OPTIONS: _options,
    FieldKind.NUMBER: _number,
    FieldKind.DATE: _date,
}
