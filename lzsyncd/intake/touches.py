"""What events said of inboxes since the daemon last looked: which names, and when."""

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from time import monotonic

WAKE = ".wake"
"""A name that is made in an inbox, and gone at once: somebody asks for something who may send the daemon no signal."""

REMEMBERED = 1_000  # names of one site; with more, an event counts for all

Touched = dict[str | None, float]


class Touches:
    """Noted by the threads that read events, taken by the loop. Nothing here raises: that would end those threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._touched: dict[str, Touched] = {}
        self._fresh: set[str] = set()
        self._all = False

    def note(self, site: str, name: str) -> bool:
        """Something happened to a name; whether it is the first since the site's were taken."""
        with self._lock:
            touched = self._touched.setdefault(site, {})
            touched[name if name in touched or len(touched) < REMEMBERED else None] = monotonic()
            is_first = len(touched) == 1
            if is_first:
                self._fresh.add(site)
            return is_first

    def note_lost(self) -> None:
        """Events were lost: perhaps of any name in any inbox."""
        self._all = True

    def fresh(self, sites: Iterable[str]) -> list[str]:
        """Of some sites those of which something was noted since this was asked last."""
        with self._lock:
            if self._all:
                self._all, now = False, monotonic()
                for site in sites:
                    self._touched.setdefault(site, {})[None] = now
                    self._fresh.add(site)
            found, self._fresh = self._fresh, set()
            return list(found)

    def take(self, site: str) -> Touched:
        """All that was noted of a site."""
        with self._lock:
            self._fresh.discard(site)
            return self._touched.pop(site, {})


def wake(inbox: Path) -> None:
    """Ask the daemon to look into the ledger of an inbox's site now; where no events come it does so by itself."""
    path = inbox / WAKE
    with suppress(OSError):  # whoever may write there has put something in its place: that is taken away, not followed
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    with suppress(OSError):
        path.unlink()
