"""Does anybody have a file open for writing? Nobody gets a read lease on such a file (fcntl(2), F_SETLEASE)."""

import fcntl
import os
import signal
from pathlib import Path


def has_writer(handle: int) -> bool | None:
    """Whether somebody has a file open for writing; None: not known, for want of rights or of leases.

    The lease is dropped at once: a writer who opens the file meanwhile would have to wait for that. Such a writer sends
    SIGIO, which ends a process that does not care for it; SIGURG does not.

    Args:
        handle: of the file, open for reading only.
    """
    try:
        fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:  # neither owner nor CAP_LEASE, or a file system without leases
        return None
    return False


def is_written(name: str | Path, folder: int | None = None) -> bool:
    """Whether somebody has what lies under a name open for writing, as far as that can be known.

    Args:
        name: of a file, perhaps of something else; a link is not followed.
        folder: the open one that it is in, where the name is bare.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(name, flags, dir_fd=folder)
    except OSError:
        return False
    try:
        return has_writer(handle) is True
    finally:
        os.close(handle)
