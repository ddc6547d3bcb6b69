"""A signal breaks work off wherever it comes, and the connection lives to tell why."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import FrameType

import pytest

from lzsyncd.config import Site, parse
from lzsyncd.errors import Interrupted, TookTooLong
from lzsyncd.zone.database import Database

SOON, LATE = 0.05, 3_600.0  # seconds


@pytest.fixture
def site(tmp_path: Path, database: Callable[[Path], str]) -> Site:
    url = database(tmp_path / "acme")
    return parse(f'[daemon]\ndata_dir = "{tmp_path}"\n[sites.acme]\ndatabase = "{url}"\n').sites["acme"]


@pytest.fixture
def opened(site: Site) -> Iterator[Database]:
    """Its brake is pulled by SIGALRM."""
    with closing(Database(site)) as made:

        def pull(_number: int, _frame: FrameType | None) -> None:
            made.brake.pull(TookTooLong("too long"))

        before = signal.signal(signal.SIGALRM, pull)
        made.run("CREATE TABLE scratch (number INTEGER)")
        yield made
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def breaks_off(database: Database, seconds: float, doing: Callable[[], object]) -> bool:
    """Whether it was broken off after so long, undone, and nothing happened to the connection."""
    try:
        with database.transaction():
            database.run("INSERT INTO scratch VALUES (1)")
            signal.setitimer(signal.ITIMER_REAL, seconds)
            doing()
    except TookTooLong:
        with database.transaction():
            return int(database.value("SELECT count(*) FROM scratch")) == 0
    return False


def test_many_rows_on_their_way_come_to_an_end(opened: Database) -> None:
    def rows() -> Iterator[tuple[int]]:
        for number in range(50_000):
            if number == 20_000:
                signal.raise_signal(signal.SIGALRM)
            yield (number,)

    assert breaks_off(opened, LATE, lambda: opened.load("scratch", ["number"], rows()))


def test_a_query_without_end_comes_to_one(opened: Database) -> None:
    numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT count(*) FROM n"
    assert breaks_off(opened, SOON, lambda: opened.value(numbers))


def test_at_whatever_moment_it_comes_the_connection_is_kept(opened: Database) -> None:
    def doing() -> None:
        while True:
            opened.run("INSERT INTO scratch VALUES (1)")
            list(opened.stream("SELECT number FROM scratch"))

    chance = random.Random(7)
    assert all(breaks_off(opened, chance.uniform(0.0001, 0.004), doing) for _ in range(60))


def test_what_is_gone_through_with_is_not_broken_off_and_the_next_statement_is(opened: Database) -> None:
    with opened.brake.held():
        opened.brake.pull(Interrupted("the end"))
        assert opened.value("SELECT 1") == 1
    with pytest.raises(Interrupted, match="the end"):
        opened.value("SELECT 1")
    assert opened.value("SELECT 1") == 1, "it is said once"


def test_a_reason_that_is_none_any_more_breaks_nothing_off(opened: Database) -> None:
    opened.brake.pull(TookTooLong("too long"))
    opened.brake.release(Interrupted)
    opened.brake.release(TookTooLong)
    assert opened.value("SELECT 1") == 1


def test_a_failure_of_the_database_is_its_own_where_nobody_pulled(opened: Database) -> None:
    with pytest.raises(Exception, match="nowhere"):
        opened.value("SELECT 1 FROM nowhere")


def test_who_waits_for_others_than_the_database_is_broken_off_while_waiting(opened: Database) -> None:
    def waiting() -> None:
        with opened.brake.eager():
            assert opened.value("SELECT 1") == 1
            signal.setitimer(signal.ITIMER_REAL, SOON)
            time.sleep(LATE)

    with pytest.raises(TookTooLong):
        waiting()
    assert opened.value("SELECT 1") == 1
