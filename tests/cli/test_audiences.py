"""`audiences`, and where else commands tell of them."""

import json

AUDIENCE = """
[[sites.acme.audiences]]
name = "Operations"
rules = [{ field = "org", under = "OPS" }]
assign = ["course:SAFE-101"]
"""


def configured(place, text=AUDIENCE):
    with place.config.open("a", encoding="utf-8") as stream:
        stream.write(text)
    return place


def test_a_site_without_audiences_says_so(after, lzsyncd):
    assert after.run
    assert lzsyncd("audiences").out == "There is no audience yet.\n"
    assert lzsyncd("audiences", "--json").out == "[]\n"


def test_members_and_what_the_last_run_moved_are_shown(before, lzsyncd):
    configured(before)
    told = json.loads(lzsyncd("sync", "acme", "--from", "export", "--json").out)
    assert told["learning"] == {"joined": 3, "left": 0, "assigned": 3, "unassigned": 0}
    (row,) = json.loads(lzsyncd("audiences", "--json").out)
    assert row == {"audience": "Operations", "frozen": False, "members": 3, "assigned": 3, "joined": 3, "left": 0}
    assert "Operations        3         3       3     0" in lzsyncd("audiences").out
    assert "3 joined, 3 assigned" in lzsyncd("status").out
    assert "Operations       3     0         3           0" in lzsyncd("show").out


def test_a_dry_run_says_who_would_move_and_why_and_changes_nothing(after, lzsyncd):
    configured(after)
    for _ in range(2):
        outcome = lzsyncd("audiences", "--dry-run")
        assert "Operations  E1002     joined  org under OPS (OPS-NIGHT)" in outcome.out
    assert lzsyncd("audiences").out == "There is no audience yet.\n"
    configured(after, AUDIENCE.replace("Operations", "Nobody").replace("OPS", "GONE"))
    told = json.loads(lzsyncd("audiences", "--dry-run", "--json").out)
    assert told["findings"] == [{"code": "audience.broken", "audience": "Nobody"}]
    assert {one["action"] for one in told["people"]} == {"joined"}
    assert "Nobody: audience.broken. Correct the rule" in lzsyncd("audiences", "--dry-run").out


def test_rules_of_a_file_are_tried_whether_they_name_the_site_or_not(after, lzsyncd):
    (after.folder / "other.toml").write_text(AUDIENCE, encoding="utf-8")
    at_the_top = lzsyncd("audiences", "--rules", "rules.toml")
    assert at_the_top.out == lzsyncd("audiences", "--rules", "other.toml").out
    assert "joined" in at_the_top.out


def test_a_file_without_audiences_or_with_mistakes_is_refused(after, lzsyncd):
    (after.folder / "other.toml").write_text("[sites.other]\n", encoding="utf-8")
    outcome = lzsyncd("audiences", "--rules", "other.toml")
    assert (outcome.code, "there is no audience" in outcome.err) == (78, True)
    (after.folder / "other.toml").write_text('[[audiences]]\nname = "A"\nrules = [{ field = "orgg", is = "X" }]\n')
    outcome = lzsyncd("audiences", "--rules", "other.toml")
    assert "other.toml:3: audiences[0].rules[0].field" in outcome.err
    assert 'did you mean "org"?' in outcome.err


def test_a_history_has_what_somebody_joined_and_left_and_why(before, lzsyncd):
    configured(before)
    lzsyncd("sync", "acme", "--from", "export")
    steps = json.loads(lzsyncd("history", "user", "E1002", "--json").out)
    assert steps[-1]["action"] == "joined"
    assert steps[-1]["after"] == {"audience": "Operations", "reason": "org under OPS (OPS-NIGHT)"}
    run = json.loads(lzsyncd("show", "--json").out)["run"]
    lzsyncd("undo", run)
    last = json.loads(lzsyncd("history", "user", "E1002", "--json").out)[-1]
    assert (last["action"], last["after"]) == ("left", {"reason": f"undo of run {run}"})


def test_nothing_that_moves_is_told_in_one_sentence(before, lzsyncd):
    configured(before)
    lzsyncd("sync", "acme", "--from", "export")
    assert lzsyncd("audiences", "--dry-run").out == "The rules would move nobody.\n"
