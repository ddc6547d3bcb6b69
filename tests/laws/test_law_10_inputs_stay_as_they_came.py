"""Law 10: the archive has every input, byte for byte, however the run ended."""

import gzip
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from lzsyncd.config import Site
from lzsyncd.sync.run import sync_folder
from tests.companies import History, histories
from tests.laws.bridge import options
from tests.laws.company import BROKEN, DAY_ONE, DELETES
from tests.laws.ground import SYNC, Ground, ask, days, moderate, sync
from tests.laws.test_law_2_all_or_nothing import allow, forbid

ENDS = {
    "applied": (DELETES, DAY_ONE),
    "rejected": (DELETES, BROKEN),
    "held": (replace(DELETES, incomplete="hold"), {"user.csv": DAY_ONE["user.csv"]}),
}


def archived(site: Site, run: str) -> dict[str, bytes]:
    folder = site.folder / "archive" / run[:4] / run[4:6] / run
    return {path.name: gzip.decompress(path.read_bytes()) for path in folder.iterdir()} if folder.is_dir() else {}


def packed(files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{name}.gz": data for name, data in files.items()}


def in_ledger(site: Site, run: str) -> dict[str, tuple[int, str]]:
    rows = ask(site, "SELECT name, size, sha256 FROM sync_file WHERE run_id = ?", run)
    return {row["name"]: (row["size"], row["sha256"]) for row in rows}


def digests(files: dict[str, bytes]) -> dict[str, tuple[int, str]]:
    return {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()}


@given(history=histories(days=1))
@moderate
def test_what_came_is_in_the_archive_however_the_run_ended(ground: Ground, history: History) -> None:
    site = ground.fresh(history.site, history.zone)
    for _, files in days(history):
        result = sync(site, files)
        event(str(result.status))
        assert archived(site, result.run) == packed(files)
        assert in_ledger(site, result.run) == digests(files)


@given(files=st.dictionaries(st.sampled_from(("org.csv", "pos.csv", "user.csv")), st.binary(max_size=2000), min_size=1))
@moderate
def test_any_bytes_at_all_are_kept(ground: Ground, files: dict[str, bytes]) -> None:
    site = ground.fresh(SYNC)
    result = sync(site, files)
    assert archived(site, result.run) == packed(files)
    assert in_ledger(site, result.run) == digests(files)


@pytest.mark.parametrize("end", ENDS)
def test_the_archive_of_each_end(ground: Ground, end: str) -> None:
    policy, files = ENDS[end]
    site = ground.fresh(policy)
    result = sync(site, files)
    assert result.status == end
    assert archived(site, result.run) == packed(files)
    held = [result.run] if end == "held" else []  # it may still be approved
    assert [path.name for path in (site.folder / "spool").iterdir()] == held
    again = sync(site, files)  # a set that comes again is kept again
    assert archived(site, again.run) == packed(files)
    assert archived(site, result.run) == packed(files)


def test_the_folder_it_came_from_stays_as_it_is(ground: Ground, tmp_path: Path) -> None:
    site, folder = ground.fresh(DELETES), tmp_path / "export"
    folder.mkdir(mode=0o755)
    for name, data in (DAY_ONE | {"user.csv.txt": b"a near miss", ".hidden": b"ours"}).items():
        (folder / name).write_bytes(data)

    def as_it_is() -> dict[str, tuple[bytes, int, int]]:
        return {p.name: (p.read_bytes(), p.stat().st_mtime_ns, p.stat().st_ino) for p in folder.iterdir()}

    before = as_it_is()
    sync_folder(site, folder, options())
    assert as_it_is() == before


def test_two_sets_of_one_folder_are_kept_apart(ground: Ground, tmp_path: Path) -> None:
    """A mended file beside a full one is a set of its own."""
    site, folder = ground.fresh(DELETES), tmp_path / "export"
    mended = b"lz_line,idnumber,username,firstname,lastname,email\r\n6,7,gus,Gus,Lee,gus@a.test\r\n"
    folder.mkdir()
    for name, data in (DAY_ONE | {"rejected-user.csv": mended}).items():
        (folder / name).write_bytes(data)
    first, second = sync_folder(site, folder, options())
    assert archived(site, first.run) == packed(DAY_ONE)
    assert archived(site, second.run) == {"rejected-user.csv.gz": mended}


def test_nothing_of_a_run_that_failed_is_called_its_input(ground: Ground) -> None:
    """Nothing was decided about it, the folder has it still, and the next sync keeps it."""
    site = ground.fresh(DELETES)
    forbid(site, "lz_user", "INSERT", "NEW.idnumber = '4'")
    with pytest.raises(Exception):  # noqa: B017, PT011 whatever the driver raises
        sync(site, DAY_ONE)
    allow(site, "lz_user")
    result = sync(site, DAY_ONE)
    assert archived(site, result.run) == packed(DAY_ONE)
    assert [path.name for path in (site.folder / "archive").glob("*/*/*")] == [result.run]
    assert list((site.folder / "spool").iterdir()) == []
