"""What somebody is to be told: one mail for each thing, queued in the transaction of what it tells of.

Nothing is written or sent here but a row of the queue: what a mail says is asked of the ledger when it is sent.
"""

from datetime import datetime

from lzsyncd.config import Site
from lzsyncd.config.models import MailKind
from lzsyncd.feed.elements import MENDED_MARK
from lzsyncd.ledger import mails
from lzsyncd.ledger.feed import LAST_GOOD, Silence, aware, silence
from lzsyncd.ledger.runs import iso
from lzsyncd.ledger.status import Status
from lzsyncd.zone.database import Database

BAD: dict[str, MailKind] = {Status.REJECTED: "error", Status.FAILED: "error", Status.HELD: "held"}
GOOD = (Status.CHECKED, Status.APPLIED, Status.UNCHANGED)


def tell_of_run(database: Database, site: Site, run_id: str, now: str) -> None:
    """Queue what is to be told of a run as it stands now. Doing it again changes nothing."""
    if not site.is_told:
        return
    query = """SELECT kind, status, "trigger", coalesce(plan_hash, ''), set_hash FROM sync_run WHERE id = ?"""
    ((run_kind, status, trigger, plan_hash, set_hash),) = database.rows(query, (run_id,))
    if run_kind != "sync":
        return
    if status in BAD:
        digest = f":{plan_hash[:16]}" if plan_hash and status == Status.HELD else ""
        _put(database, site, f"{run_id}:{status}{digest}", BAD[status], now, run_id)
    elif status in GOOD and set_hash:  # without a set the rules alone were asked
        _tell_of_good(database, site, run_id, now, status=status, is_new=trigger != "slot")


def tell_of_put_aside(database: Database, site: Site, run_id: str, now: str) -> None:
    """Queue that a set failed too often."""
    if site.is_told:
        _put(database, site, f"{run_id}:put-aside", "error", now, run_id)


def tell_of_feed(database: Database, site: Site, now: datetime) -> None:
    """Queue that a site is late, once for each silence."""
    found = silence_of(database, site)
    if found is not None and found.is_late(now) and site.is_told:
        _put(database, site, found.about, "late", iso(now))


def silence_of(database: Database, site: Site) -> Silence | None:
    """How long nothing good has come; None before the site has its tables."""
    first = database.value("SELECT min(applied) FROM lzsyncd_migration")
    return silence(site, database.value(LAST_GOOD), aware(first) if first else None)


def _tell_of_good(database: Database, site: Site, run_id: str, now: str, *, status: str, is_new: bool) -> None:
    """Of a set that is good: that all is well again, what is wrong with it all the same, or that it was applied.

    It is told when the set came, though it may wait for its slot: the earlier it is mended, the better.
    """
    kind: MailKind | None = None
    if is_new and "recovered" in site.notify.on and mails.trouble(database) and not _is_mended(database, run_id):
        kind = "recovered"
    elif database.value("SELECT 1 FROM sync_error WHERE run_id = ? LIMIT 1", (run_id,)):
        kind = "warning" if is_new else None
    elif status != Status.CHECKED:
        kind = "success"
    if kind is not None and not mails.kinds_about(database, run_id) & {"warning", "recovered"}:
        _put(database, site, f"{run_id}:{kind}", kind, now, run_id)


def _is_mended(database: Database, run_id: str) -> bool:
    """Whether it corrects some records only: people send that, and the feed may still be broken."""
    found = database.rows("SELECT lower(header) FROM sync_file WHERE run_id = ?", (run_id,))
    return all(f'"{MENDED_MARK}"' in header for (header,) in found)


def _put(database: Database, site: Site, about: str, kind: MailKind, now: str, run_id: str | None = None) -> None:
    for channel, to in site.channels.items() if kind in site.notify.on else ():
        mails.put(database, about, kind, to, now, run_id, channel)
