"""What lies in an inbox, and the events that say "look again" (LIFECYCLE; DESIGN 5: events wake, scans decide).

A listing is the truth; events only make it come sooner. They get lost for many reasons, and none of them is told to the
program: queues overflow, folders are replaced, remounted, or on a server that sends no events at all.
"""

import contextlib
import logging
import os
import stat
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from watchdog import events
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, EventEmitter, ObservedWatch

from lzsyncd.feed.elements import MENDED_MARK
from lzsyncd.intake.candidate import Entry
from lzsyncd.intake.lease import has_writer
from lzsyncd.intake.markers import LIMIT, MARKERS, SET_FILES, Marker, read_marker
from lzsyncd.intake.mounts import Mounts, watched

LIBRARY = "watchdog.observers"  # its log
EVENTS = [  # not reading, which we do ourselves, and not that the folder itself has changed
    *(events.FileCreatedEvent, events.FileModifiedEvent, events.FileAttribEvent, events.FileClosedEvent),
    *(events.FileMovedEvent, events.FileDeletedEvent),
    *(events.DirCreatedEvent, events.DirAttribEvent, events.DirMovedEvent, events.DirDeletedEvent),
]
HEADER = 64 * 1024  # bytes of a file in which its header is looked for

Wake = Callable[[str, str], None]
Identity = tuple[int, int]


class _Peeked(NamedTuple):
    """What both ends of a file tell."""

    mended: bool = False
    cut: bool = False


class Inbox:
    """One site's inbox.

    Args:
        path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, tuple[tuple[object, ...], _Peeked | Marker]] = {}

    def entries(self) -> list[Entry]:
        """Every name in it.

        Raises:
            OSError: it is not there, or may not be read.
        """
        with os.scandir(self.path) as found:
            listed = [(entry.name, entry.stat(follow_symlinks=False)) for entry in found if _is_there(entry)]
        entries = [self._entry(name, status) for name, status in listed]
        names = {entry.name for entry in entries}
        self._known = {name: known for name, known in self._known.items() if name in names}
        return entries

    def peek(self, names: Iterable[str]) -> None:
        """Look at both ends of files: the next listing says which are mended reject files, or may have been cut off."""
        for name in names:
            found = self._read(name, HEADER)
            if found is not None:
                identity, data = found
                mended = MENDED_MARK.encode() in data.split(b"\n", 1)[0].lower()
                self._known[name] = identity, _Peeked(mended, not self._ends_well(name))
                continue
            with contextlib.suppress(FileNotFoundError):  # the next listing will not have it
                self._known[name] = _identity(os.lstat(self.path / name)), _Peeked()  # taking it will say why

    def _ends_well(self, name: str) -> bool:
        """Whether the last byte ends a line; of a file without a byte, or that can't be read, the run will tell."""
        handle = self._open(name)
        if handle is None:
            return True
        try:
            return os.pread(handle, 1, max(0, os.fstat(handle).st_size - 1)) in (b"", b"\n", b"\r")
        finally:
            os.close(handle)

    def _entry(self, name: str, status: os.stat_result) -> Entry:
        peeked = self._remembered(name, status) if name in SET_FILES else None
        return Entry(
            name=name,
            inode=status.st_ino,
            size=status.st_size if stat.S_ISREG(status.st_mode) else 0,
            mtime_ns=status.st_mtime_ns,
            ctime_ns=status.st_ctime_ns,
            kind=_kind(status.st_mode),
            links=status.st_nlink,
            writer=self._has_writer(name) if stat.S_ISREG(status.st_mode) and _matters(name) else None,
            mended=peeked.mended if peeked else None,
            cut=peeked.cut if peeked else False,
            marker=self._marker(name, status) if name in MARKERS and stat.S_ISREG(status.st_mode) else None,
        )

    def _remembered(self, name: str, status: os.stat_result) -> "_Peeked | None":
        identity, peeked = self._known.get(name, (None, None))
        return peeked if identity == _identity(status) and isinstance(peeked, _Peeked) else None

    def _marker(self, name: str, status: os.stat_result) -> Marker | None:
        identity, marker = self._known.get(name, (None, None))
        if identity == _identity(status) and isinstance(marker, Marker):
            return marker
        found = self._read(name, LIMIT + 1)
        if found is None:
            return None
        identity, data = found
        marker = read_marker(name, data)
        self._known[name] = identity, marker
        return marker

    def _read(self, name: str, size: int) -> tuple[tuple[object, ...], bytes] | None:
        """The start of a file, and which file it was."""
        handle = self._open(name)
        if handle is None:
            return None
        with os.fdopen(handle, "rb") as stream:
            identity = _identity(os.fstat(handle))
            return identity, stream.read(size)

    def _open(self, name: str) -> int | None:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            handle = os.open(self.path / name, flags)
        except OSError:
            return None
        if stat.S_ISREG(os.fstat(handle).st_mode):
            return handle
        os.close(handle)
        return None

    def _has_writer(self, name: str) -> bool | None:
        handle = self._open(name)
        if handle is None:
            return None
        try:
            return has_writer(handle)
        finally:
            os.close(handle)


def _is_there(entry: "os.DirEntry[str]") -> bool:
    try:
        entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # it went while the folder was listed
        return False
    return True


