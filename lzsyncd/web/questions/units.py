"""Units as trees, and audiences."""

from typing import Any, NamedTuple

from lzsyncd.feed.elements import Element
from lzsyncd.web.questions.slices import COUNTED, ROWS, Listing, Slice, look, unit_names
from lzsyncd.zone.database import Database
from lzsyncd.zone.dialect import Row

MEMBERS_COUNTED = 200_000  # of all audiences together: some hundredths of a second


class UnitLine(NamedTuple):
    """A unit in the tree; counts up to `COUNTED`."""

    id: int
    idnumber: str | None
    fullname: str
    hidden: bool
    managed: bool
    children: int
    people: int


def units(database: Database, element: Element, parent: int, after: int = 0) -> Slice[UnitLine]:
    """The units below one, or the roots for 0."""
    where = "parent_id = ?" if parent else "parent_id IS NULL"
    children = f"SELECT 1 FROM lz_{element} c WHERE c.parent_id = u.id LIMIT {COUNTED}"
    holders = f"SELECT 1 FROM lz_job j WHERE j.{element}_id = u.id LIMIT {COUNTED}"
    counts = ", ".join(f"(SELECT count(*) FROM ({those}) AS few)" for those in (children, holders))
    listing = Listing(
        f"id, idnumber, fullname, hidden, managed, {counts}",
        f"FROM lz_{element} u WHERE {where}",
        [parent] if parent else [],
        "id",
    )
    found = look(database, listing, after)
    return Slice([UnitLine._make(row) for row in found.rows], found.after)


UNIT_COLUMNS = (
    *("id", "idnumber", "fullname", "shortname", "description", "framework", "type", "parent_id", "path", "custom"),
    *("managed", "hidden", "created_at", "updated_at"),
)


def unit_row(database: Database, element: Element, number: int) -> dict[str, Any]:
    """All of a unit by column, {} where there is none."""
    found = database.rows(f"SELECT {', '.join(UNIT_COLUMNS)} FROM lz_{element} WHERE id = ?", (number,))
    return dict(zip(UNIT_COLUMNS, found[0])) if found else {}


def above(database: Database, element: Element, path: str) -> list[tuple[int, str]]:
    """A unit and those above it, from the root on: (id, full name)."""
    ids = [int(part) for part in path.split("/") if part]
    names = unit_names(database, element, ids)
    return [(number, names.get(number, "")) for number in ids]


def find_units(database: Database, element: Element, text: str) -> list[Row]:
    """Units of that key first, then those in whose name it occurs: (id, idnumber, fullname)."""
    named = f"{database.dialect.place('lower(fullname)', 'lower(?)')} > 0"
    query = (
        f"SELECT id, idnumber, fullname FROM lz_{element} WHERE idnumber = ? OR {named} "
        f"ORDER BY CASE WHEN idnumber = ? THEN 0 ELSE 1 END, id LIMIT {ROWS}"
    )
    return database.rows(query, (text, text, text))


_AUDIENCES = """
SELECT a.id, a.name, a.rule, a.frozen,
    (SELECT count(*) FROM (SELECT 1 FROM lz_audience_member m WHERE m.audience_id = a.id LIMIT ?) AS few)
FROM lz_audience a
"""


def audiences(database: Database) -> tuple[list[Row], int]:
    """Every audience: (id, name, rule, frozen, members), and up to how many members were counted of each.

    All of two hundred audiences would be millions.
    """
    number = int(database.value("SELECT count(*) FROM lz_audience"))
    counted = max(COUNTED, MEMBERS_COUNTED // (number or 1))
    return database.rows(f"{_AUDIENCES} ORDER BY a.name", (counted,)), counted


def audience(database: Database, number: int) -> Row | None:
    """One audience in the same way; members up to `MEMBERS_COUNTED`."""
    found = database.rows(f"{_AUDIENCES} WHERE a.id = ?", (MEMBERS_COUNTED, number))
    return found[0] if found else None


def members(database: Database, audience: int, after: int = 0) -> Slice[Row]:
    """Who is in an audience: (id, idnumber, name, since)."""
    listing = Listing(
        "u.id AS id, u.idnumber, u.firstname || ' ' || u.lastname, m.since",
        "FROM lz_audience_member m JOIN lz_user u ON u.id = m.user_id WHERE m.audience_id = ?",
        [audience],
        "m.user_id",
    )
    return look(database, listing, after)


def audiences_of(database: Database, number: int) -> list[Row]:
    """In which audiences a person is: (id, name, since, rule)."""
    return database.rows(
        "SELECT a.id, a.name, m.since, a.rule FROM lz_audience_member m JOIN lz_audience a ON a.id = m.audience_id "
        "WHERE m.user_id = ? ORDER BY a.name",
        (number,),
    )


def assignments_of(database: Database, number: int) -> list[Row]:
    """What a person has to learn: (item, audience, assigned_at, due_at), without what was taken away."""
    return database.rows(
        "SELECT s.item, a.name, s.assigned_at, s.due_at FROM lz_assignment s "
        "JOIN lz_audience a ON a.id = s.audience_id WHERE s.user_id = ? AND s.removed_at IS NULL ORDER BY s.item",
        (number,),
    )


def membership_steps(database: Database, idnumber: str) -> list[Row]:
    """When a person joined or left what, and why: (run, audience, action, reason), newest first."""
    return database.rows(
        "SELECT m.run_id, coalesce(a.name, ''), m.action, m.reason FROM sync_member m "
        f"LEFT JOIN lz_audience a ON a.id = m.audience_id WHERE m.idnumber = ? ORDER BY m.run_id DESC LIMIT {ROWS}",
        (idnumber,),
    )
