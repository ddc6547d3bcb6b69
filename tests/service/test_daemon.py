"""The daemon as a process of its own, with real inboxes, ledgers and children; only its patience is short."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lzsyncd.cli.daemon import plain_run
from lzsyncd.config import Site
from lzsyncd.intake.touches import wake
from lzsyncd.ledger import requests
from lzsyncd.ledger.requests import Kind
from lzsyncd.zone.database import Database
from tests.bench.memory import descendants
from tests.conftest import copies_of

REPOSITORY = Path(__file__).parents[2]
LONGEST = 60.0  # seconds in which anything must have happened
SETTLE = 1.0
ORG = b"idnumber,fullname\nROOT,All\n"
POS = b"idnumber,fullname\nP1,Clerk\n"
USER = b"idnumber,username,firstname,lastname,email\nU1,ann,Ann,Lee,ann@example.org\n"
SET = {"org.csv": ORG, "pos.csv": POS, "user.csv": USER}

RUNNER = """
import sys
from pathlib import Path
from lzsyncd.cli.daemon import run_daemon
from lzsyncd.service import daemon, ledgers, sites, worker
exec(sys.argv[2])
run_daemon(Path(sys.argv[1]))
"""
DEAF = "daemon.Daemon._on_event = lambda *_: None"

# A child that does nothing but say when it was there; so everything stays to be done, for every site.
IDLER = r"""
import re, sys, time
name = re.search(rb"site\d\d\d", sys.stdin.buffer.read())[0].decode()
def say(what):
    with open(LOG, "a") as log:
        log.write(f"{time.monotonic()} {what} {name}\n")
say("begins")
time.sleep(0.01)
say("ends")
"""


def beginnings(turns: Path) -> list[str]:
    """The sites whose child began, in order."""
    lines = [line.split() for line in turns.read_text().splitlines()]
    return [name for _, what, name in lines if what == "begins"]


class Company:
    """A folder with a configuration, sites below it, and perhaps a daemon that runs with them."""

    def __init__(self, folder: Path, make_database: Callable[[Path], str]) -> None:
        self.folder, self._make_database = folder, make_database
        self.config, self.log = folder / "lzsyncd.toml", folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self._tables: dict[str, str] = {}
        self._databases: dict[str, str] = {}

    def site(self, name: str, more: str = "", *, apply: str = "on-arrival") -> Site:
        """Configure a site, anew if it is known."""
        made = Site.standard(name, self.folder)
        if name not in self._tables:
            made.inbox.mkdir(parents=True)
            (made.folder / "spool").mkdir()
            self._databases[name] = self._make_database(made.folder)
        keys = f'database = "{self._databases[name]}"\nsettle = "{SETTLE:.0f}s"\napply = "{apply}"\n{more}'
        self._tables[name] = f"[sites.{name}]\n{keys}\n"
        return replace(made, database=self._databases[name])

    def forget(self, name: str) -> None:
        del self._tables[name]

    def configure(self, more: str = "") -> None:
        head = f'[daemon]\ndata_dir = "{self.folder}"\nruntime_dir = "{self.folder / "run"}"\n{more}\n'
        self.config.write_text(head + "".join(self._tables.values()))

    def start(self, patches: str | None = None) -> None:
        """Start the daemon, and wait until it is ready."""
        program = ["-m", "lzsyncd", "--config", self.config, "run"]
        if patches is not None:
            program = ["-c", RUNNER, self.config, patches]
        ready = len(self.events("daemon_started"))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *program], cwd=REPOSITORY, stdout=log, stderr=log, start_new_session=True
            )
        self.wait_for(lambda: len(self.events("daemon_started")) > ready)

    @property
    def pid(self) -> int:
        """Of the daemon."""
        assert self.process is not None
        return self.process.pid

    def tell(self, number: int) -> None:
        os.kill(self.pid, number)

    def end(self) -> int:
        """Tell it to end; returns its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(LONGEST)

    def kill(self) -> None:
        """Leave nothing behind."""
        if self.process is not None:
            for pid in [*descendants(self.process.pid), self.process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait(LONGEST)

    def events(self, action: str, site: str | None = None) -> list[dict[str, Any]]:
        """Lines of the log."""
        if not self.log.exists():
            return []
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.endswith("}")]
        return [line for line in lines if line.get("event.action") == action and site in (None, line.get("site"))]

    def statuses(self, site: str = "acme") -> list[str]:
        """How its runs ended."""
        return [line["run.status"] for line in self.events("run_finished", site) if "run.status" in line]

    def wait_for(self, come: Callable[[], object]) -> None:
        until = time.monotonic() + LONGEST
        while not come():
            assert self.process is None or self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)

    def asked(self) -> dict[str, Any]:
        """What `lzsyncd status --json` says."""
        command = [sys.executable, "-m", "lzsyncd", "--config", str(self.config), "status", "--json"]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, timeout=LONGEST, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def deliver(site: Site, files: dict[str, bytes] | None = None) -> float:
    """Put a set into an inbox; returns when its last byte was written."""
    for name, data in (files or SET).items():
        (site.inbox / name).write_bytes(data)
    return time.time()


