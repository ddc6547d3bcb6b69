"""Places for real programs: a site after its first day, copied for every test."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from lzsyncd.sync.run import Options, sync_folder
from tests.laws.company import DAY_ONE
from tests.postgres import Cluster
from tests.system.program import Place

_numbers = itertools.count(1)


@pytest.fixture
def place(database: Callable[[Path], str], tmp_path: Path) -> Place:
    """A site that has seen its first day."""
    made = Place(tmp_path / "srv", database(tmp_path / "srv" / "acme"))
    made.configure()
    sync_folder(made.site, made.deliver("one", DAY_ONE), Options())
    return made


@pytest.fixture
def bare(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Place:
    """A site without a schema."""
    url = "sqlite"
    if kind == "postgresql":
        cluster: Cluster = request.getfixturevalue("cluster")
        name = f"bare_{next(_numbers)}"
        url = cluster.create_database(name)
        request.addfinalizer(lambda: cluster.drop_database(name))
    made = Place(tmp_path / "srv", url)
    made.configure()
    return made


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which database."""
    return str(request.param)


