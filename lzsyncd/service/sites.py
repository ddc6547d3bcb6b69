"""What the daemon knows of one site, and what there is to do for it. It looks and decides; children do."""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic

from lzsyncd import logs
from lzsyncd.config import Log, Site
from lzsyncd.errors import LzsyncdError, refused_by_disk
from lzsyncd.intake.candidate import Entry
from lzsyncd.intake.claim import refuse_other_file_system
from lzsyncd.intake.orders import files_of, order_of, rules_of
from lzsyncd.intake.settle import Settler, Verdict
from lzsyncd.intake.touches import WAKE, Touched
from lzsyncd.intake.watch import Inbox, Watch
from lzsyncd.ledger.feed import Silence, silence
from lzsyncd.ledger.glance import Glance, glance, trace, trace_of_spool
from lzsyncd.ledger.status import is_due
from lzsyncd.report.numbers import Lying, lying
from lzsyncd.service.errand import SITE_IS_BUSY, Errand
from lzsyncd.service.slots import Slot
from lzsyncd.service.visits import Visits

RESCAN = 30.0  # seconds
POLL = 5.0  # seconds, where no events come
GLIMPSE = 0.5  # seconds between two looks at least, while events come
LATE = 0.01  # seconds after the moment at which time alone changes the verdict
BUSY = 5.0  # seconds between two looks into a ledger while somebody else works for the site
JUST_ENDED = 1.0  # seconds in which a server notices that a session has ended
TRUST = 900.0  # seconds for which a ledger that nobody wrote to is not looked into: a look costs a millisecond
PAUSES = (5.0, 15.0, 60.0, 300.0)  # seconds before the next errand after one, two, … that failed
NOTHING = Verdict((), None, False, (), (), (), (), (), None)
FAILED = "The last work for the site failed, `lzsyncd logs` says why; it is tried again."
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
CLOCK_EVERY = timedelta(minutes=1)  # the clock may be put forward


