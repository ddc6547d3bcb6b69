"""Who may have which key, username, e-mail address and unique field, in the state the site would have.

Records that both come to a value are all wrong; one that comes to a value which somebody keeps is wrong (CONTRACT 2a).
"""

from collections.abc import Iterator
from contextlib import nullcontext

from lzsyncd.checks.told import told
from lzsyncd.checks.values import fold
from lzsyncd.feed.elements import Column, Element, Home, Kind
from lzsyncd.feed.newcomers import is_raw
from lzsyncd.feed.stage import Staged, cell, watched_columns
from lzsyncd.sync.picture import Picture, accepted, document, given, new_id
from lzsyncd.zone.seeking import by_index

BLOCK = 10_000
FEW = 10_000  # claims that are looked up one by one; of more, and where no index helps, PostgreSQL decides how
CLAIM = "line INTEGER PRIMARY KEY, record INTEGER, copy INTEGER, idnumber TEXT, id BIGINT"


def check(picture: Picture, e: Element, number: int) -> None:
    """The keys and unique values of one round."""
    staged = picture.staged[e]
    if number == 1:
        _duplicate_keys(picture, staged)
        _unmanaged_keys(picture, staged)
    for column in watched_columns(staged.config.columns(e), staged.config):
        if number == 1:
            _claim(picture, staged, column)
            _tell_duplicates(picture, staged, column)
        _tell_taken(picture, staged, column, number)


def _duplicate_keys(picture: Picture, staged: Staged) -> None:
    """A damaged record whose key could be read is a copy, too."""
    e = staged.element
    suspects = f"(SELECT value FROM suspect_{e} WHERE column_name = 'idnumber' UNION SELECT idnumber FROM present_{e})"
    copies = (
        f"(SELECT line, record, idnumber FROM match_{e} WHERE idnumber IN {suspects} UNION ALL "
        f"SELECT line, record, idnumber FROM present_{e})"
    )
    picture.database.run(
        told(staged, "key.duplicate", 1, column="idnumber", value="m.idnumber", detail="CAST(d.copies AS TEXT)")
        + f"FROM {copies} m JOIN (SELECT c.idnumber, count(*) AS copies FROM {copies} c "
        "GROUP BY c.idnumber HAVING count(*) > 1) d ON d.idnumber = m.idnumber"
    )


def _unmanaged_keys(picture: Picture, staged: Staged) -> None:
    if staged.alone:
        return
    picture.database.run(
        told(staged, "key.unmanaged", 1, column="idnumber", value="m.idnumber")
        + f"FROM match_{staged.element} m WHERE m.sid IS NOT NULL AND NOT m.managed"
    )


def _claim(picture: Picture, staged: Staged, column: Column) -> None:
    """Fill `claim_COLUMN`: records that come to a value they do not have now, or come back from deletion with it."""
    e, database = staged.element, picture.database
    name = f"claim_{e}_{column.name}"
    picture.table(name, f"{CLAIM}, value TEXT, cell TEXT")
    if not database.value(f"SELECT 1 FROM match_{e} LIMIT 1"):
        return
    suspects = f"SELECT value FROM suspect_{e} WHERE column_name = '{column.name}'"
    if staged.alone and not database.value(f"{suspects} LIMIT 1"):
        return
    if column.kind is Kind.EMAIL:
        _fold_addresses(picture, staged)
    claims = _among_themselves(staged, column, suspects) if staged.alone else _beside_others(picture, staged, column)
    database.run(f"INSERT INTO {name} {claims}")
    database.run(f"CREATE INDEX {name}_value ON {name} (value)")
    database.run(f"CREATE INDEX {name}_id ON {name} (id)")


def _among_themselves(staged: Staged, column: Column, suspects: str) -> str:
    """SQL: claims where nobody stands: only the few that reading suspects can meet another record."""
    e = staged.element
    come, _, joins = _compared(column, f"s.{cell(column)}", "NULL")
    return (
        f"SELECT s.line, s.record, s.copy, s.c_idnumber, {new_id(staged)}, {come}, s.{cell(column)} "
        f"FROM stage_{e} s{joins} WHERE {come} IN ({suspects}) AND {given(staged, column)} AND s.goes = 0 "
        f"AND {accepted(e, 's')}"
    )


