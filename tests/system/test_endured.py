"""What a machine, a server or a line may do to a run: told in a sentence, nothing is half done, the next one works."""

import os
import resource
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.bench.memory import descendants
from tests.laws.bridge import get_zone
from tests.laws.company import DAY_ONE, DAY_TWO
from tests.laws.ground import ask
from tests.plug.installation import Workshop
from tests.plug.load import moved
from tests.plug.scenarios import AT_ONCE
from tests.postgres import Cluster
from tests.report.letterbox import Letterbox, served
from tests.system.aftermath import State, is_sound, leftovers, mended, newest, state, sync_when_free, wait_until_free
from tests.system.conftest import Kitchen
from tests.system.program import Place, Point, ended, wait_until_stopped
from tests.system.wire import Wire

ON_SQLITE = pytest.mark.parametrize("kitchen", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("kitchen", ["postgresql"], indirect=True)
READING = Point("lzsyncd.feed.stage", "Stager.read", "before")


# --- the server


@ON_POSTGRESQL
@pytest.mark.parametrize("hears", [False, True], ids=["before the server hears it", "before it answers"])
def test_a_line_that_breaks_at_the_commit(kitchen: Kitchen, place: Place, undisturbed: State, hears: bool) -> None:
    """Nobody can say whether it was committed; the next sync asks the ledger."""
    assert kitchen.cluster
    folder, port = place.deliver("two", DAY_TWO), kitchen.cluster.port
    with Wire(port, hears=hears) as wire:
        Place(place.folder, place.database.replace(f":{port}/", f":{wire.port}/")).configure()
        cut = place.sync(folder)
        assert wire.is_broken
    place.configure()
    wait_until_free(place)
    assert cut.code == 75
    assert cut.out == ""
    assert "it is not known whether the run was applied; the next sync asks the ledger" in cut.err
    assert "nothing was changed" not in cut.err
    assert (newest(place)["status"] == "applied") == hears
    mended(place, folder, newest(place)["id"], undisturbed)


@ON_POSTGRESQL
def test_a_server_without_a_free_connection(kitchen: Kitchen, place: Place, undisturbed: State) -> None:
    assert kitchen.cluster
    folder, name = place.deliver("two", DAY_TWO), place.database.rpartition("/")[2]
    kitchen.cluster.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
    refused = place.sync(folder)
    kitchen.cluster.execute(f"ALTER DATABASE {name} CONNECTION LIMIT -1")
    assert (refused.code, refused.out) == (75, "")
    assert "The database of site acme is not reachable." in refused.err
    result = sync_when_free(place, folder)
    assert state(place, result.run) == undisturbed
    assert leftovers(place) == []


def backend_of(cluster: Cluster, database: str) -> int:
    """The server's process that works for whoever uses a database."""
    titles = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in descendants(cluster.pid)}
    (found,) = (pid for pid, title in titles.items() if f" {database} " in title)
    return found


def test_a_server_that_crashes_and_comes_back_in_the_middle_of_a_run(tmp_path: Path) -> None:
    with Cluster() as cluster, served(Letterbox()) as box:
        made = Workshop(tmp_path, cluster, box).bare()
        made.configure(AT_ONCE)
        made.put(DAY_ONE)
        made.start({"place": "sync.run.Run._go: COMMIT", "call": 1})
        made.wait(made.has_stopped)
        os.kill(backend_of(cluster, made.place.database.rpartition("/")[2]), signal.SIGKILL)
        made.carry_on()
        made.wait(lambda: '"site_failed"' in made.log.read_text())
        made.wait(made.has_stopped)  # at the second attempt
        made.carry_on()
        made.wait(lambda: made.nobody_works() and made.is_idle())
        assert made.end() == [0]
        assert [row["status"] for row in ask(made.place.site, "SELECT status FROM sync_run")] == ["applied"]
        assert len(get_zone(made.place.site).people) == 4
        assert len(box.taken) == 1


@ON_SQLITE
def test_a_backup_that_is_being_made_keeps_nobody_from_work_and_is_whole(place: Place, undisturbed: State) -> None:
    folder, before = place.deliver("two", DAY_TWO), get_zone(place.site)
    with closing(sqlite3.connect(place.site.folder / "zone.db")) as source:
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM lz_user").fetchone()  # from now on it sees what was there
        end = place.sync(folder)
        with closing(sqlite3.connect(place.folder / "backup.db")) as target:
            source.backup(target, pages=1)
    assert end.code == 10
    assert state(place, newest(place)["id"]) == undisturbed
    (place.folder / "backup.db").replace(place.site.folder / "zone.db")
    for more in ("-wal", "-shm"):
        (place.site.folder / f"zone.db{more}").unlink(missing_ok=True)
    assert get_zone(place.site) == before
    assert is_sound(place)


# --- the machine


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """A file that opens like any other; each read of it fails with EIO, as that of a broken disk."""
    with subprocess.Popen(["sleep", "infinity"]) as process:
        try:
            subprocess.run(["mount", "--bind", f"/proc/{process.pid}/mem", path], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            process.kill()
            pytest.skip(f"nothing can be mounted here: {error}")
        try:
            with pytest.raises(OSError, match="Input/output error"):
                path.read_bytes()
            yield
        finally:
            subprocess.run(["umount", path], check=True)
            process.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="root mounts")
def test_a_file_that_the_disk_does_not_give_back(place: Place, undisturbed: State) -> None:
    folder, before = place.deliver("two", DAY_TWO), get_zone(place.site)
    with unreadable(folder / "user.csv"):
        assert place.sync(folder).code == 30
    found = ask(place.site, "SELECT file, code, severity FROM sync_error WHERE code = 'file.unreadable'")
    assert [tuple(row.values()) for row in found] == [("user.csv", "file.unreadable", "fatal")]
    assert get_zone(place.site) == before
    result = sync_when_free(place, folder)
    assert state(place, result.run) == undisturbed
    assert leftovers(place) == []


def test_a_run_that_gets_no_more_memory(place: Place) -> None:
    """`ulimit -v`, MemoryMax of a unit, a machine that is full."""
    folder, before = place.deliver("two", moved("Leeds")), get_zone(place.site)
    process = place.start("sync", "acme", "--from", folder, point=READING, number=signal.SIGSTOP)
    wait_until_stopped(process)
    resource.prlimit(process.pid, resource.RLIMIT_AS, (1, 1))
    os.kill(process.pid, signal.SIGCONT)
    end = ended(process)
    wait_until_free(place)
    assert (end.code, end.out) == (1, ""), end.err
    assert end.err.splitlines()[-1].startswith("lzsyncd: There is not enough memory: give it more")
    assert "error.stack_trace" not in end.err
    assert get_zone(place.site) == before
    assert newest(place)["status"] in ("checking", "failed")
    assert sync_when_free(place, folder).status == "applied"
    assert {row["city"] for row in get_zone(place.site).people.values()} == {"Leeds"}
    assert leftovers(place) == []


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
@ON_SQLITE
def test_the_machine_s_time_zone_changes_nothing(
    place: Place, undisturbed: State, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place.deliver("two", DAY_TWO)
    monkeypatch.setenv("TZ", zone)
    assert place.sync(folder).code == 10
    assert state(place, newest(place)["id"]) == undisturbed