def _matters(name: str) -> bool:
    return name in SET_FILES or name in MARKERS


def _kind(mode: int) -> Literal["file", "directory", "symlink", "other"]:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "symlink" if stat.S_ISLNK(mode) else "other"


def _identity(status: os.stat_result) -> tuple[object, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class _Handler(FileSystemEventHandler):
    """Passes names on. It must not raise: that would end the thread that calls it, and nobody would know."""

    def __init__(self, site: str, wake: Wake) -> None:
        self._site, self._wake = site, wake

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Something happened to a name, or to two."""
        for path in filter(None, (event.src_path, event.dest_path)):
            self._wake(self._site, Path(str(path)).name)


class _Overflow(logging.Handler):
    """The library tells of lost events in its log only."""

    def __init__(self, lost: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._lost = lost

    def emit(self, record: logging.LogRecord) -> None:
        """Events were lost."""
        if "overflow" in record.getMessage().lower():
            self._lost()


class _Armed(NamedTuple):
    """One inbox that is watched: the folder as it was then, and the thread that reads its events."""

    path: Path
    identity: Identity
    watch: ObservedWatch
    emitter: EventEmitter


class Watch:
    """The events of all inboxes; arms, notices what is dead, and arms again.

    Args:
        wake: called from another thread with a site's name and the name of a file.
        lost: called from another thread when events were lost.
        mounts: what is mounted where.
    """

    def __init__(self, wake: Wake, lost: Callable[[], None], mounts: Mounts | None = None) -> None:
        self._wake = wake
        self._mounts = mounts or Mounts()
        self._observer: BaseObserver | None = None
        self._threads: set[threading.Thread] = set()
        self._armed: dict[str, _Armed] = {}
        self._doubted: set[str] = set()
        self._overflow = _Overflow(lost)
        logging.getLogger(LIBRARY).addHandler(self._overflow)

    def arm(self, site: str, path: Path) -> bool:
        """Watch an inbox; whatever was watched for the site before is not any more.

        Returns:
            False where no events can be had: a network file system, no more watches or threads. It is to be polled.

        Raises:
            OSError: the folder is not there.
        """
        self.disarm(site)
        identity, place = _identity_of(path), path.resolve()
        if not self._mounts.send_events(place):
            return False
        try:
            observer = self._running_observer()
            watch = observer.schedule(_Handler(site, self._wake), str(place), event_filter=EVENTS)
        except FileNotFoundError:
            raise
        except (OSError, RuntimeError):
            return False  # the limits of inotify: watches (ENOSPC), instances (EMFILE); of threads (a RuntimeError)
        emitter = next(one for one in observer.emitters if one.watch == watch)
        self._armed[site] = _Armed(path, identity, watch, emitter)
        return True

    def disarm(self, site: str) -> None:
        """Watch a site's inbox no longer."""
        self._doubted.discard(site)
        armed = self._armed.pop(site, None)
        if armed is not None and self._observer is not None:
            try:
                self._observer.unschedule(armed.watch)
            except (KeyError, OSError, RuntimeError):
                logging.getLogger("lzsyncd").debug("A dead watch could not be taken back.")

    def give_up_if_ended(self, site: str) -> None:
        """Watch an inbox no longer where a change of mounts has ended its watch: it is to be armed, and that told.

        A folder that was unmounted and mounted again looks the same, but its watch is gone (inotify(7), IN_UNMOUNT), of
        which the library says nothing; the kernel does. Most mounts concern no inbox: a machine with containers has one
        every few seconds, and arming a hundred inboxes anew takes as long as idling for minutes.
        """
        if self._mounts.have_changed():
            alive = watched()
            self._doubted = {name for name, armed in self._armed.items() if armed.identity not in alive}
        if site in self._doubted:
            self.disarm(site)

    def is_well(self, site: str) -> bool:
        """Whether events of this inbox still come: threads alive, and the folder is the one that is watched."""
        armed = self._armed.get(site)
        if armed is None or not armed.emitter.is_alive() or not all(thread.is_alive() for thread in self._threads):
            return False
        try:
            return _identity_of(armed.path) == armed.identity
        except OSError:
            return False

    def stop(self) -> None:
        """End all threads. The library tells of events that come meanwhile as errors; nobody waits for them."""
        library = logging.getLogger(LIBRARY)
        library.removeHandler(self._overflow)
        before = library.level
        library.setLevel(logging.CRITICAL)
        self._stop_observer()
        library.setLevel(before)
        self._armed.clear()

    def _running_observer(self) -> BaseObserver:
        if self._observer is None or not all(thread.is_alive() for thread in self._threads):
            self._stop_observer()
            before = set(threading.enumerate())
            observer = Observer()
            observer.start()
            self._observer, self._threads = observer, set(threading.enumerate()) - before
        return self._observer

    def _stop_observer(self) -> None:
        """End its threads, and those of all its watches, also where one of them is dead already."""
        if self._observer is not None:
            try:
                self._observer.stop()
            except (OSError, RuntimeError):
                logging.getLogger("lzsyncd").debug("A dead observer could not be stopped.")
            self._observer.join(5)
        self._observer, self._threads = None, set()


def _identity_of(path: Path) -> Identity:
    status = path.stat()
    return status.st_dev, status.st_ino
