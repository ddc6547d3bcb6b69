"""Every operator of every kind of field says what a slow reading of the contract says, on both databases."""

import json
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from lzsyncd.learning import members as members_module
from tests.companies import PERSON_KEYS, UNIT_KEYS
from tests.laws.ground import Ground, Row, connected, moderate
from tests.learning.world import A_DAY, ask_rules, audiences, expected, members_of, taught

moments = st.sampled_from(
    ["2026-11-21T23:59:59Z", "2026-11-22T00:00:00Z", "2026-03-28T23:30:00.500000Z", "2020-02-29T00:30:00Z"]
)
some_days = st.sampled_from([None, "", "2026-11-22", "2026-10-23", "2026-11-23", "2026-12-22", "2020-02-29"])
CUSTOM = {
    "badge": st.sampled_from(["k1", "K1", "a%b_c?", "O'Neil", ""]),
    "notes": st.sampled_from(["é\nLondon", "k"]),
    "page": st.just("https://a.test/"),
    "level": st.sampled_from(["junior", "senior"]),
    "skills": st.sampled_from([["read"], ["read", "write"], ["count"], []]),
    "fte": st.sampled_from([0, 1, 0.5, -1, 1.25, "by hand"]),
    "since": some_days,
    "met": moments,
    "union": st.booleans(),
}


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[Row]]:
    """Rows of the zone, anything that may stand: two jobs, circles, hidden units, people made by hand."""
    found: dict[str, list[Row]] = {"lz_org": [], "lz_pos": [], "lz_user": [], "lz_job": []}
    for table in ("lz_org", "lz_pos"):
        for number, key in enumerate(UNIT_KEYS[: draw(st.integers(1, 6))], 1):
            parent = draw(st.sampled_from([None, *range(1, number)]))
            hidden = draw(st.sampled_from([False, False, False, True]))
            found[table].append({"id": number, "idnumber": key, "parent_id": parent, "hidden": hidden})
    people = draw(st.integers(1, 6))
    for number, key in enumerate(PERSON_KEYS[:people], 1):
        user: Row = {
            "id": number,
            "idnumber": key,
            "username": ("ann", "bob", "cy", "dee", "eve", "fay")[number - 1],
            "custom": json.dumps(draw(custom())),
        }
        user |= {"city": draw(st.sampled_from([None, "", "London", "Leeds", "LONDON"]))}
        user |= {"firstname": draw(st.sampled_from(["Ann", "Émile", "%"])), "lastname": "O'Neil"}
        user |= {
            "country": draw(st.sampled_from([None, "GB", "NZ"])),
            "emailstop": draw(st.sampled_from([None, True, False])),
        }
        user |= {"deleted": draw(rarely()), "suspended": draw(rarely()), "managed": draw(st.booleans())}
        found["lz_user"].append(user)
        for managed in draw(st.sampled_from([(), (True,), (True,), (False,), (True, False), (False, False)])):
            found["lz_job"].append(draw(jobs(found, number, people, managed)))
    return found


def rarely() -> st.SearchStrategy[bool]:
    return st.sampled_from([False] * 5 + [True])


def custom() -> st.SearchStrategy[Row]:
    return st.fixed_dictionaries({}, optional=CUSTOM)


@st.composite
def jobs(draw: st.DrawFn, found: dict[str, list[Row]], user: int, people: int, managed: bool) -> Row:
    ids = [None, *(row["id"] for row in found["lz_org"])], [None, *(row["id"] for row in found["lz_pos"])]
    return {
        "user_id": user,
        "managed": managed,
        "org_id": draw(st.sampled_from(ids[0])),
        "pos_id": draw(st.sampled_from(ids[1])),
        "manager_id": draw(st.sampled_from([None, *range(1, people + 1)])),
        "fullname": draw(st.sampled_from([None, "Driver", "Night driver"])),
        "start_date": draw(some_days),
        "end_date": draw(some_days),
    }


def put(site: Any, found: dict[str, list[Row]]) -> None:
    with connected(site) as database, database.transaction():
        for table, rows in found.items():
            for row in rows:
                marks = ", ".join("?" * len(row))
                database.run(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
            if table != "lz_job":
                database.advance_ids(table)


@given(found=tables(), rules=audiences(), at_once=st.booleans())
@moderate
def test_a_rule_matches_whom_a_slow_reading_of_it_matches(
    ground: Ground, found: dict[str, list[Row]], rules: list[Row], at_once: bool
) -> None:
    plain = ground.fresh()
    put(plain, found)
    site = taught(plain, rules)
    with pytest.MonkeyPatch.context() as patched:
        if at_once:  # also where the rules are few
            patched.setattr(members_module, "WORTH_AN_INDEX", 1)
        ask_rules(site)
    members = members_of(site)
    assert members == expected(site, rules, {}, A_DAY)
    event(f"{sum(map(len, members.values()))} members, asked at once: {at_once}")
