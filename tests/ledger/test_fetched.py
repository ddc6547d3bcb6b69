"""What is remembered of a remote server, on both databases."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lzsyncd.config import Site
from lzsyncd.ledger.fetched import Known, Memory, Offered, Visited, last_visit
from lzsyncd.zone.database import Database, opened

ONE, OTHER = Offered("org.csv", 3_000_000_000, 1), Offered("user.csv", 5, 2)


@pytest.fixture
def base(tmp_path: Path, database: Callable[[Path], str]) -> Iterator[Database]:
    site = Site.standard("acme", tmp_path)
    with opened(replace(site, database=database(site.folder))) as made:
        yield made


def test_a_file_is_remembered_by_place_name_size_and_time(base: Database) -> None:
    memory = Memory(base, "here")
    memory.see([ONE, OTHER], "t1")
    memory.see([ONE, OTHER], "t2")
    assert memory.files() == {ONE: Known("seen", "t1"), OTHER: Known("seen", "t1")}
    assert Memory(base, "there").files() == {}
    memory.move([ONE], "fetched")
    memory.move([], "done")
    memory.see([OTHER._replace(mtime=3)], "t3")
    assert memory.files() == {ONE: Known("fetched", "t1"), OTHER._replace(mtime=3): Known("seen", "t3")}


def test_reports_are_remembered_by_their_version(base: Database) -> None:
    memory = Memory(base, "here")
    for version in ("1", "2"):
        memory.put("run", version)
    assert memory.reports() == {"run": "2"}


def test_how_visits_went_is_remembered(base: Database) -> None:
    memory = Memory(base, "here")
    assert last_visit(base, "here") == Visited()
    assert memory.began("t1") == "t1"
    memory.ended("t2", "", has_fetched=True)
    assert memory.began("t3") == "t1"
    memory.ended("t4", "It failed.", "org.csv is missing")
    assert last_visit(base, "here") == Visited("t3", "t2", "t2", "It failed.", "org.csv is missing")
