"""When a site is due, whatever the clock does."""

import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from lzsyncd.feed.elements import Element
from lzsyncd.service.slots import DAYS, GRACE, Due, Schedule, SiteSchedule, Skipped, Slot, WhySkipped

ROOT = Path(__file__).parents[2]
ORG, POS, USER = Element
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def site(schedule: str, zone: str = "UTC", **own: str) -> SiteSchedule:
    elements = {Element(name): Schedule.parse(text) for name, text in own.items()}
    return SiteSchedule(Schedule.parse(schedule), ZoneInfo(zone), elements)


def names(due: Due) -> tuple[list[str], list[tuple[str, WhySkipped]]]:
    return [slot.name for slot in due.run], [(skipped.slot.name, skipped.why) for skipped in due.skipped]


def test_a_weekly_site_whose_rules_depend_on_the_date_asks_them_on_the_days_between():
    timetable = replace(site("weekly on sunday at 02:00"), asks_daily=True)
    slots = list(islice(timetable.slots(at("2026-11-20T03:00")), 4))
    assert [slot.name for slot in slots] == [
        "daily:2026-11-21:rules",
        "weekly:2026-W47",
        "daily:2026-11-23:rules",
        "daily:2026-11-24:rules",
    ]
    assert [slot.elements for slot in slots] == [(), (ORG, POS, USER), (), ()]
    assert timetable.next(at("2026-11-20T03:00")).name == "weekly:2026-W47", "the next at which a set is applied"
    due = timetable.due({"weekly:2026-W46": at("2026-11-15T02:00")}, at("2026-11-20T03:00"), at("2026-11-22T03:00"))
    assert names(due) == (["weekly:2026-W47"], [("daily:2026-11-21:rules", WhySkipped.TOO_LATE)])


def test_a_daily_site_asks_its_rules_at_its_slots_alone():
    timetable = replace(site("daily at 02:00"), asks_daily=True)
    assert all(slot.name.count(":") == 1 for slot in islice(timetable.slots(at("2026-11-20T03:00")), 9))


class Loop:
    """Whoever looks at the clock again and again, and its ledger."""

    def __init__(self, timetable: SiteSchedule, since: datetime, grace: timedelta = GRACE) -> None:
        self.timetable = timetable
        self.since = since
        self.grace = grace
        self.claimed: dict[str, datetime] = {}
        self.runs: list[tuple[Slot, datetime]] = []
        self.skipped: list[Skipped] = []

    def look(self, now: datetime) -> Due:
        due = self.timetable.due(self.claimed, self.since, now, self.grace)
        for slot in due.run:
            assert slot.name not in self.claimed
            self.claimed[slot.name] = slot.due_at
            self.runs.append((slot, now))
        self.skipped += due.skipped
        self.since = now
        return due


# -- schedules


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("daily at 02:00", Schedule(time(2))),
        ("DAILY At 2:00", Schedule(time(2))),
        (" daily   at\t00:00 ", Schedule(time(0))),
        ("weekly on sunday at 23:59", Schedule(time(23, 59), 6)),
        ("Weekly on Mon at 9:05", Schedule(time(9, 5), 0)),
        *((f"weekly on {day} at 02:00", Schedule(time(2), weekday)) for weekday, day in enumerate(DAYS)),
        *((f"weekly on {day[:3]} at 02:00", Schedule(time(2), weekday)) for weekday, day in enumerate(DAYS)),
    ],
)
def test_a_schedule_is_daily_or_weekly_in_any_case(text, meant):
    assert Schedule.parse(text) == meant
    assert Schedule.parse(str(meant)) == meant


@pytest.mark.parametrize("text", ["daily at 02:00", "weekly on sunday at 23:59"])
def test_a_schedule_is_shown_as_it_is_written(text):
    assert str(Schedule.parse(text)) == text


