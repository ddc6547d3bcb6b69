"""Who is each staged record, and whom do its links name? `match_E` answers once, in ids; the rounds read nothing else.

New records get the ids they will have, so that a link to somebody new is a number like any other.
"""

from lzsyncd.feed.elements import Column, Element
from lzsyncd.feed.stage import Staged, cell
from lzsyncd.sync.picture import LINKS, UNITS, Picture, given, job_join, may_have_copies

UNIT_TABLE = (
    "record INTEGER, copy INTEGER, idnumber TEXT, id BIGINT, sid BIGINT, managed BOOLEAN, "
    "goes BOOLEAN, returns BOOLEAN, parent BIGINT, old_parent BIGINT"
)
USER_TABLE = (
    "record INTEGER, copy INTEGER, idnumber TEXT, id BIGINT, sid BIGINT, managed BOOLEAN, "
    "goes BOOLEAN, returns BOOLEAN, suspended BOOLEAN, org BIGINT, pos BIGINT, manager BIGINT, appraiser BIGINT, "
    "old_org BIGINT, old_pos BIGINT, old_manager BIGINT, old_appraiser BIGINT"
)


STANDING = {"id": "BIGINT", "parent_id": "BIGINT"} | dict.fromkeys(
    ("managed", "deleted", "suspended", "suspended_by_feed", "hidden_by_feed"), "BOOLEAN"
)
JOB = dict.fromkeys(("org_id", "pos_id", "manager_id", "appraiser_id"), "BIGINT")
"""What is asked of who stands and of their job, with types."""

RETURNS = "coalesce(u.deleted OR u.suspended_by_feed, FALSE)"
"""SQL: the person who stands (`u`) comes back with a record that does not go."""


def match(picture: Picture) -> None:
    """Fill `match_org`, `match_pos`, `match_user`; units first, since people point to them."""
    for element in Element:
        staged = picture.staged[element]
        staged.first_id = picture.database.next_ids(f"lz_{element}") - 1
        staged.alone = not picture.database.value(f"SELECT 1 FROM lz_{element} LIMIT 1")
        _index_keys(picture, element)
        _mark_copies(picture, element)
    for element in UNITS:
        _table(picture, element, UNIT_TABLE)
        picture.database.run(_unit_query(picture, picture.staged[element]))
        _index_matches(picture, element)
    _table(picture, Element.USER, USER_TABLE)
    picture.database.run(_user_query(picture, picture.staged[Element.USER]))
    _index_matches(picture, Element.USER)
    _copy_standing(picture)
    if not picture.staged[Element.USER].alone:
        _know_links_made_by_hand(picture)


def _table(picture: Picture, e: Element, columns: str) -> None:
    staged = picture.staged[e]
    picture.table(f"match_{e}", f"{picture.database.dialect.line}, {columns}", large=staged.large and staged.wide)


def _know_links_made_by_hand(picture: Picture) -> None:
    """Somebody made by hand has a job made by hand, perhaps several: the first one's links stand."""
    links = ", ".join(f"old_{link} = j.{link}_id" for link in LINKS.values())
    picture.database.run(
        f"UPDATE match_user SET {links} FROM lz_job j WHERE NOT match_user.managed AND j.id = "
        "(SELECT min(h.id) FROM lz_job h WHERE h.user_id = match_user.id AND NOT h.managed)"
    )


def _mark_copies(picture: Picture, e: Element) -> None:
    """Mark records whose key is there more than once: 1 the first, which stands for the key, 2 the others."""
    if not may_have_copies(picture, e):
        return
    suspects = f"(SELECT value FROM suspect_{e} WHERE column_name = 'idnumber' UNION SELECT idnumber FROM present_{e})"
    picture.database.run(
        f"UPDATE stage_{e} SET copy = CASE WHEN line = d.first THEN 1 ELSE 2 END FROM ("
        f"SELECT c_idnumber AS key, min(line) AS first FROM stage_{e} WHERE c_idnumber IN {suspects} "
        f"GROUP BY c_idnumber HAVING count(*) > 1 OR c_idnumber IN (SELECT idnumber FROM present_{e})) d "
        f"WHERE c_idnumber = d.key"
    )


def _index_keys(picture: Picture, e: Element) -> None:
    picture.database.run(f"CREATE INDEX stage_{e}_key ON stage_{e} (c_idnumber, seq, copy)")
    if picture.database.dialect.name == "postgresql":
        picture.database.run(f"ANALYZE stage_{e} (line, c_idnumber)")


def _index_matches(picture: Picture, e: Element) -> None:
    picture.database.run(f"CREATE INDEX match_{e}_id ON match_{e} (id)")
    if picture.database.dialect.name == "postgresql":
        picture.database.run(f"CREATE UNIQUE INDEX match_{e}_line ON match_{e} (line)")
        picture.database.run(f"ANALYZE match_{e}")


