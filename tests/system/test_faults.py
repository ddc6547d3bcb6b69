"""The database away or locked, and two syncs at once: exit 75, nothing changed, and the next sync works."""

import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lzsyncd.__main__ import main
from lzsyncd.feed.elements import Element
from lzsyncd.sync.run import Options, sync_folder
from lzsyncd.zone import database as databases
from tests.laws.bridge import get_zone
from tests.laws.company import DAY_ONE, DAY_TWO
from tests.laws.ground import ask
from tests.postgres import Cluster
from tests.system.aftermath import State, leftovers, mended, newest, state, sync_when_free
from tests.system.program import Place, Point, ended, wait_until_stopped

PLANNED = Point("lzsyncd.sync.run", "make_plan")


def exit_of(place: Place, folder: Path) -> int:
    """Sync in this process, as the command does."""
    return main(["--config", str(place.config), "sync", "acme", "--from", str(folder), "--json"])


# --- the database is away, or locked ---------------------------------------------------------------------------------


def test_a_server_that_is_stopped_is_worth_another_try(tmp_path: Path) -> None:
    with Cluster() as cluster:
        place = Place(tmp_path / "srv", cluster.create_database("acme"))
        place.configure()
        folder = place.deliver("one", DAY_ONE)
        assert place.sync(folder).code == 0
        cluster.stop()
        away = place.sync(folder)
        assert (away.code, away.out) == (75, "")
        assert "not reachable" in away.err
        assert list((place.site.folder / "spool").iterdir()) == []


@pytest.mark.parametrize("stop", ["the connection", "the server"])
@pytest.mark.parametrize(
    "point",
    [
        Point("lzsyncd.ledger.runs", "start"),
        PLANNED,
        Point("lzsyncd.sync.apply", "_create", call=3),
        Point("lzsyncd.zone.database", "Database.run", "before", text="COMMIT"),
        Point("lzsyncd.zone.database", "Database.run", text="COMMIT"),
    ],
    ids=["begun", "planned", "applying", "before the commit", "after the commit"],
)
def test_a_server_that_goes_away_in_the_middle(tmp_path: Path, cluster: Cluster, point: Point, stop: str) -> None:
    with Cluster() if stop == "the server" else nothing(cluster) as server:
        name = f"away_{os.urandom(4).hex()}"
        place = Place(tmp_path / "srv", server.create_database(name))
        place.configure()
        sync_folder(place.site, place.deliver("one", DAY_ONE), Options())
        before, folder = get_zone(place.site), place.deliver("two", DAY_TWO)
        process = place.start("sync", "acme", "--from", folder, point=point, number=signal.SIGSTOP)
        wait_until_stopped(process)
        if stop == "the server":
            server.stop()
        else:
            server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        os.kill(process.pid, signal.SIGCONT)
        cut = ended(process)
        assert cut.code == 75, cut.err
        assert "error.stack_trace" not in cut.err
        if stop == "the connection":
            committed = newest(place)["status"] == "applied"
            assert committed == (point.when == "after" and bool(point.text))
            assert committed or get_zone(place.site) == before
            assert sync_when_free(place, folder).status == ("unchanged" if committed else "applied")
            assert leftovers(place) == []
            server.drop_database(name)


@contextmanager
def nothing(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster that is there already, which stays."""
    yield cluster


@contextmanager
def somebody_writing(place: Place) -> Iterator[None]:
    """Another program in the middle of a change that the run would make, too."""
    connection: Any
    if place.database == "sqlite":
        connection = sqlite3.connect(place.site.folder / "zone.db", isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
    else:
        connection = psycopg.connect(place.database)
    connection.execute("UPDATE lz_user SET city = 'Bath' WHERE idnumber = '2'")
    with closing(connection):
        yield
        connection.execute("ROLLBACK")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that wait for a lock for a moment only."""
    opened = databases.sqlite

    def hastily(site: Any) -> Any:
        database = opened(site)
        database.timeout = 0.1
        return database

    monkeypatch.setattr(databases, "sqlite", hastily)
    monkeypatch.setattr(databases, "RUN_SETTINGS", (*databases.RUN_SETTINGS, "SET LOCAL lock_timeout = '100ms'"))


@pytest.mark.usefixtures("impatient")
def test_somebody_else_s_lock_is_worth_another_try(
    place: Place, undisturbed: State, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, before = place.deliver("two", DAY_TWO), get_zone(place.site)
    with somebody_writing(place):
        assert exit_of(place, folder) == 75
        told = capsys.readouterr()
        assert told.out == ""
        assert "nothing was changed" in told.err
    assert get_zone(place.site) == before
    result = sync_when_free(place, folder)
    assert state(place, result.run) == undisturbed
    assert leftovers(place) == []


@pytest.mark.usefixtures("impatient")
def test_a_lock_that_comes_between(place: Place, undisturbed: State) -> None:
    """The run is written down when somebody else takes the database: the next one says how it ended."""
    folder, before = place.deliver("two", DAY_TWO), get_zone(place.site)
    with ExitStack() as locks:
        locker = Locker(lambda: locks.enter_context(somebody_writing(place)))
        with pytest.raises(Exception) as locked:  # noqa: PT011 whatever the driver raises
            sync_folder(place.site, folder, Options(progress=locker))
        assert databases.Database.is_away(locked.value)
    assert get_zone(place.site) == before
    mended(place, folder, newest(place)["id"], undisturbed, over=("interrupted", "failed"))


class Locker:
    """Does something when a run begins to take its set."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act

    def read(self, element: Element, records: int) -> None: ...

    def stage(self, name: str) -> None:
        if name == "take":
            self.act()


def test_a_run_does_not_wait_for_ever(place: Place) -> None:
    """With the settings that people have."""
    folder = place.deliver("two", DAY_TWO)
    with somebody_writing(place):
        process = place.start("sync", "acme", "--from", folder)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
        assert ended(process).code == 75
    assert sync_when_free(place, folder).status == "applied"


# --- two at once -----------------------------------------------------------------------------------------------------


def test_the_second_of_two_syncs_is_told_who_holds_the_lock(place: Place, undisturbed: State) -> None:
    folder = place.deliver("two", DAY_TWO)
    first = place.start("sync", "acme", "--from", folder, point=PLANNED, number=signal.SIGSTOP)
    wait_until_stopped(first)
    holder = newest(place)
    for more in ((), ("--dry-run",), ("--json",)):
        second = place.sync(folder, *more)
        assert (second.code, second.out) == (75, "")
        assert holder["id"] in second.err
        assert "holds the lock" in second.err
    assert ended(place.start("runs")).code == 0  # whoever only asks need not wait
    assert ended(place.start("errors")).code == 0
    assert newest(place)["id"] == holder["id"], "the second one left a run"
    os.kill(first.pid, signal.SIGCONT)
    assert ended(first).code == 10
    assert state(place, holder["id"]) == undisturbed
    assert place.sync(folder).code == 10
    assert newest(place)["status"] == "unchanged"


def test_many_at_once_do_it_once(place: Place, undisturbed: State) -> None:
    folder = place.deliver("two", DAY_TWO)
    programs = [place.start("sync", "acme", "--from", folder) for _ in range(4)]
    codes = [ended(program).code for program in programs]
    assert set(codes) <= {10, 75}
    assert 10 in codes
    (applied,) = ask(
        place.site, "SELECT id FROM sync_run WHERE status = 'applied' AND plan_hash = ?", undisturbed.plan_hash
    )
    assert state(place, applied["id"]) == undisturbed
    assert leftovers(place) == []
