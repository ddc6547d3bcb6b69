"""The watchdog is fed only while all is well: each thing that can go wrong alone leaves it hungry.

The real daemon, as a process of its own, with a socket in the service manager's place. Only its patience is short.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import TEMPLATE
from tests.postgres import Cluster

REPOSITORY = Path(__file__).parents[2]
LONGEST = 60.0  # seconds in which anything must have happened
SILENCE = 0.8  # seconds without food, which is otherwise given every tenth of a second

# SIGUSR2 ends the thread that reads events, as an exception in it would. A child that waits for a dead disk outlives
# SIGKILL: here because nobody sends it.
PROGRAM = """
import signal, sys
from pathlib import Path
from lzsyncd import logs
from lzsyncd.config import load
from lzsyncd.service import daemon, health, ledgers, sites, worker
daemon.TICK, ledgers.EVERY, health.PATIENCE, sites.RESCAN, worker.MERCY = 0.05, 1, 0.3, 600.0, 0.0
if sys.argv[2] == "unkillable":
    worker.Worker.kill = lambda self: None
if sys.argv[2] == "uprooted":
    sys.executable = "/nowhere/python"
read = lambda: load(Path(sys.argv[1]))
logs.configure(sys.stdout, pretty=False)
running = daemon.Daemon(read(), read, pretty=False)
signal.signal(signal.SIGUSR2, lambda *_: running.watch._observer.stop())
running.run()
"""


class Running:
    """A daemon for the site `acme`, and what it tells the service manager.

    Args:
        folder: where everything is.
        database: of the site.
        kind: `plain`; `unkillable` or `uprooted`: the program has been taken away below it.
    """

    def __init__(self, folder: Path, database: str = "sqlite", kind: str = "plain") -> None:
        self.site = folder / "acme"
        self._socket_folder = tempfile.mkdtemp(prefix="notify-")  # the path of a socket must be short
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"{self._socket_folder}/socket")
        self._fed_at = 0.0
        self.status = ""
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()
        config = folder / "lzsyncd.toml"
        config.write_text(
            f'[daemon]\ndata_dir = "{folder}"\nruntime_dir = "{folder}/run"\n'
            f'[sites.acme]\ninbox = "{self.site}/inbox"\ndatabase = "{database}"\nrun_timeout = "1s"\n'
        )
        self._log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(config), kind],
            cwd=REPOSITORY,
            env=os.environ | {"NOTIFY_SOCKET": f"{self._socket_folder}/socket", "WATCHDOG_USEC": "300000"},
            stdout=self._log,
        )

    def _listen(self) -> None:
        while told := self._socket.recv(65_536).decode():
            for line in told.splitlines():
                if line == "WATCHDOG=1":
                    self._fed_at = time.monotonic()
                elif line.startswith("STATUS="):
                    self.status = line.removeprefix("STATUS=")

    def stop(self) -> None:
        """End it; nothing is left."""
        for child in self.children:
            os.kill(child, signal.SIGKILL)  # it may have been stopped
        self.process.terminate()
        try:
            self.process.wait(LONGEST)
        finally:
            self.process.kill()
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"", f"{self._socket_folder}/socket")
            self._listener.join()
            self._socket.close()
            self._log.close()
            shutil.rmtree(self._socket_folder)

    def tell(self, number: int) -> None:
        self.process.send_signal(number)

    @property
    def is_fed(self) -> bool:
        """Whether food came since it was asked."""
        asked = time.monotonic()
        return comes_true(lambda: self._fed_at > asked)

    @property
    def was_fed(self) -> bool:
        """Whether food ever came."""
        return self._fed_at > 0

    @property
    def is_hungry(self) -> bool:
        """Whether food stops coming."""
        return comes_true(lambda: self.is_unfed)

    @property
    def is_unfed(self) -> bool:
        """Whether food has not come for some time."""
        return time.monotonic() - self._fed_at > SILENCE

    @property
    def is_idle(self) -> bool:
        """Whether nothing is wrong, and nobody works."""
        return comes_true(lambda: self.status == "1 site; idle")

    @property
    def children(self) -> list[int]:
        """Those that are programs of their own by now: who stops one before that stops its parent, too."""
        pid = self.process.pid
        listed = "" if self.process.poll() is not None else Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(child) for child in listed.split() if _program(int(child)) not in (b"", _program(pid))]

    @property
    def threads(self) -> int:
        """How many threads it has."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    @property
    def log(self) -> str:
        return Path(self._log.name).read_text()


