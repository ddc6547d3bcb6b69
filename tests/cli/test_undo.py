"""`lzsyncd undo`: what it would take back, what it has taken back, and who stands in the way."""

import json

import pytest

from tests.laws.ground import LZ, ask, look, tell

CITY = "UPDATE lz_user SET city = 'Oxford' WHERE idnumber = 'E1001'"


def test_an_undo_takes_the_run_back_and_says_what_it_had_done(after, lzsyncd):
    run = after.run
    outcome = lzsyncd("undo", run, "--json")
    told = json.loads(outcome.out)
    assert (outcome.code, told["status"], told["undoes"], told["in_the_way"]) == (0, "applied", run, [])
    assert told["counts"]["user"]["updated"] == 2
    assert json.loads(lzsyncd("show", told["run"], "--json").out)["undoes"] == run
    assert json.loads(lzsyncd("show", run, "--json").out)["status"] == "undone"
    (row,) = ask(after.site, "SELECT city FROM lz_user WHERE idnumber = 'E1001'")
    assert row == {"city": "London"}


def test_a_dry_run_lists_what_would_be_taken_back_and_changes_nothing(after, lzsyncd):
    run, before = after.run, look(after.site, *LZ, "sync_run")
    told = json.loads(lzsyncd("undo", run, "--dry-run", "--json").out)
    assert (told["run"], told["status"]) == ("", "checked")
    assert [(c["idnumber"], c["before"], c["after"]) for c in told["changes"]] == [
        ("E1001", {"city": "Cambridge"}, {"city": "London"}),
        ("E1002", {"manageridnumber": "E1000"}, {"manageridnumber": "E1001"}),
    ]
    outcome = lzsyncd("undo", run, "--dry-run", "--limit", "1")
    assert "E1001" in outcome.out
    assert "E1002" not in outcome.out
    assert "more than these 1" in outcome.err
    assert look(after.site, *LZ, "sync_run") == before


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_who_stands_in_the_way_is_listed_and_named_in_no_message(options, after, lzsyncd):
    tell(after.site, CITY)
    run = after.run
    outcome = lzsyncd("undo", run, *options)
    assert outcome.code == 2
    assert [line.split() for line in outcome.out.splitlines()] == [
        ["element", "idnumber", "field", "why"],
        ["user", "E1001", "city", "changed", "since"],
    ]
    assert "1 thing stands in the way" in outcome.err
    assert "E1001" not in outcome.err
    told = json.loads(lzsyncd("undo", run, *options, "--json").out)
    assert told["status"] == "refused"
    assert told["in_the_way"] == [{"why": "changed", "element": "user", "idnumber": "E1001", "field": "city"}]
    assert after.run == run


def test_an_older_run_is_refused_with_what_came_after_it(after, lzsyncd):
    second = after.run
    first = json.loads(lzsyncd("runs", "--json").out)[1]["run"]
    for options in ([], ["--dry-run"]):
        outcome = lzsyncd("undo", first, *options)
        assert (outcome.code, outcome.out) == (2, "")
        assert f"First take back what came after it: {second}." in outcome.err
    assert lzsyncd("undo", "20200101").code == 2
    assert lzsyncd("undo").code == 2


def test_the_history_keeps_what_was_undone_and_says_so(after, lzsyncd):
    run = after.run
    lzsyncd("undo", run)
    steps = json.loads(lzsyncd("history", "user", "E1001", "--json").out)
    assert [(step["action"], step["status"], step["undoes"]) for step in steps] == [
        ("created", "applied", ""),
        ("updated", "undone", ""),
        ("updated", "applied", run),
    ]
    assert [step["after"]["city"] for step in steps] == ["London", "Cambridge", "London"]
    *_, undone, undo = lzsyncd("history", "user", "E1001").out.splitlines()
    assert undone.endswith("undone since")
    assert undo.endswith(f"undo of {run}")


@pytest.mark.usefixtures("after")
def test_a_record_is_shown_as_it_was(lzsyncd):
    shown = lzsyncd("history", "user", "E1001", "--as-of", "2099-01-01")
    assert "city                    Cambridge" in shown.out
    assert shown.err == ""
    told = json.loads(lzsyncd("history", "user", "E1001", "--as-of", "2099-01-01", "--json").out)
    assert (told["fields"]["city"], told["is_whole"], told["as_of"]) == ("Cambridge", True, "2099-01-01")
    outcome = lzsyncd("history", "user", "E1001", "--as-of", "2001-01-01")
    assert (outcome.code, outcome.out) == (2, "")


def test_a_history_that_begins_later_says_what_it_does_not_show(after, lzsyncd):
    tell(after.site, "DELETE FROM sync_change WHERE action = 'created'")
    outcome = lzsyncd("history", "user", "E1001", "--as-of", "2099-01-01")
    assert outcome.out == "city  Cambridge\n"
    assert "does not go back" in outcome.err


@pytest.mark.usefixtures("after")
def test_changes_are_chosen_by_key(lzsyncd):
    assert [c["idnumber"] for c in json.loads(lzsyncd("changes", "--idnumber", "E1002", "--json").out)] == ["E1002"]
