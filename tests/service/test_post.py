"""The daemon sends mails and writes numbers beside its runs: real processes, a real mail server, short patience."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lzsyncd.zone.database import opened
from tests.report.letterbox import HOST, Letterbox, served
from tests.service.test_daemon import LONGEST, SET, USER, Company, deliver

EVERYTHING = '["error", "warning", "held", "late", "recovered", "success"]'
OFTEN = "ledgers.EVERY = 1; from lzsyncd.service import gauges; gauges.EVERY = 0.2"
BAD = {"user.csv": USER.replace(b"@", b"@@"), "org.csv": SET["org.csv"], "pos.csv": SET["pos.csv"]}


@pytest.fixture
def company(tmp_path: Path, database: Callable[[Path], str]) -> Iterator[Company]:
    made = Company(tmp_path, database)
    yield made
    made.kill()


def told(box: Letterbox, more: str = "") -> str:
    mail = f'[mail]\nhost = "{HOST}"\nport = {box.port}\nsecurity = "none"\nfrom = "lzsyncd@acme.test"\n'
    return f"{more}\n{mail}"


def notified(more: str = "") -> str:
    """The keys of a site of which somebody is told; they end with a table."""
    return f'{more}[sites.acme.notify]\nto = ["it@acme.test"]\non = {EVERYTHING}\n'


def wait_for(come: Callable[[], object]) -> None:
    until = time.monotonic() + LONGEST
    while not come():
        assert time.monotonic() < until
        time.sleep(0.05)


def numbers(path: Path) -> dict[str, float]:
    lines = path.read_text().splitlines() if path.exists() else []
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_what_a_run_found_is_mailed_and_counted(company: Company) -> None:
    """From the file in the inbox to the mail in the letterbox, and no run waits for it."""
    metrics = company.folder / "lzsyncd.prom"
    with served(Letterbox()) as box:
        site = company.site("acme", notified())
        company.configure(told(box, f'[metrics]\ntextfile = "{metrics}"'))
        company.start(OFTEN)
        deliver(site, BAD)
        wait_for(lambda: box.taken)
        company.wait_for(lambda: company.events("mail_sent"))
        assert re.fullmatch(r"\[lzsyncd\] acme: 1 of 3 records rejected \(run .{8}\)", box.subjects[0])
        (attached,) = box.taken[0].iter_attachments()
        assert attached.get_filename() == "rejected-user.csv"
        key = 'lzsyncd_last_run_rows{site="acme",element="user",outcome="rejected"}'
        wait_for(lambda: numbers(metrics).get(key) == 1)
        assert numbers(metrics)["lzsyncd_config_last_reload_successful"] == 1
        company.config.write_text("[demon]\n")
        company.tell(1)
        wait_for(lambda: numbers(metrics)["lzsyncd_config_last_reload_successful"] == 0)
        assert company.end() == 0
    assert len(box.taken) == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_mails_wait_for_the_server_and_runs_do_not(company: Company) -> None:
    down = Letterbox()
    with served(down):
        pass
    site = company.site("acme", notified())
    company.configure(told(down))
    company.start(OFTEN)
    deliver(site, BAD)
    company.wait_for(lambda: company.events("mail_deferred"))
    deliver(site)
    company.wait_for(lambda: len(company.statuses()) == 2)
    company.wait_for(lambda: len(company.events("mail_deferred")) >= 2)
    with opened(site) as database:
        database.run("UPDATE sync_mail SET due_at = '2026-01-01T00:00:00.000Z'")
    with served(down) as box:
        wait_for(lambda: len(box.taken) == 2)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_that_nothing_comes_is_told_without_anything_that_comes(company: Company) -> None:
    with served(Letterbox()) as box:
        site = company.site("acme", notified('feed_expected_every = "1d"\n'))
        company.configure(told(box))
        with opened(site) as database:
            database.run("UPDATE lzsyncd_migration SET applied = '2026-01-01 00:00:00'")
        company.start(OFTEN)
        wait_for(lambda: box.taken)
        company.wait_for(lambda: company.events("mail_sent"))
        deliver(site)
        wait_for(lambda: len(box.taken) == 2)
        assert [subject.partition(" (run")[0] for subject in box.subjects] == [
            "[lzsyncd] acme: no good set has come",
            "[lzsyncd] acme: a good set has come again",
        ]
