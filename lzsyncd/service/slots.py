"""When is a site due? Schedules, the slots they make, and which of them to run now. Pure: no clock, no files.

A slot is one turn of a schedule. Its name, made of the local date, is what a site's ledger claims: whatever the clock
does, a name is run once. Its instant is the local wall time read with fold=0: a time that the change to summer time
leaves out is as much later as the clock was put forward, and one that comes twice is the first of the two. (A library
that asked the clock again ran 02:30 twice on the day after the change.)

Nothing here imports the configuration, which imports this.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from enum import StrEnum
from heapq import merge
from itertools import count, pairwise, takewhile
from typing import NamedTuple
from zoneinfo import ZoneInfo

from lzsyncd.feed.elements import Element

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
GRACE = timedelta(hours=12)
"""A missed slot that is as late as this, or later, is not caught up."""

RULES = ":rules"
"""What the names of those slots end with at which the rules alone are asked, between those of a weekly schedule."""

ALL = tuple(Element)

_WEEKDAYS = {name: weekday for weekday, day in enumerate(DAYS) for name in (day, day[:3])}
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_FORMS = 'must be like "daily at 02:00" or "weekly on sunday at 02:00"'
_NEAR = 0.7  # "monthly" is 0.62 like "monday"
_BEFORE = timedelta(days=2)  # a slot may fall on the day after the one that names it: its own was skipped


@dataclass(frozen=True)
class Schedule:
    """`daily at HH:MM` or `weekly on DAY at HH:MM`, in local time.

    Attributes:
        at: the wall time.
        weekday: 0 is Monday; None is every day.
    """

    at: time
    weekday: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """Read a schedule as people write it, in any case; days also by three letters, hours also by one digit.

        As with systemd's calendar times, `2:00` is `02:00`, and `24:00` is no time.

        Raises:
            ValueError: it is none; the message says what to write.
        """
        words = text.lower().split()
        match words:
            case ["daily", "at", at]:
                return cls(_wall_time(at))
            case ["weekly", "on", day, "at", at] if day in _WEEKDAYS:
                return cls(_wall_time(at), _WEEKDAYS[day])
        raise ValueError(f'{_FORMS}, not "{_shown(" ".join(text.split()))}"{_did_you_mean(words)}')

    def __str__(self) -> str:
        day = "daily" if self.weekday is None else f"weekly on {DAYS[self.weekday]}"
        return f"{day} at {self.at:%H:%M}"

    def days(self, first: date) -> Iterator[date]:
        """The local days of its turns, from a day on, without end."""
        step = 1 if self.weekday is None else 7
        ahead = 0 if self.weekday is None else (self.weekday - first.weekday()) % 7
        return (first + timedelta(days=ahead + step * turn) for turn in count())

    def due_at(self, day: date, zone: ZoneInfo) -> datetime:
        """The instant of a day's turn, in UTC."""
        return datetime.combine(day, self.at, zone).astimezone(UTC)

    def turn(self, day: date) -> str:
        """The name of a day's turn: `daily:2026-11-22`, `weekly:2026-W47` (ISO 8601: a week is of Thursday's year)."""
        if self.weekday is None:
            return f"daily:{day.isoformat()}"
        week = day.isocalendar()
        return f"weekly:{week.year:04}-W{week.week:02}"


class Slot(NamedTuple):
    """One turn of a schedule.

    Attributes:
        name: unique among the slots of a site.
        due_at: in UTC.
        elements: what is applied then. None at all where the slot is only there for the rules that depend on the date:
            on the days between weekly slots, and where every element has a schedule of its own.
    """

    name: str
    due_at: datetime
    elements: tuple[Element, ...]


class WhySkipped(StrEnum):
    """Why a missed slot is not caught up."""

    NEWER = "a newer slot is run instead"
    TOO_LATE = "too late"


class Skipped(NamedTuple):
    """A missed slot that is not run, and why."""

    slot: Slot
    why: WhySkipped


