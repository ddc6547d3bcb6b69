"""A site with its daemon, its mail server and, perhaps, a disk of its own, which all lose power at once."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lzsyncd.config.guards import LIMITS
from tests.bench.memory import descendants
from tests.laws.ground import ask, tell
from tests.postgres import Cluster
from tests.report.letterbox import HOST, Letterbox
from tests.system.aftermath import wait_until_free
from tests.system.disks import Disk
from tests.system.hosts import RUNNER
from tests.system.program import REPOSITORY, Place

STEPS = Path(__file__).parent / "steps"
LONGEST = 120.0  # seconds in which anything must have happened
PAUSE = 0.02  # seconds between two looks
UNDER_WAY = "('claimed', 'checking', 'applying', 'failed', 'interrupted')"
MAIL_WAITS = "sent_at IS NULL AND given_up_at IS NULL"
ON = 'on = ["error", "warning", "held", "recovered", "success"]'


class Stuck(AssertionError):
    """It did not come to an end."""


@dataclass
class Installation:
    """One site, `acme`, and who works for it.

    Attributes:
        place: its folders, configuration and database.
        box: takes its mails.
        disk: where its folders are, where that can lose power.
    """

    place: Place
    box: Letterbox
    disk: Disk | None = None
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _log_before: int = 0

    def configure(self, more: str = "", guard: str = "") -> None:
        """Write the configuration: mails are sent, and no guard minds but those in `guard`."""
        place = self.place
        place.folder.mkdir(parents=True, exist_ok=True)
        limits = "" if guard else "\n".join(f'{limit} = "none"' for limit in LIMITS)
        deletes = "\n".join(f'[sites.acme.{element}]\nmissing = "delete"' for element in ("org", "pos", "user"))
        place.config.write_text(
            f'[daemon]\ndata_dir = "{place.folder}"\nruntime_dir = "{place.folder / "run"}"\n'
            f'[mail]\nhost = "{HOST}"\nport = {self.box.port}\nsecurity = "none"\nfrom = "lzsyncd@acme.test"\n'
            f'[sites.acme]\ndatabase = "{place.database}"\nincomplete = "sync"\nsettle = "1s"\n{more}\n'
            f'[sites.acme.notify]\nto = ["it@acme.test"]\n{ON}\n{deletes}\n[sites.acme.guard]\n{limits}\n{guard}\n'
        )
        for folder in (place.site.inbox, place.site.folder / "spool"):
            folder.mkdir(parents=True, exist_ok=True)

    def put(self, files: dict[str, bytes]) -> None:
        """A set comes into the inbox, with a marker: nothing is waited for."""
        inbox = self.place.site.inbox
        for name, data in {**files, "set.done": b""}.items():
            (inbox / f".{name}").write_bytes(data)
            (inbox / f".{name}").rename(inbox / name)

    # -- who works for it

    def start(self, steps: dict[str, Any] | None = None) -> None:
        """Start the daemon; its children record their steps, or stop before one of them."""
        command = [sys.executable, "-c", RUNNER, str(self.place.config), str(STEPS / "sitecustomize.py")]
        self._run(command, REPOSITORY, steps)

    def command(self, *words: str, steps: dict[str, Any] | None = None) -> None:
        """Start a command of an operator's."""
        self._run([sys.executable, "-m", "lzsyncd", "--config", str(self.place.config), *words], Path("/"), steps)

    def _run(self, command: list[str], folder: Path, steps: dict[str, Any] | None) -> None:
        environment = os.environ | {"PYTHONPATH": f"{STEPS}:{REPOSITORY}"}
        if steps:
            environment["LZSYNCD_STEPS"] = json.dumps(steps)
        with self.log.open("ab") as log:
            self._log_before = log.tell()
            self.processes.append(
                subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            )

    @property
    def log(self) -> Path:
        return self.place.folder.parent / f"{self.place.folder.name}.log"

    def pids(self) -> list[int]:
        """All processes, whoever started first first."""
        return [pid for process in self.processes for pid in (process.pid, *descendants(process.pid))]

    def has_stopped(self) -> bool:
        """Whether one of them has stopped at its step."""
        return "T" in map(state_of, self.pids())

    def carry_on(self) -> None:
        """Whoever has stopped goes on."""
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)

    def have_ended(self) -> bool:
        return all(process.poll() is not None for process in self.processes)

    def nobody_works(self) -> bool:
        """Whether the daemon, where there is one, has no child."""
        return len(self.pids()) <= len(self.processes)

    def pull_the_plug(self, *, power: bool = False) -> None:
        """Kill all of them; with `power`, what was not synced is gone, too."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.reap()
        if power and self.disk is not None:
            self.disk.cut_power()
        wait_until_free(self.place)

    def end(self) -> list[int]:
        """Tell all of them to end, in good order; their exit codes."""
        self.wait(self.have_ended, self._is_ready)  # before that a daemon has no ear for it
        for process in self.processes:
            process.terminate()
        return self.reap()

    def _is_ready(self) -> bool:
        with self.log.open("rb") as log:
            log.seek(self._log_before)
            return b'"daemon_started"' in log.read()

    def reap(self) -> list[int]:
        codes = [process.wait(LONGEST) for process in self.processes]
        self.processes.clear()
        return codes

    # -- how it stands

    def ask(self, query: str) -> list[dict[str, Any]]:
        return ask(self.place.site, query)

    def a_minute_goes_by(self) -> None:
        """A mail that was claimed by a killed sender is due again."""
        if self.is_migrated():
            tell(self.place.site, f"UPDATE sync_mail SET due_at = created_at WHERE {MAIL_WAITS}")

    def is_migrated(self) -> bool:
        with contextlib.suppress(Exception):  # neither database has the table, each in its own words
            return bool(self.ask("SELECT 1 AS found FROM lzsyncd_migration"))
        return False

    def is_idle(self) -> bool:
        """Whether nothing is left to do."""
        site = self.place.site
        if any(site.inbox.glob("[!.]*")) or not self.is_migrated():
            return False
        waits = {row["id"] for row in self.ask("SELECT id FROM sync_run WHERE status IN ('held', 'checked')")}
        if {path.name for path in (site.folder / "spool").iterdir()} - waits:
            return False
        (left,) = self.ask(
            f"SELECT (SELECT count(*) FROM sync_mail WHERE {MAIL_WAITS}) + "
            "(SELECT count(*) FROM sync_request WHERE done_at IS NULL) + "
            "(SELECT count(*) FROM sync_slot WHERE finished_at IS NULL) AS n"
        )
        return not left["n"]

    def wait(self, *whats: Callable[[], bool]) -> int:
        """Wait until one of them is so; says which, by its number."""
        deadline = time.monotonic() + LONGEST
        while True:
            for number, what in enumerate(whats):
                if what():
                    return number
            if time.monotonic() > deadline:
                raise Stuck("It did not come to an end: " + self.log.read_text()[-3000:])
            time.sleep(PAUSE)


def state_of(pid: int) -> str:
    """The state of a process, as /proc has it; "" where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


