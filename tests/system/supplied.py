"""Sites of a running service, each with the SFTP account that feeds it, and what tests ask of them.

site = Supplied(server, "acme")
site.sftp("put /tmp/acme/*.csv /inbox")
site.ends("applied")
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko

from tests.system.installation import LZSYNCD
from tests.system.premises import CONFIG, SRV, add_site
from tests.system.sshd import Client, Server

PATIENCE = 120.0  # seconds; a test must not hang
ASK = "import json, sqlite3, sys; print(json.dumps(sqlite3.connect(sys.argv[1], 30).execute(sys.argv[2]).fetchall()))"


class Supplied:
    """A site of the running service; sets are applied when they arrive.

    Args:
        server: of a machine on which lzsyncd runs.
        name: of the site, which is new.
        settings: lines of its configuration.
    """

    def __init__(self, server: Server, name: str, *settings: str) -> None:
        self.server, self.machine, self.name = server, server.machine, name
        self.account, self.password = f"sftp-{name}", add_site(self.machine, name)
        self.folder = self.machine.root / SRV.lstrip("/") / name
        self.inbox, self.outbox = self.folder / "sftp/inbox", self.folder / "sftp/outbox"
        lines = ['apply = "on-arrival"', *settings]
        self.machine.write(CONFIG, self.machine.read(CONFIG) + "\n".join(lines) + "\n")
        self.machine.run("mkdir", self.desk)
        self.machine.run("systemctl", "kill", "--kill-whom=main", "--signal=HUP", "lzsyncd.service")

    # -- its account

    @property
    def desk(self) -> str:
        """Where files of this site lie before they are sent, in the machine."""
        return f"/tmp/{self.name}"

    def lay_out(self, files: dict[str, bytes], mode: int = 0o644) -> None:
        """Put files on the desk."""
        for name, data in files.items():
            self.machine.write(f"{self.desk}/{name}", data, mode)

    def sftp(self, *commands: str) -> None:
        """Run commands of sftp(1), on the desk; the client must not complain of any."""
        done = self.server.sftp(self.account, self.password, f"lcd {self.desk}", *commands)
        assert done.stderr == ""

    def begin(self, *commands: str) -> Client:
        """Start such a session that sends 260 kB at once, and then 200 kB a second."""
        return self.server.begin(self.account, self.password, f"lcd {self.desk}", *commands, options=("-l1600",))

    @contextmanager
    def paramiko(self) -> Iterator[paramiko.SFTPClient]:
        """A session of paramiko."""
        with self.server.paramiko(self.account, self.password) as client, client.open_sftp() as session:
            yield session

    def deliver(self, files: dict[str, bytes]) -> None:
        """Send a set in one session, the files by their names."""
        self.lay_out(files)
        self.sftp(*(f"put {name} /inbox/{name}" for name in files))

    def summaries(self, runs: list[str]) -> list[dict[str, Any]]:
        """What the account finds in its outbox."""
        with self.paramiko() as session:
            return [json.loads(session.open(f"/outbox/{run}/summary.json").read()) for run in runs]

    @contextmanager
    def run_stopped(self) -> Iterator[None]:
        """The run that is under way stands still during the block, and whatever it has started."""
        pids = self.machine.run("cat", "/sys/fs/cgroup/system.slice/lzsyncd.service/cgroup.procs").stdout.split()
        children = [pid for pid in pids if pid != self.machine.show("lzsyncd.service", "MainPID")]
        assert children
        self.machine.run("kill", "-STOP", *children)
        try:
            yield
        finally:
            self.machine.run("kill", "-CONT", *children)

    # -- what became of it

    def size(self, name: str) -> int:
        """Of a file in the inbox; -1: it is not there."""
        path = self.inbox / name
        return path.stat().st_size if path.exists() else -1

    def has_taken(self) -> bool:
        """Whether something was claimed."""
        return any(self.folder.joinpath("spool").iterdir())

    def until(self, what: Callable[[], bool]) -> None:
        """Wait for something."""
        deadline = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < deadline, self._told()
            time.sleep(0.02)

    def runs(self) -> list[dict[str, Any]]:
        """The ledger, oldest first."""
        told = self.machine.run(LZSYNCD, "runs", f"--site={self.name}", "--json", user="lzsyncd").stdout
        found: list[dict[str, Any]] = json.loads(told)
        return found[::-1]

    def is_told_of(self, runs: int) -> None:
        """Wait until the account was told of so many runs, and nothing is under way."""
        self.until(lambda: len(self._told_of()) >= runs and not self.has_taken())

    def ends(self, *statuses: str, left: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """Wait until there were so many runs: they ended like this, each told of and each begun once; nothing is left.

        Args:
            statuses: how they ended.
            left: what is still in the inbox; `{0[run]}` is the id of the first run.

        Returns:
            What the account was told.
        """
        self.is_told_of(len(statuses))
        found = self.runs()
        assert [run["status"] for run in found] == list(statuses), self._told()
        assert self.ask("SELECT max(attempt) FROM sync_run") == [[1]]
        assert sorted(path.name for path in self.inbox.iterdir()) == [name.format(*found) for name in sorted(left)]
        told = self.summaries([run["run"] for run in found])
        assert [summary["status"] for summary in told] == list(statuses)
        return told

    def ask(self, query: str) -> list[list[Any]]:
        """Rows of the site's database."""
        path = f"{SRV}/{self.name}/zone.db"
        found: list[list[Any]] = json.loads(
            self.machine.run("/usr/bin/python3", "-c", ASK, path, query, user="lzsyncd").stdout
        )
        return found

    def people(self) -> dict[str, int]:
        """How many people live in each city."""
        rows = self.ask("SELECT city, count(*) FROM lz_user WHERE deleted = 0 AND suspended = 0 GROUP BY city")
        return dict(rows)

    def status(self) -> str:
        """What `lzsyncd status` says."""
        return self.machine.run(LZSYNCD, "status", self.name, user="lzsyncd").stdout

    def _told_of(self) -> list[Path]:
        return [path for path in self.outbox.iterdir() if not path.name.startswith(".")]

    def _told(self) -> str:
        lines = [str(line["MESSAGE"]) for line in self.machine.journal("lzsyncd.service")]
        about = [line for line in lines if f'"{self.name}"' in line or "Traceback" in line]
        found = [str(path.relative_to(self.folder)) for path in sorted(self.folder.rglob("*"))]
        return "\n".join([*about[-20:], *found, self.status()])
