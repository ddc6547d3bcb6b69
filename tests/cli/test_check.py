"""`check`: the sanity check without a database."""

import json
import os
import shutil

import pytest

from lzsyncd.config import Site
from lzsyncd.feed.sample import write_sample


@pytest.fixture
def export(tmp_path, monkeypatch):
    """A good export, and no configuration anywhere."""
    monkeypatch.setenv("LZSYNCD_CONFIG", str(tmp_path / "none.toml"))
    write_sample(tmp_path / "export", Site.standard("acme"))
    return tmp_path / "export"


def codes(outcome):
    return [error["code"] for error in json.loads(outcome.out)["errors"]]


def with_site(export, more=""):
    config = export.parent / "lzsyncd.toml"
    config.write_text(f'[daemon]\ndata_dir = "{export.parent}/data"\n[sites.acme]\n{more}')
    return ["--config", str(config), "check", str(export), "--site", "acme", "--json"]


def test_a_good_set_ends_with_0(export, lzsyncd):
    outcome = lzsyncd("check", str(export))
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.endswith("The set is good.\n")


def test_every_finding_is_shown_with_line_column_and_value(export, lzsyncd):
    with (export / "user.csv").open("a") as stream:
        stream.write("E9,,Nobody\r\n")
    outcome = lzsyncd("check", str(export))
    assert outcome.code == 10
    assert "user.csv:5" in outcome.out
    assert "record.columns" in outcome.out
    assert outcome.out.endswith("The set would be applied but for 1 of 10 records.\n")


def test_a_set_that_would_be_rejected_ends_with_30(export, lzsyncd):
    (export / "org.csv").write_bytes(b"")
    outcome = lzsyncd("check", str(export))
    assert outcome.code == 30
    assert "file.empty" in outcome.out
    assert outcome.out.endswith("The set would be rejected: nothing of it would be applied.\n")


@pytest.mark.parametrize("kept", ["org.csv", "pos.csv", "user.csv"])
def test_missing_files_are_no_fault_and_references_to_them_are_not_judged(kept, export, lzsyncd):
    for name in {"org.csv", "pos.csv", "user.csv"} - {kept}:
        (export / name).unlink()
    outcome = lzsyncd("check", str(export))
    assert outcome.code == 0, outcome.out


def test_references_to_files_that_are_there_are_judged(export, lzsyncd):
    text = (export / "user.csv").read_text()
    (export / "user.csv").write_text(text.replace("OPS-NIGHT", "NOWHERE").replace("E1001,E1000", "E9,E1000"))
    (export / "pos.csv").unlink()
    outcome = lzsyncd("check", str(export), "--json")
    assert outcome.code == 10
    assert codes(outcome) == ["user.manager.unknown", "user.org.unknown"]


def test_with_a_site_missing_files_are_told(export, lzsyncd):
    (export / "pos.csv").unlink()
    outcome = lzsyncd(*with_site(export))
    assert outcome.code == 10
    assert codes(outcome) == ["set.incomplete"]


def test_with_a_site_that_refuses_incomplete_sets_so_does_the_check(export, lzsyncd):
    (export / "pos.csv").unlink()
    outcome = lzsyncd(*with_site(export, 'incomplete = "reject"'))
    assert outcome.code == 30
    assert json.loads(outcome.out)["status"] == "rejected"


def test_a_site_without_positions_misses_no_pos_csv(export, lzsyncd):
    (export / "pos.csv").unlink()
    assert lzsyncd(*with_site(export, "pos.enabled = false")).code == 0


def test_a_source_that_names_only_what_changed_may_refer_to_others(export, lzsyncd):
    text = (export / "user.csv").read_text()
    (export / "user.csv").write_text(text.replace("E1001,E1000", "E9,E1000"))
    assert lzsyncd(*with_site(export, "user.contains_all_records = false")).code == 0


def test_with_a_site_its_columns_and_delimiter_are_read(export, lzsyncd):
    more = (
        '[sites.acme.user]\ndelimiter = ";"\ncolumns = {"Employee No" = "idnumber"}\ncustomfields.desk.type = "number"'
    )
    (export / "user.csv").write_text(
        "Employee No;username;firstname;lastname;email;customfield_desk\nE1;a;A;A;a@acme.test;third\n"
    )
    outcome = lzsyncd(*with_site(export, more))
    assert codes(outcome) == ["value.number"]


def test_a_mended_file_alone_is_judged_without_what_the_site_knows(export, lzsyncd):
    for name in ("org.csv", "pos.csv"):
        (export / name).unlink()
    text = (export / "user.csv").read_text().replace("E1001,E1000", "E9,E1000")
    rows = text.splitlines()
    mended = "\n".join([f"{rows[0]},lz_line", *(f"{row},7" for row in rows[1:])])
    (export / "user.csv").unlink()
    for name in ("rejected-user.csv", "user.csv"):
        (export / name).write_text(mended)
        assert lzsyncd("check", str(export)).code == 0
        (export / name).unlink()


def test_a_mended_file_is_judged_on_top_of_the_full_one(export, lzsyncd):
    header = "idnumber,username,firstname,lastname,email,lz_line"
    (export / "rejected-user.csv").write_text(f"{header}\nE9,ada.lovelace,A,L,al@acme.test,5\n")
    outcome = lzsyncd("check", str(export), "--json")
    told = json.loads(outcome.out)
    assert outcome.code == 10
    assert (told["status"], told["findings"]) == ("checked", {})
    assert told["more"][0]["findings"] == {"user.username.taken": 1}
    assert codes(outcome) == ["user.username.taken"]


def test_a_file_that_is_almost_called_right_is_named(export, lzsyncd):
    shutil.copy(export / "user.csv", export / "users.csv")
    outcome = lzsyncd("check", str(export))
    assert outcome.code == 0
    assert "users.csv" in outcome.err


def test_what_is_no_plain_file_is_refused_unread(export, lzsyncd):
    (export / "user.csv").unlink()
    os.mkfifo(export / "user.csv")
    outcome = lzsyncd("check", str(export), "--json")
    assert outcome.code == 30
    assert codes(outcome) == ["set.unsafe"]


def test_nothing_is_kept(export, lzsyncd, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    before = sorted(tmp_path.rglob("*"))
    lzsyncd("check", str(export))
    assert sorted(tmp_path.rglob("*")) == before


def test_the_limit_shortens_the_listing_and_says_so(export, lzsyncd):
    with (export / "user.csv").open("a") as stream:
        stream.writelines(f"E9{number},,Nobody\r\n" for number in range(5))
    outcome = lzsyncd("check", str(export), "--limit", "2")
    assert outcome.out.count("record.columns") == 2
    assert "more than these 2" in outcome.err
    assert len(codes(lzsyncd("check", str(export), "--limit", "2", "--json"))) == 2
    assert len(codes(lzsyncd("check", str(export), "--limit", "0", "--json"))) == 5
