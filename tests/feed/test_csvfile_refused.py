"""Delivered files that are refused as a whole, and headers."""

import os

import pytest

from lzsyncd.feed.csvfile import CsvFile, FileRejected, suggest_delimiter
from tests.feed.reading import MAX_SIZE, read_bytes

MIB = 1 << 20


def rejection(folder, data, *, delimiter=",", max_size=MAX_SIZE):
    path = folder / "user.csv"
    path.write_bytes(data)
    with pytest.raises(FileRejected) as caught:
        for _ in CsvFile(path, delimiter=delimiter, max_size=max_size).batches():
            pass
    return caught.value


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\n\r\n", b" \t\n", b"\xef\xbb\xbf\r\r"])
def test_an_empty_file_is_told(tmp_path, data):
    assert rejection(tmp_path, data).code == "file.empty"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_other_unicode_encodings_are_told(tmp_path, encoding):
    error = rejection(tmp_path, "idnumber,fullname\nA,Zoë\n".encode(encoding))

    assert (error.code, error.line) == ("file.encoding", 1)
    assert f"UTF-{encoding[4:6]}" in error.detail


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"PK\x03\x04\x14\0\x06\0\n", "xlsx"),
        (b"\x1f\x8b\x08\0\0\n", "gzip"),
        (b"id\xe9number,name\nA,B\n", "not UTF-8"),
        (b"id\x07number,name\nA,B\n", "control"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0\n", "UTF-16"),
        (bytes(3 * MIB), "first line"),
    ],
)
def test_what_is_no_text_is_told(tmp_path, data, word):
    error = rejection(tmp_path, data)

    assert error.code == "file.encoding"
    assert word in error.detail


def test_another_delimiter_is_told(tmp_path):
    error = rejection(tmp_path, b"idnumber;fullname;note: this\nA;B;C\n")
    assert (error.code, error.detail) == ("file.delimiter", "semicolons, not commas")


def test_the_delimiter_that_makes_most_columns_is_suggested():
    assert suggest_delimiter("a;b|c;d") == ";"
    assert suggest_delimiter("a\tb") == "\t"
    assert suggest_delimiter("abc") == ""


def test_a_quoted_header_may_have_line_breaks(tmp_path):
    found = read_bytes(tmp_path, b'\n"Employee\nNo", Name \nA,B\n')

    assert found.header == ["Employee\nNo", "Name"]
    assert found.rows == [(4, ["A", "B"])]


def test_a_stray_quote_in_the_header_leaves_the_names_as_they_are(tmp_path):
    assert read_bytes(tmp_path, b'idnumber,"fullname\nA,B\n').header == ["idnumber", '"fullname']


def test_a_file_cut_off_in_its_header_is_truncated(tmp_path):
    error = rejection(tmp_path, b'\nidnumber,"fullna')
    assert (error.code, error.line) == ("file.truncated", 2)


def test_a_file_over_the_limit_is_not_read(tmp_path):
    error = rejection(tmp_path, b"a,b\n" + b"1,2\n" * 1000, max_size=4000)
    assert (error.code, error.value, error.detail) == ("file.too_large", "4004", "4,000")


def test_a_file_at_the_limit_is_read(tmp_path):
    path = tmp_path / "user.csv"
    path.write_bytes(b"a,b\n1,2\n")
    assert CsvFile(path, max_size=8).header == ["a", "b"]


def test_what_is_no_readable_file_is_told(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing", ".", "pipe"):
        with pytest.raises(FileRejected) as caught:
            CsvFile(tmp_path / name, max_size=MAX_SIZE)
        assert caught.value.code == "file.unreadable"
        assert str(tmp_path) not in f"{caught.value} {caught.value.detail}"


def _append(path):
    with path.open("ab") as stream:
        stream.write(b"9,9\n")


def _replace(path):
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(0, path.stat().st_mtime_ns))
    other.rename(path)


def _touch(path):
    os.utime(path, (1, 1))


@pytest.mark.parametrize("change", [_append, _touch])
def test_a_file_that_changes_while_it_is_read_is_told(tmp_path, change):
    path = tmp_path / "user.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 100_000)
    batches = CsvFile(path, max_size=MAX_SIZE).batches()
    next(batches)
    change(path)

    with pytest.raises(FileRejected) as caught:
        list(batches)
    assert caught.value.code == "file.changed"


@pytest.mark.parametrize("change", [_append, _touch, _replace])
def test_a_file_that_changes_after_its_header_was_read_is_told(tmp_path, change):
    path = tmp_path / "user.csv"
    path.write_bytes(b"a,b\n1,2\n")
    source = CsvFile(path, max_size=MAX_SIZE)
    change(path)

    with pytest.raises(FileRejected) as caught:
        list(source.batches())
    assert caught.value.code == "file.changed"


def test_the_text_of_a_rejection_names_no_value(tmp_path):
    error = rejection(tmp_path, b'idnumber,fullname\nsecret,"cut')
    assert str(error) == "The file was rejected (file.truncated, line 2)."
