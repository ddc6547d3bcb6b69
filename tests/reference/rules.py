"""What the checks judge in a state (section 2a): keys, values that only one may have, references, cycles, dates."""

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .model import UNITS, Finding, Row
from .reader import Record
from .state import NextState, Version


class Fault(NamedTuple):
    """A rule broken by a record, in one of its cells."""

    record: Record
    column: str
    code: str

    @property
    def finding(self) -> Finding:
        return Finding(self.record.element, self.record.line, self.column, self.code, self.record.key)


def faults(state: NextState) -> list[Fault]:
    """Every rule broken in this state."""
    found: list[Fault] = []
    for element in UNITS:
        found += parents(state, element)
    for element in ("org", "pos", "user"):
        found += unique_fields(state, element)
    found += names(state)
    found += units_of_people(state)
    found += managers(state)
    found += job_dates(state)
    return found


def key_faults(state: NextState) -> list[Fault]:
    """Keys that are there more than once (every copy), and keys that belong to records made by hand."""
    found = []
    for element, reading in state.readings.items():
        keyed = [record for record in reading.records if record.key]
        copies: dict[str, int] = {}
        for record in keyed:
            copies[record.key] = copies.get(record.key, 0) + 1
        found += [Fault(r, "idnumber", "key.duplicate") for r in keyed if copies[r.key] > 1]
        rows = state.zone.rows(element)
        for record in keyed:
            if not record.spoiled and record.key in rows and not rows[record.key]["managed"]:
                found.append(Fault(record, "idnumber", "key.unmanaged"))
    return found


# --- values that only one may have --------------------------------------------------------------------------------


def names(state: NextState) -> Iterator[Fault]:
    """Usernames and e-mail addresses, without case."""
    yield from _wanted_twice(state, "user", "username", lambda row: (row["username"] or "").lower() or None)
    if not state.site.user.allow_duplicate_emails:
        yield from _wanted_twice(state, "user", "email", lambda row: (row["email"] or "").casefold() or None)


def unique_fields(state: NextState, element: str) -> Iterator[Fault]:
    """Custom fields declared unique, compared exactly."""
    for column in state.columns[element].values():
        if column.place == "custom" and column.custom.unique:
            yield from _wanted_twice(state, element, column.name, _custom_value(column.field))


def _custom_value(name: str) -> Callable[[Row], str | None]:
    return lambda row: json.dumps(row["custom"][name]) if row["custom"].get(name) not in (None, "", []) else None


def _wanted_twice(
    state: NextState, element: str, column: str, value_of: Callable[[Row], str | None]
) -> Iterator[Fault]:
    """`duplicate`: records of different keys come to one value. `taken`: somebody else holds it and keeps it."""
    coming: dict[str, list[Record]] = {}
    keeping: dict[str, set[str]] = {}
    for key, version in state.all(element):
        copied, standing = _is_copied(state, element, key), state.zone.rows(element).get(key)
        if copied and standing and value_of(standing) and not standing.get("deleted"):
            keeping.setdefault(str(value_of(standing)), set()).add(key)  # none of the copies gives it up
        value = value_of(version.row)
        if value is None or version.row.get("deleted"):
            continue
        if version.record and _comes_to(standing, value, value_of):
            coming.setdefault(value, []).append(version.record)
        elif not copied:
            keeping.setdefault(value, set()).add(key)
    for value, records in coming.items():
        if len({record.key for record in records}) > 1:
            yield from (Fault(record, column, _code(column, "duplicate")) for record in records)
        else:
            others = keeping.get(value, set()) - {records[0].key}
            yield from (Fault(record, column, _code(column, "taken")) for record in records if others)


def _comes_to(standing: Row | None, value: str, value_of: Callable[[Row], str | None]) -> bool:
    return standing is None or bool(standing.get("deleted")) or value_of(standing) != value


def _code(column: str, what: str) -> str:
    return "value.unique" if column.startswith("customfield_") else f"user.{column}.{what}"


# --- references ---------------------------------------------------------------------------------------------------


def parents(state: NextState, element: str) -> Iterator[Fault]:
    """Parents that are the unit itself, are nowhere, go or have gone; and records whose new parent closes a cycle."""
    edges = _edges(state, element, lambda version: version.row["parent"])
    for record, version in state.spoken(element):
        parent = state.cells(record).get("parentidnumber")
        if parent == (state.zone.rows(element).get(record.key) or {}).get("parent") != record.key:
            continue  # nobody complains of the link that stands
        what = _wrong_parent(state, element, record.key, parent) if parent else ""
        if not what and _closes_cycle(state, record, version.row["parent"], edges):
            what = "cycle"
        if what:
            yield Fault(record, "parentidnumber", f"{element}.parent.{what}")


def _wrong_parent(state: NextState, element: str, key: str, parent: str) -> str:
    if parent == key:
        return "self"
    if state.has_unit(element, parent):
        return ""
    return "removed" if parent in state.zone.rows(element) else "unknown"


def units_of_people(state: NextState) -> Iterator[Fault]:
    """Units and positions that are nowhere, go or have gone."""
    for record, _version in state.spoken("user"):
        for element in UNITS:
            named = state.cells(record).get(f"{element}idnumber")
            if named == (state.zone.jobs.get(record.key) or {}).get(element):
                continue  # nobody complains of the link that stands
            if named and not state.has_unit(element, named):
                yield Fault(record, f"{element}idnumber", f"user.{element}.unknown")


