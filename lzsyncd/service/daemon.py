"""The daemon: look, decide, let children work, say how it goes. Small, and never busy with what may block for long.

One loop. Events, signals and children wake it; what to do follows from listings, ledgers and the clock alone.
"""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from time import monotonic
from types import FrameType

from lzsyncd import __version__, logs
from lzsyncd.config import Config
from lzsyncd.intake.touches import Touches
from lzsyncd.intake.watch import Watch
from lzsyncd.service.bell import Bell
from lzsyncd.service.crew import Crew
from lzsyncd.service.gauges import Gauges
from lzsyncd.service.health import Health, sites_of
from lzsyncd.service.instance import Instance
from lzsyncd.service.ledgers import Ledgers
from lzsyncd.service.notify import Systemd
from lzsyncd.service.postman import Postman
from lzsyncd.service.reload import reload
from lzsyncd.service.sites import Charge

TICK = 1.0  # seconds at most between two looks at clock and children
START = 30.0  # seconds for which systemd is asked to wait on, site by site: a database that is away takes its time
DRAIN = 90.0  # seconds in which children may end after SIGTERM; the unit gives 120


class Daemon:
    """Everything the daemon holds.

    Args:
        config: what it starts with.
        read_again: reads the configuration anew; raises `ConfigError`.
        pretty: the log is for a terminal.
    """

    def __init__(self, config: Config, read_again: Callable[[], Config], *, pretty: bool) -> None:
        self.config, self.runtime_dir, self._read_again = config, config.daemon.runtime_dir, read_again
        self._bell, self._signals = Bell(), deque[int]()
        self._touches = Touches()
        self.watch = Watch(self._on_event, self._on_lost_events)
        self.charges = {name: Charge(site, self.watch) for name, site in config.sites.items()}
        self.crew = Crew(self.charges, pretty=pretty)
        self._postman = Postman(self.charges, pretty=pretty)
        self.systemd, self.health, self._gauges = Systemd(), Health(self), Gauges(self)
        self._ledgers = Ledgers(self.charges)
        self._config_note, self.config_is_good = "", True
        self._published: object = None
        self._has_news, self._published_at = False, 0.0

    # -- arm

    def run(self) -> None:
        """Work until told to end."""
        with Instance(self.runtime_dir) as self._instance:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
                signal.signal(number, self._on_signal)
            signal.signal(signal.SIGCHLD, lambda *_: None)  # that it has a handler wakes the loop
            signal.signal(signal.SIGIO, signal.SIG_IGN)  # a writer opened a file of which we held a lease
            self._bell.ring_at_signals()
            self._meet(self.charges.values())
            self._say("info", f"lzsyncd {__version__} is ready: {sites_of(len(self.charges))}.", "daemon_started")
            self.systemd.ready(self.health.status())
            self._publish()
            while self._turn():
                self._bell.wait(self._pause())
            self._drain()

    def _meet(self, charges: Iterable[Charge]) -> None:
        """Look at sites that are new, or have another configuration."""
        for charge in charges:
            self.systemd.wait_on(START)
            if charge.site.name not in self.crew.workers:
                charge.look()  # first: arming leaves its trace in the spool, and the ledger would be read twice
            charge.read_ledger()
            self.health.excuse(charge)

    # -- loop

    def _turn(self) -> bool:
        """One turn of the loop; False when it is time to end."""
        while self._signals:
            number = self._signals.popleft()
            if number in (signal.SIGTERM, signal.SIGINT):
                return False
            self._reload() if number == signal.SIGHUP else self._look_everywhere()
        for name in self._touches.fresh(self.charges):
            if name in self.charges:
                self.charges[name].stirred()
        news = self.crew.reap()
        now, wall = monotonic(), datetime.now(UTC)
        for name, charge in self.charges.items():
            if charge.scan_at <= now and name not in self.crew.workers:
                news = charge.look(self._touches.take(name)) or news
            charge.read_clock(wall)
        news = self.crew.hire(self.config) or news
        news = self._postman.go(self.config, wall, self.crew.workers) or news
        news = self._ledgers.read(self.crew.workers) or news
        self.health.feed()
        self._gauges.write()
        self._has_news |= news
        if self._has_news and now >= self._published_at + TICK:
            self._publish()
        return True

    def _pause(self) -> float:
        idle = [charge.scan_at for name, charge in self.charges.items() if name not in self.crew.workers]
        until = min((at - monotonic() for at in idle), default=TICK)
        return max(0.01, min(until, TICK))

    def _look_everywhere(self) -> None:
        for charge in self.charges.values():
            charge.look_soon()
        self._ledgers.ask()

    def _publish(self) -> None:
        """What `lzsyncd status` and `systemctl status` show, where it changed."""
        self._has_news, self._published_at = False, monotonic()
        self._gauges.write(news=True)
        report, line = self.health.report(), f"{self._config_note}{self.health.status()}"
        if (report, line) != self._published:
            self._published = report, line
            self._instance.publish(report)
            self.systemd.status(line)

    @staticmethod
    def _say(level: str, text: str, action: str) -> None:
        getattr(logs.logger(), level)(text, **{"event.action": action})

    # -- reload

    def _reload(self) -> None:
        self.systemd.reloading()
        self._config_note = reload(self, self._read_again)
        self._has_news = True
        self.systemd.ready(f"{self._config_note}{self.health.status()}")

    def take_over(self, config: Config, others: Iterable[str]) -> None:
        """Go on with another configuration; `others` are the sites that are new or have changed."""
        for name in self.charges.keys() - config.sites.keys():
            self.watch.disarm(name)
            del self.charges[name]
        for name in others:
            if name in self.charges:
                self.charges[name].reconfigured(config.sites[name])
            else:
                self.charges[name] = Charge(config.sites[name], self.watch)
        self._meet(self.charges[name] for name in others)
        self.config = config
        self.crew.regroup()

    # -- drain

    def _drain(self) -> None:
        """Let children roll back and end; whoever does not is ended."""
        self.systemd.stopping("ending; runs go on at the next start")
        self._say("info", "lzsyncd ends.", "daemon_stopping")
        until = monotonic() + DRAIN
        self._postman.stop()
        self.crew.stop()
        while self.crew.workers and monotonic() < until and not {signal.SIGTERM, signal.SIGINT} & set(self._signals):
            self.crew.reap()
            self._bell.wait(TICK)
        self.crew.kill()
        self.watch.stop()

    # -- called from other threads, and by signals: they note, and wake

    def _on_event(self, site: str, name: str) -> None:
        if self._touches.note(site, name):
            self._bell.ring()

    def _on_lost_events(self) -> None:
        self._touches.note_lost()
        self._bell.ring()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)


def serve(config: Config, read_again: Callable[[], Config], *, pretty: bool) -> None:
    """Run the daemon in this process.

    Raises:
        TryAgain: another daemon runs.
        NotPermitted: the runtime folder may not be written.
    """
    os.umask(0o027)
    Daemon(config, read_again, pretty=pretty).run()
