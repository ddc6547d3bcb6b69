"""Killed at any moment: the next sync of the same folder ends as if nothing had happened.

A kill counts only when it hit before the run ended. LZSYNCD_KILLS=100 kills so often at random moments as well.
"""

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lzsyncd.errors import TryAgain
from lzsyncd.sync.run import Options, Result, sync_folder
from lzsyncd.zone.database import opened
from tests.laws.bridge import get_zone
from tests.laws.company import DAY_ONE, DAY_TWO, PEOPLE
from tests.laws.ground import LEDGER, LZ, ask, connected, csv_of
from tests.reference.model import Zone
from tests.system.program import LONGEST, Place, Point, ended

KILLS = int(os.environ.get("LZSYNCD_KILLS", "3"))
MOVED = "pathlib"

BEFORE_THE_COMMIT = {
    "the run is written down": Point("lzsyncd.ledger.runs", "start"),
    "before a file is taken": Point("lzsyncd.sync.run", "take", "before"),
    "half of the set is taken": Point("lzsyncd.intake.spool", "_take", call=2),
    "the set is taken": Point("lzsyncd.sync.run", "take"),
    "the run is checking": Point("lzsyncd.ledger.runs", "move"),
    "while a file is packed": Point("gzip", "GzipFile.close", "before"),
    "a file is packed": Point("lzsyncd.intake.spool", "pack"),
    "a file is read": Point("lzsyncd.feed.stage", "Stager.read"),
    "all files are read": Point("lzsyncd.sync.run", "Run._read"),
    "records are matched": Point("lzsyncd.sync.run", "match"),
    "who goes is found": Point("lzsyncd.sync.run", "find_going"),
    "the rounds are over": Point("lzsyncd.sync.run", "settle"),
    "the plan is made": Point("lzsyncd.sync.run", "make_plan"),
    "units are changed": Point("lzsyncd.sync.apply", "_write_changed"),
    "units are made": Point("lzsyncd.sync.apply", "_create"),
    "people have gone": Point("lzsyncd.sync.apply", "_let_people_go"),
    "usernames are parked": Point("lzsyncd.sync.apply", "_park_usernames"),
    "jobs are changed": Point("lzsyncd.sync.apply", "_write_changed_jobs"),
    "people are changed": Point("lzsyncd.sync.apply", "_write_changed", call=3),
    "people are made": Point("lzsyncd.sync.apply", "_create", call=3),
    "jobs are made": Point("lzsyncd.sync.apply", "_create_jobs"),
    "units have gone": Point("lzsyncd.sync.apply", "_let_units_go", call=2),
    "paths are mended": Point("lzsyncd.sync.apply", "refresh_paths", call=2),
    "findings are written": Point("lzsyncd.checks.findings", "FindingStore.write"),
    "counts are written": Point("lzsyncd.ledger.runs", "write_counts"),
    "the run is marked": Point("lzsyncd.ledger.runs", "finish"),
    "before the commit": Point("lzsyncd.zone.database", "Database.run", "before", text="COMMIT"),
}
AFTER_THE_COMMIT = {
    "after the commit": Point("lzsyncd.zone.database", "Database.run", text="COMMIT"),
    "before the archive": Point("lzsyncd.report.after", "archive", "before"),
    "half of the archive": Point(MOVED, "Path.rename", call=2, text="/archive/"),
    "the archive": Point("lzsyncd.report.after", "archive"),
    "reject files are written": Point("lzsyncd.report.outbox", "write_rejects", call=3),
    "the outbox is written, not renamed": Point("lzsyncd.report.outbox", "_make_durable"),
    "the outbox": Point("lzsyncd.report.after", "write_outbox"),
    "before the spool is swept": Point("shutil", "rmtree", "before", text="/spool/"),
    "half of the spool is swept": Point("os", "unlink", text=".csv"),
    "the spool is swept": Point("shutil", "rmtree", text="/spool/"),
}


class State(NamedTuple):
    """All that two ways to the same end must have in common."""

    zone: Zone
    changes: list[tuple[Any, ...]]
    counts: list[tuple[Any, ...]]
    findings: list[tuple[Any, ...]]
    plan_hash: str
    archive: dict[str, bytes]
    outbox: dict[str, bytes]


def state(place: Place, run: str) -> State:
    """How a site stands after a run that applied, and what that run has left behind."""
    site = place.site

    def rows(columns: str, table: str) -> list[tuple[Any, ...]]:
        found = ask(site, f"SELECT {columns} FROM {table} WHERE run_id = ? ORDER BY {columns}", run)
        return [tuple(row.values()) for row in found]

    (row,) = ask(site, "SELECT * FROM sync_run WHERE id = ?", run)
    assert row["status"] == "applied"
    assert row["finished_at"]
    counts = 'element, "read", created, updated, unchanged, revived, removed, absent, rejected, warnings'
    return State(
        get_zone(site),
        rows("element, idnumber, action, before, after, file, line", "sync_change"),
        rows(counts, "sync_count"),
        rows("element, file, line, code, severity, message, value", "sync_error"),
        row["plan_hash"],
        {path.name: gzip.decompress(path.read_bytes()) for path in archive(place, run).iterdir()},
        {path.name: without_run(path) for path in (site.outbox / run).iterdir()},
    )


