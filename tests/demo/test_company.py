"""The made-up company: believable, the same everywhere, and broken only where it says so."""

import csv
import os
import subprocess
import sys
import tomllib
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from lzsyncd.checks.catalogue import CATALOGUE
from lzsyncd.demo.company import CONFIG_SNIPPET, write_company
from lzsyncd.demo.damage import CYCLE, WAYS
from lzsyncd.demo.records import USER_COLUMNS
from lzsyncd.feed.elements import COLUMNS, CUSTOM_PREFIX, Element

FILES = ("org.csv", "pos.csv", "user.csv")
Rows = list[dict[str, str]]


def read(folder: Path, element: str = "user") -> Rows:
    with (folder / f"{element}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def by_key(rows: Rows) -> dict[str, dict[str, str]]:
    return {row["idnumber"]: row for row in rows}


def steps_to_the_root(links: dict[str, str]) -> dict[str, int]:
    """How far everybody is from the root; fails on links into nowhere and on circles."""
    depths: dict[str, int] = {}
    for start in links:
        path = [start]
        while path[-1] not in depths and links[path[-1]]:
            path.append(links[path[-1]])
            assert len(path) <= len(links), f"a circle at {start}"
        depth = depths.get(path[-1], 0)
        depths.update((key, depth + steps) for steps, key in enumerate(reversed(path)))
    return depths


def assert_a_tree(rows: Rows, link: str) -> dict[str, int]:
    depths = steps_to_the_root({row["idnumber"]: row[link] for row in rows})
    assert list(depths.values()).count(0) == 1
    return depths


def assert_sound(folder: Path) -> None:
    """Everything a clean company promises: unique keys, every reference to somebody who is there, trees."""
    people, units, positions = read(folder), read(folder, "org"), read(folder, "pos")
    for column in ("idnumber", "username", "email"):
        assert len({row[column].lower() for row in people}) == len(people), column
    assert {row["orgidnumber"] for row in people} <= by_key(units).keys()
    assert {row["posidnumber"] for row in people} <= by_key(positions).keys()
    assert {row["appraiseridnumber"] for row in people} - {""} <= by_key(people).keys()
    assert not [row for row in people if row["appraiseridnumber"] == row["idnumber"]]
    assert_a_tree(people, "manageridnumber")
    assert_a_tree(units, "parentidnumber")
    assert_a_tree(positions, "parentidnumber")


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    folder = tmp_path_factory.mktemp("company")
    write_company(folder, users=5_000)
    return folder


def test_the_same_arguments_give_the_same_bytes_in_any_process(tmp_path):
    arguments = "users=300, seed=7, shuffled=True, dirty=0.1, change=0.1"
    for turn in ("1", "2"):
        code = (
            f"from pathlib import Path; from lzsyncd.demo.company import *; write_company(Path({turn!r}), {arguments})"
        )
        path = os.pathsep.join([str(Path.cwd()), *sys.path])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": turn, "LC_ALL": "C"}
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, env=environment)
    for name in FILES:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_another_seed_is_another_company(tmp_path, company):
    write_company(tmp_path, users=5_000, seed=2)
    assert (tmp_path / "user.csv").read_bytes() != (company / "user.csv").read_bytes()


@pytest.mark.parametrize("users", [1, 2, 7, 51, 400])
def test_a_company_of_any_size_is_sound(tmp_path, users):
    summary = write_company(tmp_path, users=users)
    assert_sound(tmp_path)
    assert (summary.users, summary.units, summary.positions) == tuple(
        len(read(tmp_path, element)) for element in ("user", "org", "pos")
    )


def test_a_company_may_have_more_units_than_people(tmp_path):
    assert write_company(tmp_path, users=20, units=100, positions=40).units == 100
    assert_sound(tmp_path)


def test_its_columns_are_known_and_its_custom_fields_configured(company):
    fields = tomllib.loads(CONFIG_SNIPPET.format(site="acme"))["sites"]["acme"]["user"]["customfields"]
    for element in Element:
        header = set(read(company, element)[0])
        known = {column.name for column in COLUMNS[element]}
        custom = {name.removeprefix(CUSTOM_PREFIX) for name in header - known}
        assert custom == (set(fields) if element is Element.USER else set())
    assert len(read(company)[0]) == 20


def test_it_looks_like_a_company(company):
    people, units = read(company), read(company, "org")
    assert (len(units), len(read(company, "pos"))) == (100, 50)
    assert max(assert_a_tree(units, "parentidnumber").values()) >= 2
    reports = Counter(row["manageridnumber"] for row in people if row["manageridnumber"])
    assert 5 < reports.total() / len(reports) < 11
    assert max(reports.values()) < 40
    assert any(not row["firstname"].isascii() for row in people)
    assert any(not row["appraiseridnumber"] for row in people)
    later = sum(row["manageridnumber"] > row["idnumber"] for row in people)
    assert 0.1 < later / len(people) < 0.5, "some managers are hired after those who report to them"