@pytest.fixture
def company(tmp_path, database) -> Iterator[Company]:
    """On either database."""
    made = Company(tmp_path, database)
    yield made
    made.kill()


@pytest.fixture
def small(tmp_path, migrated_sqlite) -> Iterator[Company]:
    """On SQLite: the database has no part in it. It is there already, so no child is about to make it."""
    made = Company(tmp_path, copies_of(migrated_sqlite))
    yield made
    made.kill()


def test_a_set_is_applied_when_it_has_been_quiet_for_long_enough(company):
    site = company.site("acme")
    company.configure()
    company.start()
    written = deliver(site)
    company.wait_for(company.statuses)
    (started,) = company.events("run_started")
    assert datetime.fromisoformat(started["@timestamp"]).timestamp() >= written + SETTLE - 0.05
    assert company.statuses() == ["applied"]
    assert not list(site.inbox.iterdir())
    assert company.end() == 0


def test_the_same_set_twice_is_two_runs_and_the_second_changes_nothing(small):
    site = small.site("acme")
    small.configure()
    small.start()
    deliver(site)
    small.wait_for(lambda: small.statuses() == ["applied"])
    deliver(site)
    small.wait_for(lambda: small.statuses() == ["applied", "unchanged"])


def test_a_file_with_no_event_is_found_within_one_rescan(small):
    site = small.site("acme")
    small.configure()
    small.start(f"{DEAF}; sites.RESCAN = 0.5")
    deliver(site)
    small.wait_for(small.statuses)


def test_sigusr1_looks_now(small):
    site = small.site("acme")
    small.configure()
    small.start(f"{DEAF}; sites.RESCAN = 600.0")
    deliver(site)
    time.sleep(SETTLE + 1)
    assert not small.events("run_started")
    small.tell(signal.SIGUSR1)
    small.wait_for(small.statuses)


def test_what_a_person_decides_is_carried_out_at_once(small):
    """The daemon looks into ledgers once a minute; whoever asks for something rings for it."""
    site = small.site("acme", 'incomplete = "hold"\nset_window = "0s"')
    small.configure()
    small.start("ledgers.EVERY = 100_000")
    deliver(site, {"user.csv": USER})
    small.wait_for(lambda: small.events("set_held"))
    (held,) = small.events("set_held")
    command = [sys.executable, "-m", "lzsyncd", "--config", str(small.config), "approve", held["run.id"], "--json"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, timeout=LONGEST, check=False)
    assert (done.returncode, json.loads(done.stdout)["status"]) == (10, "applied"), done.stderr
    (asked,) = small.events("request_done")
    assert (asked["run.id"], asked["exit_code"]) == (held["run.id"], 10)
    assert small.statuses() == ["applied"]


def test_what_the_page_asks_for_is_done_at_once_though_it_may_send_no_signal(small):
    site = small.site("acme", 'incomplete = "hold"\nset_window = "0s"')
    small.configure()
    small.start("ledgers.EVERY = 100_000")
    deliver(site, {"user.csv": USER})
    small.wait_for(lambda: small.events("set_held"))
    (held,) = small.events("set_held")
    with closing(Database(site)) as database:
        asked = datetime.now(UTC).isoformat()
        requests.ask(database, Kind.DISCARD, held["run.id"], plan_hash="", by="ada", now=asked, trigger="page")
    wake(site.inbox)
    small.wait_for(lambda: small.events("request_done"))
    (done,) = small.events("request_done")
    assert (done["run.id"], done["exit_code"]) == (held["run.id"], 0)
    assert list(site.inbox.iterdir()) == []


def test_an_inbox_that_is_replaced_is_watched_again_after_one_rescan(small):
    site = small.site("acme")
    small.configure()
    small.start("sites.RESCAN = 0.5")
    site.inbox.rename(site.inbox.with_name("old"))
    site.inbox.mkdir()
    small.wait_for(lambda: small.events("inbox_armed"))
    deliver(site)
    small.wait_for(small.statuses)


def test_a_new_sites_database_is_made_before_its_first_set_comes(small):
    site = small.site("acme")
    (site.folder / "zone.db").unlink()
    small.configure()
    small.start()
    small.wait_for((site.folder / "zone.db").exists)


