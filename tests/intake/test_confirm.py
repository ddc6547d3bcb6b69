"""What completion markers say of files, against the files: checksums, sizes, numbers of records."""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from lzsyncd.checks.catalogue import Finding
from lzsyncd.feed.elements import Element
from lzsyncd.intake.confirm import confirmed, not_as_counted
from lzsyncd.intake.spool import Taken

DATA = b"idnumber,username\n1,ann\n2,bob\n"
SUM = hashlib.sha256(DATA).hexdigest()
OTHER = "0" * 64


@pytest.fixture
def file(tmp_path: Path) -> Taken:
    (tmp_path / "user.csv").write_bytes(DATA)
    return Taken(Element.USER, "user.csv", tmp_path / "user.csv", len(DATA), SUM)


def said(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def manifest(folder: Path, **said_of_it: object) -> Path:
    return said(folder, "manifest.json", json.dumps({"files": [{"name": "user.csv", **said_of_it}]}))


def test_a_checksum_that_fits_is_no_finding(file: Taken, tmp_path: Path) -> None:
    markers = [
        said(tmp_path, "sha256sums", f"{SUM}  user.csv\n{OTHER}  org.csv\n"),
        manifest(tmp_path, sha256=SUM.upper(), size=len(DATA), rows=2),
    ]
    (found,) = confirmed([file], markers)
    assert found.finding is None
    assert not_as_counted(found, 2) is None


@pytest.mark.parametrize("wrong", [{"sha256": OTHER}, {"size": len(DATA) + 1}, {"sha256": SUM, "size": 0}])
def test_what_does_not_fit_is_found(file: Taken, tmp_path: Path, wrong: dict[str, object]) -> None:
    (found,) = confirmed([file], [manifest(tmp_path, **wrong)])
    assert found.finding is not None
    assert (found.finding.code, found.finding.element, found.finding.line) == ("set.checksum", Element.USER, 1)
    assert (found.finding.detail, found.finding.file) == ("manifest.json", "user.csv")


def test_one_marker_that_contradicts_is_enough(file: Taken, tmp_path: Path) -> None:
    markers = [said(tmp_path, "sha256sums", f"{SUM}  user.csv\n"), manifest(tmp_path, sha256=OTHER)]
    (found,) = confirmed([file], markers)
    assert found.finding is not None
    assert found.finding.detail == "manifest.json"


def test_a_file_that_could_not_be_taken_keeps_its_own_finding(file: Taken, tmp_path: Path) -> None:
    unsafe = replace(file, finding=Finding("set.unsafe", Element.USER, 1), sha256="", size=0)
    (found,) = confirmed([unsafe], [manifest(tmp_path, sha256=SUM)])
    assert found.finding is not None
    assert found.finding.code == "set.unsafe"


def test_records_are_counted_against_the_marker(file: Taken, tmp_path: Path) -> None:
    (found,) = confirmed([file], [manifest(tmp_path, rows=3)])
    assert found.finding is None
    finding = not_as_counted(found, 2)
    assert finding is not None
    assert (finding.code, finding.detail) == ("set.checksum", "manifest.json")
    assert not_as_counted(found, 3) is None
    assert not_as_counted(file, 2) is None


@pytest.mark.parametrize("text", ["", "not JSON", "[" * 100_000, '{"files": 5}', '["org.csv"]'])
def test_a_marker_that_can_not_be_read_says_nothing(file: Taken, tmp_path: Path, text: str) -> None:
    assert confirmed([file], [said(tmp_path, "manifest.json", text)]) == [file]


def test_only_plain_files_are_read(file: Taken, tmp_path: Path) -> None:
    """A link may lead anywhere, a pipe keeps whoever opens it waiting, and a marker may be gone by now."""
    secret = manifest(tmp_path, sha256=OTHER)
    folder = tmp_path / "claimed"
    folder.mkdir()
    (folder / "manifest.json").symlink_to(secret)
    os.mkfifo(folder / "sha256sums")
    (folder / "set.done").mkdir()
    markers = [folder / "manifest.json", folder / "sha256sums", folder / "set.done", folder / "gone"]
    assert confirmed([file], markers) == [file]
