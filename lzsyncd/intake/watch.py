"""What lies in an inbox, and the events that say "look again" (LIFECYCLE; DESIGN 5: events wake, scans decide).

A listing is the truth; events only make it come sooner. They get lost for many reasons, and none of them is told to the
program: queues overflow, folders are replaced, remounted, or on a server that sends no events at all.
"""

import fcntl
import logging
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from lzsyncd.feed.elements import MENDED_MARK
from lzsyncd.intake.candidate import Entry
from lzsyncd.intake.markers import LIMIT, MARKERS, SET_FILES, Marker, read_marker

QUIET = ("opened", "closed_no_write")  # reading, which we do ourselves
HEADER = 64 * 1024  # bytes of a file in which its header is looked for
SILENT_FILE_SYSTEMS = ("nfs", "cifs", "smb", "fuse", "9p", "afs", "ceph", "glusterfs", "lustre", "gfs2", "ocfs2")

Wake = Callable[[str, str | None], None]
Identity = tuple[int, int]


class Inbox:
    """One site's inbox.

    Args:
        path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, tuple[tuple[object, ...], bool | Marker | None]] = {}

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
        """Look into the headers of files: the next listing says which are mended reject files."""
        for name in names:
            if (data := self._read(name, HEADER)) is not None:
                status = os.lstat(self.path / name)
                header = data.split(b"\n", 1)[0].lower()
                self._known[name] = (_identity(status), MENDED_MARK.encode() in header)
            else:
                self._known[name] = (_identity(os.lstat(self.path / name)), False)  # taking it will say why

    def _entry(self, name: str, status: os.stat_result) -> Entry:
        return Entry(
            name=name,
            inode=status.st_ino,
            size=status.st_size if stat.S_ISREG(status.st_mode) else 0,
            mtime_ns=status.st_mtime_ns,
            ctime_ns=status.st_ctime_ns,
            kind=_kind(status.st_mode),
            links=status.st_nlink,
            writer=self._has_writer(name) if stat.S_ISREG(status.st_mode) and _matters(name) else None,
            mended=self._remembered(name, status) if name in SET_FILES else None,
            marker=self._marker(name, status) if name in MARKERS and stat.S_ISREG(status.st_mode) else None,
        )

    def _remembered(self, name: str, status: os.stat_result) -> bool | None:
        identity, mended = self._known.get(name, (None, None))
        return mended if identity == _identity(status) and isinstance(mended, bool) else None

    def _marker(self, name: str, status: os.stat_result) -> Marker | None:
        identity, marker = self._known.get(name, (None, None))
        if identity != _identity(status) or not isinstance(marker, Marker):
            data = self._read(name, LIMIT + 1)
            if data is None:
                return None
            marker = read_marker(name, data)
            self._known[name] = (_identity(status), marker)
        return marker

    def _read(self, name: str, size: int) -> bytes | None:
        handle = self._open(name)
        if handle is None:
            return None
        with os.fdopen(handle, "rb") as stream:
            return stream.read(size)

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
        """Whether somebody has the file open for writing: then nobody gets a read lease on it; None: not known.

        The lease is dropped at once: a writer who opens the file meanwhile would have to wait for that.
        """
        handle = self._open(name)
        if handle is None:
            return None
        try:
            fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except BlockingIOError:
            return True
        except OSError:  # neither owner nor CAP_LEASE, or a file system without leases
            return None
        finally:
            os.close(handle)
        return False


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


def sends_events(path: Path) -> bool:
    """Whether the kernel hears of all changes in a folder: on a network file system others make them, too."""
    best, kind = Path("/"), ""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        point = Path(fields.split(" ")[4].encode().decode("unicode_escape"))
        if (path == point or point in path.parents) and len(point.parts) >= len(best.parts):
            best, kind = point, rest.split(" ")[0]
    return not kind.startswith(SILENT_FILE_SYSTEMS)


class _Handler(FileSystemEventHandler):
    """Passes names on. It must not raise: that would end the thread that calls it, and nobody would know."""

    def __init__(self, site: str, wake: Wake) -> None:
        self._site, self._wake = site, wake

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Something happened to a name, or to two."""
        if event.event_type in QUIET:
            return
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


class Watch:
    """The events of all inboxes; arms, notices what is dead, and arms again.

    Args:
        wake: called from another thread with a site's name and the name of a file, None for any.
        lost: called when events were lost.
    """

    def __init__(self, wake: Wake, lost: Callable[[], None]) -> None:
        self._wake = wake
        self._observer: BaseObserver | None = None
        self._armed: dict[str, tuple[Path, Identity, ObservedWatch]] = {}
        logging.getLogger("watchdog.observers").addHandler(_Overflow(lost))

    def arm(self, site: str, path: Path) -> bool:
        """Watch an inbox; whatever was watched for the site before is not any more.

        Returns:
            False where no events can be had: a network file system, or no more watches. It is then to be polled.

        Raises:
            OSError: the folder is not there.
        """
        self.disarm(site)
        identity = _identity_of(path)
        if not sends_events(path.resolve()):
            return False
        try:
            observer = self._running_observer()
            watch = observer.schedule(_Handler(site, self._wake), str(path))
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise
            return False  # the limits of inotify: watches (ENOSPC), instances (EMFILE)
        self._armed[site] = (path, identity, watch)
        return True

    def disarm(self, site: str) -> None:
        """Watch a site's inbox no longer."""
        if site in self._armed:
            _, _, watch = self._armed.pop(site)
            if self._observer is not None:
                try:
                    self._observer.unschedule(watch)
                except (KeyError, OSError, RuntimeError):
                    logging.getLogger("lzsyncd").debug("A dead watch could not be taken back.")

    def is_well(self, site: str) -> bool:
        """Whether events of this inbox still come: threads alive, and the folder is the one that is watched."""
        if site not in self._armed or self._observer is None or not self._observer.is_alive():
            return False
        path, identity, watch = self._armed[site]
        emitter = next((one for one in self._observer.emitters if one.watch == watch), None)
        try:
            return emitter is not None and emitter.is_alive() and _identity_of(path) == identity
        except OSError:
            return False

    def stop(self) -> None:
        """End all threads."""
        if self._observer is not None and self._observer.is_alive():
            self._observer.stop()
            self._observer.join(5)
        self._observer = None
        self._armed.clear()

    def _running_observer(self) -> BaseObserver:
        if self._observer is None or not self._observer.is_alive():
            self._observer = Observer()
            self._observer.start()
        return self._observer


def _identity_of(path: Path) -> Identity:
    status = path.stat()
    return status.st_dev, status.st_ino
