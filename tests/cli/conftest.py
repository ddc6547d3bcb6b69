"""A place to run commands in: a configuration, a site with a past, and an export that brings some change."""

import csv
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import structlog

from lzsyncd.__main__ import main
from lzsyncd.config import Site, load
from lzsyncd.feed.sample import write_sample
from lzsyncd.ledger.queries import last_run
from lzsyncd.sync.run import Options, sync_folder
from lzsyncd.zone.database import opened


class Outcome(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


class Place(NamedTuple):
    """A folder with `lzsyncd.toml`, `first/`, `export/` and `data/`."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "lzsyncd.toml"

    @property
    def site(self) -> Site:
        return load(self.config).sites["acme"]

    @property
    def run(self) -> str:
        """The id of the last run."""
        with opened(self.site) as database:
            return last_run(database)

    def sync(self, name: str) -> None:
        sync_folder(self.site, self.folder / name, Options())


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Commands set the log up for the whole process."""
    root, own = logging.getLogger(), logging.getLogger("lzsyncd")
    before = root.handlers[:], root.level, own.level, logging.raiseExceptions
    yield
    root.handlers[:], logging.raiseExceptions = before[0], before[3]
    root.setLevel(before[1])
    own.setLevel(before[2])
    structlog.reset_defaults()


def write_config(folder: Path, more: str = "") -> Path:
    path = folder / "lzsyncd.toml"
    path.write_text(f'[daemon]\ndata_dir = "{folder}/data"\n[sites.acme]\n{more}', encoding="utf-8")
    return path


def edited(path: Path, changes: dict[str, dict[str, str]], added: list[dict[str, str]]) -> None:
    """Rewrite a CSV file: cells changed by key and column, records added."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        row.update(changes.get(row["idnumber"], {}))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), restval="")
        writer.writeheader()
        writer.writerows(rows + added)


@pytest.fixture(scope="session")
def _before(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("place")
    write_config(folder)
    for name in ("first", "export"):
        write_sample(folder / name, Site.standard("acme"))
    edited(
        folder / "export" / "user.csv",
        {"E1001": {"city": "Cambridge"}, "E1002": {"manageridnumber": "E1000"}},
        [
            {
                "idnumber": "E1003",
                "username": "katherine.johnson",
                "firstname": "Katherine",
                "lastname": "Johnson",
                "email": "katherine",
            }
        ],
    )
    place = Place(folder)
    place.sync("first")
    shutil.copytree(folder / "export", place.site.inbox, ignore=shutil.ignore_patterns("*.md"))
    return place


@pytest.fixture(scope="session")
def _after(_before: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = copied(_before, tmp_path_factory.mktemp("place"))
    place.sync("export")
    return place


def copied(place: Place, folder: Path) -> Place:
    shutil.copytree(place.folder, folder, dirs_exist_ok=True)
    write_config(folder, 'settle = "1s"\n')
    return Place(folder)


@pytest.fixture
def before(_before: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A site that has seen `first/`; `export/` is yet to come."""
    return entered(copied(_before, tmp_path), monkeypatch)


@pytest.fixture
def after(_after: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A site that has seen `first/`, then `export/`."""
    return entered(copied(_after, tmp_path), monkeypatch)


@pytest.fixture
def held(before: Place) -> Place:
    """A site whose last run waits for a person: a file is missing."""
    (before.folder / "export" / "pos.csv").unlink()
    before.sync("export")
    return before


RULES = """
[[audiences]]
name = "Operations"
rules = [{ field = "org", under = "OPS" }]
assign = ["course:SAFE-101"]
"""


def entered(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    (place.folder / "rules.toml").write_text(RULES, encoding="utf-8")
    monkeypatch.chdir(place.folder)
    monkeypatch.setenv("LZSYNCD_CONFIG", str(place.config))
    return place


@pytest.fixture
def lzsyncd(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs a command in this process."""

    def run(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = main(list(arguments))
        return Outcome(code, *capsys.readouterr())

    return run
