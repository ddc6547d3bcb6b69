"""The daemon's numbers, from what it knows anyway, and the file in which they are put down."""

from collections.abc import Iterator
from time import monotonic, time
from typing import TYPE_CHECKING

from lzsyncd import __version__, logs
from lzsyncd.report.metrics import Sample, exposition, write_textfile
from lzsyncd.report.numbers import Standing, numbers_of

if TYPE_CHECKING:
    from lzsyncd.service.daemon import Daemon
    from lzsyncd.service.sites import Charge

EVERY = 30.0  # seconds


class Gauges:
    """Writes the file: after anything new, and as often as somebody may look."""

    def __init__(self, daemon: "Daemon") -> None:
        self._daemon = daemon
        self._due_at = 0.0
        self._trouble = ""

    def write(self, *, news: bool = False) -> None:
        """Write it where it is asked for, and due; what is in the way is told once, and hinders nothing else."""
        path = self._daemon.config.metrics.textfile
        if path is None or not (news or monotonic() >= self._due_at):
            return
        self._due_at = monotonic() + EVERY
        trouble = write_textfile(path, exposition(samples(self._daemon)))
        if trouble and trouble != self._trouble:
            logs.logger().error(trouble, **{"event.action": "metrics_failed"})
        self._trouble = trouble


def samples(daemon: "Daemon") -> Iterator[Sample]:
    """Every number."""
    yield Sample("lzsyncd_info", 1, (("version", __version__),))
    yield Sample("lzsyncd_config_last_reload_successful", daemon.config_is_good)
    for name, charge in daemon.charges.items():
        yield from numbers_of(_standing(charge, working=name in daemon.crew.workers), time())


def _standing(charge: "Charge", *, working: bool) -> Standing:
    lies = None if "inbox" in charge.trouble else charge.lying
    return Standing(charge.site, charge.seen, lies, well=not charge.wrongs, working=working)