FORMS = 'must be like "daily at 02:00" or "weekly on sunday at 02:00", not '


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", FORMS + '""'),
        ("hourly", FORMS + '"hourly"'),
        ("Weekly on Mondey at 02:00", FORMS + '"Weekly on Mondey at 02:00"; did you mean "weekly on monday at 02:00"?'),
        ("dayly at 2:00", FORMS + '"dayly at 2:00"; did you mean "daily at 02:00"?'),
        ("daily 02:00", FORMS + '"daily 02:00"; did you mean "daily at 02:00"?'),
        ("every sun at 2:30", FORMS + '"every sun at 2:30"; did you mean "weekly on sunday at 02:30"?'),
        ("weekly at 02:00", FORMS + '"weekly at 02:00"'),
        ("weekly on sunday", FORMS + '"weekly on sunday"'),
        ("weekly on monday and friday at 02:00", FORMS + '"weekly on monday and friday at 02:00"'),
        ("daily at 02:00 and 14:00", FORMS + '"daily at 02:00 and 14:00"'),
        ("monthly on 1 at 02:00", FORMS + '"monthly on 1 at 02:00"'),
        ("0 2 * * *", FORMS + '"0 2 * * *"'),
        ("daily\x1b\u2028at dawn", FORMS + '"daily? at dawn"'),
        ("daily at noon", 'has the time "noon"; write one from 00:00 to 23:59'),
        ("daily at 23:60", 'has the time "23:60"; write one from 00:00 to 23:59'),
        ("daily at 2:5", 'has the time "2:5"; write one from 00:00 to 23:59'),
        ("daily at 02:00:00", 'has the time "02:00:00"; write one from 00:00 to 23:59'),
        ("daily at \u0662:00", 'has the time "\u0662:00"; write one from 00:00 to 23:59'),
        (
            "weekly on sunday at 24:00",
            'has the time "24:00"; write one from 00:00 to 23:59; midnight is 00:00, when the day begins',
        ),
    ],
)
def test_what_is_no_schedule_says_what_to_write(text, told):
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        Schedule.parse(text)


words = st.sampled_from([*DAYS, "daily", "weekly", "on", "at", "2:00", "24:00", "dayli", "sonday", "tue", "x\x85y"])


@given(st.text(max_size=30) | st.lists(words, max_size=6).map(" ".join))
def test_any_text_is_a_schedule_or_one_line_whose_advice_can_be_followed(text):
    try:
        schedule = Schedule.parse(text)
    except ValueError as error:
        told = str(error)
        assert len(told.splitlines()) == 1
        advice = re.search('did you mean "(.*)"', told)
        event("advice" if advice else "refused")
        assert not advice or str(Schedule.parse(advice[1])) == advice[1]
    else:
        event("a schedule")
        assert Schedule.parse(str(schedule)) == schedule


def test_slots_load_nothing_of_the_configuration_and_the_configuration_may_load_them():
    program = "import sys, lzsyncd.service.slots; print('lzsyncd.config' in sys.modules); import lzsyncd.config"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "False\n"


# -- slots: names, instants, elements


def test_the_local_day_names_a_daily_slot():
    slot = site("daily at 02:00", "Pacific/Auckland").next(at("2026-11-21T00:00"))
    assert slot == ("daily:2026-11-22", at("2026-11-21T13:00"), (ORG, POS, USER))


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("sunday", [("2026-W52", "2026-12-27"), ("2026-W53", "2027-01-03"), ("2027-W01", "2027-01-10")]),
        ("monday", [("2026-W53", "2026-12-28"), ("2027-W01", "2027-01-04"), ("2027-W02", "2027-01-11")]),
        ("friday", [("2026-W52", "2026-12-25"), ("2026-W53", "2027-01-01"), ("2027-W01", "2027-01-08")]),
    ],
)
def test_the_iso_week_names_a_weekly_slot_also_across_new_year(day, expected):
    slots = islice(site(f"weekly on {day} at 02:00").slots(at("2026-12-23T00:00")), 3)
    assert [(slot.name, slot.due_at) for slot in slots] == [(f"weekly:{w}", at(f"{d}T02:00")) for w, d in expected]


