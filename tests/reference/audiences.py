"""The rules of section 11, read a second time: slowly, in plain Python, over rows of the `lz_` tables.

A rule is what `tomllib` gives. Nothing here comes from lzsyncd.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from tests.reference.values import READERS

Row = dict[str, Any]
Rule = dict[str, Any]
LINKS = ("org", "pos", "manager")
JOB = {
    "jobassignmentidnumber": "idnumber",
    "jobassignmentfullname": "fullname",
    "jobassignmentstartdate": "start_date",
    "start_date": "start_date",
    "jobassignmentenddate": "end_date",
    "end_date": "end_date",
}
NO_JOB: Row = {}
TIDIED = ("username", "lang", "country", "timezone")
WHOLE = ("is", "in", "not_in")  # values are named as in a file, where `gb` is `GB`


@dataclass
class World:
    """All that stands, and when.

    Attributes:
        orgs: `lz_org`; so with the other tables.
        types: the type of each custom field of people.
        today: the day in the site's zone.
    """

    orgs: list[Row]
    poss: list[Row]
    users: list[Row]
    jobs: list[Row]
    types: dict[str, str]
    today: date
    zone: ZoneInfo

    def units(self, element: str) -> dict[str, Row]:
        rows = self.orgs if element == "org" else self.poss
        return {row["idnumber"]: row for row in rows if not row["hidden"]}

    def key(self, element: str, number: int | None) -> str | None:
        rows = {"org": self.orgs, "pos": self.poss}.get(element, self.users)
        return next((row["idnumber"] for row in rows if row["id"] == number), None)

    def above(self, element: str, number: int | None) -> set[int]:
        """A unit and all above it."""
        by_id = {row["id"]: row for row in (self.orgs if element == "org" else self.poss)}
        found: set[int] = set()
        while number in by_id and number not in found:
            found.add(number)
            number = by_id[number]["parent_id"]
        return found

    def bosses(self, number: int | None) -> set[int]:
        """A person and all to whom they report, over whatever job."""
        found: set[int] = set()
        left = {number} - {None}
        while left:
            one = left.pop()
            found.add(one)
            left |= {j["manager_id"] for j in self.jobs if j["user_id"] == one} - found - {None}
        return found

    def active(self) -> list[Row]:
        return [user for user in self.users if not user["deleted"] and not user["suspended"]]


def is_broken(world: World, rules: Iterable[Rule], audiences: Iterable[str]) -> bool:
    """Whether a rule names a unit, position, person or audience that is not there."""
    for rule in rules:
        inner = rule.get("any") or rule.get("all")
        if inner is not None:
            if is_broken(world, inner, audiences):
                return True
            continue
        operator, value = operation(rule)
        names = value if isinstance(value, list) else [value]
        there: Iterable[str] = ()
        if rule["field"] in ("org", "pos") and operator != "empty":
            there = world.units(rule["field"])
        elif operator == "reports_to":
            there = [user["idnumber"] for user in world.users if not user["deleted"]]
        elif rule["field"] == "audience":
            there = audiences
        else:
            continue
        if set(names) - set(there):
            return True
    return False


def operation(rule: Rule) -> tuple[str, Any]:
    ((operator, value),) = [(name, value) for name, value in rule.items() if name != "field"]
    return operator, value


def matched(world: World, audience: Rule, members: dict[str, set[int]]) -> set[int]:
    """The ids of the people whom the rule of an audience matches.

    Args:
        world: what stands.
        audience: the audience.
        members: of the audiences it may name.
    """
    found = set()
    for user in world.active():
        jobs = [job for job in world.jobs if job["user_id"] == user["id"]] or [NO_JOB]
        if any(_group(world, audience.get("match", "all"), audience["rules"], user, job, members) for job in jobs):
            found.add(user["id"])
    return found


def _group(world: World, word: str, rules: list[Rule], user: Row, job: Row, members: dict[str, set[int]]) -> bool:
    every = all if word == "all" else any
    return every(_holds(world, rule, user, job, members) for rule in rules)


def _holds(world: World, rule: Rule, user: Row, job: Row, members: dict[str, set[int]]) -> bool:
    for word in ("any", "all"):
        if word in rule:
            return _group(world, word, rule[word], user, job, members)
    operator, wanted = operation(rule)
    name = rule["field"]
    if name == "audience":
        names = wanted if isinstance(wanted, list) else [wanted]
        is_in = any(user["id"] in members[other] for other in names)
        return not is_in if operator == "not_in" else is_in
    if operator == "has_reports":
        active = {one["id"] for one in world.active()}
        return wanted == any(j["manager_id"] == user["id"] and j["user_id"] in active for j in world.jobs)
    if name in LINKS:
        return _link_holds(world, name, operator, wanted, job.get(f"{name}_id"))
    return _value_holds(world, name, operator, wanted, user, job)


def _link_holds(world: World, name: str, operator: str, wanted: Any, number: int | None) -> bool:
    if operator == "empty":
        return (number is None) == wanted
    if operator == "reports_to":
        boss = next(user["id"] for user in world.users if user["idnumber"] == wanted)
        return boss in world.bosses(number)
    if operator == "under":
        return world.units(name)[wanted]["id"] in world.above(name, number)
    names = wanted if isinstance(wanted, list) else [wanted]
    is_in = number is not None and world.key(name, number) in names
    return not is_in if operator == "not_in" else is_in


def _value_holds(  # noqa: PLR0911 a kind of value each
    world: World, name: str, operator: str, wanted: Any, user: Row, job: Row
) -> bool:
    kind, value = _value(world, name, user, job)
    if operator == "empty":
        return (value in (None, "", [])) == wanted
    if value in (None, "", []):
        return operator == "not_in"
    if kind in ("date", "datetime"):
        return DATES[operator](_day(world, kind, value), wanted, world.today)
    if kind == "number":
        return _number_holds(operator, value, wanted)
    if kind == "multiselect":
        return _options_hold(operator, value, wanted)
    if kind in ("boolean", "checkbox"):
        return bool(value) == wanted
    if name in TIDIED and operator in WHOLE:
        wanted = _tidied(name, wanted)
    return TEXTS[operator](value, wanted)


def _tidied(name: str, wanted: Any) -> Any:
    return READERS[name](wanted).value if isinstance(wanted, str) else [READERS[name](text).value for text in wanted]


def _value(world: World, name: str, user: Row, job: Row) -> tuple[str, Any]:
    if name in JOB:
        return ("date" if name.endswith("date") else "text"), job.get(JOB[name])
    if name.startswith("customfield_"):
        field = name.removeprefix("customfield_")
        return world.types[field], json.loads(user["custom"]).get(field)
    if name in ("emailstop", "suspended"):
        return "boolean", None if user[name] is None else bool(user[name])
    return "text", user[name]


def _day(world: World, kind: str, value: str) -> date:
    if kind == "date":
        return date.fromisoformat(value)
    moment = datetime.fromisoformat(value)
    return moment.astimezone(UTC).astimezone(world.zone).date()


def _span(text: str) -> timedelta:
    return timedelta(days=int(text.removesuffix("d")))


def _as_day(wanted: Any) -> date:
    return wanted if isinstance(wanted, date) else date.fromisoformat(wanted)


DATES: dict[str, Callable[[date, Any, date], bool]] = {
    "is": lambda day, wanted, _: day == _as_day(wanted),
    "before": lambda day, wanted, _: day < _as_day(wanted),
    "after": lambda day, wanted, _: day > _as_day(wanted),
    "within_last": lambda day, wanted, today: today - _span(wanted) <= day <= today,
    "within_next": lambda day, wanted, today: today <= day <= today + _span(wanted),
}
TEXTS: dict[str, Callable[[str, Any], bool]] = {
    "is": lambda value, wanted: value == wanted,
    "in": lambda value, wanted: value in wanted,
    "not_in": lambda value, wanted: value not in wanted,
    "contains": lambda value, wanted: wanted in value,
    "starts_with": lambda value, wanted: value.startswith(wanted),
    "ends_with": lambda value, wanted: value.endswith(wanted),
}


def _number_holds(operator: str, value: Any, wanted: Any) -> bool:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return False
    if operator == "in":
        return number in [Decimal(str(one)) for one in wanted]
    other = Decimal(str(wanted))
    return {"is": number == other, "before": number < other, "after": number > other}[operator]


def _options_hold(operator: str, chosen: list[str], wanted: Any) -> bool:
    if operator == "is":
        return chosen == [wanted]
    if operator == "contains":
        return wanted in chosen
    return bool(set(chosen) & set(wanted)) == (operator == "in")
