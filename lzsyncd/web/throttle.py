"""Wrong passwords cost time: who has guessed too often waits.

Pure. Kept in memory: whoever is not signed in writes nothing, and a site that is not there answers like one that is.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence

WINDOW = 900.0  # seconds
PER_PAIR = 5  # wrong passwords for one account from one address
PER_ADDRESS = 20
PER_ACCOUNT = 50  # high: nobody should be able to lock somebody else out for fun
REMEMBERED = 20_000  # keys; then the oldest is forgotten

Key = tuple[str, ...]


class Throttle:
    """Counts what failed, by account and by address, over all sites."""

    def __init__(self) -> None:
        self._failures: OrderedDict[Key, deque[float]] = OrderedDict()

    def wait(self, site: str, account: str, address: str, now: float) -> float:
        """Seconds until the next attempt is looked at; 0 for at once.

        Args:
            site: the name that was asked for, whether there is such a site or not.
            account: the name that was given.
            address: from where.
            now: of a monotonic clock.
        """
        return max(self._wait(key, limit, now) for key, limit in _keys(site, account, address))

    def failed(self, site: str, account: str, address: str, now: float) -> None:
        """A wrong password."""
        for key, limit in _keys(site, account, address):
            self._failures.setdefault(key, deque(maxlen=limit)).append(now)
            self._failures.move_to_end(key)
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, site: str, account: str, address: str) -> None:
        """The right password: the person who mistyped it is known now. What others guessed still counts."""
        self._failures.pop((site, account, address), None)

    def _wait(self, key: Key, limit: int, now: float) -> float:
        failures = self._failures.get(key)
        if failures is None or len(failures) < limit:
            return 0.0
        return max(0.0, failures[0] + WINDOW - now)


def _keys(site: str, account: str, address: str) -> Sequence[tuple[Key, int]]:
    return (
        ((site, account, address), PER_PAIR),
        (("", "", address), PER_ADDRESS),
        ((site, account, ""), PER_ACCOUNT),
    )