def test_a_monday_of_december_may_be_in_the_first_week_of_the_next_year():
    slot = site("weekly on mon at 02:00").next(at("2025-12-24T00:00"))
    assert (slot.name, slot.due_at) == ("weekly:2026-W01", at("2025-12-29T02:00"))


@pytest.mark.parametrize(
    ("zone", "day", "schedule", "due_at"),
    [
        ("Europe/London", "2026-03-29", "daily at 01:30", "2026-03-29T01:30"),  # 02:30 in summer time
        ("Europe/London", "2026-10-25", "daily at 01:30", "2026-10-25T00:30"),  # the first 01:30
        ("America/New_York", "2026-03-08", "daily at 02:30", "2026-03-08T07:30"),
        ("America/New_York", "2026-11-01", "daily at 01:30", "2026-11-01T05:30"),
        ("Australia/Lord_Howe", "2026-10-04", "daily at 02:15", "2026-10-03T15:45"),  # 02:45: half an hour was left out
        ("Australia/Lord_Howe", "2026-04-05", "daily at 01:45", "2026-04-04T14:45"),
        ("America/Sao_Paulo", "2018-11-04", "daily at 00:00", "2018-11-04T03:00"),  # a day that began at 01:00
        ("Asia/Kolkata", "2026-03-29", "daily at 01:30", "2026-03-28T20:00"),
    ],
)
def test_both_clock_changes_leave_one_instant_a_day(zone, day, schedule, due_at):
    noon = datetime.combine(date.fromisoformat(day), time(12), ZoneInfo(zone)).astimezone(UTC)
    slots = site(schedule, zone).between(noon - DAY, noon)
    assert [slot[:2] for slot in slots] == [(f"daily:{day}", at(due_at))]


def test_a_day_that_the_zone_leaves_out_has_no_slot():
    slots = site("daily at 02:00", "Pacific/Apia").between(at("2011-12-29T00:00"), at("2012-01-01T00:00"))
    assert [(slot.name, slot.due_at) for slot in slots] == [
        ("daily:2011-12-29", at("2011-12-29T12:00")),
        ("daily:2011-12-31", at("2011-12-30T12:00")),
        ("daily:2012-01-01", at("2011-12-31T12:00")),
    ]


def test_a_week_whose_day_the_zone_leaves_out_has_its_slot_a_day_later():
    slots = site("weekly on friday at 02:00", "Pacific/Apia").between(at("2011-12-24T00:00"), at("2012-01-06T00:00"))
    assert [(slot.name, slot.due_at) for slot in slots] == [
        ("weekly:2011-W52", at("2011-12-30T12:00")),  # Saturday 02:00 there
        ("weekly:2012-W01", at("2012-01-05T12:00")),
    ]


def test_a_slot_is_of_all_elements_without_a_schedule_of_their_own():
    timetable = site("daily at 02:00", org="weekly on sunday at 01:00")
    assert timetable.between(at("2026-11-21T12:00"), at("2026-11-22T12:00")) == [
        ("weekly:2026-W47:org", at("2026-11-22T01:00"), (ORG,)),
        ("daily:2026-11-22", at("2026-11-22T02:00"), (POS, USER)),
    ]


def test_slots_of_one_instant_bring_units_before_people():
    timetable = site("daily at 02:00", pos="daily at 2:00", user="weekly on sunday at 02:00")
    slots = timetable.between(at("2026-11-22T00:00"), at("2026-11-22T02:00"))
    assert [slot.name for slot in slots] == ["daily:2026-11-22", "daily:2026-11-22:pos", "weekly:2026-W47:user"]
    assert list(timetable.due({}, at("2026-11-22T00:00"), at("2026-11-22T03:00")).run) == slots


def test_the_site_has_its_slots_even_when_each_element_has_its_own():
    timetable = site("daily at 02:00", org="daily at 02:00", pos="daily at 02:00", user="daily at 02:00")
    slots = timetable.between(at("2026-11-22T00:00"), at("2026-11-22T02:00"))
    assert [slot.elements for slot in slots] == [(ORG,), (POS,), (USER,), ()]


