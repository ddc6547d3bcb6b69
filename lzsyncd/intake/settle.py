"""Which deliveries in an inbox are complete, what is waited for, and when should one look again?

Pure: listings and times come in, a verdict goes out. What holds:

1. A file is complete when it was quiet for `settle` seconds: no event, no change of inode, size, mtime or ctime. One
   that is open for writing is not, whatever else speaks for it. The ctime of a file that is new to us may prove that it
   has been quiet (a client can't set it), but clocks jump and servers disagree: `PAUSE` seconds are always watched.
2. A set is complete when its files are there and all was quiet since the last change of any of them. An upload under a
   temporary name belongs to the set, until it was untouched for the set window: so two deliveries never mix.
3. Where files are missing, the set window runs from the last change; then `incomplete` decides. Nothing is given up:
   what goes on for longer than the window is told as overdue.
4. Mended files need no companions and are a set of their own, after the full one.
5. A marker that is as new as the files replaces quiet time and window, up to `PAUSE`: clients look at a file after
   writing it and report an error when it is gone (FileNotFoundError from paramiko's put).
6. A folder, link or device with a file's name is waited for like a file and delivered, so that the run can refuse it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import nsmallest
from math import inf

from lzsyncd.checks.catalogue import shorten
from lzsyncd.feed.elements import Element
from lzsyncd.intake.candidate import PAUSE, SHOWN, Candidate, Entry, Kind, Moment, Rules, Track, capped, listed, span
from lzsyncd.intake.markers import MARKERS, SET_FILES, target_of
from lzsyncd.intake.sets import NEAR_MISSES

__all__ = ["PAUSE", "Delivery", "Entry", "Rules", "Settler", "Verdict"]

REMEMBERED = 1_000  # names with events between two looks; with more, an event counts for all
JUMP = 1.0  # seconds by which the wall clock may leave the monotonic one between two looks

_REJECTS = frozenset(element.mended_file_name for element in Element)
_NEAR_MARKER = re.compile(r"(?i)(set\.done|sha256sums?|manifest\.json)(\.txt)?")


@dataclass(frozen=True)
class Delivery:
    """A set as it lies in the inbox.

    Attributes:
        files: as they were when they were judged; whoever claims them sees whether they still are.
        mended: they are reject files that came back.
        markers: to be claimed with the files; their checksums and sizes hold for the files they name.
        missing: elements that are turned on and have no file.
    """

    files: dict[Element, Entry]
    mended: bool = False
    markers: tuple[Entry, ...] = ()
    missing: tuple[Element, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What a look found. Texts name files and times, never content; names are safe to show.

    Attributes:
        ready: sets to claim, in the order in which they apply.
        held: an incomplete set that stays where it is: its window has passed and `incomplete` is "hold".
        held_is_new: these very files were not held before.
        waiting: what is waited for, and why.
        overdue: what has gone on for longer than the set window; the same text as long as it goes on.
        peek: names of quiet files whose header nobody has looked at: do that, and look again, before a claim.
        near_misses: names that come close, and files of elements that are turned off.
        ignored: all other names.
        look_again: seconds until time alone may change the verdict; None: only the inbox can.
    """

    ready: tuple[Delivery, ...]
    held: Delivery | None
    held_is_new: bool
    waiting: tuple[str, ...]
    overdue: tuple[str, ...]
    peek: tuple[str, ...]
    near_misses: tuple[str, ...]
    ignored: tuple[str, ...]
    look_again: float | None


@dataclass(slots=True)
class _History:
    """Of a set: its names, when one of them went, since when it has been restless, which files were held."""

    names: frozenset[str] = frozenset()
    gone: float = -inf
    restless: float | None = None
    held: tuple[object, ...] = ()


