"""Law 6: what a dry run says is what the run does, digest included; one changed cell changes the digest."""

import hashlib
import shutil
import struct
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from lzsyncd.config import Site
from lzsyncd.feed.elements import Element
from lzsyncd.ledger.queries import changes
from lzsyncd.sync.ending import Result
from tests.companies import History, histories
from tests.laws.bridge import A_DAY
from tests.laws.company import BROKEN, DAY_ONE, DAY_TWO, DELETES
from tests.laws.full import FULL, file_of, full_set, record, stored_columns
from tests.laws.ground import LEDGER, LZ, SYNC, Ground, ask, connected, csv_of, days, look, moderate, sync, sync_at
from tests.postgres import Cluster
from tests.reference.model import Policy

ALL_BUT_THE_NOTE = tuple(
    table
    for table in (*LZ, *LEDGER)
    if table not in ("sync_run", "sync_count", "sync_file", "sync_error", "sync_found", "sync_audience")
)
"""A dry run leaves its own row, with counts, files and findings; nothing else."""


def told(result: Result) -> tuple[Any, ...]:
    return result.plan_hash, result.set_hash, result.counts, result.findings, result.exit_code


def findings(site: Site, run: str) -> list[tuple[Any, ...]]:
    query = (
        "SELECT element, file, line, column_name, code, severity, message, value, caused_by IS NULL AS root "
        "FROM sync_error WHERE run_id = ?"
    )
    return sorted(tuple(map(str, row.values())) for row in ask(site, query, run))


def changes_shown(dry: Result) -> list[tuple[Any, ...]]:
    """Who, before and after, as a dry run that was asked for all of it shows."""
    shown = [] if dry.preview is None else dry.preview.changes
    return [change[2:] for change in shown]


def changes_made(site: Site, run: str) -> list[tuple[Any, ...]]:
    with connected(site) as database:
        return [change[2:] for change in changes(database, run)]


@given(history=histories(days=1))
@moderate
def test_a_dry_run_says_what_the_run_will_do_and_does_nothing(ground: Ground, history: History) -> None:
    site = ground.fresh(history.site, history.zone)
    for _, files in days(history):
        before = look(site, *ALL_BUT_THE_NOTE)
        dry = sync(site, files, dry_run=True, shown=0)
        assert look(site, *ALL_BUT_THE_NOTE) == before
        real = sync(site, files)
        assert told(dry) == told(real)
        assert sorted(map(str, changes_shown(dry))) == sorted(map(str, changes_made(site, real.run)))
        assert findings(site, dry.run) == findings(site, real.run)
        assert (dry.status, real.status) in {
            ("checked", "applied"),
            ("checked", "unchanged"),
            ("rejected", "rejected"),
        }


def digest_of_history(site: Site, run: str) -> str:
    """What the digest of a run says of the changes that the ledger holds: made of the rows, one by one."""
    sums = [0, 0]
    for row in ask(site, "SELECT element, idnumber, action, after FROM sync_change WHERE run_id = ?", run):
        after = "deleted" if row["action"] == "removed" and row["after"].startswith('{"deleted":true') else row["after"]
        text = f"{row['element']} {row['idnumber']} {row['action']} {after}"
        for half, number in enumerate(struct.unpack(">2q", hashlib.sha256(text.encode()).digest()[:16])):
            sums[half] += number
    return hashlib.sha256("/".join(str(half % (1 << 64)) for half in sums).encode()).hexdigest()


@given(history=histories(days=2))
@moderate
def test_the_digest_covers_the_history_row_by_row_however_it_came_about(ground: Ground, history: History) -> None:
    """Of new records it is made while they are read, before anybody knows who is rejected and which links hold."""
    site = ground.fresh(history.site, history.zone)
    for _, files in days(history):
        result = sync(site, files)
        if result.plan_hash:
            assert result.plan_hash == digest_of_history(site, result.run)


@pytest.mark.parametrize("incomplete", ["sync", "hold", "reject"])
def test_it_says_so_where_the_set_would_wait_or_be_rejected(ground: Ground, incomplete: str) -> None:
    site = ground.fresh(replace(DELETES, incomplete=incomplete))
    files = {name: data for name, data in DAY_ONE.items() if name != "pos.csv"}
    dry, real = sync(site, files, dry_run=True), sync(site, files)
    assert told(dry) == told(real)
    assert int(dry.exit_code) == {"sync": 10, "hold": 20, "reject": 30}[incomplete]
    assert told(sync(site, BROKEN, dry_run=True)) == told(sync(site, BROKEN))


def test_the_run_s_own_row_says_that_it_was_dry(ground: Ground) -> None:
    site = ground.fresh(DELETES)
    run = sync(site, DAY_ONE, dry_run=True).run
    (row,) = ask(site, "SELECT kind, status, plan_hash FROM sync_run WHERE id = ?", run)
    assert (row["kind"], row["status"], len(row["plan_hash"])) == ("dry-run", "checked", 64)
    assert not (site.folder / "spool" / run).exists()
    assert not (site.folder / "archive").exists()
    assert not site.outbox.exists()


