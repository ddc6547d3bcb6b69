"""How a site stands after a run, what nobody should find there, and how the next sync mends what a fault left."""

import gzip
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

from lzsyncd.errors import TryAgain
from lzsyncd.sync.ending import Result
from lzsyncd.sync.run import Options, sync_folder
from tests.laws.bridge import get_zone
from tests.laws.ground import LEDGER, LZ, ask, connected
from tests.reference.model import Zone
from tests.system.program import LONGEST, Place


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


def mended(place: Place, folder: Path, killed: str, expected: State, over: tuple[str, ...] = ("interrupted",)) -> None:
    """The next sync ends as if nothing had happened, and finishes what the killed run left."""
    result = sync_when_free(place, folder)
    (status,) = (row["status"] for row in ask(place.site, "SELECT status FROM sync_run WHERE id = ?", killed))
    assert status in (*over, "applied")
    applied = killed if status == "applied" else result.run
    assert result.status == ("applied" if applied == result.run else "unchanged")
    assert state(place, applied) == expected
    history = ask(place.site, "SELECT DISTINCT run_id FROM sync_change")
    assert len(history) == 2, "the run that was interrupted has left history"
    assert leftovers(place) == []
    assert is_sound(place)
    kept = sorted(path.name for path in (place.site.folder / "archive").glob("*/*/*"))
    runs = ask(place.site, "SELECT id FROM sync_run WHERE status IN ('applied', 'unchanged') ORDER BY id")
    assert kept == [row["id"] for row in runs]
