"""PostgreSQL fails over to a replica in the middle of a commit: real servers, one of which dies."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lzsyncd.sync.run import Options, sync_folder
from tests.bench.memory import descendants
from tests.laws.company import DAY_ONE, DAY_TWO
from tests.laws.ground import ask
from tests.postgres import Cluster, Replica
from tests.system.aftermath import State, mended, newest
from tests.system.program import LONGEST, Place, Point, ended, wait_until_stopped
from tests.system.wire import Wire

NAME = "acme"
BEFORE_COMMIT = Point("lzsyncd.sync.run", "Run._record")


class Pair:
    """A server, its replica, and how far both are.

    Args:
        primary: the server.
        replica: what follows it.
        synchronous: whether a commit waits for the replica.
    """

    def __init__(self, primary: Cluster, replica: Replica, *, synchronous: bool) -> None:
        self.primary, self.replica = primary, replica
        primary.create_database(NAME)
        if synchronous:
            primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.execute("SELECT pg_reload_conf()")

    def wait_until_alike(self) -> None:
        """Wait until the replica has all that the server has written."""
        place = value(self.primary, "SELECT pg_current_wal_insert_lsn()")
        query = f"SELECT pg_last_wal_replay_lsn() >= '{place}'"
        wait(lambda: value(self.replica, query))

    def fail_over(self) -> None:
        """The server is gone, as is its machine; the replica takes its place."""
        for pid in (self.primary.pid, *descendants(self.primary.pid)):
            with suppress(ProcessLookupError):  # one that ended by itself
                os.kill(pid, signal.SIGKILL)
        self.replica.promote()


def value(server: Cluster, query: str) -> Any:
    with closing(server.connect()) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def wait(what: Callable[[], object]) -> None:
    until = time.monotonic() + LONGEST
    while not what():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture
def servers() -> Iterator[tuple[Cluster, Replica]]:
    with Cluster() as primary, Replica(primary) as replica:
        yield primary, replica


@pytest.mark.parametrize("kitchen", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("synchronous", "arrives"),
    [(True, True), (True, False), (False, False)],
    ids=["synchronous", "synchronous, before the replica has it", "asynchronous, and the commit is lost"],
)
def test_a_server_that_fails_over_in_the_middle_of_a_commit(
    servers: tuple[Cluster, Replica], undisturbed: State, tmp_path: Path, synchronous: bool, arrives: bool
) -> None:
    """The ledger of whoever is the server then says what became of it, and the set is applied once."""
    primary, replica = servers
    pair = Pair(primary, replica, synchronous=synchronous)
    with Wire(primary.port, hears=True) as wire:
        hosts = f"127.0.0.1:{wire.port},127.0.0.1:{replica.port}"
        place = Place(tmp_path / "srv", f"postgresql://lzsyncd@{hosts}/{NAME}?target_session_attrs=read-write")
        place.configure()
        direct = replace(place.site, database=primary.url(NAME))
        sync_folder(direct, place.deliver("one", DAY_ONE), Options())
        folder = place.deliver("two", DAY_TWO)
        run = place.start("sync", NAME, "--from", folder, point=BEFORE_COMMIT, number=signal.SIGSTOP)
        wait_until_stopped(run)
        pair.wait_until_alike()
        if not arrives:
            replica.follow_no_more()
            wait(lambda: not value(primary, "SELECT count(*) FROM pg_stat_replication"))
        os.kill(run.pid, signal.SIGCONT)
        if synchronous and not arrives:
            wait(lambda: value(primary, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"))
        else:
            wait(lambda: [row["status"] for row in ask(direct, "SELECT status FROM sync_run")].count("applied") == 2)
        pair.fail_over()
        cut = ended(run)
    assert (cut.code, cut.out) == (75, ""), cut.err
    assert "it is not known whether the run was applied; the next sync asks the ledger" in cut.err
    assert (newest(place)["status"] == "applied") == arrives
    mended(place, folder, newest(place)["id"], undisturbed)
