"""The daemon's numbers, from what it knows anyway, and the file in which they are put down."""

from collections.abc import Iterator
from datetime import datetime
from time import monotonic, time
from typing import TYPE_CHECKING

from lzsyncd import __version__, logs
from lzsyncd.report.metrics import Sample, exposition, write_textfile

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
        yield from _of_site(charge, (("site", name),), working=name in daemon.crew.workers)


def _of_site(charge: "Charge", site: tuple[tuple[str, str], ...], *, working: bool) -> Iterator[Sample]:
    now, figures, quiet = time(), charge.seen.figures, charge.silence
    yield Sample("lzsyncd_site_well", not charge.trouble, site)
    yield Sample("lzsyncd_site_working", working, site)
    if charge.oldest is not None or not charge.trouble:
        yield Sample("lzsyncd_inbox_files", charge.files, site)
        yield Sample("lzsyncd_inbox_age_seconds", max(now - charge.oldest, 0) if charge.oldest else 0, site)
    if not charge.seen.ready:
        return  # the database does not answer: nothing is better than what was
    yield from _of_runs(charge, site)
    yield Sample("lzsyncd_sets_waiting", figures.waiting, site)
    yield Sample("lzsyncd_sets_held", len(charge.seen.held), site)
    yield Sample("lzsyncd_mails_waiting", figures.mails_waiting, site)
    yield Sample("lzsyncd_mails_given_up", figures.mails_given_up, site)
    if quiet is not None and quiet.late_at is not None:
        yield Sample("lzsyncd_feed_late", now >= quiet.late_at.timestamp(), site)
        yield Sample("lzsyncd_feed_due_timestamp_seconds", quiet.late_at.timestamp(), site)


def _of_runs(charge: "Charge", site: tuple[tuple[str, str], ...]) -> Iterator[Sample]:
    figures = charge.seen.figures
    if figures.last_success:
        yield Sample("lzsyncd_last_success_timestamp_seconds", _seconds(figures.last_success), site)
    if not figures.last_run:
        return
    _, status, began, ended, _ = figures.last_run
    yield Sample("lzsyncd_last_run_timestamp_seconds", _seconds(ended), site)
    yield Sample("lzsyncd_last_run_duration_seconds", _seconds(ended) - _seconds(began), site)
    yield Sample("lzsyncd_last_run_status", 1, (*site, ("status", status)))
    for (element, outcome), number in figures.rows.items():
        yield Sample("lzsyncd_last_run_rows", number, (*site, ("element", element), ("outcome", outcome)))
    for code, number in figures.findings.items():
        yield Sample("lzsyncd_last_run_findings", number, (*site, ("code", code)))


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
