"""A site's database: opening, the run's lock, its one transaction, and the few ways SQL is run."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from types import MappingProxyType
from typing import Any

import peewee

from lzsyncd.config import Site
from lzsyncd.errors import Fault, OutcomeUnknown, TryAgain, refused_by_disk, refused_by_server, refused_by_sqlite
from lzsyncd.zone import schema
from lzsyncd.zone.advisory import ASKED, Lock, give_back, hold, holder, is_taken
from lzsyncd.zone.brake import Brake
from lzsyncd.zone.connecting import SQLITE_PATIENCE, postgresql, sqlite
from lzsyncd.zone.dialect import Dialect, PostgreSQL, Row, SQLite
from lzsyncd.zone.digest import Sums
from lzsyncd.zone.lockfile import hold_file
from lzsyncd.zone.packing import Packed

NOTHING: Mapping[str, str] = MappingProxyType({})
LOCK_TIMEOUT = "10s"  # as long as SQLite waits: who locks a table for longer is told, with exit code 75
MANY = 10_000  # new rows from which indexes are worth building last (measured on PostgreSQL: 10.9 s against 4.4 s)

OUTCOME_UNKNOWN = (
    "The database went away at the commit: it is not known whether the run was applied; the next sync asks the ledger."
)

# SQLSTATE: connection exceptions, shutting or starting up, too many connections, lock not available, snapshot too old
AWAY_STATES = ("08", "57P0", "53300", "55P03", "40001")

RUN_SETTINGS = (
    # work_mem holds the hash of a million keys; the costs let the comparing join run on two cores; compiling costs more
    # than these queries take
    "SET LOCAL work_mem = '128MB'",
    "SET LOCAL maintenance_work_mem = '256MB'",
    "SET LOCAL jit = off",
    # a resync finds the few who change by index; the default thinks of disks that turn, and would scan everybody
    "SET LOCAL random_page_cost = 1.1",
    "SET LOCAL parallel_setup_cost = 0",
    "SET LOCAL parallel_tuple_cost = 0",
    "SET LOCAL synchronous_commit = on",
)


class Database:
    """One open connection to a site's database.

    Attributes:
        brake: what may break off its work; another one may be put in its place.
    """

    def __init__(self, site: Site) -> None:
        self.site, self.brake = site, Brake()
        self.dialect: Dialect = SQLite() if site.database == "sqlite" else PostgreSQL()
        self.peewee = sqlite(site) if site.database == "sqlite" else postgresql(site)
        self._lock_file: int | None = None
        self._staging: dict[str, None] = {}
        try:
            self.peewee.connect()
        except peewee.DatabaseError as error:
            raise fault(site, error) or TryAgain(f"The database of site {site.name} is not reachable.") from None
        self.connection: Any = self.peewee.connection()  # type: ignore[no-untyped-call]
        self.dialect.watch(self.connection, lambda: self.brake.is_pulled)
        if isinstance(self.dialect, PostgreSQL):
            for setting in (f"SET lock_timeout = '{LOCK_TIMEOUT}'", *ASKED):
                self.run(setting)

    def close(self) -> None:
        """Close the connection and give the locks back."""
        if isinstance(self.dialect, PostgreSQL):
            give_back(self.connection)
        self.peewee.close()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    # -- statements

    def run(self, text: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement with `?` placeholders; returns the number of rows it changed."""
        return int(self._execute(text, parameters).rowcount)

    def rows(self, text: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query that is known to be small."""
        return list(self._execute(text, parameters).fetchall())

    def value(self, text: str, parameters: Sequence[Any] = ()) -> Any:
        """The first column of the first row, None without a row."""
        row = self._execute(text, parameters).fetchone()
        return row[0] if row else None

    def stream(self, text: str, parameters: Sequence[Any] = ()) -> Iterator[Row]:
        """The rows of a query without holding them all; nothing else may run meanwhile."""
        with self.brake.statement(self._cancel):
            yield from self.dialect.stream(self.connection, text, parameters)

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Write many rows into a staging table."""
        with self.brake.statement(self._cancel):
            self.dialect.load(self.connection, table, columns, rows)

    def load_packed(
        self, table: str, columns: Sequence[str], packed: Sequence[Packed], same: Mapping[str, str] = NOTHING
    ) -> None:
        """Write rows into a table which the dialect's packer has prepared.

        Args:
            table: the table.
            columns: what the rows have.
            packed: the rows.
            same: more columns, each with the one value it has in all rows.
        """
        with self.brake.statement(self._cancel):
            self.dialect.load_packed(self.connection, table, columns, packed, same)

    def sums(self, query: str, parameters: Sequence[Any]) -> Sums:
        """The digest of the texts that a query gives."""
        with self.brake.statement(self._cancel):
            return self.dialect.sums(self.connection, query, parameters)

    def next_ids(self, table: str) -> int:
        """The first id never given in a table, also not to a row that is gone. The caller holds the run's lock."""
        last = self.value(self.dialect.last_id(table)) or 0
        top = self.value(f"SELECT max(id) FROM {table}") or 0
        return max(int(last), int(top)) + 1

    def advance_ids(self, table: str) -> None:
        """After explicit ids: move what gives the next one on."""
        if statement := self.dialect.advance_ids(table):
            self.value(statement)

    def _execute(self, text: str, parameters: Sequence[Any]) -> Any:
        with self.brake.statement(self._cancel):
            if not parameters:
                return self.connection.execute(text)
            return self.connection.execute(self.dialect.statement(text), tuple(parameters))

    def _cancel(self) -> None:
        self.dialect.cancel(self.connection)

    @contextmanager
    def indexes_last(self, table: str, new: int) -> Iterator[None]:
        """Fill an empty table without its secondary indexes, then build them, inside the transaction.

        Args:
            table: the table.
            new: how many rows are about to come; with few the indexes stay.
        """
        later: list[Row] = []
        if new >= MANY and not self.value(f"SELECT 1 FROM {table} LIMIT 1"):
            later = self.rows(self.dialect.index_definitions(table))
        for name, _ in later:
            self.run(f"DROP INDEX {name}")
        yield
        for _, definition in later:
            self.run(str(definition))

    # -- the tables of a run

    def table(self, name: str, columns: str, *, large: bool = False) -> None:
        """Make a staging table, empty; it is gone when the transaction ends. Making it again empties it.

        Args:
            name: of the table.
            columns: with types.
            large: it may be read by several processes at once, which is worth it where it has very many rows.
        """
        self._forget(name)
        self.run(self.dialect.temporary(name, columns, large=large))

    def table_of(self, name: str, query: str, *, large: bool = False) -> None:
        """Make a staging table of the rows of a query."""
        self._forget(name)
        self.run(self.dialect.select_into(name, query, large=large))

    def _forget(self, name: str) -> None:
        if name in self._staging:
            self.run(f"DROP TABLE {name}")
        self._staging[name] = None

    def _drop_staging(self) -> None:
        for name in self._staging:
            self.run(f"DROP TABLE {name}")
        self._staging.clear()

    # -- transactions and the lock

    @contextmanager
    def filled(self) -> Iterator[None]:
        """A block that fills a database which was empty: what SQLite writes is then written once, not twice.

        New pages need no copy to roll back to, so a rollback journal stays almost empty where a write-ahead log would
        take all of them (measured, a million people: 46 s against 60 s). Readers wait meanwhile; there was nothing to
        read. Somebody who has the database open keeps it as it is.
        """
        if isinstance(self.dialect, PostgreSQL) or self.value("SELECT 1 FROM lz_user LIMIT 1"):
            yield
            return
        self._set_journal("truncate")
        try:
            yield
        finally:
            self._set_journal("wal")

    def _set_journal(self, mode: str) -> None:
        self.run("PRAGMA busy_timeout = 0")
        try:
            self.run(f"PRAGMA journal_mode = {mode}")
        except sqlite3.OperationalError as error:
            # what was committed stands, and whoever opens the database next sets its journal again
            if not self.is_away(error) and fault(self.site, error) is None:
                raise
        self.run(f"PRAGMA busy_timeout = {SQLITE_PATIENCE * 1000}")

    @contextmanager
    def transaction(self, *, looking: bool = False) -> Iterator[None]:
        """One durable transaction on one snapshot, rolled back when the block raises; for `looking` no writer waits."""
        self._drop_staging()
        self.run(self.dialect.begin(looking=looking))
        try:
            if isinstance(self.dialect, PostgreSQL):
                for setting in RUN_SETTINGS:
                    self.run(setting)
            yield
            if not self.dialect.staging_is_private:
                self._drop_staging()
            self._commit()
        except BaseException:
            self._staging.clear()
            self._roll_back()
            raise

    def _commit(self) -> None:
        try:
            self.run("COMMIT")
        except Exception as error:
            if isinstance(self.dialect, PostgreSQL) and self.connection.closed:  # perhaps after the server heard it
                raise OutcomeUnknown(OUTCOME_UNKNOWN) from error
            raise

    def _roll_back(self) -> None:
        if isinstance(self.connection, sqlite3.Connection) and not self.connection.in_transaction:
            return  # a full disk has ended it
        try:
            with self.brake.held():
                self.run("ROLLBACK")
        except Exception as error:
            if not self.is_away(error):
                raise

    @staticmethod
    def is_away(error: BaseException) -> bool:
        """Whether an error says that the database is not reachable or is locked, so that trying again helps."""
        error = _of_driver(error)
        if isinstance(error, sqlite3.Error):
            return "locked" in str(error)
        if not type(error).__module__.startswith("psycopg"):
            return False
        state = getattr(error, "sqlstate", None)
        broken = state is None and type(error).__name__ in ("OperationalError", "InterfaceError", "ConnectionTimeout")
        return broken or (state or "").startswith(AWAY_STATES)

    def lock(self, run_id: str) -> None:
        """Take the site's run lock for the life of this connection.

        Raises:
            SiteIsBusy: another run holds it; the text says which.
        """
        if isinstance(self.dialect, PostgreSQL):
            hold(self, run_id)
        else:
            self._lock_file = hold_file(self.site, run_id)

    def worker(self) -> str:
        """Who works for the site just now, as he calls himself; "" for nobody, and with SQLite."""
        return str(self.value(holder(Lock.RUN)) or "") if isinstance(self.dialect, PostgreSQL) else ""

    def is_alone(self, lock: Lock) -> bool:
        """Whether nobody else does something that needs no run's lock; from now on nobody else can.

        With SQLite there is one host, and its daemon sends one at a time.
        """
        return not isinstance(self.dialect, PostgreSQL) or is_taken(self, lock)

    def fence(self) -> None:
        """Make sure that what was locked still is, before something that no rollback takes back.

        Who was cut off or stopped for too long has lost session and lock, and somebody else may have gone on: whatever
        is asked of that session fails.
        """
        self.value("SELECT 1")

    # -- schema

    def migrate(self) -> list[str]:
        """Bring the schema up to date; returns the names of the migrations applied."""
        return schema.migrate(self.peewee)

    def pending(self) -> list[str]:
        """Names of migrations not applied yet; SchemaIsNewer where the schema is newer than this version."""
        return schema.pending(self.peewee)


@contextmanager
def opened(site: Site) -> Iterator[Database]:
    """A site's database with its schema up to date, closed at the end.

    Raises:
        TryAgain: the database is not reachable.
        SchemaIsNewer: a newer version has changed its schema.
        Fault: there is no room for it, it may not be written, or it is damaged; now, or while it was open.
    """
    with connected(site) as database:
        if database.pending():
            database.migrate()
        yield database


@contextmanager
def connected(site: Site) -> Iterator[Database]:
    """The same with its schema as it is."""
    try:
        with closing(Database(site)) as database:
            yield database
    except Exception as error:
        told = fault(site, error)
        if told is None or told is error:
            raise
        raise told from error


def fault(site: Site, error: BaseException) -> Fault | None:
    """A bad disk, a database that is damaged or may not be written, as a sentence; None for anything else."""
    if isinstance(error, Fault):
        return error
    if isinstance(error, OSError):
        return refused_by_disk(error, site.folder)
    error = _of_driver(error)
    if isinstance(error, sqlite3.Error):
        return refused_by_sqlite(site.folder / "zone.db", getattr(error, "sqlite_errorname", ""))
    return refused_by_server(site.name, getattr(error, "sqlstate", None))


def _of_driver(error: BaseException) -> BaseException:
    """What the driver raised: Peewee's own exceptions have it behind them."""
    return (error.__context__ or error) if isinstance(error, peewee.PeeweeException) else error
