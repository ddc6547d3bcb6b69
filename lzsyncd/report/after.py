"""After the commit: archive, outbox, spool swept. Driven by the ledger, and safe to do again after a kill."""

import shutil
from pathlib import Path

from lzsyncd.config import Site
from lzsyncd.errors import DiskFull, NotPermitted, writing
from lzsyncd.feed.elements import Element
from lzsyncd.intake.claim import CLAIMED, Order, order_in
from lzsyncd.intake.spool import archive, sync_folder
from lzsyncd.ledger.queries import summary
from lzsyncd.ledger.runs import interrupted
from lzsyncd.report.outbox import write_outbox
from lzsyncd.zone.database import Database

WAITING = ("checked", "held")
SILENT = ("claimed", "checking", "applying", "interrupted", "failed")  # nothing was decided: nothing to tell


def after_commit(database: Database, site: Site, run_id: str) -> None:
    """Archive the inputs, write the outbox, sweep the spool, in this order: the spool goes last.

    Raises:
        DiskFull: there is no room for it.
        NotPermitted: a folder may not be written. In either case calling it again makes up for it.
    """
    spool = site.folder / "spool" / run_id
    told = summary(database, run_id)
    order = order_in(spool)
    if order is not None and told.status in SILENT:
        return  # it goes on later, with what was claimed
    if told.kind == "sync" and told.status not in SILENT and spool.is_dir():
        files = {Element(file["element"]): spool / file["name"] for file in told.files}
        files = {e: path for e, path in files.items() if path.is_file()}
        waits = told.status in WAITING and (order is not None or not files)
        if not waits:
            _keep(site, run_id, spool, order, list(files.values()))
        with writing(site.outbox):
            write_outbox(database, site, run_id, files)
        if waits:
            return
    with writing(spool):
        _sweep(spool)


def _keep(site: Site, run_id: str, spool: Path, order: Order | None, paths: list[Path]) -> None:
    """Files and markers go to the archive; what could not be taken goes to quarantine as it is."""
    markers = [spool / CLAIMED / marker.name for marker in order.markers] if order else []
    with writing(archive_folder(site, run_id)):
        archive([*paths, *filter(Path.is_file, markers)], archive_folder(site, run_id))
    left = [path for path in (spool / CLAIMED).glob("*") if path not in markers]
    if left:
        quarantine(site, run_id, left, "This could not be taken; the report of the run says why.")


def quarantine(site: Site, run_id: str, paths: list[Path], reason: str) -> Path:
    """Put files aside where nothing takes them again, with the reason for people."""
    folder = site.folder / "quarantine" / run_id
    with writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in paths:
            path.rename(folder / path.name)
        (folder / "REASON.txt").write_text(f"{reason}\n")
        sync_folder(folder)
    return folder


def _sweep(spool: Path) -> None:
    """Remove a run's spool. Renamed first: half a spool would make the next run tell half a story."""
    if spool.is_dir():
        done = spool.with_name(f".{spool.name}.done")
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
        elif order_in(folder) is not None:  # a ledger that was restored from a copy does not know it
            quarantine(site, folder.name, [folder / CLAIMED], "The ledger knows nothing of this set.")
            shutil.rmtree(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _finish(database: Database, site: Site, run_id: str) -> None:
    if summary(database, run_id).status in WAITING and (site.outbox / run_id).is_dir():
        return  # it waits, and was told of
    try:
        after_commit(database, site, run_id)
    except (DiskFull, NotPermitted) as error:
        waits = f"Run {run_id} waits for its archive or report; until then nothing else is synced."
        raise type(error)(f"{error} {waits}") from error
