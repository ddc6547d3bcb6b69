"""Units and positions: is the parent there, is it somebody else, does the tree stay a tree, is what goes still held?"""

from lzsyncd.checks.catalogue import Severity
from lzsyncd.checks.cycles import Links, check_cycles
from lzsyncd.checks.findings import KEPT
from lzsyncd.checks.told import told
from lzsyncd.feed.elements import Element
from lzsyncd.sync.picture import Picture, accepted

COLUMN = "parentidnumber"


def check(picture: Picture, e: Element, number: int) -> None:
    """The parents of one round."""
    if picture.staged[e].column(COLUMN) is None:
        return
    if number == 1:
        _tell(picture, e, "unknown", number, "m.parent = -1")
        _tell(picture, e, "self", number, f"m.parent <> 0 AND s.c_{COLUMN} = m.idnumber")
    for how in ("unknown", "removed"):
        _tell_gone(picture, e, how, number)
    standing = (
        f"(SELECT u.id, u.parent_id AS up FROM lz_{e} u WHERE NOT EXISTS "
        f"(SELECT 1 FROM going_{e} g WHERE g.id = u.id AND g.how = 'delete'))"
    )
    links = Links(e, "parent", COLUMN, (standing,), f"{e}.parent.cycle")
    check_cycles(picture, links, number, Severity.ERROR)


def _tell(picture: Picture, e: Element, what: str, number: int, condition: str) -> None:
    picture.database.run(
        told(picture.staged[e], f"{e}.parent.{what}", number, column=COLUMN, value=f"s.c_{COLUMN}")
        + f"FROM match_{e} m JOIN stage_{e} s ON s.line = m.line WHERE {condition} AND {accepted(e)}"
    )


def _tell_gone(picture: Picture, e: Element, how: str, number: int) -> None:
    picture.database.run(
        told(picture.staged[e], f"{e}.parent.{how}", number, column=COLUMN, value=f"s.c_{COLUMN}", root="g")
        + f"FROM match_{e} m JOIN gone_{e} g ON g.id = m.parent AND g.round = {number - 1} AND g.how = '{how}' "
        f"JOIN stage_{e} s ON s.line = m.line "
        f"WHERE m.parent IS DISTINCT FROM m.old_parent AND s.c_{COLUMN} <> m.idnumber AND {accepted(e)}"
    )


def refuse_held(picture: Picture, e: Element) -> int:
    """Take units off `going_E` that somebody who stays still holds, with everything above them; tell it.

    Returns:
        How many stay.
    """
    database = picture.database
    if not database.value(f"SELECT 1 FROM going_{e} LIMIT 1"):
        return 0
    _find_held(picture, e, f"going_{e}")
    while database.run(
        f"INSERT INTO held SELECT DISTINCT g.id, 'units or positions below it are' FROM held h "
        f"JOIN lz_{e} u ON u.id = h.id JOIN going_{e} g ON g.id = u.parent_id "
        "WHERE NOT EXISTS (SELECT 1 FROM held o WHERE o.id = g.id)"
    ):
        pass
    database.run(
        told(picture.staged[e], f"{e}.in_use", KEPT, detail="h.detail", record="r")
        + f"FROM (SELECT g.id, coalesce(m.line, 1) AS line, coalesce(m.record, 0) AS record, u.idnumber "
        f"FROM going_{e} g JOIN lz_{e} u ON u.id = g.id LEFT JOIN match_{e} m ON m.line = g.line) r "
        "JOIN held h ON h.id = r.id"
    )
    # one that was released and is held again stays for good
    database.run(f"UPDATE kept_{e} SET released = 2 WHERE id IN (SELECT id FROM held)")
    database.run(
        f"INSERT INTO kept_{e} SELECT g.id, g.line, g.how, 0 FROM going_{e} g JOIN held h ON h.id = g.id "
        f"WHERE NOT EXISTS (SELECT 1 FROM kept_{e} k WHERE k.id = g.id)"
    )
    return database.run(f"DELETE FROM going_{e} WHERE id IN (SELECT id FROM held)")


