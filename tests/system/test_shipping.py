"""The configurations in etc/shippers, with the real programs: every line becomes fields, none is lost or unparsed."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from lzsyncd.logline import MAX_LINE, as_json

ROOT = Path(__file__).parents[2]
SHIPPERS = ROOT / "etc" / "shippers"
PATIENCE = 30.0  # seconds
RSYSLOG = shutil.which("rsyslogd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def events(number: int, letter: str) -> list[dict[str, Any]]:
    """Events of all types, one as long as may be, with what a reader of lines or JSON could stumble over."""
    odd = ["x" * 40_000, "two\nlines\ttab \\ \"quoted\" 'single' %s {} \x00\x1b", "Zoë 😀 漢字 \ud83d", ""]
    about = {"site": "acme", "findings.by_code": {"user.email.invalid": 3, "key.missing": 1}, "rows.read": 5012}
    made = [{"message": f"{letter}{place} {odd[place % 4]}", "log.level": "info", **about} for place in range(number)]
    told = [json.loads(as_json({**one, "ecs.version": "8.11.0", "error.stack_trace": "a\n  b\n"})) for one in made]
    assert max(len(json.dumps(one, ensure_ascii=False).encode()) for one in told) > MAX_LINE - 8_200
    return told


def written(told: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in told)


@contextmanager
def rsyslog(folder: Path) -> Iterator[Path]:
    """rsyslogd with the configuration as it is shipped, but for the places of its files."""
    assert RSYSLOG, "apt-get install rsyslog"
    text = (SHIPPERS / "rsyslog-file.conf").read_text(encoding="utf-8").replace("/var/log/", f"{folder}/")
    config = folder / "rsyslog.conf"
    config.write_text(text.replace("global(", f'global(workDirectory="{folder}" ', 1))
    checked = subprocess.run([RSYSLOG, "-N1", "-f", config], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "error" not in checked.stderr.lower()
    with subprocess.Popen([RSYSLOG, "-n", "-f", config, "-i", folder / "pid"]) as child:
        try:
            yield folder / "lzsyncd-events.json"
        finally:
            child.terminate()


def test_rsyslog_makes_fields_of_every_line_of_the_file(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("rsyslog changes its rights at the start, which takes root's.")
    log = tmp_path / "lzsyncd" / "lzsyncd.jsonl"
    log.parent.mkdir()
    first, second, third = (events(8, letter) for letter in "abc")
    log.write_text(written(first))
    with rsyslog(tmp_path) as shipped:
        until(lambda: _lines(shipped) == 8)
        with log.open("a") as stream:
            stream.write(written(second) + "Fatal Python error: Aborted\n")
            log.rename(log.with_name("lzsyncd.jsonl.1"))
        log.write_text(written(third))
        unparsed = tmp_path / "lzsyncd-unparsed.log"
        until(lambda: (_lines(shipped), _lines(unparsed)) == (24, 1))
    told = [json.loads(line) for line in shipped.read_text(encoding="utf-8").splitlines()]
    assert sorted(told, key=_message) == sorted(first + second + third, key=_message)
    assert unparsed.read_text().strip() == "Fatal Python error: Aborted"


def _message(event: dict[str, Any]) -> str:
    return str(event["message"])


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_what_vector_is_given_leads_from_a_source_to_a_sink() -> None:
    """All that can be said without the program."""
    given = yaml.safe_load((SHIPPERS / "vector.yaml").read_text(encoding="utf-8"))
    outputs = set(given["sources"]) | set(given["transforms"])
    outputs |= {f"{name}.dropped" for name, about in given["transforms"].items() if about["reroute_dropped"]}
    inputs = [name for kind in ("transforms", "sinks") for about in given[kind].values() for name in about["inputs"]]
    assert set(inputs) == outputs


def test_what_filebeat_is_given_has_an_input_and_an_output() -> None:
    given = yaml.safe_load((SHIPPERS / "filebeat.yml").read_text(encoding="utf-8"))
    ((parser,),) = [about["parsers"] for about in given["filebeat.inputs"]]
    assert set(parser["ndjson"]) == {"target", "overwrite_keys", "expand_keys", "add_error_key"}
    assert given["output.console"] == {"enabled": True}


@pytest.mark.parametrize("path", sorted(SHIPPERS.iterdir()), ids=lambda path: path.name)
def test_what_is_not_tried_says_so(path: Path) -> None:
    head = path.read_text(encoding="utf-8").split("\n\n")[0]
    assert ("NOT TRIED" in head) is not path.name.startswith("rsyslog")
    assert "lzsyncd" in head
