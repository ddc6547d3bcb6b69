"""What senders write into completion markers, and what temporary names become."""

import codecs
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzsyncd.intake.markers import LIMIT, Named, read_marker, target_of

A, B = (hashlib.sha256(text).hexdigest() for text in (b"a", b"b"))


def sums(text: str | bytes):
    return read_marker("sha256sums", text if isinstance(text, bytes) else text.encode())


def manifest(document: object):
    return read_marker("manifest.json", json.dumps(document).encode())


def test_set_done_says_nothing_but_that_it_is_there():
    assert read_marker("set.done", b"") == read_marker("set.done", b"\xff whatever")
    assert not read_marker("set.done", b"").problem


@pytest.mark.parametrize(
    "text",
    [
        f"{A}  org.csv\n{B}  user.csv\n",
        f"{A} *org.csv\n{B} *user.csv\n",
        f"{A}  org.csv\r\n{B}  user.csv\r\n",
        f"\ufeff{A}  org.csv\n{B}  user.csv",
        f"{A.upper()}  org.csv\n\n# made by export.sh\n{B.upper()}  user.csv\n",
        f"{A}  ./org.csv\n{B}  /srv/export/user.csv\n",
        f"{A}  D:\\export\\org.csv\n{B}  out\\user.csv\n",
        f"{A} org.csv\n{B}\tuser.csv\n",
        f"SHA256 (org.csv) = {A}\nSHA256 (user.csv) = {B}\n",
        f"SHA2-256(org.csv)= {A}\nSHA256(user.csv)= {B}\n",
        f"{A}  org.csv\n{B}  user.csv\n{A}  readme.txt\n{B}  old/readme.txt\n",
        f"{A}  org.csv\n{A}  org.csv\n{B}  user.csv\n",
    ],
    ids=[
        "text", "binary", "crlf", "bom", "upper case and comments", "paths", "windows paths", "one blank",
        "sha256sum --tag", "openssl", "other files", "the same twice",
    ],
)  # fmt: skip
def test_checksum_lists_are_read_in_all_their_forms(text):
    assert sums(text).files == (Named("org.csv", A), Named("user.csv", B))


def test_a_checksum_list_of_powershell_is_read():
    text = f"{A}  org.csv\r\n"
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        assert sums(mark + text.encode(encoding)).files == (Named("org.csv", A),)


def test_escaped_names_are_read_back():
    text = f"\\{A}  export\\\\2026\\nnew/org.csv\n\\{B}  user\\n.csv\n"
    assert sums(text).files == (Named("org.csv", A),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it names no file of a set"),
        (f"{A}  readme.txt\n", "it names no file of a set"),
        (f"{A}  org.csv\n{B[:40]}", "line 2 is not a SHA-256 checksum and a name"),
        (f"{A}  org.csv\n{B}\n", "line 2 is not a SHA-256 checksum and a name"),
        ("d41d8cd98f00b204e9800998ecf8427e  org.csv\n", "line 1 is not a SHA-256 checksum and a name"),
        (f"{A}  org.csv\n{B}  new/org.csv\n", "it names org.csv twice and differently"),
        (b"\xff\xfe\x00", "it is not text in UTF-8"),
        (b"PK\x03\x04\xff", "it is not text in UTF-8"),
        (f"{A}  org.csv\n".encode() + b"\n" * LIMIT, "it is larger than 1,048,576 bytes"),
    ],
    ids=["empty", "no file", "cut", "no name", "md5", "twice", "utf-16", "binary", "large"],
)
def test_a_checksum_list_that_makes_no_sense_says_why(text, problem):
    marker = sums(text)
    assert marker.problem == problem
    assert not marker.files


@pytest.mark.parametrize(
    "document",
    [
        {"files": [{"name": "org.csv", "sha256": A}, {"name": "user.csv", "sha256": B}]},
        [{"file": "org.csv", "checksum": f"sha256:{A}"}, {"path": "out/user.csv", "hash": B.upper()}],
        {"org.csv": A, "user.csv": B, "version": 2, "made": "2026-11-23", "source": {"system": "HR"}},
        {"files": {"org.csv": {"sha256": A}, "user.csv": {"digest": f"SHA-256:{B}"}}},
        {"files": [{"name": "org.csv", "sha256": A}, {"name": "user.csv", "sha256": B}, "notes.txt"]},
    ],
    ids=["list", "bare list", "object", "object of objects", "other files"],
)
def test_manifests_are_read_in_many_forms(document):
    assert manifest(document).files == (Named("org.csv", A), Named("user.csv", B))