def test_elements_that_are_turned_off_have_no_slots():
    timetable = SiteSchedule(Schedule(time(2)), ZoneInfo("UTC"), {ORG: Schedule(time(1))}, (USER,))
    slots = timetable.between(at("2026-11-22T00:00"), at("2026-11-22T12:00"))
    assert [(slot.name, slot.elements) for slot in slots] == [("daily:2026-11-22", (USER,))]


def test_an_interval_begins_after_its_start_and_has_its_end():
    timetable = site("daily at 02:00")
    assert timetable.between(at("2026-11-22T02:00"), at("2026-11-23T01:59")) == []
    assert len(timetable.between(at("2026-11-22T01:59"), at("2026-11-23T02:00"))) == 2


# -- what is due


@pytest.mark.parametrize(
    ("late", "run"),
    [
        (timedelta(0), True),
        (3 * HOUR, True),
        (11 * HOUR + 59 * MINUTE, True),
        (12 * HOUR, False),
        (12 * HOUR + MINUTE, False),
    ],
)
def test_a_missed_slot_is_caught_up_if_it_is_less_than_12_hours_late(late, run):
    claimed = {"daily:2026-11-21": at("2026-11-21T02:00")}
    due = site("daily at 02:00").due(claimed, at("2026-01-01T00:00"), at("2026-11-22T02:00") + late)
    slot = ("daily:2026-11-22", at("2026-11-22T02:00"), (ORG, POS, USER))
    assert due == (((slot,), ()) if run else ((), ((slot, WhySkipped.TOO_LATE),)))


@pytest.mark.parametrize("asleep", [3 * HOUR, 11 * HOUR + 59 * MINUTE, 12 * HOUR + MINUTE])
def test_a_machine_that_slept_over_a_slot_runs_it_when_it_wakes_in_time(asleep):
    loop = Loop(site("daily at 02:00"), at("2026-11-20T12:00"))
    for now in ("2026-11-21T02:00", "2026-11-22T01:59"):
        loop.look(at(now))
    loop.look(at("2026-11-22T02:00") + asleep)
    loop.look(at("2026-11-23T02:00"))
    caught_up = ["daily:2026-11-22"] if asleep < GRACE else []
    assert [slot.name for slot, _ in loop.runs] == ["daily:2026-11-21", *caught_up, "daily:2026-11-23"]
    assert [one.slot.name for one in loop.skipped] == [name for name in ["daily:2026-11-22"] if name not in caught_up]


def test_of_many_missed_slots_the_newest_is_run_and_the_others_are_told():
    claimed = {"daily:2026-11-19": at("2026-11-19T02:00")}
    due = site("daily at 02:00").due(claimed, at("2026-01-01T00:00"), at("2026-11-22T03:00"))
    older = [("daily:2026-11-20", WhySkipped.NEWER), ("daily:2026-11-21", WhySkipped.NEWER)]
    assert names(due) == (["daily:2026-11-22"], older)


def test_when_the_newest_is_too_late_all_are():
    claimed = {"daily:2026-11-20": at("2026-11-20T02:00")}
    due = site("daily at 02:00").due(claimed, at("2026-01-01T00:00"), at("2026-11-22T15:00"))
    assert names(due) == (
        [],
        [("daily:2026-11-21", WhySkipped.TOO_LATE), ("daily:2026-11-22", WhySkipped.TOO_LATE)],
    )


def test_each_schedule_is_caught_up_on_its_own():
    timetable = site("daily at 02:00", org="weekly on saturday at 23:00", user="daily at 01:00")
    claimed = {
        "daily:2026-11-20": at("2026-11-20T02:00"),
        "weekly:2026-W46:org": at("2026-11-14T23:00"),
        "daily:2026-11-22:user": at("2026-11-22T01:00"),
    }
    due = timetable.due(claimed, at("2026-01-01T00:00"), at("2026-11-22T03:00"))
    assert names(due) == (["weekly:2026-W47:org", "daily:2026-11-22"], [("daily:2026-11-21", WhySkipped.NEWER)])


