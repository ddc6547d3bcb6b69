"""Folders that may not be written, files that may not be read, and full disks: nothing changed, the next sync works."""

import itertools
import json
import os
import pwd
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from lzsyncd.errors import DiskFull, ExitCode, Unfinished
from lzsyncd.sync.run import Options, sync_folder
from lzsyncd.zone.database import Database
from tests.laws.bridge import get_zone
from tests.laws.company import BROKEN, DAY_ONE, DAY_TWO, PEOPLE
from tests.laws.ground import ask, csv_of
from tests.postgres import Cluster, account_of_server
from tests.system.aftermath import (
    State,
    archive,
    is_sound,
    leftovers,
    mended,
    newest,
    state,
    sync_when_free,
    wait_until_free,
)
from tests.system.conftest import Kitchen
from tests.system.program import Ended, Place, Point, ended, unprivileged, wait_until_stopped

ON_SQLITE = pytest.mark.parametrize("kitchen", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("kitchen", ["postgresql"], indirect=True)


def refused(place: Place, folder: Path, **how: Any) -> tuple[int, str]:
    """Sync, which ends without a result: its exit code and its last word."""
    return told(place.sync(folder, **how))


def told(end: Ended) -> tuple[int, str]:
    """The exit code and the sentence of a program that had no result and showed nobody a stack trace."""
    assert end.out == ""
    *log, sentence = end.err.splitlines()
    assert not [line for line in log if "error.stack_trace" in json.loads(line)]
    return end.code, sentence.removeprefix("lzsyncd: ")


def as_it_came(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- what may not be written, or read --------------------------------------------------------------------------------


@contextmanager
def forbidden(*paths: Path, mode: int = 0o555) -> Iterator[None]:
    """Folders or files that may not be written (or, with another mode, read)."""
    before = [(path, path.stat().st_mode) for path in paths]
    for path in paths:
        path.chmod(mode)
    try:
        yield
    finally:
        for path, old in before:
            path.chmod(old)


def test_a_data_folder_that_may_not_be_written(kitchen: Kitchen, tmp_path: Path) -> None:
    place = kitchen.bare(tmp_path / "srv")
    folder = place.deliver("one", DAY_ONE)
    with forbidden(place.folder):
        code, sentence = refused(place, folder, prefix=unprivileged())
    assert code == 77
    assert sentence.startswith(f"{place.folder} may not be written by the account ")
    assert "change its owner or mode" in sentence
    assert sync_when_free(place, folder).status == "applied"
    assert get_zone(place.site) == get_zone(kitchen.first_day.site)
    assert leftovers(place) == []


def a_part_of_it_may_not_be_written(place: Place, undisturbed: State, path: Path) -> None:
    folder, before = place.deliver("two", DAY_TWO), get_zone(place.site)
    with forbidden(path, mode=0o444 if path.is_file() else 0o555):
        code, sentence = refused(place, folder, prefix=unprivileged())
    assert code == 77
    assert sentence.startswith(f"{path} may not be written by the account ")
    assert get_zone(place.site) == before
    result = sync_when_free(place, folder)
    assert state(place, result.run) == undisturbed
    assert leftovers(place) == []


def test_a_spool_that_may_not_be_written(place: Place, undisturbed: State) -> None:
    a_part_of_it_may_not_be_written(place, undisturbed, place.site.folder / "spool")


@ON_SQLITE
@pytest.mark.parametrize("part", ["", "zone.db", "zone.lock"], ids=["site", "zone.db", "zone.lock"])
def test_a_database_that_may_not_be_written(place: Place, undisturbed: State, part: str) -> None:
    a_part_of_it_may_not_be_written(place, undisturbed, place.site.folder / part)


@ON_SQLITE
def test_a_database_elsewhere_that_may_not_be_written(place: Place, undisturbed: State) -> None:
    """The site has a link to it; the site's own folder is nobody's business."""
    elsewhere, database = place.site.folder / "zone", place.site.folder / "zone.db"
    elsewhere.mkdir()
    database.rename(elsewhere / "zone.db")
    database.symlink_to("zone/zone.db")
    a_part_of_it_may_not_be_written(place, undisturbed, elsewhere)


SERVERS = {
    "it is read-only": (
        "ALTER ROLE lzsyncd IN DATABASE {} SET default_transaction_read_only = on",
        "ALTER ROLE lzsyncd IN DATABASE {} RESET default_transaction_read_only",
        (77, "The database of site acme is read-only: make it writable"),
    ),
    "the table is somebody else's": (
        "ALTER TABLE lz_user OWNER TO postgres",
        "ALTER TABLE lz_user OWNER TO lzsyncd",
        (77, "The database of site acme may not be written by its account: it must own the tables"),
    ),
    "it has a limit": (  # what it says at its temp_file_limit
        """CREATE FUNCTION limited() RETURNS trigger LANGUAGE plpgsql
             AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'configuration_limit_exceeded'; END $$;
           CREATE TRIGGER limited BEFORE UPDATE ON lz_user EXECUTE FUNCTION limited()""",
        "DROP FUNCTION limited CASCADE",
        (1, "The server has a limit that the database of site acme has reached: raise it"),
    ),
}
"""What a server has against writing: how to make it, how to end it, what is told."""


@ON_POSTGRESQL
@pytest.mark.parametrize("why", SERVERS)
def test_a_server_that_refuses_to_write(kitchen: Kitchen, place: Place, undisturbed: State, why: str) -> None:
    forbid, allow, expected = SERVERS[why]
    folder, before = place.deliver("two", DAY_TWO), get_zone(place.site)
    execute_in(kitchen.cluster, place, forbid)
    code, sentence = refused(place, folder)
    execute_in(kitchen.cluster, place, allow)
    assert (code, sentence[: len(expected[1])]) == expected
    assert get_zone(place.site) == before
    result = sync_when_free(place, folder)
    assert state(place, result.run) == undisturbed
    assert leftovers(place) == []


def execute_in(cluster: Cluster | None, place: Place, statement: str) -> None:
    assert cluster
    name = place.database.rpartition("/")[2]
    cluster.execute(statement.replace("{}", name), database=name)


REPORTS: dict[str, Callable[[Place], list[Path]]] = {
    "archive": lambda place: [path for path in (place.site.folder / "archive").rglob("*") if path.is_dir()],
    "outbox": lambda place: [place.site.outbox],
}


@pytest.mark.parametrize("what", REPORTS)
def test_a_report_that_may_not_be_written_is_made_up_for(place: Place, undisturbed: State, what: str) -> None:
    """The run is applied by then; what is missing comes with the next one, and nothing else before it."""
    folder = place.deliver("two", DAY_TWO)
    with forbidden(*REPORTS[what](place)):
        code, sentence = refused(place, folder, prefix=unprivileged())
        applied = newest(place)
        again, still = refused(place, folder, prefix=unprivileged())
    assert (code, again) == (77, 77)
    assert (applied["status"], newest(place)["id"]) == ("applied", applied["id"])
    assert f"/{what}" in sentence.split(" may not be written by the account ")[0]
    assert f"Run {applied['id']} is applied and the site is up to date; only its archive or report" in sentence
    assert "the next sync makes up for that" in sentence
    assert f"Run {applied['id']} waits for its archive or report; until then nothing else is synced." in still
    mended(place, folder, applied["id"], undisturbed)


@ON_SQLITE
def test_a_rejected_set_is_rejected_also_where_the_outbox_may_not_be_written(place: Place) -> None:
    folder, before = place.deliver("broken", BROKEN), get_zone(place.site)
    with forbidden(place.site.outbox):
        code, sentence = refused(place, folder, prefix=unprivileged())
    rejected = newest(place)
    assert (code, rejected["status"]) == (77, "rejected")
    assert f"Run {rejected['id']} is rejected; only its archive or report is missing" in sentence
    assert place.sync(folder).code == 30
    assert (place.site.outbox / rejected["id"] / "summary.txt").is_file()
    assert len(list(archive(place, rejected["id"]).iterdir())) == len(BROKEN)
    assert get_zone(place.site) == before
    assert leftovers(place) == []


def test_a_file_that_may_not_be_read_refuses_the_set(place: Place) -> None:
    folder, before = place.deliver("two", DAY_TWO), get_zone(place.site)
    with forbidden(folder / "user.csv", mode=0):
        assert place.sync(folder, prefix=unprivileged()).code == 30
    found = ask(place.site, "SELECT file, line, code, severity FROM sync_error WHERE code = 'file.unreadable'")
    assert [tuple(row.values()) for row in found] == [("user.csv", 1, "file.unreadable", "fatal")]
    assert get_zone(place.site) == before
    assert place.sync(folder).code == 10


@ON_SQLITE
def test_a_folder_that_may_not_be_read(place: Place) -> None:
    folder, before = place.deliver("two", DAY_TWO), get_zone(place.site)
    for mode in (0, 0o111):
        with forbidden(folder, mode=mode):
            code, sentence = refused(place, folder, prefix=unprivileged())
        assert code == 77, sentence
        assert sentence.startswith(f"{folder} may not be read by the account ")
        assert get_zone(place.site) == before
    assert place.sync(folder).code == 10


# --- the disk is full ------------------------------------------------------------------------------------------------


class SmallDisk:
    """A file system in memory, of a few MiB and a few hundred names."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        folder.mkdir()
        wanted = ",".join(("size=160m", *options))
        subprocess.run(["mount", "-t", "tmpfs", "-o", wanted, "none", folder], check=True, capture_output=True)

    def fill(self, leave: int = 0) -> None:
        """Leave so many bytes, also where somebody else takes some meanwhile."""
        with (self.folder / "ballast").open("wb") as stream:
            while (room := self.room() - leave) > 0:
                with suppress(OSError):
                    os.posix_fallocate(stream.fileno(), os.fstat(stream.fileno()).st_size, room)

    def room(self) -> int:
        space = os.statvfs(self.folder)
        return space.f_bavail * space.f_frsize

    def use_up_names(self) -> None:
        """Leave no file to be made."""
        for number in range(os.statvfs(self.folder).f_favail):
            (self.folder / f"ballast{number}").touch()

    def clear(self) -> None:
        """Give back what was taken."""
        for path in self.folder.glob("ballast*"):
            path.unlink()

    def remount(self, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", self.folder], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)
        self.folder.rmdir()


@contextmanager
def small_disk_at(folder: Path, *options: str) -> Iterator[SmallDisk]:
    try:
        made = SmallDisk(folder, *options)
    except subprocess.CalledProcessError as error:
        missing = f"no file system can be mounted here: {error.stderr.decode().strip()}"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    try:
        yield made
    finally:
        made.unmount()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk_at(tmp_path / "disk", "nr_inodes=600") as made:
        yield made


def test_a_disk_that_is_mounted_read_only(kitchen: Kitchen, disk: SmallDisk, undisturbed: State) -> None:
    place = kitchen.after_one_day(disk.folder / "srv")
    folder, before = place.deliver("two", DAY_TWO), get_zone(place.site)
    disk.remount("ro")
    code, sentence = refused(place, folder)
    disk.remount("rw")
    assert code == 77
    assert sentence.startswith(str(place.site.folder))
    assert "can't be written, its file system is mounted read-only: mount it writable." in sentence
    assert get_zone(place.site) == before
    result = sync_when_free(place, folder)
    assert state(place, result.run) == undisturbed
    assert leftovers(place) == []


def fills_up(place: Place, folder: Path, point: Point, fill: Callable[[], None]) -> tuple[int, str]:
    """Sync; the disk fills up when the program is at a point."""
    process = place.start("sync", "acme", "--from", folder, point=point, number=signal.SIGSTOP)
    wait_until_stopped(process)
    fill()
    os.kill(process.pid, signal.SIGCONT)
    return told(ended(process))


@pytest.fixture
def filled(kitchen: Kitchen, disk: SmallDisk, undisturbed: State) -> Callable[..., None]:
    """Tries a disk that fills up at a point of the second day, and what the next sync makes of it."""

    def attempt(point: Point, fill: Callable[[], None], where: str, *, is_applied: bool) -> None:
        place = kitchen.after_one_day(disk.folder / "srv")
        folder, before = place.deliver("two", DAY_TWO), get_zone(place.site)
        code, sentence = fills_up(place, folder, point, fill)
        wait_until_free(place)
        disk.clear()
        cut = newest(place)
        assert code == 1, sentence
        assert sentence.startswith(f"The disk is full, {place.site.folder / where}")
        assert "make room there" in sentence
        if is_applied:
            assert cut["status"] == "applied"
            assert "is applied and the site is up to date; only its archive or report is missing" in sentence
            assert get_zone(place.site) == undisturbed.zone
        else:
            assert cut["status"] in ("claimed", "checking", "failed")
            assert f"Nothing of run {cut['id']} was applied." in sentence
            assert get_zone(place.site) == before
        assert as_it_came(folder) == DAY_TWO
        mended(place, folder, cut["id"], undisturbed, over=("interrupted", "failed"))

    return attempt


BEFORE_TAKING = Point("lzsyncd.sync.run", "take", "before")
BEFORE_PACKING = Point("lzsyncd.intake.spool", "pack", "before")
BEFORE_THE_COMMIT = Point("lzsyncd.zone.database", "Database.run", "before", text="COMMIT")
AFTER_THE_COMMIT = Point("lzsyncd.sync.run", "report", "before")


def test_the_disk_is_full_before_the_files_are_taken(disk: SmallDisk, filled: Callable[..., None]) -> None:
    filled(BEFORE_TAKING, disk.fill, "spool", is_applied=False)


def test_the_disk_has_no_names_left_for_the_files(disk: SmallDisk, filled: Callable[..., None]) -> None:
    filled(BEFORE_TAKING, disk.use_up_names, "spool", is_applied=False)


@ON_SQLITE
def test_the_disk_has_no_names_left_for_the_database(kitchen: Kitchen, disk: SmallDisk, undisturbed: State) -> None:
    place = kitchen.after_one_day(disk.folder / "srv")
    folder, before = place.deliver("two", DAY_TWO), get_zone(place.site)
    disk.use_up_names()
    code, sentence = refused(place, folder)
    disk.clear()
    assert code == 1
    assert sentence.startswith("The disk is full")
    assert f"{place.site.folder}/zone.db can't be written" in sentence
    assert get_zone(place.site) == before
    result = sync_when_free(place, folder)
    assert state(place, result.run) == undisturbed
    assert leftovers(place) == []


@ON_SQLITE
def test_the_disk_is_full_at_the_commit(disk: SmallDisk, filled: Callable[..., None]) -> None:
    filled(BEFORE_THE_COMMIT, disk.fill, "zone.db", is_applied=False)


@ON_POSTGRESQL
def test_the_disk_was_full_when_the_files_were_packed(disk: SmallDisk, filled: Callable[..., None]) -> None:
    """Packing goes on beside the run and may fail; the archive tries it again."""
    filled(BEFORE_PACKING, disk.fill, "archive", is_applied=True)


def test_the_disk_has_no_names_left_for_the_archive(disk: SmallDisk, filled: Callable[..., None]) -> None:
    filled(AFTER_THE_COMMIT, disk.use_up_names, "archive", is_applied=True)


def test_the_disk_is_full_when_the_outbox_is_written(disk: SmallDisk, filled: Callable[..., None]) -> None:
    filled(AFTER_THE_COMMIT, disk.fill, "sftp/outbox", is_applied=True)


@ON_SQLITE
@pytest.mark.parametrize("journal", ["truncate", "wal"], ids=["before it", "after its commit"])
def test_the_disk_is_full_in_a_large_first_load(
    kitchen: Kitchen, disk: SmallDisk, monkeypatch: pytest.MonkeyPatch, journal: str
) -> None:
    """It is written with another journal: the disk fills up when SQLite is about to change to it, or back."""
    place, change = kitchen.bare(disk.folder / "srv"), Database._set_journal
    folder = place.deliver("one", DAY_ONE)

    def fill_and_change(database: Database, mode: str) -> None:
        if mode == journal:
            disk.fill()
        change(database, mode)

    monkeypatch.setattr("lzsyncd.intake.spool.LARGE", 0)
    monkeypatch.setattr(Database, "_set_journal", fill_and_change)
    with pytest.raises(Unfinished if journal == "wal" else DiskFull, match="The disk is full"):
        sync_folder(place.site, folder, Options())
    disk.clear()
    monkeypatch.undo()
    assert newest(place)["status"] in ({"applied"} if journal == "wal" else {"checking", "failed"})
    assert sync_when_free(place, folder).status == ("unchanged" if journal == "wal" else "applied")
    assert get_zone(place.site) == get_zone(kitchen.first_day.site)
    assert leftovers(place) == []
    assert is_sound(place)


def moved(city: str) -> dict[str, bytes]:
    """A quarter of a megabyte, in which everybody has moved."""
    return DAY_ONE | {"user.csv": csv_of(PEOPLE, *(f"{n},u{n},Ann,Lee,u{n}@a.test,A,D,,{city}" for n in range(5_000)))}


def cities(place: Place) -> set[str]:
    return {row["city"] for row in ask(place.site, "SELECT DISTINCT city FROM lz_user")}


ROOM = (0, 32_768, 700_000, 3_000_000, 40_000_000)


@ON_SQLITE
def test_however_much_room_there_is_it_is_all_or_nothing(kitchen: Kitchen, disk: SmallDisk) -> None:
    place = kitchen.bare(disk.folder / "srv")
    towns = itertools.cycle(("London", "Leeds"))
    before = next(towns)
    sync_when_free(place, place.deliver(before, moved(before)))
    codes = []
    for room in ROOM:
        after = next(towns)
        folder, last = place.deliver(after, moved(after)), newest(place)["id"]
        disk.fill(room)
        end = place.sync(folder)
        disk.clear()
        codes.append(end.code)
        assert end.code == 0 or "disk is full" in told(end)[1]
        is_applied = newest(place)["id"] != last and newest(place)["status"] == "applied"
        assert cities(place) == {after if is_applied else before}, room
        assert sync_when_free(place, folder).status == ("unchanged" if is_applied else "applied")
        assert cities(place) == {after}
        assert leftovers(place) == []
        before = after
    assert set(codes) == {0, 1}
    assert (codes[0], codes[-1]) == (1, 0)


# --- the disk of the server is full ----------------------------------------------------------------------------------


@pytest.fixture
def on_small_disk(kitchen: Kitchen, tmp_path: Path) -> Iterator[tuple[Place, SmallDisk]]:
    """A site whose database is on a small disk of the server's."""
    cluster = kitchen.cluster
    assert cluster
    account = pwd.getpwnam(account_of_server() or pwd.getpwuid(os.geteuid()).pw_name)
    with small_disk_at(cluster.folder / "small", f"uid={account.pw_uid}", f"gid={account.pw_gid}") as disk:
        place = kitchen.after_one_day(tmp_path / "srv")
        name = place.database.rpartition("/")[2]
        cluster.execute(f"CREATE TABLESPACE small LOCATION '{disk.folder}'")
        cluster.execute(f"ALTER DATABASE {name} SET TABLESPACE small")
        yield place, disk
        cluster.drop_database(name)
        cluster.execute("DROP TABLESPACE small")


@ON_POSTGRESQL
def test_the_disk_of_the_server_is_full(on_small_disk: tuple[Place, SmallDisk], undisturbed: State) -> None:
    place, disk = on_small_disk
    folder, before = place.deliver("two", DAY_TWO), get_zone(place.site)
    disk.fill()
    ends = [refused(place, folder)]
    while ends[-1][0] == ExitCode.TRY_AGAIN and len(ends) < 5:  # such a server may lose a connection, too: seen once
        ends.append(refused(place, folder))
    disk.clear()
    code, sentence = ends[-1]
    assert code == 1, ends
    assert sentence.startswith("The disk of the server is full, the database of site acme can't be written")
    assert get_zone(place.site) == before
    mended(place, folder, newest(place)["id"], undisturbed, over=("interrupted", "failed"))


# --- files that may not grow -----------------------------------------------------------------------------------------


def limited_to(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


LIMITS = [
    pytest.param("sqlite", 1, False, id="sqlite, not a byte"),
    pytest.param("sqlite", 60_000, False, id="sqlite, no transaction"),
    pytest.param("postgresql", 100, False, id="postgresql, no spool"),
    pytest.param("postgresql", 600, True, id="postgresql, no outbox"),
]


@pytest.mark.parametrize(("kitchen", "size", "is_applied"), LIMITS, indirect=["kitchen"])
def test_files_that_may_not_grow(
    place: Place, undisturbed: State, size: int, is_applied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ulimit -f`, LimitFSIZE of a unit; a quota ends in the same way."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # what is measured could not be written either
    folder, before, first = place.deliver("two", DAY_TWO), get_zone(place.site), newest(place)["id"]
    code, sentence = refused(place, folder, before=limited_to(size))
    wait_until_free(place)
    cut = newest(place)
    assert code == 1
    assert str(place.site.folder) in sentence
    assert "iles may not grow any further (ulimit -f" in sentence
    assert is_applied == ("the site is up to date" in sentence)
    assert is_applied == (cut["id"] != first and cut["status"] == "applied")
    assert get_zone(place.site) == (undisturbed.zone if is_applied else before)
    assert as_it_came(folder) == DAY_TWO
    result = sync_when_free(place, folder)
    assert state(place, cut["id"] if is_applied else result.run) == undisturbed
    assert leftovers(place) == []


# --- nobody can be told ----------------------------------------------------------------------------------------------


@ON_SQLITE
def test_a_summary_that_has_no_room(place: Place, undisturbed: State) -> None:
    """`lzsyncd sync … > summary.txt` on a full disk."""
    folder = place.deliver("two", DAY_TWO)
    end = place.sync(folder, prefix=("sh", "-c", 'exec "$@" >/dev/full', "sh"))
    assert told(end) == (1, "No space left on device.")
    assert state(place, newest(place)["id"]) == undisturbed
