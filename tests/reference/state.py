"""The state a zone would have after the run (section 2a): accepted records over what stands, those who go gone.

A key has one version in this state, none when its row goes for good, or several while copies of one key are still
accepted in the first round. What exists, holds a value or refers to something does so in any of its versions.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from .columns import Column, columns_of
from .model import ELEMENTS, JOB_FIELDS, Row, Site, Zone, job, person, unit
from .reader import Reading, Record
from .values import read_value


@dataclass
class Version:
    """A row of the next state, a person's with the job. `record` is the one that speaks in it, None where none does."""

    row: Row
    job: Row | None = None
    record: Record | None = None


@dataclass
class Verdicts:
    """What earlier rounds and plannings took away."""

    rejected: set[Record] = field(default_factory=set)
    dropped: set[tuple[Record, str]] = field(default_factory=set)
    protected: set[tuple[str, str]] = field(default_factory=set)
    guarded: set[str] = field(default_factory=set)


class NextState:
    """The next state under given verdicts."""

    def __init__(self, zone: Zone, readings: dict[str, Reading], site: Site, today: date, verdicts: Verdicts) -> None:
        self.zone, self.readings, self.site, self.verdicts = zone, readings, site, verdicts
        self.today = today.isoformat()
        self.columns = {e: {c.name: c for c in columns_of(e, site.policy(e)).values()} for e in ELEMENTS}
        self._cells: dict[Record, dict[str, Any]] = {}
        self.copied = {element: reading.copied for element, reading in readings.items()}
        self.going = {element: self._going(element) for element in ELEMENTS}
        self.versions = {element: self._versions(element) for element in ELEMENTS}

    # --- who goes -------------------------------------------------------------------------------------------------

    def _going(self, element: str) -> dict[str, str]:
        """Those who go, and how: without those whose removal is refused or withheld."""
        if self.is_withheld(element):
            return {}
        kept = self.verdicts.protected
        return {key: way for key, way in self.would_go(element).items() if (element, key) not in kept}

    def is_withheld(self, element: str) -> bool:
        """Law 3: a key could not be read, and it may be anybody's. Or the guard: too many would go."""
        if element in self.verdicts.guarded:
            return True
        reading = self.readings.get(element)
        return bool(reading and reading.has_unreadable_key and self.site.policy(element).unreadable == "withhold")

    def would_go(self, element: str) -> dict[str, str]:
        """The managed records that the file asks to go and that are not gone in that way already."""
        reading, policy = self.readings.get(element), self.site.policy(element)
        if reading is None or reading.mended:
            return {}
        named = reading.named
        asked = {r.key for r in self.accepted(element) if r.deleted and r.key not in reading.copied}
        going = {}
        for key, row in self.zone.rows(element).items():
            way = "keep"
            if key in asked:
                way = self.site.way_of_the_deleted(element)
            elif key not in named and policy.contains_all_records:
                way = policy.missing
            if row["managed"] and _would_change(row, way):
                going[key] = way
        return going

    # --- who speaks -----------------------------------------------------------------------------------------------

    def accepted(self, element: str) -> list[Record]:
        """The records of the file that are still accepted."""
        records = self.readings[element].records if element in self.readings else []
        return [r for r in records if not r.spoiled and r not in self.verdicts.rejected]

    def role(self, record: Record) -> str:
        """What an accepted record is about: "goes", "new", "return", "update", or "left out" by a switch."""
        standing, policy = self.zone.rows(record.element).get(record.key), self.site.policy(record.element)
        if record.deleted:
            return "goes"
        if standing is None or is_away(standing):
            role = "new" if standing is None else "return"
            return role if policy.create else "left out"
        return "update" if policy.update else "left out"

    def cells(self, record: Record) -> dict[str, Any]:
        """What an accepted record says, without dropped links. Under `update = false`, nothing of standing records."""
        if record not in self._cells:
            silent = record.key in self.zone.rows(record.element) and not self.site.policy(record.element).update
            said, dropped = {} if silent else record.cells, self.verdicts.dropped
            self._cells[record] = {name: value for name, value in said.items() if (record, name) not in dropped}
        return self._cells[record]

    # --- versions -------------------------------------------------------------------------------------------------

    def _versions(self, element: str) -> dict[str, list[Version]]:
        records: dict[str, list[Record]] = {}
        for record in self.accepted(element):
            records.setdefault(record.key, []).append(record)
        versions: dict[str, list[Version]] = {}
        for key in [*self.zone.rows(element), *(k for k in records if k not in self.zone.rows(element))]:
            found = [self._version(element, key, record) for record in records.get(key, [None])]
            if found := [version for version in found if version]:
                versions[key] = found
        return versions

    def _version(self, element: str, key: str, record: Record | None) -> Version | None:
        role = self.role(record) if record else "absent"
        if record and role in ("new", "return", "update"):
            return self._next_person(record) if element == "user" else self._next_unit(record)
        if key not in self.zone.rows(element):
            return None
        if role == "left out" or key not in self.going[element]:
            return Version(self.zone.rows(element)[key], self.zone.jobs.get(key) if element == "user" else None)
        if element == "user":
            return self._gone_person(key)
        return self._gone_unit(element, key)

    def _gone_unit(self, element: str, key: str) -> Version | None:
        if self.going[element][key] == "delete":
            return None
        return Version(self.zone.rows(element)[key] | {"hidden": True, "hidden_by_feed": True})

    def _gone_person(self, key: str) -> Version:
        """Deleting keeps the row and ends the job; suspending changes nothing else."""
        row, its_job = self.zone.people[key], self.zone.jobs.get(key)
        if self.going["user"][key] == "suspend":
            return Version(row | {"suspended": True, "suspended_by_feed": True}, its_job)
        if its_job and not (its_job["end_date"] and its_job["end_date"] < self.today):
            its_job = its_job | {"end_date": self.today}
        return Version(row | {"deleted": True}, its_job)

    def _next_unit(self, record: Record) -> Version:
        standing = self.zone.rows(record.element).get(record.key)
        row = self._filled(record, standing or unit(), "row")
        if row["hidden_by_feed"]:
            row |= {"hidden": False, "hidden_by_feed": False}
        return Version(row, record=record)

    def _next_person(self, record: Record) -> Version:
        standing = self.zone.people.get(record.key)
        row = self._filled(record, standing or person(), "row") | {"deleted": False}
        if "suspended" in record.cells:  # explicit, and it wins: also in a return under `update = false`
            row |= {"suspended": record.cells["suspended"], "suspended_by_feed": False}
        elif row["suspended_by_feed"]:
            row |= {"suspended": False, "suspended_by_feed": False}
        return Version(row, self._next_job(record), record)

    def _next_job(self, record: Record) -> Row | None:
        """A job is there once a job cell said something. Coming back from deletion takes its end away."""
        standing = self.zone.jobs.get(record.key)
        if standing and self.zone.people[record.key]["deleted"]:
            standing = standing | {"end_date": None}
        filled = self._filled(record, standing or job(), "job")
        return filled if standing or any(filled[name] is not None for name in JOB_FIELDS) else None

    def _filled(self, record: Record, before: Row, place: str) -> Row:
        """A row with what the record says about it."""
        row = dict(before)
        for name, value in self.cells(record).items():
            column = self.columns[record.element][name]
            if column.place == place:
                row[column.field] = value
        if place == "row":
            row["custom"] = self._custom(record, row["custom"])
        return row

    def _custom(self, record: Record, before: dict[str, Any]) -> dict[str, Any]:
        """Custom fields. A default fills what a new record says nothing about; a cell that erases says something
        (law 4: the second run, for which the record is not new, must not take the default away again).
        """
        custom, cells, is_new = dict(before), self.cells(record), self.role(record) == "new"
        for column in self.columns[record.element].values():
            if column.place == "custom" and column.name in cells:
                custom[column.field] = cells[column.name]
            elif column.place == "custom" and is_new:
                custom[column.field] = self._default(column, record.element)
        return {name: value for name, value in custom.items() if value is not None}

    def _default(self, column: Column, element: str) -> Any:
        text = column.custom.default
        return read_value(column, text, self.site.policy(element), self.site).value if text else None

    # --- looking around -------------------------------------------------------------------------------------------

    def all(self, element: str) -> Iterator[tuple[str, Version]]:
        """Every version of every row that is there."""
        for key, versions in self.versions[element].items():
            for version in versions:
                yield key, version

    def spoken(self, element: str) -> Iterator[tuple[Record, Version]]:
        """The versions that a record of the file speaks in."""
        for _key, version in self.all(element):
            if version.record:
                yield version.record, version

    def has_unit(self, element: str, key: str) -> bool:
        """Whether a unit can be referred to: it is there, and the feed does not hide it."""
        return any(not version.row["hidden_by_feed"] for version in self.versions[element].get(key, []))


def is_away(row: Row) -> bool:
    """Whether a record in the file brings this row back: deleted, or suspended or hidden by the feed."""
    return row.get("deleted") or row.get("suspended_by_feed") or row.get("hidden_by_feed") or False


def _would_change(row: Row, way: str) -> bool:
    """Whether going in this way changes anything: nobody goes twice the same way."""
    if way == "delete":
        return not row.get("deleted")
    if way == "suspend":
        return not row["deleted"] and not row["suspended"]
    return way == "hide" and not row["hidden"]
