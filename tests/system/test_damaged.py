"""A database that is damaged, or that its disk does not give back: named, with what to do; its backup mends it."""

import fcntl
import os
import pwd
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lzsyncd.__main__ import main
from tests.conftest import copies_of
from tests.laws.bridge import get_zone
from tests.laws.company import DAY_ONE, DAY_TWO
from tests.laws.ground import ask
from tests.postgres import Cluster, account_of_server
from tests.service.test_daemon import Company, deliver
from tests.system.aftermath import State, mended, newest, state, sync_when_free
from tests.system.conftest import Kitchen
from tests.system.disks import Disk
from tests.system.program import Place, ended
from tests.system.test_disk import ON_POSTGRESQL, ON_SQLITE, refused

PAGE = 4096
IN_USE = 128  # the byte of the index that is locked by whoever has the database open (SQLite: os_unix.c, DMS)
BACKUP = "restore the database from its backup, as docs/backup.md says; until then no set of the site is synced."


def page_of(path: Path, table: str) -> int:
    """Where the first page of a table begins, in bytes."""
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    return (int(root) - 1) * PAGE


def overwrite(path: Path, place: int) -> None:
    """Put other bytes where a page begins."""
    with path.open("r+b") as stream:
        stream.seek(place)
        stream.write(b"\xee" * 200)


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // PAGE * PAGE)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "another file": (lambda path: path.write_bytes(b"idnumber,fullname\n" * 9_000), "is damaged (SQLITE_NOTADB)"),
    "its head": (lambda path: overwrite(path, 100), "is damaged (SQLITE_CORRUPT)"),
    "its end": (cut_off, "is damaged (SQLITE_CORRUPT)"),
    "the ledger": (lambda path: overwrite(path, page_of(path, "sync_run")), "is damaged (SQLITE_CORRUPT"),
    "the people": (lambda path: overwrite(path, page_of(path, "lz_user")), "is damaged (SQLITE_CORRUPT"),
    "an index": (lambda path: overwrite(path, page_of(path, "lz_user_username")), "is damaged (SQLITE_CORRUPT"),
    "everything": (lambda path: path.write_bytes(b""), "is empty, though sets are in the archive"),
}


@ON_SQLITE
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_database_that_is_damaged(place: Place, undisturbed: State, damage: str) -> None:
    folder, path = place.deliver("two", DAY_TWO), place.site.folder / "zone.db"
    shutil.copy(path, place.folder / "backup.db")
    make, words = DAMAGES[damage]
    make(path)
    code, sentence = refused(place, folder)
    assert code == 1
    assert sentence.startswith(f"{path} {words}")
    assert BACKUP in sentence
    restore(place)
    result = sync_when_free(place, folder)
    assert state(place, result.run) == undisturbed


def restore(place: Place) -> None:
    """As docs/backup.md says."""
    for more in ("-wal", "-shm"):
        (place.site.folder / f"zone.db{more}").unlink(missing_ok=True)
    shutil.copy(place.folder / "backup.db", place.site.folder / "zone.db")


