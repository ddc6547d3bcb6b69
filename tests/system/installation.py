"""The program inside a booted machine, in a virtual environment of its own as a sysadmin would have it.

lzsyncd comes from a wheel of the checkout. What it depends on is copied from where the tests run: no network is needed.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.system import measured
from tests.system.booted import Machine, MachineMissing, booted

REPOSITORY = Path(__file__).parents[2]
VENV = "/opt/lzsyncd/venv"
LZSYNCD = f"{VENV}/bin/lzsyncd"
EXTRAS = ("apprise", "postgres")
PIPS = "/usr/share/python-wheels"  # of Debian's python3-venv, which gives new environments their pip from there


def build_wheel(folder: Path) -> Path:
    """Build the checkout into a wheel; returns its path."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


@contextmanager
def booted_with(layer: Path) -> Iterator[Machine]:
    """A machine for the length of a block, with the program in it."""
    with booted(layer) as machine:
        measured.begin(machine)
        yield machine
        measured.collect(machine)


def program_layer(folder: Path) -> Path:
    """Make a layer for machines: a folder with the program in it, and nothing else."""
    layer = folder / "layer"
    with booted() as machine:
        install_program(machine, build_wheel(folder))
        shutil.copytree(machine.root / "opt/lzsyncd", layer / "opt/lzsyncd", symlinks=True)
    for path in (layer, layer / "opt"):
        path.chmod(0o755)
    return layer


def install_program(machine: Machine, wheel: Path) -> None:
    """Install the wheel into a new environment of the machine's own Python."""
    _require_same_python(machine)
    machine.run("/usr/bin/python3", "-m", "venv", "--without-pip", VENV)
    packages = f"{VENV}/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    machine.push(wheel, f"/opt/{wheel.name}")
    pip = next(Path(PIPS).glob("pip-*.whl"), None)
    if pip is None:
        raise MachineMissing("An environment can't be made: apt-get install python3-venv.")
    options = ("--no-index", "--no-deps", "--disable-pip-version-check", "--quiet", "--root-user-action=ignore")
    machine.run(f"{VENV}/bin/python", f"{pip}/pip", "install", *options, f"/opt/{wheel.name}")
    for package in _dependencies(_itself(machine, packages)):
        _copy(package, machine, packages)
    if measured.is_measured():
        measured.prepare(machine, packages)


def _itself(machine: Machine, packages: str) -> Distribution:
    """lzsyncd as it is installed in the machine."""
    (found,) = (machine.root / packages.lstrip("/")).glob("lzsyncd-*.dist-info")
    return Distribution.at(found)


def _require_same_python(machine: Machine) -> None:
    told = machine.run("/usr/bin/python3", "-c", "import sys; print(*sys.version_info[:2])").stdout.split()
    if tuple(map(int, told)) != sys.version_info[:2]:
        raise MachineMissing(f"The tests must run with the Python of /usr/bin/python3: {'.'.join(told)}.")


def _dependencies(package: Distribution) -> Iterator[Distribution]:
    """All that a package needs, from the environment that the tests run in."""
    seen: set[str] = set()
    left = [(package, EXTRAS)]
    while left:
        one, extras = left.pop()
        for requirement in map(Requirement, one.requires or ()):
            if requirement.name in seen or not _applies(requirement, extras):
                continue
            seen.add(requirement.name)
            found = _installed(requirement.name)
            left.append((found, tuple(requirement.extras)))
            yield found


def _applies(requirement: Requirement, extras: tuple[str, ...]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def _installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        raise MachineMissing(f"{name} is not installed where the tests run: pip install -e '.[test]'.") from None


def _copy(package: Distribution, machine: Machine, packages: str) -> None:
    for file in package.files or ():
        source = Path(str(file.locate()))
        if ".." not in file.parts and source.is_file():  # compiled already: the service could not keep what it compiles
            machine.push(source, f"{packages}/{file}")
