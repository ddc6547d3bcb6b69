"""The runs of a site: who started, how it ended, with which counts and files."""

import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from lzsyncd.feed.elements import Element
from lzsyncd.ledger.status import Status
from lzsyncd.zone.database import Database

UNDER_WAY = (Status.CLAIMED, Status.CHECKING, Status.APPLYING)
BROKEN_OFF = (Status.FAILED, Status.INTERRUPTED)


def iso(moment: datetime) -> str:
    """A time as the tables keep it: UTC, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def new_run_id(moment: datetime) -> str:
    """A run's id: sorts by time, unique over all sites, safe as a folder's name."""
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%S}{moment.microsecond // 1000:03}-{secrets.token_hex(4)}"


def start(database: Database, run_id: str, *, kind: str, trigger: str, now: str, slot: str | None = None) -> None:
    """Write a run down before anything is done for it."""
    database.run(
        'INSERT INTO sync_run (id, kind, "trigger", slot, attempt, status, created_at, started_at) '
        "VALUES (?, ?, ?, ?, 1, ?, ?, ?)",
        (run_id, kind, trigger, slot, Status.CLAIMED, now, now),
    )


def resume(database: Database, run_id: str, now: str, *, slot: str | None, again: bool) -> None:
    """Go on with a set that waited or failed; `again`: it is one more attempt."""
    database.run(
        "UPDATE sync_run SET status = ?, started_at = ?, finished_at = NULL, message = '', slot = coalesce(?, slot), "
        "attempt = attempt + ? WHERE id = ?",
        (Status.CHECKING, now, slot, int(again), run_id),
    )


def attempt(database: Database, run_id: str) -> int:
    """How often a run was begun."""
    return int(database.value("SELECT attempt FROM sync_run WHERE id = ?", (run_id,)) or 0)


def created_at(database: Database, run_id: str) -> str:
    """When a run's set came."""
    return str(database.value("SELECT created_at FROM sync_run WHERE id = ?", (run_id,)))


def write_file(database: Database, run_id: str, element: Element, *told: str | int | None) -> None:
    """Write a file of a set down: its name, size, sha256, records, header, and the run that has decided on it."""
    database.run(
        "INSERT INTO sync_file (run_id, element, name, size, sha256, records, header, taken_by) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (run_id, element, *told),
    )


def forget_findings(database: Database, run_id: str, elements: Sequence[Element]) -> None:
    """These elements of a set are judged anew: what was said of them is not true any more. No change was ever kept."""
    marks = ", ".join("?" * len(elements))
    for table in ("sync_error", "sync_found", "sync_count", "sync_file", "sync_breach"):
        database.run(
            f"DELETE FROM {table} WHERE run_id = ? AND (element IS NULL OR element IN ({marks}))", (run_id, *elements)
        )
    database.run("DELETE FROM sync_audience WHERE run_id = ?", (run_id,))


def refund(database: Database, run_id: str) -> None:
    """An attempt that failed for want of a database or disk is none."""
    marks = ", ".join("?" * len(UNDER_WAY + BROKEN_OFF))
    database.run(
        f"UPDATE sync_run SET attempt = attempt - 1 WHERE id = ? AND attempt > 0 AND status IN ({marks})",
        (run_id, *UNDER_WAY, *BROKEN_OFF),
    )


def move(database: Database, run_id: str, status: Status) -> None:
    """Say where a run stands now."""
    database.run("UPDATE sync_run SET status = ? WHERE id = ?", (status, run_id))


def finish(
    database: Database,
    run_id: str,
    status: Status,
    now: str,
    *,
    set_hash: str = "",
    plan_hash: str = "",
    message: str = "",
) -> None:
    """Say how a run ended.

    A run whose end was committed can't be broken off any more: a signal may come while the commit returns.
    """
    can_be = (*UNDER_WAY, *BROKEN_OFF) if status in BROKEN_OFF else tuple(Status)
    marks = ", ".join("?" * len(can_be))
    database.run(
        "UPDATE sync_run SET status = ?, finished_at = ?, set_hash = ?, plan_hash = ?, message = ? "
        f"WHERE id = ? AND status IN ({marks})",
        (status, now, set_hash or None, plan_hash or None, message, run_id, *can_be),
    )


def interrupted(database: Database) -> list[str]:
    """Mark runs that ended without a word (the caller holds the site's lock); returns their ids.

    Claiming is no attempt yet: who was ended there has not begun.
    """
    marks = ", ".join("?" * len(UNDER_WAY))
    found = [str(row[0]) for row in database.rows(f"SELECT id FROM sync_run WHERE status IN ({marks})", UNDER_WAY)]
    for run_id in found:
        message = "The run ended without a word; nothing of it was applied."
        database.run(
            "UPDATE sync_run SET status = ?, message = ?, attempt = attempt - CASE status WHEN ? THEN 1 ELSE 0 END "
            "WHERE id = ?",
            (Status.INTERRUPTED, message, Status.CLAIMED, run_id),
        )
    return found


def write_counts(database: Database, run_id: str, counts: Iterable[tuple[Element, dict[str, int]]]) -> None:
    """Keep the counts of a run."""
    for element, numbers in counts:
        columns = ", ".join(f'"{name}"' for name in numbers)
        marks = ", ".join("?" * len(numbers))
        database.run(
            f"INSERT INTO sync_count (run_id, element, {columns}) VALUES (?, ?, {marks})",
            (run_id, element, *numbers.values()),
        )
