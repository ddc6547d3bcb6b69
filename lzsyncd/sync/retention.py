"""Retention: what is older than a site's `retention` goes, but not what somebody still needs (LIFECYCLE).

A run goes as a whole: its inputs in the archive, its report in the outbox, its findings, its history. The books stay:
that it was, how it ended, its counts and files. It is marked before anything of it is deleted, so that what is still
there after a kill is taken for what it is, and deleted the next time.
"""

import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lzsyncd.config import Site
from lzsyncd.errors import Interrupted, writing
from lzsyncd.feed.elements import Element
from lzsyncd.ledger import aged, requests
from lzsyncd.ledger.runs import iso, new_run_id
from lzsyncd.sync.ending import translate
from lzsyncd.sync.newest import files_left, newest_file
from lzsyncd.sync.run import Options
from lzsyncd.zone.database import Database

if TYPE_CHECKING:
    from lzsyncd.sync.arrivals import Arrivals

RUN_FOLDER = re.compile(r"\d{8}T\d{9}-[0-9a-f]{8}")  # what `new_run_id` gives; others' folders are theirs
GOING = re.compile(rf"\.{RUN_FOLDER.pattern}\.gone")


@dataclass(frozen=True)
class Pruned:
    """What went, or would go.

    Attributes:
        before: runs that ended before this went.
        runs: how many of them had not gone before.
        archives: folders of the archive.
        reports: folders of the outbox.
        bytes: of the files in both.
        rows: of the ledger, by kind.
    """

    before: str
    runs: int
    archives: int
    reports: int
    bytes: int
    rows: dict[str, int]

    @property
    def is_something(self) -> bool:
        """Whether anything went."""
        return bool(self.runs or self.archives or self.reports or any(self.rows.values()))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def prune(database: Database, site: Site, options: Options) -> Pruned:
    """Delete what is older than the site's retention; with `options.dry_run` only count it.

    The caller holds the site's lock, unless it only counts. Breaking it off does no harm: doing it again goes on.

    Raises:
        NotPermitted: a folder may not be removed.
        Interrupted: the program was told to end.
    """
    now = options.clock()
    before = now - timedelta(seconds=site.retention)
    keep = _kept(database, site)
    runs = [run for run in aged.ended_before(database, iso(before)) if run not in keep]
    known = aged.marked(database)
    if runs and not options.dry_run:
        aged.mark(database, runs, iso(now))
    gone = {run for run, is_marked in known.items() if is_marked} | {*runs}
    first = new_run_id(before)  # a ledger restored from a copy does not know every folder: their names tell their age
    going = gone | {name for name in _named(site) - known.keys() - keep if name < first}
    archives = _remove(_archives(site), going, options)
    reports = _remove(_reports(site), going, options)
    rows = aged.count(database, sorted(gone)) if options.dry_run else aged.forget(database, lambda: _step(options))
    return Pruned(iso(before), len(runs), archives[0], reports[0], archives[1] + reports[1], rows)


def keep_to_retention(arrivals: "Arrivals") -> None:
    """Prune after the work that matters: what goes wrong with it is told, and tried again after the next slot.

    Raises:
        Interrupted: the program was told to end.
    """
    try:
        done = prune(arrivals.database, arrivals.site, arrivals.options)
    except Exception as error:
        if isinstance(translate(error), Interrupted):
            raise
        arrivals.log.not_pruned(error)
    else:
        if done.is_something:
            arrivals.log.pruned(done.archives, done.reports, done.bytes, sum(done.rows.values()))


# -- what stays


def _kept(database: Database, site: Site) -> set[str]:
    """Runs of which nothing goes, however old they are."""
    spool = site.folder / "spool"
    in_work = {path.name for path in spool.iterdir()} if spool.is_dir() else set()
    asked = {request.run for request in requests.unfinished(database)}
    return in_work | asked | aged.undoable(database) | aged.last_good(database) | {*_needed_files(database, site)}


def _needed_files(database: Database, site: Site) -> Iterator[str]:
    """The sets from whose files an element with a schedule of its own is, or would be, applied."""
    for e in Element:
        newest = newest_file(database, site, e, lambda _: True)
        if newest is not None:
            yield newest.run
        if site.element(e).schedule is not None and not site.element(e).contains_all_records:
            yield from (found.run for found in files_left(database, site, e))


# -- folders


def _archives(site: Site) -> list[Path]:
    return [*(site.folder / "archive").glob("[0-9]*/[0-9]*/*")]


def _reports(site: Site) -> list[Path]:
    return [*site.outbox.glob("*")]


def _named(site: Site) -> set[str]:
    return {path.name for path in (*_archives(site), *_reports(site)) if RUN_FOLDER.fullmatch(path.name)}


def _remove(folders: list[Path], going: set[str], options: Options) -> tuple[int, int]:
    """Remove those of these folders that go, or only look at them; returns how many, and their files' bytes."""
    number, size = 0, 0
    for folder in folders:
        is_left = GOING.fullmatch(folder.name) is not None
        if not (folder.name in going or is_left) or not folder.is_dir() or folder.is_symlink():
            continue
        _step(options)
        number += 1
        size += sum(path.lstat().st_size for path in folder.iterdir())
        if not options.dry_run:
            with writing(folder.parent):
                _remove_whole(folder, is_left=is_left)
    return number, size


def _remove_whole(folder: Path, *, is_left: bool) -> None:
    """Renamed first: half a set, or half a report, is never seen."""
    hidden = folder if is_left else folder.with_name(f".{folder.name}.gone")
    if not is_left:
        shutil.rmtree(hidden, ignore_errors=True)
        folder.rename(hidden)
    shutil.rmtree(hidden)


def _step(options: Options) -> None:
    options.progress.stage("prune")
