"""Who goes? Those whom the file does not name, and those it names with `deleted` true (CONTRACT, coming and going)."""

from lzsyncd.checks.catalogue import Finding
from lzsyncd.feed.elements import Element
from lzsyncd.feed.stage import Staged
from lzsyncd.sync.picture import Picture, unstaged
from lzsyncd.zone.seeking import by_hash

TABLE = "id BIGINT PRIMARY KEY, line INTEGER, how TEXT"


def find_going(picture: Picture) -> None:
    """Fill `going_E` with everybody who would go, then withhold where a key could not be read (law 3)."""
    for e in Element:
        staged = picture.staged[e]
        picture.table(f"going_{e}", TABLE)
        if not staged.present:
            continue
        _named(picture, staged)
        if staged.names_everybody and staged.config.missing != "keep" and _somebody_is_absent(picture, staged):
            _absent(picture, staged)
        if staged.unreadable and staged.config.unreadable == "withhold":
            withhold(picture, staged)


def stays(element: Element, how: str) -> str:
    """SQL: the standing record `u` is still there to go in this way."""
    if element is not Element.USER:
        return "NOT u.hidden" if how == "hide" else "TRUE"
    return "NOT u.deleted AND NOT u.suspended" if how == "suspend" else "NOT u.deleted"


def away(element: Element) -> str:
    """SQL: the standing record `u` is gone for the feed, or not its own; of people as the index `lz_user_away` says."""
    gone = "u.deleted OR u.suspended_by_feed" if element is Element.USER else "u.hidden_by_feed"
    return f"({gone} OR NOT u.managed)"


def _named(picture: Picture, staged: Staged) -> None:
    """Records with `deleted` true; of a key that is there twice, or is somebody else's, none goes."""
    e, how = staged.element, staged.config.on_deleted
    if staged.mended or not staged.has_deleted:
        return
    picture.database.run(
        f"INSERT INTO going_{e} SELECT m.id, m.line, '{how}' FROM match_{e} m JOIN stood_{e} u ON u.id = m.sid "
        f"WHERE m.goes AND m.managed AND {stays(e, how)} AND NOT EXISTS "
        f"(SELECT 1 FROM match_{e} c WHERE c.idnumber = m.idnumber AND c.line <> m.line) "
        f"AND NOT EXISTS (SELECT 1 FROM present_{e} p WHERE p.idnumber = m.idnumber)"
    )


def _keys(staged: Staged) -> tuple[str, str]:
    """The staging table that has every key of the file, and its column."""
    return ("stage", "c_idnumber") if staged.wide else ("seen", "idnumber")


def _somebody_is_absent(picture: Picture, staged: Staged) -> bool:
    """Whether the anti-join is worth its time: usually as many records were found as stand.

    Exact: a record that equals what stands is somebody of those who stand, and no two are the same one.
    """
    e, database = staged.element, picture.database
    live = f"NOT {away(e)}"
    matched = database.value(f"SELECT count(*) FROM stood_{e} u WHERE {live}")
    more = ""
    if e is Element.USER and staged.config.missing == "delete":
        more = f" OR EXISTS (SELECT 1 FROM lz_{e} u WHERE u.managed AND u.suspended_by_feed AND NOT u.deleted)"
    elif e is not Element.USER:
        more = f" OR EXISTS (SELECT 1 FROM lz_{e} u WHERE u.managed AND u.hidden_by_feed)"
    # everybody less the few who are not meant: both databases count a table by an index, and look at nobody
    standing = (
        f"(SELECT count(*) FROM lz_{e}) - (SELECT count(*) FROM lz_{e} u WHERE {away(e)}) "
        f"- (SELECT count(*) FROM lz_{e} u WHERE u.idnumber IS NULL AND {live})"
    )
    return bool(database.value(f"SELECT {standing} > ?{more}", (matched + unstaged(picture, staged),)))


def _absent(picture: Picture, staged: Staged) -> None:
    """The keys that stand are compared with those of the file first, and only of whom it does not name more is read.

    SQLite walks the index of the keys beside one of the file's, PostgreSQL joins them on several cores (measured, a
    million people: a third less than with all that is asked of them).
    """
    e, how, database = staged.element, staged.config.missing, picture.database
    table, key = _keys(staged)
    if not staged.wide and database.dialect.seeks_by_index:
        database.run(f"CREATE INDEX seen_{e}_key ON seen_{e} (idnumber)")
    with by_hash(database):
        database.table_of(
            f"absent_{e}",
            f"SELECT u.id FROM lz_{e} u WHERE u.idnumber IS NOT NULL "
            f"AND NOT EXISTS (SELECT 1 FROM {table}_{e} s WHERE s.{key} = u.idnumber)",
        )
    database.run(
        f"INSERT INTO going_{e} SELECT u.id, NULL, '{how}' FROM absent_{e} a CROSS JOIN lz_{e} u "
        f"WHERE u.id = a.id AND u.managed AND {stays(e, how)} "
        f"AND NOT EXISTS (SELECT 1 FROM present_{e} p WHERE p.idnumber = u.idnumber)"
    )


def counted(element: Element, number: int) -> str:
    """A number of records in words, like `1 person`, `12 units`."""
    one, many = {"org": ("unit", "units"), "pos": ("position", "positions"), "user": ("person", "people")}[element]
    return f"{number:,} {one if number == 1 else many}"


UNREAD = "a record could not be read, and may be any of them"
TOO_MANY = "that is more than a limit allows"


def withhold(picture: Picture, staged: Staged, why: str = UNREAD) -> None:
    """Nobody goes in this element after all; tell it where somebody would have."""
    e = staged.element
    number = picture.database.run(f"DELETE FROM going_{e}")
    if number:
        detail = f"{counted(e, number)} would have gone: {why}"
        picture.findings.add(Finding("set.removals_withheld", e, detail=detail))
        picture.findings.flush()