def _copy_standing(picture: Picture) -> None:
    """Fill `stood_E` with whoever of the records stands, and `stood_job` with their jobs; asked of a dozen times.

    They lie scattered among everybody: of ten thousand in a million each look reads twenty thousand pages.
    """
    for e in Element:
        _copy(picture, e, f"stood_{e}", f"SELECT u.* FROM lz_{e} u WHERE u.id IN (SELECT sid FROM match_{e})", "id")
    jobs = "SELECT j.* FROM lz_job j WHERE j.managed AND j.user_id IN (SELECT sid FROM match_user)"
    _copy(picture, Element.USER, "stood_job", jobs, "user_id")


def _copy(picture: Picture, e: Element, name: str, query: str, key: str) -> None:
    database = picture.database
    database.table_of(name, f"{query} AND FALSE" if picture.staged[e].alone else query)
    database.run(f"CREATE INDEX {name}_{key} ON {name} ({key})")
    if database.dialect.name == "postgresql":
        database.run(f"ANALYZE {name}")


def _unit_query(picture: Picture, staged: Staged) -> str:
    e, first = staged.element, staged.first_id
    parent, joins = "NULL", ""
    if column := staged.column("parentidnumber"):
        target, joins = _named(picture, e, "p", cell(column))
        parent = _link(staged, column, target)
    return (
        f"INSERT INTO match_{e} SELECT s.line, s.record, s.copy, s.c_idnumber, coalesce(u.id, {first} + s.seq), u.id, "
        f"coalesce(u.managed, TRUE), s.goes = 1, coalesce(u.hidden_by_feed, FALSE), {parent}, u.parent_id "
        f"FROM stage_{e} s{_standing(picture, e)}{joins}"
    )


def _user_query(picture: Picture, staged: Staged) -> str:
    first = staged.first_id
    links, joins = [], ""
    for name in LINKS:
        column = staged.column(name)
        if column is None or column.refers_to is None:
            links.append("NULL")
            continue
        target, more = _named(picture, column.refers_to, LINKS[name][0], cell(column))
        links.append(_link(staged, column, target))
        joins += more
    return (
        f"INSERT INTO match_user SELECT s.line, s.record, s.copy, s.c_idnumber, coalesce(u.id, {first} + s.seq), u.id, "
        f"coalesce(u.managed, TRUE), s.goes = 1, {RETURNS}, {_suspended(staged)}, "
        f"{', '.join(links)}, j.org_id, j.pos_id, j.manager_id, j.appraiser_id "
        f"FROM stage_user s{_standing(picture, Element.USER)}{joins}"
    )


def _suspended(staged: Staged) -> str:
    """SQL: the person is suspended in the next state, if the record is accepted."""
    stands = "coalesce(u.suspended AND NOT u.suspended_by_feed, FALSE)"
    column = staged.column("suspended")
    if column is None:
        return stands
    says = given(staged, column, standing=f"u.id IS NOT NULL AND NOT {RETURNS}")
    return f"CASE WHEN {says} THEN s.{cell(column)} = '1' ELSE {stands} END"


def _link(staged: Staged, column: Column, target: str) -> str:
    """SQL: NULL where the record says nothing, 0 where it wants no link, else whom it names (-1: nobody)."""
    says = given(staged, column, standing="u.id IS NOT NULL")
    return f"CASE WHEN s.goes = 1 OR NOT {says} THEN NULL WHEN s.{cell(column)} = '' THEN 0 ELSE {target} END"


def _standing(picture: Picture, e: Element) -> str:
    """SQL: joins to who stands with the record's key, and their job."""
    if picture.staged[e].alone:  # not even looked up: a join with nobody took PostgreSQL a fifth of the time
        return f" CROSS JOIN {_nothing(STANDING)} u CROSS JOIN {_nothing(JOB)} j"
    return f" LEFT JOIN lz_{e} u ON u.idnumber = s.c_idnumber{job_join(e)}"


def _nothing(columns: dict[str, str]) -> str:
    """SQL: one row of nothing, in columns of some types."""
    return f"(SELECT {', '.join(f'CAST(NULL AS {kind}) AS {name}' for name, kind in columns.items())})"


def _named(picture: Picture, element: Element, alias: str, name: str) -> tuple[str, str]:
    """SQL: the id of whom a key names (-1: nobody), and the joins that takes: to who stands, and who is new."""
    key, other = f"NULLIF(s.{name}, '')", picture.staged[element]
    new = f" LEFT JOIN stage_{element} {alias}x ON {alias}x.c_idnumber = {key} AND {alias}x.copy < 2"
    if other.alone:
        return f"coalesce({other.first_id} + {alias}x.seq, -1)", new
    standing = f" LEFT JOIN lz_{element} {alias} ON {alias}.idnumber = {key}"
    return f"coalesce({alias}.id, {other.first_id} + {alias}x.seq, -1)", standing + new
