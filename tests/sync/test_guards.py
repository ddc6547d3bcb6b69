"""Guards in a run: what they count, and what becomes of a set that is over a limit; on both databases."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

from lzsyncd.config.guards import limit
from lzsyncd.feed.elements import Element
from lzsyncd.ledger import queries
from lzsyncd.ledger.requests import Kind
from lzsyncd.sync.ending import Result
from lzsyncd.zone.database import Database
from tests.laws.ground import ask, csv_of, look, sync_at, unguarded
from tests.sync.desk import ON_SQLITE, Desk, scheduled
from tests.sync.firm import Firm, changed, files, firm, set_cell, text, without
from tests.sync.test_decisions import decide


def guard(desk: Desk, **limits: Any) -> None:
    values = {name: limit(value) if name.startswith("max_") else value for name, value in limits.items()}
    desk.site = replace(desk.site, guard=replace(desk.site.guard, **values))


def dry(desk: Desk, sets: dict[str, bytes]) -> Result:
    return sync_at(desk.clock(), desk.site, sets, dry_run=True)


def breaches(desk: Desk, run_id: str) -> list[tuple[str, str, int, int, str]]:
    rows = ask(desk.site, "SELECT * FROM sync_breach WHERE run_id = ? ORDER BY id", run_id)
    return [(row["element"], row["guard"], row["figure"], row["base"], row["unit"]) for row in rows]


def over(desk: Desk, company: Firm) -> list[tuple[str, str, int, int, str]]:
    """What a set would exceed, by a dry run, which says so with its exit code."""
    result = dry(desk, files(company))
    found = breaches(desk, result.run)
    assert (result.exit_code == 20) is bool(found)
    assert result.findings.get("guard.exceeded", 0) == len(found)
    return found


def always(value: str) -> Callable[[dict[str, str]], str]:
    return lambda _: value


def new_address(cells: dict[str, str]) -> str:
    return f"{cells['idnumber'].lower()}@new.test"


def move_south(cells: dict[str, str]) -> str:
    return "S1" if cells["orgidnumber"] != "S1" else "S2"


# --- what is counted


def test_who_goes_is_counted_by_division(grown: Desk) -> None:
    assert over(grown, changed(without(4))) == []
    assert over(grown, changed(without(5))) == [("user", "max_removed", 5, 40, "Division E (E)")]
    assert over(grown, changed(without(13))) == [("user", "max_removed", 13, 120, "")]


def test_who_has_gone_before_does_not_stand(grown: Desk) -> None:
    """A tenth of the active company, not of all who ever were in it."""
    guard(grown, max_removed="none")
    grown.arrive(files(changed(without(60))))
    guard(grown, max_removed="10%")
    assert over(grown, changed(without(67))) == [("user", "max_removed", 7, 60, "")]


def test_every_kind_of_change_has_its_figure(grown: Desk) -> None:
    guard(grown, max_manager_changes="5%", max_created=2, max_updated="none")
    company = changed(set_cell("user", "email", 7, new_address))
    assert over(grown, company) == [("user", "max_key_changes", 7, 120, "")]
    company = changed(set_cell("user", "orgidnumber", 31, move_south))
    assert over(grown, company) == [("user", "max_moved", 31, 120, "")]
    company = changed(set_cell("user", "manageridnumber", 9, always("S01")))
    assert over(grown, company) == [("user", "max_manager_changes", 9, 120, "")]
    guard(grown, max_updated="75%")
    company = changed(set_cell("user", "city", 91, always("Leeds")))
    assert over(grown, company) == [("user", "max_updated", 91, 120, "")]
    more = [cells | {k: f"x{cells[k]}" for k in ("idnumber", "username", "email")} for cells in firm()["user"][:3]]
    company = changed(lambda c: c["user"].extend(more))
    assert over(grown, company) == [("user", "max_created", 3, 120, "")]


def test_rejected_records_are_a_share_of_those_read(grown: Desk) -> None:
    assert over(grown, changed(set_cell("user", "email", 24, always("nobody")))) == []
    company = changed(set_cell("user", "email", 25, always("nobody")))
    assert over(grown, company) == [("user", "max_rejected", 25, 120, "")]
    (row,) = ask(grown.site, "SELECT largest FROM sync_breach")
    assert json.loads(row["largest"]) == [{"name": "user.email.invalid", "count": 25, "base": 0}]


def test_a_unit_that_moves_takes_along_what_is_below_it(grown: Desk) -> None:
    def below_north(company: Firm) -> None:
        company["org"][10]["parentidnumber"] = "N0"

    assert over(grown, changed(below_north)) == [("org", "max_moved", 9, 28, "")]


@ON_SQLITE
def test_a_first_load_and_a_small_site_are_not_judged(desk: Desk) -> None:
    guard(desk, max_created=1)
    assert over(desk, firm()) == []
    desk.site = replace(desk.site, apply="on-arrival")
    few = {element: rows[:10] for element, rows in firm().items()}
    desk.arrive(files(few))
    assert over(desk, changed(without(9), few)) == []


def test_a_column_that_is_gone_is_over_the_limit(grown: Desk) -> None:
    def lose_city(company: Firm) -> None:
        for cells in company["user"]:
            del cells["city"]

    assert over(grown, changed(lose_city)) == [("user", "lost_column", 1, 0, "")]
    guard(grown, lost_column=False)
    assert over(grown, changed(lose_city)) == []
    run = grown.arrive(files(changed(lose_city)))
    assert grown.status(run) == "unchanged"
    guard(grown, lost_column=True)
    assert over(grown, changed(lose_city)) == [], "the set that was applied last had it no more"


@ON_SQLITE
def test_reject_files_are_judged_but_may_have_fewer_columns(grown: Desk) -> None:
    rows = [{k: c[k] for k in ("idnumber", "username", "firstname", "lastname")} for c in firm()["user"]]
    mended = text([cells | {"email": f"{cells['idnumber'].lower()}@new.test", "lz_line": "2"} for cells in rows])
    run = grown.arrive({"rejected-user.csv": mended}, mended=True)
    assert breaches(grown, run) == [
        ("user", "max_updated", 120, 120, ""),
        ("user", "max_key_changes", 120, 120, ""),
    ]
    assert grown.status(run) == "held"


# --- what becomes of the set


def test_a_set_over_a_limit_is_held_and_changes_nothing(grown: Desk) -> None:
    before = look(grown.site)
    run = grown.arrive(files(changed(without(30))))
    assert (grown.status(run), look(grown.site) == before, grown.spool()) == ("held", True, [run])
    assert grown.findings(run) == ["guard.exceeded"]
    assert ask(grown.site, "SELECT 1 AS n FROM sync_change WHERE run_id = ?", run) == []
    told = grown.outbox(run)
    for words in (
        "1 limit is exceeded: 30 of 120 people would go (25%); max_removed = 10%.",
        "Division E (E) 30 of 40",
        f"until 2026-11-30 08:00 UTC: lzsyncd approve {run}",
        f"lzsyncd discard {run}",
    ):
        assert words in told
    logged = json.dumps([call.kwargs | {"text": call.args} for call in grown.told.calls], default=str)
    assert "30 of 120 people" in logged
    with closing(Database(grown.site)) as database:
        who = [change.idnumber for change in queries.changes(database, run, action="removed")]
    assert who == [f"E{number}" for number in range(10, 40)], "whom to look at before approving"
    assert "Division" not in logged, "no value of a file is logged"


def test_an_approved_set_is_applied_once(grown: Desk) -> None:
    sets = files(changed(without(30)))
    run = grown.arrive(sets)
    plan = grown.run(run)["plan_hash"]
    assert decide(grown, Kind.APPROVE, run)["exit_code"] == 10
    assert (grown.status(run), grown.run(run)["plan_hash"]) == ("applied", plan)
    assert len(grown.people()) == 90
    assert grown.archived(run) == sets
    assert ask(grown.site, "SELECT 1 AS n FROM sync_planned") == []
    back = grown.arrive(files(firm()))
    assert grown.status(back) == "applied"
    again = grown.arrive(sets)
    assert grown.status(again) == "held", "the same set again needs another approval"


def test_an_approval_of_another_plan_is_none(grown: Desk) -> None:
    run = grown.arrive(files(changed(without(30))))
    grown.tell("UPDATE lz_user SET city = 'Leeds' WHERE idnumber = 'N05'")
    done = decide(grown, Kind.APPROVE, run)
    assert (done["exit_code"], grown.status(run), len(grown.people())) == (20, "held", 120)
    assert "no longer the one that was approved. What differs: 1 record; user: 1 updated, before 0; " in done["message"]
    assert done["message"] == grown.run(run)["message"]
    told = json.loads((grown.site.outbox / run / "summary.json").read_text())["breaches"]
    assert [(row["guard"], row["figure"], row["largest"][0]["name"]) for row in told] == [
        ("max_removed", 30, "Division E (E)"),
        ("approved_plan", 1, "user N05"),
    ]
    assert decide(grown, Kind.APPROVE, run)["exit_code"] == 10
    assert grown.status(run) == "applied"


@ON_SQLITE
def test_an_approval_that_comes_too_late_is_none(grown: Desk) -> None:
    run = grown.arrive(files(changed(without(30))))
    grown.later(days=7, minutes=1)
    done = decide(grown, Kind.APPROVE, run)
    assert (done["exit_code"], grown.status(run)) == (20, "held")
    assert "The approval came too late" in done["message"]
    assert decide(grown, Kind.APPROVE, run)["exit_code"] == 10


@ON_SQLITE
def test_a_plan_that_has_nothing_left_to_do_is_done(grown: Desk) -> None:
    run = grown.arrive(files(changed(set_cell("user", "city", 100, always("Leeds")))))
    grown.tell("UPDATE lz_user SET city = 'Leeds' WHERE id <= 100")
    assert decide(grown, Kind.APPROVE, run)["exit_code"] == 0
    assert grown.status(run) == "unchanged"


def test_a_newer_good_set_supersedes_a_held_one(grown: Desk) -> None:
    held = grown.arrive(files(changed(without(30))))
    newer = grown.arrive(files(changed(without(2))))
    assert [grown.status(run) for run in (held, newer)] == ["superseded", "applied"]
    assert len(grown.people()) == 118


def test_a_held_set_holds_back_reject_files_until_it_is_decided(grown: Desk) -> None:
    held = grown.arrive(files(changed(without(30))))
    mended = csv_of("idnumber,username,firstname,lastname,email,lz_line", "Z1,z1,Zoe,Lee,z1@acme.test,2")
    behind = grown.arrive({"rejected-user.csv": mended}, mended=True)
    assert grown.status(behind) == "checked"
    decide(grown, Kind.DISCARD, held)
    assert [grown.status(run) for run in (held, behind)] == ["discarded", "applied"]


def test_a_set_that_waits_is_told_of_on_arrival_and_held_at_its_slot(grown: Desk) -> None:
    grown.site = replace(grown.site, apply="on-schedule")
    run = grown.arrive(files(changed(without(30))))
    assert grown.status(run) == "checked"
    assert grown.findings(run) == ["guard.exceeded"]
    assert "max_removed" in grown.outbox(run)
    assert decide(grown, Kind.APPROVE, run)["exit_code"] == 2
    grown.slot()
    assert grown.status(run) == "held"
    assert grown.findings(run) == ["guard.exceeded"]
    assert len(breaches(grown, run)) == 1
    assert decide(grown, Kind.APPROVE, run)["exit_code"] == 10
    assert len(grown.people()) == 90


def test_a_dry_run_has_the_same_plan_as_the_approved_one(grown: Desk) -> None:
    sets = files(changed(without(30)))
    plan = dry(grown, sets).plan_hash
    run = grown.arrive(sets)
    decide(grown, Kind.APPROVE, run)
    assert grown.run(run)["plan_hash"] == plan


# --- removals withheld


def test_removals_are_withheld_and_the_rest_is_applied(grown: Desk) -> None:
    guard(grown, on_exceed="withhold-removals")
    company = changed(set_cell("user", "city", 3, always("Leeds")), changed(without(30)))
    run = grown.arrive(files(company))
    assert grown.status(run) == "applied"
    assert sorted(grown.findings(run)) == ["guard.exceeded", "set.removals_withheld"]
    assert len(grown.people()) == 120
    assert list(grown.people().values()).count("Leeds") == 3
    (row,) = ask(grown.site, "SELECT * FROM sync_breach WHERE run_id = ?", run)
    assert (row["guard"], bool(row["withheld"])) == ("max_removed", True)


def test_what_a_withheld_removal_keeps_is_not_given_away(grown: Desk) -> None:
    """They are part of the state: an address that was not freed is taken, and a unit that is held stays (2a)."""
    guard(grown, on_exceed="withhold-removals")
    company = changed(without(20))
    company["user"][0]["email"] = firm()["user"][-1]["email"]
    company["org"] = [cells for cells in company["org"] if cells["idnumber"] != "E7"]
    run = grown.arrive(files(company))
    found = sorted(set(grown.findings(run)))
    assert found == ["guard.exceeded", "org.in_use", "set.removals_withheld", "user.email.taken"]
    assert (grown.status(run), len(grown.people())) == ("unchanged", 120)


@ON_SQLITE
def test_removals_of_units_are_withheld_without_a_word_of_those_in_use(grown: Desk) -> None:
    guard(grown, on_exceed="withhold-removals", max_removed=2)
    company = changed(lambda c: c["org"].__delitem__(slice(20, 28)))
    for cells in company["user"]:
        cells["orgidnumber"] = "S0" if cells["orgidnumber"] in ("E1", "E2", "E3") else cells["orgidnumber"]
    guard(grown, max_moved="none")
    run = grown.arrive(files(company))
    assert sorted(set(grown.findings(run)) - {"user.org.unknown"}) == ["guard.exceeded", "set.removals_withheld"]
    assert grown.status(run) == "applied"


def test_other_limits_hold_all_the_same(grown: Desk) -> None:
    guard(grown, on_exceed="withhold-removals")
    company = changed(
        set_cell("user", "email", 20, lambda c: f"{c['idnumber']}@new.test".lower()), changed(without(30))
    )
    run = grown.arrive(files(company))
    assert grown.status(run) == "held"
    assert [row[1] for row in breaches(grown, run)] == ["max_key_changes", "max_removed"]
    assert decide(grown, Kind.APPROVE, run)["exit_code"] == 10
    assert len(grown.people()) == 120, "what was withheld stays withheld: it is the plan that was shown"


# --- an element with a schedule of its own


@ON_SQLITE
def test_an_element_with_its_own_schedule_is_held_at_its_own_slot_once(grown: Desk) -> None:
    grown.site = scheduled(replace(grown.site, apply="on-schedule"), user="weekly on wednesday at 05:00")
    grown.arrive(files(changed(without(30))))
    grown.slot()
    grown.slot(Element.USER)
    held = grown.runs()[-1]
    assert (held["status"], held["trigger"]) == ("held", "slot")
    grown.slot(Element.USER)
    assert grown.runs()[-1]["id"] == held["id"], "it is not held again at every slot"
    assert decide(grown, Kind.APPROVE, held["id"])["exit_code"] == 10
    assert len(grown.people()) == 90


def test_guards_can_be_switched_off(grown: Desk) -> None:
    grown.site = unguarded(grown.site)
    run = grown.arrive(files(changed(without(100))))
    assert (grown.status(run), grown.findings(run)) == ("applied", [])
