"""`lzsyncd logs`: the log read back for people, from its file."""

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from lzsyncd.cli import logbook
from lzsyncd.cli.app import app
from lzsyncd.errors import ExitCode, Usage

NOW = datetime.now(UTC)


def event(message: str, *, level: str = "info", ago: timedelta = timedelta(), **more: Any) -> str:
    at = (NOW - ago).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    known = {"@timestamp": at, "log.level": level, "message": message, "ecs.version": "8.11.0"}
    return json.dumps({**known, "service.name": "lzsyncd", "process.pid": 7, **more}) + "\n"


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log of two sites, today's and the days' before."""
    folder = tmp_path / "log"
    folder.mkdir()
    config = tmp_path / "lzsyncd.toml"
    config.write_text(
        f'[daemon]\ndata_dir = "{tmp_path}"\n[log]\nfile = "{folder}/lzsyncd.jsonl"\n[sites.acme]\n[sites.other]\n'
    )
    monkeypatch.setenv("LZSYNCD_CONFIG", str(config))
    with gzip.open(folder / "lzsyncd.jsonl.2.gz", "wt") as stream:
        stream.write(event("The oldest.", ago=timedelta(days=9)))
    os.utime(folder / "lzsyncd.jsonl.2.gz", times=(NOW.timestamp() - 8 * 86_400,) * 2)
    (folder / "lzsyncd.jsonl.1").write_text(event("The day before.", ago=timedelta(days=1)))
    os.utime(folder / "lzsyncd.jsonl.1", times=(NOW.timestamp() - 80_000,) * 2)
    path = folder / "lzsyncd.jsonl"
    path.write_text(
        event(
            "A run.", site="acme", **{"run.id": "20261122T020000412-5f0c9d1e", "findings.by_code": {"key.missing": 2}}
        )
        + event("Bad.", level="error", site="other", **{"error.stack_trace": "  line 1\n  line 2\nValueError"})
        + "Fatal Python error: Aborted\n"
    )
    return path


@pytest.mark.usefixtures("log")
def test_people_read_when_how_bad_and_what_oldest_first(lzsyncd: Callable[..., Any]) -> None:
    lines = lzsyncd("logs").out.splitlines()
    told = ["The oldest.", "The day before.", "A run.", "Bad."]
    assert [text for text, line in zip(told, lines) if text in line] == told
    assert lines[2].startswith(f"{NOW:%Y-%m-%d %H:%M:%S}Z info ")
    assert lines[2].endswith("site=acme run.id=20261122T020000412-5f0c9d1e findings.by_code=key.missing:2")
    assert lines[4:] == ["  line 1", "  line 2", "ValueError", "Fatal Python error: Aborted"]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("--site", "acme"), ["A run."]),
        (("--run", "5f0c9d1e"), ["A run."]),
        (("--run", "20261122"), ["A run."]),
        (("--level", "warning"), ["Bad."]),
        (("--since", "2h"), ["A run.", "Bad."]),
        (("--since", f"{NOW - timedelta(days=2):%Y-%m-%d}"), ["The day before.", "A run.", "Bad."]),
        (("--limit", "1", "--level", "info"), ["Bad."]),
        (("--site", "acme", "--level", "error"), []),
    ],
)
def test_json_passes_on_what_is_asked_for_line_by_line(
    log: Path, lzsyncd: Callable[..., Any], words: tuple[str, ...], shown: list[str]
) -> None:
    told = lzsyncd("logs", "--json", *words)
    assert (told.code, told.err) == (0, "")
    assert [json.loads(line)["message"] for line in told.out.splitlines()] == shown
    assert all(f"{line}\n" in log.read_text() for line in told.out.splitlines()[1:])


def test_what_is_no_event_moves_no_cursor(log: Path, lzsyncd: Callable[..., Any]) -> None:
    log.write_text('\x1b[2Jgone\n{"@timestamp": 7}\n[[[\n' + event("\x1b[31mred", **{"labels.x": "\x07", "odd": [1]}))
    shown = lzsyncd("logs", "--since", "").out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "labels.odd=[1]" in shown


def test_what_can_not_be_is_said(log: Path, lzsyncd: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert lzsyncd("logs", "--since", "soon").code == ExitCode.USAGE
    assert lzsyncd("logs", "--site", "nobody").code == ExitCode.USAGE
    log.unlink()
    told = lzsyncd("logs")
    assert (told.code, told.out) == (ExitCode.USAGE, "")
    assert "There is no log in" in told.err
    config = Path(os.environ["LZSYNCD_CONFIG"])
    config.write_text("[sites.acme]\n")
    monkeypatch.setenv("PATH", "")
    assert "There is no journal on this machine" in lzsyncd("logs").err


@pytest.mark.parametrize(
    ("told", "code", "said"),
    [
        ("No journal files were opened due to insufficient permissions.", 77, "systemd-journal"),
        ("Failed to open files: Input/output error", 1, "Input/output error"),
    ],
)
def test_why_the_journal_can_not_be_read_is_said(
    log: Path, lzsyncd: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, told: str, code: int, said: str
) -> None:
    stand_in(log, monkeypatch, f"echo '{told}' >&2; exit 1")
    ended = lzsyncd("logs")
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err


def test_the_journal_is_asked_for_the_services_own_lines(
    log: Path, lzsyncd: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """tests/system/test_shipping.py asks a real one."""
    stand_in(log, monkeypatch, 'for word in "$@"; do echo "$word"; done')
    plain = lzsyncd("logs").out.splitlines()
    assert {"_SYSTEMD_UNIT=lzsyncd.service", "--output=cat", "--all"} <= set(plain)
    assert "--follow" not in plain


def stand_in(log: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A journal that says what a machine without one can't."""
    Path(os.environ["LZSYNCD_CONFIG"]).write_text("[sites.acme]\n")
    program = log.parent / "journalctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(log.parent), prepend=os.pathsep)


def test_following_goes_on_in_the_new_file_after_logrotate(log: Path) -> None:
    words = [sys.executable, "-m", "lzsyncd", "logs", "--follow", "--json", "--limit", "1"]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    try:
        assert json.loads(child.stdout.readline())["message"] == "Bad."
        with log.open("a") as stream:
            stream.write(event("Before."))
            log.rename(log.with_name("lzsyncd.jsonl.0"))
            stream.write(event("Late."))
        log.write_text(event("After."))
        assert [json.loads(child.stdout.readline())["message"] for _ in range(3)] == ["Before.", "Late.", "After."]
    finally:
        child.terminate()
        child.communicate()


def test_a_time_is_read_as_people_write_it() -> None:
    now = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
    local = now.astimezone()
    assert logbook.moment("90m", now) == now - timedelta(minutes=90)
    assert logbook.moment("yesterday", now).date() == local.date() - timedelta(days=1)
    assert logbook.moment("2026-11-28T09:00:00Z", now) == now.replace(minute=0)
    assert logbook.moment("2026-11-28 09:00", now).hour == 9
    with pytest.raises(Usage):
        logbook.moment("28.11.", now)


@pytest.mark.usefixtures("log")
def test_the_examples_run(lzsyncd: Callable[..., Any]) -> None:
    command = get_command(app).commands["logs"]
    examples = re.findall(r"^  lzsyncd (.*)$", command.epilog, re.MULTILINE)
    document = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    examples += re.findall(r"^\$ lzsyncd (logs.*)$", document, re.MULTILINE)
    assert len(examples) > 5
    for example in examples:
        if "--follow" not in example:
            assert lzsyncd(*example.split()).code == 0
