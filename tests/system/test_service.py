"""The installed service under a real systemd: starts, works inside its sandbox, survives what ends it."""

import gzip
import json
import re
import time
from collections.abc import Callable, Iterator
from email import message_from_string
from pathlib import Path
from typing import Any

import pytest

from lzsyncd.logs import KEYS
from tests.laws.company import DAY_ONE
from tests.report.letterbox import papers
from tests.system.booted import Machine
from tests.system.installation import LZSYNCD, booted_with
from tests.system.premises import CONFIG, SRV, add_site, owner

UNIT = "lzsyncd.service"
DROP_IN = "/etc/systemd/system/lzsyncd.service.d/test.conf"
INBOX = f"{SRV}/acme/sftp/inbox"
LONGEST = 60.0  # seconds in which anything must have happened
QUICK = 30.0  # seconds that stopping may take on a busy machine; a child that does not end is given 90
MANY = 120_000
"""People whose first sync takes seconds: time enough to break in."""

ON_ARRIVAL = 'settle = "1s"\napply = "on-arrival"\n'
MAILSERVER = Path(__file__).with_name("mailserver.py")
BROKEN_RECORD = {**DAY_ONE, "user.csv": DAY_ONE["user.csv"].replace(b"dee@", b"dee@@")}
BROKEN = "this is no TOML\n"


