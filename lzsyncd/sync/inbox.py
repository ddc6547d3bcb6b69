"""`sync SITE`: one run now, with what lies in the inbox and what waits for its slot; the daemon may run or not."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from lzsyncd.config import Site
from lzsyncd.errors import ExitCode, NoSet, TryAgain, Usage, not_permitted
from lzsyncd.intake.claim import NotAsJudged
from lzsyncd.intake.orders import files_of, order_of, rules_of
from lzsyncd.intake.settle import Settler, Verdict
from lzsyncd.intake.watch import Inbox
from lzsyncd.ledger import waiting
from lzsyncd.ledger.status import Status
from lzsyncd.report.events import RunLog
from lzsyncd.sync.arrivals import Arrivals
from lzsyncd.sync.decisions import carry_out
from lzsyncd.sync.ending import Result
from lzsyncd.sync.run import Options, sync_folder
from lzsyncd.zone.database import opened

LONGEST = 60.0  # seconds beyond the quiet time for which somebody may go on writing
STEP = 1.0  # seconds between two looks


@dataclass(frozen=True)
class Clock:
    """Time for whoever waits; tests have their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def sync_inbox(site: Site, options: Options, log: RunLog, clock: Clock | None = None) -> list[Result]:
    """Claim what lies in the inbox and apply it, with all that waits; a person asked, so the set window has passed.

    Raises:
        NoSet: there is nothing to sync.
        TryAgain: another run holds the site, the database is away, or a file is still being written.
        NotPermitted: the inbox may not be read.
        DiskFull: there is no room.
    """
    with opened(site) as database:
        database.lock("sync of a person")
        arrivals = Arrivals(database, site, replace(options, trigger="command"), log)
        arrivals.recover()
        carry_out(arrivals)
        verdict = _take_all(arrivals, site, clock or Clock())
        arrivals.apply_waiting()
        if verdict.held is not None:
            arrivals.hold_incomplete(files_of(verdict.held), verdict.held.missing)
            held = waiting.pending(database, (Status.HELD,))[-1]
            findings = {"set.incomplete": 1}
            arrivals.results.append(Result(held.run, Status.HELD, findings=findings, exit_code=ExitCode.HELD))
        if not arrivals.results:
            near = f" Close, but not the right name: {', '.join(verdict.near_misses)}." if verdict.near_misses else ""
            raise NoSet(f"There is no set in the inbox {site.inbox}, and none waits.{near}")
        return arrivals.results


def check_inbox(site: Site, options: Options) -> list[Result]:
    """A dry run of what lies in the inbox, which stays as it is.

    Raises:
        NoSet: there is nothing to sync.
    """
    try:
        return sync_folder(site, site.inbox, options)
    except Usage:
        raise NoSet(f"There is no inbox {site.inbox}.") from None


def _take_all(arrivals: Arrivals, site: Site, clock: Clock) -> Verdict:
    """Claim set after set until nothing is left that becomes one by waiting; returns the last look."""
    inbox, settler = Inbox(site.inbox), Settler(replace(rules_of(site), set_window=0.0))
    until = clock.now() + site.settle + LONGEST
    while True:
        verdict, written = _look(inbox, settler, site, clock.now())
        for delivery in verdict.ready:
            try:
                arrivals.arrive(order_of(delivery), trigger="command", apply=True)
            except NotAsJudged:
                arrivals.log.not_as_judged()
        if not verdict.ready and verdict.look_again is None and not written:
            return verdict
        if clock.now() > until:
            raise TryAgain(f"Somebody is still writing into the inbox: {'; '.join(verdict.waiting[:3])}.")
        if not verdict.ready:
            clock.sleep(min(STEP, verdict.look_again or STEP))


def _look(inbox: Inbox, settler: Settler, site: Site, now: float) -> tuple[Verdict, bool]:
    """A verdict, and whether somebody has a file open for writing."""
    try:
        verdict = settler.look(inbox.entries(), now, datetime.now(site.timezone))
        if verdict.peek:
            inbox.peek(verdict.peek)
        entries = inbox.entries()
        verdict = settler.look(entries, now, datetime.now(site.timezone))
    except FileNotFoundError:
        raise NoSet(f"There is no inbox {site.inbox}.") from None
    except PermissionError:
        raise not_permitted(site.inbox, "read") from None
    return verdict, any(entry.writer for entry in entries)
