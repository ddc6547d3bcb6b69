"""Sets that came by the inbox and are not done with: which run is next, which goes on, which is too old to matter."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lzsyncd.feed.elements import MENDED_MARK, Element
from lzsyncd.ledger.status import Status
from lzsyncd.zone.database import Database


@dataclass(frozen=True)
class Pending:
    """A run of the ledger whose set is not done with.

    Attributes:
        run: its id.
        status: where it stands.
        attempt: how often it was begun.
        slot: the slot at which it was to be applied, "" for none.
        created_at: when its set came.
        finished_at: when the last attempt ended, "" where it did not say so.
    """

    run: str
    status: Status
    attempt: int
    slot: str
    created_at: str
    finished_at: str


PENDING = (Status.CLAIMED, Status.INTERRUPTED, Status.FAILED, Status.CHECKED, Status.HELD)
GOOD = (Status.APPLIED, Status.UNCHANGED, Status.CHECKED)


def pending(database: Database, statuses: tuple[Status, ...] = PENDING) -> list[Pending]:
    """Runs in these states, in the order of their arrival."""
    found = database.rows(
        "SELECT id, status, attempt, coalesce(slot, ''), created_at, coalesce(finished_at, '') FROM sync_run "
        f"WHERE kind = 'sync' AND status IN ({_marks(statuses)}) ORDER BY id",
        statuses,
    )
    return [Pending(run, Status(status), int(attempt), *rest) for run, status, attempt, *rest in found]


def claim_slot(database: Database, slot: str, due_at: str, now: str) -> bool:
    """Claim a slot; False when somebody was first, or when it was run before."""
    return bool(
        database.run(
            "INSERT INTO sync_slot (slot, site, due_at, claimed_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (slot, database.site.name, due_at, now),
        )
    )


def claimed_at(database: Database, slot: str) -> str:
    """When a slot was claimed: what came later is not applied at it."""
    return str(database.value("SELECT claimed_at FROM sync_slot WHERE slot = ?", (slot,)) or "")


def finish_slot(database: Database, slot: str, run_id: str | None, now: str) -> None:
    """A slot is done, and which run was its last."""
    database.run(
        "UPDATE sync_slot SET run_id = coalesce(?, run_id), finished_at = ? WHERE slot = ?", (run_id, now, slot)
    )


def unfinished_slots(database: Database) -> list[str]:
    """Slots that were claimed and not finished, oldest first."""
    found = database.rows("SELECT slot FROM sync_slot WHERE finished_at IS NULL ORDER BY due_at, slot")
    return [str(slot) for (slot,) in found]


def attempts_at(database: Database, slot: str) -> int:
    """How often a run that the slot itself began did not come to its end."""
    query = """
        SELECT coalesce(sum(attempt), 0) FROM sync_run
        WHERE slot = ? AND "trigger" = 'slot' AND status IN ('failed', 'interrupted')
    """
    return int(database.value(query, (slot,)))


def take_file(database: Database, run_id: str, element: Element, taken_by: str) -> None:
    """A file that waited for its element's own slot waits no longer."""
    database.run("UPDATE sync_file SET taken_by = ? WHERE run_id = ? AND element = ?", (taken_by, run_id, element))


def left_with(database: Database, element: Element) -> list[tuple[str, str, str]]:
    """Of `newest_with` those whose file no run has decided on yet, in the order of arrival."""
    taken = database.rows("SELECT run_id FROM sync_file WHERE element = ? AND taken_by IS NOT NULL", (element,))
    done = {run for (run,) in taken}
    return [found for found in reversed(newest_with(database, element)) if found[0] not in done]


def rules_are_due(database: Database, slot: str) -> bool:
    """Whether there are audiences, and no run of this slot has asked about them."""
    if not database.site.audiences and not database.value("SELECT 1 FROM lz_audience LIMIT 1"):
        return False
    asked = "SELECT 1 FROM sync_run WHERE slot = ? AND status IN ('applied', 'unchanged') LIMIT 1"
    return not database.value(asked, (slot,))


def newest_with(database: Database, element: Element) -> list[tuple[str, str, str]]:
    """Runs whose set was good and has a file of an element, newest first: (run, status, slot).

    A set that was undone is never applied again by itself; the same bytes delivered again are another set.
    """
    found = database.rows(
        "SELECT r.id, r.status, coalesce(r.slot, '') FROM sync_run r JOIN sync_file f ON f.run_id = r.id "
        f"WHERE r.kind = 'sync' AND r.status IN ({_marks(GOOD)}) AND f.element = ? AND f.name = ? AND NOT EXISTS ("
        "SELECT 1 FROM sync_run u JOIN sync_file g ON g.run_id = u.id "
        "WHERE u.status = 'undone' AND u.id >= r.id AND g.element = f.element AND g.sha256 = f.sha256) "
        "ORDER BY r.id DESC",
        (*GOOD, element, element.file_name),
    )
    return [(str(run), str(status), str(slot)) for run, status, slot in found]


def last_header(database: Database, element: Element) -> list[str] | None:
    """The header of the file of an element that was applied last, None before the first. Reject files don't count."""
    found = database.rows(
        "SELECT f.name, f.header FROM sync_file f JOIN sync_run r ON r.id = f.run_id WHERE r.kind = 'sync' "
        "AND r.status IN ('applied', 'unchanged') AND f.element = ? AND f.name = ? ORDER BY r.id DESC LIMIT 20",
        (element, element.file_name),
    )
    return next((json.loads(header) for name, header in found if not _is_mended(element, name, header)), None)


def good_after(database: Database, run_id: str) -> list[frozenset[Element]]:
    """The elements of every good set that came later than a run; without mended ones, which correct a few records."""
    found = database.rows(
        "SELECT r.id, f.element, f.name, f.header FROM sync_run r JOIN sync_file f ON f.run_id = r.id "
        f"WHERE r.kind = 'sync' AND r.\"trigger\" <> 'slot' AND r.status IN ({_marks(GOOD)}) AND r.id > ?",
        (*GOOD, run_id),
    )
    sets = defaultdict[str, set[Element]](set)
    mended = set()
    for run, e, name, header in found:
        sets[run].add(Element(e))
        if _is_mended(e, name, header):
            mended.add(run)
    return [frozenset(elements) for run, elements in sets.items() if run not in mended]


def is_mended(files: Sequence[dict[str, Any]]) -> bool:
    """Whether a set, by its rows of `sync_file`, is one of reject files that came back."""
    return any(_is_mended(file["element"], file["name"], json.dumps(file["header"])) for file in files)


def _is_mended(element: str, name: str, header: str) -> bool:
    return name != Element(element).file_name or f'"{MENDED_MARK}"' in header.lower()


def _marks(values: tuple[Status, ...]) -> str:
    return ", ".join("?" * len(values))