class Service:
    """The service of a machine.

    Args:
        machine: with lzsyncd installed.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._since = time.time() * 1_000_000

    def configure(self, text: str) -> None:
        """Write the configuration."""
        self.machine.run("sh", "-c", f"cat >{CONFIG}", stdin=text)

    def add(self, more: str) -> None:
        """Add lines to the configuration."""
        self.configure(self.machine.read(CONFIG) + more)

    def drop_in(self, lines: str) -> None:
        """Change the unit."""
        self.machine.write(DROP_IN, f"[Service]\n{lines}\n")
        self.machine.run("systemctl", "daemon-reload")

    def systemctl(self, *words: str, check: bool = True) -> int:
        return self.machine.run("systemctl", *words, UNIT, check=check).returncode

    def show(self, name: str) -> str:
        return self.machine.show(UNIT, name)

    def wait_for(self, name: str, value: str) -> None:
        """Wait until a property of the unit has a value."""
        wait(lambda: value in self.show(name), lambda: f"{name} is {self.show(name)}")

    @property
    def pid(self) -> int:
        return int(self.show("MainPID"))

    @property
    def processes(self) -> list[int]:
        """All of the service but its main process."""
        listed = self.machine.run("cat", f"/sys/fs/cgroup/system.slice/{UNIT}/cgroup.procs", check=False).stdout
        return [int(pid) for pid in listed.split() if int(pid) != self.pid]

    def signal(self, name: str, pid: int) -> None:
        assert pid > 1
        self.machine.run("kill", f"-{name}", str(pid))

    # -- what it says

    @property
    def journal(self) -> list[dict[str, Any]]:
        """What the journal has since the test began."""
        return [line for line in self.machine.journal(UNIT) if int(line["__REALTIME_TIMESTAMP"]) > self._since]

    @property
    def lines(self) -> list[str]:
        """What its processes have said."""
        return [entry["MESSAGE"] for entry in self.journal if entry["_PID"] != "1"]

    def events(self, action: str = "") -> list[dict[str, Any]]:
        """What it has logged: whatever a process of the unit says is a line of JSON."""
        told = [json.loads(line) for line in self.lines]
        return [event for event in told if event.get("event.action") == action or not action]

    def wait_for_event(self, action: str, number: int = 1) -> dict[str, Any]:
        """The so-and-so-manieth event of a kind, as soon as it is there."""
        wait(lambda: len(self.events(action)) >= number, lambda: f"no {action}: {self.events()}")
        return self.events(action)[number - 1]

    def runs(self) -> list[dict[str, Any]]:
        """What the ledger says, the last run first."""
        told = self.machine.run(LZSYNCD, "runs", "--site=acme", "--json", user="lzsyncd").stdout
        found: list[dict[str, Any]] = json.loads(told)
        return found

    # -- what is put in

    def put(self, name: str, data: bytes, site: str = "acme") -> None:
        """A file of the SFTP account, which nobody else may read, comes into the inbox under its name at once."""
        inbox = f"{SRV}/{site}/sftp/inbox"
        self.machine.write(f"/opt/{name}", data)
        command = f"umask 0177 && cat >{inbox}/{name}.part && mv {inbox}/{name}.part {inbox}/{name}"
        self.machine.run("sh", "-c", f"runuser -u sftp-{site} -- sh -c '{command}' </opt/{name}")

    def put_set(self, site: str = "acme") -> None:
        for name, data in DAY_ONE.items():
            self.put(name, data, site)

    def put_many(self) -> None:
        """A set whose run takes seconds."""
        self.put("org.csv", DAY_ONE["org.csv"])
        self.put("pos.csv", DAY_ONE["pos.csv"])
        rows = (f"{n},u{n},First,Last,u{n}@a.test\n" for n in range(MANY))
        self.put("user.csv", b"idnumber,username,firstname,lastname,email\n" + "".join(rows).encode())


def wait(what: Callable[[], object], otherwise: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + LONGEST
    while not what():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)


@pytest.fixture(scope="module")
def premises(program: Path) -> Iterator[Machine]:
    """A machine with the sites `acme` and `beta`, for all tests here: each gets it as if nothing had happened."""
    with booted_with(program) as machine:
        machine.run(LZSYNCD, "install")
        machine.write("/opt/none.toml", machine.read(CONFIG))
        add_site(machine, "acme")
        machine.run("sh", "-c", f"printf '%s' '{ON_ARRIVAL}' >>{CONFIG}; cp {CONFIG} /opt/acme.toml")
        add_site(machine, "beta")
        machine.run("cp", "-a", SRV, "/opt/srv")
        yield machine


@pytest.fixture
def service(premises: Machine) -> Iterator[Service]:
    """No site is configured, nothing runs; a restart follows at once."""
    made = Service(premises)
    made.drop_in("RestartSec=100ms")
    made.configure(premises.read("/opt/none.toml"))
    premises.run("sh", "-c", f"rm -r {SRV}; cp -a /opt/srv {SRV}")
    yield made
    made.systemctl("kill", "--signal=KILL", check=False)
    made.systemctl("stop")
    made.systemctl("reset-failed", check=False)


@pytest.fixture
def running(service: Service) -> Service:
    """With the site `acme`, and started."""
    service.configure(service.machine.read("/opt/acme.toml"))
    service.systemctl("start")
    return service


@pytest.fixture
def at_work(running: Service) -> Service:
    """In the middle of a run."""
    running.put_many()
    running.wait_for_event("run_started")
    return running


# -- start


def test_starting_takes_until_it_is_ready_and_its_status_says_what_it_does(service):
    service.systemctl("start")
    assert (service.show("ActiveState"), service.show("StatusText")) == ("active", "no site is configured; idle")
    said = [entry["MESSAGE"] for entry in service.journal]
    ready = next(number for number, line in enumerate(said) if "is ready: no site is configured" in line)
    assert "Started" in said[ready + 1]


def test_a_configuration_that_can_not_be_used_stops_the_start_and_is_not_tried_again(service):
    service.add(BROKEN)
    assert service.systemctl("start", check=False)
    assert "is no TOML" in service.wait_for_event("daemon_failed")["message"]
    time.sleep(0.5)
    assert (service.show("ActiveState"), service.show("ExecMainStatus"), service.show("NRestarts")) == (
        "failed",
        "78",
        "0",
    )


def test_there_is_one_daemon_however_it_is_started(running):
    machine = running.machine
    second = machine.run(LZSYNCD, "run", user="lzsyncd", check=False)
    assert second.returncode == 75
    assert json.loads(second.stdout)["message"] == "Another lzsyncd runs: it holds /run/lzsyncd/lock."
    running.systemctl("stop")
    machine.run("systemd-run", "--quiet", "--unit=by-hand", "--property=User=lzsyncd", LZSYNCD, "run")
    try:
        wait(lambda: "The daemon runs." in machine.run(LZSYNCD, "status", "acme").stdout)
        for _ in range(2):  # the first failure must not take away what the second one meets
            running.systemctl("start", check=False)
            running.wait_for("ExecMainStatus", "75")
            running.systemctl("stop")
    finally:
        machine.run("systemctl", "stop", "by-hand")
    running.systemctl("start")


# -- work, inside the sandbox


def test_everything_works_inside_the_sandbox_and_every_line_of_the_log_is_one_of_ours(running):
    machine = running.machine
    running.put_set()
    run = running.wait_for_event("run_finished")["run.id"]
    assert [(one["run"], one["status"]) for one in running.runs()] == [(run, "applied")]
    archive = machine.root / SRV[1:] / "acme/archive" / run[:4] / run[4:6] / run
    assert {path.name: gzip.decompress(path.read_bytes()) for path in archive.iterdir()} == {
        f"{name}.gz": data for name, data in DAY_ONE.items()
    }
    summary = machine.run("cat", f"{SRV}/acme/sftp/outbox/{run}/summary.json", user="sftp-acme").stdout
    assert json.loads(summary)["status"] == "applied"
    assert owner(machine, f"{SRV}/acme/zone.db") == "lzsyncd:lzsyncd-web 660"
    assert (machine.root / SRV[1:] / "acme/zone/zone.db").read_bytes()[18:20] == b"\2\2"  # a write-ahead log beside it
    assert machine.run("ls", "-A", INBOX, f"{SRV}/acme/spool").stdout.split() == [f"{INBOX}:", f"{SRV}/acme/spool:"]
    for event in map(json.loads, running.lines):
        assert event.keys() <= KEYS.keys()
        assert all(type(value) is KEYS[key].type for key, value in event.items())
        assert {"@timestamp", "log.level", "message", "ecs.version", "service.name", "event.action"} <= event.keys(), (
            event
        )
        assert not re.search(r"\b(ann|bob|Lee|London|Acme)\b", json.dumps(event))
    by_others = {event["process.pid"] for event in running.events("run_finished")}
    assert by_others.isdisjoint({running.pid})


MAIL = """
[mail]
host = "127.0.0.1"
security = "tls"
port = 465
from = "lzsyncd@acme.test"
username = "lzsyncd"
password = {credential = "mail"}
[metrics]
textfile = "/var/lib/exporter/lzsyncd.prom"
[sites.acme.notify]
to = ["it@acme.test"]
"""
ALLOWED = """RestartSec=100ms
LoadCredential=mail:/etc/lzsyncd/credentials/mail
Environment=SSL_CERT_FILE=/etc/lzsyncd/authority.pem
ReadWritePaths=/var/lib/exporter"""


def test_mails_and_numbers_get_out_of_the_sandbox(service, tmp_path):
    """Encrypted, with the password from a credential that is out of the service's sight but for that."""
    machine, made = service.machine, papers(tmp_path)
    machine.run("install", "-d", "-g", "lzsyncd", "-m", "2775", "/var/lib/exporter")
    machine.run("install", "-d", "-m", "0700", "/etc/lzsyncd/credentials")
    machine.write("/etc/lzsyncd/credentials/mail", "a secret", mode=0o400)
    machine.write("/etc/lzsyncd/authority.pem", made.authority.read_bytes())
    for source, target in ((made.certificate, "/opt/server.pem"), (made.key, "/opt/server.key")):
        machine.write(target, source.read_bytes())
    machine.write("/opt/mailserver.py", MAILSERVER.read_bytes())
    words = ("/opt/mailserver.py", "/opt/server.pem", "/opt/server.key", "lzsyncd", "a secret", "/opt/mails")
    machine.run("systemd-run", "--quiet", "--unit=mailserver", "/usr/bin/python3", *words)
    try:
        service.drop_in(ALLOWED)
        service.configure(machine.read("/opt/acme.toml") + MAIL)
        service.systemctl("start")
        for name, data in BROKEN_RECORD.items():
            service.put(name, data)
        service.wait_for_event("mail_sent")
    finally:
        machine.run("systemctl", "stop", "mailserver", check=False)
    (message,) = [message_from_string(machine.read("/opt/mails"))]
    assert message["To"] == "it@acme.test"
    assert "1 of 10 records rejected" in message["Subject"]
    assert [part.get_filename() for part in message.walk() if part.get_filename()] == ["rejected-user.csv"]
    found = '\nlzsyncd_last_run_findings{site="acme",code="user.email.invalid"} 1\n'
    wait(lambda: found in machine.read("/var/lib/exporter/lzsyncd.prom"), service.events)
    assert owner(machine, "/var/lib/exporter/lzsyncd.prom").endswith(" 644")


