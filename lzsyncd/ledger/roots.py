"""What is wrong, by its root causes: the question that mails ask of the ledger."""

from typing import NamedTuple

from lzsyncd.zone.database import Database


class CauseCount(NamedTuple):
    """How often a code was found that no other finding caused, and how many findings it caused."""

    code: str
    severity: str
    number: int
    behind: int


def cause_counts(database: Database, run_id: str) -> list[CauseCount]:
    """Findings that no other caused, by code: the dearest first, then those with most behind them."""
    rows = database.rows(
        "SELECT r.code, r.severity, count(*), coalesce(sum(b.behind), 0) FROM sync_error r LEFT JOIN ("
        "SELECT caused_by, count(*) AS behind FROM sync_error WHERE run_id = ? AND caused_by IS NOT NULL "
        "GROUP BY caused_by) b ON b.caused_by = r.id WHERE r.run_id = ? AND r.caused_by IS NULL "
        "GROUP BY r.code, r.severity ORDER BY CASE r.severity WHEN 'fatal' THEN 0 WHEN 'error' THEN 1 ELSE 2 END, "
        "count(*) + coalesce(sum(b.behind), 0) DESC, r.code",
        (run_id, run_id),
    )
    return [CauseCount(code, severity, int(number), int(behind)) for code, severity, number, behind in rows]
