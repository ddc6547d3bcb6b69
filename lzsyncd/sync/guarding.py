"""The guard at work in a run: it judges, withholds where that is wanted, tells, and writes down what it found."""

import json
from dataclasses import asdict

from lzsyncd.checks.catalogue import Finding
from lzsyncd.checks.findings import KEPT
from lzsyncd.config import Guard
from lzsyncd.feed.elements import Element
from lzsyncd.ledger.planned import differing
from lzsyncd.sync.going import TOO_MANY, withhold
from lzsyncd.sync.guard import APPROVED_PLAN, Breach, Figure, Group, judge, largest_groups, sentence
from lzsyncd.sync.picture import UNITS, Picture
from lzsyncd.sync.plan import Plan
from lzsyncd.sync.totals import Tally, totals_of


class Guarding:
    """Judges the plan of one run.

    Args:
        picture: what the run works on.
        guard: the site's limits.

    Attributes:
        breaches: limits that the plan exceeds.
        withheld: limits that it would exceed, had removals not been withheld.
    """

    def __init__(self, picture: Picture, guard: Guard) -> None:
        self.breaches: list[Breach] = []
        self.withheld: list[Breach] = []
        self._others: list[Breach] = []
        self._picture, self._guard = picture, guard

    def withhold_removals(self) -> bool:
        """Withhold the removals of each element in which too many would go; whether there was any."""
        if self._guard.on_exceed != "withhold-removals":
            return False
        before = len(self.withheld)
        for e, staged in self._picture.staged.items():
            totals = Tally(self._picture, e, self._guard).removals() if staged.present else None
            if totals and (found := judge(totals, self._guard, [Figure.REMOVED])):
                self.withheld += found
                self._tell(found)
                withhold(self._picture, staged, TOO_MANY)
                self._forget_refused(e)
        return len(self.withheld) > before

    def _forget_refused(self, e: Element) -> None:
        """Nobody goes: so nobody is kept from going."""
        if e in UNITS:
            self._picture.database.run(f"DELETE FROM kept_{e}")
            query = f"DELETE FROM finding WHERE round = {KEPT} AND element = ? AND code = ?"
            self._picture.database.run(query, (e, f"{e}.in_use"))

    def judge(self, plan: Plan) -> None:
        """Judge the finished plan, and count what is told of it."""
        for totals in totals_of(self._picture, self._guard, plan):
            self.breaches += judge(totals, self._guard)
        self._tell(self.breaches)
        for e in {breach.element for breach in self.breaches} & plan.counts.keys():
            plan.counts[e].warnings = self._picture.findings.warnings(e)

    def compare_with_approved(self, run_id: str) -> int:
        """How many records have another plan than the one that was approved; some are written down."""
        number, some = differing(self._picture.database, run_id)
        if number:
            groups = tuple(Group(f"{element} {key}", 1) for element, key in some)
            self._others.append(Breach(Element(some[0][0]), APPROVED_PLAN, number, 0, "none", "", groups))
        return number

    def _tell(self, found: list[Breach]) -> None:
        for breach in found:
            groups = largest_groups(breach)
            detail = f"{sentence(breach)}." + (f" The largest groups: {groups}." if groups else "")
            self._picture.findings.add(Finding("guard.exceeded", breach.element, detail=detail))
        self._picture.findings.flush()

    def write(self, run_id: str) -> None:
        """Keep what was found, with the groups behind it."""
        columns = "run_id, element, guard, figure, base, allowed, unit, largest, withheld"
        for breach in (*self.breaches, *self.withheld, *self._others):
            largest = json.dumps([asdict(group) for group in breach.largest], ensure_ascii=False)
            row = (breach.element, breach.guard, breach.count, breach.base, breach.allowed, breach.unit, largest)
            self._picture.database.run(
                f"INSERT INTO sync_breach ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (run_id, *row, breach in self.withheld),
            )
