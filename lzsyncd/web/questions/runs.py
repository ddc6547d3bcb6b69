"""Runs in a list, and which of them is the newest."""

from typing import NamedTuple

from lzsyncd.ledger.feed import WITH_A_SET
from lzsyncd.web.questions.slices import LAST_SIGN, ROWS
from lzsyncd.zone.database import Database


class RunLine(NamedTuple):
    """A run in a list; counts are over all elements."""

    run: str
    kind: str
    trigger: str
    status: str
    created_at: str
    started_at: str
    finished_at: str
    message: str
    read: int
    changed: int
    rejected: int
    findings: int


_RUN_LINES = """
SELECT r.id, r.kind, r."trigger", r.status, r.created_at, coalesce(r.started_at, ''), coalesce(r.finished_at, ''),
    r.message, coalesce(c.read, 0), coalesce(c.changed, 0), coalesce(c.rejected, 0), coalesce(f.number, 0)
FROM (SELECT * FROM sync_run WHERE id < ? AND (? = '' OR status = ?) ORDER BY id DESC LIMIT ?) r
LEFT JOIN (
    SELECT run_id, sum("read") AS "read", sum(created + updated + revived + removed) AS changed,
        sum(rejected) AS rejected FROM sync_count GROUP BY run_id
) c ON c.run_id = r.id
LEFT JOIN (SELECT run_id, sum(number) AS number FROM sync_found GROUP BY run_id) f ON f.run_id = r.id
ORDER BY r.id DESC
"""


def run_lines(database: Database, before: str = "", status: str = "", rows: int = ROWS) -> list[RunLine]:
    """Runs, newest first, from one on."""
    found = database.rows(_RUN_LINES, (before or LAST_SIGN, status, status, rows))
    return [RunLine(*row[:8], *map(int, row[8:])) for row in found]


def run_status(database: Database, run: str) -> str:
    """Where a run stands, "" where there is no such run."""
    return str(database.value("SELECT status FROM sync_run WHERE id = ?", (run,)) or "")


def newest_run(database: Database) -> str:
    """The newest run that reads files, "" before the first."""
    return str(database.value(f"SELECT max(id) FROM sync_run WHERE kind = 'sync' AND {WITH_A_SET}") or "")


def newest_line(database: Database) -> RunLine | None:
    """The newest run that reads files."""
    newest = newest_run(database)
    return run_lines(database, before=newest + LAST_SIGN, rows=1)[0] if newest else None


class Asked(NamedTuple):
    """Something that a person asked for; `done_at` is "" as long as it is still to be done."""

    id: int
    kind: str
    who: str
    at: str
    done_at: str
    message: str
    result_run: str


def asked_for(database: Database, run: str) -> list[Asked]:
    """What was asked for of a run, the newest first."""
    found = database.rows(
        "SELECT id, kind, requested_by, requested_at, coalesce(done_at, ''), message, coalesce(result_run_id, '') "
        "FROM sync_request WHERE run_id = ? ORDER BY id DESC LIMIT 5",
        (run,),
    )
    return [Asked(*row) for row in found]
