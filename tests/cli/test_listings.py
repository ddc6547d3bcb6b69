"""`runs`, `show`, `errors`, `changes`, `history`: which run they speak of, and what they show."""

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lzsyncd.__main__ import main
from lzsyncd.cli.output import MEASURED, number, plain_table, visible, whole
from lzsyncd.config import load
from lzsyncd.sync.run import Options, sync_folder

ROOT = Path(__file__).parents[2]
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self):
        return True


@pytest.fixture
def on_a_terminal(monkeypatch):
    """Runs a command whose output a terminal shows; returns what is seen."""

    def run(*arguments, columns=100, **settings):
        shown = Terminal()
        with monkeypatch.context() as patch:
            patch.delenv("NO_COLOR", raising=False)
            for name, value in ({"TERM": "xterm-256color", "COLUMNS": str(columns)} | settings).items():
                patch.setenv(name, value)
            patch.setattr("sys.stdout", shown)
            patch.setattr("sys.stderr", shown)
            main([*arguments])
        return shown.getvalue()

    return run


def on_a_real_terminal(*arguments):
    """What the real program shows on a terminal of its own."""
    reader, writer = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "100"}
    command = [sys.executable, "-m", "lzsyncd", *arguments]
    with subprocess.Popen(command, stdin=writer, stdout=writer, stderr=writer, env=environment):
        os.close(writer)
        shown = b""
        while block := _read(reader):
            shown += block
    os.close(reader)
    return shown.decode()


def _read(reader):
    try:
        return os.read(reader, 65536)
    except OSError:  # EIO: the other side was closed
        return b""


# -- which run


def test_without_a_run_the_last_one_is_meant(after, lzsyncd):
    assert json.loads(lzsyncd("show", "--json").out)["run"] == after.run


@pytest.mark.parametrize("part", [slice(None), slice(0, 19), slice(-8, None)])
def test_a_run_is_named_by_its_id_or_by_how_it_begins_or_ends(part, after, lzsyncd):
    assert json.loads(lzsyncd("show", after.run[part], "--json").out)["run"] == after.run


def test_a_name_that_fits_several_runs_is_refused_with_the_list(after, lzsyncd):
    outcome = lzsyncd("show", after.run[:4])
    assert outcome.code == 2
    assert after.run in outcome.err


@pytest.fixture
def two_sites(after):
    """A second site, with one run of its own."""
    with after.config.open("a") as stream:
        stream.write("[sites.beta]\n")
    (result,) = sync_folder(load(after.config).sites["beta"], after.folder / "first", Options())
    return result.run


def test_the_site_of_a_run_is_found_by_its_id(two_sites, after, lzsyncd):
    assert json.loads(lzsyncd("show", two_sites, "--json").out)["site"] == "beta"
    assert json.loads(lzsyncd("show", after.run, "--json").out)["site"] == "acme"
    assert lzsyncd("show", two_sites, "--site", "acme").code == 2


@pytest.mark.usefixtures("two_sites")
@pytest.mark.parametrize(
    "arguments", [["errors"], ["changes"], ["show"], ["history", "user", "E1001"], ["sync", "--from", "first/"]]
)
def test_where_there_are_several_sites_one_has_to_be_named(arguments, lzsyncd):
    outcome = lzsyncd(*arguments)
    assert (outcome.code, outcome.err) == (2, "lzsyncd: Which site? Name one of these: acme, beta.\n")


def test_runs_of_all_sites_come_newest_first(two_sites, after, lzsyncd):
    told = json.loads(lzsyncd("runs", "--json").out)
    assert [run["site"] for run in told] == ["beta", "acme", "acme"]
    assert [run["run"] for run in told][:2] == [two_sites, after.run]
    assert [run["site"] for run in json.loads(lzsyncd("runs", "--json", "--limit", "1").out)] == ["beta"]
    assert "site" in lzsyncd("runs").out.split()


def test_a_question_makes_no_database(tmp_path, lzsyncd):
    (tmp_path / "lzsyncd.toml").write_text(f'[daemon]\ndata_dir = "{tmp_path}/data"\n[sites.acme]')
    where = ("--config", str(tmp_path / "lzsyncd.toml"))
    for command in (["errors"], ["show"], ["history", "user", "E1"]):
        outcome = lzsyncd(*where, *command)
        assert (outcome.code, outcome.err) == (2, "lzsyncd: Site acme has no run yet.\n")
    assert lzsyncd(*where, "runs").out == "There is no run yet.\n"
    assert lzsyncd(*where, "runs", "--json").out == "[]\n"
    assert not (tmp_path / "data").exists()


