"""Every way a command may end: a sentence and an exit code, never a traceback."""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from lzsyncd import __version__
from lzsyncd.zone.database import Database

PROGRAM = [sys.executable, "-m", "lzsyncd"]
ROOT = Path(__file__).parents[2]


def started(*arguments, **settings):
    """The real program, in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | settings
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, check=False, env=environment)


def test_the_program_runs_as_a_module():
    outcome = started("--version")
    assert (outcome.returncode, outcome.stdout) == (0, f"lzsyncd {__version__}\n")


def test_without_a_command_it_explains_itself(lzsyncd):
    outcome = lzsyncd()
    assert outcome.code == 2
    assert "Commands:" in outcome.out


def test_help_and_completion_load_neither_engine_nor_libraries():
    heavy = ["peewee", "rich", "structlog", "lzsyncd.config", "lzsyncd.sync"]
    loaded = f"print([name for name in {heavy} if name in sys.modules])"
    program = f"import sys, lzsyncd.__main__ as m; m.main(['sync', '--help']); {loaded}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    outcome = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    assert outcome.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sycn"], "Did you mean 'sync'?"),
        (["check"], "Missing argument 'DIR'"),
        (["runs", "--limit", "-1"], "--limit"),
        (["runs", "--no-such-option"], "--no-such-option"),
        (["errors", "--element", "people"], "'org', 'pos', 'user'"),
        (["sync", "acme", "--from", "nowhere/"], "There is no folder nowhere"),
        (["sync", "acme", "--from", "lzsyncd.toml"], "There is no folder lzsyncd.toml"),
        (["sync", "acmee", "--from", "export/"], "did you mean “acme”?"),
        (["errors", "--code", "user.emial"], 'did you mean "user.email'),
        (["show", "19991231"], "There is no run 19991231."),
        (["history", "user", "NOBODY"], "No run has changed a person with the idnumber “NOBODY”."),
        (["sample", "export/"], "nothing is overwritten"),
        (["demo", "--keep", "export/"], "name a new folder"),
    ],
)
@pytest.mark.usefixtures("after")
def test_wrong_usage_is_told_in_a_sentence_and_ends_with_2(arguments, told, lzsyncd):
    outcome = lzsyncd(*arguments)
    assert outcome.code == 2
    assert told in outcome.err
    assert outcome.out == ""


def test_a_folder_without_a_set_ends_with_40_and_names_near_misses(after, lzsyncd):
    folder = after.folder / "empty"
    folder.mkdir()
    (folder / "Users.csv").touch()
    for command in (["sync", "--from", str(folder)], ["check", str(folder)]):
        outcome = lzsyncd(*command)
        assert outcome.code == 40
        assert "Users.csv" in outcome.err


def test_everything_wrong_with_the_configuration_is_told_at_once(after, lzsyncd):
    after.config.write_text('[sites.acme]\ntimezone = "Europe/Londn"\nmising = 1\n')
    for command in ("check-config", "runs", "migrate"):
        outcome = lzsyncd(command)
        assert outcome.code == 78
        first, second = outcome.err.splitlines()
        assert first.startswith(f"{after.config}:2: sites.acme.timezone: ")
        assert second.startswith(f"{after.config}:3: sites.acme.mising: ")


def test_a_configuration_that_is_not_there_ends_with_78(tmp_path, lzsyncd):
    outcome = lzsyncd("--config", str(tmp_path / "none.toml"), "runs")
    assert (outcome.code, outcome.err) == (78, f"{tmp_path}/none.toml: can't be read: No such file or directory\n")


def test_a_configuration_without_sites_ends_with_78(tmp_path, lzsyncd):
    (tmp_path / "lzsyncd.toml").touch()
    outcome = lzsyncd("--config", str(tmp_path / "lzsyncd.toml"), "runs")
    assert outcome.code == 78
    assert "[sites.NAME]" in outcome.err


def test_a_site_that_is_being_synced_ends_with_75_and_names_the_run(before, lzsyncd):
    with closing(Database(before.site)) as other:
        other.lock("THE-OTHER-RUN")
        for command in (["sync", "--from", "export/"], ["migrate"]):
            outcome = lzsyncd(*command)
            assert outcome.code == 75
            assert "THE-OTHER-RUN" in outcome.err
    assert lzsyncd("sync", "--from", "export/").code == 10


def test_a_database_that_is_away_ends_with_75(before, lzsyncd):
    before.config.write_text('[sites.acme]\ndatabase = "postgresql://nobody@127.0.0.1:1/none?connect_timeout=2"\n')
    outcome = lzsyncd("runs")
    assert outcome.code == 75
    assert outcome.err == "lzsyncd: The database of site acme is not reachable.\n"


def raising(error):
    def fail(*_arguments, **_options):
        raise error

    return fail


@pytest.mark.usefixtures("before")
def test_an_error_nobody_foresaw_ends_with_1_and_tells_no_value(lzsyncd, monkeypatch):
    monkeypatch.setattr("lzsyncd.cli.running.sync_folder", raising(KeyError("Lovelace")))
    outcome = lzsyncd("sync", "--from", "export/")
    assert outcome.code == 1
    assert "Lovelace" not in outcome.err
    *lines, last = outcome.err.splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["event.action"] for event in events] == ["run_started", "run_finished", "command_failed"]
    assert events[1]["event.outcome"] == "failure"
    assert events[2]["error.type"] == "KeyError"
    assert "in fail" in events[2]["error.stack_trace"]
    assert last.startswith("lzsyncd: it failed with KeyError.")


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (PermissionError(13, "Permission denied", "/srv/x"), 77, "lzsyncd: Permission denied: /srv/x.\n"),
        (OSError(28, "No space left on device"), 1, "lzsyncd: No space left on device.\n"),
    ],
)
@pytest.mark.usefixtures("before")
def test_what_the_system_refuses_is_told_in_its_words(error, code, told, lzsyncd, monkeypatch):
    monkeypatch.setattr("lzsyncd.sync.check.find_sets", raising(error))
    outcome = lzsyncd("check", "export/")
    assert (outcome.code, outcome.err) == (code, told)


@pytest.mark.usefixtures("before")
def test_ctrl_c_ends_with_130(lzsyncd, monkeypatch):
    monkeypatch.setattr("lzsyncd.cli.running.sync_folder", raising(KeyboardInterrupt()))
    outcome = lzsyncd("sync", "--from", "export/")
    assert outcome.code == 130
    assert outcome.err.endswith("lzsyncd: interrupted.\n")


def piped_to_nobody(*arguments):
    """The real program, whose standard output nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    try:
        return subprocess.run(
            [*PROGRAM, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, check=False, env=environment
        )
    finally:
        os.close(writer)


def test_a_reader_that_went_away_is_no_error(after):
    outcome = piped_to_nobody("changes", after.run, "--json")
    assert (outcome.returncode, outcome.stderr) == (0, "")


@pytest.mark.usefixtures("before")
def test_a_sync_that_nobody_reads_keeps_its_exit_code():
    outcome = piped_to_nobody("sync", "--from", "export/")
    assert outcome.returncode == 10
    assert all(json.loads(line) for line in outcome.stderr.splitlines())


@pytest.mark.usefixtures("after")
def test_names_of_any_script_survive_a_terminal_that_knows_ascii_only():
    outcome = started("errors", PYTHONIOENCODING="ascii")
    assert outcome.returncode == 0
    assert "\\u201ckatherine\\u201d" in outcome.stdout
