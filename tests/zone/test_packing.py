"""Rows on their way into a table come out as they went in, on both databases."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lzsyncd.config import Site, parse
from lzsyncd.zone.database import opened
from lzsyncd.zone.packing import PACKERS

ODD = ["plain", "tab\there", "line\nbreak", "back\\slash", "it's", '"', "\\N", "ä€😀", ""]
SAME = {"run": "it's\tthe\nsame\\N", "part": ""}


@pytest.fixture
def site(tmp_path: Path, database: Callable[[Path], str]) -> Site:
    url = database(tmp_path / "acme")
    return parse(f'[daemon]\ndata_dir = "{tmp_path}"\n[sites.acme]\ndatabase = "{url}"\n').sites["acme"]


def test_packed_rows_get_the_columns_that_are_the_same_in_all_of_them(site: Site) -> None:
    with opened(site) as database, database.transaction():
        database.table("scratch", "line INTEGER, cell TEXT, run TEXT, part TEXT")
        pack = PACKERS[database.dialect.name]
        blocks = [pack([[*map(str, range(at, at + len(ODD)))], ODD]) for at in (0, 100)] + [pack([[], []])]
        database.load_packed("scratch", ("line", "cell"), blocks, SAME)
        expected = [(at + number, text, *SAME.values()) for at in (0, 100) for number, text in enumerate(ODD)]
        assert database.rows("SELECT line, cell, run, part FROM scratch ORDER BY line") == expected


def test_packed_rows_need_no_such_columns(site: Site) -> None:
    with opened(site) as database, database.transaction():
        database.table("scratch", "cell TEXT")
        database.load_packed("scratch", ("cell",), [PACKERS[database.dialect.name]([ODD])])
        assert [cell for (cell,) in database.rows("SELECT cell FROM scratch")] == ODD
