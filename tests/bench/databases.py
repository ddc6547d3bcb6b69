"""Where the benchmark's sites live: a fresh database for each side, SQLite or PostgreSQL, with the same interface."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

import peewee
from playhouse.migrations import Runner

import lzsyncd.zone
from tests.bench.cpu import cpu_of_tree
from tests.bench.memory import PeakMemory
from tests.postgres import Cluster

MIGRATIONS = Path(lzsyncd.zone.__file__).parent / "migrations"
SERVER_INTERVAL = 0.5  # seconds; the server's shared memory makes each look expensive


class Bench(Protocol):
    """What both kinds of database offer."""

    name: str

    def fresh(self, side: str) -> str:
        """An empty database for a side of the benchmark; returns what a configuration says as `database`."""

    def fresh_floor(self) -> str:
        """An empty database with the final schema; returns its path or URL."""

    def settle(self) -> None:
        """Finish what the last run left to do in the background."""

    def server_memory(self) -> AbstractContextManager[PeakMemory | None]:
        """Watch the server's memory, where there is a server."""

    def server_cpu(self) -> float:
        """Seconds of processor time that the server has used."""

    def close(self) -> None:
        """Remove everything."""


class SQLiteBench:
    """Files in the benchmark's folder."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fresh(self, side: str) -> str:  # noqa: ARG002 the file lies in the site's folder and goes with it
        return "sqlite"

    def fresh_floor(self) -> str:
        folder = self._folder / "floor"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        path = str(folder / "zone.db")
        make_schema(peewee.SqliteDatabase(path, pragmas={"journal_mode": "wal"}))
        return path

    def settle(self) -> None:
        pass

    def server_memory(self) -> AbstractContextManager[None]:
        return nullcontext()

    def server_cpu(self) -> float:
        return 0.0

    def close(self) -> None:
        pass


class PostgreSQLBench:
    """A server of its own, with the configuration that initdb wrote."""

    name = "postgresql"

    def __init__(self, folder: Path) -> None:
        # the server's account must be able to enter: not below a private folder
        self._cluster = Cluster(durable=True, parent=folder.parent)
        self._made: set[str] = set()

    def fresh(self, side: str) -> str:
        if side in self._made:
            self._cluster.drop_database(side)
        self._made.add(side)
        return self._cluster.create_database(side)

    def fresh_floor(self) -> str:
        url = self.fresh("floor")
        make_schema(peewee.PostgresqlDatabase(url, prefer_psycopg3=True))
        return url

    def settle(self) -> None:
        """Between two runs lies a day: autovacuum has done its work, and no checkpoint is due."""
        for side in self._made:
            self._cluster.execute("VACUUM (ANALYZE)", database=side)
        self._cluster.execute("CHECKPOINT")

    def server_memory(self) -> PeakMemory:
        return PeakMemory(self._cluster.pid, SERVER_INTERVAL)

    def server_cpu(self) -> float:
        return cpu_of_tree(self._cluster.pid)

    def close(self) -> None:
        self._cluster.stop()


BENCHES: dict[str, Callable[[Path], Bench]] = {"sqlite": SQLiteBench, "postgresql": PostgreSQLBench}


def make_schema(database: peewee.Database) -> None:
    """Run lzsyncd's own migrations, so that the floor's tables and indexes can't drift from the real ones."""
    with database.connection_context():
        Runner(database, str(MIGRATIONS)).up()
