"""The run's lock where the database is SQLite: a file beside it."""

import fcntl
import os

from lzsyncd.config import Site
from lzsyncd.errors import SiteIsBusy, writing


def hold_file(site: Site, run_id: str) -> int:
    """Take the lock for as long as the file that is returned is open.

    Raises:
        SiteIsBusy: another run holds it; the text says which.
    """
    path = site.folder / "zone.lock"
    with writing(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _hold(handle, site, run_id)
        except BaseException:
            os.close(handle)
            raise
    return handle


def _hold(handle: int, site: Site, run_id: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 200, 0).decode(errors="replace").strip()
        raise SiteIsBusy(f"Another run of site {site.name} holds the lock: {holder}.") from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"lzsyncd {run_id}, process {os.getpid()}".encode(), 0)
