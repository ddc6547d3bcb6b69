"""Killed at any moment: the next sync of the same folder ends as if nothing had happened.

A kill counts only when it hit before the run ended. LZSYNCD_KILLS=100 kills so often at random moments as well.
"""

import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.laws.bridge import get_zone
from tests.laws.company import DAY_ONE, DAY_TWO, PEOPLE
from tests.laws.ground import LZ, ask, connected, csv_of
from tests.system.aftermath import State, is_sound, leftovers, mended, newest, state, sync_when_free, wait_until_free
from tests.system.conftest import Kitchen, undisturbed_of
from tests.system.disks import Disk
from tests.system.program import Place, Point, ended

KILLS = int(os.environ.get("LZSYNCD_KILLS", "2"))

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
    "half of the archive": Point("pathlib", "Path.rename", call=2, text="/archive/"),
    "the archive": Point("lzsyncd.report.after", "archive"),
    "reject files are written": Point("lzsyncd.report.outbox", "write_rejects", call=3),
    "the outbox is written, not renamed": Point("lzsyncd.report.outbox", "_make_durable"),
    "the outbox": Point("lzsyncd.report.after", "write_outbox"),
    "before the spool is swept": Point("shutil", "rmtree", "before", text="/spool/"),
    "half of the spool is swept": Point("os", "unlink", text=".csv"),
    "the spool is swept": Point("shutil", "rmtree", text="/spool/"),
}


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


def test_killed_three_times_it_still_ends_well(place: Place, undisturbed: State) -> None:
    """In the run, in its report, and in mending what the first two have left."""
    folder = place.deliver("two", DAY_TWO)
    for name in ("the plan is made", "jobs are made", "before the commit"):
        assert place.sync(folder, point=BEFORE_THE_COMMIT[name]).code == -signal.SIGKILL
        wait_until_free(place)
    for name in ("half of the archive", "half of the archive", "the outbox is written, not renamed"):
        assert place.sync(folder, point=AFTER_THE_COMMIT[name]).code == -signal.SIGKILL
        wait_until_free(place)
    (applied,) = ask(place.site, "SELECT id FROM sync_run WHERE status = 'applied' AND id > ?", first_run(place))
    mended(place, folder, applied["id"], undisturbed)
    statuses = [row["status"] for row in ask(place.site, "SELECT status FROM sync_run ORDER BY created_at, id")]
    assert statuses == ["applied", *["interrupted"] * 3, "applied", "unchanged"]


def first_run(place: Place) -> str:
    return str(ask(place.site, "SELECT min(id) AS id FROM sync_run")[0]["id"])


def test_an_interrupted_run_is_told_as_one(place: Place) -> None:
    folder = place.deliver("two", DAY_TWO)
    place.sync(folder, point=BEFORE_THE_COMMIT["people are made"])
    wait_until_free(place)
    killed = newest(place)["id"]
    assert ended(place.start("show", killed)).code == 0  # under way, for all that can be seen from here
    sync_when_free(place, folder)
    told = ended(place.start("show", killed, "--json"))
    assert told.code == 0
    assert json.loads(told.out)["status"] == "interrupted"
    assert json.loads(told.out)["message"]
    assert "interrupted" in ended(place.start("runs")).out


@pytest.mark.parametrize("point", ["the plan is made", "before the commit", "after the commit"])
def test_a_killed_dry_run_leaves_nothing(place: Place, undisturbed: State, point: str) -> None:
    folder = place.deliver("two", DAY_TWO)
    before = get_zone(place.site)
    where = (BEFORE_THE_COMMIT | AFTER_THE_COMMIT)[point]
    assert place.sync(folder, "--dry-run", point=where).code == -signal.SIGKILL
    wait_until_free(place)
    assert get_zone(place.site) == before
    result = sync_when_free(place, folder)
    assert state(place, result.run) == undisturbed
    assert leftovers(place) == []


MIGRATING = [Point("peewee", "Database.execute_sql", call=call) for call in (3, 8, 15, 25)]