def test_what_is_skipped_is_told_in_the_order_in_which_it_was_due():
    due = site("daily at 02:00", org="daily at 03:00").due({}, at("2026-11-19T12:00"), at("2026-11-22T02:30"))
    assert [one.slot.name for one in due.skipped] == [
        *("daily:2026-11-20", "daily:2026-11-20:org", "daily:2026-11-21", "daily:2026-11-21:org"),
    ]


def test_a_new_site_has_missed_nothing():
    timetable = site("daily at 02:00")
    assert timetable.due({}, at("2026-11-22T02:00"), at("2026-11-22T02:01")) == ((), ())
    assert names(timetable.due({}, at("2026-11-22T01:59"), at("2026-11-22T02:01"))) == (["daily:2026-11-22"], [])


def test_a_site_that_was_first_seen_later_than_now_is_not_due():
    assert site("daily at 02:00").due({}, at("2026-11-22T03:00"), at("2026-11-22T02:30")) == ((), ())


def test_a_slot_that_could_not_be_claimed_is_due_again():
    timetable, since = site("daily at 02:00"), at("2026-11-22T01:59")
    first = timetable.due({}, since, at("2026-11-22T02:00"))
    assert first.run
    assert timetable.due({}, since, at("2026-11-22T02:01")) == first


def test_a_day_has_one_slot_also_when_its_schedule_is_put_off():
    claimed = {"daily:2026-11-22": at("2026-11-22T02:00")}
    timetable = site("daily at 05:00")
    assert timetable.due(claimed, at("2026-01-01T00:00"), at("2026-11-22T06:00")) == ((), ())
    assert timetable.next(at("2026-11-22T03:00"), claimed).name == "daily:2026-11-23"
    assert timetable.next(at("2026-11-22T03:00")).name == "daily:2026-11-22"


def test_a_site_that_moves_to_another_time_zone_has_one_slot_a_day():
    claimed = {"daily:2026-11-22": at("2026-11-21T12:00")}  # 02:00 on the 22nd, fourteen hours ahead
    moved = site("daily at 02:00", "Pacific/Pago_Pago")
    assert moved.due(claimed, at("2026-11-21T13:30"), at("2026-11-22T14:00")) == ((), ())
    assert names(moved.due(claimed, at("2026-11-22T14:00"), at("2026-11-23T14:00"))) == (["daily:2026-11-23"], [])


def test_a_daily_schedule_that_becomes_weekly_goes_on_from_its_last_slot():
    claimed = {"daily:2026-11-22": at("2026-11-22T02:00")}
    timetable = site("weekly on sunday at 02:00")
    assert timetable.due(claimed, at("2026-01-01T00:00"), at("2026-11-22T06:00")) == ((), ())
    assert timetable.next(at("2026-11-22T06:00"), claimed).name == "weekly:2026-W48"


def test_an_element_that_gets_a_schedule_of_its_own_goes_on_from_the_last_slot_of_the_site():
    claimed = {"daily:2026-11-22": at("2026-11-22T02:00")}
    timetable = site("daily at 02:00", org="weekly on sunday at 01:00")
    assert timetable.due(claimed, at("2026-01-01T00:00"), at("2026-11-22T06:00")) == ((), ())


def test_a_slot_of_one_schedule_does_not_hide_a_missed_one_of_another():
    claimed = {"daily:2026-11-22": at("2026-11-22T02:00"), "weekly:2026-W46:org": at("2026-11-15T01:00")}
    timetable = site("daily at 02:00", org="weekly on sunday at 01:00")
    due = timetable.due(claimed, at("2026-01-01T00:00"), at("2026-11-22T02:00"))
    assert names(due) == (["weekly:2026-W47:org"], [])


def test_a_clock_that_was_years_ahead_stops_nothing():
    claimed = {"daily:2026-11-21": at("2026-11-21T02:00"), "daily:2031-05-05": at("2031-05-05T02:00")}
    due = site("daily at 02:00").due(claimed, at("2026-01-01T00:00"), at("2026-11-22T02:00"))
    assert names(due) == (["daily:2026-11-22"], [])


