"""What becomes of sets that come by the inbox: claimed, checked, waiting, applied, or put aside (LIFECYCLE).

All of it is driven by the ledger and the spool, so that whoever holds the site's lock next can go on where a killed
process stopped. A failure of one set is told and does not keep the next from its turn.
"""

import gzip
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from lzsyncd.checks.catalogue import Finding
from lzsyncd.config import Site
from lzsyncd.errors import DiskFull, Interrupted, NotPermitted, TryAgain, Unfinished
from lzsyncd.feed.elements import Element
from lzsyncd.intake.claim import Judged, NotAsJudged, Order, claim, order_in, still_there
from lzsyncd.intake.sets import FileSet
from lzsyncd.ledger import runs, waiting
from lzsyncd.ledger.runs import Status, iso
from lzsyncd.ledger.waiting import Pending
from lzsyncd.report.after import after_commit, archive_folder, finish_interrupted, quarantine
from lzsyncd.report.events import RunLog
from lzsyncd.service.slots import Slot
from lzsyncd.sync.run import Options, Result, Run, translate
from lzsyncd.zone.database import Database

ATTEMPTS = 3
BACKOFF = (timedelta(minutes=1), timedelta(minutes=10))  # after the first and second failure
WAITS = "waits.json"
NOT_THE_SETS_FAULT = (TryAgain, Interrupted, DiskFull, NotPermitted)


