"""What the log says of runs: two lines for each, with counts and codes, and no value of a file (CONTRACT section 9)."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from structlog.stdlib import BoundLogger

from lzsyncd.errors import ExitCode, Interrupted, NoSet, TryAgain, Unfinished, Usage
from lzsyncd.ledger.queries import CodeCount, RunSummary, code_counts, summary
from lzsyncd.ledger.status import Status
from lzsyncd.sync.ending import Result, describe, translate
from lzsyncd.zone.database import Database

NANOSECONDS = 1_000_000_000
EXPECTED = (Usage, NoSet, TryAgain, Interrupted)
OUTCOMES = {"rejected": "failure", "held": "unknown"}
LEARNED = {"joined": "join", "left": "leave", "assigned": "assign", "unassigned": "unassign"}
PLANNED = {"created": "create", "updated": "update", "unchanged": "unchanged", "revived": "revive", "removed": "remove"}


class RunLog:
    """Tells the log what becomes of a site's runs.

    Args:
        log: bound to the site.
    """

    def __init__(self, log: BoundLogger) -> None:
        self._log = log

    def claimed(self, run_id: str) -> None:
        """A set was taken out of the inbox."""
        self._tell("info", "A set was claimed.", run_id, "set_claimed")

    def started(self, run_id: str | None = None, kind: str = "sync") -> None:
        """A run begins."""
        self._tell("info", "The run has started.", run_id, "run_started", **{"run.kind": kind})

    def finished(self, database: Database, result: Result) -> None:
        """A run has come to an end, or to a halt that a slot or a person ends."""
        level = "warning" if result.exit_code else "info"
        told, found = summary(database, result.run), code_counts(database, result.run)
        text = "The run has finished." + (f" {told.message}" if told.message else "")
        getattr(self._log, level)(text, **_event(told, found, result))

    def failed(self, run_id: str | None, error: Exception) -> None:
        """A run was broken off; the frames are logged where the exception is caught for good."""
        told = {"error.type": type(error).__name__, "error.message": describe(error), "event.outcome": "failure"}
        level = "warning" if isinstance(translate(error), EXPECTED) else "error"
        what = "The run stands, its report is missing." if isinstance(error, Unfinished) else "The run failed."
        self._tell(level, what, run_id, "run_finished", **told)

    def held(self, run_id: str, message: str) -> None:
        """A set waits for files or a person."""
        self._tell("warning", f"A set waits: {message}", run_id, "set_held")

    def ended(self, run_id: str, status: Status) -> None:
        """A set is not waited for any more."""
        self._tell("info", f"The set is {status}.", run_id, "set_ended", **{"run.status": str(status)})

    def decided(self, run_id: str, kind: str, message: str, exit_code: int) -> None:
        """What a person decided was carried out, or could not be."""
        text = f"A person asked to {kind} a run. {message}".strip()
        level = "info" if exit_code == ExitCode.CLEAN else "warning"
        self._tell(level, text, run_id, "request_done", exit_code=int(exit_code))

    def put_aside(self, run_id: str, reason: str) -> None:
        """A set failed too often."""
        self._tell("error", reason, run_id, "set_quarantined", **{"event.outcome": "failure"})

    def not_as_judged(self) -> None:
        """A set changed between the look and the claim."""
        self._tell("info", "The set changed while it was claimed; it is waited for.", None, "set_changed")

    def pruned(self, archives: int, reports: int, size: int, rows: int) -> None:
        """What is older than the retention is gone."""
        about = {"pruned.archives": archives, "pruned.reports": reports, "pruned.bytes": size, "pruned.rows": rows}
        self._tell("info", "What is older than the retention was deleted.", None, "retention_done", **about)

    def not_pruned(self, error: Exception) -> None:
        """It could not be deleted, or not all of it."""
        told = {"error.type": type(error).__name__, "error.message": describe(error), "event.outcome": "failure"}
        text = "What is older than the retention could not be deleted; it is tried again after the next slot."
        self._tell("warning", text, None, "retention_failed", **told)

    def _tell(self, level: str, message: str, run_id: str | None, action: str, **more: Any) -> None:
        about = {"run.id": run_id} if run_id else {}
        getattr(self._log, level)(message, **{"event.action": action, **about, **more})


def _event(told: RunSummary, found: list[CodeCount], result: Result) -> dict[str, Any]:
    event: dict[str, Any] = {
        "event.action": "run_finished",
        "event.outcome": OUTCOMES.get(told.status, "success"),
        "event.duration": _nanoseconds(told),
        "run.id": told.run,
        "run.status": told.status,
        "set.hash": told.set_hash,
        "plan.hash": told.plan_hash,
        "rows.read": _sum(told, "read"),
        "rows.rejected": _sum(told, "rejected"),
        "exit_code": int(result.exit_code),
        "findings.by_code": told.findings,
    }
    event |= {f"plan.{word}": _sum(told, name) for name, word in PLANNED.items()}
    event |= {f"plan.{word}": told.learning[name] for name, word in LEARNED.items()}
    return event | dict(_severities(found))


def _severities(found: list[CodeCount]) -> Iterator[tuple[str, int]]:
    for severity in ("fatal", "error", "warning"):
        yield f"findings.{severity}", sum(row.number for row in found if row.severity == severity)


def _sum(told: RunSummary, name: str) -> int:
    return sum(row[name] for row in told.counts.values())


def _nanoseconds(told: RunSummary) -> int:
    took = datetime.fromisoformat(told.finished_at) - datetime.fromisoformat(told.started_at)
    return round(took.total_seconds() * NANOSECONDS)