def test_a_clock_put_back_over_a_slot_runs_it_once():
    loop = Loop(site("daily at 02:00"), at("2026-11-22T01:00"))
    for now in ("02:00", "02:30", "01:30", "01:59", "02:00", "02:31"):
        loop.look(at(f"2026-11-22T{now}"))
    assert [slot.name for slot, _ in loop.runs] == ["daily:2026-11-22"]
    assert loop.skipped == []


# -- a year in the life of a site


YEARS = [
    ("Europe/London", 2026, "daily at 01:30"),
    ("America/New_York", 2026, "daily at 02:30"),
    ("Australia/Lord_Howe", 2026, "daily at 02:15"),
    ("Pacific/Apia", 2011, "daily at 03:30"),
    ("Asia/Kolkata", 2026, "daily at 00:00"),
]


def clock_changes(zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    days = [start + turn * DAY for turn in range((end - start).days + 1)]
    return [one for one, two in pairwise(days) if one.astimezone(zone).utcoffset() != two.astimezone(zone).utcoffset()]


def local_days(zone: ZoneInfo, year: int) -> set[date]:
    """The days of a year that are there, hour by hour."""
    hours = (datetime(year - 1, 12, 30, tzinfo=UTC) + hour * HOUR for hour in range(24 * 370))
    return {day for hour in hours if (day := hour.astimezone(zone).date()).year == year}


def by_the_minute_when_it_matters(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Each minute of the days about the clock changes; every 47 minutes in between."""
    changes = clock_changes(zone, start, end)
    now = start
    while now < end:
        near = any(change - HOUR < now < change + 2 * DAY for change in changes)
        now += MINUTE if near else 47 * MINUTE
        yield now


def a_bad_clock(_zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Stutters, is put back by an hour, sleeps for almost twelve."""
    dice = random.Random(47)
    steps = [1, 59, 60, 61, 600, 1800, 3600, -3600, 3 * 3600, 12 * 3600 - 1]
    now = start
    while now < end:
        now += timedelta(seconds=dice.choice(steps), microseconds=dice.randrange(999_999))
        yield now


@pytest.mark.parametrize("ticks", [by_the_minute_when_it_matters, a_bad_clock])
@pytest.mark.parametrize(("zone", "year", "schedule"), YEARS)
def test_each_local_day_of_a_year_has_exactly_one_run(zone, year, schedule, ticks):
    where = ZoneInfo(zone)
    start, end = (datetime(of, 1, 1, tzinfo=where).astimezone(UTC) - MINUTE for of in (year, year + 1))
    loop = Loop(site(schedule, zone, org="weekly on sunday at 02:30"), start)
    for now in ticks(where, start, end):
        loop.look(min(now, end))
    ran = [slot.name for slot, _ in loop.runs if slot.elements != (ORG,)]
    assert ran == [f"daily:{day}" for day in sorted(local_days(where, year))]
    assert len(ran) == (364 if zone == "Pacific/Apia" else 365)
    assert len(loop.runs) - len(ran) == 52
    assert len(set(loop.claimed)) == len(loop.runs)
    assert loop.skipped == []
    assert all(timedelta(0) <= now - slot.due_at < GRACE for slot, now in loop.runs)


# -- whatever the tick pattern


ODD_ZONES = [
    *("UTC", "Europe/London", "Europe/Berlin", "America/New_York", "America/St_Johns", "America/Sao_Paulo"),
    *("Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kiritimati", "Asia/Kolkata", "Africa/Casablanca", "Asia/Gaza"),
    *("Antarctica/Troll", "Pacific/Kwajalein"),
]
zones = st.sampled_from(ODD_ZONES)
schedules = st.builds(Schedule, st.times().map(lambda t: time(t.hour, t.minute)), st.none() | st.integers(0, 6))
timetables = st.builds(
    SiteSchedule,
    schedules,
    zones.map(ZoneInfo),
    st.dictionaries(st.sampled_from(Element), schedules),
    st.lists(st.sampled_from(Element), unique=True).map(lambda some: tuple(sorted(some))),
)
special = st.sampled_from(["2011-12-30T00:00", "1994-12-31T00:00", "1993-08-21T00:00", "2026-10-25T00:00"]).map(at)
anywhen = st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds it
instants = anywhen | st.builds(lambda near, by: near + by, special, st.timedeltas(-8 * DAY, 8 * DAY))


@given(schedules, zones, instants)
def test_the_slots_of_a_schedule_are_later_and_later_and_named_once(schedule, zone, after):
    slots = list(islice(SiteSchedule(schedule, ZoneInfo(zone)).slots(after), 30))
    assert after < slots[0].due_at
    assert all(one.due_at < two.due_at for one, two in pairwise(slots))
    assert all(one.name < two.name for one, two in pairwise(slots))
    usual = DAY if schedule.weekday is None else 7 * DAY
    assert all(usual - 26 * HOUR < two.due_at - one.due_at < usual + 26 * HOUR for one, two in pairwise(slots))


@given(timetables, instants)
def test_the_slots_of_a_site_have_names_of_their_own_and_follow_one_another(timetable, after):
    slots = timetable.between(after, after + 20 * DAY)
    assert len({slot.name for slot in slots}) == len(slots)
    assert [slot.due_at for slot in slots] == sorted(slot.due_at for slot in slots)
    concerned = [element for element in timetable.enabled if element in {e for slot in slots for e in slot.elements}]
    assert concerned == list(timetable.enabled)
    for slot in slots:
        assert timetable.next(slot.due_at) not in slots[: slots.index(slot) + 1]


@given(timetables, instants, st.timedeltas(timedelta(0), 20 * DAY), st.timedeltas(timedelta(0), 20 * DAY))
def test_an_interval_has_the_slots_of_its_parts(timetable, start, one, two):
    parts = timetable.between(start, start + one) + timetable.between(start + one, start + one + two)
    assert parts == timetable.between(start, start + one + two)


steps = st.sampled_from([MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, GRACE - MINUTE, GRACE, GRACE + MINUTE, 9 * DAY])
graces = st.sampled_from([MINUTE, GRACE, 2 * DAY])


@given(timetables, instants, st.lists(steps | st.timedeltas(timedelta(0), 3 * DAY), max_size=25), graces)
def test_whatever_the_ticks_no_slot_is_lost_or_doubled(timetable, start, ticks, grace):
    loop, now = Loop(timetable, start, grace), start
    for step in ticks:
        before, now = now, now + step
        due = loop.look(now)
        assert sorted([*due.run, *(one.slot for one in due.skipped)]) == sorted(timetable.between(before, now))
        newest = {slot.elements: slot.name for slot in due.run}
        assert len(newest) == len(due.run), "at most one a schedule"
        assert all(now - slot.due_at < grace for slot in due.run)
        for slot, why in due.skipped:
            assert why is (WhySkipped.NEWER if slot.elements in newest else WhySkipped.TOO_LATE)
            assert slot.elements not in newest or slot.name < newest[slot.elements]
            assert slot.elements in newest or now - slot.due_at >= grace
    accounted = [slot.name for slot, _ in loop.runs] + [one.slot.name for one in loop.skipped]
    assert sorted(accounted) == sorted(slot.name for slot in timetable.between(start, now))


@given(timetables, instants, st.lists(steps | st.timedeltas(-2 * DAY, 2 * DAY), max_size=25), st.booleans())
def test_however_the_clock_jumps_no_slot_is_run_twice_and_none_goes_untold(timetable, start, jumps, restarts):
    loop, now, latest = Loop(timetable, start), start, start
    for jump in jumps:
        now += jump
        latest = max(latest, now)
        if restarts:
            loop.since = start  # only the ledger knows what was
        loop.look(now)
    ran = [slot.name for slot, _ in loop.runs]
    assert len(set(ran)) == len(ran)
    told = {*ran, *(one.slot.name for one in loop.skipped)}
    assert {slot.name for slot in timetable.between(start, latest)} <= told
