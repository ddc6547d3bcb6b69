"""What becomes of sets that come by the inbox: claimed, checked, waiting, applied, or put aside (LIFECYCLE).

All of it is driven by the ledger and the spool, so that whoever holds the site's lock next can go on where a killed
process stopped. A failure of one set is told and does not keep the next from its turn; but what came behind a set that
is held, or is tried again, and is about the same elements, stays behind it.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from lzsyncd.checks.catalogue import Finding
from lzsyncd.config import Site
from lzsyncd.errors import Fault, Interrupted, TryAgain, Unfinished, Usage, writing
from lzsyncd.feed.elements import Element
from lzsyncd.intake.claim import (
    Judged,
    NotAsJudged,
    Order,
    claim,
    is_empty_handed,
    order_in,
    refuse_writers,
    still_there,
)
from lzsyncd.intake.sets import FileSet
from lzsyncd.intake.spool import make_folder, sync_file, sync_folder
from lzsyncd.ledger import requests, runs, waiting
from lzsyncd.ledger.runs import iso
from lzsyncd.ledger.status import ATTEMPTS, Status, is_due
from lzsyncd.ledger.waiting import Pending
from lzsyncd.report.after import WAITS, after_commit, finish_interrupted, put_aside, sweep
from lzsyncd.report.events import RunLog
from lzsyncd.report.notices import tell_of_put_aside
from lzsyncd.report.outbox import write_outbox
from lzsyncd.service.slots import Slot
from lzsyncd.sync import turns
from lzsyncd.sync.ending import Result, they_are, translate
from lzsyncd.sync.holds import Approval, why_incomplete
from lzsyncd.sync.own import apply_own
from lzsyncd.sync.run import Options, Run
from lzsyncd.sync.superseded import elements_in, end_superseded, order_that_waits, waits_in
from lzsyncd.zone.database import Database

NOT_THE_SETS_FAULT = TryAgain | Interrupted | Fault
DONE = (Status.APPLIED, Status.UNCHANGED, Status.CHECKED)


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
        results: of the runs that came to an end, in their order; the last of each.
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
        self._end_pointless()
        slots = waiting.unfinished_slots(self.database)
        asked = {request.run for request in requests.unfinished(self.database)}
        for run in waiting.pending(self.database, (Status.INTERRUPTED, Status.FAILED)):
            order = order_in(self.spool(run.run))
            if order is None or not self._is_due(run) or run.run in asked:
                continue
            slots += [run.slot] if run.slot else []
            if run.attempt >= ATTEMPTS:
                self.put_aside(run.run)
                continue
            claim(self.site.inbox, self.spool(run.run), order)
            if is_empty_handed(self.spool(run.run), order):  # whoever took over while it was stopped has the set
                sweep(self.spool(run.run))
                continue
            apply = bool(run.slot) or self.applies_at_once
            self.go_on(run.run, order, apply=apply, slot=run.slot or None, again=True)
        for name in dict.fromkeys(slots):  # what came behind has its turn, too
            self._apply_waiting(name, turns.elements_of(name, self._scheduled))
        if self.applies_at_once:
            self.apply_waiting()

    def arrive(self, order: Order, *, trigger: str = "arrival", apply: bool | None = None) -> None:
        """Claim a set and check it; apply it where the site does so on arrival (or `apply` says so).

        Raises:
            NotAsJudged: it was changed meanwhile, or somebody writes to it again; nothing was claimed.
        """
        still_there(self.site.inbox, order)
        refuse_writers(self.site.inbox, order)
        run_id = runs.new_run_id(self.options.clock())
        runs.start(self.database, run_id, kind="sync", trigger=trigger, now=self.now)
        self.database.fence()
        claim(self.site.inbox, self.spool(run_id), order)
        self.log.claimed(run_id)
        self._end_pointless()
        at_once = self.applies_at_once if apply is None else apply
        told_first = self._by_itself and bool(self._scheduled & set(order.files)) and not order.mended
        self.go_on(run_id, order, apply=at_once and not told_first)
        if at_once:
            self.apply_waiting()

    def run_slot(self, slot: Slot) -> None:
        """Apply what waits, in order; whoever claims the slot second does nothing."""
        if waiting.claim_slot(self.database, slot.name, iso(slot.due_at), self.now):
            self._apply_waiting(slot.name, slot.elements)

    def hold_incomplete(self, files: dict[Element, Judged], missing: Sequence[Element]) -> None:
        """Tell of a set that stays in the inbox until its missing files come; the same files are told of once."""
        waits = {str(e): list(judged) for e, judged in files.items()}
        held = {run.run: waits_in(self.spool(run.run)) for run in waiting.pending(self.database, (Status.HELD,))}
        if waits in held.values():
            return
        for run_id, other in held.items():
            if other is not None:
                self._end(run_id, Status.SUPERSEDED)
        run_id = runs.new_run_id(self.options.clock())
        runs.start(self.database, run_id, kind="sync", trigger="arrival", now=self.now)
        spool = self.spool(run_id)
        with writing(spool):
            make_folder(spool)
            (spool / WAITS).write_text(json.dumps(waits))
            sync_file(spool / WAITS)
            sync_folder(spool)
        names = [e.file_name for e in missing]
        message = f"{why_incomplete(names)} To sync what is there: lzsyncd approve {run_id}."
        finding = Finding("set.incomplete", detail=they_are(names))
        Run(self.database, self.site, run_id, self.options).hold(message, finding)
        after_commit(self.database, self.site, run_id)
        self.log.held(run_id, message)

    def apply_waiting(self) -> None:
        """Apply every set that waits, now."""
        self._apply_waiting(None, tuple(Element))

    # -- what a person decides

    def held_before(self, run_id: str) -> str:
        """An older held set for the same elements, "" for none."""
        theirs = elements_in(self.spool(run_id))
        older = (run.run for run in waiting.pending(self.database, (Status.HELD,)) if run.run < run_id)
        return next((other for other in older if elements_in(self.spool(other)) & theirs), "")

    def claim_held(self, run_id: str) -> Order:
        """What there is of a held set; it is taken out of the inbox, where it waits for files.

        Raises:
            Usage: nothing is left of it, or its files have changed.
        """
        spool = self.spool(run_id)
        waits = order_that_waits(spool)
        if waits is not None:
            try:
                still_there(self.site.inbox, waits)
            except NotAsJudged:
                raise Usage(f"The files of run {run_id} were changed or taken out of the inbox meanwhile.") from None
        order = waits or order_in(spool)
        if order is None:
            raise Usage(f"Nothing is left of the set of run {run_id}.")
        claim(self.site.inbox, spool, order)
        return order

    def approve(self, run_id: str, order: Order, approval: Approval, *, again: bool) -> Result | None:
        """Apply a held set, as far as it was approved; `again`: it is one more attempt."""
        slot = str(self.database.value("SELECT slot FROM sync_run WHERE id = ?", (run_id,)) or "")
        runs.resume(self.database, run_id, self.now, slot=slot or None, again=again)
        options = replace(self.options, apply=True, only=self._only(order, slot))
        run = Run(self.database, self.site, run_id, options, approval)
        return self.done(run, lambda: run.go_on(order))

    def discard(self, run_id: str) -> None:
        """Give a held set up; what is left of it is kept."""
        with suppress(Usage):
            self.claim_held(run_id)
        self._end(run_id, Status.DISCARDED)

    # -- one set

    def go_on(
        self,
        run_id: str,
        order: Order,
        *,
        apply: bool,
        slot: str | None = None,
        again: bool = False,
        in_turn: bool = False,
    ) -> Result | None:
        """Go on with a claimed set; `in_turn`: it is known that nothing has to come before it."""
        apply = apply and (in_turn or not self.is_behind(run_id, set(order.files)))
        only = self._only(order, slot) if apply else None
        runs.resume(self.database, run_id, self.now, slot=slot, again=again)
        run = Run(self.database, self.site, run_id, replace(self.options, apply=apply, only=only))
        return self.done(run, lambda: run.go_on(order))

    def done(self, run: Run, doing: Callable[[], Result]) -> Result | None:
        """Do it and tell how it ended; None when it failed and the next set has its turn."""
        self.log.started(run.run_id)
        try:
            with self.limit(self.site.run_timeout):
                result = doing()
        except Unfinished:
            raise
        except Exception as error:
            self.log.failed(run.run_id, error)
            if isinstance(translate(error), NOT_THE_SETS_FAULT):
                self._refund(run.run_id)
                raise
            self.failed = True
            return None
        self.results = [*(other for other in self.results if other.run != run.run_id), result]
        with self.database.brake.held():
            self.log.finished(self.database, result)
        if result.status in DONE:
            self._end_pointless()
        return result

    def _refund(self, run_id: str) -> None:
        try:
            with self.database.brake.held():
                runs.refund(self.database, run_id)
        except Exception as error:
            if not self.database.is_away(error):
                raise

    def put_aside(self, run_id: str) -> None:
        """A set failed too often: nothing takes it again by itself."""
        reason = f"Run {run_id} failed {ATTEMPTS} times; the log says why. To try again, put the files into the inbox."
        with self.database.transaction():
            runs.finish(self.database, run_id, Status.FAILED, self.now, message=reason)
            tell_of_put_aside(self.database, self.site, run_id, self.now)
        with writing(self.site.outbox):
            write_outbox(self.database, self.site, run_id, {})
        put_aside(self.site, run_id, reason)
        self.log.put_aside(run_id, reason)
        self.failed = True

    def _end_pointless(self) -> None:
        for run_id in end_superseded(self.database, self.site):
            self.log.ended(run_id, Status.SUPERSEDED)

    def _end(self, run_id: str, status: Status) -> None:
        runs.move(self.database, run_id, status)
        after_commit(self.database, self.site, run_id)
        self.log.ended(run_id, status)

    # -- slots

    def _apply_waiting(self, slot: str | None, elements: Sequence[Element]) -> None:
        """In the order of arrival; what came after the slot was claimed waits for the next one."""
        until = waiting.claimed_at(self.database, slot) if slot else None
        last = None
        for e in elements if slot else ():
            if e in self._scheduled:
                last = apply_own(self, e, slot or "", until or "") or last
        for run in waiting.pending(self.database, (Status.CHECKED,)):
            order = order_in(self.spool(run.run))
            if order is None or (until is not None and run.created_at > until):
                continue
            if self._has_its_turn(order, slot, elements) and not self.is_behind(run.run, set(order.files)):
                self.go_on(run.run, order, apply=True, slot=slot)
                last = run.run
        if slot is not None:
            waiting.finish_slot(self.database, slot, self._ask_rules(slot) or last, self.now)

    def _ask_rules(self, slot: str) -> str | None:
        """At the site's slots the rules are asked, also where nothing was applied: the date alone moves somebody."""
        if turns.own(slot) or not waiting.rules_are_due(self.database, slot):
            return None
        if waiting.attempts_at(self.database, slot) >= ATTEMPTS:
            self.failed = True
            return None
        options = replace(self.options, trigger="slot", slot=slot)
        run = Run(self.database, self.site, runs.new_run_id(self.options.clock()), options)
        self.done(run, lambda: run.sync(FileSet({})))
        return run.run_id

    def _has_its_turn(self, order: Order, slot: str | None, elements: Sequence[Element]) -> bool:
        scheduled = self._scheduled if slot or self._by_itself else set()
        return turns.has_its_turn(order, slot, elements, scheduled)

    def is_behind(self, run_id: str, elements: set[Element]) -> bool:
        """Whether an older set for the same elements is held, waits, or is to be tried again."""
        older = (run for run in waiting.pending(self.database) if run.run < run_id)
        return any(elements_in(self.spool(run.run)) & elements for run in older)

    def _only(self, order: Order, slot: str | None) -> frozenset[Element] | None:
        return turns.only(order, slot, self._scheduled) if slot or self._by_itself else None

    @property
    def _scheduled(self) -> set[Element]:
        """The elements with a schedule of their own."""
        return {e for e in Element if self.site.element(e).schedule is not None}

    @property
    def _by_itself(self) -> bool:
        return self.options.trigger != "command"

    @property
    def applies_at_once(self) -> bool:
        """Whether sets are applied on arrival."""
        return self.site.apply == "on-arrival"

    # -- what lies in the spool

    def spool(self, run_id: str) -> Path:
        """The folder of a run's files."""
        return self.site.folder / "spool" / run_id

    def _is_due(self, run: Pending) -> bool:
        """Whether it is time for the next attempt; a person who asks does not wait."""
        return not self._by_itself or is_due(run.status, run.attempt, run.finished_at, self.options.clock())

    @property
    def now(self) -> str:
        """The time, as the ledger keeps it."""
        return iso(self.options.clock())
