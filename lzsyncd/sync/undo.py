"""Take the latest applied run of a site back, exactly and in one transaction, as a run of its own (law 9).

What the run changed gets its before-image back, what it made goes, what it removed comes back under its old id.
Whatever else was edited since stays. The undo keeps images of its own, so that it can be undone in the same way.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lzsyncd.config import Site
from lzsyncd.errors import ExitCode, Usage, writing
from lzsyncd.feed.elements import Element
from lzsyncd.intake.spool import make_folder
from lzsyncd.ledger import runs
from lzsyncd.ledger.queries import COUNT_COLUMNS, summary
from lzsyncd.ledger.runs import iso
from lzsyncd.ledger.status import Status
from lzsyncd.sync.ending import Result
from lzsyncd.sync.obstacles import LISTED, Obstacle, list_made, obstacles
from lzsyncd.sync.reporting import report
from lzsyncd.sync.restore import restore
from lzsyncd.sync.run import Options
from lzsyncd.zone.database import Database
from lzsyncd.zone.images import Images

INVERSE = {"created": "removed", "updated": "updated", "revived": "removed", "removed": "revived"}
UNDONE_BY = "Taken back by run {}."


class Ending(StrEnum):
    """What came of asking for an undo."""

    DONE = "applied"
    POSSIBLE = "checked"
    REFUSED = "refused"


@dataclass(frozen=True)
class Undo:
    """What came of asking for an undo.

    Attributes:
        undoes: the run that was to be taken back.
        ending: done, possible (a dry run), or refused.
        run: the run of the undo itself, "" where nothing was done.
        counts: what is taken back, by element, as in `sync_count`.
        in_the_way: the records because of which it was refused.
    """

    undoes: str
    ending: Ending
    run: str = ""
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    in_the_way: tuple[Obstacle, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """What the command tells its caller."""
        return ExitCode.USAGE if self.ending is Ending.REFUSED else ExitCode.CLEAN

    @property
    def message(self) -> str:
        """What came of it, without a value of the site."""
        if self.ending is Ending.DONE:
            return f"Run {self.undoes} was taken back."
        if self.ending is Ending.POSSIBLE:
            return f"Run {self.undoes} can be taken back. Nothing was changed."
        more = "or more " if len(self.in_the_way) >= LISTED else ""
        number = f"{len(self.in_the_way):,} {more}" + ("thing stands" if len(self.in_the_way) == 1 else "things stand")
        return f"Run {self.undoes} can't be taken back: {number} in the way. Nothing was changed."

    @property
    def result(self) -> Result:
        """For the log."""
        return Result(self.run, Status.APPLIED, counts=self.counts)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "run": self.run,
            "undoes": self.undoes,
            "status": str(self.ending),
            "message": self.message,
            "counts": self.counts,
            "in_the_way": [obstacle.as_dict() for obstacle in self.in_the_way],
        }


def possible(database: Database, run_id: str, options: Options) -> Undo:
    """What taking a run back would take back, or what stands in the way. Nothing is changed, and no lock is needed.

    Raises:
        Usage: the run can't be taken back: it changed nothing, was taken back already, or later ones stand in the way.
    """
    with database.transaction(looking=True):
        return _look(database, run_id, options)


def take_back(database: Database, site: Site, run_id: str, options: Options) -> Undo:
    """Take a run back. The caller holds the site's lock, and has finished what was interrupted.

    Raises:
        Usage: as for `possible`.
        Unfinished: it was taken back, but the report could not be written.
        DiskFull: there is no room; nothing was taken back. So with NotPermitted, TryAgain, Interrupted.
    """
    done = _try(database, run_id, options)
    if done.ending is Ending.DONE:
        options.progress.stage("report")
        report(database, site, done.result)
    return done


def _try(database: Database, run_id: str, options: Options) -> Undo:
    moment = options.clock()
    try:
        with database.transaction():
            return _in_transaction(database, run_id, runs.new_run_id(moment), options, iso(moment))
    except _InTheWay as end:
        return end.undo


class _InTheWay(Exception):
    """Ends the transaction: something stands in the way."""

    def __init__(self, undo: Undo) -> None:
        self.undo = undo


def _in_transaction(database: Database, run_id: str, own: str, options: Options, started: str) -> Undo:
    found = _look(database, run_id, options)
    if found.ending is Ending.REFUSED:
        raise _InTheWay(found)
    counts = found.counts
    spool = database.site.folder / "spool" / own
    with writing(spool):
        make_folder(spool)  # as long as it is there, the report is still to be written
    options.progress.stage("undo")
    images = Images(database, own)
    restore(images, run_id)
    images.write()
    _write_history(database, run_id, own)
    _write_run(database, run_id, own, options, started, counts)
    return Undo(run_id, Ending.DONE, own, counts)


# -- may it be taken back?


def _look(database: Database, run_id: str, options: Options) -> Undo:
    """Whether a run can be taken back; `unmade_TABLE` lists what it has made."""
    kind = refuse_what_is_not_the_latest(database, run_id)
    options.progress.stage("check")
    list_made(database, run_id, kind)
    if found := obstacles(database, run_id, kind):
        return Undo(run_id, Ending.REFUSED, in_the_way=tuple(found))
    return Undo(run_id, Ending.POSSIBLE, counts=taken_back(database, run_id, kind))


def refuse_what_is_not_the_latest(database: Database, run_id: str) -> str:
    """The kind of a run that is the latest applied one of its site.

    Raises:
        Usage: it is not, with what stands in the way.
    """
    told = summary(database, run_id)
    if told.status == Status.UNDONE:
        by = undone_by(database, run_id)
        raise Usage(f"Run {run_id} was taken back already, by run {by}. Undo that one to bring it back.")
    if told.kind == "dry-run" or told.status != Status.APPLIED:
        what = "was a dry run" if told.kind == "dry-run" else f"is {told.status}"
        raise Usage(f"Run {run_id} {what}: it changed nothing, so there is nothing to take back.")
    if later := _later(database, run_id):
        which = ", ".join(later)
        raise Usage(f"Run {run_id} is not the latest applied one. First take back what came after it: {which}.")
    if told.pruned_at or not database.value(  # of a marked run there may be half of it
        "SELECT 1 FROM sync_image WHERE run_id = ? UNION ALL SELECT 1 FROM sync_made WHERE run_id = ? LIMIT 1",
        (run_id, run_id),
    ):
        raise Usage(f"What was there before run {run_id} is not kept any more, so it can't be taken back.")
    return told.kind


def undone_by(database: Database, run_id: str) -> str:
    """The run that has taken a run back, "" for none."""
    query = "SELECT max(id) FROM sync_run WHERE undoes = ? AND kind = 'undo' AND status = 'applied'"
    return str(database.value(query, (run_id,)) or "")


def _later(database: Database, run_id: str) -> list[str]:
    """The applied runs after a run, newest first; an undo is none where what it took back came after that run, too."""
    found = database.rows(
        "SELECT r.id FROM sync_run x JOIN sync_run r ON (r.finished_at, r.id) > (x.finished_at, x.id) "
        "LEFT JOIN sync_run t ON t.id = r.undoes AND (t.finished_at, t.id) > (x.finished_at, x.id) "
        "WHERE x.id = ? AND r.kind IN ('sync', 'undo') AND r.status = 'applied' AND t.id IS NULL "
        "ORDER BY r.finished_at DESC, r.id DESC",
        (run_id,),
    )
    return [str(later) for (later,) in found]


# -- the ledger


def _write_history(database: Database, run_id: str, own: str) -> None:
    """What happens to each record: the run's changes, the other way round. No file says so."""
    inverse = " ".join(f"WHEN '{action}' THEN '{other}'" for action, other in INVERSE.items())
    number = int(database.value("SELECT count(*) FROM sync_change WHERE run_id = ?", (run_id,)))
    with database.indexes_last("sync_change", number):
        database.run(
            "INSERT INTO sync_change (run_id, element, idnumber, action, before, after) "
            f"SELECT '{own}', element, idnumber, CASE action {inverse} END, after, before FROM sync_change "
            f"WHERE run_id = '{run_id}' ORDER BY id"
        )
    database.run(
        "INSERT INTO sync_member (run_id, audience_id, idnumber, action, reason) "
        f"SELECT '{own}', audience_id, idnumber, CASE action WHEN 'joined' THEN 'left' ELSE 'joined' END, "
        f"'undo of run {run_id}' FROM sync_member WHERE run_id = '{run_id}'"
    )
    names = 'audience_id, name, joined, "left", assigned, unassigned'
    database.run(
        f"INSERT INTO sync_audience (run_id, {names}) SELECT '{own}', {names} FROM sync_audience "
        f"WHERE run_id = '{run_id}'"
    )


