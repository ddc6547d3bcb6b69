"""One run, top to bottom: take, read, check, plan, apply, report.

Everything between reading and the mark "applied" is one transaction on one snapshot. What comes after the commit
(archive, outbox) can be done again and is finished by the next run if this one is killed.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from lzsyncd.checks.catalogue import Finding
from lzsyncd.checks.findings import FindingStore
from lzsyncd.config import Site
from lzsyncd.errors import Interrupted
from lzsyncd.feed.elements import Element
from lzsyncd.feed.stage import Staged, Stager
from lzsyncd.intake.claim import CLAIMED, Order
from lzsyncd.intake.confirm import as_judged, confirmed, not_as_counted
from lzsyncd.intake.sets import FileSet
from lzsyncd.intake.spool import Taken, is_large, packing, set_hash, take, take_claimed
from lzsyncd.learning.writing import write_learning
from lzsyncd.ledger import planned, runs, waiting
from lzsyncd.ledger.learning import total, write_tallies
from lzsyncd.ledger.runs import iso
from lzsyncd.ledger.status import Status
from lzsyncd.progress import Progress, Silent
from lzsyncd.report.after import finish_interrupted
from lzsyncd.report.notices import tell_of_run
from lzsyncd.sync.apply import apply
from lzsyncd.sync.compare import Comparison
from lzsyncd.sync.ending import Result, describe, exit_code, they_are
from lzsyncd.sync.folder import find_sets
from lzsyncd.sync.going import find_going
from lzsyncd.sync.guarding import Guarding
from lzsyncd.sync.holds import Approval, Hold, Question, is_held
from lzsyncd.sync.match import match
from lzsyncd.sync.picture import Picture
from lzsyncd.sync.plan import Plan, make_plan
from lzsyncd.sync.preview import Preview, preview
from lzsyncd.sync.reporting import report
from lzsyncd.sync.rounds import settle
from lzsyncd.sync.superseded import end_superseded
from lzsyncd.zone.database import MANY, Database, fault, opened
from lzsyncd.zone.images import Images


def clock() -> datetime:
    """The time, aware. The one place that asks for it."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Options:
    """How a run is made.

    Attributes:
        dry_run: make the plan and roll it back.
        apply: False: check a claimed set, which then waits for its slot.
        only: the elements to look at, None for all; the others' files wait for a schedule of their own.
        trigger: who asked: `command`, `arrival`, `slot`, `page`.
        slot: the name of the slot at which it runs, None for none.
        shown: how many changes of each element a dry run shows; 0 for all, None for none.
        source: the run whose file it is, where an element has a schedule of its own, "" where it has its own files.
        progress: who watches.
        clock: gives the time.
    """

    dry_run: bool = False
    apply: bool = True
    only: frozenset[Element] | None = None
    trigger: str = "command"
    slot: str | None = None
    shown: int | None = None
    source: str = ""
    progress: Progress = field(default_factory=Silent)
    clock: Callable[[], datetime] = clock


def sync_folder(site: Site, folder: Path, options: Options) -> list[Result]:
    """Sync the sets of a folder, which stays as it is: the full set, then mended reject files.

    Raises:
        Usage: there is no such folder.
        NoSet: it has no set.
        TryAgain: another run holds the site, or the database is away.
        DiskFull: there is no room; nothing of the set was applied.
        NotPermitted: something may not be read or written; nothing of the set was applied.
        Unfinished: it was decided what becomes of the set, but archive or report could not be written.
    """
    sets = find_sets(site, folder)
    with opened(site) as database:
        first = runs.new_run_id(options.clock())
        database.lock(first)
        finish_interrupted(database, site)
        results = []
        for number, file_set in enumerate(sets):
            run_id = first if not number else runs.new_run_id(options.clock())
            results.append(Run(database, site, run_id, options).sync(file_set))
        if not options.dry_run:
            list(end_superseded(database, site))  # what waited, or was held, has a newer one
        return results


