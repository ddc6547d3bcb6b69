"""docs/commands.md says what there is, and every example in it and in the help does what it shows."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from lzsyncd.cli.app import app
from lzsyncd.errors import ExitCode

DOCUMENT = Path(__file__).parents[2] / "docs" / "commands.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
RUN_ID = re.compile(r"\b\d{8}T\d{9}-[0-9a-f]{8}\b")
SHOWN_RUN = "20261122T020000412-5f0c9d1e"


# They change the machine they run on, or do not end: tests/system has their examples on one of its own.
# tests/cli/test_logbook.py has a log to read, tests/report/test_commands.py a mail server, tests/system/test_remote.py
# a remote one.
NOT_HERE = ("fetch", "install", "logs", "mail-test", "run", "site add", "uninstall", "web")


def commands_of(group, above=""):
    """Every command by the words that name it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands_of(command, f"{above}{name} ")
        else:
            yield f"{above}{name}", command


COMMANDS = dict(commands_of(get_command(app)))


def examples_of(command):
    return re.findall(r"^  (lzsyncd .*)$", command.epilog or "", re.MULTILINE)


HELP_EXAMPLES = sorted(
    {example for name, command in COMMANDS.items() if name not in NOT_HERE for example in examples_of(command)}
)


def options_of(command):
    return {name for parameter in command.params for name in parameter.opts if name.startswith("-")} - {"--help", "-h"}


BLOCKS = [
    block
    for name, text in SECTIONS.items()
    if name not in NOT_HERE
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
]


def test_every_command_has_a_section_and_every_section_a_command():
    assert set(SECTIONS) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_in_the_section_of_its_command(name):
    assert set(re.findall(r"^\| `(--[a-z-]+)`", SECTIONS[name], re.MULTILINE)) == options_of(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_is_in_the_section_of_its_command(name):
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "argument" and name != "history":
            assert (parameter.metavar or parameter.name.upper()) in SECTIONS[name]


def test_the_global_options_are_documented():
    for name in options_of(get_command(app)):
        assert f"| `{name}`" in TEXT


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_in_its_help_and_in_the_document(name):
    assert examples_of(COMMANDS[name])
    assert re.search(rf"^\$ lzsyncd (--config \S+ )?{name}\b", SECTIONS[name], re.MULTILINE)


def test_every_exit_code_is_documented():
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", TEXT, re.MULTILINE)} == {*ExitCode, 130}


def place_for(text, request):
    """Where an example is tried."""
    deciding = re.search(r"lzsyncd (approve|discard)", text)
    return request.getfixturevalue("held" if deciding else "before" if "lzsyncd sync" in text else "after")


@pytest.mark.parametrize("example", HELP_EXAMPLES)
def test_the_examples_in_the_help_run(example, request, lzsyncd):
    after = place_for(example.replace("lzsyncd sync", ""), request)
    with_somebody(example, lzsyncd)
    outcome = lzsyncd(*arguments_of(example, after.run))
    assert outcome.code in (0, 10), outcome.err
    assert outcome.out or "--quiet" in example


@pytest.mark.parametrize("block", BLOCKS)
def test_the_examples_in_the_document_run_and_print_what_they_show(block, request, lzsyncd):
    place = place_for(block, request)
    run = place.run
    for line, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
        with_somebody(line, lzsyncd)
        outcome = lzsyncd(*arguments_of(line, run))
        assert outcome.code in (0, 10), outcome.err
        if shown:
            assert as_shown(outcome.out, place) == shown


def with_somebody(line: str, lzsyncd) -> None:
    """Whom an example takes for granted."""
    if match := re.search(r"(web-user) (?:disable|password) (\S+)|(web-token) revoke (\S+)", line):
        group, name = filter(None, match.groups())
        assert lzsyncd(group, "add", name).code == 0


def arguments_of(line: str, run: str) -> list[str]:
    line = line.replace(SHOWN_RUN, run).replace(SHOWN_RUN[-8:], run[-8:])
    return shlex.split(line)[1:]


def as_shown(text: str, place) -> str:
    return RUN_ID.sub(SHOWN_RUN, text).replace(str(place.folder / "data"), "/srv/lzsyncd")
