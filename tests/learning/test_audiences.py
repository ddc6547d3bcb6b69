"""What happens to audiences, members and learning, told one by one."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lzsyncd.config import Site
from lzsyncd.learning import audiences
from lzsyncd.learning import members as asking
from lzsyncd.service.slots import RULES, Schedule
from lzsyncd.sync.ending import Result
from tests.laws.ground import Ground, ask, csv_of, look, sync, sync_at, tell
from tests.learning.world import A_DAY, ask_rules, members_of, taught, undo
from tests.reference import model
from tests.sync.desk import ON_SQLITE, Desk

HEADER = "idnumber,username,firstname,lastname,email,orgidnumber,manageridnumber,jobassignmentstartdate,suspended"
ORG = csv_of("idnumber,fullname,parentidnumber", "A,Acme,", "B,Below,A", "C,Other,", "D,Deep,B")
PEOPLE = ("1,B,,2026-11-20", "2,D,1,2026-11-20", "3,C,2,2026-10-01")
WHY = "SELECT a.name, m.action, m.reason FROM sync_member m JOIN lz_audience a ON a.id = m.audience_id"
UNDER_A = {"name": "In A", "rules": [{"field": "org", "under": "A"}], "assign": ["course:1"]}


def people(*records: str) -> bytes:
    rows = []
    for record in records:
        key, unit, manager, start, *more = record.split(",")
        rows.append(f"{key},u{key},Ann,Lee,u{key}@a.test,{unit},{manager},{start},{more[0] if more else '0'}")
    return csv_of(HEADER, *rows)


def files(*records: str, org: bytes = ORG) -> dict[str, bytes]:
    return {"org.csv": org, "user.csv": people(*(records or PEOPLE))}


def site_with(ground: Ground, *audiences: Any, **policy: Any) -> Site:
    pos = model.Policy(enabled=False, missing="hide")
    return taught(ground.fresh(model.Site(pos=pos, **policy)), list(audiences))


def members(site: Site, name: str = "In A") -> set[int]:
    return members_of(site)[name]


def learning(site: Site) -> dict[tuple[int, str], bool]:
    """Whether the learning of each holds, by person and item."""
    rows = ask(site, "SELECT user_id, item, removed_at FROM lz_assignment")
    return {(row["user_id"], row["item"]): row["removed_at"] is None for row in rows}


def codes(result: Result) -> set[str]:
    return {code for code in result.findings if code.startswith("audience")}


def reasons(site: Site) -> list[tuple[str, str, str]]:
    rows = ask(site, "SELECT idnumber, action, reason FROM sync_member")
    return [tuple(row.values()) for row in rows]


def test_whoever_leaves_loses_the_learning_and_gets_the_same_row_back(ground: Ground) -> None:
    site = site_with(ground, UNDER_A)
    sync(site, files())
    assert (members(site), learning(site)) == ({1, 2}, {(1, "course:1"): True, (2, "course:1"): True})
    moved = files(PEOPLE[0], "2,C,1,2026-11-20", PEOPLE[2])
    assert sync(site, moved).learning == {"joined": 0, "left": 1, "assigned": 0, "unassigned": 1}
    assert learning(site)[2, "course:1"] is False
    assert ("2", "left", "not org under A (C)") in reasons(site)
    sync(site, files())
    assert learning(site)[2, "course:1"] is True
    assert len(ask(site, "SELECT * FROM lz_assignment")) == 2


@pytest.mark.parametrize("worth", [1, asking.WORTH_AN_INDEX])
def test_rules_asked_at_once_ask_for_all_they_say_and_find_nobody_twice(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, worth: int
) -> None:
    monkeypatch.setattr(asking, "WORTH_AN_INDEX", worth)
    below, named = {"field": "org", "under": "A"}, {"field": "username", "in": ["u2", "u3"]}
    late, in_b = {"field": "start_date", "before": "2026-11-01"}, {"field": "org", "is": "B"}
    ways = {"name": "Ways", "match": "any", "rules": [below, in_b, {"field": "lastname", "is": "Lee"}]}
    rest = {"name": "Rest", "rules": [below, named]}
    group = {"name": "Group", "rules": [{"any": [in_b, named]}, late]}
    site = site_with(ground, ways, rest, group)
    assert sync(site, files()).learning["joined"] == 5
    assert members_of(site) == {"Ways": {1, 2, 3}, "Rest": {2}, "Group": {3}}


def test_learning_is_due_and_dated_anew_when_it_comes_back(ground: Ground) -> None:
    site = site_with(ground, UNDER_A | {"due": "30d"})
    sync_at(A_DAY, site, files())
    sync_at(A_DAY + timedelta(days=1), site, files(PEOPLE[0], "2,C,1,2026-11-20", PEOPLE[2]))
    sync_at(A_DAY + timedelta(days=2), site, files())
    rows = {row["user_id"]: row for row in ask(site, "SELECT * FROM lz_assignment")}
    assert rows[1]["due_at"] == "2026-12-22T12:00:00.000Z"
    assert (rows[2]["assigned_at"], rows[2]["due_at"]) == ("2026-11-24T12:00:00.000Z", "2026-12-24T12:00:00.000Z")


def test_learning_is_kept_where_the_audience_says_so_until_the_person_goes(ground: Ground) -> None:
    site = site_with(ground, UNDER_A | {"on_leave": "keep"})
    sync(site, files())
    sync(site, files(PEOPLE[0], "2,C,1,2026-11-20", PEOPLE[2]))
    assert (members(site), learning(site)[2, "course:1"]) == ({1}, True)
    sync(site, files(PEOPLE[0], "2,C,1,2026-11-20,1", PEOPLE[2]))
    assert learning(site) == {(1, "course:1"): True, (2, "course:1"): False}


def test_an_item_of_two_audiences_is_kept_until_the_last_one_goes(ground: Ground) -> None:
    both = {"name": "In B", "rules": [{"field": "org", "under": "B"}], "assign": ["course:1"]}
    site = site_with(ground, UNDER_A, both)
    sync(site, files())
    moved = sync(site, files("1,A,,2026-11-20", *PEOPLE[1:]))
    assert moved.learning["unassigned"] == 1
    rows = ask(site, "SELECT audience_id FROM lz_assignment WHERE user_id = 1 AND removed_at IS NULL")
    assert len(rows) == 1


@pytest.mark.parametrize("more", [{"never_remove_members": True}, {"rules": [{"field": "org", "under": "GONE"}]}])
def test_who_is_suspended_leaves_whatever_the_audience_says(ground: Ground, more: dict[str, Any]) -> None:
    site = site_with(ground, UNDER_A)
    sync(site, files())
    frozen = replace(taught(site, [UNDER_A | more]), elements=site.elements)
    result = sync(frozen, files(PEOPLE[0], "2,D,1,2026-11-20,1", "3,C,2,2026-10-01"))
    assert (members(frozen), learning(frozen)) == ({1}, {(1, "course:1"): True, (2, "course:1"): False})
    assert ("2", "left", "suspended") in reasons(frozen)
    assert codes(result) == ({"audience.broken"} if "rules" in more else set())


def test_nobody_leaves_where_departures_are_frozen(ground: Ground) -> None:
    site = site_with(ground, UNDER_A | {"never_remove_members": True})
    sync(site, files())
    sync(site, files("1,C,,2026-11-20", *PEOPLE[1:]))
    assert (members(site), learning(site)[1, "course:1"]) == ({1, 2}, True)


def test_a_rule_whose_unit_goes_is_frozen_and_goes_on_when_the_unit_is_back(ground: Ground) -> None:
    site = site_with(ground, UNDER_A | {"rules": [{"field": "org", "in": ["B", "C"]}]})
    sync(site, files())
    without_c = csv_of("idnumber,fullname,parentidnumber", "A,Acme,", "B,Below,A", "D,Deep,B")
    result = sync(site, files("1,B,,", "2,B,1,", "3,A,,", org=without_c))
    assert (codes(result), members(site)) == ({"audience.broken"}, {1, 3})
    (finding,) = ask(site, "SELECT * FROM sync_error WHERE code = 'audience.broken'")
    assert (finding["element"], finding["file"], finding["value"]) == (None, None, "org C")
    assert ask(site, "SELECT frozen FROM lz_audience")[0]["frozen"]
    assert codes(sync(site, files("1,B,,", "2,B,1,", "3,A,,"))) == set()
    assert members(site) == {1, 2}


def test_an_audience_that_matches_nobody_or_loses_its_last_member_is_told(ground: Ground) -> None:
    site = site_with(ground, UNDER_A | {"rules": [{"field": "org", "is": "D"}]})
    assert codes(sync(site, files())) == set()
    assert codes(sync(site, files(PEOPLE[0], "2,C,1,", PEOPLE[2]))) == {"audience.empty"}
    assert codes(sync(site, files(PEOPLE[0], "2,C,1,", PEOPLE[2]))) == {"audience.empty"}


def test_who_is_asked_alone_does_not_empty_an_audience_in_which_others_stay(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audiences, "FEW", 0)
    site = site_with(ground, UNDER_A)
    sync(site, files())
    assert (codes(sync(site, files(PEOPLE[0], "2,C,1,", PEOPLE[2]))), members(site)) == (set(), {1})
    assert (codes(sync(site, files("1,C,,", "2,C,1,", PEOPLE[2]))), members(site)) == ({"audience.empty"}, set())


def test_learning_that_a_hand_took_away_or_gave_is_mended_within_a_day(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audiences, "FEW", 0)
    site = site_with(ground, UNDER_A)
    sync_at(A_DAY, site, files())
    tell(site, "UPDATE lz_assignment SET removed_at = 'by hand' WHERE user_id = 1")
    tell(site, "INSERT INTO lz_assignment (user_id, item, audience_id, assigned_at) VALUES (3, 'course:1', 1, 'now')")
    tomorrow = files("1,D,,2026-11-20", *PEOPLE[1:])
    sync_at(A_DAY + timedelta(hours=1), site, tomorrow)
    sync_at(A_DAY + timedelta(days=1), site, tomorrow)
    assert learning(site) == {(1, "course:1"): True, (2, "course:1"): True, (3, "course:1"): False}


def test_whoever_leaves_and_comes_back_has_what_was_kept(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audiences, "FEW", 0)
    site = site_with(ground, UNDER_A | {"on_leave": "keep"})
    sync(site, files())
    sync(site, files(PEOPLE[0], "2,C,1,", PEOPLE[2]))
    assert sync(site, files()).learning == {"joined": 1, "left": 0, "assigned": 0, "unassigned": 0}
    assert learning(site) == {(1, "course:1"): True, (2, "course:1"): True}


def test_reasons_that_are_written_at_once_are_told_in_the_words_of_each_rule(ground: Ground) -> None:
    units = {"field": "org", "in": ["B", "D"]}
    late = {"field": "start_date", "after": "2026-11-01"}
    rules = {
        "B": {"rules": [{"field": "org", "under": "B"}]},
        "A": {"rules": [{"field": "org", "under": "A"}]},
        "all": {"rules": [units, late]},
        "any": {"rules": [units, late], "match": "any"},
    }
    site = site_with(ground, *({"name": name, "assign": []} | rule for name, rule in rules.items()))
    sync(site, files("1,B,,2026-11-20"))
    told = {(row["name"], row["action"], row["reason"]) for row in ask(site, WHY)}
    both = "org in B, D (B); start_date after 2026-11-01 (2026-11-20)"
    assert told == {
        ("A", "joined", "org under A (B)"),
        ("B", "joined", "org under B (B)"),
        ("all", "joined", both),
        ("any", "joined", both),
    }
    sync(site, files("1,C,,2026-10-01"))
    lost = "not org in B, D (C); not start_date after 2026-11-01 (2026-10-01)"
    assert {(row["name"], row["action"], row["reason"]) for row in ask(site, WHY)} - told == {
        ("A", "left", "not org under A (C)"),
        ("B", "left", "not org under B (C)"),
        ("all", "left", lost),
        ("any", "left", lost),
    }


def test_another_name_with_the_same_rule_is_the_same_audience(ground: Ground) -> None:
    site = site_with(ground, UNDER_A)
    sync(site, files())
    renamed = replace(taught(site, [UNDER_A | {"name": "New name"}]), elements=site.elements)
    assert sync(renamed, files()).learning == {"joined": 0, "left": 0, "assigned": 0, "unassigned": 0}
    assert (members(renamed, "New name"), len(members_of(renamed))) == ({1, 2}, 1)


def test_an_audience_that_is_taken_out_is_frozen_and_loses_nobody_but_who_goes(ground: Ground) -> None:
    site = site_with(ground, UNDER_A)
    sync(site, files())
    without = replace(site, audiences=())
    sync(without, files("1,C,,", "2,D,1,,1", PEOPLE[2]))
    assert (members(without), learning(without)) == ({1}, {(1, "course:1"): True, (2, "course:1"): False})
    assert ask(without, "SELECT frozen FROM lz_audience")[0]["frozen"]
    sync(site, files("1,C,,", "2,D,1,,1", PEOPLE[2]))
    assert members(site) == set()


def test_items_that_are_added_and_taken_out_follow_for_all_members(ground: Ground) -> None:
    site = site_with(ground, UNDER_A)
    sync(site, files())
    other = replace(taught(site, [UNDER_A | {"assign": ["course:2"]}]), elements=site.elements)
    assert sync(other, files()).learning == {"joined": 0, "left": 0, "assigned": 2, "unassigned": 2}
    assert learning(other)[1, "course:1"] is False
    assert learning(other)[1, "course:2"] is True


def test_undo_takes_back_who_joined_an_audience_that_was_new_and_one_that_stood(ground: Ground) -> None:
    site = site_with(ground, UNDER_A)
    before = look(site)
    first = sync_at(A_DAY, site, files())
    between = look(site)
    second = sync_at(A_DAY + timedelta(hours=1), site, files("1,C,,2026-11-20", PEOPLE[1], "3,B,,2026-10-01"))
    assert members(site) == {2, 3}
    undo(site, second.run, A_DAY + timedelta(hours=2))
    assert (members(site), look(site)) == ({1, 2}, between)
    undone = undo(site, first.run, A_DAY + timedelta(hours=3))
    assert look(site) == before
    undo(site, undone, A_DAY + timedelta(hours=4))
    assert look(site) == between


def test_people_made_by_hand_and_their_jobs_are_asked_too(ground: Ground) -> None:
    site = site_with(ground, UNDER_A)
    sync(site, files())
    tell(
        site,
        "INSERT INTO lz_user (id, username) VALUES (90, 'guest')",
        "INSERT INTO lz_job (user_id, org_id) VALUES (90, 2)",
    )
    assert sync(site, files()).learning["joined"] == 1
    assert members(site) == {1, 2, 90}


def test_a_changed_rule_is_in_the_digest_and_a_day_that_passes_is_not(ground: Ground) -> None:
    new = {"name": "New", "rules": [{"field": "start_date", "within_last": "5d"}], "assign": ["course:1"]}
    site = site_with(ground, new)
    sync_at(A_DAY, site, files())
    assert members(site, "New") == {1, 2}
    today, later = (sync_at(A_DAY + timedelta(days=n), site, files(), dry_run=True) for n in (0, 9))
    assert (today.learning["left"], later.learning["left"]) == (0, 2)
    assert today.plan_hash == later.plan_hash
    other = replace(
        taught(site, [new | {"rules": [{"field": "start_date", "within_last": "50d"}]}]), elements=site.elements
    )
    assert sync_at(A_DAY, other, files(), dry_run=True).plan_hash != today.plan_hash


def test_a_plan_that_takes_learning_from_too_many_is_held(ground: Ground) -> None:
    site = site_with(ground, UNDER_A)
    many = [f"{number},B,,2026-11-20" for number in range(1, 31)]
    sync(site, files(*many))
    narrow = replace(taught(site, [UNDER_A | {"rules": [{"field": "org", "is": "A"}]}]), elements=site.elements)
    result = sync(narrow, files(*many))
    assert (result.status, result.findings["guard.exceeded"], int(result.exit_code)) == ("held", 1, 20)
    (breach,) = ask(narrow, "SELECT guard, figure, base FROM sync_breach WHERE run_id = ?", result.run)
    assert breach == {"guard": "max_unassigned", "figure": 30, "base": 30}
    assert len(members(narrow)) == 30
    alone = ask_rules(narrow)  # nobody could approve of it
    assert (alone.status, len(members(narrow))) == ("rejected", 30)


def test_who_has_the_item_from_another_audience_loses_nothing(ground: Ground) -> None:
    site = site_with(ground, UNDER_A, UNDER_A | {"name": "Also"})
    many = [f"{number},B,,2026-11-20" for number in range(1, 31)]
    sync(site, files(*many))
    narrow = replace(
        taught(site, [UNDER_A, UNDER_A | {"name": "Also", "rules": [{"field": "org", "is": "A"}]}]),
        elements=site.elements,
    )
    assert sync(narrow, files(*many)).status == "applied"


@ON_SQLITE
def test_a_slot_for_which_no_set_waits_asks_the_rules_once(ground: Ground) -> None:
    new = {"name": "New", "rules": [{"field": "start_date", "within_last": "3d"}]}
    site = site_with(ground, new)
    sync_at(A_DAY, site, files())
    desk = Desk(site, now=A_DAY)
    slot = desk.next_slot()
    desk.work(slots=(slot,))
    desk.work(slots=(slot,))
    desk.later(days=3)
    desk.slot()
    assert members(site, "New") == set()
    told = [(run["trigger"], run["status"], run["set_hash"] is None) for run in desk.runs()]
    assert told == [("command", "applied", False), ("slot", "unchanged", True), ("slot", "applied", True)]
    assert desk.spool() == []


@ON_SQLITE
def test_a_weekly_site_asks_its_rules_every_day_and_lets_its_sets_wait(ground: Ground) -> None:
    new = {"name": "New", "rules": [{"field": "start_date", "within_last": "3d"}]}
    site = site_with(ground, new)
    sync_at(A_DAY, site, files())
    assert members(site, "New")
    desk = Desk(replace(site, schedule=Schedule.parse("weekly on sunday at 02:00"), apply="on-schedule"), now=A_DAY)
    desk.later(days=4)
    waits = desk.arrive(files(*PEOPLE, "4,B,,2026-01-01"))
    slot = desk.next_slot()
    assert slot.name.endswith(RULES)
    desk.work(slots=(slot,))
    assert members(site, "New") == set()
    assert desk.status(waits) == "checked"
    desk.tell(f"UPDATE sync_slot SET finished_at = NULL WHERE slot = '{slot.name}'")  # as after a kill
    desk.work()
    assert desk.status(waits) == "checked", "taken up again, it is still not its slot"
    assert desk.slots()[slot.name]["finished_at"]


@ON_SQLITE
def test_a_slot_of_a_site_without_audiences_leaves_no_run(ground: Ground) -> None:
    desk = Desk(site_with(ground))
    desk.slot()
    assert desk.runs() == []
