"""Sends mails beside the runs: one process at a time, one site after the other. No run waits for a mail server."""

from datetime import datetime
from time import monotonic

from lzsyncd import logs
from lzsyncd.config import Config
from lzsyncd.errors import ExitCode
from lzsyncd.service.errand import Errand
from lzsyncd.service.sites import Charge
from lzsyncd.service.worker import Worker

PAUSE = 60.0  # seconds before a site whose mails could not even be looked at has its next turn


class Postman:
    """Goes for sites that have something to tell.

    Args:
        charges: the sites, by name; may change.
        pretty: the log is for a terminal.
    """

    def __init__(self, charges: dict[str, Charge], *, pretty: bool) -> None:
        self._charges, self._pretty = charges, pretty
        self._worker: Worker | None = None
        self._not_before: dict[str, float] = {}

    def go(self, config: Config, now: datetime, busy: dict[str, Worker]) -> bool:
        """Hear of the last one, send the next.

        Args:
            config: what holds.
            now: aware.
            busy: sites for which somebody works: their reports, which go along, may not be written yet.

        Returns:
            Whether anything is new.
        """
        news = self._hear()
        if self._worker is None:
            waiting = (charge for name, charge in self._charges.items() if name not in busy and charge.has_post(now))
            charge = next((one for one in waiting if self._not_before.get(one.site.name, 0.0) <= monotonic()), None)
            if charge is not None:
                self._send_out(Errand(charge.site, config.log, self._pretty, post=True))
        return news

    def _hear(self) -> bool:
        worker = self._worker
        code = None if worker is None else worker.ended()
        if worker is None or code is None:
            if worker is not None and worker.overdue(monotonic()):
                worker.kill()
            return False
        self._worker = None
        self._ended(worker.errand, code)
        return True

    def _ended(self, errand: Errand, code: int) -> None:
        name = errand.site.name
        self._not_before[name] = monotonic() + PAUSE if code else 0.0
        if name in self._charges:
            self._charges[name].read_ledger()

    def _send_out(self, errand: Errand) -> None:
        try:
            self._worker = Worker(errand)
        except OSError as error:  # no memory, too many processes: later there may be room
            text = f"The mails of {errand.site.name} could not be sent: {error.strerror}."
            logs.logger().error(text, **{"event.action": "worker_failed"})
            self._ended(errand, ExitCode.FAILED)

    def stop(self) -> None:
        """End it: what it has not heard of is sent again."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.ended()