def taken_back(database: Database, run_id: str, kind: str) -> dict[str, dict[str, int]]:
    """What an undo takes back: how many records the run created, updated, revived, removed. It reads nothing.

    The history has a row for each of them, which the run has checked (`sync/plan.py`): a million need no counting. An
    undo counts what it took back, and did the inverse.
    """
    counts: dict[str, dict[str, int]] = {}
    for e, *numbers in database.rows(
        f"SELECT element, {', '.join(INVERSE)} FROM sync_count WHERE run_id = ? ORDER BY element", (run_id,)
    ):
        counts[str(e)] = dict.fromkeys(COUNT_COLUMNS, 0)
        for action, number in zip(INVERSE, numbers, strict=True):
            counts[str(e)][INVERSE[action] if kind == "undo" else action] += int(number)
    return counts


def _write_run(
    database: Database, run_id: str, own: str, options: Options, started: str, counts: dict[str, dict[str, int]]
) -> None:
    """The undo is a run; what it took back is undone, and what that had undone is applied again."""
    now = iso(options.clock())
    database.run(
        'INSERT INTO sync_run (id, kind, "trigger", status, created_at, started_at, finished_at, message, undoes) '
        "VALUES (?, 'undo', ?, ?, ?, ?, ?, ?, ?)",
        (own, options.trigger, Status.APPLIED, started, started, now, f"Run {run_id} was taken back.", run_id),
    )
    runs.write_counts(database, own, ((Element(e), numbers) for e, numbers in counts.items()))
    _say_what_stands(database, run_id, own)


def _say_what_stands(database: Database, run_id: str, own: str) -> None:
    """What was taken back is undone, what that had undone is applied again, and so on down the chain."""
    say = "UPDATE sync_run SET status = ?, message = ? WHERE id = ?"
    taken, by = run_id, own
    while taken:
        database.run(say, (Status.UNDONE, UNDONE_BY.format(by), taken))
        again = _undoes(database, taken)
        if again:
            message = f"Taken back by run {taken}, brought back by run {own}."
            database.run(say, (Status.APPLIED, message, again))
        taken, by = _undoes(database, again), again


def _undoes(database: Database, run_id: str) -> str:
    """The run that a run took back, "" for none."""
    return str(database.value("SELECT undoes FROM sync_run WHERE id = ?", (run_id,)) or "")
