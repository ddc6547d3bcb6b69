"""A page of a run's rows costs what is on it, also where another run has very many."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lzsyncd.config import Site
from lzsyncd.web.questions import slices
from lzsyncd.web.questions.findings import ChangeFilter, FindingFilter, change_lines, finding_lines
from lzsyncd.zone.database import Database
from tests.laws.ground import connected

MANY = 4_000  # rows of each run
HALF = MANY // 2


@pytest.fixture
def site(tmp_path: Path, database: Callable[[Path], str]) -> Site:
    """Two sets wait; each has many findings, and changes many records."""
    made = replace(Site.standard("acme", tmp_path), database=database(tmp_path / "acme"))
    with connected(made) as base, base.transaction():
        for run in ("one", "two"):
            base.run(
                'INSERT INTO sync_run (id, kind, "trigger", status, created_at, started_at) '
                "VALUES (?, 'sync', 'manual', 'held', '', '')",
                (run,),
            )
            numbers = f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY}) "
            for table in ("sync_planned", "sync_change"):
                base.run(
                    f"{numbers}INSERT INTO {table} (run_id, element, idnumber, action) "
                    f"SELECT '{run}', 'user', i, 'updated' FROM n"
                )
            code = "CASE i % 2 WHEN 0 THEN 'key.missing' ELSE 'value.url' END"
            base.run(
                f"{numbers}INSERT INTO sync_error (run_id, element, line, code, severity, message, created_at) "
                f"SELECT '{run}', 'user', i, {code}, 'error', '', '' FROM n"
            )
        if base.dialect.name == "postgresql":
            base.run("ANALYZE sync_planned, sync_change, sync_error")
    return made


def test_each_page_follows_the_one_before_and_ends_with_the_run(site: Site) -> None:
    with connected(site) as base:
        for run in ("one", "two"):
            keys, after = [], 0
            while page := change_lines(base, run, ChangeFilter(), after=after, rows=900):
                keys += [change.idnumber for change in page.rows]
                if not (after := page.after):
                    break
            assert keys == [str(number) for number in range(1, MANY + 1)]
            of_a_code = finding_lines(base, run, FindingFilter(code="value.url"), rows=MANY)
            assert [line.line for line in of_a_code.rows] == list(range(1, MANY + 1, 2))
            assert of_a_code.after == 0


@pytest.mark.parametrize(
    ("table", "common", "index"),
    [
        ("sync_planned", {"run_id": "two"}, "sync_planned_page"),
        ("sync_change", {"run_id": "two"}, "sync_change_run"),
        ("sync_error", {"run_id": "two"}, "sync_error_page"),
        ("sync_error", {"run_id": "two", "code": "value.url"}, "sync_error_code"),
    ],
)
@pytest.mark.parametrize("after", [0, MANY + HALF, 2 * MANY])
def test_a_page_is_found_by_the_index_of_the_run(
    site: Site, table: str, common: dict[str, str], index: str, after: int
) -> None:
    listing = slices.Listing("*", f"FROM {table}", (), "id", among=common)
    with connected(site) as base:
        assert index in plan(base, listing, after)


def plan(base: Database, listing: slices.Listing, after: int) -> str:
    """How the database finds a page."""
    explain = "EXPLAIN" if base.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    query = slices._window(base, listing, listing.columns)
    return str(base.rows(f"{explain} {query}", (*slices._behind(listing, after), slices.ROWS)))
