"""The life of an installation: what comes each day, what people do, what happens to the machine; and its books."""

import random
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.soak.house import Evening, House, ahead, people

BAD = b"idnumber,username\n1,u1\n"  # columns are missing
FATES = ("good", "good", "good", "good", "findings", "bad", "too many go", "late", "nothing")
"""What becomes of a site's day, so often."""
TROUBLES = ("restart", "kill", "reload", "bad reload", "migrate", "nothing", "nothing")
"""What happens to the machine, one a day."""


@dataclass
class Life:
    """A house, and what was done to it.

    Attributes:
        house: with a daemon that runs.
        chance: decides, always the same for one seed.
        delivered: how many sets came, by site.
        days: how many slots there must have been.
        done: what was done how often.
    """

    house: House
    chance: random.Random
    delivered: Counter[str] = field(default_factory=Counter)
    days: int = 0
    done: Counter[str] = field(default_factory=Counter)

    def begin(self) -> None:
        """The first set of each site; the guards need somebody who stands."""
        self.house.start()
        for name in self.house.names:
            self._deliver(name, people(0))
        self.house.rest(self.house.names)

    def live(self, days: int) -> Iterator[Evening]:
        """Day after day; how each ended."""
        for day in range(1, days + 1):
            self._night()
            self._noon(day)
            self._trouble()
            yield self.house.evening(day)
            self._deliveries(day)

    def _night(self) -> None:
        """All slots are run."""
        self.house.pass_to(ahead(self.house.now, days=1, hour=2, minute=5))
        self.house.slot(self.house.now)
        self.days += 1

    def _noon(self, day: int) -> None:
        """People decide on what is held, and late sets come."""
        self.house.pass_to(ahead(self.house.now, hour=12))
        for name in self.house.names:
            for run in [run for run in self.house.runs(name) if run["status"] == "held"]:
                decision = self.chance.choice(("approve", "discard", "wait"))
                self.done[decision] += 1
                if decision != "wait":
                    assert self.house.command(decision, run["id"], "--site", name) in (0, 10, 20)
            if self.chance.random() < 0.1:
                self._deliver(name, people(day + 1000))
                self.done["late"] += 1
        self.house.rest(self.house.names)

    def _trouble(self) -> None:
        trouble = self.chance.choice(TROUBLES)
        self.done[trouble] += 1
        house = self.house
        house.pass_to(ahead(house.now, hour=15))
        if trouble in ("restart", "kill"):
            house.end(signal.SIGTERM if trouble == "restart" else signal.SIGKILL)
            house.start()
        elif trouble == "reload":
            self._reload("workers = 3" if self.chance.random() < 0.5 else "", "config_reloaded")
        elif trouble == "bad reload":
            self._reload("wrokers = 3", "config_rejected")
            house.configure()
        elif trouble == "migrate":
            assert house.command("migrate") == 0

    def _reload(self, more: str, event: str) -> None:
        before = self.house.events()[event]
        self.house.configure(more)
        self.house.tell(signal.SIGHUP)
        self.house.wait(lambda: self.house.events()[event] > before, event)

    def _deliveries(self, day: int) -> None:
        """What comes in the evening waits for the night."""
        self.house.pass_to(ahead(self.house.now, hour=20))
        for name in self.house.names:
            fate = self.chance.choice(FATES)
            self.done[fate] += 1
            made = {
                "good": people(day),
                "findings": people(day, broken=2),
                "bad": BAD,
                "too many go": people(day, 20),
            }.get(fate)
            if made is not None:
                self._deliver(name, made)
        self.house.rest(self.house.names)

    def _deliver(self, name: str, data: bytes) -> None:
        self.house.deliver(name, data)
        self.delivered[name] += 1

    # -- the books

    def faults(self) -> list[str]:
        """What is not accounted for."""
        self.house.quiet()
        return [fault for name in self.house.names for fault in self._faults_of(name)]

    def _faults_of(self, name: str) -> Iterator[str]:
        house, site = self.house, self.house.sites[name]
        runs, slots = house.runs(name), house.ask(name, "SELECT slot, finished_at FROM sync_slot")
        if len(slots) != self.days or not all(row["finished_at"] for row in slots):
            yield f"{name}: {len(slots)} slots, not {self.days}"
        arrived = [run for run in runs if run["trigger"] != "slot"]
        if len(arrived) != self.delivered[name]:
            yield f"{name}: {len(arrived)} runs for {self.delivered[name]} sets"
        by_slot = Counter(run["slot"] for run in runs if run["slot"] and run["status"] in ("applied", "unchanged"))
        unknown = by_slot.keys() - {row["slot"] for row in slots}
        if unknown:
            yield f"{name}: runs of slots that nobody claimed: {sorted(unknown)}"
        odd = [
            run["status"]
            for run in runs
            if run["status"] in ("claimed", "checking", "applying", "failed", "interrupted")
        ]
        if odd:
            yield f"{name}: runs that came to no end: {odd}"
        waiting = {run["id"] for run in runs if run["status"] in ("checked", "held")}
        spool = {path.name for path in (site.folder / "spool").iterdir()}
        if spool - waiting:
            yield f"{name}: left in the spool: {sorted(spool - waiting)}"
        if (site.folder / "quarantine").exists():
            yield f"{name}: something was put aside"


def is_flat(evenings: list[Evening]) -> list[str]:
    """What grows. The first days do not count: retention has nothing to delete yet, and the allocator learns."""
    warm = evenings[len(evenings) // 3 :]
    first, last = warm[: len(warm) // 2], warm[len(warm) // 2 :]
    faults = []
    # a ledger may just be looked into, and SQLite grows by pages
    for what, allowed, more in (("memory", 1.05, 1), ("descriptors", 1.0, 1), ("threads", 1.0, 0), ("disk", 1.15, 0)):
        before, after = (max(getattr(one, what) for one in some) for some in (first, last))
        if after > before * allowed + more:
            faults.append(f"{what} grows: {before:.1f}, then {after:.1f}")
    return faults
