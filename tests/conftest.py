"""Fresh databases for the tests: SQLite in the test's own folder, PostgreSQL from one cluster a session.

Each test that asks for `database` runs twice, once on either. The schema is migrated once a session and copied.
"""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from lzsyncd.config import Site
from lzsyncd.zone.database import opened

from .postgres import Cluster

# A busy machine is no fault of an example. At the gates the same examples each time: they say whether this change is
# right, all other runs look for what nobody knows.
BUSY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("anywhere", BUSY)
settings.register_profile("gates", BUSY, derandomize=True)
settings.load_profile("gates" if os.environ.get("CI") or os.environ.get("LZSYNCD_GATES") else "anywhere")

# Tests start hundreds of programs: each would compile lzsyncd anew (80 ms) where the environment forbids to keep it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Twice as many workers as cores for `-n auto`: tests of programs mostly wait for them."""
    return 2 * len(os.sched_getaffinity(0))


@pytest.hookimpl(trylast=True)  # after they were shuffled
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest, or the last of all may run alone."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


TEMPLATE = "lzsyncd_template"
MEMORY = Path("/dev/shm")
ENOUGH = 2 << 30  # bytes for the server's log and the databases of one worker
DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One PostgreSQL server for the session (for each worker of pytest-xdist), with a migrated template database."""
    with Cluster(parent=_in_memory()) as server:
        with opened(replace(Site.standard("template"), database=server.create_database(TEMPLATE))):
            pass
        yield server


def _in_memory() -> Path | None:
    """A folder in memory where there is room: a run makes many small tables, twice as fast there as on a disk."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH else None


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database, to be copied."""
    site = Site.standard("template", tmp_path_factory.mktemp("sqlite"))
    with opened(site):
        pass
    return site.folder / "zone.db"


_numbers = itertools.count(1)


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> Callable[[Path], str]:
    """Makes a fresh, migrated database for a site.

    Takes the site's folder (where `zone.db` is); returns what the configuration's key `database` says.
    """
    return _maker(request.param, request)


@pytest.fixture
def databases(request: pytest.FixtureRequest) -> dict[str, Callable[[Path], str]]:
    """What makes a fresh database of either kind, for tests that compare both with something that takes long."""
    return {kind: _maker(kind, request) for kind in DATABASES}


def _maker(kind: str, request: pytest.FixtureRequest) -> Callable[[Path], str]:
    if kind == "sqlite":
        return copies_of(request.getfixturevalue("migrated_sqlite"))
    return _copies_in(request)


def copies_of(migrated: Path) -> Callable[[Path], str]:
    """Makes a site's database a copy of one that is migrated."""

    def make(folder: Path) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(migrated, folder / "zone.db")
        return "sqlite"

    return make


def _copies_in(request: pytest.FixtureRequest) -> Callable[[Path], str]:
    server: Cluster = request.getfixturevalue("cluster")

    def make(_folder: Path) -> str:
        name = f"site_{next(_numbers)}"
        url = server.create_database(name, template=TEMPLATE)
        request.addfinalizer(lambda: server.drop_database(name))
        return url

    return make
