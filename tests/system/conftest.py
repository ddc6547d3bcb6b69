"""Places for real programs: sites after their first day, made once and copied for every test."""

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lzsyncd.sync.run import Options, sync_folder
from tests.conftest import MEMORY
from tests.laws.company import DAY_ONE, DAY_TWO
from tests.postgres import Cluster
from tests.system.aftermath import State, state
from tests.system.booted import Machine
from tests.system.installation import LZSYNCD, booted_with, program_layer
from tests.system.program import Place
from tests.system.sshd import Server

_numbers = itertools.count(1)


class Kitchen:
    """Makes sites in one kind of database.

    Attributes:
        kind: `sqlite` or `postgresql`.
        remembered: what tests need once a session.
    """

    def __init__(self, kind: str, folder: Path, cluster: Cluster | None) -> None:
        self.kind, self.folder, self.cluster = kind, folder, cluster
        self.remembered: dict[str, Any] = {}
        self.first_day = self.bare(folder / "first")
        sync_folder(self.first_day.site, self.first_day.deliver("one", DAY_ONE), Options())

    def bare(self, folder: Path, template: str = "template1") -> Place:
        """A site whose database is empty."""
        url = "sqlite"
        if self.cluster:
            url = self.cluster.create_database(f"system_{next(_numbers)}", template=template)
        made = Place(folder, url)
        made.configure()
        return made

    def after_one_day(self, folder: Path) -> Place:
        """A site that has seen its first day."""
        shutil.copytree(self.first_day.folder, folder)
        return self.bare(folder, self.first_day.database.rpartition("/")[2])


@pytest.fixture(scope="session")
def kitchens(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Callable[[str], Kitchen]:
    made: dict[str, Kitchen] = {}

    def kitchen(kind: str) -> Kitchen:
        if kind not in made:
            cluster = request.getfixturevalue("cluster") if kind == "postgresql" else None
            made[kind] = Kitchen(kind, tmp_path_factory.mktemp(kind), cluster)
        return made[kind]

    return kitchen


@pytest.fixture(params=["sqlite", "postgresql"])
def kitchen(request: pytest.FixtureRequest, kitchens: Callable[[str], Kitchen]) -> Kitchen:
    """Makes sites, in either database."""
    return kitchens(request.param)


@pytest.fixture
def place(kitchen: Kitchen, tmp_path: Path) -> Iterator[Place]:
    """A site that has seen its first day."""
    made = kitchen.after_one_day(tmp_path / "srv")
    yield made
    if kitchen.cluster:
        kitchen.cluster.drop_database(made.database.rpartition("/")[2])


@pytest.fixture
def undisturbed(kitchen: Kitchen, tmp_path: Path) -> State:
    """How the second day ends when nothing goes wrong."""
    return undisturbed_of(kitchen, tmp_path)


def undisturbed_of(kitchen: Kitchen, folder: Path) -> State:
    if "undisturbed" not in kitchen.remembered:
        other = kitchen.after_one_day(folder / "undisturbed")
        (result,) = sync_folder(other.site, other.deliver("two", DAY_TWO), Options())
        kitchen.remembered["undisturbed"] = state(other, result.run)
    made: State = kitchen.remembered["undisturbed"]
    return made


@pytest.fixture(scope="session")
def program() -> Iterator[Path]:
    """The program as it is installed in a virtual environment of its own: a layer for machines."""
    with tempfile.TemporaryDirectory(prefix="lzsyncd-program-", dir=MEMORY) as folder:
        yield program_layer(Path(folder))


@pytest.fixture(scope="session")
def machine(program: Path) -> Iterator[Machine]:
    """A booted machine with the program in /opt, for tests that leave it as they find it."""
    with booted_with(program) as made:
        yield made


@pytest.fixture
def fresh_machine(program: Path) -> Iterator[Machine]:
    """A booted machine with the program in /opt, for this test alone: it takes half a second."""
    with booted_with(program) as made:
        yield made


@pytest.fixture
def installed(fresh_machine: Machine) -> Machine:
    """A machine on which lzsyncd is installed, without a site."""
    fresh_machine.run(LZSYNCD, "install")
    return fresh_machine


@pytest.fixture
def served(installed: Machine) -> Server:
    """The same with its SFTP server running."""
    return Server(installed)
