"""No process and no thread can be started: told, nothing is lost, and it goes on when there is room again."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lzsyncd.config import Site
from lzsyncd.feed.apart import WORTH_IT
from tests.conftest import copies_of
from tests.laws.ground import ask
from tests.service.test_daemon import ORG, POS, Company, deliver
from tests.system.crowd import no_more_tasks
from tests.system.program import Place, Point, ended, wait_until_stopped

READING = Point("lzsyncd.feed.stage", "Stager.read", "before")
PEOPLE = 105_000  # in a file that is read in a process of its own

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="control groups are made by root")


@pytest.fixture
def company(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Company]:
    made = Company(tmp_path, copies_of(migrated_sqlite))
    yield made
    made.kill()


@pytest.fixture
def site(company: Company) -> Site:
    """Of a daemon that looks often."""
    made = company.site("acme")
    company.configure()
    company.start("sites.RESCAN = 0.5")
    return made


def test_a_daemon_that_can_start_no_process_goes_on_when_it_can(company: Company, site: Site) -> None:
    with no_more_tasks(company.pid):
        deliver(site)
        company.wait_for(lambda: company.events("worker_failed"))
        (told, *_) = company.events("worker_failed")
        assert told["message"] == "The work for acme could not be begun: Resource temporarily unavailable."
        assert sorted(path.name for path in site.inbox.iterdir()) == ["org.csv", "pos.csv", "user.csv"]
        assert company.statuses() == []
    company.wait_for(company.statuses)
    assert company.statuses() == ["applied"]
    assert company.end() == 0


def test_a_daemon_that_can_start_no_thread_watches_a_new_inbox_when_it_can(company: Company, site: Site) -> None:
    with no_more_tasks(company.pid):
        site.inbox.rename(site.inbox.with_name("old"))
        site.inbox.mkdir()
        company.wait_for(
            lambda: any("no events can be had" in told["message"] for told in company.events("inbox_armed"))
        )
    company.wait_for(lambda: company.events("inbox_armed")[-1]["message"] == "The inbox is now watched.")
    deliver(site)
    company.wait_for(company.statuses)
    assert company.statuses() == ["applied"]
    assert company.end() == 0


@pytest.mark.parametrize("kitchen", ["sqlite"], indirect=True)
def test_a_large_file_is_read_by_the_run_itself_where_no_other_process_can_be_started(place: Place) -> None:
    people = b"".join(b"U%d,user%d,Ann,Lee,user%d@example.org,%b\n" % (n, n, n, b"x" * 40) for n in range(PEOPLE))
    header = b"idnumber,username,firstname,lastname,email,city\n"
    folder = place.deliver("big", {"org.csv": ORG, "pos.csv": POS, "user.csv": header + people})
    assert (folder / "user.csv").stat().st_size > WORTH_IT
    process = place.start("sync", "acme", "--from", folder, point=READING, number=signal.SIGSTOP)
    wait_until_stopped(process)
    with no_more_tasks(process.pid):
        os.kill(process.pid, signal.SIGCONT)
        end = ended(process)
    assert end.code == 0, end.err
    assert ask(place.site, "SELECT count(*) AS n FROM lz_user WHERE city LIKE 'x%'") == [{"n": PEOPLE}]