def test_a_set_that_lies_there_at_the_start_is_taken(small):
    site = small.site("acme")
    deliver(site)
    small.configure()
    small.start()
    small.wait_for(small.statuses)


def test_all_sites_have_their_turn(small):
    sites = [small.site(f"site{number}") for number in range(5)]
    small.configure("workers = 2")
    small.start()
    for site in sites:
        deliver(site)
    small.wait_for(lambda: all(small.statuses(site.name) for site in sites))
    assert all(small.statuses(site.name) == ["applied"] for site in sites)


def test_a_hundred_sites_that_never_end_working_share_the_workers_fairly(small):
    workers, turns = 3, small.folder / "turns"
    for number in range(100):
        deliver(small.site(f"site{number:03}"))
    small.configure(f"workers = {workers}")
    program = f"LOG = {str(turns)!r}\n{IDLER}".replace("{", "{{").replace("}", "}}")
    turns.touch()
    unmeasured = "import os; os.environ.pop('COVERAGE_PROCESS_CONFIG', None)"  # 250 children that have nothing of ours
    small.start(f"worker.PROGRAM = {program!r}; {unmeasured}")
    small.wait_for(lambda: len(set(beginnings(turns))) == 100)
    while_some_settled = len(beginnings(turns))  # whose files are quiet first may well begin again before the last are
    small.wait_for(lambda: len(beginnings(turns)) >= while_some_settled + 150)
    begun = Counter(beginnings(turns)[while_some_settled:])
    assert len(begun) == 100
    assert max(begun.values()) - min(begun.values()) <= 1
    lines = [line.split() for line in turns.read_text().splitlines()]
    working = Counter()
    for _, what, name in sorted(lines, key=lambda line: float(line[0])):
        working[name] += 1 if what == "begins" else -1
        assert working[name] <= 1
        assert working.total() <= workers


def test_sighup_adds_a_site(small):
    small.site("acme")
    small.configure()
    small.start()
    other = small.site("other")
    small.configure()
    small.tell(signal.SIGHUP)
    small.wait_for(lambda: small.events("config_reloaded"))
    deliver(other)
    small.wait_for(lambda: small.statuses("other"))


def test_sighup_changes_a_site(small):
    site = small.site("acme", apply="on-schedule")
    small.configure()
    small.start()
    deliver(site)
    small.wait_for(lambda: small.statuses() == ["checked"])
    status = small.folder / "run" / "status.json"
    small.wait_for(lambda: re.search(r"acme: 1 checked, to be applied on \S+ at 02:00", status.read_text()))
    small.site("acme", apply="on-arrival")
    small.configure()
    small.tell(signal.SIGHUP)
    small.wait_for(lambda: small.events("config_reloaded"))
    deliver(site, {**SET, "org.csv": ORG + b"ONE,One\n"})
    small.wait_for(lambda: "applied" in small.statuses())


def test_sighup_removes_a_site_and_leaves_its_files_alone(small):
    small.site("acme")
    other = small.site("other")
    small.configure()
    small.start()
    small.forget("other")
    small.configure()
    small.tell(signal.SIGHUP)
    small.wait_for(lambda: small.events("config_reloaded"))
    deliver(other)
    time.sleep(SETTLE + 1)
    assert len(list(other.inbox.iterdir())) == len(SET)
    assert not small.events("run_started")


def test_sighup_with_a_broken_configuration_changes_nothing(small):
    site = small.site("acme")
    small.configure()
    small.start()
    small.configure("wrokers = 3")
    small.tell(signal.SIGHUP)
    small.wait_for(lambda: small.events("config_rejected"))
    deliver(site)
    small.wait_for(small.statuses)
    assert small.end() == 0


def test_sigterm_in_the_middle_of_a_run_ends_it_and_the_next_start_goes_on(small):
    site = small.site("acme")
    small.configure()
    small.start()
    people = (f"U{number},u{number},Ann,Lee,u{number}@example.org\n".encode() for number in range(150_000))
    deliver(site, {**SET, "user.csv": USER.splitlines(keepends=True)[0] + b"".join(people)})
    small.wait_for(lambda: small.events("run_started"))
    assert small.end() == 0
    with contextlib.closing(sqlite3.connect(site.folder / "zone.db")) as ledger:
        assert ledger.execute("SELECT status FROM sync_run").fetchall() == [("interrupted",)]
        assert ledger.execute("SELECT count(*) FROM lz_user").fetchone() == (0,)
    small.start()
    small.wait_for(lambda: "applied" in small.statuses())
    with contextlib.closing(sqlite3.connect(site.folder / "zone.db")) as ledger:
        assert ledger.execute("SELECT count(*) FROM lz_user").fetchone() == (150_000,)


