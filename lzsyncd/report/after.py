"""After the commit: archive, outbox, spool swept. Driven by the ledger, and safe to do again after a kill."""

import os
import shutil
from pathlib import Path

from lzsyncd.config import Site
from lzsyncd.errors import DiskFull, NotPermitted, writing
from lzsyncd.feed.elements import Element
from lzsyncd.intake.claim import CLAIMED, ORDER, SWEPT, Judged, Order, order_in, write_order
from lzsyncd.intake.confirm import is_plain
from lzsyncd.intake.spool import archive, sync_folder
from lzsyncd.ledger import planned
from lzsyncd.ledger.queries import RunSummary, summary
from lzsyncd.ledger.runs import interrupted
from lzsyncd.ledger.waiting import is_mended
from lzsyncd.report.outbox import write_outbox
from lzsyncd.zone.database import Database

WAITING = ("checked", "held")
WAITS = "waits.json"  # in the spool of a set that waits in the inbox: what it has
NOT_READ = ("superseded", "discarded")  # perhaps before anything of it was taken
SILENT = ("claimed", "checking", "applying", "interrupted", "failed")  # nothing was decided: nothing to tell


def after_commit(database: Database, site: Site, run_id: str) -> None:
    """Archive the inputs, write the outbox, sweep the spool, in this order: the spool goes last.

    Raises:
        DiskFull: there is no room for it.
        NotPermitted: a folder may not be written. In either case calling it again makes up for it.
    """
    spool = site.folder / "spool" / run_id
    told = summary(database, run_id)
    if told.status not in (*SILENT, *WAITING):
        planned.forget(database, run_id)
    order = order_in(spool)
    if order is not None and told.status in SILENT:
        return  # it goes on later, with what was claimed
    if told.kind != "dry-run" and told.status not in SILENT and spool.is_dir():
        names = {e: judged.name for e, judged in order.files.items()} if order else {}
        names |= {Element(file["element"]): file["name"] for file in told.files}
        files = {e: spool / name for e, name in names.items() if _is_whole(spool, name)}
        waits = told.status in WAITING
        database.fence()
        if waits and order is None and files:
            _keep_for_a_person(site, told, spool, files)
        if not waits:
            paths = [*files.values(), *_uncopied(spool, order, read=told.status not in NOT_READ)]
            _keep(site, run_id, paths, [path for path in _claimed(spool, order) if path not in paths])
        with writing(site.outbox):
            write_outbox(database, site, run_id, files)
        if waits:
            return
    database.fence()
    with writing(spool):
        sweep(spool)


def _keep_for_a_person(site: Site, told: RunSummary, spool: Path, files: dict[Element, Path]) -> None:
    """A set that did not come by the inbox is held: it waits as if it had. Nobody else keeps it, so it is archived."""
    with writing(archive_folder(site, told.run)):
        archive([*files.values()], archive_folder(site, told.run))
    judged = {e: Judged(path.name, 0, path.stat().st_size, 0) for e, path in files.items()}
    with writing(spool):
        write_order(spool, Order(judged, mended=is_mended(told.files)))


def _uncopied(spool: Path, order: Order | None, *, read: bool) -> list[Path]:
    """What is kept as it was claimed: markers, and the files of a set that nobody has read."""
    judged = () if order is None else order.markers if read else order.names
    return [path for path in (spool / CLAIMED / one.name for one in judged) if is_plain(path)]


def _is_whole(spool: Path, name: str) -> bool:
    """Whether the copy of a file is one: what is still in `claimed/` could not be taken."""
    return (spool / name).is_file() and not os.path.lexists(spool / CLAIMED / name)


def _claimed(spool: Path, order: Order | None) -> list[Path]:
    """What came from the inbox and is still in `claimed/`: beside it may lie what a killed run has packed of it."""
    paths = [spool / CLAIMED / judged.name for judged in order.names] if order else []
    return [path for path in paths if os.path.lexists(path)]


def _keep(site: Site, run_id: str, paths: list[Path], left: list[Path]) -> None:
    """Files and markers go to the archive; what could not be taken goes to quarantine as it is."""
    if paths:
        with writing(archive_folder(site, run_id)):
            archive(paths, archive_folder(site, run_id))
    if left:
        quarantine(site, run_id, left, "This could not be taken; the report of the run says why.")


def quarantine(site: Site, run_id: str, paths: list[Path], reason: str) -> Path:
    """Put files aside where nothing takes them again, with the reason for people."""
    folder = site.folder / "quarantine" / run_id
    with writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "REASON.txt").write_text(f"{reason}\n")
        for path in paths:
            path.rename(folder / path.name)
        sync_folder(folder)
        sync_folder(folder.parent)
    return folder


def put_aside(site: Site, run_id: str, reason: str) -> None:
    """Put all that came from the inbox, whatever it is, from a run's spool to quarantine; the spool goes.

    Of a file that is still in `claimed/` the copy beside it may be half of one.
    """
    spool = site.folder / "spool" / run_id
    order = order_in(spool)
    claimed = _claimed(spool, order)
    copies = [spool / judged.name for judged in order.names] if order else []
    still = {path.name for path in claimed}
    quarantine(site, run_id, [*claimed, *(p for p in copies if p.name not in still and is_plain(p))], reason)
    with writing(spool):
        sweep(spool)


def sweep(spool: Path) -> None:
    """Remove a run's spool. Renamed first: half a spool would make the next run tell half a story."""
    if spool.is_dir():
        done = spool.with_name(f".{spool.name}{SWEPT}")
        spool.rename(done)
        shutil.rmtree(done, ignore_errors=True)


def archive_folder(site: Site, run_id: str) -> Path:
    """Where the inputs of a run are kept: `archive/YYYY/MM/RUN`."""
    return site.folder / "archive" / run_id[:4] / run_id[4:6] / run_id


def finish_interrupted(database: Database, site: Site) -> None:
    """What a run that was killed left to do. The caller holds the site's lock.

    Raises:
        DiskFull: there is still no room for it.
        NotPermitted: a folder may still not be written.
    """
    interrupted(database)
    spool = site.folder / "spool"
    with writing(spool):
        left = sorted(spool.iterdir()) if spool.is_dir() else []
    known = {str(row[0]) for row in database.rows("SELECT id FROM sync_run")} if left else set()
    for folder in left:
        if folder.name in known:
            _finish(database, site, folder.name)
        elif (folder / ORDER).exists() and not folder.name.endswith(SWEPT):
            # a ledger that was restored from a copy does not know it
            put_aside(site, folder.name, "The ledger knows nothing of this set.")
        elif folder.name.endswith(SWEPT):
            with writing(folder):  # the daemon comes until it is gone: it must hear of what is in its way
                shutil.rmtree(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _finish(database: Database, site: Site, run_id: str) -> None:
    stays = any((site.folder / "spool" / run_id / name).exists() for name in (ORDER, WAITS))
    if stays and summary(database, run_id).status in WAITING and (site.outbox / run_id).is_dir():
        return  # it waits, and was told of
    try:
        after_commit(database, site, run_id)
    except (DiskFull, NotPermitted) as error:
        waits = f"Run {run_id} waits for its archive or report; until then nothing else is synced."
        raise type(error)(f"{error} {waits}") from error
