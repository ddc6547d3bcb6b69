"""Which of the files on a remote server are to be fetched now? Pure: a listing and what is known come in.

The rules are those of an inbox: names, markers, a quiet time, the set window. What time it is for the server does not
matter: a file is quiet when it was seen the same before.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from lzsyncd.config import Site
from lzsyncd.feed.elements import Element
from lzsyncd.intake.markers import MARKERS
from lzsyncd.ledger.fetched import Known, Offered

TAKEN = ("arriving", "fetched", "done")


@dataclass(frozen=True)
class Choice:
    """What is to be done.

    Attributes:
        files: to be fetched now, as one set; files first, then markers.
        waiting: what is waited for, a sentence; "" for nothing.
        is_soon: a quiet time is all that is waited for.
    """

    files: tuple[Offered, ...] = ()
    waiting: str = ""
    is_soon: bool = False


def choose(site: Site, offered: Iterable[Offered], known: Mapping[Offered, Known], now: datetime) -> list[Choice]:
    """Decide; a full set and mended files are two sets.

    Args:
        site: whose sets.
        offered: what the server has.
        known: what was seen or fetched of it before.
        now: the time.
    """
    named = {file.name: file for file in offered}
    enabled = [e for e in Element if site.element(e).enabled]
    full = [e.file_name for e in enabled]
    mended = [named[e.mended_file_name] for e in enabled if e.mended_file_name in named]
    markers = [named[name] for name in MARKERS if name in named]
    found = [named[name] for name in full if name in named]
    missing = [name for name in full if name not in named]
    choices = [_set(site, found, missing, markers, known, now), _set(site, mended, [], [], known, now)]
    return [choice for choice in choices if choice.files or choice.waiting]


def _set(
    site: Site,
    files: list[Offered],
    missing: list[str],
    markers: list[Offered],
    known: Mapping[Offered, Known],
    now: datetime,
) -> Choice:
    """One set: fetched as a whole when something of it is new, and it is complete, or was waited for long enough."""
    fresh = [file for file in files if not _is_taken(file, known)]
    if not fresh:
        return Choice()
    new_markers = [marker for marker in markers if not _is_taken(marker, known)]
    whole = Choice(tuple(files + new_markers))
    if new_markers:
        return whole
    quiet = min(now - _seen(file, known, now) for file in fresh)
    if quiet < timedelta(seconds=site.settle):
        return Choice(waiting=f"{fresh[0].name} may still be written", is_soon=True)
    # an old marker that is still there says that the sender makes markers
    awaited = missing or [marker.name for marker in markers]
    if awaited and quiet < timedelta(seconds=site.set_window):
        return Choice(waiting=f"{', '.join(awaited)} {'is' if len(awaited) == 1 else 'are'} missing")
    return whole


def _is_taken(file: Offered, known: Mapping[Offered, Known]) -> bool:
    return file in known and known[file].status in TAKEN


def _seen(file: Offered, known: Mapping[Offered, Known], now: datetime) -> datetime:
    return datetime.fromisoformat(known[file].seen_at) if file in known else now