def test_a_dry_run_uses_up_no_id(ground: Ground) -> None:
    site, other = ground.fresh(DELETES), ground.fresh(DELETES, slot=1)
    for _ in range(3):
        sync(site, DAY_ONE, dry_run=True)
    sync(site, DAY_ONE)
    sync(other, DAY_ONE)
    tables = ("lz_org", "lz_pos", "lz_user", "lz_job")
    assert look(site, *tables) == look(other, *tables)


@pytest.fixture
def both(cluster: Cluster, migrated_sqlite: Path, tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, Ground]:
    """A ground on each of the two databases."""

    def copied(folder: Path) -> str:
        folder.mkdir(parents=True)
        shutil.copyfile(migrated_sqlite, folder / "zone.db")
        return "sqlite"

    def made(_: Path) -> str:
        name = f"both_{tmp_path.name}".lower()[:60]
        request.addfinalizer(lambda: cluster.drop_database(name))
        return cluster.create_database(name, template="lzsyncd_template")

    return {"sqlite": Ground(copied, tmp_path), "postgresql": Ground(made, tmp_path)}


@given(history=histories(days=1))
@moderate
def test_both_databases_make_the_same_digest(both: dict[str, Ground], history: History) -> None:
    one, two = (ground.fresh(history.site, history.zone) for ground in both.values())
    for _, files in days(history):
        assert told(sync(one, files)) == told(sync(two, files))


def changed_sets(site: Site) -> dict[str, dict[str, bytes]]:
    """The full set, each time with one other cell, by element and column."""
    sets = {}
    for element in Element:
        for column in stored_columns(site, element):
            other = file_of(site, element, record(site, element, "x", changed=column))
            sets[f"{element}.{column.name}"] = full_set(site) | {element.file_name: other}
    return sets


def test_one_changed_cell_changes_the_digest_in_every_column(both: dict[str, Ground]) -> None:
    """Of a first load and of a next day; the same on both databases."""
    one, two = (ground.fresh(FULL) for ground in both.values())
    files = full_set(one)
    changed = changed_sets(one)
    assert len(changed) > 50
    first = [sync(one, sets, dry_run=True).plan_hash for sets in (files, *changed.values())]
    assert len(set(first)) == len(first)
    assert sync(two, files, dry_run=True).plan_hash == first[0]
    for site in (one, two):
        assert sync(site, files).exit_code == 0
    nothing = sync(one, files, dry_run=True).plan_hash
    next_day = [sync(one, sets, dry_run=True).plan_hash for sets in changed.values()]
    assert len({nothing, *first, *next_day}) == len(first) + len(next_day) + 1
    # every column at once: what one database says is what the other says
    everything = {
        e.file_name: file_of(
            one, e, {**{c.name: changed_cell(one, e, c.name) for c in stored_columns(one, e)}, "idnumber": "x"}
        )
        for e in Element
    }
    assert told(sync(two, everything)) == told(sync(one, everything))


def changed_cell(site: Site, element: Element, name: str) -> str:
    column = next(column for column in stored_columns(site, element) if column.name == name)
    return record(site, element, "x", changed=column)[name]


HEADER = "idnumber,username,firstname,lastname,email,deleted"
ANN, BOB = "1,ann,Ann,Lee,ann@a.test,", "2,bob,Bob,Lee,bob@a.test,"


def test_what_happens_to_whom_is_in_the_digest(ground: Ground) -> None:
    """Key, action and element count, not only values."""
    site = ground.fresh(replace(SYNC, user=Policy(missing="delete")))
    sync(site, {"user.csv": csv_of(HEADER, ANN, BOB)})
    plans = {
        "nothing": csv_of(HEADER, ANN, BOB),
        "ann goes": csv_of(HEADER, BOB),
        "bob goes": csv_of(HEADER, ANN),
        "another comes": csv_of(HEADER, ANN, BOB, "3,cyd,Cyd,Lee,cyd@a.test,"),
        "another with that name comes": csv_of(HEADER, ANN, BOB, "4,cyd,Cyd,Lee,cyd@a.test,"),
        "ann is another": csv_of(HEADER, "1,cyd,Cyd,Lee,cyd@a.test,", BOB),
    }
    digests = {name: sync(site, {"user.csv": file}, dry_run=True).plan_hash for name, file in plans.items()}
    assert len(set(digests.values())) == len(digests)
    unit = csv_of("idnumber,fullname", "1,One")
    as_org, as_pos = (sync(site, {name: unit}, dry_run=True).plan_hash for name in ("org.csv", "pos.csv"))
    assert as_org != as_pos
    suspends = ground.fresh(replace(SYNC, user=Policy(missing="suspend")), slot=1)
    sync(suspends, {"user.csv": csv_of(HEADER, ANN, BOB)})
    assert sync(suspends, {"user.csv": plans["ann goes"]}, dry_run=True).plan_hash != digests["ann goes"]


def test_the_day_alone_does_not_change_the_digest(ground: Ground) -> None:
    """The jobs of people who are deleted end on the day of the run."""
    digests = set()
    for day in range(3):
        site = ground.fresh(DELETES)
        sync(site, DAY_ONE)
        digests.add(sync_at(A_DAY + timedelta(days=day), site, DAY_TWO).plan_hash)
    assert len(digests) == 1
