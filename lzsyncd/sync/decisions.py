"""What a person decides on a set that is held: apply it after all, or give it up (CONTRACT section 10).

The decision is a row (`ledger/requests.py`). Whoever holds the site's lock carries it out, and may be killed while
doing so: the row is open until it is said what came of it, and whoever comes next goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from lzsyncd.errors import ExitCode, LzsyncdError, Usage
from lzsyncd.ledger import requests, runs
from lzsyncd.ledger.queries import RunSummary, summary
from lzsyncd.ledger.requests import Kind, Request
from lzsyncd.ledger.runs import BROKEN_OFF
from lzsyncd.ledger.status import ATTEMPTS, Status
from lzsyncd.sync.arrivals import NOT_THE_SETS_FAULT, Arrivals
from lzsyncd.sync.ending import translate
from lzsyncd.sync.holds import Approval, approvable_until
from lzsyncd.sync.undo import take_back, undone_by

GOOD = (Status.APPLIED, Status.UNCHANGED)


@dataclass(frozen=True)
class Outcome:
    """What came of a request.

    Attributes:
        exit_code: as a command says it.
        message: for people; without a value of a file.
        run: the run that came of it, "" for none.
    """

    exit_code: ExitCode
    message: str
    run: str = ""


def carry_out(arrivals: Arrivals) -> None:
    """Carry out everything that was asked for, in the order in which it was.

    Raises:
        TryAgain: not now; what was asked for is still to be done. So with Interrupted, DiskFull and NotPermitted.
    """
    database, asked = arrivals.database, requests.unfinished(arrivals.database)
    for request in asked:
        outcome = _outcome(arrivals, request)
        requests.finish(
            database,
            request.id,
            arrivals.now,
            exit_code=outcome.exit_code,
            message=outcome.message,
            result_run=outcome.run or None,
        )
        arrivals.log.decided(request.run, request.kind, outcome.message, outcome.exit_code)
    if asked and arrivals.applies_at_once:
        arrivals.apply_waiting()  # what was held back has its turn


def _outcome(arrivals: Arrivals, request: Request) -> Outcome:
    doing = DOING.get(request.kind)
    if doing is None:
        return Outcome(ExitCode.USAGE, "This version of lzsyncd does not know what was asked for.")
    try:
        return doing(arrivals, request)
    except LzsyncdError as error:
        if isinstance(translate(error), NOT_THE_SETS_FAULT):
            raise
        return Outcome(error.exit_code, str(error), request.run)


def approve(arrivals: Arrivals, request: Request) -> Outcome:
    """Apply a set that is held, if its plan is still the one that the person saw."""
    told = summary(arrivals.database, request.run)
    if request.started_at and told.status in GOOD:  # whoever did it was killed before they could say so
        code = ExitCode.FINDINGS if told.findings else ExitCode.CLEAN
        return Outcome(code, told.message, request.run)
    told, begun = _held(arrivals, request, "approve")
    if begun and runs.attempt(arrivals.database, request.run) >= ATTEMPTS:
        arrivals.put_aside(request.run)
        return Outcome(ExitCode.FAILED, summary(arrivals.database, request.run).message, request.run)
    if older := arrivals.held_before(request.run):
        raise Usage(f"Run {request.run} waits behind run {older}, which is held, too: decide on that one first.")
    until = approvable_until(told.finished_at or request.requested_at, arrivals.site.guard.approval_valid)
    is_old = not begun and datetime.fromisoformat(request.requested_at) > until
    seen = "" if is_old else request.plan_hash
    order = arrivals.claim_held(request.run)
    if not begun:
        requests.begin(arrivals.database, request.id, arrivals.now, plan_hash=seen)
    approval = Approval(told.set_hash, seen, is_old, told.counts)
    result = arrivals.approve(request.run, order, approval, again=begun)
    if result is None:
        return Outcome(ExitCode.FAILED, "The run failed; the log says why.", request.run)
    return Outcome(result.exit_code, summary(arrivals.database, request.run).message, request.run)


def discard(arrivals: Arrivals, request: Request) -> Outcome:
    """Give a set up: nothing of it is applied, its files go to the archive."""
    done = summary(arrivals.database, request.run).status == Status.DISCARDED and request.started_at
    if not done:
        _held(arrivals, request, "discard")
        requests.begin(arrivals.database, request.id, arrivals.now, plan_hash=request.plan_hash)
        arrivals.discard(request.run)
    return Outcome(ExitCode.CLEAN, "The set was discarded; its files are in the archive.", request.run)


def undo(arrivals: Arrivals, request: Request) -> Outcome:
    """Take a run back."""
    database = arrivals.database
    if request.started_at and (by := undone_by(database, request.run)):  # killed before they could say so
        return Outcome(ExitCode.CLEAN, summary(database, by).message, by)
    requests.begin(database, request.id, arrivals.now, plan_hash="")
    arrivals.log.started(kind="undo")
    done = take_back(database, arrivals.site, request.run, replace(arrivals.options, trigger=request.trigger))
    if done.run:
        arrivals.log.finished(database, done.result)
    return Outcome(done.exit_code, done.message, done.run)


def _held(arrivals: Arrivals, request: Request, verb: str) -> tuple[RunSummary, bool]:
    """A run that is held, and whether carrying out this request had begun before.

    Raises:
        Usage: it is not held.
    """
    told = summary(arrivals.database, request.run)
    begun = bool(request.started_at) and told.status in BROKEN_OFF
    if not begun:
        require_held(told, verb)
    return told, begun


def require_held(told: RunSummary, verb: str) -> None:
    """Only what is held can be decided on.

    Raises:
        Usage: it is not held.
    """
    if told.status != Status.HELD:
        raise Usage(f"Run {told.run} is {told.status}, not held: there is nothing to {verb}.")


def sync_now(arrivals: Arrivals, request: Request) -> Outcome:
    """Apply what waits for its slot, now: this set, and those that came before it."""
    told = summary(arrivals.database, request.run)
    if told.status == Status.CHECKED and told.kind == "sync":
        requests.begin(arrivals.database, request.id, arrivals.now, plan_hash=request.plan_hash)
        arrivals.apply_waiting()
        told = summary(arrivals.database, request.run)
    elif not request.started_at:
        raise Usage(f"Run {request.run} is {told.status}: it does not wait for its slot.")
    if told.status == Status.CHECKED:
        raise Usage(f"Run {request.run} waits behind another one, on which somebody has to decide first.")
    if told.status == Status.HELD:
        return Outcome(ExitCode.HELD, told.message, request.run)
    good = ExitCode.FINDINGS if told.findings else ExitCode.CLEAN
    return Outcome(good if told.status in GOOD else ExitCode.FAILED, told.message, request.run)


DOING: dict[str, Callable[[Arrivals, Request], Outcome]] = {
    Kind.APPROVE: approve,
    Kind.DISCARD: discard,
    Kind.UNDO: undo,
    Kind.SYNC: sync_now,
}
