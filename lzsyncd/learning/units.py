"""Units and positions as they will be, and what the keys and names that rules give stand for."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeVar

from lzsyncd.feed.elements import Element
from lzsyncd.learning.rules import Condition, Operator
from lzsyncd.sync.picture import UNITS, Picture

MANY_NAMES = 400  # in one query
T = TypeVar("T")


def find_next_units(picture: Picture, conditions: Collection[Condition]) -> None:
    """Fill `next_org` and `next_pos` (id, idnumber, parent_id, hidden, was, path), and what lies below whom.

    Paths are only worth their time where a rule has `under`; `was` is the path that stands.
    """
    for e in UNITS:
        picture.database.table_of(f"next_{e}", _next(e))
        picture.database.run(f"CREATE UNIQUE INDEX next_{e}_id ON next_{e} (id)")
        if is_asked(e, Operator.UNDER, conditions):
            _make_paths(picture, e)


def is_asked(e: Element, operator: Operator, conditions: Iterable[Condition]) -> bool:
    """Whether a condition asks this of units, or of positions."""
    return any(condition.field.name == e and condition.operator is operator for condition in conditions)


def _next(e: Element) -> str:
    """Who stands, with accepted records over them, without those who go; and who is new."""
    parent = "CASE WHEN m.parent IS NOT NULL THEN NULLIF(m.parent, 0) ELSE u.parent_id END"
    return (
        f"SELECT u.id, u.idnumber, {parent} AS parent_id, "
        "coalesce(g.how = 'hide', FALSE) OR (u.hidden AND NOT (u.hidden_by_feed AND m.id IS NOT NULL)) AS hidden, "
        f"u.path AS was, u.path AS path FROM lz_{e} u LEFT JOIN match_{e} m ON m.id = u.id AND NOT m.goes "
        f"LEFT JOIN going_{e} g ON g.id = u.id "
        "WHERE g.how IS NULL OR g.how <> 'delete' UNION ALL "
        f"SELECT m.id, m.idnumber, NULLIF(m.parent, 0), FALSE, '', '' FROM match_{e} m "
        "WHERE m.sid IS NULL AND NOT m.goes"
    )


def _make_paths(picture: Picture, e: Element) -> None:
    """The paths as they will be: who moves in this run has another one afterwards, with everything below."""
    database = picture.database
    if database.value(
        f"SELECT 1 FROM next_{e} n LEFT JOIN next_{e} p ON p.id = n.parent_id "
        "WHERE n.path <> coalesce(p.path, '/') || n.id || '/' LIMIT 1"
    ):
        _make_anew(picture, e)
    database.run(f"CREATE INDEX next_{e}_path ON next_{e} (path, id)")


def _make_anew(picture: Picture, e: Element) -> None:
    picture.database.run(f"CREATE INDEX next_{e}_parent ON next_{e} (parent_id)")
    picture.database.run(
        "WITH RECURSIVE tree (id, path) AS ("
        f"SELECT id, '/' || id || '/' FROM next_{e} WHERE parent_id IS NULL UNION ALL "
        f"SELECT c.id, t.path || c.id || '/' FROM tree t JOIN next_{e} c ON c.parent_id = t.id) "
        f"UPDATE next_{e} SET path = tree.path FROM tree WHERE tree.id = next_{e}.id AND tree.path <> next_{e}.path"
    )


def find_below(picture: Picture, e: Element, roots: Collection[int]) -> None:
    """Fill `below_org` or `below_pos` (root_id, unit_id) with all that lies below some units, themselves included."""
    picture.table(f"below_{e}", "root_id BIGINT, unit_id BIGINT", large=True)
    for some in _some(sorted(roots)):
        picture.database.run(
            # from `/1/7/` on, before `/1/70`: 0 follows the slash. CROSS: SQLite starts with the roots
            f"INSERT INTO below_{e} SELECT r.id, n.id FROM next_{e} r CROSS JOIN next_{e} n "
            f"WHERE r.id IN ({', '.join(map(str, some))}) AND n.path >= r.path "
            "AND n.path < substr(r.path, 1, length(r.path) - 1) || '0'"
        )
    # after the rows: filling a table that has an index takes three times as long (measured on PostgreSQL)
    picture.database.run(f"CREATE INDEX below_{e}_root ON below_{e} (root_id, unit_id)")


def units_of(picture: Picture, e: Element, keys: Iterable[str]) -> dict[str, int]:
    """The ids of those units that will be there, and not hidden."""
    return _ids(picture, f"SELECT idnumber, id FROM next_{e} WHERE NOT hidden AND idnumber IN", keys)


def people_of(picture: Picture, keys: Iterable[str]) -> dict[str, int]:
    """The ids of those people who will be there. Who is suspended still leads whom the links say."""
    names = sorted(set(keys))
    stand = "SELECT u.idnumber, u.id FROM lz_user u WHERE {} AND u.idnumber IN"
    goes = "EXISTS (SELECT 1 FROM going_user g WHERE g.id = u.id AND g.how = 'delete')"
    back = "EXISTS (SELECT 1 FROM match_user m WHERE m.id = u.id AND NOT m.goes)"
    new = "SELECT m.idnumber, m.id FROM match_user m WHERE m.sid IS NULL AND NOT m.goes AND m.idnumber IN"
    return _ids(picture, new, names) | _ids(picture, stand.format(f"(NOT u.deleted OR {back}) AND NOT {goes}"), names)


def _ids(picture: Picture, query: str, keys: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in _some(sorted(set(keys))):
        rows = picture.database.rows(f"{query} ({', '.join('?' * len(some))})", some)
        found |= {str(key): int(number) for key, number in rows}
    return found


def _some(members: Sequence[T]) -> Iterator[Sequence[T]]:
    return (members[at : at + MANY_NAMES] for at in range(0, len(members), MANY_NAMES))