class Due(NamedTuple):
    """What one look at the clock gives.

    Attributes:
        run: to be claimed and run now, in this order; at most one a schedule.
        skipped: to be told, since every slot is accounted for.
    """

    run: tuple[Slot, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class SiteSchedule:
    """The schedules of one site.

    Attributes:
        site: holds for each element that has none of its own.
        zone: decides what local time is.
        elements: elements with a schedule of their own.
        enabled: the elements that the site has.
        asks_daily: it has rules that depend on the date, which are asked every day (CONTRACT section 11).
    """

    site: Schedule
    zone: ZoneInfo
    elements: Mapping[Element, Schedule] = field(default_factory=dict)
    enabled: tuple[Element, ...] = ALL
    asks_daily: bool = False

    def slots(self, after: datetime) -> Iterator[Slot]:
        """Every slot later than an instant, in order, without end; at the same instant units come before people."""
        return merge(*(series.slots(after) for series in self._series()), key=_order)

    def between(self, after: datetime, until: datetime) -> list[Slot]:
        """The slots later than one instant and not later than another."""
        return list(takewhile(lambda slot: slot.due_at <= until, self.slots(after)))

    def next(self, after: datetime, claimed: Collection[str] = ()) -> Slot:
        """The first slot later than an instant at which more than the rules has its turn, and that is not claimed."""
        return next(slot for slot in self.slots(after) if slot.name not in claimed and not slot.name.endswith(RULES))

    def due(self, claimed: Mapping[str, datetime], since: datetime, now: datetime, grace: timedelta = GRACE) -> Due:
        """Which slots to run now: of each schedule the newest that is due and not claimed, if it is not too late.

        Whoever asks again and again claims what is to be run, then tells what is skipped, and passes this `now` as the
        next `since`; when a claim could not be made, `since` stays, and the same slots are due again.

        Args:
            claimed: claimed slots of the site, and when they were due, as the ledger has them: all, or those of the
                last weeks. Those due later than now (the clock was put back) count for themselves only, so that a
                clock that was once years ahead stops nothing.
            since: nothing due then or before counts: when the site was first seen, or was last looked at.
            now: what the clock says.
            grace: how late is too late.
        """
        run: list[Slot] = []
        skipped: list[Skipped] = []
        for series in self._series():
            missed = series.missed(claimed, since, now)
            caught_up = [slot for slot in missed[-1:] if now - slot.due_at < grace]
            why = WhySkipped.NEWER if caught_up else WhySkipped.TOO_LATE
            run += caught_up
            skipped += [Skipped(slot, why) for slot in missed if slot not in caught_up]
        return Due(tuple(sorted(run, key=_order)), tuple(sorted(skipped, key=lambda one: _order(one.slot))))

    def _series(self) -> Iterator["_Series"]:
        own = [element for element in self.enabled if element in self.elements]
        yield _Series(self.site, self.zone, tuple(element for element in self.enabled if element not in own))
        for element in own:
            yield _Series(self.elements[element], self.zone, (element,), f":{element}")
        if self.asks_daily and self.site.weekday is not None:
            yield _Series(Schedule(self.site.at), self.zone, (), RULES, but_on=self.site.weekday)


@dataclass(frozen=True)
class _Series:
    """The slots of one schedule.

    Attributes:
        ending: what its names have that the site's own have not.
        but_on: a weekday on which it has none.
    """

    schedule: Schedule
    zone: ZoneInfo
    elements: tuple[Element, ...]
    ending: str = ""
    but_on: int | None = None

    def slots(self, after: datetime) -> Iterator[Slot]:
        """Its slots later than an instant.

        A day that the zone leaves out (Apia had no 30 December 2011) would be due with the next one: it has no slot.
        """
        first = after.astimezone(self.zone).date() - _BEFORE
        turns = ((day, self.schedule.due_at(day, self.zone)) for day in self.schedule.days(first))
        return (
            Slot(self.schedule.turn(day) + self.ending, due_at, self.elements)
            for (day, due_at), (_, following) in pairwise(turns)
            if after < due_at < following and day.weekday() != self.but_on
        )

    def missed(self, claimed: Mapping[str, datetime], since: datetime, now: datetime) -> list[Slot]:
        """Its slots that are due and not claimed, from the last claim on."""
        if next(self.slots(since)).due_at > now:
            return []  # as nearly always: the claims need not be looked through
        later = self.slots(max(since, self._last_claim(claimed, now) or since))
        return [slot for slot in takewhile(lambda slot: slot.due_at <= now, later) if slot.name not in claimed]

    def _last_claim(self, claimed: Mapping[str, datetime], now: datetime) -> datetime | None:
        """When its last claimed slot was due, daily or weekly; where it never had one, when the site's last was."""
        past = {name: due_at for name, due_at in claimed.items() if due_at <= now}
        parts = 1 + self.ending.count(":")
        own = [due_at for name, due_at in past.items() if name.endswith(self.ending) and name.count(":") == parts]
        return max(own or past.values(), default=None)


def _order(slot: Slot) -> tuple[datetime, int]:
    return slot.due_at, min(map(ALL.index, slot.elements), default=len(ALL))


def _wall_time(text: str) -> time:
    at = _time(text)
    if at is None:
        midnight = "; midnight is 00:00, when the day begins" if text == "24:00" else ""
        raise ValueError(f'has the time "{_shown(text)}"; write one from 00:00 to 23:59{midnight}')
    return at


def _time(text: str) -> time | None:
    match = _TIME.fullmatch(text)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:  # noqa: PLR2004 - hours and minutes
        return None
    return time(int(match[1]), int(match[2]))


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:60])


def _did_you_mean(words: list[str]) -> str:
    """A schedule made of what can be made out in the text, when that is one time and at most one day."""
    times = [at for at in map(_time, words) if at]
    known = [DAYS[_WEEKDAYS[word]] if word in _WEEKDAYS else _near(word) for word in words]
    days = [word for word in known if word in DAYS]
    if len(times) != 1 or len(days) > 1 or not (days or "daily" in known):
        return ""
    return f'; did you mean "{Schedule(times[0], _WEEKDAYS[days[0]] if days else None)}"?'


def _near(word: str) -> str:
    return next(iter(get_close_matches(word[:20], ("daily", "weekly", *DAYS), 1, _NEAR)), "")
