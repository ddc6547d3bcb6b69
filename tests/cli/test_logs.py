"""The log: one line of JSON an event, known keys, no values, and it never fails."""

import contextlib
import io
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lzsyncd import logs
from lzsyncd.errors import TryAgain
from lzsyncd.logline import as_json, shaped
from lzsyncd.logs import ACTIONS, KEYS, MAX_LINE


@pytest.fixture
def log():
    """The log, and what it has written."""
    stream = io.StringIO()
    logs.configure(stream, pretty=False, level="debug")
    return logs.logger(), lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_a_line_that_begins_with_when_how_bad_and_what(log):
    logger, events = log
    logger.info("The run has started.", **{"event.action": "run_started", "site": "acme"})
    (event,) = events()
    assert list(event)[:4] == ["@timestamp", "log.level", "message", "ecs.version"]
    assert event["@timestamp"].endswith("Z")
    assert (event["log.level"], event["event.action"], event["site"]) == ("info", "run_started", "acme")


def test_an_unknown_key_becomes_a_label_and_so_does_a_value_of_another_type(log):
    logger, events = log
    logger.info("It is.", colour=7, **{"rows.read": "seven", "run.id": 8, "log.truncated": 1, "set.hash": None})
    (event,) = events()
    assert {key: event[key] for key in event if key.startswith("labels.")} == {
        "labels.colour": "7",
        "labels.rows.read": "seven",
        "labels.run.id": "8",
        "labels.log.truncated": "1",
    }
    assert "set.hash" not in event


def test_codes_are_counted_by_integers_and_only_the_most_frequent(log):
    logger, events = log
    logger.info("It is.", **{"findings.by_code": {f"code.{number}": number for number in range(100)}})
    found = events()[0]["findings.by_code"]
    assert len(found) == logs.MAX_CODES
    assert found["code.99"] == 99


@pytest.mark.parametrize("character", ["x", "é", "\n", '"', "😀", "@"])
def test_a_line_never_exceeds_16_kib(character, log):
    logger, events = log
    logger.info(character * 100_000, labels="y" * 100_000, **{f"key{n}": "z" * 50 for n in range(500)})
    logger.info(character * 100_000, **{"error.stack_trace": character * 100_000 + "the end"})
    first, second = events()
    for event in (first, second):
        assert event["log.truncated"] is True
        assert len(json.dumps(event, ensure_ascii=False).encode()) < MAX_LINE
    assert second["error.stack_trace"].endswith("the end")


def failing(secret):
    raise ValueError(f"no such person: {secret}")


def test_an_exception_is_one_text_without_values_and_local_variables(log):
    logger, events = log
    try:
        failing("Lovelace")
    except ValueError:
        logger.exception("It failed.")
    (event,) = events()
    assert event["error.type"] == "ValueError"
    assert "in failing" in event["error.stack_trace"]
    assert "Lovelace" not in json.dumps(
        {**event, "error.stack_trace": event["error.stack_trace"].replace('"Lovelace"', "")}
    )


def test_our_own_exceptions_say_their_sentence(log):
    logger, events = log
    logger.error("It failed.", exc_info=TryAgain("Another run holds the lock."))
    assert events()[0]["error.message"] == "Another run holds the lock."


def test_a_cause_is_told_with_its_frames(log):
    logger, events = log
    try:
        try:
            failing("x")
        except ValueError as error:
            raise KeyError from error
    except KeyError:
        logger.exception("It failed.")
    trace = events()[0]["error.stack_trace"]
    assert trace.index("ValueError") < trace.index("KeyError")


def test_libraries_log_through_the_same_renderer_from_warning_on(log):
    _, events = log
    logging.getLogger("peewee").debug("INSERT %s", "Lovelace")
    logging.getLogger("watchdog.observers").warning("overflow of %d", 3)
    try:
        failing("Lovelace")
    except ValueError:
        logging.getLogger("paramiko").exception("failed")
    first, second = events()
    assert (first["message"], first["log.logger"], first["log.level"]) == (
        "overflow of 3",
        "watchdog.observers",
        "warning",
    )
    assert second["error.type"] == "ValueError"
    assert "no such person" not in second["message"]


class Unprintable:
    def __str__(self):
        raise RuntimeError


def test_what_can_not_be_written_is_replaced_by_a_line_that_says_so(log):
    logger, events = log
    logger.info("It is.", thing=Unprintable())
    logging.getLogger("library").warning("%d", "no number")
    first, second = events()
    assert (first["message"], first["labels.thing"]) == ("It is.", "<Unprintable>")
    assert (second["event.action"], second["log.logger"]) == ("log_render_failed", "library")