def _beside_others(picture: Picture, staged: Staged, column: Column) -> str:
    """SQL: claims where somebody stands."""
    e = staged.element
    standing = _held(picture, column, "u")
    text = standing
    if staged.column(column.name):
        says = given(staged, column, standing="u.id IS NOT NULL")
        text = f"CASE WHEN {says} THEN s.{cell(column)} ELSE {standing} END"
    come, stood, joins = _compared(column, text, standing)
    comes = f"{come} IS DISTINCT FROM {stood}"
    if e is Element.USER:
        comes = f"(u.deleted OR {comes})"
    return (
        f"SELECT q.line, q.record, q.copy, q.idnumber, q.id, q.value, q.cell FROM ("
        f"SELECT m.line, m.record, m.copy, m.idnumber, m.id, {come} AS value, {text} AS cell "
        f"FROM match_{e} m JOIN stage_{e} s ON s.line = m.line LEFT JOIN stood_{e} u ON u.id = m.sid{joins} "
        f"WHERE NOT m.goes AND {accepted(e)} AND (u.id IS NULL OR {comes})) q WHERE q.value <> ''"
    )


def _tell_duplicates(picture: Picture, staged: Staged, column: Column) -> None:
    claim = f"claim_{staged.element}_{column.name}"
    detail = "CAST(d.people AS TEXT)" if column.home is not Home.CUSTOM else "d.people || ' records of this file'"
    picture.database.run(
        told(staged, _code(column, "duplicate"), 1, column=column.name, value="k.cell", detail=detail, record="k")
        + f"FROM {claim} k JOIN (SELECT value, count(DISTINCT idnumber) AS people FROM {claim} "
        "GROUP BY value HAVING count(DISTINCT idnumber) > 1) d ON d.value = k.value"
    )


def _tell_taken(picture: Picture, staged: Staged, column: Column, number: int) -> None:
    """In round 1 everybody who stands may hold a value; later only those whose record was rejected a round before."""
    e, database, claim = staged.element, picture.database, f"claim_{staged.element}_{column.name}"
    claims = int(database.value(f"SELECT count(*) FROM {claim}"))
    if not claims:
        return
    # of a key that is there twice no record gives a value up: all will be rejected
    keeps = [f"NOT EXISTS (SELECT 1 FROM {claim} o WHERE o.id = h.id AND o.copy = 0 AND {accepted(e, 'o')})"]
    if e is Element.USER:
        keeps.append("NOT EXISTS (SELECT 1 FROM going_user g WHERE g.id = h.id AND g.how = 'delete')")
    else:
        keeps.append(f"NOT EXISTS (SELECT 1 FROM going_{e} g WHERE g.id = h.id AND g.how = 'delete')")
    if staged.column(column.name) and column.home is Home.CUSTOM and staged.config.empty == "erase":
        keeps.append(
            f"NOT EXISTS (SELECT 1 FROM match_{e} r JOIN stage_{e} rs ON rs.line = r.line "
            f"WHERE r.id = h.id AND r.copy = 0 AND NOT r.goes AND rs.{cell(column)} = '' AND {accepted(e, 'r')})"
        )
    if number > 1:
        keeps.append(
            f"EXISTS (SELECT 1 FROM match_{e} r JOIN out_{e} x ON x.line = r.line "
            f"WHERE r.id = h.id AND x.round = {number - 1})"
        )
    picture.table("holder", "line INTEGER, id BIGINT")
    with by_index(database) if claims <= FEW and column.home is not Home.CUSTOM else nullcontext():
        found = database.run(f"INSERT INTO holder {_holders(picture, column, e, claim)}")
    if not found:
        return
    detail = "'the record ' || coalesce(q.holder, 'made by hand')"
    if column.home is not Home.CUSTOM:
        detail = "coalesce(q.holder, 'somebody entered by hand')"
    database.run(
        told(
            staged,
            _code(column, "taken"),
            number,
            column=column.name,
            value="q.cell",
            detail=detail,
            root="q",
            record="q",
        )
        + f"FROM (SELECT k.line, k.record, k.idnumber, k.cell, min(h.idnumber) AS holder, "
        f"coalesce(min(x.root), '') AS root FROM holder w "
        f"CROSS JOIN {claim} k CROSS JOIN lz_{e} h "
        f"LEFT JOIN match_{e} r ON r.id = h.id LEFT JOIN out_{e} x ON x.line = r.line AND x.round > 0 "
        f"WHERE k.line = w.line AND h.id = w.id "
        f"AND {' AND '.join(keeps)} AND {accepted(e, 'k')} AND NOT EXISTS (SELECT 1 FROM finding f "
        f"WHERE f.element = '{e}' AND f.line = k.line AND f.code = '{_code(column, 'duplicate')}' "
        f"AND f.column_name = '{column.name}') GROUP BY k.line, k.record, k.idnumber, k.cell) q"
    )


