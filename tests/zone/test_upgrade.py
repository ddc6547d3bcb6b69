"""From every earlier schema to the newest, with data in it; and what happens on the way, and on the way back."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from lzsyncd.config import Site
from lzsyncd.report.events import RunLog
from lzsyncd.sync.inbox import sync_inbox
from lzsyncd.sync.run import Options
from lzsyncd.sync.undo import take_back
from lzsyncd.zone import schema
from lzsyncd.zone.database import Database, opened
from tests.laws.bridge import A_DAY, run_set
from tests.laws.company import DAY_TWO
from tests.laws.ground import LZ, ask, look, sync_at, tell
from tests.zone import dumps

LOG = RunLog(structlog.stdlib.get_logger("lzsyncd"))

# What a later version may do: a table, a column, and rows that are changed. It is killed where it is told to.
LATER = """
import os, signal

def up(_migrator, db):
    db.execute_sql("CREATE TABLE sync_later (id INTEGER PRIMARY KEY)")
    db.execute_sql("ALTER TABLE sync_put ADD COLUMN later TEXT")
    db.execute_sql("UPDATE lz_user SET lastname = 'Later' WHERE NOT managed")
    if os.environ.get("KILLED"):
        os.kill(os.getpid(), signal.SIGKILL)

def down(_migrator, db):
    db.execute_sql("DROP TABLE sync_later")
    db.execute_sql("ALTER TABLE sync_put DROP COLUMN later")
"""
MIGRATE = """
import sys
from pathlib import Path
from lzsyncd.zone import schema
from lzsyncd.zone.database import opened
from tests.zone.dumps import site_at
schema.MIGRATIONS = Path(sys.argv[3])
with opened(site_at(Path(sys.argv[1]), sys.argv[2])):
    pass
"""


class Workshop:
    """Empty databases of one kind, and the site `acme` in each."""

    def __init__(self, kind: str, folder: Path, request: pytest.FixtureRequest) -> None:
        self.kind, self.folder, self.request = kind, folder, request
        self.made: list[str] = []

    def site(self, name: str) -> Site:
        """A site whose database is empty."""
        if self.kind == "sqlite":
            return dumps.site_at(self.folder / name, "sqlite")
        cluster = self.request.getfixturevalue("cluster")
        database = f"upgrade_{name}_{len(self.made)}"
        self.request.addfinalizer(lambda: cluster.drop_database(database))
        self.made.append(cluster.create_database(database))
        return dumps.site_at(self.folder / name, self.made[-1])

    def past(self) -> str:
        """A dump with the newest schema."""
        site = self.site("past")
        with opened(site):
            dumps.live_through(site, self.folder / "sets")
        return dumps.dump(site)


@pytest.fixture(params=dumps.KINDS)
def workshop(request: pytest.FixtureRequest, tmp_path: Path) -> Workshop:
    return Workshop(request.param, tmp_path, request)


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes the program one with another migration, the newest."""

    def come() -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "9999_later.py").write_text(LATER)
        monkeypatch.setattr(schema, "MIGRATIONS", folder)

    return come


def applied(site: Site) -> list[str]:
    runs = ask(site, "SELECT id FROM sync_run WHERE kind = 'sync' AND status = 'applied' ORDER BY created_at, id")
    return [str(run["id"]) for run in runs]


def next_day(site: Site) -> dict[str, Any]:
    """A day later: a set is applied, then both are taken back. What stands after each, and what was counted."""
    result = sync_at(A_DAY + timedelta(days=1), site, DAY_TWO)
    after, counts = look(site), ask(site, "SELECT * FROM sync_count WHERE run_id = ? ORDER BY element", result.run)
    for count in counts:
        del count["run_id"]
    undone = []
    for days, run in enumerate(reversed(applied(site)), 2):
        with opened(site) as database:
            take_back(database, site, run, Options(clock=lambda days=days: A_DAY + timedelta(days=days)))
        undone.append(look(site))
    assert len(undone) == 2
    return {"status": result.status, "after": after, "counts": counts, "undone": undone}


@pytest.mark.parametrize("older", dumps.schemas())
def test_a_site_of_every_earlier_schema_goes_on_as_one_that_was_always_new(workshop: Workshop, older: str):
    was = workshop.site("was")
    dumps.load(dumps.of_schema(older, workshop.kind, workshop.past), was)
    with opened(was) as database:
        assert database.pending() == []
    new = workshop.site("new")
    with opened(new):
        dumps.live_through(new, workshop.folder / "new-sets")
    assert look(was) == look(new)
    assert next_day(was) == next_day(new)


