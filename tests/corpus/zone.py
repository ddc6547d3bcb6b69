"""What stands in a site, with keys instead of ids, and how it is compared with what a case expects."""

import json
from datetime import datetime
from typing import Any

from .site import Tables

UNITS = """
SELECT u.*, u.framework AS frameworkidnumber, u.type AS typeidnumber, p.idnumber AS parentidnumber
FROM lz_{element} u LEFT JOIN lz_{element} p ON p.id = u.parent_id
"""
PEOPLE = """
SELECT u.*, j.idnumber AS jobassignmentidnumber, j.fullname AS jobassignmentfullname,
    j.start_date AS jobassignmentstartdate, j.end_date AS jobassignmentenddate, j.id AS job_id,
    o.idnumber AS orgidnumber, p.idnumber AS posidnumber, m.idnumber AS manageridnumber, a.idnumber AS appraiseridnumber
FROM lz_user u LEFT JOIN lz_job j ON j.user_id = u.id AND j.managed
LEFT JOIN lz_org o ON o.id = j.org_id LEFT JOIN lz_pos p ON p.id = j.pos_id
LEFT JOIN lz_user m ON m.id = j.manager_id LEFT JOIN lz_user a ON a.id = j.appraiser_id
"""
ZONE_TABLES = ("lz_org", "lz_pos", "lz_user", "lz_job", "lz_audience", "lz_audience_member", "lz_assignment")

Zone = dict[str, dict[str, dict[str, Any]]]


def read_zone(tables: Tables) -> Zone:
    """Every record that stands, by element and key; paths as keys from the root."""
    zone = {element: _by_key(tables.rows(UNITS.format(element=element))) for element in ("org", "pos")}
    for units in zone.values():
        names = {str(unit["id"]): key for key, unit in units.items()}
        for unit in units.values():
            unit["path"] = "/".join(names.get(part, "?") for part in unit["path"].strip("/").split("/"))
    zone["user"] = _by_key(tables.rows(PEOPLE))
    return zone


def _by_key(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    for row in rows:
        row["custom"] = json.loads(row["custom"])
    return {row["idnumber"]: row for row in rows}


def copy_of(tables: Tables) -> dict[str, list[str]]:
    """The site's tables, row by row, to see whether anything at all has changed."""
    return {name: sorted(map(str, tables.rows(f"SELECT * FROM {name}"))) for name in ZONE_TABLES}


def same(expected: Any, actual: Any) -> bool:
    """Whether a field is as expected: "" is nothing, "*" is anything; only named members are compared."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(_same_member(value, actual.get(key)) for key, value in expected.items())
    if expected == "":
        return actual in (None, "", [])
    if expected == "*":
        return actual not in (None, "", [])
    if isinstance(expected, bool):  # SQLite has no booleans of its own
        return actual is not None and bool(actual) == expected
    return bool(expected == actual) or _same_moment(expected, actual)


def _same_member(expected: Any, actual: Any) -> bool:
    """Members of `custom` have JSON types: true is neither 1 nor "1". Members that are not named are not compared."""
    return isinstance(expected, bool) == isinstance(actual, bool) and same(expected, actual)


def _same_moment(expected: Any, actual: Any) -> bool:
    try:
        moments = [datetime.fromisoformat(text) for text in (expected, actual)]
    except (TypeError, ValueError):
        return False
    return all(moment.tzinfo for moment in moments) and moments[0] == moments[1]
