"""Where the tests measure what of the program they run, what runs inside a machine is measured too.

Commands are, not services: those may write nowhere but where their unit lets them.
"""

import shutil
import sys
from importlib.metadata import distribution
from pathlib import Path

from tests.system.booted import Machine

SETTINGS = "/opt/lzsyncd/coveragerc"
DATA = "/var/measured"
RULES = f"[run]\nbranch = true\nsource_pkgs = lzsyncd\nparallel = true\ndata_file = {DATA}/.coverage\n"
START = (
    "import os; exec('if os.environ.get(\"COVERAGE_PROCESS_START\"): import coverage; coverage.process_startup()')\n"
)


def is_measured() -> bool:
    """Whether the tests are."""
    return _data_folder() is not None


def _data_folder() -> Path | None:
    """Where measurements are gathered."""
    coverage = sys.modules.get("coverage")
    current = coverage.Coverage.current() if coverage else None
    return Path(current.get_data().base_filename()).parent if current else None


def prepare(machine: Machine, packages: str) -> None:
    """Put what measures beside the program: `packages` is the folder it is in."""
    for file in distribution("coverage").files or ():
        source = Path(str(file.locate()))
        if ".." not in file.parts and source.is_file():
            machine.push(source, f"{packages}/{file}")
    machine.write(f"{packages}/measured.pth", START)
    machine.write(SETTINGS, RULES)


def begin(machine: Machine) -> None:
    """From now on commands inside are measured."""
    if is_measured():
        machine.environment["COVERAGE_PROCESS_START"] = SETTINGS
        machine.run("install", "-d", "-m", "1777", DATA)


def collect(machine: Machine) -> None:
    """Bring the measurements home, before the machine ends."""
    if folder := _data_folder():
        for path in (machine.root / DATA[1:]).iterdir():
            shutil.copy(path, folder / f"{path.name}.{machine.name}")
