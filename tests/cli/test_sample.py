"""`sample`: files that a site takes without a word, and a page that explains every column."""

import csv
import json
import re

import pytest

from lzsyncd.config import parse
from lzsyncd.feed.elements import Element
from lzsyncd.feed.sample import header_name, page, taken_columns

ODD_SITE = """
[sites.acme]
[sites.acme.user]
delimiter = ";"
date_formats = ["%d/%m/%Y", "%d/%m/%Y %H:%M"]
contains_all_records = false
empty = "erase"
unknown_reference = "reject"
columns = {"Employee No" = "idnumber", "Started" = "jobassignmentstartdate"}
customfields.text = {type = "text", required = true, unique = true}
customfields.area = {type = "textarea"}
customfields.box = {type = "checkbox"}
customfields.menu = {type = "menu", options = ["North | East", "South"], default = "South"}
customfields.many = {type = "multiselect", options = ["A", "B", "C"]}
customfields.day = {type = "date", unique = true}
customfields.moment = {type = "datetime", unique = true}
customfields.count = {type = "number", unique = true}
customfields.link = {type = "url", unique = true}
customfields.few = {type = "menu", options = ["X", "Y"], unique = true}
customfields.sets = {type = "multiselect", options = ["X", "Y"], unique = true}
customfields.flag = {type = "checkbox", unique = true}
[sites.acme.org]
delimiter = "tab"
missing = "delete"
[sites.acme.pos]
enabled = false
"""


def configured(folder, text):
    path = folder / "lzsyncd.toml"
    path.write_text(f'[daemon]\ndata_dir = "{folder}/data"\n{text}')
    return "--config", str(path)


@pytest.mark.parametrize("text", ["[sites.acme]", ODD_SITE])
def test_the_site_takes_its_sample_without_a_finding(text, tmp_path, lzsyncd):
    config = configured(tmp_path, text)
    assert lzsyncd(*config, "sample", str(tmp_path / "example")).code == 0
    outcome = lzsyncd(*config, "check", str(tmp_path / "example"), "--site", "acme", "--json")
    assert json.loads(outcome.out)["errors"] == []
    outcome = lzsyncd(*config, "sync", "--from", str(tmp_path / "example"), "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["counts"]["user"]["created"] == 3


@pytest.mark.parametrize("text", ["[sites.acme]", ODD_SITE])
def test_every_column_is_in_the_file_and_on_the_page(text, tmp_path, lzsyncd):
    config = configured(tmp_path, text)
    site = parse(text).sites["acme"]
    outcome = lzsyncd(*config, "sample", str(tmp_path / "example"))
    enabled = [e for e in Element if site.element(e).enabled]
    names = [e.file_name for e in enabled]
    assert outcome.out.splitlines() == [str(tmp_path / "example" / name) for name in [*names, "README.md"]]
    chapters = re.findall(r"^## \S+\n(.*?)(?=^## |\Z)", page(site), re.MULTILINE | re.DOTALL)
    for e, chapter in zip(enabled, chapters, strict=True):
        config = site.element(e)
        with (tmp_path / "example" / e.file_name).open(newline="", encoding="utf-8") as stream:
            header = next(csv.reader(stream, delimiter=config.delimiter))
        assert header == [header_name(column, config) for column in taken_columns(e, config)]
        assert re.findall(r"^\| `(.*?)` \|", chapter, re.MULTILINE) == header


def test_the_page_says_what_the_site_does():
    text = page(parse(ODD_SITE).sites["acme"])
    assert "| `employee no` | yes |" in text
    assert "Cells are separated by a tab. The file names everybody: a unit it does not name is deleted" in text
    assert "The file may name only what changed; a person whose `deleted` is true is suspended" in text
    assert "An empty cell erases what is there." in text
    assert "a date: 2026-01-31 or 31/01/2026" in text
    assert r"one of North \| East, South" in text
    assert "pos.csv" not in text
    assert "password" not in text


def test_without_any_configuration_the_columns_are_those_of_every_site(tmp_path, lzsyncd, monkeypatch):
    monkeypatch.setenv("LZSYNCD_CONFIG", str(tmp_path / "none.toml"))
    assert lzsyncd("sample", str(tmp_path / "example")).code == 0
    assert "customfield" not in (tmp_path / "example" / "user.csv").read_text()


def test_nothing_is_overwritten(tmp_path, lzsyncd, monkeypatch):
    monkeypatch.setenv("LZSYNCD_CONFIG", str(tmp_path / "none.toml"))
    (tmp_path / "user.csv").write_text("mine")
    outcome = lzsyncd("sample", str(tmp_path))
    assert outcome.code == 2
    assert "user.csv" in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["user.csv"]
    assert (tmp_path / "user.csv").read_text() == "mine"
