"""Law 4: the same set again changes no record, down to the last byte of the site's tables."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import event, given

from tests.companies import History, histories
from tests.laws.bridge import A_DAY
from tests.laws.company import DAY_ONE, DAY_TWO, DELETES
from tests.laws.ground import Ground, ask, days, look, moderate, sync, sync_at
from tests.reference.model import Policy

ACTIONS = ("created", "updated", "revived", "removed")
LATER = A_DAY + timedelta(hours=3)
NEXT_MONTH = A_DAY + timedelta(days=30)


@given(history=histories(days=1))
@moderate
def test_the_same_set_again_changes_no_byte(ground: Ground, history: History) -> None:
    site = ground.fresh(history.site, history.zone)
    for _, files in days(history):
        first = sync(site, files)
    event(f"first {first.status}")
    before = look(site)
    again = sync_at(LATER, site, files)
    assert look(site) == before
    assert again.status == ("unchanged" if first.status != "rejected" else "rejected")
    for count in ask(site, "SELECT * FROM sync_count WHERE run_id = ?", again.run):
        assert [count[action] for action in ACTIONS] == [0, 0, 0, 0]
    assert ask(site, "SELECT id FROM sync_change WHERE run_id = ?", again.run) == []


def test_a_month_later_it_is_still_the_same(ground: Ground) -> None:
    site = ground.fresh(DELETES)
    sync(site, DAY_ONE)
    sync(site, DAY_TWO)
    before = look(site)
    assert sync_at(NEXT_MONTH, site, DAY_TWO).status == "unchanged"
    assert look(site) == before


def marked(content: bytes) -> bytes:
    """The same file with `deleted` true for everybody."""
    head, *records = content.splitlines()
    return b"\n".join([head + b",deleted", *(record + b",1" for record in records)])


@pytest.mark.parametrize("how", ["suspend", "delete"])
def test_who_was_told_to_go_goes_once(ground: Ground, how: str) -> None:
    """`deleted` is still true the next day, whatever it does here."""
    org = Policy(missing="hide", on_deleted="hide" if how == "suspend" else how)
    site = ground.fresh(replace(DELETES, org=org, user=replace(DELETES.user, on_deleted=how)))
    sync(site, DAY_ONE)
    files = {name: marked(content) for name, content in DAY_ONE.items() if name != "pos.csv"}
    counts = sync(site, files).counts
    assert [counts[element]["removed"] for element in ("user", "org")] == [4, 4]
    before = look(site)
    assert sync(site, files).status == "unchanged"
    assert look(site) == before


def test_findings_are_told_again(ground: Ground) -> None:
    site = ground.fresh(DELETES)
    first, again = sync(site, DAY_TWO), sync(site, DAY_TWO)
    assert first.findings == again.findings
    assert first.findings["user.email.invalid"] == 1


def test_there_and_back_again_is_where_it_was(ground: Ground) -> None:
    """Usernames swap and swap back, units move and move back; who went comes back as themselves."""
    site = ground.fresh(DELETES)
    sync(site, DAY_ONE)
    ids = {row["idnumber"]: row["id"] for row in ask(site, "SELECT id, idnumber FROM lz_user")}
    for files in (DAY_TWO, DAY_ONE, DAY_TWO, DAY_ONE):
        assert sync(site, files).status == "applied"
        assert sync(site, files).status == "unchanged"
    people = {row["idnumber"]: row for row in ask(site, "SELECT * FROM lz_user")}
    assert {key: people[key]["id"] for key in ids} == ids
    assert [people[key]["username"] for key in "1234"] == ["ann", "bob", "cyd", "dee"]
    assert people["5"]["deleted"]
