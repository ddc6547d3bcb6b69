"""Every `lz_` table back to what it was before a run, from the images that the run has kept."""

from lzsyncd.sync.picture import UNITS
from lzsyncd.zone.database import Database
from lzsyncd.zone.images import PATHS, ROWS, Images, Part
from lzsyncd.zone.paths import refresh_paths


def restore(images: Images, run_id: str) -> None:
    """Bring the zone back to what it was before a run; `list_made` has listed what the run has made.

    Names are given up before they are given back: unique indexes are checked row by row.

    Args:
        images: those of the undo itself; the caller writes them.
        run_id: what is taken back.
    """
    database = images.database
    for part in ROWS.values():
        images.keep(part, part.among("t", f"unmade_{part.table}"))
        images.keep(part, part.among("t", _images_of(part, run_id)))
    for e in UNITS:
        images.keep(PATHS[e], PATHS[e].among("t", f"unmade_lz_{e}"))
        images.keep(PATHS[e], PATHS[e].among("t", _images_of(PATHS[e], run_id)))
    _remove_what_follows(database, images)
    for part in ROWS.values():
        _remove(database, part)
    _park_usernames(database, run_id)
    for part in ROWS.values():
        _put_back(database, images, part, run_id)
    for e in UNITS:
        _put_paths_back(database, images, PATHS[e], run_id)
        refresh_paths(images, e, f"u.id IN (SELECT id FROM back_{e})")


def _images_of(part: Part, run_id: str) -> str:
    """SQL, after a FROM: the images that a run has of a part."""
    return f"sync_image WHERE run_id = '{run_id}' AND part = '{part.name}'"


def _remove_what_follows(database: Database, images: Images) -> None:
    """Memberships and learning that a later look at the rules gave to people, or audiences, who now go."""
    for table in ("lz_audience_member", "lz_assignment"):
        for column, owner in (("user_id", "lz_user"), ("audience_id", "lz_audience")):
            theirs = f"{column} IN (SELECT row_id FROM unmade_{owner})"
            if images.keep(ROWS[table], f"t.{theirs}"):
                database.run(f"DELETE FROM {table} WHERE {theirs}")


def _remove(database: Database, part: Part) -> None:
    """Remove what the run has made. A table that is emptied is emptied as a whole: SQLite needs no time for that."""
    table = part.table
    going, there = database.rows(f"SELECT (SELECT count(*) FROM unmade_{table}), (SELECT count(*) FROM {table})")[0]
    if going == there:
        database.run(f"DELETE FROM {table}")
    elif going:
        database.run(f"DELETE FROM {table} WHERE {part.among(table, f'unmade_{table}')}")


def _park_usernames(database: Database, run_id: str) -> None:
    """Of those who had another name, and of those who were deleted: somebody else may have had theirs."""
    part = ROWS["lz_user"]
    (name, deleted), join = database.dialect.unpacked("i.before", part.table, ["username", "deleted"])
    database.run(
        "UPDATE lz_user SET username = ' parked ' || lz_user.id FROM ("
        f"SELECT i.row_id, {name} AS username, {deleted} AS deleted "
        f"FROM sync_image i{join} WHERE i.run_id = '{run_id}' AND i.part = 'lz_user' AND i.before IS NOT NULL) b "
        "WHERE lz_user.id = b.row_id AND (lower(lz_user.username) <> lower(b.username) OR b.deleted)"
    )


def _put_back(database: Database, images: Images, part: Part, run_id: str) -> None:
    """Rows that are there get their values back; rows that are gone come back, under their old ids."""
    table = part.table
    values, join = database.dialect.unpacked("i.before", table, part.columns)
    named = ", ".join(f"{value} AS v_{name}" for name, value in zip(part.columns, values))
    back = (
        f"SELECT i.row_id, i.other_id, {named} FROM sync_image i{join} WHERE i.run_id = '{run_id}' "
        f"AND i.part = '{part.name}' AND i.before IS NOT NULL"
    )
    others = [name for name in part.columns if name not in part.key]
    sets = ", ".join(f"{name} = b.v_{name}" for name in others)
    database.run(f"UPDATE {table} SET {sets} FROM ({back}) b WHERE {part.same(table, 'b')}")
    columns = ", ".join(part.columns)
    gone = f"NOT EXISTS (SELECT 1 FROM {table} t WHERE {part.same('t', 'b')})"
    new = int(database.value(f"SELECT count(*) FROM ({back}) b WHERE {gone}"))
    if new:
        with database.indexes_last(table, new):
            taken = ", ".join(f"b.v_{name}" for name in part.columns)
            database.run(
                f"INSERT INTO {table} ({columns}) SELECT {taken} FROM ({back}) b WHERE {gone} ORDER BY b.row_id"
            )
        images.made(part, part.among("t", f"{_images_of(part, run_id)} AND before IS NOT NULL"))
        if part.by_id:
            database.advance_ids(table)


def _put_paths_back(database: Database, images: Images, part: Part, run_id: str) -> None:
    """Paths come back where they are as the run left them; `back_E` says which. Others follow from their parents."""
    e, table = part.table.removeprefix("lz_"), part.table
    (path, depth), join = database.dialect.unpacked("i.before", table, part.columns)
    database.table_of(
        f"back_{e}",
        f"SELECT i.row_id AS id, {path} AS path, {depth} AS depth FROM sync_image i "
        f"JOIN {table} t ON {part.same('t', 'i')}{join} WHERE i.run_id = '{run_id}' AND i.part = '{part.name}' "
        f"AND i.before IS NOT NULL AND (i.after IS NULL OR i.after = {part.packed(database, 't')})",
    )
    database.run(f"UPDATE {table} SET path = b.path, depth = b.depth FROM back_{e} b WHERE b.id = {table}.id")
    images.made(part, f"t.id IN (SELECT id FROM back_{e})")
