"""The children: at most so many at a time, one a site, and the sites in turn."""

from collections import deque
from time import monotonic

from lzsyncd import logs
from lzsyncd.config import Config
from lzsyncd.errors import ExitCode
from lzsyncd.service.errand import Errand
from lzsyncd.service.sites import Charge
from lzsyncd.service.worker import Worker


class Crew:
    """Hires, hears of, and ends the children of all sites.

    Args:
        charges: the sites, by name; may change.
        pretty: the log is for a terminal.

    Attributes:
        workers: who works, by the site's name.
        visitors: who visits a remote server, by the site's name: a server that hangs keeps nobody from working.
    """

    def __init__(self, charges: dict[str, Charge], *, pretty: bool) -> None:
        self.workers: dict[str, Worker] = {}
        self.visitors: dict[str, Worker] = {}
        self._charges, self._pretty = charges, pretty
        self._turns = deque(charges)

    def regroup(self) -> None:
        """There are other sites now."""
        self._turns = deque(self._charges)

    def reap(self) -> bool:
        """Hear of children that have ended; whether any had."""
        now, before = monotonic(), len(self.workers)
        for name, worker in list(self.workers.items()):
            if worker.overdue(now):
                worker.kill()
            code = worker.ended()
            if code is not None:
                del self.workers[name]
                if name in self._charges:
                    self._charges[name].ended(code, worker.errand, worker.last_word)
        return self._reap_visitors(now) or len(self.workers) < before

    def _reap_visitors(self, now: float) -> bool:
        before = len(self.visitors)
        for name, visitor in list(self.visitors.items()):
            if visitor.overdue(now):
                visitor.kill()
            code = visitor.ended()
            if code is not None:
                del self.visitors[name]
                if name in self._charges:
                    self._charges[name].visited(code)
        return len(self.visitors) < before

    def hire(self, config: Config) -> bool:
        """Start children; whoever had one goes to the end of the queue. Whether any was started."""
        before = len(self.workers)
        for name in list(self._turns):
            if len(self.workers) >= config.daemon.workers:
                break
            if name in self.workers:
                continue
            errand = self._charges[name].errand(config.log, pretty=self._pretty)
            if errand is not None:
                self._turns.remove(name)
                self._turns.append(name)
                self._send_out(name, errand)
        return self._hire_visitors(config) or len(self.workers) > before

    def _hire_visitors(self, config: Config) -> bool:
        before = len(self.visitors)
        for name in self._turns:
            if name in self.visitors or len(self.visitors) >= config.daemon.workers:
                continue
            errand = self._charges[name].visit(config.log, pretty=self._pretty)
            if errand is not None:
                self._send_out(name, errand)
        return len(self.visitors) > before

    def _send_out(self, name: str, errand: Errand) -> None:
        crew = self.visitors if errand.visit else self.workers
        try:
            crew[name] = Worker(errand)
        except OSError as error:  # no memory, too many processes: later there may be room
            text = f"The work for {name} could not be begun: {error.strerror}."
            logs.logger().error(text, **{"event.action": "worker_failed"})
            charge = self._charges[name]
            charge.visited(ExitCode.FAILED) if errand.visit else charge.ended(ExitCode.FAILED, errand)
        else:
            if not errand.visit:
                self._charges[name].began()

    def stop(self) -> None:
        """Ask all to roll back and end."""
        for worker in (*self.workers.values(), *self.visitors.values()):
            worker.stop()

    def kill(self) -> None:
        """End all that are left."""
        for worker in (*self.workers.values(), *self.visitors.values()):
            worker.kill()
            worker.ended()