class Settler:
    """Remembers of one inbox since when what is unchanged.

    Attributes:
        rules: may be replaced at any time.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._tracks: dict[str, Track] = {}
        self._histories = {kind: _History() for kind in Kind}
        self._touched: dict[str, float] = {}
        self._all_touched = -inf
        self._lead: float | None = None  # of the wall clock over the monotonic one
        self._steady = -inf  # since when the wall clock has not jumped

    def touched(self, name: str | None, now: float) -> None:
        """Something happened to a name: its quiet time starts again.

        Reading is not an event: our own looks at headers and leases would keep a file from ever being quiet.

        Args:
            name: as in the inbox; None: perhaps any name.
            now: monotonic seconds.
        """
        if name is None or (target_of(name) and len(self._touched) >= REMEMBERED):
            self._all_touched = now
        elif target_of(name):
            self._touched[name] = now

    def look(self, entries: Sequence[Entry], now: float, wall: datetime) -> Verdict:
        """Judge a listing.

        Args:
            entries: every name in the inbox.
            now: monotonic seconds, taken before the listing.
            wall: the same moment for people, in the site's time zone.
        """
        wanted = {*MARKERS, *(name for name, element in SET_FILES.items() if element in self.rules.elements)}
        parts = {entry.name: entry for entry in entries if target_of(entry.name) in wanted}
        self._watch_clock(now, wall)
        self._observe(parts, now, wall)
        notes = _Notes(Moment(now, wall))
        for candidate in self._candidates(parts, notes):
            self._judge(candidate, notes)
        notes.tell_markers(parts)
        return notes.verdict([entry.name for entry in entries if entry.name not in parts])

    def _watch_clock(self, now: float, wall: datetime) -> None:
        lead = wall.timestamp() - now
        if self._lead is not None and abs(lead - self._lead) > JUMP:
            self._steady = now
        self._lead = lead

    def _observe(self, parts: Mapping[str, Entry], now: float, wall: datetime) -> None:
        self._tracks = {name: track for name, track in self._tracks.items() if name in parts}
        for name, entry in parts.items():
            track = self._tracks.get(name)
            if track is None:
                self._tracks[name] = track = Track(entry.identity, self._proven(entry, now, wall), now)
            elif track.identity != entry.identity:
                self._tracks[name] = track = Track(entry.identity, now, now)
            event = max(self._touched.get(name, -inf), self._all_touched)
            track.since, track.watched = max(track.since, event), max(track.watched, event)
        self._touched, self._all_touched = {}, -inf

    def _proven(self, entry: Entry, now: float, wall: datetime) -> float:
        """Since when a file that is new to us has been quiet, by its ctime, as far as the clock can be believed."""
        age = min(wall.timestamp() - entry.ctime_ns / 1e9, now - self._steady)
        return now - max(age, 0.0)

    def _candidates(self, parts: Mapping[str, Entry], notes: "_Notes") -> Iterator[Candidate]:
        groups: dict[Kind, list[Entry]] = {kind: [] for kind in Kind}
        for name in sorted(parts.keys() - MARKERS):
            groups[_kind(str(target_of(name)), parts)].append(parts[name])
        for kind, entries in groups.items():
            members = {SET_FILES[entry.name]: entry for entry in entries if entry.name in SET_FILES}
            uploads = [entry for entry in entries if entry.name not in SET_FILES]
            markers = notes.markers_for(members.values(), parts)
            gone = self._gone(kind, [*entries, *markers], parts, notes.moment.now)
            if entries:
                tracks = self._tracks
                yield Candidate(kind, self.rules, notes.moment, members, uploads, markers, parts.keys(), tracks, gone)

    def _gone(self, kind: Kind, entries: list[Entry], inbox: Mapping[str, Entry], now: float) -> float:
        """When a name of the set last went away: perhaps to come back as another."""
        history = self._histories[kind]
        if not entries:
            history = self._histories[kind] = _History()
        elif not history.names <= inbox.keys():
            history.gone = now
        history.names = frozenset(entry.name for entry in entries)
        return history.gone

    def _judge(self, candidate: Candidate, notes: "_Notes") -> None:
        history, now = self._histories[candidate.kind], notes.moment.now
        notes.due += candidate.due()
        notes.abandoned += candidate.abandoned()
        if candidate.kind is Kind.FULL:
            notes.peek += candidate.unread()
        if candidate.closer or candidate.settled:
            history.restless = None
            if candidate.members:
                self._decide(candidate, history, notes)
            return
        notes.waiting += candidate.unsettled()
        history.restless = candidate.changed if history.restless is None else history.restless
        overdue = history.restless + self.rules.set_window
        notes.due.append(overdue)
        if now >= overdue and candidate.restless:
            names = listed([entry.name for entry in candidate.restless])
            notes.overdue.append(f"{names}: not complete for longer than {span(self.rules.set_window)}, still waiting")

    def _decide(self, candidate: Candidate, history: _History, notes: "_Notes") -> None:
        """The files are quiet: is it time?"""
        until = candidate.changed + self.rules.set_window
        lacking = [] if candidate.closer else candidate.lacking()
        delivery = Delivery(candidate.members, candidate.kind is not Kind.FULL, candidate.used, candidate.missing)
        if lacking and notes.moment.now < until:
            notes.due.append(until)
            notes.waiting += [f"{text} (waiting until {notes.moment.at(until)})" for text in lacking]
        elif candidate.missing and self.rules.incomplete == "hold":
            notes.waiting += [f"{text} (held)" for text in candidate.lacking()]
            files = tuple((e.name, e.inode, e.size, e.mtime_ns, e.mended) for e in candidate.members.values())
            notes.held, notes.held_is_new, history.held = delivery, files != history.held, files
        else:
            notes.ready.append(delivery)
            notes.used.update(marker.name for marker in delivery.markers)


@dataclass
class _Notes:
    """What one look has found so far."""

    moment: Moment
    ready: list[Delivery] = field(default_factory=list)
    held: Delivery | None = None
    held_is_new: bool = False
    waiting: list[str] = field(default_factory=list)
    abandoned: list[str] = field(default_factory=list)
    overdue: list[str] = field(default_factory=list)
    peek: list[str] = field(default_factory=list)
    due: list[float] = field(default_factory=list)
    fresh: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    def markers_for(self, files: Iterable[Entry], parts: Mapping[str, Entry]) -> list[Entry]:
        """The markers that are as new as the files, and not used up by the set before."""
        newest = max((file.ctime_ns for file in files), default=inf)
        markers = [parts[name] for name in MARKERS if name in parts and parts[name].ctime_ns >= newest]
        self.fresh.update(marker.name for marker in markers)
        return [marker for marker in markers if marker.name not in self.used]

    def tell_markers(self, parts: Mapping[str, Entry]) -> None:
        """Say which markers do not count, and why."""
        files = [entry for entry in parts.values() if entry.name in SET_FILES]
        newest = max(files, key=lambda entry: entry.ctime_ns, default=None)
        for marker in (parts[name] for name in MARKERS if name in parts):
            if marker.trouble:
                self.waiting.append(f"{marker.name} counts as not there: {marker.trouble}")
            elif newest is None:
                self.waiting.append(f"{marker.name} has no file to close")
            elif marker.name not in self.fresh:
                self.waiting.append(f"{marker.name} is older than {newest.name} and counts for an earlier delivery")

    def verdict(self, others: Iterable[str]) -> Verdict:
        """All of it, fit to be shown."""
        near, ignored = _others(others)
        now = self.moment.now
        due = min((moment for moment in self.due if moment > now), default=None)
        return Verdict(
            ready=tuple(self.ready),
            held=self.held,
            held_is_new=self.held_is_new,
            waiting=(*self.waiting, *self.abandoned),
            overdue=tuple(self.overdue),
            peek=tuple(self.peek),
            near_misses=_shown(near),
            ignored=_shown(ignored),
            look_again=None if due is None else due - now,
        )


def _kind(target: str, parts: Mapping[str, Entry]) -> Kind:
    """The set that a file belongs to, and an upload that becomes it."""
    if target in _REJECTS:
        return Kind.REJECTS
    return Kind.MENDED if target in parts and parts[target].mended else Kind.FULL


def _others(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Names that come close, and those nobody waits for."""
    near, ignored = [], []
    for name in names:
        if element := SET_FILES.get(name):
            near.append(f"{name} ({element} is turned off)")
        elif _NEAR_MARKER.fullmatch(name) or any(pattern.match(name) for pattern in NEAR_MISSES.values()):
            near.append(name)
        else:
            ignored.append(name)
    return near, ignored


def _shown(names: list[str]) -> tuple[str, ...]:
    """Names in order, safe to show and not too many."""
    return capped([shorten(name) for name in nsmallest(SHOWN, names)], len(names))