def test_what_is_waited_for_is_told(small):
    site = small.site("acme")
    small.configure()
    small.start()
    (site.inbox / "org.csv").write_bytes(ORG)
    (site.inbox / "User.csv").write_bytes(USER)
    status = small.folder / "run" / "status.json"
    small.wait_for(lambda: status.exists() and "pos.csv and user.csv are missing" in status.read_text())
    asked = small.asked()
    (found,) = asked["sites"]
    assert asked["daemon"] is True
    assert found["waiting"][0].startswith("org.csv is here since ")
    assert found["near_misses"] == ["User.csv"]
    assert found["inbox"] == ["User.csv", "org.csv"]
    assert small.end() == 0
    assert small.asked()["daemon"] is False
    assert not status.exists()


def test_only_one_daemon_runs(small):
    small.site("acme")
    small.configure()
    small.start()
    command = [sys.executable, "-m", "lzsyncd", "--config", str(small.config), "run"]
    second = subprocess.run(command, cwd=REPOSITORY, capture_output=True, timeout=LONGEST, check=False, text=True)
    assert second.returncode == 75
    assert json.loads(second.stdout)["message"].startswith("Another lzsyncd runs")
    assert second.stderr == ""


def test_a_configuration_that_can_not_be_used_is_told_line_by_line_as_json(small):
    small.config.write_text('[sites.acme]\nschedule = "daily at 25:00"\nsettel = "1s"\n')
    command = [sys.executable, "-m", "lzsyncd", "--config", str(small.config), "run"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, timeout=LONGEST, check=False, text=True)
    assert (done.returncode, done.stderr) == (78, "")
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["message"].startswith(f"{small.config}:2: sites.acme.schedule: ")
    assert second["message"].startswith(f"{small.config}:3: sites.acme.settel: ")
    assert (first["log.level"], first["event.action"]) == ("error", "daemon_failed")


def test_what_nobody_foresaw_is_a_line_of_the_log_too_wherever_it_happens(small):
    """In a thread of a library, where the interpreter can't pass it on, as a warning, in the daemon itself."""
    small.site("acme")
    small.configure()
    tell = (
        "import threading, warnings\n"
        "class Odd:\n    def __del__(self): raise KeyError('Lovelace')\n"
        "def happen(*_):\n"
        "    thread = threading.Thread(target=lambda: [].remove('Lovelace')); thread.start(); thread.join()\n"
        "    Odd(); warnings.warn('It is odd.'); raise ValueError('Lovelace')\n"
        "daemon.Daemon._meet = happen\n"
    )
    command = [sys.executable, "-c", RUNNER, str(small.config), tell]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, timeout=LONGEST, check=False, text=True)
    assert done.stderr == ""
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line.get("error.type", "") for line in told] == ["ValueError", "KeyError", "", "ValueError"]
    assert "It is odd." in told[2]["message"]
    assert (told[-1]["event.action"], told[-1]["log.level"]) == ("daemon_failed", "critical")
    assert "Lovelace" not in done.stdout


# -- small


def test_the_daemon_has_loaded_nothing_that_only_commands_and_runs_need(small):
    small.site("acme")
    small.configure()
    tell = "sys.modules.pop('lzsyncd.cli.app', None); daemon.Daemon._meet = lambda *_: print(*sys.modules) or exit()"
    command = [sys.executable, "-c", RUNNER, str(small.config), tell]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, timeout=LONGEST, check=True, text=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "watchdog" in loaded
    assert not loaded & {"typer", "pydantic", "rich", "pygments", "peewee", "psycopg", "paramiko"}


@pytest.mark.parametrize(
    ("arguments", "environment", "config"),
    [
        (["run"], None, "/etc/lzsyncd/lzsyncd.toml"),
        (["run"], "", "/etc/lzsyncd/lzsyncd.toml"),
        (["run"], "there.toml", "there.toml"),
        (["--config", "here.toml", "run"], "there.toml", "here.toml"),
        (["run", "--help"], None, None),
        (["run", "acme"], None, None),
        (["--config", "run"], None, None),
        (["--config=here.toml", "run"], None, None),
        (["status"], None, None),
        ([], None, None),
    ],
)
def test_a_plain_run_is_told_from_all_other_commands(arguments, environment, config, monkeypatch):
    monkeypatch.delenv("LZSYNCD_CONFIG", raising=False)
    if environment is not None:
        monkeypatch.setenv("LZSYNCD_CONFIG", environment)
    assert plain_run(arguments) == (None if config is None else Path(config))


def test_what_the_log_does_without_is_there_for_commands():
    program = "import sys, lzsyncd.logs; assert 'rich' not in sys.modules; import rich.table; print(rich.__name__)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, timeout=LONGEST, check=True, text=True)
    assert done.stdout == "rich\n"
