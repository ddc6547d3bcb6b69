"""Sets that nobody has to wait for any more: a good newer one has come, or their files are gone (LIFECYCLE)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lzsyncd.config import Site
from lzsyncd.feed.elements import Element
from lzsyncd.intake.claim import Judged, NotAsJudged, Order, order_in, still_there
from lzsyncd.ledger import runs, waiting
from lzsyncd.ledger.status import Status
from lzsyncd.report.after import WAITS, after_commit
from lzsyncd.zone.database import Database


def end_superseded(database: Database, site: Site) -> Iterator[str]:
    """End what a good newer set that names everybody has superseded, and holds whose files are gone; yields each.

    The caller holds the site's lock.
    """
    for run in waiting.pending(database):
        spool = site.folder / "spool" / run.run
        theirs = elements_in(spool)
        newer = waiting.good_after(database, run.run) if theirs else []
        is_old = any(theirs <= elements and _names_everybody(site, elements) for elements in newer)
        if is_old or (run.status is Status.HELD and _is_gone(site, spool)):
            runs.move(database, run.run, Status.SUPERSEDED)
            after_commit(database, site, run.run)
            yield run.run


def elements_in(spool: Path) -> set[Element]:
    """What a set that waits is about: it was claimed, or lies in the inbox."""
    order = order_in(spool)
    return set(order.files) if order else {Element(e) for e in waits_in(spool) or ()}


def waits_in(spool: Path) -> dict[str, list[Any]] | None:
    """The files of a set that waits in the inbox, as they were judged; None for any other."""
    try:
        found: dict[str, list[Any]] = json.loads((spool / WAITS).read_text())
    except FileNotFoundError:
        return None
    return found


def order_that_waits(spool: Path) -> Order | None:
    """How a set that waits in the inbox would be claimed; None for any other, and for one that is claimed by now."""
    waits = waits_in(spool)
    if waits is None or order_in(spool) is not None:
        return None
    return Order({Element(e): Judged(*judged) for e, judged in waits.items()})


def _names_everybody(site: Site, elements: frozenset[Element]) -> bool:
    return all(site.element(e).contains_all_records for e in elements)


def _is_gone(site: Site, spool: Path) -> bool:
    """Whether a file of a set that waits in the inbox was taken away, replaced, or claimed with the missing one."""
    order = order_that_waits(spool)
    if order is None:
        return False
    try:
        still_there(site.inbox, order)
    except NotAsJudged:
        return True
    except FileNotFoundError:  # there is no inbox at the moment
        return False
    return False
