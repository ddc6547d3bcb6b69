"""Sites with a real daemon whose days pass in seconds, and what is looked at each evening."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lzsyncd.config import load
from lzsyncd.ledger.status import Status
from tests.bench.memory import descendants, memory_of
from tests.laws.ground import ask

REPOSITORY = Path(__file__).parents[2]
CLOCK = Path(__file__).with_name("clock.py")
LONGEST = 300.0  # seconds in which anything must have happened
SLOT = "02:00"
RETENTION = 5  # days
LOOKS = 5  # at what comes and goes
PEOPLE = 40  # more than `min_records`: the guards judge
HEADER = "idnumber,username,firstname,lastname,email,orgidnumber,city"

DAEMON = """
import runpy, sys
from pathlib import Path
runpy.run_path(sys.argv[2])
from lzsyncd.cli.daemon import run_daemon
from lzsyncd.service import worker
first = "import runpy; runpy.run_path(" + repr(sys.argv[2]) + "); from lzsyncd"
worker.PROGRAM = worker.PROGRAM.replace("from lzsyncd", first, 1)
run_daemon(Path(sys.argv[1]))
"""
COMMAND = "import runpy, sys; runpy.run_path(sys.argv.pop(1)); from lzsyncd.__main__ import main; main()"

OVER = (Status.APPLIED, Status.UNCHANGED, Status.REJECTED, Status.SUPERSEDED, Status.DISCARDED)
AT_REST = (*OVER, Status.CHECKED, Status.HELD)


@dataclass(frozen=True)
class Evening:
    """What is measured at the end of a day.

    Attributes:
        day: the day, from 1.
        memory: of the daemon, MiB (proportional set size).
        descriptors: open ones of the daemon.
        threads: of the daemon.
        children: of the daemon that are left.
        disk: KiB of all sites.
        runs: of all sites so far.
        slots: of all sites so far.
        seconds: of a processor that the daemon has used since it was started.
    """

    day: int
    memory: float
    descriptors: int
    threads: int
    children: int
    disk: int
    runs: int
    slots: int
    seconds: float


class House:
    """A folder with sites.

    Args:
        folder: where all of it is.
        number: how many sites.
        make_database: gives the key `database` of a site's configuration.
    """

    def __init__(self, folder: Path, number: int, make_database: Callable[[str], str]) -> None:
        self.folder, self.log = folder, folder / "log"
        self.config, self._clock = folder / "lzsyncd.toml", folder / "clock"
        self.names = [f"site{n:02}" for n in range(number)]
        self._databases = {name: make_database(name) for name in self.names}
        self.process: subprocess.Popen[bytes] | None = None
        self.now = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
        self._put_clock()
        self.configure()
        self.sites = load(self.config).sites
        for site in self.sites.values():
            site.inbox.mkdir(parents=True)
        assert self.command("migrate") == 0

    # -- its time

    def pass_to(self, moment: datetime) -> None:
        """It is now that moment."""
        assert moment >= self.now
        self.now = moment
        self._put_clock()

    def _put_clock(self) -> None:
        partial = self._clock.with_suffix(".new")
        partial.write_text(str(self.now.timestamp() - time.time()))
        partial.rename(self._clock)

    @property
    def _environment(self) -> dict[str, str]:
        return os.environ | {"LZSYNCD_SOAK_CLOCK": str(self._clock), "PYTHONPATH": str(REPOSITORY)}

    # -- its configuration and sites

    def configure(self, more: str = "") -> None:
        """Write the configuration."""
        head = f'[daemon]\ndata_dir = "{self.folder / "srv"}"\nruntime_dir = "{self.folder / "run"}"\n{more}\n'
        tables = [
            f'[sites.{name}]\ndatabase = "{self._databases[name]}"\nsettle = "1s"\nset_window = "0s"\n'
            f'timezone = "UTC"\nschedule = "daily at {SLOT}"\nretention = "{RETENTION}d"\n'
            f"[sites.{name}.org]\nenabled = false\n[sites.{name}.pos]\nenabled = false\n"
            for name in self.names
        ]
        self.config.write_text(head + "".join(tables))

    def deliver(self, name: str, data: bytes) -> None:
        """A set comes."""
        inbox = self.sites[name].inbox
        (inbox / ".user.csv").write_bytes(data)
        (inbox / ".user.csv").rename(inbox / "user.csv")

    def ask(self, name: str, query: str) -> list[dict[str, Any]]:
        return ask(self.sites[name], query)

    def runs(self, name: str) -> list[dict[str, Any]]:
        return self.ask(name, "SELECT id, status, slot, \"trigger\" FROM sync_run WHERE kind = 'sync' ORDER BY id")

    # -- its daemon

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        before = self._said().count("daemon_started")
        command = [sys.executable, "-c", DAEMON, str(self.config), str(CLOCK)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=REPOSITORY, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        self.wait(lambda: self._said().count("daemon_started") > before, "the daemon starts")

    def tell(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it; a child of one that was killed goes on to its end."""
        if self.process is not None:
            left = descendants(self.process.pid)
            self.tell(number)
            self.process.wait(LONGEST)
            self.wait(lambda: not any(Path(f"/proc/{pid}/status").exists() for pid in left), "its children end")
            self.process = None

    def command(self, *words: str) -> int:
        """A command of a person; its exit code."""
        program = [sys.executable, "-c", COMMAND, str(CLOCK), "--config", str(self.config), *words]
        done = subprocess.run(program, cwd=REPOSITORY, env=self._environment, capture_output=True, check=False)
        assert b"Traceback" not in done.stderr, done.stderr
        return done.returncode

    def _said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def events(self) -> Counter[str]:
        """What it has logged, by action."""
        lines = [json.loads(line) for line in self._said().splitlines() if line.startswith("{")]
        return Counter(line.get("event.action", "") for line in lines)

    def wait(self, what: Callable[[], object], text: str) -> None:
        deadline = time.monotonic() + LONGEST
        while not what():
            if time.monotonic() > deadline:
                raise AssertionError(f"This did not happen: {text}. {self._said()[-3000:]}")
            time.sleep(0.2)

    def rest(self, names: list[str]) -> None:
        """Wait until every set was claimed, and nothing is under way."""
        left = set(names)

        def done() -> bool:
            for name in list(left):
                if (self.sites[name].inbox / "user.csv").exists():
                    continue  # a new site has no tables before its first set is claimed
                if all(run["status"] in AT_REST for run in self.runs(name)):
                    left.discard(name)
            return not left

        self.wait(done, f"sets are checked: {left}")

    def slot(self, day: datetime) -> None:
        """Wait until every site has had its slot of a day."""
        left, slot = set(self.names), f"daily:{day:%Y-%m-%d}"

        def done() -> bool:
            for name in list(left):
                query = f"SELECT 1 AS one FROM sync_slot WHERE slot = '{slot}' AND finished_at IS NOT NULL"
                if self.ask(name, query):
                    left.discard(name)
            return not left

        self.wait(done, f"slots of {slot} are run: {left}")

    def quiet(self) -> None:
        """Wait until nobody works: what comes after a commit is done, too."""
        assert self.process is not None
        daemon = self.process.pid
        self.wait(lambda: not descendants(daemon), "the children end")

    # -- what is measured

    def evening(self, day: int) -> Evening:
        """Look at all of it."""
        assert self.process is not None
        pid, proc = self.process.pid, Path(f"/proc/{self.process.pid}")
        self.quiet()
        ticks = sum(map(int, (proc / "stat").read_text().rpartition(")")[2].split()[11:13]))
        counted = [self.ask(name, COUNTED)[0] for name in self.names]
        return Evening(
            day,
            memory_of(pid).pss,
            _fewest(proc / "fd"),
            len(list((proc / "task").iterdir())),
            len(descendants(pid)),
            self._disk(),
            sum(row["runs"] for row in counted),
            sum(row["slots"] for row in counted),
            ticks / os.sysconf("SC_CLK_TCK"),
        )

    def _disk(self) -> int:
        said = subprocess.run(["du", "-sk", str(self.folder / "srv")], capture_output=True, text=True, check=True)
        return int(said.stdout.split()[0])


def _fewest(folder: Path) -> int:
    """How many entries it has at rest: a look at a ledger opens files and sessions, and closes them again."""
    found = []
    for _ in range(LOOKS):
        found.append(len(list(folder.iterdir())))
        time.sleep(0.1)
    return min(found)


COUNTED = "SELECT (SELECT count(*) FROM sync_run) AS runs, (SELECT count(*) FROM sync_slot) AS slots"


def people(seed: int, number: int = PEOPLE, *, broken: int = 0) -> bytes:
    """A set: somebody moves each day; the last ones are broken."""
    rows = [
        f"{n},u{n},Ann{n},Lee,u{n}@a.test,,{'London' if n % 7 != seed % 7 else f'Leeds {seed}'}" for n in range(number)
    ]
    rows += [f"{number + n},x{n},Ann,Lee,nobody,," for n in range(broken)]
    return "\n".join([HEADER, *rows, ""]).encode()


def ahead(moment: datetime, *, days: int = 0, hour: int = 0, minute: int = 0) -> datetime:
    """A time of day, so many days after another one."""
    return (moment + timedelta(days=days)).replace(hour=hour, minute=minute, second=0, microsecond=0)
