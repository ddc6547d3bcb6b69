"""The history of records that are new.

Of a file that is staged wide it was written while it was read, as if all its records were accepted: here it is taken
back for those that are not (measured on PostgreSQL, a million people: 6 s less than writing it from staging). Of a
resync it is written here. Either way those whose links were dropped are told again without them.
"""

from lzsyncd.feed.elements import Element
from lzsyncd.feed.newcomers import told
from lzsyncd.feed.stage import Staged, cell
from lzsyncd.sync.picture import Picture, new_records
from lzsyncd.zone.dialect import Row
from lzsyncd.zone.digest import sums_of

BLOCK = 2_000  # records told again at a time


def write_created(picture: Picture, staged: Staged, run_id: str) -> int:
    """Bring the history of a file's new records in line with the plan; returns how many there are."""
    e, database = staged.element, picture.database
    if staged.wide:
        created = staged.told - _take_back(picture, staged, run_id)
    else:
        created = database.run(
            "INSERT INTO sync_change (run_id, element, idnumber, action, after, file, line) "
            f"SELECT '{run_id}', '{e}', s.c_idnumber, 'created', s.created, '{staged.name}', s.line "
            f"{new_records(staged)}"
        )
    if e is Element.USER and database.value("SELECT 1 FROM dropped_user LIMIT 1"):
        _tell_again(picture, staged, run_id)
    return created


def _take_back(picture: Picture, staged: Staged, run_id: str) -> int:
    """Of records that are rejected or left out."""
    e, database = staged.element, picture.database
    if not database.value(f"SELECT 1 FROM out_{e} LIMIT 1"):
        return 0
    where = f"FROM sync_change WHERE run_id = ? AND element = '{e}' AND line IN (SELECT line FROM out_{e})"
    taken_back = picture.database.sums(f"SELECT '{e} ' || idnumber || ' created ' || after {where}", (run_id,))
    staged.sums = staged.sums.minus(taken_back)
    return database.run(f"DELETE {where}", (run_id,))


def _tell_again(picture: Picture, staged: Staged, run_id: str) -> None:
    """New people whose links or dates were dropped."""
    database, last = picture.database, 0
    picture.table("told_again", "id BIGINT PRIMARY KEY, after TEXT")
    cells = ", ".join(f"s.{cell(column)}" for column in staged.columns)
    query = (
        f"SELECT c.id, c.line, c.after, {cells} FROM sync_change c JOIN stage_user s ON s.line = c.line "
        "WHERE c.run_id = ? AND c.element = 'user' AND c.action = 'created' "
        "AND c.line IN (SELECT line FROM dropped_user) AND c.id > ? "
        f"ORDER BY c.id LIMIT {BLOCK}"
    )
    while rows := database.rows(query, (run_id, last)):
        database.load("told_again", ("id", "after"), _told_again(picture, staged, rows))
        last = rows[-1][0]
    database.run("UPDATE sync_change SET after = t.after FROM told_again t WHERE t.id = sync_change.id")


def _told_again(picture: Picture, staged: Staged, rows: list[Row]) -> list[tuple[str, str]]:
    ids, lines, before, *columns = (list(column) for column in zip(*rows, strict=True))
    cells = {column.name: texts for column, texts in zip(staged.columns, columns, strict=True)}
    at = {line: place for place, line in enumerate(lines)}
    dropped = "SELECT line, column_name FROM dropped_user WHERE line BETWEEN ? AND ?"
    for line, name in picture.database.rows(dropped, (min(lines), max(lines))):
        if line in at:
            cells[name][at[line]] = ""
    after, keys = staged.newcomers.history(cells, len(lines)), cells["idnumber"]
    if staged.wide:
        was, will_be = (sums_of(told(staged.element, keys, objects)) for objects in (before, after))
        staged.sums = staged.sums.minus(was).plus(will_be)
    return [(str(number), text) for number, text in zip(ids, after, strict=True)]