def managers(state: NextState) -> Iterator[Fault]:
    """Managers and appraisers: any row counts, also of people who went. Only managers can go round in a circle."""
    edges = _edges(state, "user", _manager_of)
    for record, version in state.spoken("user"):
        for what in ("manager", "appraiser"):
            named = state.cells(record).get(f"{what}idnumber")
            if named == record.key:
                yield Fault(record, f"{what}idnumber", f"user.{what}.self")
            elif named and named not in state.versions["user"]:
                yield Fault(record, f"{what}idnumber", f"user.{what}.unknown")
            elif what == "manager" and _closes_cycle(state, record, _manager_of(version), edges):
                yield Fault(record, "manageridnumber", "user.manager.cycle")


def _manager_of(version: Version) -> str | None:
    return version.job["manager"] if version.job else None


def _edges(state: NextState, element: str, link_of: Callable[[Version], str | None]) -> dict[str, set[str]]:
    """Who refers to whom in this state. A self reference is a fault of its own, and no way round."""
    edges: dict[str, set[str]] = {}
    for key, version in state.all(element):
        link = _standing_link(state, element, key) if _is_copied(state, element, key) else link_of(version)
        if link and link != key:
            edges.setdefault(key, set()).add(link)
    return edges


def _standing_link(state: NextState, element: str, key: str) -> str | None:
    if element == "user":
        return (state.zone.jobs.get(key) or {}).get("manager")
    return (state.zone.rows(element).get(key) or {}).get("parent")


def _is_copied(state: NextState, element: str, key: str) -> bool:
    """Whether the key is there more than once: none of its records makes a circle, since all will be rejected."""
    return key in state.copied.get(element, ())


def _closes_cycle(state: NextState, record: Record, link: str | None, edges: dict[str, set[str]]) -> bool:
    """Whether the record's own, changed link leads back to it."""
    standing = _standing_link(state, record.element, record.key)
    if link in (None, standing, record.key) or _is_copied(state, record.element, record.key):
        return False
    return record.key in _reached(str(link), edges)


def _reached(start: str, edges: dict[str, set[str]]) -> set[str]:
    reached, open_ends = {start}, [start]
    while open_ends:
        new = edges.get(open_ends.pop(), set()) - reached
        reached |= new
        open_ends += new
    return reached


# --- jobs ---------------------------------------------------------------------------------------------------------


def job_dates(state: NextState) -> Iterator[Fault]:
    """A job that would end before it starts: the end goes that the record brings, otherwise the start."""
    for record, version in state.spoken("user"):
        start, end = (version.job or {}).get("start_date"), (version.job or {}).get("end_date")
        if start and end and start > end:
            cells = state.cells(record)
            brought = [name for name in ("jobassignmentenddate", "jobassignmentstartdate") if cells.get(name)]
            yield from (Fault(record, name, "user.job.dates") for name in brought[:1])


def inactive_managers(state: NextState) -> Iterator[Fault]:
    """Links to a manager who is suspended or deleted in this state: told, and kept."""
    for record, version in state.spoken("user"):
        manager = _manager_of(version) or ""
        if state.cells(record).get("manageridnumber") != manager:
            continue  # the record names nobody, or names somebody whose link was dropped
        if any(v.row["suspended"] or v.row["deleted"] for v in state.versions["user"].get(manager, [])):
            yield Fault(record, "manageridnumber", "user.manager.inactive")


# --- units that are in use ----------------------------------------------------------------------------------------


def units_in_use(state: NextState) -> set[tuple[str, str]]:
    """The units that would go but can't: something that stays holds them, or they are above such a unit."""
    found: set[tuple[str, str]] = set()
    for element in UNITS:
        held = _held(state, element, state.going[element])
        above = {ancestor for key in held for ancestor in _ancestors(state, element, key)}
        found |= {(element, key) for key in held | (above & set(state.going[element]))}
    return found


def units_no_longer_in_use(state: NextState, released: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Refused removals whose reason went away with the refusal, and that were not let go before."""
    found: set[tuple[str, str]] = set()
    for element in UNITS:
        kept = {key for kind, key in state.verdicts.protected - released if kind == element}
        ways = {key: way for key, way in state.would_go(element).items() if key in kept}
        found |= {(element, key) for key in ways.keys() - _held(state, element, ways)}
    return found


def _held(state: NextState, element: str, goers: dict[str, str]) -> set[str]:
    """Goers held by a child that stays (for hiding: one the feed does not hide), or the job of somebody who stays.

    Whom the feed suspended has gone, and does not keep a unit from being hidden. Deleting it would leave their open
    job, which a suspension does not change, without its unit: so it stays for them.
    """
    children = list(state.all(element))
    any_child = {v.row["parent"] for key, v in children if v.row["parent"] != key}
    visible_child = {v.row["parent"] for key, v in children if v.row["parent"] != key and not v.row["hidden_by_feed"]}
    people = [v for _, v in state.all("user") if v.job and not v.row["deleted"]]
    anybody = {v.job[element] for v in people if v.job}
    staying = {v.job[element] for v in people if v.job and not v.row["suspended_by_feed"]}
    holders = {"delete": any_child | anybody, "hide": visible_child | staying}
    return {key for key, way in goers.items() if key in holders[way]}


def _ancestors(state: NextState, element: str, key: str) -> list[str]:
    """The units above in the next state; above a unit that would be deleted, as it stands."""
    standing = {unit: row["parent"] for unit, row in state.zone.rows(element).items()}
    above = standing | {unit: version.row["parent"] for unit, version in state.all(element)}
    path = [key]
    while (parent := above.get(path[-1])) and parent not in path:
        path.append(parent)
    return path[1:]
