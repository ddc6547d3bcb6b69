"""Whatever a run brings: a run that asks only about whom it touches comes to what asking everybody comes to."""

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from lzsyncd.config import Site
from lzsyncd.learning import audiences as learning
from lzsyncd.learning import members
from tests.companies import History, histories
from tests.laws.ground import Ground, Row, ask, days, look, moderate, sync, sync_at
from tests.learning.world import A_DAY, ask_rules, audiences, expected, members_of, taught, undo

NOBODY = {"joined": 0, "left": 0, "assigned": 0, "unassigned": 0}


def assignments(site: Site) -> set[tuple[int, str, int]]:
    rows = ask(site, "SELECT user_id, item, audience_id FROM lz_assignment WHERE removed_at IS NULL")
    return {tuple(row.values()) for row in rows}


def due_to_members(site: Site, rules: list[Row]) -> set[tuple[int, str, int]]:
    """What members must have, and nobody else but for whom an audience left it."""
    ids = {row["name"]: row["id"] for row in ask(site, "SELECT id, name FROM lz_audience")}
    members = members_of(site)
    return {(user, item, ids[r["name"]]) for r in rules for user in members[r["name"]] for item in r["assign"]}


@given(history=histories(days=3), rules=audiences(), later=st.integers(0, 2))
@moderate
def test_asking_the_touched_comes_to_what_asking_everybody_comes_to(
    ground: Ground, history: History, rules: list[Row], later: int
) -> None:
    plain = ground.fresh(history.site, history.zone)
    site = replace(taught(plain, rules), elements=plain.elements)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(learning, "FEW", 0)
        patched.setattr(members, "WORTH_AN_INDEX", 1)
        for _, files in days(history):
            before = members_of(site)
            result = sync(site, files)
            if result.status not in ("applied", "unchanged"):
                continue
            event(f"somebody moved: {any(result.learning.values())}")
            assert members_of(site) == expected(site, rules, before)
            assert ask_rules(site).learning == NOBODY
    held = {r["name"] for r in rules if r["on_leave"] == "keep"}
    names = {row["id"]: row["name"] for row in ask(site, "SELECT id, name FROM lz_audience")}
    active = {row["id"] for row in ask(site, "SELECT id FROM lz_user WHERE NOT deleted AND NOT suspended")}
    surplus = assignments(site) - due_to_members(site, rules)
    assert due_to_members(site, rules) <= assignments(site)
    assert {names[audience] for _, _, audience in surplus} <= held
    assert {user for user, _, _ in surplus} <= active
    before, later_day = members_of(site), A_DAY + timedelta(days=later * 40)
    ask_rules(site, now=later_day)
    assert members_of(site) == expected(site, rules, before, later_day)


@given(history=histories(days=1, damaged=False), rules=audiences(), chance=st.randoms(use_true_random=False))
@moderate
def test_the_laws_hold_with_audiences(ground: Ground, history: History, rules: list[Row], chance: Random) -> None:
    """2 and 9: it comes and goes as one. 4: twice is once. 5: order does not matter. 6: a dry run tells the truth."""
    plain = ground.fresh(history.site, history.zone)
    site = replace(taught(plain, rules), elements=plain.elements)
    for day, files in days(history):
        before, moment = look(site), A_DAY + timedelta(minutes=10 * day)
        dry = sync_at(moment, site, shuffled(files, chance), dry_run=True)
        assert look(site) == before
        real = sync_at(moment + timedelta(minutes=1), site, files)
        assert (dry.plan_hash, dry.learning, dry.findings) == (real.plan_hash, real.learning, real.findings)
        if real.status != "applied":
            continue
        after = look(site)
        assert sync_at(moment + timedelta(minutes=2), site, files).learning == NOBODY
        undone = undo(site, real.run, moment + timedelta(minutes=3))
        assert look(site) == before
        undo(site, undone, moment + timedelta(minutes=4))
        assert look(site) == after


def shuffled(files: dict[str, bytes], chance: Random) -> dict[str, bytes]:
    """The same records in another order, where each is one line."""
    found = {}
    for name, data in files.items():
        head, *records = data.splitlines(keepends=True)
        if b'"' not in data and data.endswith(b"\n"):
            chance.shuffle(records)
        found[name] = b"".join([head, *records])
    return found
