"""The daemon where a site's disk breaks: it stays up, other sites go on, what is wrong is told, and it goes on after.

All that the site has is on that disk: inbox, spool, archive, outbox, and its database where that is SQLite.
"""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.laws.ground import ask
from tests.service.test_daemon import SET, USER, Company, deliver
from tests.system.disks import Disk

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root mounts")
HASTY = "sites.RESCAN = 0.5; sites.PAUSES = (0.5,); ledgers.EVERY = 1; sites.TRUST = 1.0"


def named(name: str) -> dict[str, bytes]:
    """The set in which the one person there is has this name."""
    return SET | {"user.csv": USER.replace(b",Ann,", f",{name},".encode())}


class House:
    """Two sites under one daemon: `disk`, whose folder is a disk of its own, and `neighbour`."""

    def __init__(self, folder: Path, database: Callable[[Path], str]) -> None:
        self.disk = Disk(folder)
        self.company = Company(folder, database)
        self.site, self.neighbour = self.company.site("disk"), self.company.site("neighbour")
        self.company.configure(f'[metrics]\ntextfile = "{folder}/numbers.prom"')
        self.numbers = folder / "numbers.prom"

    def is_well(self) -> None:
        """Both get a set, which is applied; neither is said to have trouble."""
        deliver(self.site, named("Before"))
        self.neighbour_goes_on("Before")
        self.company.wait_for(lambda: self.company.statuses("disk") == ["applied"])

    def neighbour_goes_on(self, name: str) -> None:
        before = len(self.company.statuses("neighbour"))
        deliver(self.neighbour, named(name))
        self.company.wait_for(lambda: len(self.company.statuses("neighbour")) > before)
        assert ask(self.neighbour, "SELECT firstname FROM lz_user") == [{"firstname": name}]

    def names(self) -> list[str]:
        return [row["firstname"] for row in ask(self.site, "SELECT firstname FROM lz_user")]

    def status(self) -> dict[str, list[str]]:
        """What `lzsyncd status` says is wrong with each."""
        return {site["site"]: site["trouble"] for site in self.company.asked()["sites"]}

    def has_number(self, number: int) -> bool:
        """Whether this is what dashboards are told of the site."""
        return f'lzsyncd_site_well{{site="disk"}} {number}\n' in self.numbers.read_text()


@pytest.fixture
def house(tmp_path: Path, database: Callable[[Path], str]) -> Iterator[House]:
    made = House(tmp_path, database)
    yield made
    made.company.kill()
    made.disk.unmount()


@pytest.mark.parametrize("cold", [False, True], ids=["in memory", "not in memory"])
def test_a_disk_that_breaks_under_a_site_of_the_daemon_s(house: House, cold: bool) -> None:
    """What is in memory is still read for a while; a set that lies there is seen, and can't be claimed."""
    company, site = house.company, house.site
    company.start(HASTY)
    house.is_well()
    company.tell(signal.SIGSTOP)
    deliver(site, named("After"))
    files = [path for path in house.disk.mounted.rglob("*") if path.is_file()] if cold else []
    house.disk.break_down(forget=files)
    company.tell(signal.SIGCONT)
    company.wait_for(lambda: house.has_number(0))
    house.neighbour_goes_on("Meanwhile")
    company.wait_for(lambda: house.status()["disk"])
    trouble = house.status()
    assert trouble["neighbour"] == []
    for told in trouble["disk"]:  # of the inbox, the database, or the work
        assert told.startswith(("The disk is broken", "The disk is full or broken")), told
        assert str(site.folder) in told
    failed = ("inbox_failed", "database_failed", "site_failed")
    assert [action for action in failed if company.events(action, "disk")]
    assert company.statuses("disk") == ["applied"]

    house.disk.replace()
    company.wait_for(lambda: house.names() == ["After"])
    company.wait_for(lambda: house.status()["disk"] == [])
    company.wait_for(lambda: house.has_number(1))
    house.neighbour_goes_on("Then")
    assert list(site.inbox.iterdir()) == []
    assert company.end() == 0
    assert not [line for line in company.log.read_text().splitlines() if "error.stack_trace" in json.loads(line)]
