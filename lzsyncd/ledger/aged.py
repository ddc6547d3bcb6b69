"""What the ledger keeps of a run beyond its books, and may forget: findings, history, images, what was told of it.

A run is marked first (`sync_run.pruned_at`), in one statement. From then on nobody takes it back, however much of its
images is still there. What a marked run has is deleted in small batches: a large ledger keeps nobody waiting, and
whoever was killed meanwhile has left nothing but work.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from lzsyncd.ledger.status import Status
from lzsyncd.zone.database import Database

BATCH = 10_000  # rows; SQLite's write lock is held for so many
ASKED = 500  # runs that one question is about
NOT_DONE = (Status.CLAIMED, Status.CHECKING, Status.CHECKED, Status.HELD, Status.APPLYING)


class Piece(NamedTuple):
    """Rows of a run that are forgotten.

    Attributes:
        table: where they are.
        kind: as what they are counted, for people.
        key: the columns by which a batch is found again, led by an index.
        only: SQL: which of them; "" for all.
    """

    table: str
    kind: str
    key: str = "id"
    only: str = ""


PIECES = (
    Piece("sync_found", "findings_by_code", "run_id, code"),
    Piece("sync_error", "findings"),
    Piece("sync_breach", "limits"),
    Piece("sync_planned", "planned"),
    Piece("sync_change", "changes"),
    Piece("sync_member", "memberships", "run_id, idnumber"),
    Piece("sync_image", "images", "run_id, part, row_id, other_id"),
    Piece("sync_made", "images", "run_id, table_name"),
    Piece("sync_request", "requests", only=" AND done_at IS NOT NULL"),
    # the last mail of each kind says whether all is well again, and that a silence was told of
    Piece(
        "sync_mail",
        "mails",
        only=" AND (sent_at IS NOT NULL OR given_up_at IS NOT NULL) "
        "AND id NOT IN (SELECT max(id) FROM sync_mail GROUP BY kind)",
    ),
    Piece("sync_put", "puts"),
)
KINDS = tuple(dict.fromkeys(piece.kind for piece in PIECES))


def ended_before(database: Database, moment: str) -> list[str]:
    """Runs that are over, for longer than that, and still have what is forgotten one day; oldest first."""
    found = database.rows(
        "SELECT id FROM sync_run WHERE coalesce(finished_at, created_at) < ? AND pruned_at IS NULL "
        f"AND NOT (kind = 'sync' AND status IN ({', '.join('?' * len(NOT_DONE))})) ORDER BY id",
        (moment, *NOT_DONE),
    )
    return [str(run) for (run,) in found]


def undoable(database: Database) -> set[str]:
    """The latest applied run; where that is an undo also what it took back, and the latest set that stands."""
    latest = (
        "SELECT id, undoes FROM sync_run WHERE kind IN ({}) AND status = 'applied' "
        "ORDER BY finished_at DESC, id DESC LIMIT 1"
    )
    found = database.rows(latest.format("'sync', 'undo'")) + database.rows(latest.format("'sync'"))
    return {str(run) for row in found for run in row if run}


def last_good(database: Database) -> set[str]:
    """The newest set that was applied, or had nothing to change."""
    found = database.value(
        "SELECT max(r.id) FROM sync_run r WHERE r.kind = 'sync' AND r.status IN ('applied', 'unchanged') "
        "AND EXISTS (SELECT 1 FROM sync_file f WHERE f.run_id = r.id)"
    )
    return {str(found)} if found else set()


def mark(database: Database, runs: Sequence[str], now: str) -> None:
    """Give these runs up, all of them or none: nothing of what they have can be relied on any more."""
    with database.transaction():
        for some in _asked(runs):
            database.run(f"UPDATE sync_run SET pruned_at = ? WHERE id IN ({_marks(some)})", (now, *some))


def marked(database: Database) -> dict[str, bool]:
    """Every run that the ledger knows, and whether it was given up."""
    return {str(run): pruned is not None for run, pruned in database.rows("SELECT id, pruned_at FROM sync_run")}


def count(database: Database, runs: Sequence[str]) -> dict[str, int]:
    """How many rows of these runs would be forgotten, by kind."""
    counts = dict.fromkeys(KINDS, 0)
    for piece in PIECES:
        for some in _asked(runs):
            query = f"SELECT count(*) FROM {piece.table} WHERE run_id IN ({_marks(some)}){piece.only}"
            counts[piece.kind] += int(database.value(query, some))
    return counts


def forget(database: Database, step: Callable[[], None]) -> dict[str, int]:
    """Delete what marked runs have; returns how many rows of each kind.

    Args:
        database: the site's.
        step: called before each batch; may raise to break off.
    """
    counts = dict.fromkeys(KINDS, 0)
    for piece in PIECES:
        deleted = BATCH
        while deleted >= BATCH:
            step()
            deleted = database.run(
                f"DELETE FROM {piece.table} WHERE ({piece.key}) IN (SELECT {piece.key} FROM {piece.table} "
                f"WHERE run_id IN (SELECT id FROM sync_run WHERE pruned_at IS NOT NULL){piece.only} LIMIT {BATCH})"
            )
            counts[piece.kind] += deleted
    return counts


def _asked(runs: Sequence[str]) -> Iterator[Sequence[str]]:
    return (runs[first : first + ASKED] for first in range(0, len(runs), ASKED))


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
