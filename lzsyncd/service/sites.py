"""What the daemon knows of one site, and what there is to do for it. It looks and decides; children do."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic

from lzsyncd import logs
from lzsyncd.config import Site
from lzsyncd.errors import LzsyncdError
from lzsyncd.intake.candidate import Entry
from lzsyncd.intake.claim import refuse_other_file_system
from lzsyncd.intake.orders import files_of, order_of, rules_of
from lzsyncd.intake.settle import Settler, Verdict
from lzsyncd.intake.watch import Inbox, Watch
from lzsyncd.ledger.glance import Glance, glance
from lzsyncd.service.errand import Errand
from lzsyncd.service.slots import Slot

RESCAN = 30.0  # seconds
POLL = 5.0  # seconds, where no events come
PAUSES = (5.0, 15.0, 60.0, 300.0)  # seconds before the next errand after one, two, … that failed
NOTHING = Verdict((), None, False, (), (), (), (), (), None)
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
CLOCK_EVERY = timedelta(minutes=1)  # the clock may be put forward
RETRY = (60.0, 600.0)  # seconds: when a failed run is due again, as `sync.arrivals` has it


@dataclass
class Charge:
    """One site in the daemon's care.

    Attributes:
        site: its configuration.
        watch: all inboxes' events.
        verdict: what the last look at the inbox found.
        seen: what the last look into the ledger found.
        trouble: what is wrong with inbox or database, by what it concerns.
        scan_at: monotonic time of the next look at the inbox at the latest.
        not_before: monotonic time before which no errand starts.
    """

    site: Site
    watch: Watch
    verdict: Verdict = NOTHING
    seen: Glance = field(default_factory=lambda: Glance(reachable=True))
    trouble: dict[str, str] = field(default_factory=dict)
    scan_at: float = 0.0
    not_before: float = 0.0
    _failures: int = 0
    _polled: bool = False
    _since: datetime | None = None
    _next_at: datetime = LONG_AGO
    _told: set[str] = field(default_factory=set)
    _due: list[Slot] = field(default_factory=list)
    _new: bool = True

    def __post_init__(self) -> None:
        self.inbox, self.settler = Inbox(self.site.inbox), Settler(rules_of(self.site))
        self._log = logs.logger().bind(site=self.site.name)

    def reconfigured(self, site: Site) -> None:
        """Go on with another configuration; what was learned of the inbox stays."""
        if site.inbox != self.site.inbox:
            self.inbox, self.settler = Inbox(site.inbox), Settler(rules_of(site))
            self.watch.disarm(site.name)
        if site.timetable != self.site.timetable:
            self._next_at = self._since = datetime.now(
                UTC
            )  # a slot that would have been earlier today is not caught up
        self.site, self.settler.rules, self.scan_at = site, rules_of(site), 0.0

    # -- looking

    def touched(self, name: str | None) -> None:
        """Something happened in the inbox."""
        now = monotonic()
        self.settler.touched(name, now)
        self.scan_at = min(self.scan_at, now)

    def look_soon(self) -> None:
        """Somebody asks for a look now."""
        self.scan_at = self.not_before = 0.0

    @property
    def is_watched(self) -> bool:
        """Whether changes are noticed: by events, or because it is polled."""
        return self._polled or "inbox" in self.trouble or self.watch.is_well(self.site.name)

    def look(self) -> None:
        """Look at the inbox; arm it where it is not."""
        now = monotonic()
        try:
            if not self._polled and not self.watch.is_well(self.site.name):
                self._arm()
            self.verdict = self._judge(self.inbox.entries(), now)
            if self.verdict.peek:
                self.inbox.peek(self.verdict.peek)
                self.verdict = self._judge(self.inbox.entries(), now)
        except (OSError, LzsyncdError) as error:
            said = str(error) if isinstance(error, LzsyncdError) else f"The inbox can't be read: {error.strerror}."
            self.wrong("inbox", said)
        else:
            self.wrong("inbox", "")
            self._tell_what_lasts()
        wait = POLL if self._polled else RESCAN
        self.scan_at = now + min(wait, *(t + 0.05 for t in (self.verdict.look_again,) if t is not None), wait)

    def _judge(self, entries: list[Entry], now: float) -> Verdict:
        return self.settler.look(entries, now, datetime.now(self.site.timezone))

    def _arm(self) -> None:
        refuse_other_file_system(self.site.inbox, self.site.folder / "spool")
        armed = self.watch.arm(self.site.name, self.site.inbox)
        self._polled = not armed
        how = "watched" if armed else f"looked at every {POLL:.0f} seconds: no events can be had there"
        if not self._new or not armed:
            self._log.warning(f"The inbox is now {how}.", **{"event.action": "inbox_armed"})
        self._new = False
        self.settler.touched(None, monotonic())

    def _tell_what_lasts(self) -> None:
        for text in self.verdict.overdue:
            if text not in self._told:
                self._log.warning(text, **{"event.action": "set_overdue"})
        self._told = set(self.verdict.overdue)

    def read_ledger(self) -> None:
        """Look into the ledger."""
        self.seen = glance(self.site)
        self.wrong("database", "" if self.seen.reachable else f"The database does not answer ({self.seen.trouble}).")
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
        self._next_at = min(self.site.timetable.next(now).due_at, now + CLOCK_EVERY)

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

    def errand(self, level: logs.Level, *, pretty: bool) -> Errand | None:
        """What a child has to do now, None for nothing."""
        now = monotonic()
        if now < self.not_before or self.trouble:
            return None
        orders = tuple(order_of(delivery) for delivery in self.verdict.ready)
        held = None
        if self.verdict.held is not None and self.verdict.held_is_new:
            held = (files_of(self.verdict.held), self.verdict.held.missing)
        if not (orders or self._due or held or self._goes_on()):
            return None
        return Errand(self.site, level, pretty, orders, tuple(self._due), held)

    def _goes_on(self) -> bool:
        """Whether a run or slot was left unfinished, or the site is new."""
        return not self.seen.ready or bool(self.seen.open_slots) or any(map(_is_due, self.seen.under_way))

    def began(self) -> None:
        """A child has taken the errand: what it was told of is not told of again."""
        self._due.clear()
        self.verdict = NOTHING

    def ended(self, code: int) -> None:
        """A child has ended; a failure makes the next one wait."""
        self._failures = self._failures + 1 if code else 0
        pause = PAUSES[min(self._failures, len(PAUSES)) - 1] if code else 0.0
        self.not_before = monotonic() + pause
        self.scan_at = 0.0
        self.read_ledger()
        if code < 0:
            self._log.error(f"The process that worked for the site was ended by signal {-code}.")

    def next_slot(self, now: datetime) -> Slot:
        """The next slot that is not claimed."""
        return self.site.timetable.next(now, self.seen.slots)


def _is_due(run: tuple[str, str, int, str]) -> bool:
    _, status, attempt, ended = run
    if status != "failed" or not ended:
        return True
    waited = (datetime.now(UTC) - datetime.fromisoformat(ended)).total_seconds()
    return waited >= RETRY[min(attempt, len(RETRY)) - 1]