def circle():
    """Everything that holds itself."""
    members = []
    members.append(members)
    table = {"members": members}
    table["table"] = table
    error = ValueError("x")
    other = KeyError("y")
    error.__cause__, other.__cause__ = other, error
    return {"members": members, "findings.by_code": table, "exc_info": error}


DEEP = eval("[" * 90 + "]" * 90)
for _ in range(20):
    DEEP = [DEEP, DEEP]


@pytest.mark.parametrize(
    "event",
    [
        circle(),
        {"event.duration": 10**6000, "findings.by_code": {"a": float("nan"), 7: 3, "b" * 10**6: 2, None: 10**30}},
        {"deep": DEEP[0][0][0][0][0][0][0][0][0][0]},
        {"bytes": b"\xff" * 10**6, "set": {1, 2}, "when": float("-inf"), "\ud800": "\udfff", "message": object()},
        {f"{number}" * 40: "😀" * 40 for number in range(600)},
    ],
    ids=["circles", "numbers", "depth", "types", "many"],
)
def test_whatever_an_event_holds_it_is_one_line_of_json_that_fits(event, log):
    logger, events = log
    logger.info("It is.", **{"site": "acme"} | event)
    (told,) = events()
    assert told["event.action"] if "event.action" in told else told["message"] or told["log.truncated"]
    line = json.dumps(told, ensure_ascii=False)
    assert len(line.encode()) < MAX_LINE
    assert "NaN" not in line
    for key, value in told.items():
        assert type(value) is (KEYS[key].type if key in KEYS else str)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@example({"0" * 120: []})
@given(st.dictionaries(st.sampled_from(sorted(KEYS)) | st.text(), ANYTHING))
def test_an_event_of_anything_has_keys_of_one_type(event):
    told = json.loads(as_json(event))
    assert list(told)[:4] == ["@timestamp", "log.level", "message", "ecs.version"]
    for key, value in told.items():
        assert type(value) is KEYS[key].type if key in KEYS else key.startswith("labels.")
        assert all(type(number) is int for number in value.values()) if key == "findings.by_code" else True
    assert shaped(told) == told, "read back it is the same"


def test_odd_texts_and_numbers_are_json_all_the_same(log):
    logger, events = log
    logger.info("half \ud83d of a pair", **{"event.duration": float("nan"), "rows.read": 2**80})
    (event,) = events()
    assert event["labels.event.duration"] == "nan"
    assert event["labels.rows.read"] == str(2**80), "more than 64 bits are no integer of an index"


def test_addresses_are_scrubbed_wherever_they_come_from(log):
    logger, events = log
    logger.info("Mail to ada@acme.test failed.", **{"error.message": "<grace@acme.co.test>"})
    (event,) = events()
    assert (event["message"], event["error.message"]) == ("Mail to [address] failed.", "<[address]>")


def test_less_than_the_level_is_left_out():
    stream = io.StringIO()
    logs.configure(stream, pretty=False, level="warning")
    logs.logger().info("No.")
    logs.logger().warning("Yes.")
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["Yes."]


def test_people_get_text():
    stream = io.StringIO()
    logs.configure(stream, pretty=True, level="info")
    logs.logger().warning("It is so.", site="acme")
    assert stream.getvalue().splitlines()[0].endswith(" warning It is so.  site=acme")


def test_a_log_that_is_full_stops_nothing(capsys):
    class Full(io.StringIO):
        def write(self, _text):
            raise OSError(28, "No space left on device")

    logs.configure(Full(), pretty=False)
    logs.logger().error("It is.")
    assert capsys.readouterr() == ("", "")


def test_every_key_has_one_of_four_types():
    assert {key.type for key in KEYS.values()} == {str, int, bool, dict}


# -- the file


@pytest.fixture
def file(tmp_path):
    """The log goes to a file, too."""
    path = tmp_path / "log" / "lzsyncd.jsonl"
    path.parent.mkdir()
    logs.configure(io.StringIO(), pretty=True, level="info", file=path, shown="critical")
    yield path
    logs.reconfigure("info", None)


def messages(path):
    return [json.loads(line)["message"] for line in path.read_text().splitlines()]


def test_the_file_has_json_whatever_the_terminal_shows(file):
    logs.logger().info("It is.")
    assert messages(file) == ["It is."]
    assert file.stat().st_mode & 0o777 == 0o640


def test_after_logrotate_the_log_goes_on_in_the_new_file(file):
    logs.logger().info("One.")
    file.rename(file.with_suffix(".1"))
    logs.logger().info("Two.")
    file.rename(file.with_suffix(".2"))
    file.touch()  # logrotate's `create`
    logs.logger().info("Three.")
    assert [messages(file.with_suffix(end)) for end in (".1", ".2", ".jsonl")] == [["One."], ["Two."], ["Three."]]