@dataclass
class Workshop:
    """Makes installations.

    Attributes:
        folder: where they are; on `disk` where there is one.
        cluster: PostgreSQL, None for SQLite.
        box: takes the mails of all of them, one after the other.
    """

    folder: Path
    cluster: Cluster | None
    box: Letterbox
    disk: Disk | None = None
    _made: int = 0

    def bare(self, template: str = "template1") -> Installation:
        """One whose database is empty, or a copy."""
        self._made += 1
        url = "sqlite"
        if self.cluster:
            url = self.cluster.create_database(f"plug_{os.urandom(4).hex()}", template=template)
        self.box.taken.clear()
        return Installation(Place(self.folder / f"srv{self._made}", url), self.box, self.disk)

    def copy(self, other: Installation) -> Installation:
        """Another one just like it."""
        made = self.bare(other.place.database.rpartition("/")[2])
        shutil.copytree(other.place.folder, made.place.folder, copy_function=shutil.copy2)
        text = other.place.config.read_text()
        for old, new in ((other.place.folder, made.place.folder), (other.place.database, made.place.database)):
            text = text.replace(str(old), str(new))
        made.place.config.write_text(text)
        return made

    @contextmanager
    def lent(self, other: Installation) -> Iterator[Installation]:
        """A copy that is gone afterwards."""
        made = self.copy(other)
        try:
            yield made
        finally:
            made.pull_the_plug()
            self.remove(made)

    def remove(self, made: Installation) -> None:
        shutil.rmtree(made.place.folder)
        made.log.unlink(missing_ok=True)
        if self.cluster:
            self.cluster.drop_database(made.place.database.rpartition("/")[2])
