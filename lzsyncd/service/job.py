"""The other process of the daemon: all that is to be done for one site, under its lock, then an end.

The daemon sends an `Errand` on standard input. Progress goes back through a pipe, a byte a step, so that the daemon can
tell work from standstill, and a sentence where it fails. The log goes to standard output, as the daemon's own.
"""

import contextlib
import os
import pickle
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType

from structlog.stdlib import BoundLogger

from lzsyncd import logs
from lzsyncd.config import Site
from lzsyncd.errors import ExitCode, Interrupted, LzsyncdError, SiteIsBusy, TookTooLong, TryAgain
from lzsyncd.feed.elements import Element
from lzsyncd.report.events import RunLog
from lzsyncd.service.errand import SITE_IS_BUSY, Errand
from lzsyncd.sync.arrivals import Arrivals
from lzsyncd.sync.ending import describe, translate
from lzsyncd.sync.run import Options, clock
from lzsyncd.sync.work import work
from lzsyncd.zone.advisory import here
from lzsyncd.zone.brake import Brake
from lzsyncd.zone.database import Database, opened

POST_TIMEOUT = 600.0  # seconds

BRAKE = Brake()
"""What the daemon's SIGTERM, and the time limit, pull."""


@dataclass
class Heartbeat:
    """A byte a step through a pipe, which nobody has to read, and its last word; a place to break off, now and then."""

    pipe: int
    steps: int = field(default=0)

    def read(self, element: Element, records: int) -> None:  # noqa: ARG002 that it goes on is all there is to tell
        """Some more records have been read."""
        self.stage("")

    def stage(self, name: str) -> None:  # noqa: ARG002
        """The run has come to a stage."""
        BRAKE.check()
        self.steps += 1
        self._say(".")

    def end(self, why: str) -> None:
        """Nothing more can be done."""
        self._say(f"\n{why}")

    def _say(self, text: str) -> None:
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            if self.pipe >= 0:
                os.write(self.pipe, text.encode())


def run_errand(errand: Errand) -> int:
    """Do it.

    Returns:
        0: all was done, whatever became of the sets; 75: not now; 1: a set failed and is tried again or was put aside;
        77: something may not be written; `SITE_IS_BUSY`: somebody else works for the site.
    """
    logs.configure(sys.stdout, pretty=errand.pretty, level=errand.log.level, file=errand.log.file)
    log = logs.logger().bind(site=errand.site.name)
    beat = Heartbeat(errand.progress)
    if errand.visit:
        return _visit(errand, log)
    try:
        with opened(errand.site) as database:
            database.brake = BRAKE
            if errand.post:
                _deliver(database, errand.site, log)
                return ExitCode.CLEAN
            options = Options(trigger="arrival", progress=beat)
            database.lock(f"of the daemon, {here()}")
            arrivals = Arrivals(database, errand.site, options, RunLog(log), limit=within)
            for step in work(arrivals, errand.orders, errand.slots, errand.held):
                beat.stage(step)
            return ExitCode.FAILED if arrivals.failed else ExitCode.CLEAN
    except SiteIsBusy as error:
        log.info(str(error), **{"event.action": "site_busy"})
        return SITE_IS_BUSY
    except Exception as error:  # noqa: BLE001 the daemon hears why, and the exit code; people read the log
        told = translate(error)
        beat.end(describe(told))
        return _told(log, told)


def _deliver(database: Database, site: Site, log: BoundLogger) -> None:
    """Send mails; a server that answers a byte a minute is left before it keeps those of other sites from theirs."""
    from lzsyncd.report.mail import Post  # noqa: PLC0415 a run needs none of that

    try:
        with BRAKE.eager(), within(POST_TIMEOUT):
            Post(database, site, clock, log).deliver()
    except TookTooLong:
        raise TryAgain("The mail server takes too long; mails wait.") from None


def _visit(errand: Errand, log: BoundLogger) -> ExitCode:
    """Visit the remote server; what is wrong was told."""
    from lzsyncd.sync.visiting import logged_visit  # noqa: PLC0415 paramiko is 20 MiB that no run needs

    signal.signal(signal.SIGALRM, _visit_is_over)
    try:
        with within(errand.limit):
            logged_visit(errand.site, log)
    except LzsyncdError as error:
        return error.exit_code
    except Exception as error:  # noqa: BLE001 as above
        return _told(log, translate(error))
    return ExitCode.CLEAN


def _told(log: BoundLogger, error: Exception) -> ExitCode:
    about = {"event.action": "site_failed", "event.outcome": "failure", "error.type": type(error).__name__}
    if isinstance(error, LzsyncdError):
        level = "warning" if isinstance(error, (TryAgain, Interrupted)) else "error"
        getattr(log, level)(str(error), **about)
        return error.exit_code
    text = f"The work for the site failed: {describe(error)}"
    log.error(text, exc_info=error, **about)
    return ExitCode.FAILED


def _stop(_signal: int, _frame: FrameType | None) -> None:
    BRAKE.pull(Interrupted("The run was interrupted and rolled back; it goes on later."))


def _time_is_up(_signal: int, _frame: FrameType | None) -> None:
    BRAKE.pull(TookTooLong("The run took longer than run_timeout allows; it was rolled back."))


def _visit_is_over(_signal: int, _frame: FrameType | None) -> None:
    raise TryAgain("The visit of the remote server took longer than time_limit allows; the next one goes on.")


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """A block that must not take longer."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        BRAKE.release(TookTooLong)


def main() -> None:
    """An errand on standard input."""
    logs.configure(sys.stdout, pretty=False)
    logs.tell_all()
    errand = pickle.load(sys.stdin.buffer)  # noqa: S301 the daemon is the only one who starts this
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; the daemon decides
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGALRM, _time_is_up)
    sys.exit(run_errand(errand))
