"""After the commit: archive, outbox, spool swept. Driven by the ledger, and safe to do again after a kill."""

import shutil
from pathlib import Path

from lzsyncd.config import Site
from lzsyncd.errors import DiskFull, NotPermitted, writing
from lzsyncd.feed.elements import Element
from lzsyncd.intake.spool import archive
from lzsyncd.ledger.queries import summary
from lzsyncd.ledger.runs import interrupted
from lzsyncd.report.outbox import write_outbox
from lzsyncd.zone.database import Database

SILENT = ("claimed", "checking", "applying", "interrupted", "failed")  # nothing was decided: nothing to tell


def after_commit(database: Database, site: Site, run_id: str) -> None:
    """Archive the inputs, write the outbox, sweep the spool, in this order: the spool goes last.

    Raises:
        DiskFull: there is no room for it.
        NotPermitted: a folder may not be written. In either case calling it again makes up for it.
    """
    spool = site.folder / "spool" / run_id
    told = summary(database, run_id)
    if told.kind == "sync" and told.status not in SILENT and spool.is_dir():
        files = {Element(file["element"]): spool / file["name"] for file in told.files}
        files = {e: path for e, path in files.items() if path.is_file()}
        with writing(archive_folder(site, run_id)):
            archive(list(files.values()), archive_folder(site, run_id))
        with writing(site.outbox):
            write_outbox(database, site, run_id, files)
    with writing(spool):
        _sweep(spool)


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
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _finish(database: Database, site: Site, run_id: str) -> None:
    try:
        after_commit(database, site, run_id)
    except (DiskFull, NotPermitted) as error:
        waits = f"Run {run_id} waits for its archive or report; until then nothing else is synced."
        raise type(error)(f"{error} {waits}") from error
