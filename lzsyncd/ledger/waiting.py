"""Sets that came by the inbox and are not done with: which run is next, which goes on, which is too old to matter."""

from dataclasses import dataclass

from lzsyncd.feed.elements import Element
from lzsyncd.ledger.runs import Status
from lzsyncd.zone.database import Database


@dataclass(frozen=True)
class Pending:
    """A run of the ledger whose set is not done with.

    Attributes:
        run: its id.
        status: where it stands.
        attempt: how often it was begun.
        slot: the slot at which it was to be applied, "" for none.
        finished_at: when the last attempt ended, "" where it did not say so.
    """

    run: str
    status: Status
    attempt: int
    slot: str
    finished_at: str


PENDING = (Status.CLAIMED, Status.INTERRUPTED, Status.FAILED, Status.CHECKED, Status.HELD)


def pending(database: Database, statuses: tuple[Status, ...] = PENDING) -> list[Pending]:
    """Runs in these states, in the order of their arrival."""
    marks = ", ".join("?" * len(statuses))
    found = database.rows(
        "SELECT id, status, attempt, coalesce(slot, ''), coalesce(finished_at, '') FROM sync_run "
        f"WHERE kind = 'sync' AND status IN ({marks}) ORDER BY id",
        statuses,
    )
    return [Pending(run, Status(status), int(attempt), slot, ended) for run, status, attempt, slot, ended in found]


def claim_slot(database: Database, slot: str, due_at: str, now: str) -> bool:
    """Claim a slot; False when somebody was first, or when it was run before."""
    return bool(
        database.run(
            "INSERT INTO sync_slot (slot, site, due_at, claimed_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (slot, database.site.name, due_at, now),
        )
    )


def finish_slot(database: Database, slot: str, run_id: str | None, now: str) -> None:
    """A slot is done, and which run was its last."""
    database.run("UPDATE sync_slot SET run_id = ?, finished_at = ? WHERE slot = ?", (run_id, now, slot))


def unfinished_slots(database: Database) -> list[tuple[str, str]]:
    """Slots that were claimed and not finished, with the time when they were due, oldest first."""
    found = database.rows("SELECT slot, due_at FROM sync_slot WHERE finished_at IS NULL ORDER BY due_at, slot")
    return [(str(slot), str(due_at)) for slot, due_at in found]


def newest_with(database: Database, element: Element) -> list[tuple[str, str]]:
    """Runs, newest first, whose set was good and has a file of an element that names everybody it knows."""
    good = (Status.APPLIED, Status.UNCHANGED, Status.CHECKED)
    found = database.rows(
        "SELECT r.id, f.name FROM sync_run r JOIN sync_file f ON f.run_id = r.id WHERE r.kind = 'sync' "
        f"AND r.status IN ('{good[0]}', '{good[1]}', '{good[2]}') AND f.element = ? AND f.name = ? ORDER BY r.id DESC",
        (element, element.file_name),
    )
    return [(str(run), str(name)) for run, name in found]