def archive(place: Place, run: str) -> Path:
    return place.site.folder / "archive" / run[:4] / run[4:6] / run


def without_run(path: Path) -> bytes:
    """What is in a file of the outbox, without the id and the times of the run."""
    if path.suffix == ".json":
        told = {name: part for name, part in json.loads(path.read_text()).items() if name not in TIMES}
        return json.dumps(told, sort_keys=True).encode()
    return path.read_bytes().replace(path.parent.name.encode(), b"RUN")


TIMES = {"run", "created_at", "started_at", "finished_at", "id"}


def sync_when_free(place: Place, folder: Path) -> Result:
    """Sync; a PostgreSQL server takes a moment to see that who held the lock is dead."""
    deadline = time.monotonic() + LONGEST
    while True:
        try:
            (result,) = sync_folder(place.site, folder, Options())
        except TryAgain:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return result


def wait_until_free(place: Place) -> None:
    """Wait until the server has noticed that the killed program is gone."""
    if place.database == "sqlite":
        return
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    while ask(place.site, query):
        time.sleep(0.02)


@pytest.fixture
def undisturbed(place: Place, tmp_path: Path, request: pytest.FixtureRequest) -> State:
    """How it ends when nobody kills it: on a second site, synced in the same way."""
    second = Place(tmp_path / "undisturbed", _another_database(request, place, tmp_path / "undisturbed"))
    second.configure()
    sync_folder(second.site, second.deliver("one", DAY_ONE), Options())
    (result,) = sync_folder(second.site, second.deliver("two", DAY_TWO), Options())
    return state(second, result.run)


def _another_database(request: pytest.FixtureRequest, place: Place, folder: Path) -> str:
    if place.database == "sqlite":
        folder.mkdir()
        return "sqlite"
    return str(request.getfixturevalue("database")(folder))


def newest(place: Place) -> dict[str, Any]:
    return ask(place.site, "SELECT * FROM sync_run ORDER BY created_at DESC, id DESC LIMIT 1")[0]


def tables(place: Place) -> set[str]:
    with connected(place.site) as database:
        return set(database.peewee.get_tables())


def leftovers(place: Place) -> list[str]:
    """What nobody should find after a run: half files, spool folders, tables that are not in the schema."""
    folder = place.site.folder
    found = [str(path) for path in folder.rglob("*") if path.name.endswith(".part") or path.parent.name == "spool"]
    return found + sorted(tables(place) - {*LZ, *LEDGER, "lzsyncd_migration", "sqlite_sequence"})


def is_sound(place: Place) -> bool:
    if place.database == "sqlite":
        (answer,) = ask(place.site, "PRAGMA integrity_check")
        return answer == {"integrity_check": "ok"}
    return True


def mended(place: Place, folder: Path, killed: str, expected: State) -> None:
    """The next sync ends as if nothing had happened, and finishes what the killed run left."""
    result = sync_when_free(place, folder)
    (status,) = (row["status"] for row in ask(place.site, "SELECT status FROM sync_run WHERE id = ?", killed))
    applied = {"interrupted": result.run, "applied": killed}[status]
    assert result.status == ("applied" if applied == result.run else "unchanged")
    assert state(place, applied) == expected
    history = ask(place.site, "SELECT DISTINCT run_id FROM sync_change")
    assert len(history) == 2, "the run that was interrupted has left history"
    assert leftovers(place) == []
    assert is_sound(place)
    kept = sorted(path.name for path in (place.site.folder / "archive").glob("*/*/*"))
    runs = ask(place.site, "SELECT id FROM sync_run WHERE status IN ('applied', 'unchanged') ORDER BY id")
    assert kept == [row["id"] for row in runs]


@pytest.mark.parametrize("point", BEFORE_THE_COMMIT.values(), ids=BEFORE_THE_COMMIT)
def test_killed_before_the_commit_nothing_has_happened(place: Place, undisturbed: State, point: Point) -> None:
    folder, before = place.deliver("two", DAY_TWO), get_zone(place.site)
    assert place.sync(folder, point=point).code == -signal.SIGKILL
    wait_until_free(place)
    killed = newest(place)
    assert killed["status"] in ("claimed", "checking")
    assert get_zone(place.site) == before
    mended(place, folder, killed["id"], undisturbed)


@pytest.mark.parametrize("point", AFTER_THE_COMMIT.values(), ids=AFTER_THE_COMMIT)
def test_killed_after_the_commit_everything_has(place: Place, undisturbed: State, point: Point) -> None:
    folder = place.deliver("two", DAY_TWO)
    assert place.sync(folder, point=point).code == -signal.SIGKILL
    wait_until_free(place)
    killed = newest(place)
    assert killed["status"] == "applied"
    assert get_zone(place.site) == undisturbed.zone
    mended(place, folder, killed["id"], undisturbed)
