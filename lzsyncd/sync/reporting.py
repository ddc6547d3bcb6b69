"""What comes after a run's commit; whatever stands in the way of it, the run stands."""

from lzsyncd.config import Site
from lzsyncd.errors import TryAgain, Unfinished
from lzsyncd.report.after import after_commit
from lzsyncd.sync.ending import Result, stands
from lzsyncd.zone.database import Database, fault


def report(database: Database, site: Site, result: Result) -> None:
    """Archive, outbox, spool.

    Raises:
        Unfinished: the archive or the report could not be written.
    """
    try:
        after_commit(database, site, result.run)
    except Exception as error:
        away = TryAgain("The database went away.") if database.is_away(error) else None
        told = fault(site, error) or away
        if told is None:
            raise
        raise Unfinished(f"{told} {stands(result)}", told.exit_code) from error
