"""Places for real programs: sites after their first day, made once and copied for every test."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lzsyncd.sync.run import Options, sync_folder
from tests.laws.company import DAY_ONE, DAY_TWO
from tests.postgres import Cluster
from tests.system.aftermath import State, state
from tests.system.program import Place

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
