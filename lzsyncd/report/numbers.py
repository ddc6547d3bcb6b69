"""What numbers are told of a site: the same ones by the daemon, for the node exporter, and by the page at `/metrics`.

Both look into the ledger in the same way; pure from there on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from lzsyncd.config import Site
from lzsyncd.intake.candidate import Entry
from lzsyncd.ledger.feed import silence
from lzsyncd.ledger.glance import Glance
from lzsyncd.report.metrics import Sample

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Lying:
    """What lies in an inbox.

    Attributes:
        files: how many names.
        oldest: since when the oldest has lain there, in seconds of the epoch; None for none.
    """

    files: int = 0
    oldest: float | None = None


def lying(entries: Iterable[Entry]) -> Lying:
    """How much lies there, and since when, by the kernel's own time: an upload may bring any date along."""
    there = [entry for entry in entries if not entry.name.startswith(".")]
    return Lying(len(there), min((entry.ctime_ns for entry in there), default=0) / 1e9 or None)


@dataclass(frozen=True)
class Standing:
    """How it stands with a site.

    Attributes:
        site: its configuration.
        seen: what a look into its ledger found.
        inbox: what lies in its inbox; None where that can't be read.
        well: inbox and database are.
        working: a run is under way.
    """

    site: Site
    seen: Glance
    inbox: Lying | None
    well: bool
    working: bool


def numbers_of(standing: Standing, now: float) -> Iterator[Sample]:
    """The numbers of one site.

    Args:
        standing: how it stands with it.
        now: seconds of the epoch.
    """
    site = (("site", standing.site.name),)
    yield Sample("lzsyncd_site_well", standing.well, site)
    yield Sample("lzsyncd_site_working", standing.working, site)
    if standing.inbox is not None:
        oldest = standing.inbox.oldest
        yield Sample("lzsyncd_inbox_files", standing.inbox.files, site)
        yield Sample("lzsyncd_inbox_age_seconds", max(now - oldest, 0) if oldest else 0, site)
    if standing.seen.ready:  # where the database does not answer, nothing is better than what was
        yield from _of_ledger(standing.site, standing.seen, site, now)


def _of_ledger(configuration: Site, seen: Glance, site: Labels, now: float) -> Iterator[Sample]:
    figures, quiet = seen.figures, silence(configuration, seen.last_good, seen.since)
    yield from _of_runs(seen, site)
    yield Sample("lzsyncd_sets_waiting", figures.waiting, site)
    yield Sample("lzsyncd_sets_held", len(seen.held), site)
    yield Sample("lzsyncd_mails_waiting", figures.mails_waiting, site)
    yield Sample("lzsyncd_mails_given_up", figures.mails_given_up, site)
    if quiet is not None and quiet.late_at is not None:
        yield Sample("lzsyncd_feed_late", now >= quiet.late_at.timestamp(), site)
        yield Sample("lzsyncd_feed_due_timestamp_seconds", quiet.late_at.timestamp(), site)
    if seen.remote is not None:
        yield Sample("lzsyncd_remote_well", seen.remote.is_well, site)
        if seen.remote.well_at:
            yield Sample("lzsyncd_remote_last_success_timestamp_seconds", _seconds(seen.remote.well_at), site)


def _of_runs(seen: Glance, site: Labels) -> Iterator[Sample]:
    figures = seen.figures
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