def test_migrate_makes_the_database_and_says_what_it_did(tmp_path, lzsyncd):
    (tmp_path / "lzsyncd.toml").write_text(f'[daemon]\ndata_dir = "{tmp_path}/data"\n[sites.acme]')
    where = ("--config", str(tmp_path / "lzsyncd.toml"))
    (told,) = json.loads(lzsyncd(*where, "migrate", "--json").out)
    assert told["site"] == "acme"
    assert told["applied"][0] == "0001_first_schema"
    assert lzsyncd(*where, "migrate", "acme").out == "acme: up to date already\n"


# -- what they show


@pytest.mark.usefixtures("after")
def test_errors_have_the_columns_of_the_error_table(lzsyncd):
    (error,) = json.loads(lzsyncd("errors", "--json").out)
    assert " ".join(error) == (
        "id run_id element file line record idnumber column_name code severity message value caused_by created_at"
    )
    assert (error["file"], error["line"], error["value"]) == ("user.csv", 5, "katherine")


@pytest.mark.usefixtures("after")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--code", "user.email.invalid"], 1),
        (["--code", "user.email"], 1),
        (["--code", "user"], 1),
        (["--code", "value"], 0),
        (["--element", "user"], 1),
        (["--element", "org"], 0),
    ],
)
def test_errors_are_chosen_by_code_and_element(options, expected, lzsyncd):
    assert len(json.loads(lzsyncd("errors", *options, "--json").out)) == expected


@pytest.mark.usefixtures("after")
def test_a_finding_that_follows_from_another_names_the_line_of_its_cause(after, lzsyncd):
    rows = [
        "idnumber,fullname,parentidnumber",
        "ACME,A,",
        "OPS,O,NOWHERE",
        "OPS-NIGHT,N,ACME",
        "NEW,N,OPS2",
        "OPS2,O,GONE",
    ]
    (after.folder / "export" / "org.csv").write_text("\n".join(rows))
    lzsyncd("sync", "--from", "export/")
    followed = next(line for line in lzsyncd("errors").out.splitlines() if "org.csv:5" in line.split())
    assert "org.csv:6" in followed


@pytest.mark.usefixtures("after")
def test_changes_are_chosen_by_element_action_and_field(lzsyncd):
    def changed(*options):
        return [(c["idnumber"], *c["after"]) for c in json.loads(lzsyncd("changes", *options, "--json").out)]

    assert changed() == [("E1001", "city"), ("E1002", "manageridnumber")]
    assert changed("--field", "city") == [("E1001", "city")]
    assert changed("--action", "updated", "--element", "user", "--limit", "1") == [("E1001", "city")]
    assert changed("--action", "removed") == changed("--element", "org") == []


@pytest.mark.usefixtures("after")
def test_history_tells_every_change_of_one_record(lzsyncd):
    created, updated = json.loads(lzsyncd("history", "user", "E1001", "--json").out)
    assert (created["action"], created["before"], created["after"]["city"]) == ("created", {}, "London")
    assert (updated["before"], updated["after"]) == ({"city": "London"}, {"city": "Cambridge"})
    assert updated["finished_at"] > created["finished_at"]


@pytest.mark.usefixtures("after")
def test_what_is_not_there_is_told_in_a_sentence(lzsyncd):
    assert lzsyncd("changes", "--action", "removed").out.endswith("made no such changes.\n")
    assert lzsyncd("errors", "--code", "value").out.endswith("has no such findings.\n")


# -- how


@pytest.mark.usefixtures("after")
def test_on_a_terminal_findings_are_blocks_in_colour(on_a_terminal):
    shown = on_a_terminal("errors")
    assert "\x1b[31merror" in shown
    assert re.search(r"user.csv:5.*user.email.invalid.*\n {4}“katherine” is not an e-mail address", shown)


