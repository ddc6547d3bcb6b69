"""A command asks for something that is done under the site's lock: by the daemon where one runs, else here."""

import getpass
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from lzsyncd.config import Config, Site
from lzsyncd.errors import ExitCode, TryAgain
from lzsyncd.ledger import requests
from lzsyncd.ledger.requests import Kind, Request
from lzsyncd.ledger.runs import iso
from lzsyncd.report.events import RunLog
from lzsyncd.service.instance import ring
from lzsyncd.sync.arrivals import Arrivals
from lzsyncd.sync.run import Options
from lzsyncd.sync.work import work
from lzsyncd.zone.advisory import here
from lzsyncd.zone.database import Database, opened

STEP = 0.2  # seconds between two looks whether it is done
PATIENCE = 20.0  # seconds in which a daemon begins; afterwards we do it, if nobody works for the site
MERCY = 60.0  # seconds beyond the time limit of a run


@dataclass(frozen=True)
class Clock:
    """Time for whoever waits; tests have their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Asking:
    """How something is asked for.

    Attributes:
        config: says where the daemon is found.
        site: whose run it is about.
        log: where it is told of, if it is done here.
        options: who watches.
        clock: gives the time.
    """

    config: Config
    site: Site
    log: RunLog
    options: Options
    clock: Clock = Clock()

    def ask(self, kind: Kind, run_id: str, plan_hash: str) -> Request:
        """Ask for it and wait until it is done; returns it with what came of it.

        Raises:
            TryAgain: another run holds the site, and nothing was done; or the daemon does it later.
        """
        with opened(self.site) as database:
            now = iso(datetime.now(UTC))
            number = requests.ask(database, kind, run_id, plan_hash=plan_hash, by=whoami(), now=now)
            if not ring(self.config.daemon.runtime_dir):
                self._do_it_here(database, number)
            return self._wait(database, number)

    def _do_it_here(self, database: Database, number: int) -> None:
        try:
            self._work()
        except TryAgain as error:
            if not requests.request(database, number).started_at:  # nobody may come for it, or only much later
                now, message = iso(datetime.now(UTC)), f"{error} Nothing was done."
                requests.finish(database, number, now, exit_code=ExitCode.TRY_AGAIN, message=message)
            raise

    def _work(self) -> None:
        with opened(self.site) as database:
            database.lock(f"of a command, {here()}")
            arrivals = Arrivals(database, self.site, self.options, self.log)
            for step in work(arrivals):
                self.options.progress.stage(step)

    def _wait(self, database: Database, number: int) -> Request:
        began = self.clock.now()
        while not (found := requests.request(database, number)).done_at:
            waited = self.clock.now() - began
            if waited > self.site.run_timeout + MERCY:
                raise TryAgain("The daemon has not come to it yet; it is written down and will be done.")
            if waited > PATIENCE and not found.started_at:
                self._try_here()
            self.clock.sleep(STEP)
        return found

    def _try_here(self) -> None:
        """The daemon does not come: it may have another configuration, or trouble with the site's inbox."""
        try:
            self._work()
        except TryAgain:
            return  # somebody works for the site


def whoami() -> str:
    """The account of whoever gave the command, as far as it can be known."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
