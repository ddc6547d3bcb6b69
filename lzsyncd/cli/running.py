"""One sync in the foreground, with its two lines in the log (CONTRACT section 9)."""

import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from lzsyncd import logs
from lzsyncd.cli.output import is_terminal
from lzsyncd.config import Config, Site
from lzsyncd.errors import NoSet, TryAgain, Unfinished, Usage
from lzsyncd.ledger.queries import CodeCount, RunSummary, code_counts, summary
from lzsyncd.sync.run import Options, Result, describe, sync_folder, translate
from lzsyncd.zone.database import opened

NANOSECONDS = 1_000_000_000
EXPECTED = (Usage, NoSet, TryAgain)
OUTCOMES = {"rejected": "failure", "held": "unknown"}
PLANNED = {"created": "create", "updated": "update", "unchanged": "unchanged", "revived": "revive", "removed": "remove"}


def start_log(config: Config, *, as_json: bool) -> None:
    """Log to standard error; a person at a terminal gets the summary instead, unless they debug."""
    pretty = is_terminal(sys.stderr) and not as_json
    level: logs.Level = config.log.level
    if pretty and level != "debug":
        level = "critical"
    logs.configure(sys.stderr, pretty=pretty, level=level)


def logged_sync(site: Site, folder: Path, options: Options) -> list[Result]:
    """Sync a folder's sets; how each began and ended is in the log."""
    about = {"site": site.name, "run.kind": "dry-run" if options.dry_run else "sync"}
    log = logs.logger().bind(**about)
    log.info("The run has started.", **{"event.action": "run_started"})
    try:
        results = sync_folder(site, folder, options)
    except Exception as error:
        told = {"error.type": type(error).__name__, "error.message": describe(error)}
        # the frames are logged where it is caught
        level = "warning" if isinstance(translate(error), EXPECTED) else "error"
        what = "The run stands, its report is missing." if isinstance(error, Unfinished) else "The run failed."
        getattr(log, level)(what, **{"event.action": "run_finished", "event.outcome": "failure", **told})
        raise
    with opened(site) as database:
        for result in results:
            found = code_counts(database, result.run)
            level = "warning" if result.exit_code else "info"
            getattr(log, level)("The run has finished.", **_event(summary(database, result.run), found, result))
    return results


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
    return event | dict(_severities(found))


def _severities(found: list[CodeCount]) -> Iterator[tuple[str, int]]:
    for severity in ("fatal", "error", "warning"):
        yield f"findings.{severity}", sum(row.number for row in found if row.severity == severity)


def _sum(told: RunSummary, name: str) -> int:
    return sum(row[name] for row in told.counts.values())


def _nanoseconds(told: RunSummary) -> int:
    took = datetime.fromisoformat(told.finished_at) - datetime.fromisoformat(told.started_at)
    return round(took.total_seconds() * NANOSECONDS)
