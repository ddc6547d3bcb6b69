"""What stands in the way of taking a run back: edits made since, links to what it would remove, names that are taken.

Nothing is written here but lists of rows that are gone with the transaction. What an obstacle names is a value of the
site: it is shown to whoever asked for the undo, and to no log.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, NamedTuple

from lzsyncd.feed.elements import COLUMNS, CUSTOM_PREFIX, Column, Element, Home, Kind
from lzsyncd.sync.fields import json_object
from lzsyncd.sync.picture import UNITS, job_join, link_alias, link_joins, standing_value
from lzsyncd.zone.database import Database
from lzsyncd.zone.dialect import literal
from lzsyncd.zone.images import JOBS, ROWS, Part

LISTED = 1_000  # of what stands in the way; a person mends some and asks again
SOME = 200  # records that say in which order the fields of a file came
STATES = {
    Element.USER: ("suspended", "suspended_by_feed", "deleted"),
    **dict.fromkeys(UNITS, ("hidden", "hidden_by_feed")),
}
LINKS = (  # table, column, and the table whose rows it names
    ("lz_org", "parent_id", "lz_org"),
    ("lz_pos", "parent_id", "lz_pos"),
    ("lz_job", "org_id", "lz_org"),
    ("lz_job", "pos_id", "lz_pos"),
    ("lz_job", "user_id", "lz_user"),
    ("lz_job", "manager_id", "lz_user"),
    ("lz_job", "appraiser_id", "lz_user"),
)
NAMES = (  # table, column, SQL under which two values are one, SQL of who holds it at all
    ("lz_org", "idnumber", "{}.idnumber", "TRUE"),
    ("lz_pos", "idnumber", "{}.idnumber", "TRUE"),
    ("lz_user", "idnumber", "{}.idnumber", "TRUE"),
    ("lz_user", "username", "lower({}.username)", "NOT {}.deleted"),
)


@dataclass(frozen=True)
class Obstacle:
    """One record that stands in the way.

    Attributes:
        why: `changed` since the run, `refers` to a record that would be removed, `taken`: holds a name that would be
            given back.
        element: `org`, `pos` or `user`.
        idnumber: its key, "" where it has none.
        field: what was changed, refers, or is taken; "" where the record is gone.
    """

    why: str
    element: str
    idnumber: str
    field: str

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


def list_made(database: Database, run_id: str, kind: str) -> None:
    """Fill `unmade_TABLE` with the rows that a run has made and that are still there."""
    first_last = {
        str(table): (int(first), int(last))
        for table, first, last in database.rows(
            "SELECT table_name, first_id, last_id FROM sync_made WHERE run_id = ?", (run_id,)
        )
    }
    for part in ROWS.values():
        columns = "row_id BIGINT, other_id BIGINT, PRIMARY KEY (row_id, other_id)"
        database.table(f"unmade_{part.table}", columns, large=True)
        if part.table in first_last and kind == "sync":
            first, last = first_last[part.table]
            ours = " AND t.managed" if part.has_managed else ""  # ids in between may have gone to somebody's own rows
            _list(database, part, f"t.id BETWEEN {first} AND {last}{ours}")
        noted = f"sync_image WHERE run_id = '{run_id}' AND part = '{part.name}' AND before IS NULL"
        _list(database, part, part.among("t", noted))
        if database.dialect.name == "postgresql":
            database.run(f"ANALYZE unmade_{part.table}")


def _list(database: Database, part: Part, where: str) -> None:
    database.run(
        f"INSERT INTO unmade_{part.table} SELECT {part.key_of('t')} FROM {part.table} t WHERE {where} "
        "ON CONFLICT DO NOTHING"
    )


def obstacles(database: Database, run_id: str, kind: str) -> list[Obstacle]:
    """What stands in the way of taking a run back, each once; after `list_made`."""
    found = dict.fromkeys(islice(_all(database, run_id, kind), LISTED))
    return list(found)


def _all(database: Database, run_id: str, kind: str) -> Iterator[Obstacle]:
    for part in ROWS.values():
        if part.is_record:
            yield from _changed_rows(database, run_id, part)
    if kind == "sync":
        for e in Element:
            yield from _changed_new_records(database, run_id, e)
    for link in LINKS:
        yield from _referring(database, run_id, *link)
    for name in NAMES:
        yield from _taken(database, run_id, *name)


# -- changed since


def _changed_rows(database: Database, run_id: str, part: Part) -> Iterator[Obstacle]:
    """Rows with an image that are not as the run has left them."""
    now = part.packed(database, "t")
    rows = database.rows(
        f"SELECT coalesce(i.after, i.before), {now} FROM sync_image i "
        f"LEFT JOIN {part.table} t ON {part.same('t', 'i')} "
        f"WHERE i.run_id = ? AND i.part = ? AND i.after IS DISTINCT FROM {now} ORDER BY i.row_id LIMIT {LISTED}",
        (run_id, part.name),
    )
    for left, stands in rows:
        was, now_is = json.loads(left), json.loads(stands) if stands else None
        yield _obstacle(database, "changed", part, was, _differing(was, now_is))


def _differing(was: Mapping[str, Any], now: Mapping[str, Any] | None) -> str:
    """The fields in which a row differs from how it was left; "" where it is gone."""
    return ", ".join(name for name in was if was[name] != now[name]) if now else ""


def _obstacle(database: Database, why: str, part: Part, row: Mapping[str, Any], field: str) -> Obstacle:
    """Speak of a row as of the record it belongs to: a job's fields are the person's."""
    if part is not JOBS:
        return Obstacle(why, part.table.removeprefix("lz_"), row["idnumber"] or "", field)
    key = database.value("SELECT idnumber FROM lz_user WHERE id = ?", (row["user_id"],))
    return Obstacle(why, "user", key or "", field or "job")


class _New(NamedTuple):
    """How the history of new records of one element is held against what stands."""

    columns: list[Column]
    states: tuple[str, ...]


class _Stands(NamedTuple):
    """A new record as it stands: the first columns of the query."""

    managed: Any
    untouched: Any
    job: Any
    custom: Any


def _changed_new_records(database: Database, run_id: str, e: Element) -> Iterator[Obstacle]:
    """New records that are not as the history says; it has everything that they were given.

    So a first load costs nothing for the sake of an undo that hardly ever comes; whoever undoes it pays.
    """
    made = database.rows(
        "SELECT first_id, last_id FROM sync_made WHERE run_id = ? AND table_name = ?", (run_id, f"lz_{e}")
    )
    if made:
        new = _new_of(e)
        order = _order(database, run_id, e)
        for key, told, *row in database.stream(_new_query(database, new, e, order), (*made[0], run_id)):
            changed = _changed_field(new, json.loads(told), row)
            if changed is not None:
                yield Obstacle("changed", str(e), key, changed)


def _new_of(e: Element) -> _New:
    columns = [c for c in COLUMNS[e] if c.home in (Home.OWN, Home.JOB) and c.kind is not Kind.KEY]
    return _New([c for c in columns if c.name not in STATES[e]], STATES[e])


def _new_query(database: Database, new: _New, e: Element, order: Sequence[str]) -> str:
    """The new records, without those whose history is the same text that they would be told as now.

    Whoever is left may still be as they were made: `_changed_field` decides (measured, a million people on SQLite: it
    takes 25 s for all of them).
    """
    job = "j.id" if e is Element.USER else "NULL"
    stands = ["u.managed", "u.updated_at = u.created_at", job, "u.custom"]
    flags = [f"u.{name}" for name in new.states]
    as_made = _as_made(database, new, order)
    return (
        f"SELECT c.idnumber, c.after, {', '.join([*stands, *flags, *map(_standing, new.columns)])} FROM sync_change c "
        f"LEFT JOIN lz_{e} u ON u.idnumber = c.idnumber AND u.id BETWEEN ? AND ?{job_join(e)}{link_joins(new.columns)} "
        f"WHERE c.run_id = ? AND c.element = '{e}' AND c.action = 'created' AND NOT coalesce({as_made}, FALSE) "
        "ORDER BY c.id"  # by the index of the run: SQLite would go through the histories of all runs
    )


def _order(database: Database, run_id: str, e: Element) -> list[str]:
    """The fields of new records as a run has told them: in the order of its file, so far as some records say."""
    order: list[str] = []
    query = "SELECT after FROM sync_change WHERE run_id = ? AND element = ? AND action = 'created' ORDER BY id DESC"
    for (told,) in database.rows(f"{query} LIMIT {SOME}", (run_id, e)):
        place = 0
        for name in json.loads(told):
            if name not in order:
                order.insert(place, name)
            place = order.index(name) + 1
    return order


def _standing(column: Column) -> str:
    return f"{link_alias(column)}.idnumber" if column.refers_to else standing_value(column)


def _as_made(database: Database, new: _New, order: Sequence[str]) -> str:
    """SQL: a new record is told by its history word for word, and nothing else is known of it. NULL: it is gone.

    The custom fields are taken from the history, so that nothing but our own text is read as JSON.
    """
    members: dict[str, tuple[str, str]] = {name: (f"u.{name}", "'true'") for name in new.states} | {
        column.name: _member(database, column) for column in new.columns
    }
    dialect = database.dialect
    custom = {  # looked for before it is read: reading the JSON costs most of it on PostgreSQL
        name: (dialect.place("c.after", literal(f'"{name}":')) + " > 0", dialect.member("c.after", name, raw=True))
        for name in order
        if name.startswith(CUSTOM_PREFIX)
    }
    members |= custom
    told = json_object([(name, *members[name]) for name in dict.fromkeys([*order, *members]) if name in members])
    in_custom = json_object([(name.removeprefix(CUSTOM_PREFIX), *custom[name]) for name in custom])
    of_job = [f"{_standing(column)} IS NOT NULL" for column in new.columns if column.home is Home.JOB]
    has_job = f" AND (j.id IS NOT NULL) = ({' OR '.join(of_job)})" if of_job else ""
    return f"(u.managed AND u.updated_at = u.created_at AND u.custom = {in_custom}{has_job} AND c.after = {told})"


def _member(database: Database, column: Column) -> tuple[str, str]:
    """SQL: whether a record has something in a column, and its JSON."""
    value = _standing(column)
    if column.kind is Kind.BOOLEAN:
        return f"{value} IS NOT NULL", f"CASE WHEN {value} THEN 'true' ELSE 'false' END"
    return f"{value} IS NOT NULL", database.dialect.quoted(value)


def _changed_field(new: _New, told: dict[str, Any], row: list[Any]) -> str | None:
    """The fields in which a new record differs from its history: None for none, "" where it is gone."""
    stands, values = _Stands(*row[:4]), row[4:]
    if stands.managed is None:
        return ""
    now = _told_by(new, stands.custom, values)
    has_job = any(column.home is Home.JOB and column.name in told for column in new.columns)
    if told == now and stands.managed and stands.untouched and has_job == (stands.job is not None):
        return None
    names = [name for name in dict.fromkeys([*told, *now]) if told.get(name) != now.get(name)]
    others = {"managed": stands.managed, "updated_at": stands.untouched, "job": has_job == (stands.job is not None)}
    return ", ".join(names or [name for name, is_as_made in others.items() if not is_as_made])


def _told_by(new: _New, custom: str, values: list[Any]) -> dict[str, Any]:
    """What the history of a record that was made as it stands would say."""
    told: dict[str, Any] = {name: True for name, flag in zip(new.states, values) if flag}
    for column, value in zip(new.columns, values[len(new.states) :]):
        if value is not None:
            told[column.name] = bool(value) if column.kind is Kind.BOOLEAN else value
    if custom != "{}":
        told |= {CUSTOM_PREFIX + name: value for name, value in _members(custom).items()}
    return told


def _members(custom: str) -> dict[str, Any]:
    """The custom fields of a record; what is no JSON object was edited by hand."""
    try:
        found = json.loads(custom)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"": custom}


# -- what refers to it, what took its name


def _spared(part: Part, run_id: str, alias: str) -> str:
    """SQL: a row that the undo neither removes nor restores."""
    return (
        f"NOT EXISTS (SELECT 1 FROM unmade_{part.table} x WHERE {part.same(alias, 'x')}) AND NOT EXISTS (SELECT 1 FROM "
        f"sync_image i WHERE i.run_id = '{run_id}' AND i.part = '{part.name}' AND {part.same(alias, 'i')})"
    )


def _referring(database: Database, run_id: str, table: str, column: str, target: str) -> Iterator[Obstacle]:
    """Rows that would refer to a record that is removed."""
    part = ROWS[table]
    others = f"SELECT (SELECT count(*) FROM {table}) - (SELECT count(*) FROM unmade_{table})"
    if not database.value(f"SELECT 1 FROM unmade_{target} LIMIT 1") or not database.value(others):
        return
    # the feed's jobs and others are found by an index each, and by none together
    halves = ("t.managed", "NOT t.managed") if column == "user_id" else ("TRUE",)
    referring = " UNION ALL ".join(
        f"SELECT t.id, {part.packed(database, 't')} AS packed FROM {table} t WHERE {half} "
        f"AND t.{column} IN (SELECT row_id FROM unmade_{target}) AND {_spared(part, run_id, 't')}"
        for half in halves
    )
    for _, row in database.rows(f"SELECT * FROM ({referring}) AS r ORDER BY id LIMIT {LISTED}"):
        yield _obstacle(database, "refers", part, json.loads(row), column)


def _taken(database: Database, run_id: str, table: str, column: str, value: str, holds: str) -> Iterator[Obstacle]:
    """Rows that hold what a restored record would hold again."""
    part = ROWS[table]
    names = ["id", column, *(["deleted"] if "deleted" in part.columns else [])]
    columns, join = database.dialect.unpacked("i.before", table, names)
    wanted = ", ".join(f"{text} AS {name}" for name, text in zip(names, columns))
    back = (
        f"SELECT {wanted} FROM sync_image i{join} WHERE i.run_id = '{run_id}' AND i.part = '{part.name}' "
        "AND i.before IS NOT NULL"
    )
    rows = database.rows(
        f"SELECT o.idnumber FROM ({back}) b JOIN {table} o ON {value.format('o')} = {value.format('b')} "
        f"WHERE {holds.format('b')} AND {holds.format('o')} AND o.id <> b.id AND {_spared(part, run_id, 'o')} "
        f"ORDER BY o.id LIMIT {LISTED}"
    )
    for (key,) in rows:
        yield Obstacle("taken", table.removeprefix("lz_"), key or "", column)