def test_a_file_that_can_not_be_written_is_told_once_and_taken_up_again(tmp_path):
    stream, path = io.StringIO(), tmp_path / "gone" / "lzsyncd.jsonl"
    logs.configure(stream, pretty=False, file=path)
    for text in ("One.", "Two."):
        logs.logger().info(text)
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event.get("event.action") for event in told] == [None, "log_file_failed", None]
    path.parent.mkdir()
    logs.logger().info("Three.")
    assert messages(path) == ["Three."]
    logs.reconfigure("info", None)


def test_a_line_that_a_full_disk_cut_off_does_not_spoil_the_next(file, monkeypatch):
    logs.logger().info("One.")
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:20]))
    logs.logger().info("Lost.")
    monkeypatch.undo()
    logs.logger().info("Two.")
    first, broken, last = file.read_text().splitlines()
    assert [json.loads(line)["message"] for line in (first, last)] == ["One.", "Two."]
    assert len(broken) == 20


def test_a_reload_names_another_file(file, tmp_path):
    logs.logger().info("One.")
    logs.reconfigure("warning", tmp_path / "other.jsonl")
    logs.logger().info("No.")
    logs.logger().warning("Two.")
    assert (messages(file), messages(tmp_path / "other.jsonl")) == (["One."], ["Two."])
    logs.configure(io.StringIO(), pretty=True, file=file)
    logs.reconfigure("info", file)
    logs.logger().info("Three.")
    assert messages(file) == ["One.", "Three."]


WRITER = """
import io, sys
from pathlib import Path
from lzsyncd import logs
logs.configure(io.StringIO(), pretty=True, file=Path(sys.argv[1]))
for number in range(150):
    logs.logger().info(sys.argv[2] * 9_000)
"""


def test_several_processes_append_whole_lines(file):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(file), letter]) for letter in "abc"]
    for number in range(3):
        while not file.exists() or file.stat().st_size < 300_000:
            assert any(writer.poll() is None for writer in writers) or number
            if all(writer.poll() is not None for writer in writers):
                break
        with contextlib.suppress(FileNotFoundError):
            file.rename(file.with_suffix(f".{number}"))
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    told = [message for path in file.parent.iterdir() for message in messages(path)]
    assert len(told) == 3 * 150
    assert {len(set(message)) for message in told} == {1}


def test_a_file_that_root_makes_belongs_to_whom_the_folder_belongs(tmp_path):
    if os.geteuid():
        return
    os.chown(tmp_path, 1234, 1235)
    logs.configure(io.StringIO(), pretty=True, file=tmp_path / "lzsyncd.jsonl")
    logs.logger().info("It is.")
    status = (tmp_path / "lzsyncd.jsonl").stat()
    assert (status.st_uid, status.st_gid) == (1234, 1235)
    logs.reconfigure("info", None)


# -- docs/logs.md

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8")
WORDS = {str: "text", int: "integer", bool: "true or false", dict: "object of integers"}


def table_of(title):
    chapter = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*) \|$", chapter, re.MULTILINE)
    return [tuple(cell.strip() for cell in row.split(" | ")) for row in rows]


def test_the_page_has_every_key_with_its_type():
    assert table_of("Keys") == [(f"`{name}`", WORDS[key.type], key.meaning) for name, key in KEYS.items()]


def test_the_page_has_every_action():
    assert table_of("Actions") == [(f"`{name}`", meaning) for name, meaning in ACTIONS.items()]


def test_every_action_in_the_code_is_in_the_list_and_the_other_way_round():
    code = "".join(path.read_text() for path in (ROOT / "lzsyncd").rglob("*.py") if path.name != "logkeys.py")
    named = set(re.findall(r'"event\.action": "(\w+)"', code)) - {"a_name"}
    named |= set(re.findall(r'(?:run_id|None), "(\w+)"', (ROOT / "lzsyncd" / "report" / "events.py").read_text()))
    named |= set(re.findall(r'logs\.tell\(\w+, "(\w+)"', code))
    assert named - set(ACTIONS) == set()
    said = set(re.findall(r'"(\w+)"', code)) | {
        f"{what}_{how}" for what in ("inbox", "database") for how in ("failed", "recovered")
    }
    assert set(ACTIONS) - said == set()


def test_the_example_of_the_page_is_an_event():
    (example,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    told = json.loads(example)
    assert json.loads(as_json(told)) == told
    assert not [key for key in told if key not in KEYS]
