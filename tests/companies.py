"""Random companies for hypothesis: exports, next days, damage, sites and zones.

The alphabets are small enough to collide: keys that differ in case or in leading noughts, names that are the same
without case, people who swap, units that change places, links in circles and into nowhere.
"""

import csv
import io
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import event
from hypothesis import strategies as st

from tests.reference.model import (
    ELEMENTS,
    UNITS,
    CustomField,
    Finding,
    Limits,
    Outcome,
    Policy,
    Row,
    Site,
    Zone,
    codes,
    job,
    person,
    unit,
)

Cells = dict[str, str]
Company = dict[str, list[Cells]]

UNIT_KEYS = ("a", "b", "A", "00", "0", "c")
PERSON_KEYS = ("1", "01", "u", "U", "v", "w")
USERNAMES = ("ann", "bob", "cy.c", "dee", "eve_1", "fay")
EMAILS = ("ann@a.test", "bob@a.test", "cy@a.test", "straße@a.test", "ève@a.test", "fay@a.test")
CODES = ("k1", "k2", "K1", "k3", "k4", "k5")

UNIT_FIELDS = {"code": CustomField(unique=True), "colour": CustomField("menu", options=("red", "green"), default="red")}
PERSON_FIELDS = {
    "badge": CustomField(unique=True),
    "level": CustomField("menu", options=("junior", "senior"), default="junior"),
    "skills": CustomField("multiselect", options=("read", "write", "count")),
    "fte": CustomField("number"),
    "since": CustomField("date"),
    "union": CustomField("checkbox"),
}

UNIT_POOL: dict[str, tuple[str, ...]] = {
    "idnumber": UNIT_KEYS,
    "fullname": ("North", "South, 2nd floor", 'The "East"', "two\nlines", "", "x" * 1001),
    "shortname": ("", "N", "S"),
    "parentidnumber": ("", *UNIT_KEYS, "nowhere"),
    "deleted": ("", "0", "1", "TRUE", "perhaps"),
    "customfield_code": ("", *CODES),
    "customfield_colour": ("", "red", "green", "blue"),
}
PERSON_POOL: dict[str, tuple[str, ...]] = {
    "idnumber": PERSON_KEYS,
    "username": (*USERNAMES, "Ann", "BOB", "", "no blanks"),
    "firstname": ("Ann", "Émile", ""),
    "lastname": ("Lee", "O'Neil"),
    "email": (*EMAILS, "Ann@A.test", "STRASSE@a.test", "", "nobody"),
    "orgidnumber": ("", *UNIT_KEYS, "nowhere"),
    "posidnumber": ("", *UNIT_KEYS, "nowhere"),
    "manageridnumber": ("", *PERSON_KEYS, "nobody"),
    "appraiseridnumber": ("", *PERSON_KEYS, "nobody"),
    "jobassignmentfullname": ("", "Driver", "Night driver"),
    "jobassignmentstartdate": ("", "2026-01-01", "2026-07-01", "2026-02-30"),
    "jobassignmentenddate": ("", "2026-06-30", "2027-12-31", "soon"),
    "suspended": ("", "0", "1", "YES", "maybe"),
    "deleted": ("", "0", "1", "y", "perhaps"),
    "country": ("", "GB", "nz", "XX"),
    "timezone": ("", "Europe/London", "Mars/Base"),
    "emailstop": ("", "0", "1", "maybe"),
    "city": ("", "London", " Leeds "),
    "customfield_badge": ("", *CODES),
    "customfield_level": ("", "senior", "boss"),
    "customfield_skills": ("", "read", "read, count", "read,fly"),
    "customfield_fte": ("", "1", "0.5", "half"),
    "customfield_since": ("", "2020-02-29", "2021-02-29"),
    "customfield_union": ("", "1", "no", "maybe"),
}
POOLS = {"org": UNIT_POOL, "pos": UNIT_POOL, "user": PERSON_POOL}
REQUIRED = {"idnumber", "fullname", "username", "firstname", "lastname", "email"}


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """The usual value five times in six."""
    return st.sampled_from([usual] * 5 * len(others) + list(others))


# --- companies -------------------------------------------------------------------------------------------------------


