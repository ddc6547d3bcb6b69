"""Where a run stands, and when one that failed is tried again. No database here: the daemon needs it, too."""

from datetime import datetime, timedelta
from enum import StrEnum

ATTEMPTS = 3
BACKOFF = (timedelta(minutes=1), timedelta(minutes=10))  # after the first and second failure


class Status(StrEnum):
    """Where a run stands (CONTRACT section 7)."""

    CLAIMED = "claimed"
    CHECKING = "checking"
    CHECKED = "checked"
    HELD = "held"
    APPLYING = "applying"
    APPLIED = "applied"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    DISCARDED = "discarded"
    UNDONE = "undone"
    INTERRUPTED = "interrupted"


def is_due(status: str, attempt: int, finished_at: str, now: datetime) -> bool:
    """Whether it is time to go on with a run that is not done with.

    Args:
        status: where it stands.
        attempt: how often it was begun.
        finished_at: when the last attempt ended, ISO 8601; "" where it did not say so.
        now: aware.
    """
    if status != Status.FAILED or not finished_at or attempt >= ATTEMPTS:
        return True
    wait = BACKOFF[min(max(attempt, 1), len(BACKOFF)) - 1]
    return now >= datetime.fromisoformat(finished_at) + wait
