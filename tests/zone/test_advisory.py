"""Who may work for a site where hosts share it: one at a time, and nobody whom the server has given up."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from lzsyncd.config import Site, parse
from lzsyncd.errors import SiteIsBusy, TryAgain
from lzsyncd.intake.remote import _alone
from lzsyncd.intake.watch import Watch
from lzsyncd.service import sites
from lzsyncd.service.daemon import Daemon
from lzsyncd.service.errand import SITE_IS_BUSY, Errand
from lzsyncd.service.sites import Charge
from lzsyncd.zone.advisory import GONE, Lock
from lzsyncd.zone.database import Database

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.fixture
def site(database: Callable[[Path], str], tmp_path: Path) -> Site:
    made = Site.standard("acme", tmp_path)
    made.inbox.mkdir(parents=True)
    return replace(made, database=database(made.folder))


@pytest.fixture
def charge(site: Site) -> Iterator[Charge]:
    watch = Watch(lambda *_: None, lambda: None)
    made = Charge(site, watch)
    made.read_ledger()
    yield made
    watch.stop()


def test_each_kind_of_work_is_for_one_at_a_time(site: Site) -> None:
    with closing(Database(site)) as one, closing(Database(site)) as other:
        one.lock("of one")
        assert one.is_alone(Lock.POST)
        assert not other.is_alone(Lock.POST)
        assert other.is_alone(Lock.VISIT)
        with pytest.raises(SiteIsBusy, match="lzsyncd of one"):
            other.lock("of the other")
        assert other.worker() == "lzsyncd of one"


def test_a_server_is_visited_by_one_at_a_time(site: Site) -> None:
    def visit() -> None:
        with closing(Database(site)) as other, _alone(other, site):
            raise AssertionError("both visit it")

    with closing(Database(site)) as one, _alone(one, site), pytest.raises(TryAgain, match="Another visit"):
        visit()


def test_a_server_asks_whether_we_are_there_and_we_ask_it(site: Site) -> None:
    with closing(Database(site)) as one:
        assert one.value("SHOW tcp_user_timeout") == f"{GONE}000"
        assert one.value("SHOW client_connection_check_interval") == "5s"
        assert one.connection.info.get_parameters()["tcp_user_timeout"] == f"{GONE}000"


def test_who_has_lost_the_session_is_stopped_at_the_fence(site: Site) -> None:
    with closing(Database(site)) as one, closing(Database(site)) as other:
        one.lock("of one")
        one.fence()
        other.value("SELECT pg_terminate_backend(?)", (one.connection.info.backend_pid,))
        with pytest.raises(Exception, match="terminat") as told:
            one.fence()
        assert one.is_away(told.value)


def test_no_child_is_sent_while_somebody_else_works_and_the_ledger_is_looked_into_soon(charge: Charge) -> None:
    with closing(Database(charge.site)) as other:
        other.lock("of the daemon, right, process 7")
        charge.read_ledger()
        assert charge.seen.worker == "lzsyncd of the daemon, right, process 7"
        assert charge.ledger_at < sites.monotonic() + 10
        charge.seen = replace(charge.seen, open_slots=1)
        assert charge.errand(Errand(charge.site).log, pretty=False) is None
    charge.read_ledger()
    while charge.seen.worker:
        charge.read_ledger()
    charge.seen = replace(charge.seen, open_slots=1)
    assert charge.errand(Errand(charge.site).log, pretty=False) is not None


def test_what_another_host_begins_is_noticed_at_the_next_look(charge: Charge) -> None:
    charge.look()
    charge.read_ledger()
    (charge.site.folder / "spool" / "20261123T080000042-c9e383a3").mkdir(parents=True)
    assert charge.ledger_at > sites.monotonic() + 1000
    charge.look()
    assert charge.ledger_at <= sites.monotonic()


def test_a_site_that_is_busy_makes_nobody_wait_longer_each_time(charge: Charge) -> None:
    for _ in range(5):
        charge.ended(SITE_IS_BUSY, Errand(charge.site))
    assert charge.not_before <= sites.monotonic() + sites.PAUSES[0]


def test_status_says_who_works(charge: Charge) -> None:
    head = f'[daemon]\ndata_dir = "{charge.site.folder.parent}"\n'
    config = parse(f'{head}[sites.acme]\ndatabase = "{charge.site.database}"\n')
    daemon = Daemon(config, lambda: config, pretty=False)
    with closing(Database(charge.site)) as other:
        other.lock("of the daemon, right, process 7")
        daemon.charges["acme"].read_ledger()
    assert "acme: lzsyncd of the daemon, right, process 7 works for it" in daemon.health.status()
    assert daemon.health.report()["sites"]["acme"]["working"]
    daemon.charges["acme"].read_ledger()
    assert "works for it" not in daemon.health.status()
    assert not daemon.health.report()["sites"]["acme"]["working"]
    daemon.watch.stop()