@dataclass
class Charge:
    """One site in the daemon's care.

    Attributes:
        site: its configuration.
        watch: all inboxes' events.
        verdict: what the last look at the inbox found.
        seen: what the last look into the ledger found.
        lying: what the last look found there.
        trouble: what is wrong with inbox or database, by what it concerns.
        setback: why the last errand failed, "" where it did not, or where nothing of it is left to do.
        scan_at: monotonic time of the next look at the inbox at the latest.
        not_before: monotonic time before which no errand starts.
        ledger_at: monotonic time of a look into the ledger that does not wait for the regular one.
    """

    site: Site
    watch: Watch
    verdict: Verdict = NOTHING
    lying: Lying = field(default_factory=Lying)
    seen: Glance = field(default_factory=lambda: Glance(reachable=True))
    trouble: dict[str, str] = field(default_factory=dict)
    setback: str = ""
    scan_at: float = 0.0
    not_before: float = 0.0
    ledger_at: float = math.inf
    _failures: int = 0
    _looked_at: float = 0.0
    _polled: bool = False
    _arm_at: float = 0.0
    _trace: object = None
    _spool: object = None
    _trusted_until: float = 0.0
    _since: datetime | None = None
    _next_at: datetime = LONG_AGO
    _hold_is_new: bool = False
    _told: set[str] = field(default_factory=set)
    _due: list[Slot] = field(default_factory=list)
    _new: bool = True
    _shown: object = None

    def __post_init__(self) -> None:
        self.inbox, self.settler = Inbox(self.site.inbox), Settler(rules_of(self.site))
        self._log = logs.logger().bind(site=self.site.name)
        self.visits = _visits_of(self.site)

    def reconfigured(self, site: Site) -> None:
        """Go on with another configuration; what was learned of the inbox stays."""
        if site.inbox != self.site.inbox:
            self.inbox, self.settler = Inbox(site.inbox), Settler(rules_of(site))
            self.watch.disarm(site.name)
            self._new, self._polled = True, False
        if site.timetable != self.site.timetable:
            # a slot that would have been earlier today is not caught up
            self._next_at = self._since = datetime.now(UTC)
        if (site.remote, site.timezone) != (self.site.remote, self.site.timezone):
            self.visits = _visits_of(site)
        self.site, self.settler.rules, self.scan_at = site, rules_of(site), 0.0

    # -- looking

    def stirred(self) -> None:
        """Something happens in the inbox: look, but not at each of a thousand events."""
        self.scan_at = min(self.scan_at, max(monotonic(), self._looked_at + GLIMPSE))

    def look_soon(self) -> None:
        """Somebody asks for a look now."""
        self.scan_at = self.not_before = 0.0

    @property
    def is_watched(self) -> bool:
        """Whether changes are noticed: by events, or because it is polled."""
        return self._polled or "inbox" in self.trouble or self.watch.is_well(self.site.name)

    def look(self, touched: Touched | None = None) -> bool:
        """Look at the inbox; arm it where it is not.

        Args:
            touched: the names of which events have told, None for any, and when.

        Returns:
            Whether there is anything new to show.
        """
        now, before = monotonic(), self._shown
        for name, moment in (touched or {}).items():
            self.settler.touched(name, moment)
        if touched and WAKE in touched:
            self.ledger_at = now
        try:
            self._keep_armed(now)
            entries = self.inbox.entries()
            self.lying = lying(entries)
            self.verdict = self._judge(entries, now)
            if self.verdict.peek:
                self.inbox.peek(self.verdict.peek)
                self.verdict = self._judge(self.inbox.entries(), now)
            self._hold_is_new = self.verdict.held is not None and (self.verdict.held_is_new or self._hold_is_new)
        except (OSError, LzsyncdError) as error:
            self.verdict = NOTHING
            self.wrong("inbox", self._why(error))
        else:
            self.wrong("inbox", "")
            self._tell_what_lasts()
        self._looked_at, self.scan_at = now, _next(POLL if self._polled else RESCAN, now)
        if self.site.database != "sqlite" and trace_of_spool(self.site) != self._spool:
            self.ledger_at = now  # another host has begun or finished something
        if self.verdict.look_again is not None:
            self.scan_at = min(self.scan_at, now + self.verdict.look_again + LATE)
        told = self.verdict
        self._shown = (told.waiting, told.overdue, told.near_misses, told.ignored, len(told.ready), self.wrongs)
        return self._shown != before

    def _why(self, error: OSError | LzsyncdError) -> str:
        if isinstance(error, LzsyncdError):
            return str(error)
        return str(refused_by_disk(error, self.site.inbox) or f"The inbox can't be read: {error.strerror}.")

    @property
    def wrongs(self) -> dict[str, str]:
        """All that is wrong, by what it concerns; a site that can't be worked for may look well."""
        return self.trouble or ({"work": self.setback} if self.setback else {})

    def _judge(self, entries: list[Entry], now: float) -> Verdict:
        return self.settler.look(entries, now, datetime.now(self.site.timezone))

    def _keep_armed(self, now: float) -> None:
        """Arm what is not armed; where no events could be had, perhaps they can be had now."""
        if self._polled and now < self._arm_at:
            return
        self.watch.give_up_if_ended(self.site.name)
        if self.watch.is_well(self.site.name):
            return
        refuse_other_file_system(self.site.inbox, self.site.folder / "spool")
        armed = self.watch.arm(self.site.name, self.site.inbox)
        if not (self._new if armed else self._polled):
            self._tell_how(armed=armed, now=now)
        self._new, self._polled, self._arm_at = False, not armed, now + RESCAN

    def _tell_how(self, *, armed: bool, now: float) -> None:
        """The inbox is watched in another way than before: what happened meanwhile is not known."""
        how = "watched" if armed else f"looked at every {POLL:.0f} seconds: no events can be had there"
        self._log.warning(f"The inbox is now {how}.", **{"event.action": "inbox_armed"})
        self.settler.touched(None, now)

    def _tell_what_lasts(self) -> None:
        for text in self.verdict.overdue:
            if text not in self._told:
                self._log.warning(text, **{"event.action": "set_overdue"})
        self._told = set(self.verdict.overdue)

    def check_ledger(self) -> None:
        """Look into the ledger, unless it was well not long ago and nothing was written to it since."""
        self.ledger_at = math.inf
        if not self.seen.reachable or monotonic() >= self._trusted_until or trace(self.site) != self._trace:
            self.read_ledger()

    def read_ledger(self) -> None:
        """Look into the ledger."""
        self._trace, self._spool = trace(self.site), trace_of_spool(self.site)
        self._trusted_until = 0.0 if self._trace is None else monotonic() + TRUST
        self.seen = glance(self.site, self.seen.figures)
        self.wrong("database", str(self.seen.trouble or ""))
        self._due = [slot for slot in self._due if slot.name not in self.seen.slots]
        self.ledger_at = monotonic() + BUSY if self.seen.worker else math.inf
        if self._since is None and self.seen.reachable:
            self._since = self.seen.since or datetime.now(UTC)

    def read_clock(self, now: datetime) -> None:
        """Note the slots that are due, and tell of those that are skipped."""
        if self._since is None or not self.seen.reachable or self._since < now < self._next_at:
            return
        claimed = {**self.seen.slots, **{slot.name: slot.due_at for slot in self._due}}
        due = self.site.timetable.due(claimed, self._since, now)
        self._due += due.run
        for skipped in due.skipped:
            text = f"The slot {skipped.slot.name} was missed: {skipped.why}."
            self._log.warning(text, **{"event.action": "slot_skipped"})
        self._since = now
        self._next_at = min(next(self.site.timetable.slots(now)).due_at, now + CLOCK_EVERY)

    def wrong(self, what: str, text: str) -> None:
        """Note that something is wrong, or well again, and say it once."""
        before = self.trouble.pop(what, "")
        if text:
            self.trouble[what] = text
        if text != before:
            action = {"event.action": f"{what}_{'failed' if text else 'recovered'}"}
            if text:
                self._log.error(text, **action)
            else:
                self._log.info(f"The {what} is well again.", **action)

    # -- deciding

    def errand(self, log: Log, *, pretty: bool) -> Errand | None:
        """What a child has to do now, None for nothing, or while somebody else works for the site."""
        if self.trouble or self.seen.worker or monotonic() < self.not_before:
            return None
        held = self.verdict.held if self._hold_is_new else None
        if not (self.verdict.ready or self._due or held or self._goes_on()):
            self.setback = self.setback if self.seen.under_way else ""
            return None
        orders = tuple(order_of(delivery) for delivery in self.verdict.ready)
        told = (files_of(held), held.missing) if held else None
        return Errand(self.site, log, pretty, orders, tuple(self._due), told)

    def _goes_on(self) -> bool:
        """Whether a run or slot was left unfinished, somebody asks for something, or the site is new."""
        seen = self.seen
        if seen.open_slots or seen.asked or not seen.ready:
            return True
        return any(is_due(status, attempt, ended, datetime.now(UTC)) for _, status, attempt, ended in seen.under_way)

    def began(self) -> None:
        """A child has taken the errand: what it was told of is not told of again."""
        self._due.clear()
        self.verdict, self._hold_is_new = NOTHING, False

    def ended(self, code: int, errand: Errand, why: str = "") -> None:
        """A child has ended; after a failure the next one waits, and gets what this one may not have come to."""
        if code != SITE_IS_BUSY:
            self._failures = self._failures + 1 if code else 0
            self.setback = (why or FAILED) if code else ""
        pause = PAUSES[min(max(self._failures, 1), len(PAUSES)) - 1] if code else 0.0
        self.not_before = monotonic() + pause
        self.scan_at = 0.0
        if self.visits and self.visits.remote.reports and not code:
            self.visits.soon()
        self.read_ledger()
        if self.seen.worker and not code:
            self.ledger_at = monotonic() + JUST_ENDED
        if code:
            again = [slot for slot in errand.slots if slot.name not in self.seen.slots]
            self._due = again + [slot for slot in self._due if slot not in again]
            self._hold_is_new = errand.held is not None
        if code < 0:
            text = f"The process that worked for the site was ended by signal {-code}."
            self._log.error(text, **{"event.action": "worker_killed"})

    @property
    def silence(self) -> Silence | None:
        """How long nothing good has come."""
        return silence(self.site, self.seen.last_good, self.seen.since)

    def has_post(self, now: datetime) -> bool:
        """Whether a mail is due, or that the feed is late is yet to be told."""
        if not (self.site.is_told and self.seen.ready):
            return False
        quiet = self.silence
        is_late = quiet is not None and quiet.is_late(now) and "late" in self.site.notify.on
        if is_late and quiet is not None and quiet.about != self.seen.late_told:
            return True
        return bool(self.seen.mail_at) and datetime.fromisoformat(self.seen.mail_at) <= now

    def visit(self, log: Log, *, pretty: bool) -> Errand | None:
        """A visit of the remote server, None where it is not time for one. Only a database that is away keeps us."""
        if self.visits is None or not self.seen.ready or "database" in self.trouble:
            return None
        return Errand(self.site, log, pretty, visit=True) if self.visits.is_due(datetime.now(UTC)) else None

    def visited(self, code: int) -> None:
        """A visit has ended."""
        if self.visits is not None:
            self.visits.ended(code, datetime.now(UTC))
        self.stirred()

    def next_slot(self, now: datetime) -> Slot:
        """The next slot that is not claimed."""
        return self.site.timetable.next(now, self.seen.slots)


def _visits_of(site: Site) -> Visits | None:
    return Visits(site.remote, site.timezone) if site.remote else None


def _next(every: float, now: float) -> float:
    """When all sites have their next look: together, so that the loop is not woken once for each."""
    return (now // every + 1) * every
