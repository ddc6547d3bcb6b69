"""Findings on their way to the error table: however many there are, each is written and looked at a few times."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lzsyncd.checks import findings
from lzsyncd.checks.catalogue import Finding
from lzsyncd.checks.findings import FindingStore
from lzsyncd.config import Site
from lzsyncd.feed.elements import Element
from lzsyncd.zone.database import Database, opened

RUN = "20261123T080000000-00000000"
NOW = "2026-11-23T08:00:00.000Z"


def write(database: Database, number: int) -> None:
    """Findings about as many records; the one on each even line follows from the one before it."""
    store = FindingStore(database)
    store.create_table()
    for line in range(1, number + 1):
        store.add(Finding("record.columns", Element.USER, line, file="user.csv"))
    store.flush()
    database.run("UPDATE finding SET root = 'user:' || (line - 1) WHERE line % 2 = 0")
    store.write(RUN, NOW)


def work_of_sqlite(database: Database, number: int) -> int:
    """Steps of SQLite's machine, in thousands."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    with database.transaction():
        database.connection.set_progress_handler(step, 1_000)
        write(database, number)
        database.connection.set_progress_handler(None, 0)
    return steps


def work_of_postgresql(database: Database, number: int) -> int:
    """Rows that the server read one after the other, in whole tables."""
    with database.transaction():
        write(database, number)
        return int(database.value("SELECT sum(seq_tup_read) FROM pg_stat_xact_user_tables"))


def test_four_times_as_many_findings_are_about_four_times_the_work(
    database: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was sixteen times: a file of a million bad records kept its run busy for hours."""
    monkeypatch.setattr(findings, "FLUSH_AT", 50)
    site = replace(Site.standard("acme", tmp_path), database=database(tmp_path / "acme"))
    work = work_of_sqlite if site.database == "sqlite" else work_of_postgresql
    with opened(site) as opened_database:
        few, many = work(opened_database, 2_000), work(opened_database, 8_000)
    assert few < many < 6 * few


def test_each_finding_is_written_with_its_cause(database: Callable[[Path], str], tmp_path: Path) -> None:
    site = replace(Site.standard("acme", tmp_path), database=database(tmp_path / "acme"))
    with opened(site) as opened_database:
        with opened_database.transaction():
            write(opened_database, 6)
        query = "SELECT e.line, c.line FROM sync_error e LEFT JOIN sync_error c ON c.id = e.caused_by ORDER BY e.id"
        assert opened_database.rows(query) == [(1, None), (2, 1), (3, None), (4, 3), (5, None), (6, 5)]