def test_nobody_reports_to_somebody_suspended(company):
    people = by_key(read(company))
    assert any(row["suspended"] == "1" for row in people.values())
    assert not [
        row
        for row in people.values()
        if people.get(row["manageridnumber"], row)["suspended"] == "1" != row["suspended"]
    ]


def test_usernames_and_addresses_may_follow_the_keys(tmp_path):
    write_company(tmp_path, users=2_000, numbered=True, change=0.1)
    assert_sound(tmp_path)
    people = read(tmp_path)
    for column in ("username", "email"):
        assert sorted(people, key=lambda row: row[column]) == people


def test_rows_have_the_size_and_the_quotes_of_real_ones(tmp_path):
    write_company(tmp_path, users=20_000)
    people = read(tmp_path)
    assert 165 < (tmp_path / "user.csv").stat().st_size / len(people) < 185
    commas = sum("," in row["jobassignmentfullname"] for row in people) / len(people)
    breaks = sum("\n" in row["department"] for row in people) / len(people)
    assert 0.008 < commas < 0.012
    assert 0.001 < breaks < 0.003


def test_a_shuffled_file_has_the_same_records_in_another_order(tmp_path, company):
    write_company(tmp_path, users=5_000, shuffled=True)
    for element in Element:
        mine, theirs = read(tmp_path, element), read(company, element)
        assert mine != theirs
        assert by_key(mine) == by_key(theirs)


@pytest.mark.parametrize("change", [0.01, 0.3, 1.0])
def test_the_next_day_differs_in_as_many_people_as_asked(tmp_path, company, change):
    summary = write_company(tmp_path, users=5_000, change=change)
    assert_sound(tmp_path)
    before, after = by_key(read(company)), by_key(read(tmp_path))
    assert len(before.keys() - after.keys()) == summary.left == round(500 * change)
    assert len(after.keys() - before.keys()) == summary.joined == round(500 * change)
    gone = [before[key] for key in before.keys() - after.keys()]
    assert [row["suspended"] for row in gone].count("1") == summary.left_suspended
    changed = [key for key in before.keys() & after.keys() if before[key] != after[key]]
    assert len(changed) == summary.changed
    assert summary.changed == round(5_000 * change) or change == 1


def test_the_next_day_changes_names_addresses_units_managers_cities_and_positions(tmp_path, company):
    write_company(tmp_path, users=5_000, change=0.1)
    before, after = by_key(read(company)), by_key(read(tmp_path))
    columns = {
        name for key in before.keys() & after.keys() for name in after[key] if after[key][name] != before[key][name]
    }
    assert {"lastname", "email", "orgidnumber", "manageridnumber", "city", "posidnumber", "phone1"} <= columns
    renamed = [key for key, unit in by_key(read(tmp_path, "org")).items() if unit not in read(company, "org")]
    assert len(renamed) == 10


def test_it_says_how_many_records_it_broke_and_for_which_findings(tmp_path, company):
    summary = write_company(tmp_path, users=5_000, dirty=0.05)
    assert summary.broken.keys() <= CATALOGUE.keys()
    assert {way.code for way in WAYS} | {CYCLE} <= summary.broken.keys()
    people = {code: count for code, count in summary.broken.items() if ".parent." not in code}
    assert 245 <= sum(people.values()) <= 255, "units may lack their names, too"
    clean = set((company / "user.csv").read_bytes().splitlines())
    dirty = (tmp_path / "user.csv").read_bytes().splitlines()
    untouched = sum(line in clean for line in dirty)
    assert len(clean) - 260 < untouched <= len(dirty) - sum(people.values()) + 30, (
        "a twin leaves the first record as it was"
    )


def test_nobody_who_is_rejected_has_reports_who_would_lose_them(tmp_path, company):
    write_company(tmp_path, users=5_000, dirty=0.05)
    managers = {row["manageridnumber"].encode() for row in read(company)}
    before, after = (
        {line.split(b",")[0]: line.split(b",") for line in (folder / "user.csv").read_bytes().splitlines()}
        for folder in (company, tmp_path)
    )
    broken = [key for key in managers & before.keys() if after[key] != before[key]]
    assert broken
    for key in broken:
        differing = [column for column, cell in enumerate(before[key]) if after[key][column] != cell]
        assert differing == [USER_COLUMNS.index("manageridnumber")]


def test_its_memory_does_not_grow_with_the_people(tmp_path):
    peaks = []
    for users in (1_000, 20_000):
        tracemalloc.start()
        write_company(tmp_path, users=users, units=50, positions=50, dirty=0.01, change=0.01)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2 * 2**20, "nothing but the rows of one write"
