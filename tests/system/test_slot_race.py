"""Two daemons with the same sites, whose slot comes for both in the same second: real processes, on either database.

With SQLite both are on one host, since that is where its lock holds; with PostgreSQL it is the server's lock.
"""

import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lzsyncd.config import Site
from tests.bench.memory import descendants
from tests.laws.ground import ask
from tests.service.test_daemon import Company, deliver

NAMES = ("acme", "beta", "gaia")
SOON = timedelta(seconds=25)  # at least so much for both to read when it is
LONGEST = 240.0  # seconds


class Twins:
    """Two daemons that know nothing of each other.

    Args:
        folder: what they share.
        database: makes the sites' databases.
    """

    def __init__(self, folder: Path, database: Callable[[Path], str]) -> None:
        self.folder = folder
        self.both = self.left, self.right = Company(folder, database), Company(folder, database)
        self.right.config, self.right.log = folder / "right.toml", folder / "right.log"
        self.plan(datetime.now(UTC) - timedelta(hours=1))

    def plan(self, slot: datetime) -> None:
        """Write down for both when the slot comes."""
        schedule = f'timezone = "UTC"\nschedule = "daily at {slot:%H:%M}"'
        self.sites = [self.left.site(name, schedule, apply="on-schedule") for name in NAMES]
        self.left.configure()
        text = self.left.config.read_text()
        self.right.config.write_text(text.replace(str(self.folder / "run"), str(self.folder / "right")))

    @property
    def are_idle(self) -> bool:
        """Whether neither has a child."""
        return not any(descendants(one.process.pid) for one in self.both if one.process)


@pytest.fixture
def twins(tmp_path: Path, database: Callable[[Path], str]) -> Iterator[Twins]:
    made = Twins(tmp_path, database)
    yield made
    for one in made.both:
        one.kill()


def runs(site: Site) -> list[tuple[object, ...]]:
    found = ask(site, "SELECT status, coalesce(slot, '') AS slot, attempt FROM sync_run ORDER BY id")
    return [tuple(row.values()) for row in found]


def wait(what: Callable[[], object], otherwise: Callable[[], object]) -> None:
    until = time.monotonic() + LONGEST
    while not what():
        assert time.monotonic() < until, otherwise()
        time.sleep(1)


@pytest.mark.long
def test_a_slot_that_comes_for_two_daemons_at_once_is_run_once(twins: Twins) -> None:
    for site in twins.sites:
        deliver(site)
    for one in twins.both:
        one.start()
    wait(lambda: all(runs(s) == [("checked", "", 1)] for s in twins.sites), lambda: [runs(s) for s in twins.sites])
    slot = (datetime.now(UTC) + SOON).replace(second=0, microsecond=0) + timedelta(minutes=1)
    name = f"daily:{slot:%Y-%m-%d}"
    twins.plan(slot)
    for one in twins.both:
        one.tell(signal.SIGHUP)
    wait(lambda: all(runs(s) == [("applied", name, 1)] for s in twins.sites), lambda: [runs(s) for s in twins.sites])
    wait(lambda: datetime.now(UTC) > slot + timedelta(seconds=5) and twins.are_idle, lambda: "somebody works")
    for site in twins.sites:
        assert runs(site) == [("applied", name, 1)]
        (row,) = ask(site, "SELECT slot, finished_at FROM sync_slot")
        assert row["slot"] == name
        assert row["finished_at"]
        assert ask(site, "SELECT count(DISTINCT run_id) AS n FROM sync_change") == [{"n": 1}]
        assert not list((site.folder / "spool").iterdir())
    for one in twins.both:
        assert not one.events("worker_failed")
        assert not one.events("site_failed")
        assert one.end() == 0