@st.composite
def companies(draw: st.DrawFn) -> Company:
    """A company in good order: references known, no circles, nothing twice."""
    company: Company = {element: draw(_units()) for element in UNITS}
    people: list[Cells] = []
    for key in draw(_some_of(PERSON_KEYS, 2)):
        index = PERSON_KEYS.index(key)
        cells = {"idnumber": key, "username": USERNAMES[index], "email": EMAILS[index]}
        cells |= {"firstname": "Ann", "lastname": "Lee", "customfield_badge": draw(mostly("", CODES[index]))}
        for element in UNITS:
            cells[f"{element}idnumber"] = draw(st.sampled_from(["", *(row["idnumber"] for row in company[element])]))
        cells["manageridnumber"] = draw(st.sampled_from(["", *(row["idnumber"] for row in people)]))
        people.append(cells)
    return company | {"user": people}


@st.composite
def _units(draw: st.DrawFn) -> list[Cells]:
    units: list[Cells] = []
    for key in draw(_some_of(UNIT_KEYS, 2)):
        parent = draw(st.sampled_from(["", *(row["idnumber"] for row in units)]))
        cells = {"idnumber": key, "fullname": f"Unit {key}", "parentidnumber": parent}
        units.append(cells | {"customfield_code": draw(mostly("", CODES[UNIT_KEYS.index(key)]))})
    return units


def _some_of(keys: tuple[str, ...], least: int = 0) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(keys), min_size=least, max_size=len(keys), unique=True)


@st.composite
def next_days(draw: st.DrawFn, company: Company, max_changes: int = 8) -> Company:
    """The company as the next export has it: a few changes, sensible and senseless ones."""
    changed = {element: [dict(cells) for cells in rows] for element, rows in company.items()}
    for element in draw(st.lists(st.sampled_from(("org", "pos", "user", "user")), max_size=max_changes)):
        draw(st.sampled_from(CHANGES))(draw, element, changed[element])
    return changed


def _set_cell(draw: st.DrawFn, element: str, rows: list[Cells]) -> None:
    column = draw(st.sampled_from(list(POOLS[element])))
    if rows:
        draw(st.sampled_from(rows))[column] = draw(st.sampled_from(POOLS[element][column]))


def _set_link(draw: st.DrawFn, element: str, rows: list[Cells]) -> None:
    """Point somebody anywhere: into nowhere, to oneself, round in a circle, to one who goes."""
    column = draw(st.sampled_from(["orgidnumber", "manageridnumber"])) if element == "user" else "parentidnumber"
    if rows:
        draw(st.sampled_from(rows))[column] = draw(st.sampled_from(POOLS[element][column]))


def _swap(draw: st.DrawFn, element: str, rows: list[Cells]) -> None:
    """Two records exchange a cell: usernames, addresses, keys, links."""
    columns = ["idnumber", "customfield_code", "parentidnumber"]
    if element == "user":
        columns = ["username", "email", "username", "email", "idnumber", "customfield_badge", "manageridnumber"]
    if len(rows) > 1:
        column = draw(st.sampled_from(columns))
        one, two = draw(st.permutations(rows))[:2]
        one[column], two[column] = two.get(column, ""), one.get(column, "")


def _change_places(draw: st.DrawFn, element: str, rows: list[Cells]) -> None:
    """Child and parent, or report and manager, change places."""
    column = "manageridnumber" if element == "user" else "parentidnumber"
    by_key = {cells["idnumber"]: cells for cells in rows}
    pairs = [(cells, by_key[cells[column]]) for cells in rows if cells.get(column) in by_key]
    if pairs:
        child, parent = draw(st.sampled_from(pairs))
        child[column], parent[column] = parent.get(column, ""), child["idnumber"]


def _drop(draw: st.DrawFn, _element: str, rows: list[Cells]) -> None:
    if rows:
        rows.remove(draw(st.sampled_from(rows)))


def _drop_and_pass_on(draw: st.DrawFn, element: str, rows: list[Cells]) -> None:
    """Somebody leaves, and somebody else gets what was theirs."""
    if len(rows) > 1:
        leaver, heir = draw(st.permutations(rows))[:2]
        rows.remove(leaver)
        column = draw(st.sampled_from(["username", "email"] if element == "user" else ["customfield_code"]))
        heir[column] = leaver.get(column, "")


