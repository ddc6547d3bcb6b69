"""Where a law is tried: a fresh site for each example, its tables as they are, and how many examples there are."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

from lzsyncd.config import Guard, Site
from lzsyncd.config.guards import LIMITS
from lzsyncd.ledger import models
from lzsyncd.sync.ending import Result
from lzsyncd.sync.run import Options, sync_folder
from lzsyncd.zone.database import Database
from tests.companies import History, files_of
from tests.laws.bridge import put_zone, run_set, site_of
from tests.reference import model
from tests.reference.model import Zone

SYNC = model.Site(incomplete="sync")
"""The defaults, but for sets that need not be whole."""

LZ = ("lz_org", "lz_pos", "lz_user", "lz_job", "lz_audience", "lz_audience_member", "lz_assignment")
LEDGER = tuple(str(table._meta.table_name) for table in models.LEDGER)


Row = dict[str, Any]
Tables = dict[str, dict[Any, Row]]

_numbers = itertools.count(1)


def moderate(test: Any) -> Any:
    """Few enough examples for every day; LZSYNCD_EXAMPLES asks for more."""
    few = settings(
        max_examples=int(os.environ.get("LZSYNCD_EXAMPLES", "8")),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    return few(test)


class Ground:
    """Fresh sites in one kind of database.

    Args:
        make: the fixture `database`.
        folder: where the sites' folders are.
    """

    def __init__(self, make: Callable[[Path], str], folder: Path) -> None:
        self.make, self.folder = make, folder
        self.urls: dict[int, str] = {}

    def fresh(self, policy: model.Site = SYNC, zone: Zone | None = None, *, slot: int = 0) -> Site:
        """A site in which only `zone` stands. The site made before it in the same slot is gone."""
        folder = self.folder / f"site{next(_numbers)}"
        url = self.urls.get(slot, "sqlite")
        if url == "sqlite":
            url = self.urls[slot] = self.make(folder / "acme")
            site = site_of(policy, folder, url)
        else:  # quicker than another database
            site = site_of(policy, folder, url)
            with connected(site) as database:
                database.run(f"TRUNCATE {', '.join((*LZ, *LEDGER))} RESTART IDENTITY")
        if zone is not None:
            put_zone(site, zone)
        return site


def sync(site: Site, files: dict[str, bytes], **more: Any) -> Result:
    """Sync one set, delivered in a folder of its own beside the site's."""
    return run_set(site, site.folder.parent / f"delivery{next(_numbers)}", files, **more)


def unguarded(site: Site) -> Site:
    """The site, with no limit on what a run may change."""
    return replace(site, guard=Guard(**dict.fromkeys(LIMITS), lost_column=False))


def days(history: History) -> Iterator[tuple[int, dict[str, bytes]]]:
    """The sets of a history that have a file at all, with the number of their day."""
    for day, export in enumerate(history.days):
        if files := files_of(export, history.site):
            yield day, files


def sync_at(moment: datetime, site: Site, files: dict[str, bytes], *, dry_run: bool = False) -> Result:
    """Sync one set at another time than the tests' usual one."""
    folder = site.folder.parent / f"delivery{next(_numbers)}"
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (result,) = sync_folder(site, folder, Options(clock=lambda: moment, dry_run=dry_run))
    return result


@contextmanager
def connected(site: Site) -> Iterator[Database]:
    """The site's database, without asking again whether its schema is up to date."""
    with closing(Database(site)) as database:
        yield database


def look(site: Site, *tables: str) -> Tables:
    """Tables (default: the zone's) row by row, by `id`, or by what else tells their rows apart."""
    with connected(site) as database:
        return {table: _keyed(_rows(database, f"SELECT * FROM {table}")) for table in tables or LZ}


def ask(site: Site, query: str, *parameters: Any) -> list[Row]:
    """The rows of a query, by column."""
    with connected(site) as database:
        return _rows(database, query, parameters)


def _rows(database: Database, query: str, parameters: tuple[Any, ...] = ()) -> list[Row]:
    cursor = database.connection.execute(database.dialect.statement(query), parameters)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _keyed(rows: list[Row]) -> dict[Any, Row]:
    return {row["id"] if "id" in row else tuple(row.values())[:2]: row for row in rows}


def tell(site: Site, *statements: str) -> None:
    """Change something by hand."""
    with connected(site) as database, database.transaction():
        for statement in statements:
            database.run(statement)


def csv_of(header: str, *records: str) -> bytes:
    """A small file."""
    return "\n".join((header, *records, "")).encode()
