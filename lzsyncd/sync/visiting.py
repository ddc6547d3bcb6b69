"""One visit of a site's remote server, with its line in the log."""

from structlog.stdlib import BoundLogger

from lzsyncd.config import Site
from lzsyncd.errors import Interrupted, LzsyncdError, TryAgain, Usage
from lzsyncd.intake.remote import Visited, visit
from lzsyncd.zone.database import opened


def logged_visit(site: Site, log: BoundLogger) -> Visited:
    """Fetch what is new and put reports, once.

    Raises:
        Usage: the site has no remote server.
        LzsyncdError: the visit failed; it was told.
    """
    if site.remote is None:
        raise Usage(f"Site {site.name} has no remote server: it has no table [sites.{site.name}.remote].")
    try:
        with opened(site) as database:
            done = visit(database, site, site.remote)
    except LzsyncdError as error:
        level = "warning" if isinstance(error, (TryAgain, Interrupted)) else "error"
        about = {"event.outcome": "failure", "error.type": type(error).__name__}
        getattr(log, level)(str(error), **{"event.action": "visit_failed", **about})
        raise
    text = f"{_number(done.fetched, 'file')} fetched, {_number(done.put, 'report')} put."
    trouble = "".join(f" {sentence}" for sentence in done.trouble)
    getattr(log, "warning" if trouble else "info")(
        f"The remote server was visited: {text}{trouble}",
        **{"event.action": "visit_finished", "event.outcome": "success", "file.size": done.size},
    )
    return done


def _number(things: list[str], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"
