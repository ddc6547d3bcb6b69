"""What fetching a large file takes: `python -m tests.bench.fetch`, as root. Memory, processor, clock; a real sshd.

Once in one piece, then with a connection that breaks off in the middle and a second visit, which goes on. A set of a
few lines beside it: what differs is what the size costs.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from time import perf_counter

from lzsyncd.config import load
from tests.bench.memory import Memory, PeakMemory
from tests.system.remote import Customer, Relay, customer

MEGA = 1_000_000
SMALL = dict.fromkeys(("org.csv", "pos.csv", "user.csv"), b"idnumber\n")
LINE = b"x" * 99 + b"\n"


@dataclass
class Fetched:
    """One visit."""

    name: str
    code: int
    seconds: float
    cpu: float
    memory: Memory
    size: int

    def told(self) -> str:
        """A line of the table."""
        speed = f"{self.size / MEGA / self.seconds:6.0f} MB/s {self.size / MEGA / max(self.cpu, 0.01):6.0f} MB/CPU-s"
        memory = f"{self.memory.rss:6.0f} MiB RSS {self.memory.pss:6.0f} MiB PSS"
        return f"{self.name:<12} exit {self.code:<3} {self.size / MEGA:7.1f} MB {speed} {memory}"


class Site:
    """A site of ours that visits a server, at a port of its own choice."""

    def __init__(self, folder: Path, server: Customer, port: int) -> None:
        self.config = folder / "lzsyncd.toml"
        remote = server.settings(port=port)
        self.config.write_text(f'[daemon]\ndata_dir = "{folder}"\n[sites.acme]\nsettle = "1s"\n{remote}')
        self.inbox = load(self.config).sites["acme"].inbox
        self.inbox.mkdir(parents=True)

    def fetch(self, name: str) -> Fetched:
        """Visit the server with the command."""
        before, had = _cpu(), self._size()
        start = perf_counter()
        command = [sys.executable, "-m", "lzsyncd", "--config", str(self.config), "fetch", "acme"]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with PeakMemory(child.pid) as watched:
            code = child.wait()
        return Fetched(name, code, perf_counter() - start, _cpu() - before, watched.peak, self._size() - had)

    def _size(self) -> int:
        return sum(path.stat().st_size for path in self.inbox.iterdir())


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(folder: Path, size: int) -> list[Fetched]:
    """A small set, a large one, and a large one in two pieces."""
    with customer(folder / "customer") as server:
        found = []
        for name in ("small", "whole", "two"):
            (folder / name).mkdir()
        server.lay_out(SMALL)
        found.append(Site(folder / "small", server, server.port).fetch("a few lines"))
        with (server.home / "out/user.csv").open("wb") as stream:
            for _ in range(size // len(LINE) // 1000):
                stream.write(LINE * 1000)
        found.append(_same(Site(folder / "whole", server, server.port), server, "in one piece"))
        relay = Relay(server.port, size // 2)
        site = Site(folder / "two", server, relay.port)
        found.append(site.fetch("cut off"))
        relay.left = 1 << 60
        found.append(_same(site, server, "gone on"))
        relay.close()
    return found


def _same(site: Site, server: Customer, name: str) -> Fetched:
    fetched = site.fetch(name)
    with (site.inbox / "user.csv").open("rb") as ours, (server.home / "out/user.csv").open("rb") as theirs:
        assert file_digest(ours, "sha256").digest() == file_digest(theirs, "sha256").digest()
    return fetched


def main() -> int:
    """Measure, and tell."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--size", type=int, default=500, help="of the file, in MB")
    size = options.parse_args().size * MEGA
    if os.geteuid():
        print("An sshd of one's own lets only its own account in: be root.")
        return 1
    with tempfile.TemporaryDirectory(prefix="lzsyncd-fetch-", dir="/var/tmp") as folder:
        for fetched in measure(Path(folder), size):
            print(fetched.told())
    return 0


if __name__ == "__main__":
    sys.exit(main())
