"""The real program as a process of its own, which a test can end or stop at a named point."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lzsyncd.config import Site, load
from lzsyncd.config.guards import LIMITS

REPOSITORY = Path(__file__).parents[2]
POINTS = Path(__file__).parent / "points"
LONGEST = 120  # seconds that a program may take; a test must not hang


@dataclass(frozen=True)
class Point:
    """A point of the program: before or after a call of one function. `text` must be in one of its arguments."""

    module: str
    name: str
    when: str = "after"
    call: int = 1
    text: str = ""

    def with_signal(self, number: int) -> str:
        return json.dumps(asdict(self) | {"signal": int(number)})


@dataclass(frozen=True)
class Place:
    """A folder with a configuration, and the site `acme` below it.

    Attributes:
        folder: the data folder.
        database: what the configuration says.
    """

    folder: Path
    database: str

    @property
    def config(self) -> Path:
        return self.folder / "lzsyncd.toml"

    @property
    def site(self) -> Site:
        return load(self.config).sites["acme"]

    def configure(self, more: str = "") -> None:
        """Write the configuration: people and units go for good, and no guard minds how many."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [
            f'[daemon]\ndata_dir = "{self.folder}"\n[sites.acme]\ndatabase = "{self.database}"\nincomplete = "sync"',
            more,
            *(f'[sites.acme.{element}]\nmissing = "delete"' for element in ("org", "pos", "user")),
            "[sites.acme.guard]",
            *(f'{limit} = "none"' for limit in LIMITS),
        ]
        self.config.write_text("\n".join(lines), encoding="utf-8")
        self.config.chmod(0o644)

    def deliver(self, name: str, files: dict[str, bytes]) -> Path:
        """Put a set into a folder."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        for file, data in files.items():
            (folder / file).write_bytes(data)
        return folder

    def start(
        self,
        *words: str | Path,
        point: Point | None = None,
        number: int = signal.SIGKILL,
        prefix: Sequence[str] = (),
        before: Callable[[], None] | None = None,
    ) -> subprocess.Popen[str]:
        """Start the program; with a point it gets a signal there."""
        environment = os.environ | {"PYTHONPATH": f"{POINTS}:{REPOSITORY}", "PYTHONDONTWRITEBYTECODE": "1"}
        if point:
            environment["LZSYNCD_TEST_POINT"] = point.with_signal(number)
        command = [*prefix, sys.executable, "-m", "lzsyncd", "--config", str(self.config), *map(str, words)]
        return subprocess.Popen(
            command,
            env=environment,
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=before,  # noqa: PLW1509 the tests have no threads at that time
        )

    def sync(self, folder: Path, *more: str, **how: Any) -> "Ended":
        """Run `lzsyncd sync acme --from FOLDER` and wait for its end."""
        return ended(self.start("sync", "acme", "--from", folder, *more, **how))


@dataclass(frozen=True)
class Ended:
    """How a program ended; `code` is negative when a signal ended it."""

    code: int
    out: str
    err: str


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for a program."""
    try:
        out, err = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Ended(process.returncode, out, err)


def wait_until_stopped(process: subprocess.Popen[str]) -> None:
    """Wait until a program has stopped itself (SIGSTOP) at its point."""
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        raise AssertionError(f"it ended before its point: {status}")


def unprivileged() -> tuple[str, ...]:
    """Words before a command that take root's way round permissions away; none are needed where we are not root."""
    if os.geteuid():
        return ()
    return ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", "--inh-caps=-all")