def _holders(picture: Picture, column: Column, e: Element, claim: str) -> str:
    """SQL: (line of a claim, id of somebody else who stands with that value).

    CROSS: SQLite keeps the order, from the few claims through the index to those who hold them; it uses the index of an
    expression only beside another expression.
    """
    alive = " AND NOT h.deleted" if e is Element.USER else ""
    if column.home is Home.CUSTOM:
        held = _held(picture, column, "h")
        return f"SELECT k.line, h.id FROM {claim} k JOIN lz_{e} h ON {held} = k.value AND h.id <> k.id{alive}"
    held = f"lower(h.{column.stored})"
    plain = (
        f"SELECT k.line, h.id FROM {claim} k CROSS JOIN lz_{e} h WHERE {held} = k.value || '' AND h.id <> k.id{alive}"
    )
    if column.kind is not Kind.EMAIL or not picture.database.value("SELECT 1 FROM folded LIMIT 1"):
        return plain
    return (
        f"{plain} AND NOT EXISTS (SELECT 1 FROM folded f WHERE f.value = h.email AND f.fold <> k.value) UNION "
        f"SELECT k.line, h.id FROM folded f CROSS JOIN {claim} k CROSS JOIN lz_{e} h "
        f"WHERE f.fold = k.value AND {held} = lower(f.value) AND h.email = f.value AND h.id <> k.id{alive}"
    )


def _held(picture: Picture, column: Column, alias: str) -> str:
    if column.home is Home.CUSTOM:
        return picture.database.dialect.member(document(alias), column.stored, raw=is_raw(column))
    return f"{alias}.{column.stored}"


def _compared(column: Column, text: str, standing: str) -> tuple[str, str, str]:
    """SQL: two texts as they are compared, and the joins that takes.

    Usernames and addresses are compared without case, custom fields exactly. Addresses that `lower()` can't fold are in
    `folded`: joined, since PostgreSQL asks a subquery anew for every row.
    """
    if column.home is Home.CUSTOM:
        return text, standing, ""
    if column.kind is not Kind.EMAIL:
        return f"lower({text})", f"lower({standing})", ""
    joins = f" LEFT JOIN folded ft ON ft.value = {text}"
    if standing == "NULL":
        return f"coalesce(ft.fold, lower({text}))", standing, joins
    joins += f" LEFT JOIN folded fs ON fs.value = {standing}"
    return f"coalesce(ft.fold, lower({text}))", f"coalesce(fs.fold, lower({standing}))", joins


def _code(column: Column, what: str) -> str:
    return "value.unique" if column.home is Home.CUSTOM else f"user.{column.name}.{what}"


def _fold_addresses(picture: Picture, staged: Staged) -> None:
    """Fill `folded` with the addresses that SQL cannot fold: `lower()` knows ASCII only, on both databases."""
    database = picture.database
    picture.table("folded", "value TEXT PRIMARY KEY, fold TEXT")
    octets = database.dialect.octets
    # the bound lets SQLite take the index `lz_user_folded`
    queries = [
        f"SELECT email AS t FROM lz_user WHERE email > '' AND NOT deleted AND length(email) <> {octets('email')}"
    ]
    if staged.column("email"):
        queries.append(f"SELECT c_email AS t FROM stage_user WHERE length(c_email) <> {octets('c_email')}")
    for block in _blocks(picture, " UNION ".join(queries)):
        database.load("folded", ("value", "fold"), [(text, fold(text)) for text in block])


def _blocks(picture: Picture, query: str) -> Iterator[list[str]]:
    after = ""
    while rows := picture.database.rows(f"SELECT t FROM ({query}) q WHERE t > ? ORDER BY t LIMIT {BLOCK}", (after,)):
        yield [str(text) for (text,) in rows]
        after = rows[-1][0]
