"""When a remote server is visited."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from lzsyncd.config import Remote
from lzsyncd.errors import ExitCode
from lzsyncd.service.slots import Schedule
from lzsyncd.service.visits import Visits

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
ZONE = ZoneInfo("Europe/London")


def next_visit(visits: Visits) -> float:
    """Minutes until it is due."""
    return next(minute for minute in range(20_000) if visits.is_due(NOW + timedelta(minutes=minute)))


def visits(**more: object) -> Visits:
    return Visits(Remote(host="h", username="u", **more), ZONE)


def test_it_is_visited_at_the_start_and_then_as_often_as_is_said():
    one = visits(every=1800.0)
    assert next_visit(one) == 0
    one.ended(0, NOW)
    assert next_visit(one) == 30


def test_a_schedule_has_its_own_times():
    one = visits(schedule=Schedule.parse("daily at 22:00"))
    one.ended(0, NOW)
    assert next_visit(one) == 13 * 60
    one.ended(ExitCode.TRY_AGAIN, NOW)
    assert next_visit(one) == 1


@pytest.mark.parametrize("code", [ExitCode.TRY_AGAIN, ExitCode.FAILED, -9])
def test_what_may_go_well_another_time_is_tried_again_later_and_later(code: int):
    one, waits = visits(every=86_400.0), []
    for _ in range(5):
        one.ended(code, NOW)
        waits.append(next_visit(one))
    assert waits == [1, 5, 15, 60, 60]
    one.ended(0, NOW)
    assert next_visit(one) == 24 * 60


def test_it_is_not_visited_less_often_for_a_failure_than_without():
    one = visits(every=120.0)
    for _ in range(4):
        one.ended(ExitCode.TRY_AGAIN, NOW)
    assert next_visit(one) == 2


def test_a_server_that_refuses_us_is_not_knocked_at_all_the_time():
    one, waits = visits(every=60.0), []
    for _ in range(4):
        one.ended(ExitCode.NO_PERMISSION, NOW)
        one.soon()
        waits.append(next_visit(one) / 60)
    assert waits == [1, 6, 24, 24]


def test_a_report_brings_it_forward_and_a_clock_that_was_put_back_does_not_put_it_off():
    one = visits()
    one.ended(0, NOW)
    one.soon()
    assert next_visit(one) == 0
    one.ended(0, NOW + timedelta(days=30))
    assert one.is_due(NOW)