def _program(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def comes_true(what: Callable[[], object], within: float = LONGEST) -> bool:
    deadline = time.monotonic() + within
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made: list[Running] = []

    def begin(**how: str) -> Running:
        made.append(Running(tmp_path, **how))
        return made[-1]

    yield begin
    for daemon in made:
        daemon.stop()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Of the site."""
    made = tmp_path / "acme" / "inbox"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def daemon(start: Start, inbox: Path, migrated_sqlite: Path) -> Running:
    """One that has nothing to do, and is fed."""
    shutil.copy(migrated_sqlite, inbox.parent / "zone.db")
    running = start()
    assert running.is_idle
    assert running.is_fed
    return running


def test_a_dead_observer_starves_the_watchdog_until_a_look_has_started_another(daemon):
    before = daemon.threads

    def starves() -> bool:
        """On a slow machine food is late also while the observer lives, and a look at old events starts another."""
        daemon.tell(signal.SIGUSR2)
        return comes_true(lambda: daemon.threads < before and daemon.is_unfed, within=5 * SILENCE)

    assert comes_true(starves)
    daemon.tell(signal.SIGUSR1)
    assert daemon.is_fed
    assert comes_true(lambda: "The inbox is now watched." in daemon.log)


def test_an_inbox_that_was_replaced_starves_it_until_the_new_one_is_watched(daemon, inbox):
    inbox.rename(daemon.site / "old")
    inbox.mkdir()
    assert daemon.is_hungry
    daemon.tell(signal.SIGUSR1)
    assert daemon.is_fed


def test_an_inbox_that_is_gone_starves_it_until_it_is_back(daemon, inbox):
    inbox.rmdir()
    assert daemon.is_hungry
    assert "acme: The inbox can't be read" in daemon.status
    inbox.mkdir()
    daemon.tell(signal.SIGUSR1)
    assert daemon.is_fed
    assert daemon.is_idle


def test_a_broken_database_starves_it_until_it_is_mended(daemon):
    database = daemon.site / "zone.db"
    whole = database.read_bytes()
    database.write_bytes(b"not a database, " * 100)
    assert daemon.is_hungry
    assert f"acme: {database} is damaged (SQLITE_NOTADB)" in daemon.status
    database.write_bytes(whole)
    assert daemon.is_fed
    assert daemon.is_idle


@pytest.mark.usefixtures("inbox")
def test_a_database_server_that_does_not_answer_starves_it(start, cluster: Cluster):
    url = cluster.create_database("watchdog", template=TEMPLATE)
    daemon = start(database=url)
    assert daemon.is_idle
    assert daemon.is_fed
    cluster.drop_database("watchdog")
    assert daemon.is_hungry
    assert "acme: The database does not answer" in daemon.status
    cluster.create_database("watchdog", template=TEMPLATE)
    assert daemon.is_fed
    cluster.drop_database("watchdog")


@pytest.mark.usefixtures("inbox")
def test_a_child_that_stands_still_beyond_its_time_limit_is_ended_and_the_daemon_goes_on(start):
    daemon = start()
    assert comes_true(lambda: daemon.children)
    (child,) = daemon.children
    os.kill(child, signal.SIGSTOP)
    assert comes_true(lambda: "was ended by signal 9" in daemon.log)
    assert daemon.is_fed


@pytest.mark.usefixtures("inbox")
def test_a_child_that_can_not_be_ended_starves_it(start):
    daemon = start(kind="unkillable")
    assert comes_true(lambda: daemon.children)
    (child,) = daemon.children
    os.kill(child, signal.SIGSTOP)
    assert comes_true(lambda: daemon.was_fed)  # once: on a slow machine the child's time may be over by now
    assert daemon.is_hungry
    assert "acme: a run is under way" in daemon.status
    os.kill(child, signal.SIGCONT)
    assert daemon.is_fed


@pytest.mark.usefixtures("inbox")
def test_a_child_that_can_not_be_started_is_told_and_the_daemon_goes_on(start):
    daemon = start(kind="uprooted")
    assert comes_true(lambda: "The work for acme could not be begun: No such file or directory." in daemon.log)
    assert daemon.is_fed


@pytest.mark.parametrize(("what", "told"), [("inbox", "The inbox"), ("database", "zone.db is damaged")])
def test_what_is_wrong_at_the_start_is_told_and_no_reason_for_a_restart(start, inbox, what, told):
    if what == "inbox":
        inbox.rmdir()
    else:
        (inbox.parent / "zone.db").write_bytes(b"not a database, " * 100)
    daemon = start()
    assert comes_true(lambda: told in daemon.status)
    time.sleep(SILENCE)
    assert daemon.is_fed


def test_what_is_wrong_with_a_new_site_is_no_reason_for_a_restart_either(daemon):
    config = daemon.site.parent / "lzsyncd.toml"
    config.write_text(f'{config.read_text()}[sites.beta]\ninbox = "/nowhere"\n')
    daemon.tell(signal.SIGHUP)
    assert comes_true(lambda: "beta: " in daemon.status)
    time.sleep(SILENCE)
    assert daemon.is_fed
