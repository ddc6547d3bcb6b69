"""One look into a site's ledger, for the daemon and the numbers: it must stay small, so there is no Peewee here.

A connection of its own, opened and closed again: it finds out by the way whether the database is well.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from lzsyncd.config import Site
from lzsyncd.errors import Damaged, LzsyncdError, TryAgain, refused_by_disk, refused_by_sqlite
from lzsyncd.intake.claim import SWEPT
from lzsyncd.ledger.feed import LAST_GOOD, aware
from lzsyncd.ledger.figures import NO_FIGURES, Figures, figures, only
from lzsyncd.zone.advisory import Lock, asking, holder
from lzsyncd.zone.datafile import data_file, refuse_unfit

PATIENCE = 2  # seconds; the daemon has other sites to look after
WAITING = ("checked", "held")
NO_TABLE = "42P01"  # SQLSTATE; SQLite says it in words only
UNKNOWN = ("unknown", 0, "")  # a folder that a ledger which was restored from a copy does not know
_RUN = re.compile(rf"[0-9A-Za-z-]+|\.[0-9A-Za-z-]+{re.escape(SWEPT)}")  # the latter: whoever swept it was killed


@dataclass(frozen=True)
class Remote:
    """How it goes with a remote server.

    Attributes:
        well_at: when it was visited last without trouble, "" for never.
        is_well: the last visit went well, as far as it has come.
    """

    well_at: str
    is_well: bool


@dataclass(frozen=True)
class Glance:
    """What a look found.

    Attributes:
        reachable: the database answered.
        trouble: why not, without a value; None where it did.
        ready: the schema is there; a new site's comes with its first errand.
        since: when the site was first seen.
        slots: claimed slots and when they were due.
        under_way: runs of which something is left to do, by the spool: (id, status, attempt, when the last attempt
            ended). Neither those that wait, nor those that failed without leaving anything, as a command's do.
        open_slots: slots that were claimed and not finished.
        held: ids of held runs.
        asked: how many things people ask for that are still to be done.
        last_good: when the last good set came, "" for never.
        mail_at: when the next mail is due, "" for none.
        late_told: the last silence of which a mail tells, "" for none.
        worker: who works for the site just now, as the lock's owner calls himself; "" for nobody, or not known.
        figures: numbers for dashboards.
        remote: how it goes with the remote server, None before the first visit, and where there is none.
    """

    reachable: bool
    trouble: LzsyncdError | None = None
    ready: bool = False
    since: datetime | None = None
    slots: dict[str, datetime] = field(default_factory=dict)
    under_way: tuple[tuple[str, str, int, str], ...] = ()
    open_slots: int = 0
    held: tuple[str, ...] = ()
    asked: int = 0
    last_good: str = ""
    mail_at: str = ""
    late_told: str = ""
    worker: str = ""
    figures: Figures = NO_FIGURES
    remote: Remote | None = None


def glance(site: Site, before: Figures = NO_FIGURES, *, spool: bool = True) -> Glance:
    """Look into the ledger of a site. Never raises for what a database can do.

    Args:
        site: whose.
        before: the numbers that the last look found: what has not changed is not counted again.
        spool: whether to look into the spool, too, which is the daemon's alone.
    """
    try:
        with _asking(site) as ask:
            return _look(site, ask, before, spool=spool)
    except _Missing:
        return Glance(reachable=True)
    except Damaged as error:
        return Glance(reachable=False, trouble=error)
    except LzsyncdError as error:  # the password is not where the configuration says it is
        return Glance(reachable=False, trouble=_does_not_answer(str(error).rstrip(".")))
    except Exception as error:
        if not isinstance(error, (sqlite3.Error, OSError)) and not type(error).__module__.startswith("psycopg"):
            raise
        state = getattr(error, "sqlite_errorname", "") or getattr(error, "sqlstate", "") or type(error).__name__
        if state == NO_TABLE or "no such table" in str(error):
            return Glance(reachable=True)
        return Glance(reachable=False, trouble=_broken(site, error) or _does_not_answer(state))


def _broken(site: Site, error: Exception) -> LzsyncdError | None:
    """What mends itself as little as a disk does: it is told as whoever works for the site would."""
    if isinstance(error, sqlite3.Error):
        return refused_by_sqlite(site.folder / "zone.db", getattr(error, "sqlite_errorname", ""))
    return refused_by_disk(error, site.folder) if isinstance(error, OSError) else None


def _does_not_answer(why: str) -> TryAgain:
    return TryAgain(f"The database does not answer ({why}).")


def trace(site: Site) -> object:
    """What is another after anything was written to ledger or spool; None where only a look can tell."""
    if site.database != "sqlite":
        return None
    real = data_file(site)
    return tuple(_stat(path) for path in (real, real.with_name(f"{real.name}-wal"), site.folder / "spool"))


def trace_of_spool(site: Site) -> object:
    """What is another after any run of the site was begun or swept."""
    return _stat(site.folder / "spool")


def _stat(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class _Missing(Exception):
    """There is no database yet."""


@contextmanager
def _asking(site: Site) -> Iterator[Any]:
    if site.database == "sqlite":
        path = site.folder / "zone.db"
        if not path.exists():
            raise _Missing
        refuse_unfit(site)
        with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=PATIENCE)) as connection:
            yield connection.execute
        return
    import psycopg  # noqa: PLC0415 only where a site has its database there: it takes 24 MiB

    password = {"password": site.password.reveal()} if site.password else {}
    how: dict[str, Any] = {"connect_timeout": PATIENCE, "autocommit": True, **asking(PATIENCE, 1), **password}
    with psycopg.connect(site.database, **how) as server:
        server.execute(f"SET statement_timeout = {PATIENCE * 1000}")
        yield server.execute


def _look(site: Site, ask: Any, before: Figures, *, spool: bool) -> Glance:
    def rows(query: str) -> Sequence[tuple[Any, ...]]:
        found: Sequence[tuple[Any, ...]] = ask(query).fetchall()
        return found

    since = rows("SELECT min(applied) FROM lzsyncd_migration")[0][0]
    if since is None:  # whoever makes the schema has only begun
        return Glance(reachable=True)
    slots = rows("SELECT slot, due_at FROM sync_slot ORDER BY due_at DESC LIMIT 50")
    unfinished = rows("SELECT count(*) FROM sync_slot WHERE finished_at IS NULL")
    mail = rows("SELECT min(due_at) FROM sync_mail WHERE sent_at IS NULL AND given_up_at IS NULL")
    late = rows("SELECT about FROM sync_mail WHERE kind = 'late' ORDER BY id DESC LIMIT 1")
    held = rows("SELECT id FROM sync_run WHERE kind = 'sync' AND status = 'held' ORDER BY id")
    asked = rows("SELECT count(*) FROM sync_request WHERE done_at IS NULL")
    return Glance(
        reachable=True,
        ready=True,
        asked=int(asked[0][0]),
        since=aware(since),
        slots={str(slot): aware(due) for slot, due in slots},
        open_slots=int(unfinished[0][0]),
        under_way=tuple(_under_way(site, rows)) if spool else (),
        held=tuple(str(run) for (run,) in held),
        last_good=only(rows(LAST_GOOD)),
        mail_at=only(mail),
        late_told=only(late),
        worker="" if site.database == "sqlite" else only(rows(holder(Lock.RUN))),
        figures=figures(rows, before),
        remote=_remote(site, rows),
    )


def _remote(site: Site, rows: Callable[[str], Sequence[tuple[Any, ...]]]) -> Remote | None:
    visits = rows("SELECT place, coalesce(well_at, ''), trouble FROM sync_visit") if site.remote else ()
    place = site.remote.place if site.remote else ""
    return next((Remote(str(well_at), not trouble) for visited, well_at, trouble in visits if visited == place), None)


def _under_way(site: Site, rows: Callable[[str], Sequence[tuple[Any, ...]]]) -> Iterator[tuple[str, str, int, str]]:
    """What the spool has, by the ledger. Only our own names are put into the query: ids have no quotes."""
    spool = site.folder / "spool"
    there = sorted(path.name for path in spool.iterdir() if _RUN.fullmatch(path.name)) if spool.is_dir() else []
    if not there:
        return
    names = ", ".join(f"'{name}'" for name in there)
    found = rows(f"SELECT id, status, attempt, coalesce(finished_at, '') FROM sync_run WHERE id IN ({names})")
    known = {str(run): (str(status), int(attempt), str(ended)) for run, status, attempt, ended in found}
    for name in there:
        status, attempt, ended = known.get(name, UNKNOWN)
        if status not in WAITING or not (site.outbox / name).is_dir():
            yield name, status, attempt, ended
