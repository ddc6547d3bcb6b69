"""The idle daemon with many sites, and how soon it goes to work: `python -m tests.bench.idle --sites 100`.

Measured from outside, as a sysadmin would: the real program, memory and CPU from /proc, uploads into inboxes.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lzsyncd.config import Site
from lzsyncd.zone.database import opened
from tests.bench.memory import Memory, memory_of

ROOT = Path(__file__).parents[2]
SETTLE = 1.0  # seconds, of every site here
GOALS = {"ready": 2.0, "rss": 45.0, "cpu": 0.2, "latency": 0.5}  # seconds, MiB, % of a core, seconds beyond settle
LONGEST = 60  # seconds for anything that is waited for
FILES = {
    "org.csv": b"idnumber,fullname\nROOT,All\n",
    "pos.csv": b"idnumber,fullname\nP1,Clerk\n",
    "user.csv": b"idnumber,username,firstname,lastname,email\nU%d,u%d,Ann,Lee,u%d@example.org\n",
}


@dataclass(frozen=True)
class Daemon:
    """A daemon that runs.

    Attributes:
        pid: of its process.
        ready: seconds from its start to its word that it is ready.
        log: where its lines go.
    """

    pid: int
    ready: float
    log: Path

    def cpu(self) -> float:
        """Seconds of CPU it has used so far, without its children; to the nanosecond, not by the clock's ticks."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(text.split()[0]) for text in _texts(tasks)) / 1e9

    def switches(self) -> int:
        """How often its threads have been woken so far."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/status")
        return sum(int(text.split("\nvoluntary_ctxt_switches:")[1].split()[0]) for text in _texts(tasks))

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.endswith("}")]


def _texts(paths: Iterator[Path]) -> Iterator[str]:
    for path in paths:
        with contextlib.suppress(OSError):
            yield path.read_text()


def make_sites(folder: Path, number: int) -> Path:
    """Make the folders of some sites, each with its database; returns their configuration."""
    data = folder / "data"
    lines = [f'[daemon]\ndata_dir = "{data}"\nruntime_dir = "{folder / "run"}"']
    for name in map(site_name, range(number)):
        site = Site.standard(name, data)
        site.inbox.mkdir(parents=True)
        (site.folder / "spool").mkdir()
        with opened(site):
            pass
        lines.append(f'[sites.{name}]\nsettle = "{SETTLE:.0f}s"\napply = "on-arrival"')
    configuration = folder / "lzsyncd.toml"
    configuration.write_text("\n".join(lines) + "\n")
    return configuration


def site_name(number: int) -> str:
    """The name of one of the sites."""
    return f"site{number:03}"


@contextlib.contextmanager
def running(configuration: Path) -> Iterator[Daemon]:
    """A daemon for the length of a block."""
    log = configuration.with_suffix(".log")
    command = [sys.executable, "-m", "lzsyncd", "--config", str(configuration), "run"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("w") as output:
        begun = time.monotonic()
        process = subprocess.Popen(command, stdout=output, env=environment, cwd=ROOT, start_new_session=True)
    try:
        _wait(lambda: "daemon_started" in log.read_text(), process, 0.005)
        yield Daemon(process.pid, time.monotonic() - begun, log)
    finally:
        process.terminate()
        try:
            process.wait(LONGEST)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _wait(come: Callable[[], object], process: subprocess.Popen[bytes] | None = None, every: float = 0.05) -> None:
    until = time.monotonic() + LONGEST
    while not come():
        if time.monotonic() > until or (process is not None and process.poll() is not None):
            raise SystemExit("The daemon did not do what was waited for; its log says why.")
        time.sleep(every)


def latencies(daemon: Daemon, folder: Path, uploads: int) -> list[float]:
    """Seconds from the last byte written to the run that takes the set, without the time it must settle."""
    found = []
    for number in range(uploads):
        name = site_name(number)
        inbox = Site.standard(name, folder / "data").inbox
        for file, text in FILES.items():
            (inbox / file).write_bytes(text.replace(b"%d", str(number).encode()))
        written = time.time()
        _wait(lambda name=name: any(_is_start(line, name) for line in daemon.lines()))
        started = next(line for line in daemon.lines() if _is_start(line, name))["@timestamp"]
        found.append(_seconds(started) - written - SETTLE)
        time.sleep(0.37)  # not in step with the daemon's own ticks
    _wait(lambda: sum(line.get("event.action") == "run_finished" for line in daemon.lines()) >= uploads)
    return found


def _is_start(line: dict[str, Any], site: str) -> bool:
    return line.get("event.action") == "run_started" and line.get("site") == site


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


@dataclass(frozen=True)
class Figures:
    """What was measured: seconds, MiB, % of a core."""

    ready: float
    memory: Memory
    cpu: float
    wakes: float
    latency: list[float]

    def told(self) -> str:
        """For people."""
        late = self.latency
        return "\n".join([
            f"start to ready        {self.ready:8.2f} s      goal ≤ {GOALS['ready']}",
            f"resident when idle    {self.memory.rss:8.1f} MiB    goal ≤ {GOALS['rss']}",
            f"  shared by halves    {self.memory.pss:8.1f} MiB",
            f"CPU when idle         {self.cpu:8.3f} %      goal ≤ {GOALS['cpu']}",
            f"  wakes a second      {self.wakes:8.1f}",
            f"last byte → run       {statistics.median(late):8.2f} s beyond settle, most {max(late):.2f}"
            f"   goal ≤ {GOALS['latency']}" if late else "",
        ])  # fmt: skip

    def good(self) -> bool:
        """Whether all goals are reached."""
        found = {"ready": self.ready, "rss": self.memory.rss, "cpu": self.cpu, "latency": max(self.latency, default=0)}
        return all(found[name] <= goal for name, goal in GOALS.items())


def measure(sites: int, seconds: float, uploads: int, warming: float = 3.0) -> Figures:
    """Do all of it in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(make_sites(folder, sites)) as daemon:
            time.sleep(warming)  # what starting leaves to do is no idling
            cpu, wakes = daemon.cpu(), daemon.switches()
            time.sleep(seconds)
            cpu, wakes = daemon.cpu() - cpu, daemon.switches() - wakes
            memory = memory_of(daemon.pid)
            late = latencies(daemon, folder, min(uploads, sites))
        return Figures(daemon.ready, memory, 100 * cpu / seconds, wakes / seconds, late)


def main() -> None:
    """Measure, tell, and end with 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description="Measure the idle daemon.")
    parser.add_argument("--sites", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60, help="how long it idles")
    parser.add_argument("--uploads", type=int, default=8, help="sets delivered one after the other")
    given = parser.parse_args()
    figures = measure(given.sites, given.seconds, given.uploads)
    print(figures.told())
    sys.exit(not figures.good())


if __name__ == "__main__":
    main()
