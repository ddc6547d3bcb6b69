"""Law 5: the records of a file in another order make the same plan and the same site."""

import random
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzsyncd.config import Site
from tests.companies import History, files_of, histories, shuffled
from tests.laws.bridge import get_zone
from tests.laws.company import DAY_ONE, DAY_TWO, DELETES, PEOPLE
from tests.laws.ground import SYNC, Ground, ask, csv_of, moderate, sync
from tests.reference.model import Policy


def told(site: Site, run: str) -> list[tuple[str, ...]]:
    """The findings of a run without their lines; in a message a line may be named."""
    query = "SELECT element, column_name, code, severity, idnumber, value FROM sync_error WHERE run_id = ?"
    return sorted(tuple(str(value) for value in row.values()) for row in ask(site, query, run))


@given(history=histories(days=1), seed=st.integers(0, 2**16))
@moderate
def test_shuffled_records_make_the_same_plan_and_the_same_site(ground: Ground, history: History, seed: int) -> None:
    site, other = (ground.fresh(history.site, history.zone, slot=slot) for slot in (0, 1))
    chance = random.Random(seed)
    for export in history.days:
        if not (files := files_of(export, history.site)):
            continue
        result = sync(site, files)
        mixed = sync(other, files_of(shuffled(export, chance), history.site))
        assert mixed.plan_hash == result.plan_hash
        assert mixed.counts == result.counts
        assert told(other, mixed.run) == told(site, result.run)
        assert get_zone(other) == get_zone(site)


def in_order(files: dict[str, bytes], order: tuple[int, ...]) -> dict[str, bytes]:
    """The records of each file in this order (those behind its end are left alone)."""
    mixed = {}
    for name, data in files.items():
        header, *records = data.splitlines(keepends=True)
        chosen = [records[at] for at in order if at < len(records)]
        mixed[name] = b"".join([header, *chosen, *records[len(order) :]])
    return mixed


@pytest.mark.parametrize("order", list(permutations(range(4)))[7::8], ids=str)
def test_children_before_parents_and_reports_before_managers(ground: Ground, order: tuple[int, ...]) -> None:
    site, other = ground.fresh(DELETES), ground.fresh(DELETES, slot=1)
    for files in (DAY_ONE, DAY_TWO):
        assert sync(other, in_order(files, order)).plan_hash == sync(site, files).plan_hash
        assert get_zone(other) == get_zone(site)


RING = ("1,u1,One,Lee,a1@a.test,,,", "2,u2,Two,Lee,a2@a.test,,,1", "3,u3,Three,Lee,a3@a.test,,,2")
TURNED = ("1,u2,One,Lee,a3@a.test,,,2", "2,u3,Two,Lee,a1@a.test,,,3", "3,u1,Three,Lee,a2@a.test,,,")
HEADER = PEOPLE.removesuffix(",city")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=str)
def test_three_people_pass_usernames_addresses_and_managers_on(ground: Ground, order: tuple[int, ...]) -> None:
    site = ground.fresh(replace(SYNC, user=Policy(empty="erase")))
    sync(site, {"user.csv": csv_of(HEADER, *RING)})
    result = sync(site, in_order({"user.csv": csv_of(HEADER, *TURNED)}, order))
    assert (result.counts["user"]["updated"], result.counts["user"]["rejected"]) == (3, 0)
    people, jobs = get_zone(site).people, get_zone(site).jobs
    assert [people[key]["username"] for key in "123"] == ["u2", "u3", "u1"]
    assert [people[key]["email"] for key in "123"] == ["a3@a.test", "a1@a.test", "a2@a.test"]
    assert [jobs[key]["manager"] for key in "123"] == ["2", "3", None]


@pytest.mark.parametrize("rows", [("A,Acme,B", "B,Branch,"), ("B,Branch,", "A,Acme,B")], ids=["child", "parent"])
def test_parent_and_child_change_places(ground: Ground, rows: tuple[str, str]) -> None:
    site = ground.fresh(replace(SYNC, org=Policy(missing="hide", empty="erase")))
    header = "idnumber,fullname,parentidnumber"
    sync(site, {"org.csv": csv_of(header, "A,Acme,", "B,Branch,A", "C,Corner,B")})
    assert sync(site, {"org.csv": csv_of(header, *rows, "C,Corner,B")}).counts["org"]["updated"] == 2
    units = {row["idnumber"]: row for row in ask(site, "SELECT id, idnumber, path, depth FROM lz_org")}
    above = "/"
    for depth, key in enumerate("BA", 1):
        above += f"{units[key]['id']}/"
        assert (units[key]["path"], units[key]["depth"]) == (above, depth)
    assert units["C"]["path"] == f"/{units['B']['id']}/{units['C']['id']}/"
