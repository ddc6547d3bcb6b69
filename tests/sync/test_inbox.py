"""`sync SITE`: what lies in the inbox, claimed and applied now, whether it was to wait for a slot or not."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from lzsyncd.config import Site
from lzsyncd.errors import ExitCode, NoSet, TryAgain
from lzsyncd.ledger.status import Status
from lzsyncd.report.events import RunLog
from lzsyncd.sync.inbox import Clock, check_inbox, sync_inbox
from lzsyncd.sync.run import Options
from tests.laws.bridge import site_of
from tests.laws.company import DAY_ONE, DAY_TWO
from tests.laws.ground import SYNC, ask

LOG = RunLog(structlog.stdlib.get_logger("lzsyncd"))


class Time:
    """A clock that goes on only when somebody sleeps; `then` happens once at a sleep."""

    def __init__(self, then: Callable[[], object] | None = None) -> None:
        self.at, self.then = 1_000.0, then

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        if self.then is not None:
            then, self.then = self.then, None
            then()

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.at, self.sleep)


@pytest.fixture
def site(tmp_path: Path, database: Callable[[Path], str]) -> Site:
    logging.getLogger("lzsyncd").setLevel(logging.CRITICAL)
    made = site_of(replace(SYNC, incomplete="hold"), tmp_path, database(tmp_path / "acme"))
    made.inbox.mkdir(parents=True)
    return made


def deliver(site: Site, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (site.inbox / name).write_bytes(content)


def test_a_set_in_the_inbox_is_claimed_and_applied(site: Site) -> None:
    deliver(site, DAY_ONE)
    (result,) = sync_inbox(site, Options(), LOG, Time().clock)
    assert result.status is Status.APPLIED
    assert list(site.inbox.iterdir()) == []
    assert list((site.folder / "spool").iterdir()) == []
    assert [row["trigger"] for row in ask(site, "SELECT * FROM sync_run")] == ["command"]
    assert len(ask(site, "SELECT id FROM lz_user")) == 4


def test_two_deliveries_are_two_runs(site: Site) -> None:
    deliver(site, DAY_ONE)
    sync_inbox(site, Options(), LOG, Time().clock)
    deliver(site, DAY_TWO)
    (result,) = sync_inbox(site, Options(), LOG, Time().clock)
    assert result.status is Status.APPLIED
    assert result.exit_code is ExitCode.FINDINGS
    assert len(ask(site, "SELECT id FROM sync_run")) == 2


def test_a_file_that_comes_meanwhile_is_part_of_the_set(site: Site) -> None:
    deliver(site, {"user.csv": DAY_ONE["user.csv"], "pos.csv": DAY_ONE["pos.csv"]})
    late = Time(lambda: deliver(site, {"org.csv": DAY_ONE["org.csv"]}))
    (result,) = sync_inbox(site, Options(), LOG, late.clock)
    assert result.status is Status.APPLIED
    assert set(result.counts) == {"org", "pos", "user"}


def test_an_incomplete_set_is_held_and_stays(site: Site) -> None:
    deliver(site, {"user.csv": DAY_ONE["user.csv"]})
    (result,) = sync_inbox(site, Options(), LOG, Time().clock)
    assert (result.status, result.exit_code) == (Status.HELD, ExitCode.HELD)
    assert [path.name for path in site.inbox.iterdir()] == ["user.csv"]
    deliver(site, {"org.csv": DAY_ONE["org.csv"], "pos.csv": DAY_ONE["pos.csv"]})
    (result,) = sync_inbox(site, Options(), LOG, Time().clock)
    assert result.status is Status.APPLIED
    rows = ask(site, "SELECT status FROM sync_run ORDER BY id")
    assert [row["status"] for row in rows] == ["superseded", "applied"]


def test_without_a_set_there_is_nothing_to_do(site: Site) -> None:
    deliver(site, {"Users.csv": b"idnumber\n1\n"})
    with pytest.raises(NoSet, match=r"Close, but not the right name: Users\.csv"):
        sync_inbox(site, Options(), LOG, Time().clock)
    site.inbox.joinpath("Users.csv").unlink()
    site.inbox.rmdir()
    with pytest.raises(NoSet, match="no inbox"):
        sync_inbox(site, Options(), LOG, Time().clock)
    with pytest.raises(NoSet, match="no inbox"):
        check_inbox(site, Options(dry_run=True))


def test_who_writes_on_and_on_is_not_waited_for_for_ever(site: Site) -> None:
    deliver(site, DAY_ONE)
    with (site.inbox / "user.csv").open("ab"), pytest.raises(TryAgain, match="still writing"):
        sync_inbox(site, Options(), LOG, Time().clock)
    assert len(list(site.inbox.iterdir())) == 3


def test_a_dry_run_leaves_the_inbox_as_it_is(site: Site) -> None:
    deliver(site, DAY_ONE)
    (result,) = check_inbox(site, Options(dry_run=True))
    assert result.status is Status.CHECKED
    assert len(list(site.inbox.iterdir())) == 3
    assert ask(site, "SELECT id FROM lz_user") == []