def test_a_file_that_somebody_still_writes_is_waited_for(running):
    machine = running.machine
    machine.write("/opt/user.csv", DAY_ONE["user.csv"])
    machine.run("rm", "-f", "/opt/go")
    slowly = f"exec >{INBOX}/user.csv; until [ -e /opt/go ]; do sleep 0.1; done; cat /opt/user.csv"
    with machine.start("runuser", "-u", "sftp-acme", "--", "sh", "-c", slowly):
        try:
            running.put("org.csv", DAY_ONE["org.csv"])
            running.put("pos.csv", DAY_ONE["pos.csv"])
            running.wait_for("StatusText", "open for writing")
        finally:
            machine.write("/opt/go", "")
    running.wait_for_event("run_finished")
    (run,) = running.runs()
    assert run["counts"]["user"]["created"] == 4


# -- reload


def test_a_reload_brings_a_new_site_which_is_watched_at_once(running):
    before = running.pid
    running.add(f"[sites.beta]\n{ON_ARRIVAL}")
    running.systemctl("reload")
    assert running.show("StatusText").startswith("2 sites")
    running.put_set("beta")
    assert running.wait_for_event("run_finished")["site"] == "beta"
    assert running.pid == before


def test_a_reload_of_a_broken_configuration_fails_and_the_old_one_runs_on(running):
    before = running.pid
    good = running.machine.read(CONFIG)
    running.add(BROKEN)
    assert running.systemctl("reload", check=False)
    assert running.systemctl("is-active") == 0
    running.wait_for("StatusText", "configuration rejected, the old one runs; 1 site")
    assert "1 problem, told above" in running.wait_for_event("config_rejected")["message"]
    (by_daemon,), (by_command,) = running.events("config_problem"), running.events("command_failed")
    assert by_daemon["message"] == by_command["message"]
    assert by_daemon["message"].startswith(f"{CONFIG}:{running.machine.read(CONFIG).count(chr(10))}: is no TOML")
    running.put_set()
    running.wait_for_event("run_finished")
    running.configure(good)
    running.systemctl("reload")
    assert running.show("StatusText").startswith("1 site")
    assert (running.pid, running.show("NRestarts")) == (before, "0")


