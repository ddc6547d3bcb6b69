"""The two programs that are measured, each run as a whole process."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lzsyncd.demo.company import CONFIG_SNIPPET
from tests.bench.memory import Memory, PeakMemory

ROOT = Path(__file__).parents[2]
SITE = "bench"
GOOD_EXITS = (0, 10)  # applied or unchanged, without and with findings


class ProgramFailed(RuntimeError):
    """A measured program did not do its work; the text has its last words."""


@dataclass(frozen=True)
class Run:
    """One run of a program.

    Attributes:
        seconds: from its start to its end.
        cpu: seconds that its processes have used.
        memory: the peak of its process tree.
        document: what it said, as JSON.
    """

    seconds: float
    cpu: float
    memory: Memory
    document: Any


def run_sync(configuration: Path, files: Path) -> Run:
    """Run `lzsyncd sync`.

    Raises:
        ProgramFailed: it ended with an exit code that does not mean success.
    """
    return _run(["-m", "lzsyncd", "--config", str(configuration), "sync", SITE, "--from", str(files), "--json"])


def run_undo(configuration: Path, run: str) -> Run:
    """Run `lzsyncd undo`.

    Raises:
        ProgramFailed: it was refused, or failed.
    """
    return _run(["-m", "lzsyncd", "--config", str(configuration), "undo", run, "--json"])


def run_floor(work: str, database: str, files: Path) -> Run:
    """Run the floor. Its seconds are its own account, since making tuples ready is not counted.

    Raises:
        ProgramFailed: it failed.
    """
    run = _run(["-m", "tests.bench.floor", work, database, str(files)], tell_start=True)
    return Run(run.document, run.cpu, run.memory, run.document)


def _run(arguments: list[str], *, tell_start: bool = False) -> Run:
    os.sync()  # what was written before must not be paid for now
    start = time.monotonic()
    command = [sys.executable, *arguments, *([str(start)] if tell_start else [])]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    used = _used_by_children()
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with PeakMemory(process.pid) as watch:
        output, complaints = process.communicate()
        seconds = time.monotonic() - start
    if process.returncode not in GOOD_EXITS:
        raise ProgramFailed(_last_words(arguments, process.returncode, output, complaints))
    return Run(seconds, _used_by_children() - used, watch.peak, _document(arguments, output))


def _used_by_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _document(arguments: list[str], output: bytes) -> Any:
    try:
        return json.loads(output)
    except ValueError:
        raise ProgramFailed(f"python {' '.join(arguments)}\nprinted no JSON: {output[-2000:].decode()}") from None


def _last_words(arguments: list[str], code: int, output: bytes, complaints: bytes) -> str:
    words = "\n".join(text[-2000:].decode(errors="replace") for text in (output, complaints) if text.strip())
    return f"python {' '.join(arguments)}\nended with {code}:\n{words}"


def make_site(folder: Path, database: str) -> Path:
    """Make the folders of a site that takes the made-up company, anew; returns its configuration."""
    data_dir = folder / "data"
    shutil.rmtree(data_dir, ignore_errors=True)
    for name in ("inbox", "outbox"):
        (data_dir / SITE / "sftp" / name).mkdir(parents=True)
    settings = f'[daemon]\ndata_dir = "{data_dir}"\n[sites.{SITE}]\ndatabase = "{database}"\n'
    configuration = folder / "lzsyncd.toml"
    configuration.write_text(settings + CONFIG_SNIPPET.format(site=SITE))
    return configuration