@pytest.mark.usefixtures("after")
@pytest.mark.parametrize("settings", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_is_left_out_where_it_is_not_wanted(settings, on_a_terminal):
    shown = on_a_terminal("errors", **settings)
    assert "katherine" in shown
    assert not COLOUR.search(shown)


@pytest.mark.parametrize("columns", [200, 100, 80, 40])
def test_no_table_is_cut_off_on_a_narrow_terminal(columns, after, on_a_terminal):
    shown = on_a_terminal("show", columns=columns)
    assert after.run in shown
    for word in ("unchanged", "warnings", "user.email.invalid", "user.csv:5"):
        assert word in shown


@pytest.mark.usefixtures("before")
def test_a_sync_shows_a_bar_on_a_terminal_and_no_log():
    shown = on_a_real_terminal("sync", "--from", "export/")
    assert "━" in shown
    assert "The set was applied." in shown
    assert "run_started" not in shown


@pytest.mark.usefixtures("before")
def test_with_level_debug_a_terminal_gets_the_log_as_text(before, on_a_terminal):
    with before.config.open("a") as stream:
        stream.write('[log]\nlevel = "debug"\n')
    shown = on_a_terminal("sync", "--from", "export/", columns=1000)
    assert re.search(r"info +The run has started\..*event.action=run_started", shown)


def test_changes_and_history_are_blocks_on_a_terminal(after, on_a_terminal):
    assert re.search(r"updated.*user.*E1001.*\n {4}city: London → Cambridge", on_a_terminal("changes"))
    shown = on_a_terminal("history", "user", "E1001")
    assert re.search(rf"created.*user.csv:3.*\n {{4}}username: ada.lovelace(?s:.*)updated.*{after.run}", shown)


@pytest.mark.usefixtures("after")
def test_a_long_listing_ends_after_fifty_on_a_terminal_and_never_elsewhere(after, lzsyncd, on_a_terminal):
    with (after.folder / "export" / "user.csv").open("a") as stream:
        stream.writelines(f"X{number},,Nobody\r\n" for number in range(60))
    lzsyncd("sync", "--from", "export/")
    shown = on_a_terminal("errors")
    assert shown.count("record.columns") == 50 - 1  # the first is `user.email.invalid`
    assert "more than these 50" in shown
    assert lzsyncd("errors").out.count("record.columns") == 60


def test_a_plain_table_is_aligned_whole_and_one_line_a_row():
    rows = [("a\nb", 7), ("日本", 1234), ("x" * 300, 0), ("\x1b[31m", 1)]
    lines = list(plain_table([whole("name"), number("n")], rows))
    assert lines[1].startswith("a\\nb ")
    assert len({len(line) + line.count("日") + line.count("本") for line in lines}) == 1
    assert "x" * 300 in lines[3]
    assert "\x1b" not in lines[4]


def test_a_plain_table_streams():
    def endless():
        while True:
            yield ("a", 1)

    lines = plain_table([whole("name"), number("n")], endless())
    assert [next(lines) for _ in range(MEASURED + 10)][-1] == "a     1"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë\u00a0Ng\u200d", "Zoë\u00a0Ng\u200d"),
        ("a\nb", "a\\nb"),
        ("\x1b[2Ja\x9b", "\ufffd[2Ja\ufffd"),
        ("\u202egnp.exe", "\ufffdgnp.exe"),
    ],
)
def test_a_value_can_not_move_the_cursor(text, shown):
    assert visible(text, line_break="\\n") == shown


def test_every_listing_works_on_either_database(before, database, lzsyncd):
    place = before.folder / "data" / "other"
    url = database(place)
    before.config.write_text(f'[daemon]\ndata_dir = "{before.folder}/data"\n[sites.other]\ndatabase = "{url}"\n')
    assert lzsyncd("sync", "--from", "first/").code == 0
    assert lzsyncd("sync", "--from", "export/").code == 10
    assert [run["status"] for run in json.loads(lzsyncd("runs", "--json").out)] == ["applied", "applied"]
    assert json.loads(lzsyncd("show", "--json").out)["findings"] == {"user.email.invalid": 1}
    assert [error["line"] for error in json.loads(lzsyncd("errors", "--code", "user.email", "--json").out)] == [5]
    assert [change["idnumber"] for change in json.loads(lzsyncd("changes", "--json").out)] == ["E1001", "E1002"]
    assert len(json.loads(lzsyncd("history", "user", "E1001", "--json").out)) == 2
    assert "user.email.invalid" in lzsyncd("show").out
