"""`/metrics` on the page: the numbers of the daemon's file, for whoever has the token, and nothing for anybody else."""

from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from lzsyncd.ledger.fetched import Memory
from lzsyncd.ledger.runs import iso
from lzsyncd.report.metrics import FAMILIES, exposition
from lzsyncd.service.gauges import samples
from lzsyncd.service.instance import Instance
from lzsyncd.web.access import new_token
from lzsyncd.web.store import Role, kept
from lzsyncd.zone.database import Database
from tests.report.test_metrics import Holder, looked, numbers
from tests.report.test_metrics import watch as watch_
from tests.sync.desk import ON_SQLITE
from tests.web.conftest import NOW, Page

TOKEN = "0123456789abcdef0123456789abcdef"
WELL = {"status": "", "config_is_good": True, "sites": {}}
watch = watch_


def configure(page: Page, *more: str, secret: str = TOKEN) -> None:
    """Ask for numbers; `more` goes to the end of the site globex."""
    path = page.folder / "token"
    path.write_text(secret + "\n")
    path.chmod(0o600)
    text = f'{page.house.path.read_text()}\n{chr(10).join(more)}\n[metrics]\ntoken = {{file = "{path}"}}\n'
    page.house.path.write_text(text)


def ask(page: Page, token: str = TOKEN, client: TestClient | None = None) -> Any:
    browser = client or page.browser()
    return browser.get("/metrics", headers={"authorization": f"Bearer {token}"} if token else {})


def told(page: Page) -> dict[str, float]:
    answer = ask(page)
    assert answer.status_code == 200, answer.text
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@ON_SQLITE
def test_where_nobody_asks_for_numbers_there_is_no_such_address(page: Page) -> None:
    answer, other = ask(page), page.browser().get("/nothing")
    assert (answer.status_code, answer.text) == (404, other.text)


@ON_SQLITE
def test_nobody_gets_them_without_the_token_or_hears_which_sites_there_are(page: Page) -> None:
    configure(page)
    secret = new_token(page.site)
    with kept(page.site) as store:
        store.add_token("export", Role.ADMIN, secret, NOW)
    answers = [ask(page, offered) for offered in ("", "wrong", TOKEN[:-1], f"{TOKEN}é".encode(), secret)]
    answers += [ask(page, "", page.browser("ada")), page.browser().get("/metrics", headers={"authorization": TOKEN})]
    for answer in answers:
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.text == answers[0].text
        assert "globex" not in answer.text


@pytest.mark.parametrize("secret", ["", "too short"])
@ON_SQLITE
def test_a_token_that_is_none_lets_nobody_in_and_the_log_says_so(page: Page, secret: str) -> None:
    configure(page, secret=secret)
    with capture_logs() as heard:
        answer = ask(page, secret or "x")
    assert answer.status_code == 503
    assert str(page.folder) not in answer.text
    assert [event["event.action"] for event in heard] == ["metrics_failed"]
    assert "too short" in heard[0]["event"] if secret else "is missing or empty" in heard[0]["event"]


def test_the_page_and_the_daemon_say_the_same(page: Page, watch: Any) -> None:
    configure(page)
    (page.site.inbox / "user.csv").write_bytes(b"")
    answer = ask(page)
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    mine = {name: value for name, value in told(page).items() if "_age_" not in name}
    sites = page.house.config().sites.values()
    theirs = numbers(Holder(*(looked(site, watch) for site in sites)))
    del theirs["lzsyncd_config_last_reload_successful"]
    assert mine == {name: value for name, value in theirs.items() if "_age_" not in name} | {
        "lzsyncd_daemon_running": 0
    }
    assert mine['lzsyncd_last_run_rows{site="acme",element="user",outcome="rejected"}'] == 1
    assert told(page).keys() == mine.keys() | {name for name in theirs if "_age_" in name}, "also the second time"


