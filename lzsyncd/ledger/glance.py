"""One look into a site's ledger, for the daemon and nobody else: it must stay small, so there is no Peewee here.

A connection of its own, opened and closed again: it finds out by the way whether the database is well.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lzsyncd.config import Site

PATIENCE = 2  # seconds; the daemon has other sites to look after
UNDER_WAY = ("claimed", "checking", "applying", "interrupted", "failed")


@dataclass(frozen=True)
class Glance:
    """What a look found.

    Attributes:
        reachable: the database answered.
        trouble: why not, in a few words without a value.
        ready: the schema is there; a new site's comes with its first errand.
        since: when the site was first seen.
        slots: claimed slots and when they were due.
        under_way: runs that are not done with: (id, status, attempt, when the last attempt ended).
        open_slots: slots that were claimed and not finished.
        waiting: number of checked sets that wait.
        held: ids of held runs.
        last_good: when a set was last applied, or found to change nothing.
    """

    reachable: bool
    trouble: str = ""
    ready: bool = False
    since: datetime | None = None
    slots: dict[str, datetime] = field(default_factory=dict)
    under_way: tuple[tuple[str, str, int, str], ...] = ()
    open_slots: int = 0
    waiting: int = 0
    held: tuple[str, ...] = ()
    last_good: str = ""


def glance(site: Site) -> Glance:
    """Look into the ledger of a site. Never raises for what a database can do."""
    try:
        with _asking(site) as ask:
            return _look(ask)
    except _Missing:
        return Glance(reachable=True)
    except (sqlite3.Error, OSError) as error:
        return Glance(reachable=False, trouble=getattr(error, "sqlite_errorname", "") or type(error).__name__)
    except Exception as error:
        if not type(error).__module__.startswith("psycopg"):
            raise
        if getattr(error, "sqlstate", "") == "42P01":  # no such table
            return Glance(reachable=True)
        return Glance(reachable=False, trouble=getattr(error, "sqlstate", "") or type(error).__name__)


class _Missing(Exception):
    """There is no database yet."""


@contextmanager
def _asking(site: Site) -> Iterator[Any]:
    if site.database == "sqlite":
        path = site.folder / "zone.db"
        if not path.exists():
            raise _Missing
        with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=PATIENCE)) as connection:
            yield connection.execute
        return
    import psycopg  # noqa: PLC0415 only where a site has its database there: it takes 24 MiB

    password = {"password": site.password.reveal()} if site.password else {}
    with psycopg.connect(site.database, connect_timeout=PATIENCE, autocommit=True, **password) as server:  # type: ignore[arg-type]
        server.execute(f"SET statement_timeout = {PATIENCE * 1000}")
        yield server.execute


def _look(ask: Any) -> Glance:
    def rows(query: str) -> Sequence[tuple[Any, ...]]:
        found: Sequence[tuple[Any, ...]] = ask(query).fetchall()
        return found

    try:
        since = rows("SELECT min(applied) FROM lzsyncd_migration")[0][0]
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return Glance(reachable=True)
        raise
    marks = ", ".join(f"'{status}'" for status in UNDER_WAY)
    slots = rows("SELECT slot, due_at, finished_at FROM sync_slot ORDER BY due_at DESC LIMIT 50")
    under_way = rows(
        "SELECT id, status, attempt, coalesce(finished_at, '') FROM sync_run "
        f"WHERE kind = 'sync' AND status IN ({marks}) ORDER BY id"
    )
    states = rows("SELECT id, status FROM sync_run WHERE kind = 'sync' AND status IN ('checked', 'held') ORDER BY id")
    good = rows("SELECT max(finished_at) FROM sync_run WHERE kind = 'sync' AND status IN ('applied', 'unchanged')")
    return Glance(
        reachable=True,
        ready=since is not None,
        since=_aware(since),
        slots={str(slot): _aware(due) for slot, due, _ in slots},
        open_slots=sum(finished is None for _, _, finished in slots),
        under_way=tuple((str(run), str(status), int(attempt), str(ended)) for run, status, attempt, ended in under_way),
        waiting=sum(status == "checked" for _, status in states),
        held=tuple(str(run) for run, status in states if status == "held"),
        last_good=str(good[0][0] or ""),
    )


def _aware(moment: Any) -> datetime:
    """The migrations' times are naive and local; ours are text with a `Z`."""
    found = moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment))
    return found.astimezone()
