"""Is all well? Only then is the watchdog fed. And the words for how it goes.

A restart is worth a try once: what is wrong at the start already, a restart can't mend, so it is told and excused until
it is well again. So one site's broken database never has the daemon restarted for ever.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lzsyncd.service.daemon import Daemon
    from lzsyncd.service.sites import Charge

PATIENCE = 20.0  # seconds for which something may be wrong before the watchdog hears of it
SHOWN = 200  # characters of the status line


class Health:
    """Looks at everything the daemon holds."""

    def __init__(self, daemon: "Daemon") -> None:
        self._daemon = daemon
        self._wrong_since: dict[tuple[str, str], float] = {}
        self._excused: set[tuple[str, str]] = set()
        self._fed_at = 0.0

    def excuse(self, charge: "Charge") -> None:
        """What is wrong with a site when it is first seen was wrong before: a restart does not mend it."""
        self._excused |= set(_wrong_with(charge))

    def is_well(self) -> bool:
        """Whether nothing has been wrong for longer than may be."""
        now, wrong = monotonic(), set(self._wrong())
        self._excused &= wrong
        self._wrong_since = {what: self._wrong_since.get(what, now) for what in wrong}
        return all(what in self._excused or now - since < PATIENCE for what, since in self._wrong_since.items())

    def feed(self) -> None:
        """Tell systemd that all is well, where it is, thrice in its interval."""
        interval, now = self._daemon.systemd.watchdog, monotonic()
        if interval is not None and now - self._fed_at >= interval / 3 and self.is_well():
            self._daemon.systemd.alive()
            self._fed_at = now

    def _wrong(self) -> list[tuple[str, str]]:
        """What is wrong: (site, inbox | database | observer | worker)."""
        now = monotonic()
        found = [fault for charge in self._daemon.charges.values() for fault in _wrong_with(charge)]
        return found + [(name, "worker") for name, worker in self._daemon.crew.workers.items() if worker.overdue(now)]

    def status(self) -> str:
        """One line: what is wrong first, then what is done and waited for."""
        charges, now = self._daemon.charges, datetime.now(UTC)
        parts = [f"{name}: {text}" for name, charge in charges.items() for text in charge.wrongs.values()]
        parts += [f"{name}: a run is under way" for name in self._daemon.crew.workers]
        parts += [f"{name}: {who} works for it" for name, who in self._others()]
        for name, charge in charges.items():
            parts += [f"{name}: the remote server can't be visited"] if charge.visits and charge.visits.failures else []
            parts += [f"{name}: {len(charge.seen.held)} held"] if charge.seen.held else []
            parts += [f"{name}: {text}" for text in charge.verdict.waiting[:1]]
            if checked := charge.seen.figures.waiting:
                at = charge.next_slot(now).due_at.astimezone(charge.site.timezone)
                parts.append(f"{name}: {checked} checked, to be applied on {at:%Y-%m-%d at %H:%M}")
        text = "; ".join([sites_of(len(charges)), *(parts or ["idle"])])
        return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."

    def _others(self) -> list[tuple[str, str]]:
        """Sites for which somebody else works, and who."""
        found = [(name, charge.seen.worker) for name, charge in self._daemon.charges.items() if charge.seen.worker]
        return [(name, who) for name, who in found if name not in self._daemon.crew.workers]

    def report(self) -> dict[str, Any]:
        """All of it, for `lzsyncd status`."""
        now = datetime.now(UTC)
        sites = {}
        for name, charge in self._daemon.charges.items():
            slot = charge.next_slot(now)
            verdict = asdict(charge.verdict)
            sites[name] = {
                "trouble": charge.wrongs,
                "working": name in self._daemon.crew.workers or bool(charge.seen.worker),
                "waiting": list(charge.verdict.waiting),
                "overdue": verdict["overdue"],
                "near_misses": verdict["near_misses"],
                "ignored": verdict["ignored"],
                "next_slot": {"name": slot.name, "due_at": slot.due_at.isoformat()},
            }
        return {"status": self.status(), "config_is_good": self._daemon.config_is_good, "sites": sites}


def _wrong_with(charge: "Charge") -> list[tuple[str, str]]:
    found = [*charge.trouble, *(() if charge.is_watched else ("observer",))]
    return [(charge.site.name, what) for what in found]


def sites_of(number: int) -> str:
    """A number of sites in words."""
    return f"{number} site{'' if number == 1 else 's'}" if number else "no site is configured"