def _delete(draw: st.DrawFn, _element: str, rows: list[Cells]) -> None:
    if rows:
        draw(st.sampled_from(rows))["deleted"] = "1"


def _copy(draw: st.DrawFn, element: str, rows: list[Cells]) -> None:
    if rows:
        rows.append(dict(draw(st.sampled_from(rows))))
        _set_cell(draw, element, rows[-1:])


def _add(draw: st.DrawFn, element: str, rows: list[Cells]) -> None:
    pool = POOLS[element]
    rows.append({column: draw(st.sampled_from(pool[column])) for column in REQUIRED & set(pool)})
    for _ in range(draw(st.integers(0, 3))):
        _set_cell(draw, element, rows[-1:])


Change = Callable[[st.DrawFn, str, list[Cells]], None]
CHANGES: tuple[Change, ...] = (
    *(_set_cell, _set_cell, _set_link, _set_link, _swap, _swap, _change_places),
    *(_drop, _drop, _drop_and_pass_on, _delete, _copy, _add),
)


# --- exports: the files of a company, and their damage ---------------------------------------------------------------


@dataclass(frozen=True)
class Sheet:
    """One file, cell by cell, as bytes. A row may be ragged."""

    columns: tuple[str, ...]
    rows: tuple[tuple[bytes, ...], ...]

    def csv(self, delimiter: str = ",", newline: str = "\n") -> bytes:
        header = tuple(name.encode() for name in self.columns)
        separator = delimiter.encode()
        lines = [separator.join(_quoted(cell, separator) for cell in row) for row in (header, *self.rows)]
        return b"".join(line + newline.encode() for line in lines)

    def shuffled(self, chance: random.Random) -> "Sheet":
        return replace(self, rows=tuple(chance.sample(self.rows, len(self.rows))))


def _quoted(cell: bytes, separator: bytes) -> bytes:
    special = (b'"', b"\n", b"\r", separator)
    return b'"' + cell.replace(b'"', b'""') + b'"' if any(part in cell for part in special) else cell


Export = dict[str, Sheet]


def files_of(export: Export, site: Site) -> dict[str, bytes]:
    """The set: a file for each enabled element, with the delimiter its configuration names."""
    enabled = {element: sheet for element, sheet in export.items() if site.policy(element).enabled}
    return {f"{element}.csv": sheet.csv(site.policy(element).delimiter) for element, sheet in enabled.items()}


def shuffled(export: Export, chance: random.Random) -> Export:
    """The same records in another order."""
    return {element: sheet.shuffled(chance) for element, sheet in export.items()}


@st.composite
def exports_of(draw: st.DrawFn, company: Company, damaged: bool = True) -> Export:
    """The files of a company: some columns are not delivered, sometimes a record is damaged."""
    export = {}
    for element in ELEMENTS:
        columns = draw(_columns(element))
        rows = [tuple(cells.get(name, "").encode() for name in columns) for cells in company[element]]
        if damaged and rows and draw(mostly(False, True)):
            for at in draw(st.sets(st.integers(0, len(rows) - 1), min_size=1, max_size=2)):
                rows[at] = draw(st.sampled_from(DAMAGES))(rows[at])
        export[element] = Sheet(columns, tuple(rows))
    return export


