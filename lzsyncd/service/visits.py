"""When is a site's remote server visited? As often as its configuration says; later, where it does not let us in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from lzsyncd.config import Remote
from lzsyncd.errors import ExitCode
from lzsyncd.service.slots import SiteSchedule

LATER = (60, 300, 900, 3600)  # seconds before the next visit after one, two, … that may go well another time
REFUSED = (3600, 21_600, 86_400)  # … that a person must mend: servers lock accounts that knock and knock
TEMPORARY = (ExitCode.TRY_AGAIN, ExitCode.FAILED)


@dataclass
class Visits:
    """The visits of one server.

    Attributes:
        remote: its configuration.
        zone: of the site, for its schedule.
        failures: how often it has failed in a row.
    """

    remote: Remote
    zone: ZoneInfo
    failures: int = 0
    _next_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether it is time; at the start it is: what was missed while nothing ran is made up for."""
        if self._next_at is None:
            return True
        # the clock may have been put back
        return now >= self._next_at or self._next_at - now > timedelta(days=8)

    def ended(self, code: int, now: datetime) -> None:
        """A visit has ended; decides on the next one."""
        self.failures = self.failures + 1 if code else 0
        regular = self._regular(now)
        if not code:
            self._next_at = regular
            return
        pauses = LATER if code < 0 or code in TEMPORARY else REFUSED
        again = now + timedelta(seconds=pauses[min(self.failures, len(pauses)) - 1])
        self._next_at = again if pauses is REFUSED else min(again, max(regular, now + timedelta(seconds=LATER[0])))

    def soon(self) -> None:
        """There is a report to put, or a person asks; after a failure it waits all the same."""
        if not self.failures:
            self._next_at = None

    def _regular(self, now: datetime) -> datetime:
        if self.remote.schedule is None:
            return now + timedelta(seconds=self.remote.every)
        return SiteSchedule(self.remote.schedule, self.zone).next(now).due_at