@ON_SQLITE
def test_what_is_damaged_is_told_by_every_command_and_keeps_none_from_the_other_sites(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where a command has to look for a run at all sites."""

    def says(*words: str) -> tuple[int, str]:
        code = main(["--config", str(place.config), *words])
        return code, "".join(capsys.readouterr())

    run = newest(place)["id"]
    place.configure('[sites.wrong]\ndatabase = "sqlite"')
    wrong = place.folder / "wrong"
    (wrong / "sftp" / "inbox").mkdir(parents=True)
    place.site.inbox.mkdir(parents=True)
    (wrong / "zone.db").write_bytes(b"idnumber,fullname\n" * 9_000)
    told = f"{wrong}/zone.db is damaged (SQLITE_NOTADB): {BACKUP}"
    for command in (
        ("runs", "--site", "wrong"),
        ("errors", "--site", "wrong"),
        ("history", "user", "1", "--site", "wrong"),
    ):
        assert says(*command) == (1, f"lzsyncd: {told}\n")
    for command in (("status",), ("check-config", "--deep")):
        assert told in says(*command)[1]
    assert says("check-config", "--deep", "--quiet") == (1, f"WRONG  wrong: database: {told}\n")
    code, shown = says("show", run)
    assert (code, run in shown) == (0, True)
    assert says("show", "2000")[1] == f"lzsyncd: {told}\n"  # it may well be there


def test_a_set_is_not_put_aside_for_a_page_that_is_damaged(tmp_path: Path, migrated_sqlite: Path) -> None:
    """The ledger is whole, the people are not: it counts as no attempt, however often it is tried."""
    company = Company(tmp_path, copies_of(migrated_sqlite))
    site, neighbour = company.site("acme"), company.site("neighbour")
    path = site.folder / "zone.db"
    place = page_of(path, "lz_user")
    whole = path.read_bytes()[place : place + PAGE]
    overwrite(path, place)
    company.configure()
    try:
        company.start("sites.PAUSES = (0.2,); sites.RESCAN = 0.5")
        deliver(site)
        company.wait_for(lambda: company.events("site_failed", "acme"))
        deliver(neighbour)
        company.wait_for(lambda: company.statuses("neighbour") == ["applied"])
        told: list[str] = []
        company.wait_for(
            lambda: told.extend(text for one in company.asked()["sites"] for text in one["trouble"]) or told
        )
        assert told[0].startswith(f"{path} is damaged (SQLITE_CORRUPT")
        assert "error.stack_trace" not in company.log.read_text()
        assert ask(site, "SELECT status, attempt FROM sync_run") == [{"status": "failed", "attempt": 0}]
        assert company.end() == 0
        with path.open("r+b") as stream:
            stream.seek(place)
            stream.write(whole)
        assert main(["--config", str(company.config), "sync", "acme"]) == 0
        assert [row["status"] for row in ask(site, "SELECT status FROM sync_run")] == ["applied"]
    finally:
        company.kill()


# --- its disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path)
    yield made
    made.unmount()


@ON_SQLITE
@pytest.mark.skipif(os.geteuid() != 0, reason="root mounts")
def test_a_database_that_its_disk_does_not_give_back(kitchen: Kitchen, undisturbed: State, disk: Disk) -> None:
    place = kitchen.after_one_day(disk.mounted / "srv")
    folder, before, path = place.deliver("two", DAY_TWO), get_zone(place.site), place.site.folder / "zone.db"
    last = newest(place)["id"]
    disk.break_down(forget=[path])
    code, sentence = refused(place, folder)
    disk.replace()
    assert code == 1
    assert sentence.startswith(f"The disk is broken, {path} can't be read (SQLITE_IOERR_")
    assert sentence.endswith(f"mend or replace it, then {BACKUP}")
    assert get_zone(place.site) == before
    assert newest(place)["id"] == last
    result = sync_when_free(place, folder)
    assert state(place, result.run) == undisturbed


@ON_SQLITE
@pytest.mark.skipif(os.geteuid() != 0, reason="root mounts")
def test_an_index_of_the_log_that_its_disk_does_not_give_back(kitchen: Kitchen, disk: Disk) -> None:
    """While somebody else has the database open it is mapped as it is: a page that is not there is SIGBUS."""
    place = kitchen.after_one_day(disk.mounted / "srv")
    path = place.site.folder / "zone.db"
    index, log = (path.with_name(f"zone.db-{kind}") for kind in ("shm", "wal"))
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE sync_run SET message = 'seen'")
        other.commit()
        for kept in (index, log):
            shutil.copy(kept, kept.with_name(f"{kept.name}.kept"))
    for kept in (index, log):
        kept.with_name(f"{kept.name}.kept").rename(kept)
    disk.break_down(forget=[index])
    with index.open("r+b") as somebody:
        fcntl.lockf(somebody, fcntl.LOCK_SH, 1, IN_USE)
        looks = [ended(place.start(*words)) for words in (("runs",), ("status",), ("check-config", "--deep"))]
    for look in looks:  # the last one looks as the daemon does
        assert look.code >= 0
        assert "The disk is broken (input/output error), " in look.out + look.err


@ON_POSTGRESQL
def test_a_table_of_the_server_s_that_is_damaged(kitchen: Kitchen, place: Place, undisturbed: State) -> None:
    """The database was just copied: the server has nothing of it in memory."""
    assert kitchen.cluster
    folder, name = place.deliver("two", DAY_TWO), place.database.rpartition("/")[2]
    with kitchen.cluster.connect(name) as connection:
        (found,) = connection.execute("SELECT pg_relation_filepath('lz_user')").fetchone() or ("",)
    path = kitchen.cluster.folder / "data" / found
    whole = path.read_bytes()
    overwrite(path, 0)
    code, sentence = refused(place, folder)
    path.write_bytes(whole)
    assert code == 1
    assert sentence.startswith(f"The database of site acme is damaged, its server's log says where: {BACKUP}")
    assert newest(place)["status"] == "failed"
    mended(place, folder, newest(place)["id"], undisturbed, over=("failed",))


@pytest.mark.skipif(os.geteuid() != 0, reason="root mounts")
def test_a_table_that_the_server_s_disk_does_not_give_back(tmp_path: Path) -> None:
    with Cluster() as cluster:
        disk = Disk(cluster.folder)
        account = pwd.getpwnam(account_of_server())
        os.chown(disk.mounted, account.pw_uid, account.pw_gid)
        place = Place(tmp_path / "srv", cluster.create_database("acme"))
        place.configure()
        assert place.sync(place.deliver("one", DAY_ONE)).code == 0
        shutil.rmtree(disk.mounted / "lost+found")
        cluster.execute(f"CREATE TABLESPACE worn LOCATION '{disk.mounted}'")
        cluster.execute("ALTER TABLE lz_user SET TABLESPACE worn", database="acme")
        disk.break_down(forget=[path for path in disk.mounted.rglob("*") if path.is_file()])
        code, sentence = refused(place, place.deliver("two", DAY_TWO))
        disk.replace()
        assert code == 1
        told = "The disk of the server is broken, the database of site acme can't be read: mend or replace it, then"
        assert sentence.startswith(f"{told} {BACKUP}")
        assert sync_when_free(place, place.folder / "two").status == "applied"
        cluster.stop()
        disk.unmount()
