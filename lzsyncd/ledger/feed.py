"""The feed that did not come: when the last good set came, and since when a site is late. Small: the daemon needs it.

A set counts when it was found good, whether it was applied yet or not. Rejected and held sets count as not come, and so
do mended reject files, which people send, and what an element's own slot takes out of the archive.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from lzsyncd.config import Site
from lzsyncd.feed.elements import MENDED_MARK

LAST_GOOD = f"""
    SELECT r.created_at FROM sync_run r
    WHERE r.kind = 'sync' AND r."trigger" <> 'slot'
      AND r.status IN ('applied', 'unchanged', 'checked', 'superseded', 'undone')
      AND r.plan_hash IS NOT NULL
      AND EXISTS (SELECT 1 FROM sync_file f WHERE f.run_id = r.id AND lower(f.header) NOT LIKE '%"{MENDED_MARK}"%')
    ORDER BY r.id DESC LIMIT 1
"""
"""When the last good set came: a row, or none. A plan was made of it, so that one superseded unread does not count."""


WITH_A_SET = "(set_hash IS NOT NULL OR status NOT IN ('applied', 'unchanged'))"
"""SQL of a run: there was a set. At a slot without one the rules alone are asked, every night: where that goes well it
says nothing of the feed, and must not hide that the last set was rejected."""


class Silence(NamedTuple):
    """How long nothing good has come.

    Attributes:
        since: when the last good set came; before the first one, when the site was first seen.
        late_at: from when on that is too long; None where nothing is expected.
    """

    since: datetime
    late_at: datetime | None

    def is_late(self, now: datetime) -> bool:
        """Whether it is too long."""
        return self.late_at is not None and now >= self.late_at

    @property
    def about(self) -> str:
        """What a mail about it is about: this silence, and no other."""
        return f"late:{self.since.astimezone(UTC).isoformat(timespec='milliseconds')}"


def silence(site: Site, last_good: str | None, first_seen: datetime | None) -> Silence | None:
    """How long nothing good has come to a site.

    Args:
        site: its configuration.
        last_good: when the last good set came, as the ledger has it; None for never.
        first_seen: what counts before the first good set, aware; None where the site was not seen yet.
    """
    since = datetime.fromisoformat(last_good) if last_good else first_seen
    if since is None:
        return None
    late = None
    if site.feed_expected_every is not None:
        late = since + timedelta(seconds=site.feed_expected_every + site.feed_grace)
    return Silence(since, late)


def aware(moment: str | datetime) -> datetime:
    """A time of the migrations' table: these are naive and local, ours are text with a `Z`."""
    found = moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment))
    return found.astimezone()
