"""Looks that may take longer than a page: begun by a page, gone on with beside it, and told when they are over.

What stands in the way of an undo is found by comparing all that the run has written with what stands: milliseconds for
a usual day, some seconds for a million records. The page comes at once, and asks for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event, Lock, Thread

from lzsyncd.errors import LzsyncdError
from lzsyncd.logs import logger
from lzsyncd.sync.undo import Undo
from lzsyncd.zone.database import Database

AT_ONCE = 0.02  # seconds for which a page waits: on a small site the look is over by then


@dataclass
class Look:
    """A look at what taking a run back would do.

    Attributes:
        begun: when it began; it knows nothing of what was written later.
        found: what it found; None as long as it goes on, and where there was trouble.
        trouble: why it found nothing, for whoever asked; "" for no trouble.
    """

    begun: datetime
    found: Undo | None = None
    trouble: str = ""
    _over: Event = field(default_factory=Event)

    @property
    def is_over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._over.is_set()

    def wait(self, seconds: float) -> None:
        """Give it some time."""
        self._over.wait(seconds)

    def take(self, look: Callable[[], Undo]) -> None:
        """Look, and keep what was found. Whatever happens it is over then: somebody waits for it."""
        try:
            self.found = look()
        except LzsyncdError as error:
            self.trouble = str(error)
        except Exception as error:  # noqa: BLE001 whatever it is
            self.trouble = _told(error)
        finally:
            self._over.set()


def _told(error: Exception) -> str:
    """As a page would tell it. The log has where, and no value of a file."""
    if Database.is_away(error):
        return "The database is busy or away. Try again in a moment."
    logger().error("A look at an undo failed.", exc_info=error, **{"event.action": "page_failed"})
    return "Something went wrong here. The log of lzsyncd-web has where."


@dataclass
class Looks:
    """The looks of all sites: one at a time at each run, however often its page is opened."""

    _looks: dict[tuple[str, str], Look] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def at(self, site: str, run: str, now: datetime, look: Callable[[], Undo], *, anew: bool) -> Look:
        """The look at a run: the one that goes on, or a new one.

        Args:
            site: whose run.
            run: which.
            now: the time.
            look: how to look; called in a thread of its own, which ends with the process.
            anew: one that is over does not count: something may have been written since.
        """
        with self._lock:
            known = self._looks.get((site, run))
            if known and not (known.is_over and anew):
                return known
            self._forget(site)
            made = self._looks[site, run] = Look(now)
            Thread(target=made.take, args=(look,), daemon=True, name=f"look-{site}").start()
            return made

    def _forget(self, site: str) -> None:
        """Those of a site that are over: nobody asks for them any more, or they begin anew."""
        for key in [key for key, look in self._looks.items() if key[0] == site and look.is_over]:
            del self._looks[key]