@pytest.mark.parametrize("point", MIGRATING, ids=lambda point: f"statement {point.call}")
def test_killed_while_the_schema_is_made(kitchen: Kitchen, tmp_path: Path, point: Point) -> None:
    place = kitchen.bare(tmp_path / "srv")
    folder = place.deliver("one", DAY_ONE)
    assert place.sync(folder, point=point).code == -signal.SIGKILL
    wait_until_free(place)
    assert sync_when_free(place, folder).status == "applied"
    assert get_zone(place.site) == get_zone(kitchen.first_day.site)
    assert leftovers(place) == []


def many(number: int, city: str) -> dict[str, bytes]:
    """So many people that indexes are built last, each with the one before as manager."""
    people = (f"{n},u{n},Ann,Lee,u{n}@a.test,A,D,{n - 1 if n > 1 else ''},{city}" for n in range(1, number + 1))
    return DAY_ONE | {"user.csv": csv_of(PEOPLE, *people)}


@pytest.mark.skipif(not KILLS, reason="LZSYNCD_KILLS=0")
def test_killed_at_random_moments(kitchen: Kitchen, tmp_path: Path) -> None:
    """A first load into empty tables, and a next day in which everybody changes."""
    place = kitchen.bare(tmp_path / "srv")
    chance = random.Random()
    for name, files in (("first", many(12_000, "London")), ("next", many(12_000, "Leeds"))):
        folder = place.deliver(name, files)
        hits, took, zone = 0, 3.0, None
        while hits < KILLS:
            killed = killed_at(place, folder, chance.uniform(0, took))
            wait_until_free(place)
            if killed:
                hits += 1
                continue
            zone = get_zone(
                place.site
            )  # it was too quick: the next ones find nothing to do, and are killed all the same
            took *= 0.8
        sync_when_free(place, folder)
        assert zone in (None, get_zone(place.site))
        assert {row["city"] for row in get_zone(place.site).people.values()} == {
            "London" if name == "first" else "Leeds"
        }
        assert len(get_zone(place.site).people) == 12_000
        assert sync_when_free(place, folder).status == "unchanged"
        (rows,) = ask(place.site, "SELECT count(*) AS n FROM sync_change WHERE element = 'user'")
        assert rows["n"] == 12_000 * (1 if name == "first" else 2)
        assert leftovers(place) == []
        assert is_sound(place)
        assert indexes(place) == indexes(kitchen.first_day)


def killed_at(place: Place, folder: Path, moment: float) -> bool:
    """Kill a sync after so many seconds; returns whether that was before it ended."""
    process = place.start("sync", "acme", "--from", folder)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        process.kill()
    return ended(process).code == -signal.SIGKILL


def indexes(place: Place) -> set[str]:
    with connected(place.site) as database:
        return {index.name for table in LZ for index in database.peewee.get_indexes(table)}


# --- power cuts ------------------------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() or not all(shutil.which(program) for program in ("mkfs.ext4", "mount")):
        pytest.skip("mounting a file system takes root and e2fsprogs")
    try:
        made = Disk(tmp_path)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no file system can be mounted here: {error.stderr.decode().strip()}")
    yield made
    made.unmount()


POWER_CUTS = ("before the commit", "after the commit", "half of the archive", "the archive", "the outbox")


@pytest.mark.parametrize("point", POWER_CUTS)
def test_the_power_fails(disk: Disk, kitchens: Callable[[str], Kitchen], point: str) -> None:
    kitchen = kitchens("sqlite")
    place = kitchen.after_one_day(disk.mounted / "srv")
    expected = undisturbed_of(kitchen, disk.image.parent)
    folder = place.deliver("two", DAY_TWO)
    os.sync()
    where = (BEFORE_THE_COMMIT | AFTER_THE_COMMIT)[point]
    assert place.sync(folder, point=where).code == -signal.SIGKILL
    (disk.mounted / "unsynced").write_text("lost")
    disk.cut_power()
    assert not (disk.mounted / "unsynced").exists(), "this disk loses nothing: the test proves nothing"
    killed = newest(place)
    assert killed["status"] == ("checking" if point == "before the commit" else "applied")
    mended(place, folder, killed["id"], expected)
