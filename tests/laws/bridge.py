"""Between the reference implementation and the real one: the same site, zone and sets on both sides."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lzsyncd.config import Site, parse
from lzsyncd.sync.ending import Result
from lzsyncd.sync.run import Options, sync_folder
from lzsyncd.zone.database import Database, opened
from tests.reference import model
from tests.reference.model import ELEMENTS, JOB_FIELDS, PERSON_FIELDS, UNIT_FIELDS, UNITS, Finding, Zone

A_DAY = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LINKS = ("org", "pos", "manager", "appraiser")


def options(**more: Any) -> Options:
    return Options(clock=lambda: A_DAY, **more)


def site_of(policy: model.Site, folder: Path, database: str) -> Site:
    """The site that a reference configuration describes."""
    lines = [
        f'[daemon]\ndata_dir = "{folder}"',
        "[sites.acme]",
        f'database = "{database}"',
        f'timezone = "{policy.timezone}"',
        f'incomplete = "{policy.incomplete}"',
    ]
    if policy.limits:
        limits = {name: "none" if value is None else value for name, value in vars(policy.limits).items()}
        lines += ["[sites.acme.guard]", "lost_column = false", *(f"{n} = {json.dumps(v)}" for n, v in limits.items())]
    for element in ELEMENTS:
        lines += _element_lines(element, policy.policy(element))
    return parse("\n".join(lines)).sites["acme"]


def _element_lines(element: str, policy: model.Policy) -> list[str]:
    lines = [f"[sites.acme.{element}]"]
    names = ["enabled", "contains_all_records", "create", "update", "unreadable", "missing", "empty", "delimiter"]
    if element == "user":
        names += ["unknown_reference", "allow_duplicate_emails"]
    lines += [f"{name} = {json.dumps(getattr(policy, name))}" for name in names]
    lines.append(f"date_formats = {json.dumps(policy.date_formats)}")
    if policy.on_deleted:
        lines.append(f'on_deleted = "{policy.on_deleted}"')
    if policy.columns:
        lines.append(f"[sites.acme.{element}.columns]")
        lines += [f"{json.dumps(name)} = {json.dumps(ours)}" for name, ours in policy.columns.items()]
    for name, custom in policy.customfields.items():
        lines.append(f"[sites.acme.{element}.customfields.{name}]")
        lines.append(f'type = "{custom.type}"')
        lines += [f"{flag} = true" for flag in ("required", "unique") if getattr(custom, flag)]
        lines += [f"options = {json.dumps(custom.options)}"] if custom.options else []
        lines += [f"default = {json.dumps(custom.default)}"] if custom.default else []
    return lines


def run_set(site: Site, folder: Path, files: dict[str, bytes], **more: Any) -> Result:
    """Sync one set."""
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (result,) = sync_folder(site, folder, options(**more))
    return result


def put_zone(site: Site, zone: Zone) -> None:
    """Write what stands into the site's tables."""
    with opened(site) as database, database.transaction():
        for element in UNITS:
            for key, row in zone.rows(element).items():
                _insert(database, f"lz_{element}", row, {"idnumber": key}, UNIT_FIELDS[:-1])
            for key, row in zone.rows(element).items():
                if row["parent"]:
                    above = _id(database, element, row["parent"])
                    database.run(f"UPDATE lz_{element} SET parent_id = ? WHERE idnumber = ?", (above, key))
        for key, row in zone.people.items():
            _insert(database, "lz_user", row, {"idnumber": key}, PERSON_FIELDS)
        for key, row in zone.jobs.items():
            links = {f"{name}_id": _id(database, _element(name), row[name]) for name in LINKS}
            _insert(database, "lz_job", row, links | {"user_id": _id(database, "user", key)}, JOB_FIELDS[:4])


def _element(link: str) -> str:
    return link if link in UNITS else "user"


def _id(database: Database, element: str, key: str | None) -> int | None:
    return None if key is None else database.value(f"SELECT id FROM lz_{element} WHERE idnumber = ?", (key,))


def _insert(database: Database, table: str, row: model.Row, more: dict[str, Any], fields: tuple[str, ...]) -> None:
    flags = ("managed", "hidden", "hidden_by_feed", "suspended", "suspended_by_feed", "deleted")
    values = more | {name: row[name] for name in fields} | {name: row[name] for name in flags if name in row}
    if "custom" in row:
        values["custom"] = json.dumps(row["custom"])
    marks = ", ".join("?" * len(values))
    database.run(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))


def get_zone(site: Site) -> Zone:
    """What stands, by keys; empty texts as nothing."""
    zone = Zone()
    with opened(site) as database:
        keys = {e: dict(database.rows(f"SELECT id, idnumber FROM lz_{e}")) for e in ELEMENTS}
        for element in UNITS:
            flags = ("managed", "hidden", "hidden_by_feed")
            for row in _rows(database, f"lz_{element}", (*UNIT_FIELDS[:-1], *flags, "custom", "idnumber", "parent_id")):
                parent = keys[element].get(row.pop("parent_id"))
                key = row.pop("idnumber")
                zone.rows(element)[key] = _tidy(row, flags) | {"parent": parent}
        flags = ("managed", "suspended", "suspended_by_feed", "deleted", "emailstop")
        for row in _rows(database, "lz_user", tuple(dict.fromkeys((*PERSON_FIELDS, *flags, "custom", "idnumber")))):
            key = row.pop("idnumber")
            zone.people[key] = _tidy(row, flags)
        columns = (*JOB_FIELDS[:4], "managed", "user_id", *(f"{name}_id" for name in LINKS))
        for row in _rows(database, "lz_job", columns):
            links = {name: keys[_element(name)].get(row.pop(f"{name}_id")) for name in LINKS}
            key = keys["user"][row.pop("user_id")]
            zone.jobs[key] = _tidy(row, ("managed",)) | links
    return zone


def _rows(database: Database, table: str, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    found = database.rows(f"SELECT {', '.join(columns)} FROM {table} ORDER BY id")
    return [dict(zip(columns, row, strict=True)) for row in found]


def _tidy(row: dict[str, Any], flags: tuple[str, ...]) -> dict[str, Any]:
    row = {name: (None if value == "" else value) for name, value in row.items()}
    if "custom" in row:
        row["custom"] = json.loads(row["custom"])
    return row | {name: None if row[name] is None else bool(row[name]) for name in flags}


def normal(zone: Zone) -> Zone:
    """A zone as `get_zone` gives it: empty texts as nothing."""
    tables = (zone.org, zone.pos, zone.people, zone.jobs)
    return Zone(*({k: {n: None if v == "" else v for n, v in row.items()} for k, row in t.items()} for t in tables))


def findings_of(site: Site, run_id: str) -> list[Finding]:
    """The findings of a run, as the reference tells them."""
    with opened(site) as database:
        rows = database.rows(
            "SELECT coalesce(element, ''), coalesce(line, 0), coalesce(column_name, ''), code, coalesce(idnumber, '') "
            "FROM sync_error WHERE run_id = ?",
            (run_id,),
        )
    return sorted(Finding(*row) for row in rows)


def expected_findings(findings: list[Finding]) -> list[Finding]:
    """The reference's findings; a key that is too long is no key, so the real ones do not give it."""
    return sorted(
        f._replace(idnumber="") if (f.code, f.column) == ("value.too_long", "idnumber") else f for f in findings
    )


__all__ = ["A_DAY", "findings_of", "get_zone", "normal", "options", "put_zone", "replace", "run_set", "site_of"]