def _columns(element: str) -> st.SearchStrategy[tuple[str, ...]]:
    """Required columns and `deleted`, and most of the others, in any order."""
    always = ["idnumber", *sorted((REQUIRED - {"idnumber"}) & set(POOLS[element])), "deleted"]
    optional = [name for name in POOLS[element] if name not in always]
    left_out = st.sets(st.sampled_from(optional), max_size=len(optional) // 2)
    chosen = left_out.map(lambda without: always + [name for name in optional if name not in without])
    return chosen.flatmap(lambda names: st.sampled_from((names, names[::-1]))).map(tuple)


def _ragged_short(row: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return row[:-1]


def _ragged_long(row: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (*row, b"more")


def _bad_byte(row: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (row[0] + b"\xff", *row[1:])


def _bad_last_byte(row: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (*row[:-1], row[-1] + b"\xc3")


def _control(row: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (*row[:-1], b"a\x00b")


def _blank_ends(row: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """An empty first and last cell: one of them is often the key."""
    return (b" ", *row[1:-1], b"")


def _long_start(row: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (row[0] + b"x" * 70_000, *row[1:])


DAMAGES: tuple[Callable[[tuple[bytes, ...]], tuple[bytes, ...]], ...]
DAMAGES = (_ragged_short, _ragged_long, _bad_byte, _bad_last_byte, _control, _blank_ends, _long_start)


def files_from_rows(element: str, rows: list[Cells], delimiter: str = ",") -> bytes:
    """One well-formed file from records that need not have the same columns."""
    columns = list(dict.fromkeys(name for cells in rows for name in cells))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns or sorted(REQUIRED & set(POOLS[element])), "", delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


# --- sites -----------------------------------------------------------------------------------------------------------


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """Configurations: mostly the defaults."""
    org, pos, user = (draw(policies(element)) for element in ELEMENTS)
    return Site(org, pos, user, incomplete="sync")


@st.composite
def policies(draw: st.DrawFn, element: str) -> Policy:
    ways = ("suspend", "delete") if element == "user" else ("hide", "delete")
    return Policy(
        contains_all_records=draw(mostly(True, False)),
        create=draw(mostly(True, False)),
        update=draw(mostly(True, False)),
        unreadable=draw(mostly("withhold", "proceed")),
        missing=draw(st.sampled_from((*ways, *ways, "keep"))),
        on_deleted=draw(st.sampled_from((None, *ways))),
        unknown_reference=draw(mostly("drop", "reject")),
        allow_duplicate_emails=draw(mostly(False, True)),
        empty=draw(mostly("keep", "erase")),
        delimiter=draw(mostly(",", ";")),
        customfields=PERSON_FIELDS if element == "user" else UNIT_FIELDS,
    )


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    """Limits that a company of six people meets."""
    some = st.sampled_from((None, None, "1%", "20%", "50%", "100%", 0, 1, 2))
    names = ("removed", "updated", "created", "key_changes", "moved", "manager_changes", "rejected")
    found = {f"max_{name}": draw(some) for name in names}
    return Limits(**found, min_records=draw(st.integers(1, 3)), on_exceed=draw(st.sampled_from(WAYS_TO_EXCEED)))


WAYS_TO_EXCEED = ("hold", "withhold-removals")


# --- zones -----------------------------------------------------------------------------------------------------------


@st.composite
def zones(draw: st.DrawFn) -> Zone:
    """What may stand before a run: records made by hand, too, and all states of coming and going."""
    zone = Zone()
    for element in UNITS:
        draw(_standing_units(zone.rows(element)))
    names, addresses = draw(_in_order_or_not(USERNAMES)), draw(_in_order_or_not(EMAILS))
    for key in draw(_some_of(PERSON_KEYS)):
        index = PERSON_KEYS.index(key)
        custom = {"badge": CODES[index], "level": "senior"} if draw(st.booleans()) else {}
        row = person(username=names[index], email=addresses[index], firstname="Ann", lastname="Lee", custom=custom)
        zone.people[key] = row | draw(st.sampled_from(PERSON_STATES))
        if zone.people[key]["deleted"]:  # what was theirs may be somebody else's by now
            zone.people[key] |= {"username": draw(st.sampled_from(USERNAMES)), "email": draw(st.sampled_from(EMAILS))}
        if draw(st.booleans()):
            zone.jobs[key] = draw(_standing_job(zone, key))
    return zone


PERSON_STATES: tuple[Row, ...] = (
    {},
    {},
    {},
    {"city": "Leeds"},
    {"lastname": "Lea"},
    {"managed": False},
    {"managed": False, "suspended": True},
    {"suspended": True},
    {"suspended": True, "suspended_by_feed": True},
    {"deleted": True},
    {"deleted": True, "suspended": True, "suspended_by_feed": True},
    {"deleted": True, "suspended": True},
)
UNIT_STATES: tuple[Row, ...] = (
    *({}, {}, {"shortname": "N"}, {"managed": False}, {"managed": False, "hidden": True}, {"hidden": True}),
    {"hidden": True, "hidden_by_feed": True},
)


@st.composite
def _standing_units(draw: st.DrawFn, rows: dict[str, Row]) -> None:
    for key in draw(_some_of(UNIT_KEYS)):
        custom = {"code": CODES[UNIT_KEYS.index(key)]} if draw(st.booleans()) else {}
        row = unit(fullname=f"Unit {key}", parent=draw(st.sampled_from([None, *rows])), custom=custom)
        rows[key] = row | draw(st.sampled_from(UNIT_STATES))


@st.composite
def _standing_job(draw: st.DrawFn, zone: Zone, key: str) -> Row:
    links = {element: draw(st.sampled_from([None, *zone.rows(element)])) for element in UNITS}
    others = [None, *(other for other in zone.people if other != key)]
    row = job(zone.people[key]["managed"], **links, manager=draw(st.sampled_from(others)))
    return row | draw(st.sampled_from(({}, {"start_date": "2026-03-01"}, {"end_date": "2026-10-31"})))


def _in_order_or_not(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    """Everybody has what the companies give them, or what another has there: the next set makes many swap."""
    return st.one_of(st.just(values), st.permutations(values).map(tuple))


# --- histories: what stands, and the sets that come one after the other ----------------------------------------------


@dataclass(frozen=True)
class History:
    """A site, what stands in it, and its next sets."""

    site: Site
    zone: Zone
    days: tuple[Export, ...]

    @property
    def sets(self) -> list[dict[str, bytes]]:
        return [files_of(export, self.site) for export in self.days]


@st.composite
def histories(draw: st.DrawFn, days: int = 3, damaged: bool = True) -> History:
    """A site with some next days of a company."""
    company, exports = draw(companies()), []
    for _ in range(draw(st.integers(1, days))):
        exports.append(draw(exports_of(company, damaged)))
        company = draw(next_days(company))
    zone = draw(st.one_of(st.just(Zone()), zones()))
    return History(draw(sites()), zone, (*exports, draw(exports_of(company, damaged))))


# --- what came up ----------------------------------------------------------------------------------------------------


def note_events(before: Zone, outcome: Outcome) -> None:
    """Tell hypothesis what this run met (`--hypothesis-show-statistics`)."""
    event(f"status {outcome.status}")
    found = codes(outcome.findings)
    notes = {
        "swap of usernames": _has_swap(before, outcome.zone, "username"),
        "swap of addresses": _has_swap(before, outcome.zone, "email"),
        "a name of one who went goes to another": _has_heir(before, outcome.zone),
        "cycle of units": any(code.endswith("parent.cycle") for code in found),
        "cycle of managers": found["user.manager.cycle"],
        "rejected chain (three rounds or more)": outcome.rounds > 2,
        "removals withheld": outcome.withheld,
        "removal refused": outcome.protected,
        "planned again more than once": outcome.plannings > 2,
        "somebody removed": any(counts["removed"] for counts in outcome.counts.values()),
        "somebody revived": any(counts["revived"] for counts in outcome.counts.values()),
    }
    for note, came_up in notes.items():
        if came_up:
            event(note)


def _has_swap(before: Zone, after: Zone, field: str) -> bool:
    old = {row[field]: key for key, row in before.people.items() if row[field] and not row["deleted"]}
    now = {row[field]: key for key, row in after.people.items() if row[field] and not row["deleted"]}
    moves = {(old[value], now[value]) for value in old.keys() & now.keys() if old[value] != now[value]}
    return any((to, source) in moves for source, to in moves)


def _has_heir(before: Zone, after: Zone) -> bool:
    went = {key for key, row in after.people.items() if row["deleted"] and not before.people[key]["deleted"]}
    names = {before.people[key]["username"] for key in went}
    return any(row["username"] in names and not row["deleted"] for row in after.people.values())


def without_lines(findings: list[Finding]) -> list[Finding]:
    """Findings as they compare between two orders of the same records."""
    return sorted(finding._replace(line=0) for finding in findings)
