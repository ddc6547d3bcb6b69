"""The log: one line of JSON an event, known keys, no values, and it never fails."""

import io
import json
import logging

import pytest

from lzsyncd import logs
from lzsyncd.errors import TryAgain
from lzsyncd.logs import KEYS, MAX_LINE


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
    assert [event["event.action"] for event in events()] == ["log_render_failed"] * 2


def test_odd_texts_and_numbers_are_json_all_the_same(log):
    logger, events = log
    logger.info("half \ud83d of a pair", **{"event.duration": float("nan"), "rows.read": 2**80})
    (event,) = events()
    assert event["labels.event.duration"] == "nan"
    assert event["rows.read"] == 2**80


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
    assert set(KEYS.values()) == {str, int, bool, dict}