# -- stop, restart, and what ends it


def test_it_stops_at_once_when_nothing_is_under_way(running):
    asked = time.monotonic()
    running.systemctl("stop")
    assert time.monotonic() - asked < QUICK
    assert running.show("Result") == "success"
    assert "The daemon does not run" in running.machine.run(LZSYNCD, "status").stdout


def test_the_watchdog_restarts_a_daemon_that_stands_still(running):
    running.drop_in("WatchdogSec=4s\nRestartSec=100ms")
    running.systemctl("restart")
    time.sleep(5)
    assert running.show("NRestarts") == "0"
    before = running.pid
    running.signal("STOP", before)
    running.wait_for("NRestarts", "1")
    running.wait_for("ActiveState", "active")
    assert running.pid not in (0, before)
    assert any("Watchdog timeout" in entry["MESSAGE"] for entry in running.journal)


def test_a_restart_in_the_middle_of_a_run_rolls_it_back_and_applies_it_once(at_work):
    at_work.systemctl("restart")
    told = at_work.wait_for_event("run_finished")
    assert told["event.outcome"] == "failure"
    assert "was interrupted and rolled back; it goes on later" in told["error.message"]
    at_work.wait_for_event("run_finished", 2)
    assert_applied_at_the_second_attempt(at_work)


