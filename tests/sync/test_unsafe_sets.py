"""What lies in the inbox under a set's name and is no plain file; markers that do not fit; what becomes of it all."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.laws.company import DAY_ONE, DAY_TWO
from tests.sync.desk import ON_SQLITE, Desk
from tests.system.test_unsafe_files import UNSAFE

REST = {name: data for name, data in DAY_TWO.items() if name != "user.csv"}


def sums(files: dict[str, bytes]) -> bytes:
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()).encode()


def marked(files: dict[str, bytes], said_of: dict[str, bytes]) -> dict[str, bytes]:
    return files | {"sha256sums": sums(said_of)}


@ON_SQLITE
@pytest.mark.parametrize("make", UNSAFE.values(), ids=UNSAFE)
def test_an_unsafe_file_rejects_its_set_and_is_put_aside(at_once: Desk, make: Callable[[Path], object]) -> None:
    at_once.put(REST)
    make(at_once.site.inbox / "user.csv")
    elsewhere = at_once.site.inbox.parent / "elsewhere.csv"
    at_once.work(at_once.judge(*DAY_TWO))
    run = at_once.runs()[-1]["id"]
    assert (at_once.status(run), at_once.findings(run)) == ("rejected", ["set.unsafe"])
    assert at_once.archived(run) == REST
    assert at_once.quarantined(run) == {"user.csv", "REASON.txt"}
    aside = at_once.site.folder / "quarantine" / run / "user.csv"
    assert not aside.is_file() or aside.is_symlink() or aside.stat().st_nlink == 2
    assert at_once.inbox() == at_once.spool() == []
    assert at_once.people()["2"] == "London"
    assert not elsewhere.exists() or elsewhere.read_bytes() == DAY_TWO["user.csv"]
    at_once.work()
    assert at_once.statuses() == ["applied", "rejected"]


@ON_SQLITE
def test_a_file_that_is_too_large_is_put_aside_as_it_is(at_once: Desk) -> None:
    at_once.site = replace(at_once.site, max_file_size=200)
    run = at_once.arrive(DAY_TWO)
    assert (at_once.status(run), at_once.findings(run)) == ("rejected", ["file.too_large"])
    aside = at_once.site.folder / "quarantine" / run / "user.csv"
    assert aside.read_bytes() == DAY_TWO["user.csv"]
    assert at_once.spool() == []


@ON_SQLITE
def test_a_marker_that_is_a_link_is_neither_read_nor_lost(at_once: Desk, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(sums(DAY_ONE))
    at_once.put(DAY_TWO)
    (at_once.site.inbox / "sha256sums").symlink_to(tmp_path / "secret")
    at_once.work(at_once.judge(*DAY_TWO, "sha256sums"))
    run = at_once.runs()[-1]["id"]
    assert at_once.status(run) == "applied"
    assert at_once.archived(run) == DAY_TWO
    assert at_once.quarantined(run) == {"sha256sums", "REASON.txt"}
    assert (at_once.site.folder / "quarantine" / run / "sha256sums").readlink() == tmp_path / "secret"


def test_a_set_whose_checksums_fit_is_applied_and_its_marker_kept(at_once: Desk) -> None:
    files = marked(DAY_TWO, DAY_TWO)
    run = at_once.arrive(files)
    assert at_once.status(run) == "applied"
    assert at_once.archived(run) == files
    assert at_once.inbox() == []


def test_a_set_whose_checksums_do_not_fit_is_rejected(at_once: Desk) -> None:
    files = marked(DAY_TWO, DAY_TWO | {"user.csv": DAY_ONE["user.csv"]})
    run = at_once.arrive(files)
    assert (at_once.status(run), at_once.findings(run)) == ("rejected", ["set.checksum"])
    assert at_once.archived(run) == files
    assert "sha256sums" in at_once.outbox(run)
    assert at_once.people()["2"] == "London"


@ON_SQLITE
@pytest.mark.parametrize(("rows", "status"), [(5, "applied"), (4, "rejected")])
def test_records_are_counted_against_the_manifest(at_once: Desk, rows: int, status: str) -> None:
    said = [{"name": "org.csv"}, {"name": "pos.csv"}, {"name": "user.csv", "rows": rows}]
    run = at_once.arrive(DAY_TWO | {"manifest.json": json.dumps({"files": said}).encode()})
    assert at_once.status(run) == status
    assert ("set.checksum" in at_once.findings(run)) == (status == "rejected")


@ON_SQLITE
def test_a_set_that_waits_is_judged_by_its_markers_again(desk: Desk) -> None:
    """They are kept beside it until it is applied."""
    files = marked(DAY_TWO, DAY_TWO)
    run = desk.arrive(files)
    (desk.site.folder / "spool" / run / "user.csv").write_bytes(DAY_ONE["user.csv"])  # a broken disk
    desk.slot()
    assert (desk.status(run), desk.findings(run)) == ("rejected", ["set.checksum"])
