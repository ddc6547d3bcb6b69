"""How a run ends: its result, and the words for it. No value of a file is in either (law 8)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lzsyncd.errors import ExitCode, LzsyncdError, NoMemory, TryAgain
from lzsyncd.ledger.status import Status
from lzsyncd.sync.preview import Preview
from lzsyncd.zone.database import Database

NO_MEMORY = (
    "There is not enough memory: give it more (MemoryMax of the unit, ulimit -v), or let fewer runs work at the same "
    "time (workers)."
)


@dataclass(frozen=True)
class Result:
    """How a run ended. `preview` is what a dry run was asked to show: values of the site are in it."""

    run: str
    status: Status
    set_hash: str = ""
    plan_hash: str = ""
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    findings: dict[str, int] = field(default_factory=dict)
    exit_code: ExitCode = ExitCode.CLEAN
    learning: dict[str, int] = field(default_factory=dict)
    preview: Preview | None = field(default=None, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """For `sync --json`."""
        return {
            "run": self.run,
            "status": str(self.status),
            "set_hash": self.set_hash,
            "plan_hash": self.plan_hash,
            "counts": self.counts,
            "findings": self.findings,
            "learning": self.learning,
        }


def they_are(names: Sequence[str]) -> str:
    """The subject of a sentence: `org.csv is`, `org.csv and pos.csv are`."""
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"


def stands(result: Result) -> str:
    """What is true of a run whose report is missing."""
    good = result.status in (Status.APPLIED, Status.UNCHANGED)
    site = " and the site is up to date" if good else ""
    missing = "only its archive or report is missing, and the next sync makes up for that"
    return f"Run {result.run} is {result.status}{site}; {missing}."


def exit_code(status: Status, found: dict[str, int], *, held: bool) -> ExitCode:
    """What the command tells its caller."""
    if status is Status.REJECTED:
        return ExitCode.REJECTED
    if held:
        return ExitCode.HELD
    return ExitCode.FINDINGS if found else ExitCode.CLEAN


def describe(error: Exception) -> str:
    """An error without the values a database puts into its text (law 8)."""
    if isinstance(error, LzsyncdError):
        return str(error)
    if isinstance(error, MemoryError):
        return NO_MEMORY
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {error.strerror}."
    state = getattr(error, "sqlstate", "") or ""
    name = getattr(error, "sqlite_errorname", "") or state
    return f"{type(error).__name__} {name}".strip() + "."


def translate(error: Exception) -> Exception:
    """A database that is away, or memory that is not there, as the exception that says so."""
    if isinstance(error, MemoryError):
        return NoMemory(NO_MEMORY)
    return TryAgain("The database went away; nothing was changed.") if Database.is_away(error) else error