def release_free(picture: Picture, e: Element) -> int:
    """Let those of the refused units go, once, that nothing holds in the state that came of the refusal.

    Returns:
        How many go after all.
    """
    database = picture.database
    if not database.value(f"SELECT 1 FROM kept_{e} WHERE released = 0 LIMIT 1"):
        return 0
    _find_held(picture, e, f"kept_{e}")
    free = "released = 0 AND id NOT IN (SELECT id FROM held)"
    database.run(f"INSERT INTO going_{e} SELECT id, line, how FROM kept_{e} WHERE {free}")
    database.run(
        f"DELETE FROM finding WHERE code = '{e}.in_use' AND idnumber IN "
        f"(SELECT u.idnumber FROM kept_{e} k JOIN lz_{e} u ON u.id = k.id WHERE k.released = 0 "
        "AND k.id NOT IN (SELECT id FROM held))"
    )
    return database.run(f"UPDATE kept_{e} SET released = 1 WHERE {free}")


def _find_held(picture: Picture, e: Element, goers: str) -> None:
    """Fill `held` with those of the goers that somebody who stays holds in the state as it is settled."""
    picture.table("held", "id BIGINT PRIMARY KEY, detail TEXT")
    picture.database.run(
        f"INSERT INTO held SELECT id, min(detail) FROM ({_children(e, goers)} UNION ALL {_people(e, goers)}) h "
        "GROUP BY id"
    )


def _children(e: Element, goers: str) -> str:
    """SQL: going units below which something stays. What the feed hides only keeps a unit from being deleted."""
    moved = f"SELECT 1 FROM match_{e} m WHERE m.id = c.id AND m.parent IS NOT NULL AND {accepted(e)}"
    stays = (
        f"NOT EXISTS (SELECT 1 FROM going_{e} d WHERE d.id = c.id AND (d.how = 'delete' OR g.how = 'hide')) "
        "AND (g.how = 'delete' OR NOT c.hidden_by_feed "
        f"OR EXISTS (SELECT 1 FROM match_{e} m WHERE m.id = c.id AND NOT m.goes AND {accepted(e)}))"
    )
    what = "'units or positions below it are'"
    return (
        f"SELECT g.id, {what} AS detail FROM {goers} g JOIN lz_{e} c ON c.parent_id = g.id "
        f"WHERE {stays} AND NOT EXISTS ({moved}) UNION ALL "
        f"SELECT g.id, {what} FROM {goers} g JOIN match_{e} m ON m.parent = g.id "
        f"WHERE m.sid IS NOT NULL AND {accepted(e)}"
    )


def _people(e: Element, goers: str) -> str:
    """SQL: going units that the job of somebody who stays names.

    Whom the feed suspended has gone, and does not keep a unit from being hidden. Deleting it would leave their open
    job, which a suspension does not change, without its unit: so it stays for them.
    """
    column = f"{e}idnumber"
    new = (
        f"SELECT 1 FROM match_user m WHERE m.id = j.user_id AND j.managed AND m.{e} IS NOT NULL AND m.{e} <> -1 "
        f"AND {accepted(Element.USER)} "
        f"AND NOT EXISTS (SELECT 1 FROM dropped_user d WHERE d.line = m.line AND d.column_name = '{column}')"
    )
    gone = (
        "((u.deleted OR (u.suspended_by_feed AND g.how = 'hide')) "
        "AND NOT EXISTS (SELECT 1 FROM match_user m WHERE m.id = u.id AND NOT m.goes AND "
        f"{accepted(Element.USER)})) OR EXISTS (SELECT 1 FROM going_user d WHERE d.id = u.id "
        "AND (d.how = 'delete' OR g.how = 'hide'))"
    )
    held = f"SELECT 1 FROM dropped_user d WHERE d.line = m.line AND d.column_name = '{column}'"
    return (
        f"SELECT g.id, 'people are' AS detail FROM {goers} g JOIN lz_job j ON j.{e}_id = g.id "
        f"JOIN lz_user u ON u.id = j.user_id WHERE NOT EXISTS ({new}) AND NOT ({gone}) UNION ALL "
        f"SELECT g.id, 'people are' FROM {goers} g JOIN match_user m ON m.{e} = g.id "
        f"WHERE {accepted(Element.USER)} AND NOT EXISTS ({held})"
    )
