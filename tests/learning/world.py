"""Sites whose audiences are drawn at random, and what must come of them by the reference."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from lzsyncd.config import Site, parse
from lzsyncd.intake.sets import FileSet
from lzsyncd.ledger.runs import new_run_id
from lzsyncd.sync.ending import Result
from lzsyncd.sync.run import Options, Run
from lzsyncd.sync.undo import take_back
from tests.companies import PERSON_KEYS, UNIT_KEYS
from tests.laws.ground import Row, ask, connected
from tests.reference.audiences import World, is_broken, matched

A_DAY = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NAMES = ("One", "Two", "Three")
FIELDS = {
    "badge": "text",
    "level": "menu",
    "skills": "multiselect",
    "fte": "number",
    "since": "date",
    "union": "checkbox",
    "met": "datetime",
    "page": "url",
    "notes": "textarea",
}
OPTIONS = {"level": ["junior", "senior"], "skills": ["read", "write", "count"]}

texts = st.sampled_from(["k1", "K1", "k", "L", "ondon", "London", "O'Neil", "%", "_", "?", "é", "Ann"])
days = st.sampled_from(["2026-01-01", "2026-11-22", "2026-11-21", "2026-11-23", "2020-02-29", "2026-03-29"])
spans = st.sampled_from(["0d", "1d", "30d", "200d", "3000d"])
units = st.sampled_from([*UNIT_KEYS, "nowhere"])


def several(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=1, max_size=3, unique=True)


def operators(**strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Row]:
    return st.one_of([value.map(lambda v, n=name: {n: v}) for name, value in strategies.items()])


def texts_of(values: st.SearchStrategy[str], parts: st.SearchStrategy[str] = texts) -> st.SearchStrategy[Row]:
    whole = {"is": values, "in": several(values), "not_in": several(values)}
    return operators(**whole, contains=parts, starts_with=parts, ends_with=parts, empty=st.booleans())


dates = operators(**{"is": days}, before=days, after=days, within_last=spans, within_next=spans, empty=st.booleans())
unit_rules = operators(**{"is": units, "in": several(units)}, not_in=several(units), under=units, empty=st.booleans())
skills = st.sampled_from(OPTIONS["skills"])
numbers = st.sampled_from([0, 1, 0.5, -1, 1.25])
CONDITIONS: dict[str, st.SearchStrategy[Row]] = {
    "org": unit_rules,
    "pos": unit_rules,
    "manager": operators(
        reports_to=st.sampled_from([*PERSON_KEYS, "nobody"]), has_reports=st.booleans(), empty=st.booleans()
    ),
    "city": texts_of(texts),
    "firstname": texts_of(texts),
    "lastname": texts_of(texts),
    "idnumber": texts_of(st.sampled_from(PERSON_KEYS)),
    "username": texts_of(st.sampled_from(["ann", "Bob"])),
    "country": texts_of(st.sampled_from(["GB", "nz"])),
    "emailstop": operators(**{"is": st.booleans()}, empty=st.booleans()),
    "jobassignmentfullname": texts_of(st.sampled_from(["Driver", "Night driver"])),
    "start_date": dates,
    "end_date": dates,
    "customfield_badge": texts_of(texts),
    "customfield_notes": texts_of(texts),
    "customfield_page": texts_of(st.just("https://a.test/")),
    "customfield_level": texts_of(st.sampled_from(OPTIONS["level"])),
    "customfield_skills": operators(
        **{"is": skills, "in": several(skills)}, not_in=several(skills), contains=skills, empty=st.booleans()
    ),
    "customfield_fte": operators(
        **{"is": numbers, "in": several(numbers)}, before=numbers, after=numbers, empty=st.booleans()
    ),
    "customfield_since": dates,
    "customfield_met": dates,
    "customfield_union": operators(**{"is": st.booleans()}, empty=st.booleans()),
}


@st.composite
def conditions(draw: st.DrawFn, others: tuple[str, ...] = ()) -> Row:
    if others and draw(st.integers(0, 4)) == 0:
        name = st.sampled_from(others)
        return {"field": "audience"} | draw(operators(**{"is": name, "in": several(name)}, not_in=several(name)))
    field = draw(st.sampled_from(list(CONDITIONS)))
    return {"field": field} | draw(CONDITIONS[field])


@st.composite
def audiences(draw: st.DrawFn) -> list[Row]:
    """Some audiences; a later one may ask for the members of those before it."""
    found: list[Row] = []
    for at, name in enumerate(NAMES[: draw(st.integers(1, len(NAMES)))]):
        rule = conditions(NAMES[:at])
        group = st.sampled_from(["any", "all"]).flatmap(
            lambda word, r=rule: st.lists(r, min_size=1, max_size=2).map(lambda rules: {word: rules})
        )
        audience: Row = {"name": name, "match": draw(st.sampled_from(["all", "any"]))}
        audience["rules"] = draw(st.lists(rule | group, min_size=1, max_size=3))
        audience["assign"] = draw(st.sampled_from([[], ["course:1"], ["course:1", "program:2"]]))
        audience["on_leave"] = draw(st.sampled_from(["remove", "remove", "keep"]))
        audience["never_remove_members"] = draw(st.sampled_from([False, False, True]))
        found.append(audience)
    return found


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value)


def text_of(found: list[Row]) -> str:
    """Audiences as a configuration writes them."""
    lines = []
    for audience in found:
        lines += ["[[sites.acme.audiences]]", *(f"{name} = {toml(value)}" for name, value in audience.items())]
    return "\n".join(lines)


def fields_text() -> str:
    lines = []
    for name, kind in FIELDS.items():
        lines += [f"[sites.acme.user.customfields.{name}]", f'type = "{kind}"']
        lines += [f"options = {toml(OPTIONS[name])}"] if name in OPTIONS else []
    return "\n".join(lines)


def taught(site: Site, found: list[Row]) -> Site:
    """The site with these audiences, and every kind of custom field."""
    with_rules = parse(f"[sites.acme]\n{fields_text()}\n{text_of(found)}").sites["acme"]
    return replace(site, audiences=with_rules.audiences)


def ask_rules(site: Site, *, slot: str | None = "daily:x", now: datetime = A_DAY) -> Result:
    """Ask the rules about everybody, without a set."""
    with connected(site) as database:
        options = Options(clock=lambda: now, slot=slot, trigger="slot")
        return Run(database, site, new_run_id(now), options).sync(FileSet({}))


def undo(site: Site, run: str, now: datetime = A_DAY) -> str:
    """Take a run back; returns the run that did."""
    with connected(site) as database:
        database.lock("of a test")
        return take_back(database, site, run, Options(clock=lambda: now)).run


def world_of(site: Site, now: datetime = A_DAY) -> World:
    tables = [ask(site, f"SELECT * FROM {table}") for table in ("lz_org", "lz_pos", "lz_user", "lz_job")]
    return World(*tables, FIELDS, now.astimezone(site.timezone).date(), site.timezone)


def members_of(site: Site) -> dict[str, set[int]]:
    rows = ask(site, "SELECT a.name, m.user_id FROM lz_audience a JOIN lz_audience_member m ON m.audience_id = a.id")
    found: dict[str, set[int]] = {row["name"]: set() for row in ask(site, "SELECT name FROM lz_audience")}
    for row in rows:
        found[row["name"]].add(row["user_id"])
    return found


def expected(site: Site, found: list[Row], before: dict[str, set[int]], now: datetime = A_DAY) -> dict[str, set[int]]:
    """Who must be in each audience, given who was."""
    world = world_of(site, now)
    active = {user["id"] for user in world.active()}
    members: dict[str, set[int]] = {}
    for audience in found:
        stay = before.get(audience["name"], set()) & active
        if is_broken(world, audience["rules"], NAMES[: len(found)]):
            members[audience["name"]] = stay
        else:
            kept = stay if audience["never_remove_members"] else set()
            members[audience["name"]] = matched(world, audience, members) | kept
    return members


__all__ = ["A_DAY", "FIELDS", "date", "timedelta"]
