"""Pull the plug at random moments, set after set, with people enough that a run takes its time."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.laws.company import DAY_ONE, PEOPLE
from tests.laws.ground import csv_of, tell
from tests.plug.installation import Installation, Workshop
from tests.plug.judge import left_over
from tests.plug.scenarios import AT_ONCE, LONG_AGO

NUMBER = 3_000
"""People in each set; all of them move."""

AGAIN = 0.3
"""How often what is made up for is killed, too. Three kills of one set would put it aside, as they should."""


@dataclass(frozen=True)
class Round:
    """One set, and what was done to it.

    Attributes:
        hits: kills before the work had ended.
        cuts: those of them that took what was not synced along.
        again: mails that came twice with the same Message-ID.
        found: what was not as it should be.
    """

    hits: int
    cuts: int
    again: int
    found: tuple[str, ...]


def moved(city: str) -> dict[str, bytes]:
    """Everybody lives somewhere else now."""
    people = (f"{n},u{n},Ann,Lee,u{n}@a.test,A,D,,{city}" for n in range(NUMBER))
    return DAY_ONE | {"user.csv": csv_of(PEOPLE, *people)}


@dataclass
class Load:
    """A site that gets one set after the other.

    Args:
        workshop: makes it.
        chance: decides on moments.
        power: how often a kill takes what was not synced along.
    """

    workshop: Workshop
    chance: random.Random
    power: float
    took: float = 0.0
    done: int = 0

    def rounds(self) -> Iterator[Round]:
        """For ever."""
        made = self.workshop.bare()
        made.configure(AT_ONCE + '\nretention = "1d"')
        try:
            self._calm(made)
            while True:
                yield self._round(made)
        finally:
            made.pull_the_plug()
            self.workshop.remove(made)

    def _calm(self, made: Installation) -> None:
        """The first sets come without harm: how long does one take?"""
        for _ in range(2):
            began = time.monotonic()
            self._deliver(made)
            made.start()
            made.wait(lambda: self._is_done(made))
            self.took = time.monotonic() - began
            made.end()

    def _deliver(self, made: Installation) -> None:
        self.done += 1
        made.box.taken.clear()
        if self.done > 1:  # an hour goes by: after three mails the rest of it would come as one
            tell(made.place.site, f"UPDATE sync_mail SET sent_at = '{LONG_AGO}'")
        made.put(moved(self._city))
        if made.disk is not None:
            made.disk.sync()

    @property
    def _city(self) -> str:
        return f"Town {self.done}"

    def _round(self, made: Installation) -> Round:
        hits = cuts = 0
        self._deliver(made)
        for _ in range(1 + (self.chance.random() < AGAIN)):
            made.start()
            time.sleep(self.chance.uniform(0, self.took))
            is_hit, power = not self._is_done(made), self.chance.random() < self.power
            made.pull_the_plug(power=power)
            hits, cuts = hits + is_hit, cuts + (is_hit and power)
            made.a_minute_goes_by()
        made.start()
        made.wait(lambda: self._is_done(made))
        codes = made.end()
        return Round(hits, cuts, *self._judged(made, codes))

    def _is_done(self, made: Installation) -> bool:
        return made.is_idle() and len(made.ask("SELECT id FROM sync_run WHERE status = 'applied'")) == self.done

    def _judged(self, made: Installation, codes: list[int]) -> tuple[int, tuple[str, ...]]:
        newest = "(SELECT max(id) FROM sync_run WHERE status = 'applied')"
        cities = made.ask("SELECT city, count(*) AS n FROM lz_user GROUP BY city")
        (changes,) = made.ask(f"SELECT count(*) AS n FROM sync_change WHERE run_id = {newest} AND element = 'user'")
        (runs,) = made.ask("SELECT count(*) AS n FROM sync_run WHERE status NOT IN ('applied', 'interrupted')")
        (run,) = made.ask(f"SELECT id, attempt FROM sync_run WHERE id = {newest}")
        (others,) = made.ask(f"SELECT count(*) AS n FROM sync_change WHERE run_id > '{run['id']}'")
        mails = [str(mail["Message-ID"]) for mail in made.box.taken]
        wrong = {
            "people": cities != [{"city": self._city, "n": NUMBER}],
            "history": changes["n"] != NUMBER or others["n"] != 0,
            "runs": runs["n"] != 0,
            "mails": len(set(mails)) != len({str(mail["Subject"]) for mail in made.box.taken}),
            f"exit codes {codes}": codes != [0],
        }
        again = len(mails) - len(set(mails))
        return again, tuple([name for name, is_so in wrong.items() if is_so] + left_over(made))
