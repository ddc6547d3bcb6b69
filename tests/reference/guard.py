"""The limits on a plan, read from CONTRACT section 10: who is too many, of whom, below which unit."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .model import UNITS, Limits, Row

if TYPE_CHECKING:
    from .engine import Plan

RECORDS = ("removed", "updated", "created", "key_changes", "moved", "manager_changes")


def stands(row: Row) -> bool:
    """A managed record that the feed has not let go before."""
    return bool(
        row["managed"] and not row.get("deleted") and not row.get("suspended_by_feed", row.get("hidden_by_feed"))
    )


def exceeded(plan: "Plan", element: str, only: tuple[str, ...] = (*RECORDS, "rejected")) -> list[str]:
    """The figures of an element that are over their limit, in the order of the contract."""
    limits, zone = plan.site.limits, plan.zone
    if limits is None or sum(map(stands, zone.rows(element).values())) < limits.min_records:
        return []
    return [figure for figure in only if _is_over(plan, element, figure, limits)]


def _is_over(plan: "Plan", element: str, figure: str, limits: Limits) -> bool:
    limit = limits.of(figure)
    if limit is None:
        return False
    if figure == "rejected":
        records = plan.readings[element].records
        return _more(sum(record in plan.verdicts.rejected for record in records), len(records), limit)
    places = [unit_of(plan, element, key) for key in _who(plan, element, figure)]
    rows = plan.zone.rows(element)
    standing = [unit_of(plan, element, key, before=True) for key, row in rows.items() if stands(row)]
    if _more(len(places), len(standing), limit):
        return True
    return any(
        standing.count(unit) >= limits.min_records and _more(places.count(unit), standing.count(unit), limit)
        for unit in set(places) - {None}
    )


def _more(count: int, base: int, limit: int | str) -> bool:
    return count > limit if isinstance(limit, int) else count * 100 > float(limit.removesuffix("%")) * base


def _who(plan: "Plan", element: str, figure: str) -> Iterator[str]:
    if figure == "removed":
        yield from plan.state.going[element]
        return
    acts = {key: plan.action(element, key) for key in {r.key for r in plan.state.accepted(element) if not r.deleted}}
    if figure == "created":
        yield from (key for key, action in acts.items() if action == "created")
        return
    updated = [key for key, action in acts.items() if action == "updated"]
    if figure == "moved" and element in UNITS:
        moved = {key for key in updated if _changed(plan, element, key, "parent")}
        zone = plan.zone.rows(element)
        yield from (key for key, row in zone.items() if stands(row) and moved & set(above(zone, key)))
        return
    fields = {"updated": None, "key_changes": ("username", "email"), "moved": ("org",), "manager_changes": ("manager",)}
    names = fields[figure]
    yield from (key for key in updated if names is None or any(_changed(plan, element, key, name) for name in names))


def _changed(plan: "Plan", element: str, key: str, name: str) -> bool:
    return _value(plan.zone.rows(element)[key], plan.zone.jobs.get(key), element, name) != _next(
        plan, element, key, name
    )


def _next(plan: "Plan", element: str, key: str, name: str) -> Any:
    version = plan.state.versions[element][key][0]
    return _value(version.row, version.job, element, name)


def _value(row: Row, its_job: Row | None, element: str, name: str) -> Any:
    if element == "user" and name in ("org", "manager"):
        return its_job[name] if its_job else None
    return row.get(name)


def unit_of(plan: "Plan", element: str, key: str, *, before: bool = False) -> str | None:
    """The unit of the first level below which a record stands or, if it has no unit yet, comes to; None for none."""
    tree = element if element in UNITS else "org"
    unit: str | None = key
    if element == "user":
        its_job = plan.zone.jobs.get(key)
        unit = its_job["org"] if its_job else None
        if unit is None and not before and plan.state.versions["user"].get(key):
            unit = _next(plan, "user", key, "org")
    return None if unit is None else _first_level(plan, tree, unit)


def _first_level(plan: "Plan", tree: str, unit: str) -> str | None:
    zone: dict[str, Row] = plan.zone.rows(tree)
    new = {key: versions[0].row for key, versions in plan.state.versions[tree].items() if key not in zone and versions}
    roots = [k for k, row in zone.items() if row["parent"] is None and stands(row) and not row["hidden"]]
    path = [k for k in above(zone | new, unit) if [k] != roots]
    return path[-1] if path else None


def above(rows: dict[str, Row], key: str) -> list[str]:
    """A unit and those above it, as far as they are there."""
    path = [key]
    while (parent := rows.get(path[-1], {}).get("parent")) and parent in rows and parent not in path:
        path.append(parent)
    return path
