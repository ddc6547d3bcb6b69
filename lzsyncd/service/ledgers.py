"""Whose ledger is looked into, and when: a look takes a moment, or seconds where a database is away."""

from collections import deque
from collections.abc import Collection, Iterable
from time import monotonic

from schedule import Scheduler

from lzsyncd.service.sites import Charge

EVERY = 60  # seconds between two looks into each; also after every errand
AT_ONCE = 1.0  # seconds for which one look follows another, before the loop has its turn


class Ledgers:
    """The queue of sites whose ledger is to be looked into.

    Args:
        charges: the sites, by name; may change.
    """

    def __init__(self, charges: dict[str, Charge]) -> None:
        self._charges, self._unread = charges, deque[str]()
        self._ticker = Scheduler()
        self._ticker.every(EVERY).seconds.do(self.ask)

    def ask(self, names: Iterable[str] | None = None) -> None:
        """Have ledgers looked into, all of them without names."""
        self._unread.extend(name for name in (self._charges if names is None else names) if name not in self._unread)

    def read(self, busy: Collection[str]) -> bool:
        """Look into those whose turn it is, as far as there is time; whether there was any.

        Args:
            busy: sites for which somebody works: no look but the regular one.
        """
        now = monotonic()
        self._ticker.run_pending()
        self.ask(name for name, charge in self._charges.items() if charge.ledger_at <= now and name not in busy)
        before = len(self._unread)
        while self._unread and monotonic() < now + AT_ONCE:
            if charge := self._charges.get(self._unread.popleft()):
                charge.check_ledger()
        return len(self._unread) < before
