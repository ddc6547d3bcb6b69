"""A record as it was: its fields at a moment, rebuilt from its history."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from lzsyncd.errors import Usage
from lzsyncd.feed.elements import CUSTOM_PREFIX
from lzsyncd.ledger.queries import Step
from lzsyncd.ledger.runs import iso


@dataclass
class Past:
    """A record at a moment.

    Attributes:
        fields: what it was; None where it was not there.
        run: the last run before that moment that changed it, "" for none.
        is_whole: the history begins with the record: no field is missing for want of history.
    """

    fields: dict[str, Any] | None = None
    run: str = ""
    is_whole: bool = field(default=True)


def moment_of(text: str, zone: tzinfo) -> str:
    """The moment that a person means, as the tables keep it: of a day its end, in the site's time zone.

    Raises:
        Usage: it is neither a day nor a time, ISO 8601.
    """
    try:
        if len(text) == len("2026-11-22"):
            return iso(datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), zone))
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise Usage(f"“{text}” is no day and no time: write it like 2026-11-22 or 2026-11-22T14:30.") from None
    return iso(found if found.tzinfo else found.replace(tzinfo=zone))


def past_of(steps: Iterable[Step], before: str) -> Past:
    """What a record was before a moment. An undo is a change like any other, so it needs no special reading.

    Args:
        steps: its history, oldest first.
        before: the moment, as the tables keep it.
    """
    past = Past()
    for step in steps:
        if step.finished_at >= before:
            continue
        change = step.change
        if not past.run:
            past.is_whole = change.before == {}
        past.run = change.run_id
        known = past.fields if past.fields is not None and change.before else {}
        past.fields = _merged(known, change.after) if change.after else None
    return past


def _merged(fields: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Fields with a change's put over them; a unit that went had its custom fields together."""
    flat = {name: value for name, value in after.items() if name != "custom"}
    flat |= {CUSTOM_PREFIX + name: value for name, value in after.get("custom", {}).items()}
    return {name: value for name, value in (fields | flat).items() if value is not None}
