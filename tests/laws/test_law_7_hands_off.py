"""Law 7: what was made by hand in the site stays as it is; only derived paths and depths may move."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given

from tests.companies import History, histories
from tests.laws.company import DELETES, PEOPLE, UNITS
from tests.laws.ground import SYNC, Ground, Row, Tables, ask, csv_of, days, look, moderate, sync
from tests.reference.model import Policy, Zone, job, person, unit

DERIVED = ("path", "depth")


def by_hand(tables: Tables) -> dict[str, dict[Any, Row]]:
    """Everything that the feed does not own, without what is derived; in whatever order the database has it."""
    return {
        name: {
            key: {c: v for c, v in row.items() if c not in DERIVED}
            for key, row in rows.items()
            if not row.get("managed")
        }
        for name, rows in tables.items()
    }


@given(history=histories(days=1))
@moderate
def test_no_byte_of_what_was_made_by_hand_changes(ground: Ground, history: History) -> None:
    site = ground.fresh(history.site, history.zone)
    for _, files in days(history):
        before = by_hand(look(site))
        sync(site, files)
        assert by_hand(look(site)) == before
    for rows in before.values():
        if rows:
            event("something was made by hand")


def a_site_made_by_hand() -> Zone:
    """Units and a person by hand, among and below those of the feed."""
    zone = Zone(org={"A": unit(fullname="Acme"), "H": unit(False, fullname="By hand", parent="A")})
    zone.org["C"] = unit(fullname="Corner", parent="H")
    zone.pos["H"] = unit(False, fullname="By hand", description="as it was")
    zone.people["9"] = person(False, username="hand", email="hand@a.test", firstname="By", lastname="Hand")
    zone.jobs["9"] = job(False, org="A", pos="H", fullname="By hand")
    zone.people["1"] = person(username="ann", email="ann@a.test", firstname="Ann", lastname="Lee")
    return zone


@pytest.mark.parametrize("missing", ["hide", "delete"])
def test_a_key_that_meets_a_record_made_by_hand_is_a_finding(ground: Ground, missing: str) -> None:
    units = Policy(missing=missing)
    policy = replace(DELETES, org=units, pos=units)
    site = ground.fresh(policy, a_site_made_by_hand())
    before = by_hand(look(site))
    files = {
        "org.csv": csv_of(UNITS, "A,Acme,", "H,Not by hand,", "C,Corner,A"),
        "pos.csv": csv_of(f"{UNITS},deleted", "H,Not by hand,,1", "D,Driver,,0"),
        "user.csv": csv_of(PEOPLE, "9,ann9,Ann,Lee,ann9@a.test,A,D,,", "1,ann,Ann,Lee,ann@a.test,H,H,9,"),
    }
    run = sync(site, files).run
    found = ask(site, "SELECT element, line, code FROM sync_error WHERE run_id = ? AND code = 'key.unmanaged'", run)
    assert sorted((row["element"], row["line"]) for row in found) == [("org", 3), ("pos", 2), ("user", 2)]
    assert by_hand(look(site)) == before
    # the feed may point to what was made by hand
    (link,) = ask(site, "SELECT o.idnumber FROM lz_job j JOIN lz_org o ON o.id = j.org_id WHERE j.managed")
    assert link["idnumber"] == "H"


def test_who_is_not_named_stays_when_they_were_made_by_hand(ground: Ground) -> None:
    site = ground.fresh(DELETES, a_site_made_by_hand())
    before = by_hand(look(site))
    files = {
        "org.csv": csv_of(UNITS, "X,Other,"),
        "pos.csv": csv_of(UNITS, "X,Other,"),
        "user.csv": csv_of(PEOPLE, "2,bob,Bob,Lee,bob@a.test,X,X,,"),
    }
    sync(site, files)
    assert by_hand(look(site)) == before
    # Acme holds somebody and a unit made by hand; the corner goes
    assert {row["idnumber"] for row in ask(site, "SELECT idnumber FROM lz_org")} == {"A", "H", "X"}


def test_a_path_follows_when_the_unit_above_moves(ground: Ground) -> None:
    site = ground.fresh(SYNC, a_site_made_by_hand())
    sync(site, {"org.csv": csv_of(UNITS, "T,Top,", "A,Acme,T", "C,Corner,H")})
    rows = {row["idnumber"]: row for row in ask(site, "SELECT * FROM lz_org")}
    path = "/"
    for depth, key in enumerate("TAHC", 1):
        path += f"{rows[key]['id']}/"
        assert (rows[key]["path"], rows[key]["depth"]) == (path, depth)


def test_a_record_given_back_to_hand_is_left_alone(ground: Ground) -> None:
    """`managed` decides, whoever made the record."""
    zone = a_site_made_by_hand()
    zone.people["1"]["managed"] = False
    site = ground.fresh(replace(SYNC, user=Policy(missing="delete")), zone)
    before = by_hand(look(site))
    sync(site, {"user.csv": csv_of(PEOPLE, "2,bob,Bob,Lee,bob@a.test,,,,")})
    assert by_hand(look(site)) == before
