"""What people ask for: a row each in `sync_request`, whoever they ask through (a command, the page).

Whoever holds the site's lock carries it out (`sync/decisions.py`) and writes down what came of it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lzsyncd.zone.database import Database

COLUMNS = (
    "id",
    "kind",
    "run_id",
    "plan_hash",
    "trigger",
    "requested_by",
    "requested_at",
    "started_at",
    "done_at",
    "exit_code",
    "message",
    "result_run_id",
)
_FILL: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {"exit_code": 0}  # what stands for NULL


class Kind(StrEnum):
    """What can be asked for."""

    APPROVE = "approve"
    DISCARD = "discard"
    UNDO = "undo"
    SYNC = "sync"


@dataclass(frozen=True)
class Request:
    """A row of `sync_request`.

    Attributes:
        id: its number; they are carried out in this order.
        kind: what is asked for; text, since a newer page may ask for what we don't know.
        run: the run it is about.
        plan_hash: the plan that the person saw, "" for none.
        trigger: how: `command` or `page`.
        requested_by: who asked.
        requested_at: when.
        started_at: when it was first begun, "" before.
        done_at: when it was done with, "" before.
        exit_code: how it ended, as a command says it.
        message: what came of it, for people.
        result_run: the run that came of it, "" for none.
    """

    id: int
    kind: str
    run: str
    plan_hash: str
    trigger: str
    requested_by: str
    requested_at: str
    started_at: str
    done_at: str
    exit_code: int
    message: str
    result_run: str


def ask(
    database: Database, kind: Kind, run_id: str, *, plan_hash: str, by: str, now: str, trigger: str = "command"
) -> int:
    """Write down what somebody asks for; returns its number. The site's lock is not needed."""
    query = (
        'INSERT INTO sync_request (kind, run_id, plan_hash, "trigger", requested_by, requested_at) '
        "VALUES (?, ?, ?, ?, ?, ?) RETURNING id"
    )
    return int(database.rows(query, (kind, run_id, plan_hash, trigger, by, now))[0][0])


def request(database: Database, number: int) -> Request:
    """One of them."""
    return _requests(database, "id = ?", (number,))[0]


def unfinished(database: Database) -> list[Request]:
    """Those that are still to be carried out, in the order in which they were asked for."""
    return _requests(database, "done_at IS NULL", ())


def begin(database: Database, number: int, now: str, *, plan_hash: str) -> None:
    """It is being carried out; `plan_hash` is what it stands for, "" when what the person saw is too old."""
    database.run("UPDATE sync_request SET started_at = ?, plan_hash = ? WHERE id = ?", (now, plan_hash, number))


def finish(
    database: Database, number: int, now: str, *, exit_code: int, message: str, result_run: str | None = None
) -> None:
    """It is done with, and this is what came of it."""
    database.run(
        "UPDATE sync_request SET done_at = ?, exit_code = ?, message = ?, result_run_id = ? "
        "WHERE id = ? AND done_at IS NULL",
        (now, exit_code, message, result_run, number),
    )


def _requests(database: Database, where: str, parameters: tuple[int, ...]) -> list[Request]:
    columns = ", ".join(f'"{name}"' for name in COLUMNS)
    found = database.rows(f"SELECT {columns} FROM sync_request WHERE {where} ORDER BY id", parameters)
    return [Request(*(_FILL[name] if cell is None else cell for name, cell in zip(COLUMNS, row))) for row in found]