def test_the_next_migration_is_tested_with_the_data_of_this_schema(
    workshop: Workshop, later: Callable[[], None], monkeypatch: pytest.MonkeyPatch
):
    name, past = dumps.schemas()[-1], workshop.past()
    monkeypatch.setattr(dumps, "FROZEN", workshop.folder)
    later()
    with pytest.raises(AssertionError, match=f"{name}.{workshop.kind}.sql is missing"):
        dumps.of_schema(name, workshop.kind, workshop.past)
    (workshop.folder / f"{name}.{workshop.kind}.sql").write_text(past)
    was = workshop.site("was")
    dumps.load(dumps.of_schema(name, workshop.kind, workshop.past), was)
    with opened(was) as database:
        assert database.value("SELECT lastname FROM lz_user WHERE idnumber = 'H'") == "Later"
        assert database.value("SELECT count(*) FROM lz_user") == 5
    assert next_day(was)["status"] == "applied"


def test_a_newer_schema_is_refused_and_nothing_is_touched(workshop: Workshop, later: Callable[[], None]):
    site = workshop.site("acme")
    monkey = schema.MIGRATIONS
    with opened(site):
        dumps.live_through(site, workshop.folder / "sets")
    later()
    with opened(site) as database:
        assert database.pending() == []
    schema.MIGRATIONS = monkey  # the earlier version is installed again
    before = look(site, *LZ, "sync_run")
    with pytest.raises(schema.SchemaIsNewer, match=r"newer lzsyncd .*9999_later.*install that version again"):
        run_set(site, workshop.folder / "two", DAY_TWO)
    with pytest.raises(schema.SchemaIsNewer), opened(site):
        pass
    database = Database(site)
    with pytest.raises(schema.SchemaIsNewer):
        database.migrate()
    database.close()
    assert look(site, *LZ, "sync_run") == before
    assert sorted(path.name for path in (workshop.folder / "two").iterdir()) == sorted(DAY_TWO)


def test_a_migration_that_is_killed_was_none_and_the_next_start_makes_it(workshop: Workshop, later: Callable[[], None]):
    site = workshop.site("acme")
    with opened(site):
        dumps.live_through(site, workshop.folder / "sets")
    before = look(site, *LZ, "sync_put")
    later()
    command = [sys.executable, "-c", MIGRATE, site.folder.parent, site.database, schema.MIGRATIONS]
    killed = subprocess.run(command, env={"KILLED": "1", "PYTHONPATH": ":".join(sys.path)}, check=False)
    assert killed.returncode == -9
    assert look(site, *LZ, "sync_put") == before
    with opened(site) as database:
        assert database.pending() == []
        assert database.value("SELECT count(*) FROM sync_later") == 0
    assert next_day(site)["status"] == "applied"


def test_two_who_migrate_at_once_both_find_it_done(workshop: Workshop):
    site = workshop.site("acme")
    site.folder.mkdir(parents=True, exist_ok=True)
    at_once, wrong = threading.Barrier(3), []

    def migrate() -> None:
        at_once.wait()
        try:
            with opened(site) as database:
                assert database.pending() == []
        except BaseException as error:  # noqa: BLE001 a thread's own would go unnoticed
            wrong.append(error)

    threads = [threading.Thread(target=migrate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_way_back_of_the_newest_migration_keeps_what_the_earlier_version_wrote(
    workshop: Workshop, later: Callable[[], None]
):
    site, earlier = workshop.site("acme"), schema.MIGRATIONS
    with opened(site):
        dumps.live_through(site, workshop.folder / "sets")
    later()
    with opened(site) as database:
        schema.runner(database.peewee).down()
    schema.MIGRATIONS = earlier
    assert next_day(site)["status"] == "applied"


def test_no_set_is_put_aside_because_the_program_is_too_old(workshop: Workshop):
    """The daemon's child ends with 1 each time; a set that is not in the ledger has no attempts."""
    site = workshop.site("acme")
    with opened(site):
        pass
    tell(site, f"INSERT INTO {schema.HISTORY_TABLE} (name, applied) VALUES ('9999_later', '2026-11-22 12:00:00')")
    site.inbox.mkdir(parents=True)
    for name, data in DAY_TWO.items():
        (site.inbox / name).write_bytes(data)
    for _ in range(4):
        with pytest.raises(schema.SchemaIsNewer):
            sync_inbox(site, Options(), LOG)
    assert sorted(path.name for path in site.inbox.iterdir()) == sorted(DAY_TWO)
    assert ask(site, "SELECT * FROM sync_run") == []
