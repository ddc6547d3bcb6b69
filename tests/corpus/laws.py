"""What must hold after every run of every case, whatever it is about (CONTRACT section 2)."""

from collections.abc import Iterator
from typing import Any

from .site import Tables

Row = dict[str, Any]
ACTIONS = ("created", "updated", "revived", "removed")


def books(count: Row) -> Iterator[str]:
    """Law 1: nothing is lost."""
    named = sum(count[name] for name in ("created", "updated", "unchanged", "revived", "rejected"))
    if count["read"] != named + count["removed"] - count["absent"]:
        yield f"law 1 is broken in {count['element']}: {count}"


def reasons(count: Row, findings: list[Row]) -> Iterator[str]:
    """Every rejected record has an error, every record with an error is rejected, and warnings are counted."""
    own = [finding for finding in findings if finding["element"] == count["element"]]
    wrong = {finding["line"] for finding in own if finding["severity"] == "error"}
    if len(wrong) != count["rejected"]:
        yield f"{count['element']}: {count['rejected']} rejected, but errors on lines {sorted(wrong)}"
    warnings = sum(finding["severity"] == "warning" for finding in own)
    if warnings != count["warnings"]:
        yield f"{count['element']}: {warnings} warnings, {count['warnings']} counted"


def history(count: Row, changes: list[Row]) -> Iterator[str]:
    """One row of history for each record that changed."""
    own = [change for change in changes if change["element"] == count["element"]]
    for action in ACTIONS:
        told = sum(change["action"] == action for change in own)
        if told != count[action]:
            yield f"{count['element']}: {count[action]} {action}, {told} in the history"
    if len({change["idnumber"] for change in own}) != len(own):
        yield f"{count['element']}: a record has two rows in the history of one run"


def causes(findings: list[Row]) -> Iterator[str]:
    """A cause is a finding of the same run, and has no cause itself: it is the root."""
    known = {finding["id"]: finding for finding in findings}
    for finding in findings:
        if finding["caused_by"] is None:
            continue
        cause = known.get(finding["caused_by"])
        if cause is None or cause["caused_by"] is not None:
            yield f"{finding['code']} on line {finding['line']}: its cause is no root"


def paths(tables: Tables) -> Iterator[str]:
    """Paths and depths follow from the parents, also below records made by hand."""
    for table in ("lz_org", "lz_pos"):
        units = {unit["id"]: unit for unit in tables.rows(f"SELECT * FROM {table}")}
        for unit in units.values():
            ids = _up(unit, units)
            if unit["path"] != "/" + "/".join(ids) + "/" or unit["depth"] != len(ids):
                where = f"path {unit['path']} and depth {unit['depth']}"
                yield f"{table}: {where} of {unit['idnumber']}, from the root {ids}"


def _up(unit: Row, units: dict[int, Row]) -> list[str]:
    ids: list[str] = []
    while unit and str(unit["id"]) not in ids:
        ids.insert(0, str(unit["id"]))
        unit = units.get(unit["parent_id"], {})
    return ids


KEYED = {
    "lz_org": "SELECT id, idnumber FROM lz_org",
    "lz_pos": "SELECT id, idnumber FROM lz_pos",
    "lz_user": "SELECT id, idnumber FROM lz_user",
    "lz_job": "SELECT j.id, u.idnumber FROM lz_job j JOIN lz_user u ON u.id = j.user_id WHERE j.managed",
}


class Ids:
    """Ids stay with their records, jobs with their people, and none is ever given twice."""

    def __init__(self) -> None:
        self.owners: dict[tuple[str, int], str] = {}
        self.stands: dict[tuple[str, str], int] = {}

    def look(self, tables: Tables) -> Iterator[str]:
        """Compare with what was seen before."""
        for table, query in KEYED.items():
            now = {(table, row["idnumber"]): row["id"] for row in tables.rows(query)}
            for (_, key), number in now.items():
                if self.owners.setdefault((table, number), key) != key:
                    yield f"{table}: id {number} belonged to {self.owners[table, number]}, now to {key}"
                if self.stands.get((table, key), number) != number:
                    yield f"{table}: {key} has another id"
            self.stands = {at: number for at, number in self.stands.items() if at[0] != table} | now