@dataclass
class Arrivals:
    """The arrived sets of one site. The caller holds the site's lock.

    Args:
        database: the site's.
        site: its configuration.
        options: who watches, and which clock.
        log: where the runs are told of.
        limit: makes a block that raises when it takes longer than so many seconds.

    Attributes:
        results: of the runs that came to an end, in their order.
        failed: a set could not be gone on with; there will be another attempt, or it was put aside.
    """

    database: Database
    site: Site
    options: Options
    log: RunLog
    limit: Callable[[float], AbstractContextManager[object]] = nullcontext
    results: list[Result] = field(default_factory=list)
    failed: bool = False

    # -- what the daemon asks for

    def recover(self) -> None:
        """Finish, or try again, what earlier processes left; put aside what failed too often."""
        finish_interrupted(self.database, self.site)
        for run in waiting.pending(self.database, (Status.CLAIMED, Status.INTERRUPTED, Status.FAILED)):
            order = order_in(self._spool(run.run))
            if order is None or not self._is_due(run):
                continue
            if run.attempt >= ATTEMPTS and run.status is not Status.CLAIMED:
                self._put_aside(run.run)
                continue
            claim(self.site.inbox, self._spool(run.run), order)
            begun = run.status is not Status.CLAIMED
            apply = bool(run.slot) or self.site.apply == "on-arrival"
            self._go_on(run.run, order, apply=apply, slot=run.slot or None, again=begun)
        for name, _ in waiting.unfinished_slots(self.database):
            self._apply_waiting(name, self._elements_of(name))

    def arrive(self, order: Order, *, trigger: str = "arrival", apply: bool | None = None) -> None:
        """Claim a set and check it; apply it where the site does so on arrival (or `apply` says so).

        Raises:
            NotAsJudged: it was changed meanwhile; nothing was claimed.
        """
        still_there(self.site.inbox, order)
        run_id = runs.new_run_id(self.options.clock())
        runs.start(self.database, run_id, kind="sync", trigger=trigger, now=self._now())
        claim(self.site.inbox, self._spool(run_id), order)
        self.log.claimed(run_id)
        self._go_on(run_id, order, apply=self.site.apply == "on-arrival" if apply is None else apply)

    def run_slot(self, slot: Slot) -> None:
        """Apply what waits, in order; whoever claims the slot second does nothing."""
        if waiting.claim_slot(self.database, slot.name, iso(slot.due_at), self._now()):
            self._apply_waiting(slot.name, slot.elements)

    def hold_incomplete(self, files: dict[Element, Judged], missing: Sequence[Element]) -> None:
        """Tell of a set that stays in the inbox until its missing files come; the same files are told of once."""
        waits = {str(e): list(judged) for e, judged in files.items()}
        for run in waiting.pending(self.database, (Status.HELD,)):
            if self._waits(run.run) == waits:
                return
            if self._waits(run.run) is not None:
                self._end(run.run, Status.SUPERSEDED)
        run_id = runs.new_run_id(self.options.clock())
        runs.start(self.database, run_id, kind="sync", trigger="arrival", now=self._now())
        spool = self._spool(run_id)
        spool.mkdir(mode=0o700, parents=True)
        (spool / WAITS).write_text(json.dumps(waits))
        names = " and ".join(e.file_name for e in missing)
        verb = "is" if len(missing) == 1 else "are"
        message = f'{names} {verb} missing. Deliver what is missing, or set incomplete = "sync".'
        finding = Finding("set.incomplete", detail=f"{names} {verb}")
        Run(self.database, self.site, run_id, self.options).hold(message, finding)
        after_commit(self.database, self.site, run_id)
        self.log.held(run_id, message)

    def apply_waiting(self) -> None:
        """Apply every set that waits, now."""
        self._apply_waiting(None, tuple(Element))

    # -- one set

    def _go_on(
        self, run_id: str, order: Order, *, apply: bool, slot: str | None = None, again: bool = False
    ) -> Result | None:
        only = self._own_elements(slot)
        options = replace(self.options, apply=apply, only=only if apply else None)
        runs.resume(self.database, run_id, self._now(), slot=slot, again=again)
        self.log.started(run_id)
        try:
            with self.limit(self.site.run_timeout):
                result = Run(self.database, self.site, run_id, options).go_on(order)
        except Unfinished:
            raise
        except Exception as error:
            self.log.failed(run_id, error)
            if isinstance(translate(error), NOT_THE_SETS_FAULT):
                self._refund(run_id)
                raise
            self.failed = True  # it is tried again later; the next set has its turn
            return None
        self.results.append(result)
        self.log.finished(self.database, result)
        if result.status in (Status.APPLIED, Status.UNCHANGED, Status.CHECKED):
            self._supersede(run_id, order)
        return result

    def _refund(self, run_id: str) -> None:
        try:
            runs.refund(self.database, run_id)
        except Exception as error:
            if not self.database.is_away(error):
                raise

    def _put_aside(self, run_id: str) -> None:
        spool = self._spool(run_id)
        reason = f"Run {run_id} failed {ATTEMPTS} times; the log says why. To try again, put the files into the inbox."
        claimed = [path for path in (spool / "claimed").glob("*") if path.is_file()]
        quarantine(self.site, run_id, [*claimed, *(path for path in spool.glob("*.csv") if path.is_file())], reason)
        runs.finish(self.database, run_id, Status.FAILED, self._now(), message=reason)
        shutil.rmtree(spool)
        self.log.put_aside(run_id, reason)

    def _supersede(self, run_id: str, order: Order) -> None:
        """A good new set that names everybody makes what waited before it for the same elements pointless."""
        if order.mended or not all(self.site.element(e).contains_all_records for e in order.files):
            return
        for run in waiting.pending(self.database, (Status.CHECKED, Status.HELD)):
            older = self._elements_that_wait(run.run)
            if run.run < run_id and older and older <= set(order.files):
                self._end(run.run, Status.SUPERSEDED)

    def _end(self, run_id: str, status: Status) -> None:
        runs.move(self.database, run_id, status)
        after_commit(self.database, self.site, run_id)
        self.log.ended(run_id, status)

    # -- slots

    def _apply_waiting(self, slot: str | None, elements: Sequence[Element]) -> None:
        """In the order of arrival; what comes behind a held set for the same elements waits with it."""
        blocked: set[Element] = set()
        last = None
        for run in waiting.pending(self.database, (Status.CHECKED, Status.HELD)):
            theirs, order = self._elements_that_wait(run.run), order_in(self._spool(run.run))
            if run.status is Status.HELD or theirs & blocked:
                blocked |= theirs
            elif order is not None and theirs & set(elements):
                if (result := self._go_on(run.run, order, apply=True, slot=slot)) is None or result.status == "held":
                    blocked |= theirs
                last = run.run
        if slot is not None:
            for e in elements:
                if self.site.element(e).schedule is not None:
                    last = self._apply_newest(e, slot) or last
            waiting.finish_slot(self.database, slot, last, self._now())

    def _apply_newest(self, e: Element, slot: str) -> str | None:
        """An element with a schedule of its own comes from the newest good set."""
        for run_id, name in waiting.newest_with(self.database, e):
            packed, plain = archive_folder(self.site, run_id) / f"{name}.gz", self._spool(run_id) / name
            if not (packed.is_file() or plain.is_file()):
                continue
            new = runs.new_run_id(self.options.clock())
            folder = self._spool(f".{new}.from")
            folder.mkdir(mode=0o700, parents=True)
            with gzip.open(packed) if packed.is_file() else plain.open("rb") as old, (folder / name).open("wb") as copy:
                shutil.copyfileobj(old, copy)
            options = replace(self.options, only=frozenset({e}), trigger="slot", slot=slot)
            self.log.started(new)
            result = Run(self.database, self.site, new, options).sync(FileSet({e: folder / name}))
            shutil.rmtree(folder)
            self.results.append(result)
            self.log.finished(self.database, result)
            return new
        return None

    def _elements_of(self, slot: str) -> tuple[Element, ...]:
        """The elements a slot applies, by its name: its own, or those without a schedule of their own."""
        own = [e for e in Element if slot.endswith(f":{e}")]
        return tuple(own) or tuple(e for e in Element if self.site.element(e).schedule is None)

    def _own_elements(self, slot: str | None) -> frozenset[Element] | None:
        """What an arriving or waiting set may change: an element with its own schedule waits for its own slot."""
        scheduled = {e for e in Element if self.site.element(e).schedule is not None}
        return frozenset(set(Element) - scheduled) if scheduled and (slot or self._by_itself) else None

    @property
    def _by_itself(self) -> bool:
        return self.options.trigger != "command"

    # -- what lies in the spool

    def _spool(self, run_id: str) -> Path:
        return self.site.folder / "spool" / run_id

    def _waits(self, run_id: str) -> dict[str, list[object]] | None:
        try:
            found: dict[str, list[object]] = json.loads((self._spool(run_id) / WAITS).read_text())
        except FileNotFoundError:
            return None
        return found

    def _elements_that_wait(self, run_id: str) -> set[Element]:
        order = order_in(self._spool(run_id))
        return set(order.files) if order else {Element(e) for e in self._waits(run_id) or ()}

    def _is_due(self, run: Pending) -> bool:
        """Whether it is time for the next attempt."""
        if run.status is not Status.FAILED or not run.finished_at or run.attempt >= ATTEMPTS:
            return True
        ended = datetime.fromisoformat(run.finished_at)
        return self.options.clock() >= ended + BACKOFF[min(run.attempt, len(BACKOFF)) - 1]

    def _now(self) -> str:
        return iso(self.options.clock())


def work(
    arrivals: Arrivals,
    orders: Sequence[Order] = (),
    slots: Sequence[Slot] = (),
    held: tuple[dict[Element, Judged], Sequence[Element]] | None = None,
) -> Iterator[str]:
    """All that is to be done for a site, in the order in which it must be done; yields before each step.

    A set that was changed meanwhile is left to a later look.
    """
    yield "recover"
    arrivals.recover()
    for order in orders:
        yield "arrive"
        try:
            arrivals.arrive(order)
        except NotAsJudged:
            arrivals.log.not_as_judged()
    for slot in slots:
        yield "slot"
        arrivals.run_slot(slot)
    if held is not None:
        yield "hold"
        arrivals.hold_incomplete(*held)