def test_a_manifest_may_give_sizes_and_records():
    found = manifest(
        {"files": [{"name": "org.csv", "size": 0, "rows": 7}, {"name": "pos.csv", "bytes": 9, "records": 0}]}
    )
    assert found.files == (Named("org.csv", size=0, rows=7), Named("pos.csv", size=9, rows=0))


def test_a_manifest_may_name_files_and_no_more():
    assert manifest(["org.csv", "rejected-user.csv"]).files == (Named("org.csv"), Named("rejected-user.csv"))
    assert manifest({"org.csv": None}).files == (Named("org.csv"),)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({}, "it names no file of a set"),
        ("org.csv", "it names no file of a set"),
        ({"files": 3}, "it names no file of a set"),
        ({"files": [{"sha256": A}]}, "it lists something that has no name"),
        ({"files": [["org.csv", A]]}, "it lists something that has no name"),
        ({"files": [{"name": 7}]}, "it lists something that has no name"),
        ({"org.csv": "pending"}, "its checksum of org.csv is not SHA-256 in hexadecimal digits"),
        ({"org.csv": 12}, "its checksum of org.csv is not SHA-256 in hexadecimal digits"),
        ({"files": [{"name": "org.csv", "size": "1 MB"}]}, "its size of org.csv is not a number"),
        ({"files": [{"name": "org.csv", "size": True}]}, "its size of org.csv is not a number"),
        ({"files": [{"name": "org.csv", "rows": -1}]}, "its rows of org.csv is not a number"),
        (
            [{"name": "org.csv", "sha256": A}, {"name": "org.csv", "sha256": B}],
            "it names org.csv twice and differently",
        ),
    ],
)
def test_a_manifest_that_makes_no_sense_says_why(document, problem):
    marker = manifest(document)
    assert marker.problem == problem
    assert not marker.files


@pytest.mark.parametrize("data", [b"", b'{"files": [', b"[" * 100_000, b"1" * 5000, b"nonsense"])
def test_what_is_not_json_says_so(data):
    assert read_marker("manifest.json", data).problem == "it is not JSON"


def test_a_name_made_to_hurt_is_told_safely():
    assert (
        manifest({"\x1b[2J\n\udcff.csv": 1}).problem
        == "its checksum of �[2J��.csv is not SHA-256 in hexadecimal digits"
    )


@given(name=st.sampled_from(["sha256sums", "manifest.json"]), data=st.binary(max_size=60))
def test_whatever_comes_is_a_marker_or_a_problem(name, data):
    marker = read_marker(name, data)
    assert bool(marker.files) != bool(marker.problem)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9), st.lists))
def test_whatever_json_comes_is_a_marker_or_a_problem(document):
    for shape in (document, {"files": document}, {"org.csv": document}, [{"name": "org.csv", "size": document}]):
        marker = manifest(shape)
        assert bool(marker.files) != bool(marker.problem)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("user.csv", "user.csv"),
        ("rejected-user.csv", "rejected-user.csv"),
        ("set.done", "set.done"),
        ("user.csv.filepart", "user.csv"),
        ("user.csv.part", "user.csv"),
        ("user.csv.TMP", "user.csv"),
        ("USER.CSV.part", "user.csv"),
        ("user.csv.1a2b.partial", "user.csv"),
        ("user.tmp", "user.csv"),
        (".user.csv.Xa81Fq", "user.csv"),
        (".in.user.csv.", "user.csv"),
        (".upload-17user.csv.part", "user.csv"),
        (".user.csv", "user.csv"),
        ("rejected-pos.csv.part", "rejected-pos.csv"),
        (".rejected-pos.csv.tmp", "rejected-pos.csv"),
        ("sha256sums.part", "sha256sums"),
        (".set.done.x", "set.done"),
        ("manifest.json.filepart", "manifest.json"),
    ],
)
def test_a_temporary_name_tells_what_it_becomes(name, target):
    assert target_of(name) == target


@pytest.mark.parametrize(
    "name",
    ["User.csv", "users.csv", "user.csv.txt", "user.csvx.part", "new-user.csv.part", "user.csv.bak", ".user.csv.swp",
     "~$user.csv", "report.part", ".bashrc", ".users", "sha256sums2.part", "", "\n"],
)  # fmt: skip
def test_other_names_become_nothing(name):
    assert target_of(name) is None
