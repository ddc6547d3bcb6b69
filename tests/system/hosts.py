"""Hosts that share a folder, a PostgreSQL server and a mail server, and nothing else: each in a network of its own.

A host is a network namespace with a name of its own, joined by a line to a bridge, where the servers are. The line can
be cut: then nobody hears anything any more, also not that a process has ended.
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.system.program import LONGEST, POINTS, REPOSITORY, Point

# the daemon's children look at nothing of the environment: they are told here where to stop
RUNNER = """
import sys
from pathlib import Path
from lzsyncd.cli.daemon import run_daemon
from lzsyncd.service import worker
text = "import runpy; runpy.run_path({!r}); from lzsyncd".format(sys.argv[2]).replace("{", "{{").replace("}", "}}")
worker.PROGRAM = worker.PROGRAM.replace("from lzsyncd", text, 1)
run_daemon(Path(sys.argv[1]))
"""


def ip(*words: str) -> str:
    """What ip(8) says."""
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


@dataclass
class Host:
    """One of them.

    Attributes:
        name: its own.
        namespace: of its network.
        line: the end, on the servers' side, of what joins it to them.
        config: its configuration.
        log: where its daemon says what it does.
    """

    name: str
    namespace: str
    line: str
    config: Path
    log: Path
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def _command(self, *words: str) -> list[str]:
        own = ["ip", "netns", "exec", self.namespace, "unshare", "--uts", "sh", "-c"]
        return [*own, f'hostname {self.name}; exec "$@"', "sh", sys.executable, *words]

    def run(self, point: Point | None = None, number: int = signal.SIGSTOP) -> None:
        """Start its daemon; with a point each of its children gets a signal there."""
        environment = os.environ | ({"LZSYNCD_TEST_POINT": point.with_signal(number)} if point else {})
        command = self._command("-c", RUNNER, str(self.config), str(POINTS / "sitecustomize.py"))
        with self.log.open("ab") as log:
            made = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=log, stderr=log)
        self._processes.append(made)

    def asked(self, *words: str) -> Any:
        """What a command says here, as JSON."""
        command = self._command("-m", "lzsyncd", "--config", str(self.config), *words, "--json")
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=LONGEST)
        return json.loads(done.stdout)

    def signal(self, number: int) -> None:
        """Tell all its processes."""
        for pid in ip("netns", "pids", self.namespace).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), number)

    def has_stopped(self) -> bool:
        """Whether one of its processes has stopped at its point."""
        states = []
        for pid in ip("netns", "pids", self.namespace).split():
            with contextlib.suppress(OSError):
                states.append((Path("/proc") / pid / "stat").read_text().rpartition(")")[2].split()[0])
        return "T" in states

    def cut(self) -> None:
        """Cut its line."""
        ip("link", "set", self.line, "down")

    def join(self) -> None:
        """Mend its line."""
        ip("link", "set", self.line, "up")

    def end(self) -> None:
        """Kill all its processes."""
        while ip("netns", "pids", self.namespace).split():
            self.signal(signal.SIGKILL)
            for process in self._processes:
                process.wait()
        self._processes.clear()

    def leave(self) -> None:
        """Be gone, and leave the network."""
        self.end()
        ip("netns", "delete", self.namespace)

    def events(self, action: str) -> list[dict[str, Any]]:
        """Lines of its log."""
        if not self.log.exists():
            return []
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.endswith("}")]
        return [line for line in lines if line.get("event.action") == action]


@dataclass
class Network:
    """A bridge with lines to hosts.

    Attributes:
        name: of all that belongs to it.
        cidr: its addresses.
        servers: the address where servers are; they listen on any.
    """

    name: str
    cidr: str
    servers: str

    def host(self, number: int, name: str, folder: Path) -> Host:
        """Join a host."""
        namespace, line = f"{self.name}-{name}-{secrets.token_hex(2)}", f"lz{secrets.token_hex(5)}"
        address = f"{self.servers.rpartition('.')[0]}.{number}/24"
        ip("netns", "add", namespace)
        ip("link", "add", line, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        ip("link", "set", line, "master", self.name, "up")
        ip("-n", namespace, "address", "add", address, "dev", "eth0")
        for link in ("lo", "eth0"):
            ip("-n", namespace, "link", "set", link, "up")
        return Host(name, namespace, line, folder / f"{name}.toml", folder / f"{name}.log")


@contextmanager
def network() -> Iterator[Network]:
    """A network without hosts, which leave it before the block ends."""
    number = secrets.randbelow(256)
    made = Network(f"lz{secrets.token_hex(3)}", f"198.18.{number}.0/24", f"198.18.{number}.254")  # RFC 2544: for tests
    ip("link", "add", made.name, "type", "bridge")
    try:
        ip("address", "add", f"{made.servers}/24", "dev", made.name)
        ip("link", "set", made.name, "up")
        yield made
    finally:
        ip("link", "delete", made.name)
