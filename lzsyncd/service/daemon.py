"""The daemon: look, decide, let children work, say how it goes. Small, and never busy with what may block for long.

One loop. Events, signals and children wake it; what to do follows from listings, ledgers and the clock alone.
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from types import FrameType

from schedule import Scheduler

from lzsyncd import __version__, logs
from lzsyncd.config import Config, ConfigError
from lzsyncd.intake.watch import Watch
from lzsyncd.service.health import Health, sites_of
from lzsyncd.service.instance import Instance
from lzsyncd.service.notify import Systemd
from lzsyncd.service.sites import Charge
from lzsyncd.service.worker import Worker

TICK = 1.0  # seconds at most between two looks at clock and children
LEDGER_EVERY = 60  # seconds between two looks into each ledger; also after every errand
DRAIN = 90.0  # seconds in which children may end after SIGTERM; the unit gives 120


class Daemon:
    """Everything the daemon holds.

    Args:
        config: what it starts with.
        read_again: reads the configuration anew; raises `ConfigError`.
        pretty: the log is for a terminal.
    """

    def __init__(self, config: Config, read_again: Callable[[], Config], *, pretty: bool) -> None:
        self.config, self._read_again, self._pretty = config, read_again, pretty
        self._wake, self._signals = threading.Event(), deque[int]()
        self._touched: deque[tuple[str, str | None]] = deque(maxlen=10_000)
        self.watch = Watch(self._on_event, self._on_lost_events)
        self.charges = {name: Charge(site, self.watch) for name, site in config.sites.items()}
        self.workers: dict[str, Worker] = {}
        self.systemd, self.health = Systemd(), Health(self)
        self._turns = deque(self.charges)
        self._ticker = Scheduler()
        self._config_note = ""
        self._published: object = None

    # -- arm

    def run(self) -> None:
        """Work until told to end."""
        with Instance(self.config.daemon.runtime_dir) as self._instance:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
                signal.signal(number, self._on_signal)
            signal.signal(signal.SIGIO, signal.SIG_IGN)  # a writer opened a file of which we held a lease
            self._ticker.every(LEDGER_EVERY).seconds.do(self._each, Charge.read_ledger)
            self._each(Charge.read_ledger)
            self._each(Charge.look)
            self.health.excuse_all()
            self._say("info", f"lzsyncd {__version__} is ready for {sites_of(len(self.charges))}.", "daemon_started")
            self.systemd.ready(self.health.status())
            self._publish()
            while self._turn():
                self._wake.wait(self._pause())
                self._wake.clear()
            self._drain()

    # -- loop

    def _turn(self) -> bool:
        """One turn of the loop; False when it is time to end."""
        while self._signals:
            number = self._signals.popleft()
            if number in (signal.SIGTERM, signal.SIGINT):
                return False
            self._reload() if number == signal.SIGHUP else self._scan_all()
        while self._touched:
            site, name = self._touched.popleft()
            if site in self.charges:
                self.charges[site].touched(name)
        news = self._reap()
        now = monotonic()
        for charge in self.charges.values():
            if charge.site.name not in self.workers and charge.scan_at <= now:
                charge.look()
                news = True
            charge.read_clock(datetime.now(UTC))
        news = self._hire() or news
        self._ticker.run_pending()
        self.health.feed()
        if news:
            self._publish()
        return True

    def _pause(self) -> float:
        idle = [charge.scan_at for name, charge in self.charges.items() if name not in self.workers]
        until = min((at - monotonic() for at in idle), default=TICK)
        return max(0.01, min(until, TICK))

    def _reap(self) -> bool:
        """Hear of children that have ended; whether any had."""
        now, before = monotonic(), len(self.workers)
        for name, worker in list(self.workers.items()):
            if worker.overdue(now):
                worker.kill()
            code = worker.ended()
            if code is not None:
                del self.workers[name]
                if name in self.charges:
                    self.charges[name].ended(code)
        return len(self.workers) < before

    def _hire(self) -> bool:
        """Start children, the sites in turn: whoever had one goes to the end of the queue. Whether any was started."""
        before = len(self.workers)
        for _ in range(len(self._turns)):
            if len(self.workers) >= self.config.daemon.workers:
                break
            name = self._turns.popleft()
            self._turns.append(name)
            if name in self.workers:
                continue
            errand = self.charges[name].errand(self.config.log.level, pretty=self._pretty)
            if errand is not None:
                self.workers[name] = Worker(errand)
                self.charges[name].began()
        return len(self.workers) > before

    def _each(self, do: Callable[[Charge], None]) -> None:
        for charge in self.charges.values():
            do(charge)

    def _scan_all(self) -> None:
        self._each(Charge.look_soon)

    def _publish(self) -> None:
        """What `lzsyncd status` and `systemctl status` show, where it changed."""
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
        """Take the new configuration where it is good; else keep what runs, and say so."""
        self.systemd.reloading()
        try:
            config = self._read_again()
        except ConfigError as error:
            self._config_note = "configuration rejected, the old one runs; "
            text = f"The new configuration was rejected, the old one runs on. {len(error.problems)} problems."
            self._say("error", text, "config_rejected")
        else:
            self._take_over(config)
        self.systemd.ready(f"{self._config_note}{self.health.status()}")

    def _take_over(self, config: Config) -> None:
        for name in self.charges.keys() - config.sites.keys():
            self.watch.disarm(name)
            del self.charges[name]
        for name, site in config.sites.items():
            if name in self.charges:
                self.charges[name].reconfigured(site)
            else:
                self.charges[name] = Charge(site, self.watch)
                self.charges[name].read_ledger()
        self.config, self._turns, self._config_note = config, deque(self.charges), ""
        logs.set_level(config.log.level)
        self._say("info", "The configuration was reloaded.", "config_reloaded")

    # -- drain

    def _drain(self) -> None:
        """Let children roll back and end; whoever does not is ended."""
        self.systemd.stopping("ending; runs go on at the next start")
        self._say("info", "lzsyncd ends.", "daemon_stopping")
        until = monotonic() + DRAIN
        for worker in self.workers.values():
            worker.stop()
        while self.workers and monotonic() < until and signal.SIGTERM not in self._signals:
            self._reap()
            self._wake.wait(0.05)
        for worker in self.workers.values():
            worker.kill()
            worker.ended()
        self.watch.stop()

    # -- called from other threads, and by signals: they note, and wake

    def _on_event(self, site: str, name: str | None) -> None:
        self._touched.append((site, name))
        self._wake.set()

    def _on_lost_events(self) -> None:
        for name in tuple(self.charges):
            self._on_event(name, None)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)
        self._wake.set()


def serve(config: Config, read_again: Callable[[], Config], *, pretty: bool) -> None:
    """Run the daemon in this process.

    Raises:
        TryAgain: another daemon runs.
        NotPermitted: the runtime folder may not be written.
    """
    os.umask(0o027)
    Daemon(config, read_again, pretty=pretty).run()
