"""One set that may be complete: its files as one look sees them, what it still waits for, and the words for that."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cached_property
from typing import Literal

from lzsyncd.checks.catalogue import shorten
from lzsyncd.feed.elements import Element
from lzsyncd.intake.markers import SET_DONE, Marker, Named, target_of

PAUSE = 2.0  # seconds of quiet that must have been watched, even with a marker, even where a file's times prove more
MINUTE, HOUR = 60, 3600
SHOWN = 10  # names in one sentence, sentences in one list


@dataclass(frozen=True)
class Entry:
    """One name in the inbox, as lstat saw it, and what else is known about it.

    Attributes:
        writer: somebody has it open for writing (a read lease was refused); None: not known.
        mended: its header has `lz_line`; None: nobody has looked (see `Verdict.peek`).
        cut: it does not end with a line break: an upload that was cut off looks like that. Known when `mended` is.
        marker: its content, where it is a marker and could be read.
    """

    name: str
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    kind: Literal["file", "directory", "symlink", "other"] = "file"
    links: int = 1
    writer: bool | None = None
    mended: bool | None = None
    cut: bool = False
    marker: Marker | None = None

    @property
    def identity(self) -> tuple[object, ...]:
        """What changes when the file does."""
        return self.inode, self.size, self.mtime_ns, self.ctime_ns, self.kind, self.links

    @property
    def named(self) -> tuple[Named, ...]:
        """What it says of files, where it is a marker."""
        return self.marker.files if self.marker else ()

    @property
    def trouble(self) -> str:
        """Why it is no marker that counts, "" where it is one."""
        if self.kind != "file" or self.links > 1:
            return "it is not a plain file"
        if self.name == SET_DONE:
            return ""
        return self.marker.problem if self.marker else "it was not read"


@dataclass(frozen=True)
class Rules:
    """What a site's configuration says of deliveries; durations in seconds."""

    elements: tuple[Element, ...]
    settle: float
    set_window: float
    incomplete: Literal["hold", "sync", "reject"]


class Kind(Enum):
    """The sets that may lie in an inbox side by side, in the order in which they apply."""

    FULL = "full"
    MENDED = "mended"  # reject files under plain names, known by their header
    REJECTS = "rejects"  # reject files under their own names


@dataclass(slots=True)
class Track:
    """Of a name: since when it has been quiet, and since when we have watched it being quiet."""

    identity: tuple[object, ...]
    since: float
    watched: float


@dataclass(frozen=True)
class Moment:
    """A moment for durations and for people.

    Attributes:
        now: monotonic seconds.
        wall: the same, in the site's time zone.
    """

    now: float
    wall: datetime

    def at(self, moment: float) -> str:
        """A monotonic time on the wall clock: `08:12`, with the day where it is another one."""
        told = datetime.fromtimestamp(self.wall.timestamp() + moment - self.now, self.wall.tzinfo)
        return told.strftime("%H:%M" if told.date() == self.wall.date() else "%Y-%m-%d %H:%M")

    def ago(self, moment: float) -> str:
        """How long a monotonic time is past."""
        return span(self.now - moment)