class Run:
    """One attempt to sync one set."""

    def __init__(
        self, database: Database, site: Site, run_id: str, options: Options, approval: Approval | None = None
    ) -> None:
        self.database, self.site, self.run_id, self.options = database, site, run_id, options
        self.approval = approval
        self.spool = site.folder / "spool" / run_id
        self.findings = FindingStore(database)

    def sync(self, file_set: FileSet) -> Result:
        """Take the set, make the plan, apply it, report. Without a file in it the rules alone are asked."""
        kind = "dry-run" if self.options.dry_run else "sync"
        options = self.options
        runs.start(self.database, self.run_id, kind=kind, trigger=options.trigger, now=self._now(), slot=options.slot)
        return self._go(file_set, lambda: take(file_set, self.spool, self.site.max_file_size) if file_set.files else [])

    def go_on(self, order: Order) -> Result:
        """Go on with a set that was claimed from the inbox; its run is in the ledger."""
        folder = self.spool / CLAIMED
        file_set = FileSet({e: folder / judged.name for e, judged in order.files.items()}, order.mended)

        def taken() -> list[Taken]:
            found = take_claimed(file_set, self.spool, self.site.max_file_size, self.database.fence)
            return as_judged(confirmed(found, [folder / marker.name for marker in order.markers]), order)

        return self._go(file_set, taken)

    def hold(self, message: str, finding: Finding) -> None:
        """Hold a set that was not read, with the reason."""
        with self.database.transaction():
            self.findings.create_table()
            self.findings.add(finding)
            self.findings.flush()
            self.findings.write(self.run_id, self._now())
            runs.finish(self.database, self.run_id, Status.HELD, self._now(), message=message)
            tell_of_run(self.database, self.site, self.run_id, self._now())

    def _go(self, file_set: FileSet, taking: Callable[[], list[Taken]]) -> Result:
        options, database = self.options, self.database
        try:
            options.progress.stage("take")
            taken = taking()
            runs.move(database, self.run_id, Status.CHECKING)
            kept = options.apply and not options.dry_run
            whole = [file.path for file in taken if file.finding is None and kept]
            with packing(whole), database.filled() if is_large(taken) else nullcontext(), database.transaction():
                result = self._in_transaction(file_set, taken)
        except Exception as error:
            self._fail(error)
            raise
        with database.brake.held():
            options.progress.stage("report")
            report(database, self.site, result)
        return result

    def _now(self) -> str:
        return iso(self.options.clock())

    def _in_transaction(self, file_set: FileSet, taken: list[Taken]) -> Result:
        # the history of a first load is written from reading on; on PostgreSQL nobody can look at it meanwhile
        with self.database.indexes_last("sync_change", MANY if is_large(taken) else 0):
            picture = self._read(taken)
            missing = self._missing(file_set, picture)
            guarding = Guarding(picture, self.site.guard)
            plan = None if self.findings.fatal() else self._plan(picture, guarding)
        hold = self._hold(plan, taken, missing, guarding)
        status = self._decide(plan, file_set, held=hold is not None)
        if plan is not None and status in (Status.APPLIED, Status.UNCHANGED):
            self.options.progress.stage("apply")
            images = Images(self.database, self.run_id)
            apply(picture, images)
            write_learning(picture, plan.learning, self.run_id, images)
            images.write()
        shown = None
        if status not in (Status.APPLIED, Status.UNCHANGED):
            waits = status is Status.HELD or (status is Status.CHECKED and not self.options.dry_run)
            shown = self._put_by(picture, plan, keep=waits)
        guarding.write(self.run_id)
        return replace(self._record(status, picture, plan, taken, hold), preview=shown)

    def _put_by(self, picture: Picture, plan: Plan | None, *, keep: bool) -> Preview | None:
        """What is not applied is not history; a dry run shows some of it."""
        limit = self.options.shown
        shown = None if limit is None or plan is None else preview(picture, plan, self.site.guard, self.run_id, limit)
        planned.put_by(self.database, self.run_id, keep=keep)
        return shown

    def _plan(self, picture: Picture, guarding: Guarding) -> Plan:
        self.options.progress.stage("check")
        match(picture)
        find_going(picture)
        settle(picture, guarding.withhold_removals)
        self.options.progress.stage("plan")
        plan = make_plan(picture, self.run_id, everybody=bool(self.options.slot))
        guarding.judge(plan)
        return plan

    def _read(self, taken: list[Taken]) -> Picture:
        """Every file into staging; the files that can't be read into findings."""
        self.options.progress.stage("read")
        runs.forget_findings(self.database, self.run_id, [e for e in Element if self._looks_at(e)])
        self.findings.create_table()
        files = {file.element: file for file in taken if self._looks_at(file.element)}
        moment = self.options.clock()
        staged = {e: self._stage(e, files.get(e)) for e in Element}
        for e, file in files.items():
            if staged[e].usable and (finding := not_as_counted(file, staged[e].records)):
                self.findings.add(finding)
        self.findings.flush()
        today = moment.astimezone(self.site.timezone).date().isoformat()
        return Picture(self.database, staged, self.findings, self.options.progress, iso(moment), today)

    def _looks_at(self, e: Element) -> bool:
        return self.options.only is None or e in self.options.only

    def _stage(self, e: Element, file: Taken | None) -> Staged:
        stager = Stager(
            self.database, self.site, e, self.site.element(e), self.findings, self.options.progress, self.run_id
        )
        if file is None:
            return stager.absent()
        if file.finding is not None:
            self.findings.add(file.finding)
            self.findings.flush()
            return stager.absent()
        wide = not self.database.value(f"SELECT 1 FROM lz_{e} WHERE managed LIMIT 1")
        if wide:
            return stager.read(file.path, file.name, wide=True)
        picture = Picture(self.database, {e: stager.staged}, self.findings, self.options.progress, "", "")
        comparison = Comparison(picture, stager.staged)
        staged = stager.read(file.path, file.name, wide=False, loaded=comparison.go_on)
        if staged.usable:
            comparison.finish()
        return staged

    def _missing(self, file_set: FileSet, picture: Picture) -> list[str]:
        """Files of enabled elements that the set does not have; a mended file needs no companions."""
        if file_set.mended or all(picture.staged[e].mended for e in file_set.files):
            return []
        wanted = [e for e in Element if self.site.element(e).enabled and self._looks_at(e)]
        missing = [e.file_name for e in wanted if e not in file_set.files]
        if missing:
            severity = "fatal" if self.site.incomplete == "reject" else "warning"
            self.findings.add(Finding("set.incomplete", detail=they_are(missing)), severity=severity)
            self.findings.flush()
        return missing

    def _hold(self, plan: Plan | None, taken: list[Taken], missing: list[str], guarding: Guarding) -> Hold | None:
        """Why the set waits for a person, or would when its turn comes; None when it does not."""
        if plan is None:
            return None
        incomplete = missing if self.site.incomplete == "hold" else []
        asked = Question(set_hash(taken), plan.digest, plan.changed, bool(incomplete), bool(guarding.breaches))
        if not is_held(asked, self.approval):
            return None
        other = self.approval is not None and self.approval.is_of_a_plan
        number = guarding.compare_with_approved(self.run_id) if other else 0
        return Hold(incomplete, guarding.breaches, self.approval, plan.counts, number)

    def _decide(self, plan: Plan | None, file_set: FileSet, *, held: bool) -> Status:
        if plan is None:
            return Status.REJECTED
        if self.options.dry_run or not self.options.apply:
            return Status.CHECKED
        if held:  # of rules alone nobody can approve: nothing is applied, and the next set is held
            return Status.HELD if file_set.files else Status.REJECTED
        return Status.APPLIED if plan.changed else Status.UNCHANGED

    def _record(
        self,
        status: Status,
        picture: Picture,
        plan: Plan | None,
        taken: list[Taken],
        hold: Hold | None,
    ) -> Result:
        """The run's own rows, in the transaction that they tell of."""
        now, digest = self._now(), set_hash(taken) if taken else ""
        plan_hash = plan.digest if plan else ""
        counts = {e: numbers.as_dict() for e, numbers in plan.counts.items()} if plan else {}
        self.findings.write(self.run_id, now)
        runs.write_counts(self.database, self.run_id, counts.items())
        learning = plan.learning.tallies if plan else []
        write_tallies(self.database, self.run_id, learning)
        self._write_files(picture, taken, status)
        message = ""
        if hold:
            message = hold.told(self.run_id, self.site.guard, now, is_held=status is Status.HELD)
        runs.finish(self.database, self.run_id, status, now, set_hash=digest, plan_hash=plan_hash, message=message)
        tell_of_run(self.database, self.site, self.run_id, now)
        found = self.findings.counted()
        return Result(
            self.run_id,
            status,
            digest,
            plan_hash,
            {str(e): numbers for e, numbers in counts.items()},
            found,
            exit_code(status, found, held=hold is not None),
            total(learning),
        )

    def _write_files(self, picture: Picture, taken: list[Taken], status: Status) -> None:
        known = self.database.rows("SELECT element FROM sync_file WHERE run_id = ?", (self.run_id,))
        for file in taken:
            if (file.element,) in known:
                continue  # it was checked on arrival, and waits for a schedule of its own
            staged = picture.staged[file.element]
            decided = self.run_id if status is not Status.CHECKED and self._looks_at(file.element) else None
            told = (file.name, file.size, file.sha256, staged.records, staged.header_json, decided)
            runs.write_file(self.database, self.run_id, file.element, *told)
            if self.options.source:
                waiting.take_file(self.database, self.options.source, file.element, self.run_id)

    def _fail(self, error: Exception) -> None:
        """Say that the run failed, where that can still be said.

        Raises:
            DiskFull: that is why.
            NotPermitted: that is why.
        """
        told = fault(self.site, error)
        try:
            status = Status.INTERRUPTED if isinstance(error, Interrupted) else Status.FAILED
            with self.database.brake.held(), self.database.transaction():
                runs.finish(self.database, self.run_id, status, self._now(), message=describe(told or error))
                if not self.database.is_away(error):  # it goes on by itself
                    tell_of_run(self.database, self.site, self.run_id, self._now())
        except Exception as second:
            if not self.database.is_away(second) and fault(self.site, second) is None:
                raise error from second
        if told is not None:
            raise type(told)(f"{told} Nothing of run {self.run_id} was applied.") from error
