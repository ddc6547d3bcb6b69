"""Whom the rules are asked about, as they will be after the run.

| table | a row is |
|---|---|
| `touched` | somebody whose membership may follow from this run: `id`; `own`: their own record changes, comes or goes |
| `judged` | a person who will be there, neither deleted nor suspended, with one of their jobs: what rules ask for |
| `inactive` | somebody (of those who are judged) who will be deleted or suspended: `id` |
| `reporting` | somebody whose reports report to a person that a rule names: `root_id, user_id` |
| `leader` | somebody who has reports: `id` |

Whoever has several jobs has several rows in `judged`; whoever has none has one, without a job.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from lzsyncd.feed.elements import USER_COLUMNS, Column, Element, Home, Kind
from lzsyncd.feed.newcomers import is_raw
from lzsyncd.learning.conditions import stored_as, value_of
from lzsyncd.learning.rules import LINKS, MOVING, Condition, FieldKind, Operator
from lzsyncd.learning.units import is_asked
from lzsyncd.sync.fields import Field, fields_of, standing_join
from lzsyncd.sync.picture import UNITS, Picture, job_join, standing_text

WORTH_AN_INDEX = 8  # conditions on a field that an index serves; with fewer, looking through all is quicker
SERVED = (Operator.IS, Operator.IN, Operator.UNDER, Operator.REPORTS_TO, *MOVING)
COLUMN_OF_LINK = {"org": "orgidnumber", "pos": "posidnumber", "manager": "manageridnumber"}
KEY = next(column for column in USER_COLUMNS if column.kind is Kind.KEY)
ACTIVE = "NOT u.deleted AND NOT u.suspended"


def find_touched(picture: Picture, conditions: Collection[Condition]) -> None:
    """Fill `touched`: who changes, comes or goes, and whom that moves though their own record stays as it is."""
    picture.table("touched", "id BIGINT PRIMARY KEY, own BOOLEAN", large=True)
    picture.database.run(
        "INSERT INTO touched SELECT q.id, TRUE FROM ("
        "SELECT m.id FROM match_user m JOIN change_user c ON c.line = m.line UNION ALL "
        "SELECT m.id FROM match_user m WHERE m.sid IS NULL AND NOT m.goes UNION ALL SELECT id FROM going_user) q"
    )
    analyze(picture, "touched")
    for e in UNITS:
        moved = f"next_{e} n WHERE n.path <> n.was"
        if is_asked(e, Operator.UNDER, conditions) and picture.database.value(f"SELECT 1 FROM {moved} LIMIT 1"):
            _touch(picture, f"SELECT j.user_id FROM lz_job j WHERE j.{e}_id IN (SELECT n.id FROM {moved})")
    if asks(conditions, Operator.REPORTS_TO):
        _touch_reports(picture)
    if asks(conditions, Operator.HAS_REPORTS):
        old = "touched t CROSS JOIN lz_job j WHERE j.user_id = t.id AND t.own AND j.manager_id IS NOT NULL"
        _touch(picture, f"SELECT j.manager_id FROM {old}")
        _touch(picture, "SELECT m.manager FROM match_user m WHERE m.manager > 0")


def asks(conditions: Collection[Condition], operator: Operator) -> bool:
    """Whether a condition asks this."""
    return any(condition.operator is operator for condition in conditions)


def _touch(picture: Picture, query: str) -> int:
    return picture.database.run(
        f"INSERT INTO touched SELECT DISTINCT q.*, FALSE FROM ({query}) q WHERE TRUE ON CONFLICT DO NOTHING"
    )


def _touch_reports(picture: Picture) -> None:
    """Everybody below somebody who gets another manager, level by level. CROSS: SQLite starts with the level."""
    picture.table("level", "id BIGINT PRIMARY KEY, number INTEGER")
    database = picture.database
    found = database.run(
        "INSERT INTO level SELECT DISTINCT m.id, 0 FROM match_user m "
        "WHERE m.manager IS NOT NULL AND NULLIF(m.manager, 0) IS DISTINCT FROM m.old_manager AND m.sid IS NOT NULL"
    )
    number = 0
    while found:
        number += 1
        found = database.run(
            f"INSERT INTO level SELECT DISTINCT j.user_id, {number} FROM level l CROSS JOIN lz_job j "
            f"WHERE l.number = {number - 1} AND j.manager_id = l.id ON CONFLICT DO NOTHING"
        )
    _touch(picture, "SELECT l.id FROM level l")


# -- people with their jobs


def find_judged(picture: Picture, conditions: Sequence[Condition], *, everybody: bool) -> None:
    """Fill `judged` with the touched, or with everybody, and `inactive` with those of them who are in no audience."""
    columns = _columns(conditions)
    _judge_standing(picture, columns, everybody=everybody)
    _judge_staged(picture, columns)
    _judge_other_jobs(picture, columns)
    _find_inactive(picture, everybody=everybody)
    analyze(picture, "judged")


def _columns(conditions: Sequence[Condition]) -> list[Column]:
    """What rules ask for, but for the links that every row has; and the key, by which the history calls people."""
    asked = {c.field.column.name: c.field.column for c in conditions if c.field.column and c.field.name not in LINKS}
    return list(({"idnumber": KEY} | asked).values())


def _judge_standing(picture: Picture, columns: list[Column], *, everybody: bool) -> None:
    """Make the table, of those whose own record stays as it is."""
    texts = "".join(f", CAST({standing_text(picture, c)} AS TEXT) AS {stored_as(c)}" for c in columns)
    who = f"lz_user u{job_join(Element.USER)} WHERE NOT EXISTS (SELECT 1 FROM touched t WHERE t.id = u.id AND t.own)"
    if not everybody:
        who = f"touched t CROSS JOIN lz_user u{job_join(Element.USER)} WHERE u.id = t.id AND NOT t.own"
    picture.database.table_of(
        "judged",
        f"SELECT u.id AS user_id, j.id IS NOT NULL AS has_job, j.org_id, j.pos_id, j.manager_id{texts} "
        f"FROM {who} AND {ACTIVE}",
        large=True,
    )


def _judge_staged(picture: Picture, columns: list[Column]) -> None:
    """Those whose record changes, and who are new."""
    staged = picture.staged[Element.USER]
    if not staged.present:
        return
    fields = {field.name: field for field in fields_of(picture, staged)}
    changed = [*_job_of(fields, new=False), *(_changed(picture, fields, column) for column in columns)]
    created = [*_job_of(fields, new=True), *(_created(picture, fields, column) for column in columns)]
    suspended = fields["suspended"]
    database = picture.database
    database.run(
        f"INSERT INTO judged SELECT m.id, {', '.join(changed)} FROM {standing_join(staged)} "
        f"JOIN change_user c ON c.line = m.line WHERE NOT ({suspended.value})"
    )
    database.run(
        f"INSERT INTO judged SELECT m.id, {', '.join(created)} FROM match_user m JOIN stage_user s ON s.line = m.line "
        f"WHERE m.sid IS NULL AND NOT m.goes AND NOT ({suspended.created_value})"
    )


def _job_of(fields: dict[str, Field], *, new: bool) -> Iterator[str]:
    """SQL: whether there will be a job, and its links."""
    job = [f.created_value if new else f.value for f in fields.values() if f.home is Home.JOB]
    something = " OR ".join(f"({value}) IS NOT NULL" for value in job if value != "NULL")
    yield f"({something or 'FALSE'}{'' if new else ' OR j.id IS NOT NULL'})"
    for link, column in COLUMN_OF_LINK.items():
        if column in fields:
            yield fields[column].created_value if new else fields[column].value
        else:
            yield "NULL" if new else f"j.{link}_id"


def _changed(picture: Picture, fields: dict[str, Field], column: Column) -> str:
    field = fields.get(column.name)
    return standing_text(picture, column) if field is None else _as_text(column, field.value)


def _created(picture: Picture, fields: dict[str, Field], column: Column) -> str:
    if column.kind is Kind.KEY:
        return "m.idnumber"
    if column.home is Home.CUSTOM:
        return picture.database.dialect.member("s.custom", column.stored, raw=is_raw(column))
    return _as_text(column, fields[column.name].created_value) if column.name in fields else "NULL"


def _as_text(column: Column, value: str) -> str:
    """SQL: a value as `standing_text` gives it."""
    if column.kind is not Kind.BOOLEAN or value == "NULL":
        return value
    return f"CASE WHEN {value} THEN '1' WHEN NOT ({value}) THEN '0' END"


def _judge_other_jobs(picture: Picture, columns: list[Column]) -> None:
    """The jobs that were made by hand, a row each; where there is one, nobody needs a row without a job."""
    database = picture.database
    if not database.value("SELECT 1 FROM lz_job WHERE NOT managed LIMIT 1"):
        return
    texts = "".join(f", {'j.' + c.stored if c.home is Home.JOB else 'p.' + stored_as(c)}" for c in columns)
    database.run(
        f"INSERT INTO judged SELECT p.user_id, TRUE, j.org_id, j.pos_id, j.manager_id{texts} "
        "FROM judged p JOIN lz_job j ON j.user_id = p.user_id WHERE NOT j.managed"
    )
    database.run(
        "DELETE FROM judged WHERE NOT has_job AND user_id IN (SELECT o.user_id FROM lz_job o WHERE NOT o.managed)"
    )


def _find_inactive(picture: Picture, *, everybody: bool) -> None:
    picture.table("inactive", "id BIGINT PRIMARY KEY", large=True)
    database = picture.database
    if everybody:
        database.run(
            f"INSERT INTO inactive SELECT u.id FROM lz_user u WHERE NOT ({ACTIVE}) "
            "AND NOT EXISTS (SELECT 1 FROM touched t WHERE t.id = u.id AND t.own)"
        )
    only = " AND t.own" if everybody else ""
    if database.value(f"SELECT 1 FROM touched t WHERE TRUE{only} LIMIT 1"):
        database.run(
            f"INSERT INTO inactive SELECT t.id FROM touched t WHERE t.id NOT IN (SELECT p.user_id FROM judged p){only}"
        )


def index_judged(picture: Picture, conditions: Iterable[Condition]) -> None:
    """Indexes for rules that are asked one by one.

    With the person behind the value, an index alone answers the rules that ask for nothing else.
    """
    asked = (c.field for c in conditions if c.operator in SERVED and c.field.kind is not FieldKind.AUDIENCE)
    for value, number in Counter(map(value_of, asked)).items():
        if number >= WORTH_AN_INDEX:
            column = value.removeprefix("p.")
            picture.database.run(f"CREATE INDEX IF NOT EXISTS judged_{column} ON judged ({column}, user_id)")


def analyze(picture: Picture, table: str, columns: str = "") -> None:
    """Let the planner know what a table of this run holds, where it does not find out by itself.

    Args:
        picture: what the run works on.
        table: the table.
        columns: those by which others are joined with it, "" for all: each is sorted for it.
    """
    if picture.database.dialect.name == "postgresql":
        picture.database.run(f"ANALYZE {table}{f' ({columns})' if columns else ''}")


# -- who reports to whom


def find_reporting(picture: Picture, roots: Collection[int]) -> None:
    """Fill `reporting`: the people a rule names and all who report to them, level by level, in the next state.

    Links lead over whoever has them, suspended or not: as `user.manager.inactive` says, the link stays.
    """
    database = picture.database
    reporting = "root_id BIGINT, user_id BIGINT, number INTEGER, PRIMARY KEY (root_id, user_id)"
    picture.table("reporting", reporting, large=True)
    picture.table("next_link", "manager_id BIGINT, user_id BIGINT")
    database.run("INSERT INTO next_link SELECT m.manager, m.id FROM match_user m WHERE m.manager > 0 AND NOT m.goes")
    database.run("CREATE INDEX next_link_manager ON next_link (manager_id)")
    for root in roots:
        database.run(f"INSERT INTO reporting VALUES ({root}, {root}, 0)")
    replaced = "q.managed AND EXISTS (SELECT 1 FROM match_user m WHERE m.id = q.user_id AND m.manager IS NOT NULL)"
    sources = (
        f"lz_job q WHERE q.manager_id = r.user_id AND NOT ({replaced})",
        "next_link q WHERE q.manager_id = r.user_id",
    )
    number, found = 0, len(roots)
    while found:
        number += 1
        found = sum(
            database.run(
                f"INSERT INTO reporting SELECT DISTINCT r.root_id, q.user_id, {number} FROM reporting r "
                f"CROSS JOIN {source} AND r.number = {number - 1} ON CONFLICT DO NOTHING"
            )
            for source in sources
        )


def find_leaders(picture: Picture, *, everybody: bool) -> None:
    """Fill `leader`: who has a report that is neither deleted nor suspended."""
    picture.table("leader", "id BIGINT", large=True)
    picture.database.run("INSERT INTO leader SELECT DISTINCT p.manager_id FROM judged p WHERE p.manager_id IS NOT NULL")
    if not everybody:
        picture.database.run(
            "INSERT INTO leader SELECT p.user_id FROM judged p WHERE EXISTS (SELECT 1 FROM lz_job j "
            f"JOIN lz_user u ON u.id = j.user_id WHERE j.manager_id = p.user_id AND {ACTIVE} "
            "AND NOT EXISTS (SELECT 1 FROM touched t WHERE t.id = u.id))"
        )
