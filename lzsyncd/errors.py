"""Why a command ends, as exit codes and exceptions (CONTRACT section 8)."""

import errno
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What a command tells its caller."""

    CLEAN = 0
    FAILED = 1
    USAGE = 2
    FINDINGS = 10
    HELD = 20
    REJECTED = 30
    NO_SET = 40
    TRY_AGAIN = 75
    NO_PERMISSION = 77
    CONFIGURATION = 78


class LzsyncdError(Exception):
    """Something stopped the work. The text says what, in one sentence, and names no value of a file."""

    exit_code = ExitCode.FAILED


class Usage(LzsyncdError):
    """The command was asked for something that is not there; asking again changes nothing."""

    exit_code = ExitCode.USAGE


class NoSet(LzsyncdError):
    """There is no set to sync."""

    exit_code = ExitCode.NO_SET


class TryAgain(LzsyncdError):
    """A lock is held or a database is away; the same command may work later."""

    exit_code = ExitCode.TRY_AGAIN


class OutcomeUnknown(TryAgain):
    """The database went away between a commit and its answer; the ledger tells whoever comes next."""


class SiteIsBusy(TryAgain):
    """Somebody else works for the site; when that is done it may be nobody's turn any more."""


class NotPermitted(LzsyncdError):
    """A file or folder may not be read or written by this account."""

    exit_code = ExitCode.NO_PERMISSION


class DiskFull(LzsyncdError):
    """Something can't be written for want of room, or of a sound disk; the same command works once there is some."""


class Damaged(LzsyncdError):
    """A database can't be read as it is; the same command works once it was restored, or its disk mended."""


class NoMemory(LzsyncdError):
    """There is not enough memory. What was begun was rolled back."""


Fault = DiskFull | NotPermitted | Damaged
"""What a place has against us; no fault of any set."""


class Interrupted(LzsyncdError):
    """The program was told to end. What it did was rolled back and goes on later."""

    exit_code = ExitCode.TRY_AGAIN


class TookTooLong(LzsyncdError):
    """A run went on for longer than its time limit. It was rolled back."""


class Unfinished(LzsyncdError):
    """A run is over and stands, but what comes after it could not be done; the next sync makes up for it."""

    def __init__(self, text: str, exit_code: ExitCode) -> None:
        super().__init__(text)
        self.exit_code = exit_code


class BooksDoNotBalance(LzsyncdError):
    """The books of a run do not balance: a fault of lzsyncd. Nothing was applied."""


NO_ROOM = {
    errno.ENOSPC: "The disk is full, {} can't be written: make room there, then run the command again.",
    errno.EDQUOT: "The disk quota is used up, {} can't be written: make room there, then run the command again.",
    errno.EFBIG: "Files may not grow any further (ulimit -f, LimitFSIZE), {} can't be written: raise that limit.",
    errno.EIO: "The disk is broken (input/output error), {} can't be used: mend or replace it.",
    errno.EUCLEAN: "The file system is damaged, {} can't be used: check it (fsck).",
    # so ext4 calls a block that its disk does not have any more
    errno.ENOMEM: "The disk is broken, or the kernel has no memory, {} can't be written: mend that, then try again.",
}
BROKEN = (errno.EIO, errno.EUCLEAN)
"""What only a disk says, whatever was asked of it."""
UNREADABLE = ("SQLITE_IOERR_READ", "SQLITE_IOERR_SHORT_READ", "SQLITE_IOERR_CORRUPTFS")
"""SQLite's names for what a disk does not give back: the last for EIO, the others for what a file should have."""
RESTORE = "restore the database from its backup, as docs/backup.md says; until then no set of the site is synced."


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Say what a file system has against writing at a place in a sentence that names it, and how to mend it.

    Raises:
        DiskFull: there is no room, or the disk is broken.
        NotPermitted: this account may not write there.
    """
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise no_room(place, error.errno) from error
        if error.errno == errno.EROFS and not _is_read_only(_there(place)):  # so ext4 ends when its journal can't go on
            raise no_room(place, errno.EIO) from error
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise not_permitted(place) from error
        raise


def no_room(place: Path, reason: int = errno.ENOSPC) -> DiskFull:
    """A place that is full."""
    return DiskFull(NO_ROOM[reason].format(_there(place)))


def not_permitted(place: Path, verb: str = "written") -> NotPermitted:
    """A place that this account may not use."""
    there = _there(place)
    if verb == "written" and _is_read_only(there):
        by_itself = "Where nobody has mounted it so, its disk is broken."
        return NotPermitted(
            f"{there} can't be written, its file system is mounted read-only: mount it writable. {by_itself}"
        )
    return NotPermitted(f"{there} may not be {verb} by the account {_account()}: change its owner or mode.")


def _is_read_only(there: Path) -> bool:
    """Whether its file system is mounted so."""
    return bool(os.statvfs(there).f_flag & os.ST_RDONLY)


def _there(place: Path) -> Path:
    """The place, or the folder in which it can't be made."""
    return next((path for path in (place, *place.parents) if os.path.lexists(path)), place)


def _account() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"with uid {os.geteuid()}"


def refused_by_disk(error: OSError, place: Path) -> DiskFull | None:
    """A broken disk, whatever was asked of it; `place` is where it is, if the error does not say."""
    return no_room(Path(error.filename or place), error.errno) if error.errno in BROKEN else None


def refused_by_sqlite(path: Path, name: str) -> Fault | None:
    """What SQLite's error of this name says of the place; it tells neither which of its files it is about, nor why."""
    path = path.resolve()  # its other files are beside the real one
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return Damaged(f"{path} is damaged ({name}): {RESTORE}")
    if name in UNREADABLE:
        return Damaged(f"The disk is broken, {path} can't be read ({name}): mend or replace it, then {RESTORE}")
    if name == "SQLITE_FULL":
        return no_room(path)
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        files = (path.with_name(path.name + end) for end in ("", "-wal", "-shm"))
        for place in (path.parent, *filter(os.path.lexists, files)):
            if not os.access(place, os.W_OK):
                return not_permitted(place)
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")):
        reasons = "The disk is full or broken, or files may not grow any further (ulimit -f, LimitFSIZE)"
        return DiskFull(f"{reasons}, {path} can't be written ({name}): make room there, or raise that limit.")
    return None


def refused_by_server(site: str, state: str | None) -> Fault | None:
    """What a PostgreSQL server's error with this SQLSTATE says of the place."""
    if state not in REFUSALS:
        return None
    kind, text = REFUSALS[state]
    return kind(text.format(f"database of site {site}"))


REFUSALS: dict[str | None, tuple[type[DiskFull | NotPermitted | Damaged], str]] = {
    "53100": (DiskFull, "The disk of the server is full, the {} can't be written: make room there."),
    "53400": (DiskFull, "The server has a limit that the {} has reached: raise it (temp_file_limit)."),
    "25006": (NotPermitted, "The {} is read-only: make it writable, or name the server that is."),
    "42501": (NotPermitted, "The {} may not be written by its account: it must own the tables."),
    "58030": (Damaged, f"The disk of the server is broken, the {{}} can't be read: mend or replace it, then {RESTORE}"),
    "XX001": (Damaged, f"The {{}} is damaged, its server's log says where: {RESTORE}"),
    "XX002": (Damaged, "An index of the {} is damaged, its server's log says which: rebuild it (REINDEX)."),
}
"""By SQLSTATE."""