@dataclass(frozen=True)
class Candidate:
    """One set that may be complete.

    Attributes:
        members: its files, by element.
        uploads: temporary names that become one of its files.
        markers: those that are as new as its files.
        inbox: every name that is there.
        tracks: what is remembered of each of its names.
        gone: when one of its names last went away.
    """

    kind: Kind
    rules: Rules
    moment: Moment
    members: dict[Element, Entry]
    uploads: Sequence[Entry]
    markers: Sequence[Entry]
    inbox: Collection[str]
    tracks: Mapping[str, Track]
    gone: float

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Everything that belongs to it."""
        return (*self.members.values(), *self.markers, *self.uploads)

    @cached_property
    def changed(self) -> float:
        """When it last changed."""
        return max(self.gone, *(self.tracks[entry.name].since for entry in self.entries))

    @property
    def pause(self) -> float:
        """How long quiet must have been watched."""
        return min(PAUSE, self.rules.settle)

    @property
    def missing(self) -> tuple[Element, ...]:
        """Elements that are turned on and have no file."""
        return tuple(e for e in self.rules.elements if e not in self.members) if self.kind is Kind.FULL else ()

    @cached_property
    def restless(self) -> tuple[Entry, ...]:
        """What is not quiet yet."""
        files = (entry for entry in (*self.members.values(), *self.markers) if not self.quiet(entry))
        return (*files, *(upload for upload in self.uploads if self.arriving(upload)))

    @property
    def settled(self) -> bool:
        """Whether all of it has been quiet since the last change of any of it."""
        return not self.restless and self.moment.now >= self.gone + self.rules.settle

    def quiet(self, entry: Entry) -> bool:
        """Whether a file is complete, as far as time can tell."""
        track, now = self.tracks[entry.name], self.moment.now
        return not entry.writer and now >= track.since + self._wait(entry) and now >= track.watched + self.pause

    def _wait(self, entry: Entry) -> float:
        """How long quiet must last: for one that may have been cut off as long as for one that is missing."""
        return self.stale if entry.cut else self.rules.settle

    def arriving(self, upload: Entry) -> bool:
        """Whether a temporary name may still become a file: it was touched within the set window."""
        track = self.tracks[upload.name]
        return bool(upload.writer) or self.moment.now < max(track.watched + self.pause, track.since + self.stale)

    @property
    def stale(self) -> float:
        """How long a temporary name is waited for."""
        return max(self.rules.set_window, self.rules.settle)

    @cached_property
    def closer(self) -> Entry | None:
        """The marker that says the set is whole, so that nothing more need be waited for."""
        watched = max(self.gone, *(self.tracks[entry.name].watched for entry in self.entries))
        if any(entry.writer for entry in self.entries) or self.moment.now < watched + self.pause:
            return None
        return next((marker for marker in self.markers if self._closes(marker)), None)

    def _closes(self, marker: Entry) -> bool:
        if marker.trouble or any(upload.ctime_ns > marker.ctime_ns for upload in self.uploads):
            return False
        if marker.name == SET_DONE:
            return True
        # half a list would close half a set: it must be closed itself, or have been quiet for long
        written = marker.writer is False or self.quiet(marker)
        names = {file.name for file in marker.named}
        return written and names.issuperset(e.name for e in self.members.values()) and not any(self._lacks(marker))

    @property
    def used(self) -> tuple[Entry, ...]:
        """The markers that say something of its files."""
        return tuple(marker for marker in self.markers if not marker.trouble and self._tells(marker))

    def _tells(self, marker: Entry) -> bool:
        files = {entry.name for entry in self.members.values()}
        return marker.name == SET_DONE or not files.isdisjoint(file.name for file in marker.named)

    def due(self) -> Iterator[float]:
        """When time alone may change something."""
        yield from (self.gone + self.rules.settle, self.gone + self.pause)
        for entry in self.entries:
            track = self.tracks[entry.name]
            yield from (track.since + self._wait(entry), track.watched + self.pause)
        yield from (self.tracks[upload.name].since + self.stale for upload in self.uploads)

    def lacking(self) -> list[str]:
        """Why quiet alone is not enough: files that are missing, or not what a marker names."""
        return [*self._absent(), *(text for marker in self.markers for text in self._lacks(marker))]

    def _absent(self) -> Iterator[str]:
        if self.missing:
            here = [entry.name for entry in self.members.values()]
            absent = [element.file_name for element in self.missing]
            yield f"{_are(here)} here since {self.moment.at(self.changed)}; {_are(absent)} missing"

    def _lacks(self, marker: Entry) -> Iterator[str]:
        sizes = {entry.name: entry.size for entry in self.members.values()}
        for file in marker.named:
            if file.name in sizes:
                if file.size not in (None, sizes[file.name]):
                    yield f"{file.name} has {sizes[file.name]:,} bytes and {marker.name} names {file.size:,}"
            elif file.name not in self.inbox and self._may_have(file.name):
                yield f"{marker.name} names {file.name}, which is missing"

    def _may_have(self, name: str) -> bool:
        rejects = self.kind is Kind.REJECTS
        return name in {e.mended_file_name if rejects else e.file_name for e in self.rules.elements}

    def unread(self) -> list[str]:
        """Names of complete files whose header nobody has looked at: one may be a mended reject file."""
        files = (entry for entry in self.members.values() if entry.kind == "file" and entry.mended is None)
        return [entry.name for entry in files if self.closer or self.quiet(entry)]

    def unsettled(self) -> tuple[str, ...]:
        """What keeps it from being settled."""
        quiet = f"complete after {span(self.rules.settle)} of quiet"
        doing = [f"{shorten(e.name)}: {self._doing(e, quiet)}" for e in self.restless[:SHOWN]]
        return capped(doing, len(self.restless)) or (f"a file went away {self.moment.ago(self.gone)} ago, {quiet}",)

    def _doing(self, entry: Entry, quiet: str) -> str:
        since = self.tracks[entry.name].since
        changed = f"changed {self.moment.ago(since)} ago"
        if target_of(entry.name) != entry.name:
            return f"still being uploaded, {changed}, {quiet}"
        if entry.writer:
            return f"open for writing, {changed}, {quiet}"
        if entry.cut:
            return (
                f"does not end with a line break: more of it is waited for until {self.moment.at(since + self.stale)}"
            )
        return f"{changed}, {quiet}"

    def abandoned(self) -> tuple[str, ...]:
        """Uploads that nobody goes on with."""
        names = [upload.name for upload in self.uploads if not self.arriving(upload)]
        since = {name: self.moment.at(self.tracks[name].since) for name in names[:SHOWN]}
        return capped(
            [f"{shorten(n)}: untouched since {at}, no longer waited for" for n, at in since.items()], len(names)
        )


def span(seconds: float) -> str:
    """A duration for people: `0.5 s`, `30 s`, `10 min`, `3 h`."""
    if seconds < 2 * MINUTE:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:.0f} h"


def capped(texts: Sequence[str], total: int) -> tuple[str, ...]:
    """The first of many texts, and how many more there are."""
    more = total - len(texts)
    return (*texts, f"and {more:,} more") if more else tuple(texts)


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: `org.csv, pos.csv and user.csv`; safe to show, and not too many."""
    shown = [shorten(name) for name in names[:SHOWN]]
    if more := len(names) - len(shown):
        shown.append(f"{more:,} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def _are(names: Sequence[str]) -> str:
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'}"
