"""Two hosts with one PostgreSQL server and one folder: whoever has the lock works for a site, nothing is doubled."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lzsyncd.config import Site, load
from lzsyncd.zone.database import opened
from tests.laws.company import DAY_ONE, DAY_TWO
from tests.laws.ground import ask
from tests.postgres import Cluster
from tests.report.letterbox import Letterbox, served
from tests.system.hosts import Host, Network, network
from tests.system.program import Point

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="networks are made by root")

LONGEST = 180.0  # seconds in which anything must have happened; the promise is a minute, on a machine with time for it
NAMES = ("acme", "beta", "gaia")


@dataclass
class Pair:
    """Two hosts, and what they share."""

    folder: Path
    hosts: tuple[Host, Host]
    mails: Letterbox

    @property
    def sites(self) -> dict[str, Site]:
        return load(self.hosts[0].config).sites

    def deliver(self, name: str, files: dict[str, bytes]) -> None:
        inbox = self.sites[name].inbox
        for file, data in files.items():
            (inbox / f".{file}").write_bytes(data)
            (inbox / f".{file}").rename(inbox / file)

    def runs(self, name: str) -> list[tuple[str, str]]:
        found = ask(self.sites[name], "SELECT status, coalesce(slot, '') AS slot FROM sync_run ORDER BY id")
        return [(row["status"], row["slot"]) for row in found]

    def statuses(self, name: str) -> list[str]:
        return [status for status, _ in self.runs(name)]

    def subjects(self) -> Counter[str]:
        return Counter(str(mail["Subject"]) for mail in self.mails.taken)


def told(host: Host) -> dict[str, Any]:
    """What `status` says on a host."""
    (state,) = host.asked("status", "acme")["sites"]
    return state


def wait(what: Callable[[], object], otherwise: Callable[[], Any] = str) -> float:
    """Wait for something; how many seconds that took."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() < began + LONGEST, otherwise()
        time.sleep(0.1)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def street() -> Iterator[Network]:
    with network() as made:
        yield made


@pytest.fixture(scope="module")
def server(street: Network) -> Iterator[Cluster]:
    with Cluster(network=street.cidr) as cluster:
        yield cluster


@pytest.fixture
def pair(street: Network, server: Cluster, tmp_path: Path) -> Iterator[Pair]:
    """Two hosts, whose daemons do not run yet."""
    with served(Letterbox(), host=street.servers) as box:
        hosts = [street.host(number, name, tmp_path) for number, name in ((1, "left"), (2, "right"))]
        databases = {name: f"{name}_{os.urandom(4).hex()}" for name in NAMES}
        for database in databases.values():
            server.create_database(database)
        for host in hosts:
            host.config.write_text(configuration(tmp_path, host, street, server.port, databases, box.port))
        made = Pair(tmp_path, (hosts[0], hosts[1]), box)
        for site in made.sites.values():
            site.inbox.mkdir(parents=True)
            with opened(site):
                pass
        yield made
        for host in hosts:
            host.leave()


def configuration(
    folder: Path, host: Host, street: Network, port: int, databases: dict[str, str], mail_port: int
) -> str:
    head = f'[daemon]\ndata_dir = "{folder / "srv"}"\nruntime_dir = "{folder / host.name}"\n'
    head += f'[mail]\nhost = "{street.servers}"\nport = {mail_port}\nsecurity = "none"\nfrom = "lzsyncd@acme.test"\n'
    missed = datetime.now(UTC) - timedelta(hours=1)
    sites = [
        f'[sites.{name}]\ndatabase = "postgresql://lzsyncd@{street.servers}:{port}/{database}"\nsettle = "1s"\n'
        f'apply = "on-arrival"\nincomplete = "sync"\ntimezone = "UTC"\nschedule = "daily at {missed:%H:%M}"\n'
        f"[sites.{name}.guard]\nmin_records = 1000\n"
        f'[sites.{name}.notify]\nto = ["it@acme.test"]\non = ["success", "warning", "error"]\n'
        for name, database in databases.items()
    ]
    return head + "".join(sites)


def test_sets_slots_and_mails_come_once(pair: Pair) -> None:
    for site in pair.sites.values():  # there is a slot to be made up for
        ask_to_change(site, "UPDATE lzsyncd_migration SET applied = '2020-01-01 00:00:00'")
        pair.deliver(site.name, DAY_ONE)
    for host in pair.hosts:
        host.run()
    wait(lambda: all("applied" in pair.statuses(name) for name in NAMES), lambda: [pair.runs(n) for n in NAMES])
    wait(lambda: sum(pair.subjects().values()) >= len(NAMES), pair.subjects)
    for name in NAMES:
        pair.deliver(name, DAY_TWO)
    wait(
        lambda: all(pair.statuses(name).count("applied") == 2 for name in NAMES), lambda: [pair.runs(n) for n in NAMES]
    )
    wait(lambda: sum(pair.subjects().values()) >= 2 * len(NAMES), pair.subjects)
    for name in NAMES:
        assert pair.statuses(name) == ["applied", "applied"]
        assert ask(pair.sites[name], "SELECT count(*) AS n FROM sync_slot") == [{"n": 1}]
        assert list((pair.sites[name].folder / "spool").iterdir()) == []
    assert set(pair.subjects().values()) == {1}, pair.subjects()


def ask_to_change(site: Site, statement: str) -> None:
    with opened(site) as database:
        database.run(statement)


@pytest.mark.parametrize("vanishes", [False, True], ids=["is killed", "vanishes"])
def test_the_other_takes_over_from_one_that(pair: Pair, vanishes: bool) -> None:
    left, right = pair.hosts
    pair.deliver("acme", DAY_ONE)
    left.run(Point("lzsyncd.sync.run", "make_plan"))
    wait(left.has_stopped)
    right.run()
    wait(lambda: right.events("daemon_started"))
    for host in (left, right):
        assert told(host)["working"]
        wait(lambda host=host: "left" in told(host)["worker"])  # a server that is slow is asked once more
    if vanishes:
        left.cut()
    left.end()
    took = wait(lambda: pair.statuses("acme") == ["applied"], lambda: pair.runs("acme"))
    print(f"taken over in {took:.0f} s")
    wait(lambda: not told(right)["working"])
    assert (told(right)["worker"], told(right)["last_run"]["status"]) == ("", "applied")
    wait(lambda: sum(pair.subjects().values()) >= 1)
    assert list(pair.subjects().values()) == [1]


def test_one_that_was_stopped_and_cut_off_comes_back_to_nothing(pair: Pair) -> None:
    left, right = pair.hosts
    pair.deliver("acme", DAY_ONE)
    left.run(Point("lzsyncd.zone.database", "Database.run", "before", text="COMMIT"))
    wait(left.has_stopped)
    left.signal(signal.SIGSTOP)
    left.cut()
    right.run()
    wait(lambda: pair.statuses("acme") == ["applied"], lambda: pair.runs("acme"))
    left.join()
    left.signal(signal.SIGCONT)
    wait(lambda: left.events("site_failed") or left.events("site_busy"), left.log.read_text)
    pair.deliver("acme", DAY_TWO)
    wait(lambda: pair.statuses("acme").count("applied") == 2, lambda: pair.runs("acme"))
    assert pair.statuses("acme") == ["applied", "applied"]
    wait(lambda: sum(pair.subjects().values()) >= 2, pair.subjects)
    assert set(pair.subjects().values()) == {1}