def test_after_a_kill_of_the_daemon_nothing_of_it_is_left_and_the_run_is_applied_once(at_work):
    children = at_work.processes
    assert children
    at_work.signal("KILL", at_work.pid)
    at_work.wait_for("NRestarts", "1")
    assert at_work.wait_for_event("run_finished")["process.pid"] not in children
    assert_applied_at_the_second_attempt(at_work)


def test_after_a_kill_of_the_child_alone_the_daemon_goes_on_and_tries_again(at_work):
    main, child = at_work.pid, at_work.events("run_started")[0]["process.pid"]
    at_work.signal("KILL", child)
    assert at_work.wait_for_event("worker_killed")["site"] == "acme"
    assert at_work.processes == []
    at_work.wait_for_event("run_finished")
    assert_applied_at_the_second_attempt(at_work)
    assert (at_work.pid, at_work.show("NRestarts")) == (main, "0")


def assert_applied_at_the_second_attempt(service: Service) -> None:
    (run,) = service.runs()
    assert (run["status"], run["counts"]["user"]["created"]) == ("applied", MANY)
    assert [event["run.id"] for event in service.events("run_started")] == [run["run"]] * 2
    assert [event.get("run.status") for event in service.events("run_finished")][-1] == "applied"


def test_a_second_sigterm_does_not_wait_for_a_run(at_work):
    main, child = at_work.pid, at_work.events("run_started")[0]["process.pid"]
    at_work.signal("STOP", child)
    at_work.systemctl("stop", "--no-block")
    at_work.wait_for("StatusText", "ending; runs go on at the next start")
    assert at_work.pid == main
    asked = time.monotonic()
    at_work.signal("TERM", main)
    at_work.wait_for("ActiveState", "inactive")
    assert time.monotonic() - asked < QUICK
    assert at_work.show("Result") == "success"
    at_work.systemctl("start")
    at_work.wait_for_event("run_finished")
    assert_applied_at_the_second_attempt(at_work)


# -- PostgreSQL


def test_a_site_on_a_postgresql_server_gets_its_password_as_a_credential(running):
    machine = running.machine
    machine.run("pg_ctlcluster", "15", "main", "start")
    sql = "CREATE ROLE acme LOGIN PASSWORD 'secret'; CREATE DATABASE acme OWNER acme"
    for statement in sql.split("; "):
        machine.run("runuser", "-u", "postgres", "--", "psql", "-qc", statement)
    machine.write("/etc/lzsyncd/credentials/acme_db", "secret", 0o400)
    running.add('database = "postgresql://acme@127.0.0.1/acme"\npassword = {credential = "acme_db"}\n')
    running.drop_in("LoadCredential=acme_db:/etc/lzsyncd/credentials/acme_db")
    running.systemctl("restart")
    running.put_set()
    assert running.wait_for_event("run_finished")["run.status"] == "applied"
    counted = machine.run("runuser", "-u", "postgres", "--", "psql", "-Atc", "SELECT count(*) FROM lz_user", "acme")
    assert counted.stdout.strip() == "4"
