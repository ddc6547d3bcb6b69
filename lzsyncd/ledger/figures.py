"""Numbers of a site's ledger for dashboards. Small and quick: the daemon asks for them, and has other things to do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lzsyncd.ledger.feed import WITH_A_SET

OUTCOMES = ("read", "created", "updated", "unchanged", "revived", "removed", "rejected")

Rows = Callable[[str], Sequence[tuple[Any, ...]]]

_LAST = f"""
    SELECT id, status, started_at, finished_at, attempt FROM sync_run
    WHERE kind = 'sync' AND finished_at IS NOT NULL AND {WITH_A_SET} ORDER BY id DESC LIMIT 1
"""
_SUCCESS = """
    SELECT finished_at FROM sync_run
    WHERE kind = 'sync' AND status IN ('applied', 'unchanged') AND set_hash IS NOT NULL ORDER BY id DESC LIMIT 1
"""
_WAITING = "SELECT count(*) FROM sync_run WHERE kind = 'sync' AND status = 'checked'"
LEFT = "SELECT count(*) - count(given_up_at), count(given_up_at) FROM sync_mail WHERE sent_at IS NULL"
"""Mails that wait, and mails that were given up."""


@dataclass(frozen=True)
class Figures:
    """The numbers.

    Attributes:
        last_run: of the last run that ended: its id, status, begin, end and attempt; () before the first. One in which
            the rules alone were asked counts where it failed.
        last_success: when a set was applied last, or was found to change nothing; "" for never.
        rows: what became of the records of the last run: (element, outcome) → number.
        findings: findings of the last run by code.
        waiting: sets that wait for their slot.
        mails_waiting: mails that are yet to be sent.
        mails_given_up: mails that nobody will get.
    """

    last_run: tuple[str, ...] = ()
    last_success: str = ""
    rows: dict[tuple[str, str], int] = field(default_factory=dict)
    findings: dict[str, int] = field(default_factory=dict)
    waiting: int = 0
    mails_waiting: int = 0
    mails_given_up: int = 0


NO_FIGURES = Figures()


def figures(rows: Rows, before: Figures) -> Figures:
    """Ask for the numbers; what belongs to a run is asked for once."""
    last = tuple(str(part or "") for row in rows(_LAST) for part in row)
    counted, found = before.rows, before.findings
    if last and last != before.last_run:
        counted, found = _rows_of(rows, last[0]), _findings_of(rows, last[0])
    waiting, given_up = rows(LEFT)[0]
    return Figures(
        last_run=last,
        last_success=only(rows(_SUCCESS)),
        rows=counted,
        findings=found,
        waiting=int(rows(_WAITING)[0][0]),
        mails_waiting=int(waiting),
        mails_given_up=int(given_up),
    )


def only(found: Sequence[tuple[Any, ...]]) -> str:
    """The one cell of a query's answer as text; "" for nothing."""
    return str(found[0][0] or "") if found else ""


def _rows_of(rows: Rows, run_id: str) -> dict[tuple[str, str], int]:
    """The id has been made by us, and has no quotes."""
    names = ", ".join(f'"{name}"' for name in OUTCOMES)
    found = rows(f"SELECT element, {names} FROM sync_count WHERE run_id = '{run_id}'")
    return {(str(e), name): int(number) for e, *numbers in found for name, number in zip(OUTCOMES, numbers)}


def _findings_of(rows: Rows, run_id: str) -> dict[str, int]:
    found = rows(f"SELECT code, sum(number) FROM sync_found WHERE run_id = '{run_id}' GROUP BY code ORDER BY code")
    return {str(code): int(number) for code, number in found}