def test_prometheus_reads_every_family(page: Page, watch: Any) -> None:
    """With the parser of its own library."""
    configure(page)
    charges = [looked(site, watch) for site in page.house.config().sites.values()]
    for text in (ask(page).text, exposition(samples(Holder(*charges)))):  # type: ignore[arg-type]
        families = list(text_string_to_metric_families(text))
        assert {family.name: family.documentation for family in families}.items() <= FAMILIES.items()
        assert {family.type for family in families} == {"gauge"}
        named = [(sample.name, *sorted(sample.labels.items())) for family in families for sample in family.samples]
        assert len(named) == len(set(named)) == len([line for line in text.splitlines() if line[0] != "#"])


@ON_SQLITE
def test_what_only_the_daemon_knows_is_told_while_it_runs(page: Page) -> None:
    configure(page)
    assert told(page)["lzsyncd_daemon_running"] == 0
    with Instance(page.folder / "run") as daemon:
        known = {"acme": {"trouble": {"inbox": "It is gone."}, "working": False}, "globex": {"working": True}}
        daemon.publish(WELL | {"config_is_good": False, "sites": known})
        found = told(page)
    assert found["lzsyncd_daemon_running"] == 1
    assert found["lzsyncd_config_last_reload_successful"] == 0
    assert found['lzsyncd_site_well{site="acme"}'] == 0
    assert found['lzsyncd_site_well{site="globex"}'] == 1
    assert found['lzsyncd_site_working{site="globex"}'] == 1


@ON_SQLITE
def test_a_site_whose_database_or_inbox_is_away_keeps_no_other_from_its_numbers(page: Page) -> None:
    configure(
        page,
        '[sites.away]\ndatabase = "postgresql://nobody@127.0.0.1:1/nowhere"\n',
        f'[sites.lost]\ninbox = "{page.folder}/nowhere"',
    )
    found = told(page)
    assert (found['lzsyncd_site_well{site="away"}'], found['lzsyncd_site_well{site="lost"}']) == (0, 0)
    assert 'lzsyncd_inbox_files{site="lost"}' not in found
    assert found['lzsyncd_site_well{site="acme"}'] == 1
    assert found['lzsyncd_last_run_status{site="acme",status="applied"}'] == 1


def test_how_it_goes_with_a_remote_server_is_told_by_both(page: Page, watch: Any) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK+dZDgXJLyA/ETdvmWNl9nxD1V3ZrogaNCcAJgHLgK2"
    remote = f'[sites.acme.remote]\nhost = "sftp.test"\nusername = "a"\nhost_key = "{key}"\nkey = {{env = "KEY"}}'
    configure(page, remote)
    site = page.house.config().sites["acme"]
    assert site.remote
    names = [f'lzsyncd_remote_{what}{{site="acme"}}' for what in ("well", "last_success_timestamp_seconds")]

    def both() -> list[list[float]]:
        found = [told(page), numbers(Holder(looked(site, watch)))]
        return [[numbers[name] for name in names if name in numbers] for numbers in found]

    assert both() == [[], []], "it was not visited yet"
    database = Database(site)
    memory = Memory(database, site.remote.place)
    Memory(database, "another@place").began(iso(NOW))
    memory.began(iso(NOW))
    memory.ended(iso(NOW), "It does not answer.")
    assert both() == [[0], [0]]
    memory.ended(iso(NOW), "")
    memory.ended(iso(NOW.replace(hour=23)), "It does not answer.")
    database.close()
    assert both() == [[0, NOW.timestamp()]] * 2


def test_the_unit_that_is_documented_gets_the_token() -> None:
    """The page's service can't read the folder of credentials; systemd hands it this one."""
    text = (Path(__file__).parents[2] / "docs/operating.md").read_text()
    assert "lzsyncd-web.service.d/metrics.conf" in text
    assert 'token = {credential = "metrics"}' in text
    assert "LoadCredential=metrics:/etc/lzsyncd/credentials/metrics" in text
