"""`lzsyncd sync --dry-run` shows the plan: by unit, and who, before and after."""

import json

import pytest

UNITS = "idnumber,fullname,parentidnumber\nA,Acme,\nN,North,A\nS,South,A\n"
PEOPLE = "idnumber,username,firstname,lastname,email,orgidnumber\n"


@pytest.fixture
def divisions(before):
    """A site with two divisions, of which the next set moves one person to the other and loses one."""
    for name, units, people in (
        ("one", UNITS, (("1", "N"), ("2", "N"), ("3", "S"), ("4", ""))),
        ("two", UNITS + "W,West,A\n", (("1", "N"), ("2", "S"), ("4", ""), ("5", "W"))),
    ):
        folder = before.folder / name
        folder.mkdir()
        (folder / "org.csv").write_text(units)
        rows = [f"{key},u{key},Ann,Lee,u{key}@a.test,{unit}" for key, unit in people]
        (folder / "user.csv").write_text(PEOPLE + "\n".join(rows) + "\n")
    before.config.write_text(
        f'[daemon]\ndata_dir = "{before.folder}/data"\n[sites.two]\n[sites.two.pos]\nenabled = false\n'
    )
    return before


@pytest.mark.usefixtures("divisions")
def test_it_shows_what_happens_in_each_division_and_to_whom(lzsyncd):
    lzsyncd("sync", "--from", "one/")
    told = json.loads(lzsyncd("sync", "--from", "two/", "--dry-run", "--json", "--limit", "0").out)
    units = {(row["element"], row["unit"]): row for row in told["units"]}
    assert {key: sum(n for n in row.values() if isinstance(n, int)) for key, row in units.items()} == {
        ("org", "W"): 1,
        ("user", "North (N)"): 2,  # changed, and moved
        ("user", "South (S)"): 1,
        ("user", "W"): 1,
    }
    assert (units["user", "North (N)"]["moved"], units["user", "South (S)"]["removed"]) == (1, 1)
    assert [(c["idnumber"], c["action"]) for c in told["changes"]] == [
        ("W", "created"),
        ("5", "created"),
        ("2", "updated"),
        ("3", "removed"),
    ]
    assert told["changes"][2]["before"] == {"orgidnumber": "N"}
    assert told["changes"][2]["after"] == {"orgidnumber": "S"}
    assert told["more"] == {}


@pytest.mark.usefixtures("divisions")
def test_a_few_of_each_element_are_shown_and_how_many_more_there_are(lzsyncd):
    outcome = lzsyncd("sync", "--from", "one/", "--dry-run", "--limit", "1")
    assert outcome.code == 0
    assert [line.split()[:3] for line in outcome.out.splitlines() if " created " in line and "fullname" in line] == [
        ["org", "A", "created"]
    ]
    assert "… and 2 more of org.csv; --limit 0 shows all." in outcome.out
    assert "… and 3 more of user.csv; --limit 0 shows all." in outcome.out
    assert "more of" not in lzsyncd("sync", "--from", "one/", "--dry-run").out


@pytest.mark.usefixtures("divisions")
def test_where_nothing_would_change_nobody_is_shown(lzsyncd):
    lzsyncd("sync", "--from", "one/")
    shown = lzsyncd("sync", "--from", "one/", "--dry-run").out
    assert shown.endswith("\nNo findings.\n")


@pytest.mark.usefixtures("divisions")
def test_a_program_is_told_no_value_unless_it_asks_for_them(lzsyncd):
    assert "changes" not in json.loads(lzsyncd("sync", "--from", "one/", "--dry-run", "--json").out)
    outcome = lzsyncd("sync", "--from", "one/", "--limit", "3")
    assert (outcome.code, outcome.out) == (2, "")
    assert "--limit is for a dry run" in outcome.err


@pytest.mark.usefixtures("before")
def test_a_dry_run_of_the_inbox_shows_it_too(lzsyncd):
    shown = lzsyncd("sync", "--dry-run").out
    assert "London" in shown
    assert "Cambridge" in shown
