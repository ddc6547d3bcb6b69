"""The sync itself: read, plan round by round until nothing breaks a rule, refuse removals, plan again, apply, count."""

from datetime import date

from . import guard, rules
from .model import COUNTS, ELEMENTS, UNITS, Finding, Outcome, Row, Site, Zone, severity
from .reader import Reading, read_file
from .state import NextState, Verdicts, is_away

A_DAY = date(2026, 11, 22)


def sync(zone: Zone, files: dict[str, bytes], site: Site, today: date = A_DAY) -> Outcome:
    """What the run of this set makes of the zone, which itself stays as it is.

    Args:
        zone: what stands.
        files: the set, by bare file names (`org.csv`, or `rejected-org.csv` for a mended reject file).
        site: the configuration.
        today: the day on which jobs of deleted people end.
    """
    readings = read_set(files, site)
    findings = [finding for reading in readings.values() for finding in reading.findings]
    findings += _incomplete(readings, site)
    if any(severity(finding, site) == "fatal" for finding in findings):
        return Outcome("rejected", zone.copy(), findings=sorted(findings))
    plan = Plan(zone, readings, site, today)
    findings += plan.findings
    after = plan.apply()
    counts = {element: plan.count(element, findings) for element in readings}
    outcome = Outcome("applied" if after != zone else "unchanged", after, counts, sorted(findings))
    outcome.withheld, outcome.protected = plan.withheld, plan.verdicts.protected
    outcome.rounds, outcome.plannings = plan.rounds, plan.plannings
    if plan.breaches or (site.incomplete == "hold" and _incomplete(readings, site)):
        outcome.status, outcome.zone = "held", zone.copy()
    return outcome


def read_set(files: dict[str, bytes], site: Site) -> dict[str, Reading]:
    """The files of the enabled elements, read."""
    readings: dict[str, Reading] = {}
    for name, data in files.items():
        element = name.removeprefix("rejected-").removesuffix(".csv")
        if element in readings or name not in (f"{element}.csv", f"rejected-{element}.csv"):
            raise ValueError(f"{name} does not belong to a set with {sorted(files)}")
        if site.policy(element).enabled:
            readings[element] = read_file(element, name, data, site)
    if not readings:
        raise ValueError("no set to sync")
    return {element: readings[element] for element in ELEMENTS if element in readings}


def _incomplete(readings: dict[str, Reading], site: Site) -> list[Finding]:
    """A mended file needs no companions."""
    enabled = {element for element in ELEMENTS if site.policy(element).enabled}
    mended = any(reading.mended for reading in readings.values())
    return [Finding("", 0, "", "set.incomplete")] if enabled - set(readings) and not mended else []


class Plan:
    """Everything the run would change."""

    def __init__(self, zone: Zone, readings: dict[str, Reading], site: Site, today: date) -> None:
        self.zone, self.readings, self.site, self.today = zone, readings, site, today
        self.verdicts = Verdicts()
        self.plannings = 0
        released: set[tuple[str, str]] = set()
        while True:
            self._settle()
            protected = self.verdicts.protected | rules.units_in_use(self.state)
            if protected == self.verdicts.protected:
                free = rules.units_no_longer_in_use(self.state, released)
                if not free and not self._guard_removals():
                    break
                released |= free
                guarded = self.verdicts.guarded
                protected = {pair for pair in protected - free if pair[0] not in guarded}
            self.verdicts = Verdicts(protected=protected, guarded=self.verdicts.guarded)
        self.findings += [fault.finding for fault in rules.inactive_managers(self.state)]
        self.findings += self._removals_refused()
        self.withheld = {e for e in readings if self.state.is_withheld(e) and self.state.would_go(e)}
        self.findings += [Finding(element, 0, "", "set.removals_withheld") for element in self.withheld]
        self.breaches = [(e, figure) for e in readings for figure in guard.exceeded(self, e)]
        told = [element for element, _ in self.breaches] + [*self.verdicts.guarded]
        self.findings += [Finding(element, 0, "", "guard.exceeded") for element in told]

    def _guard_removals(self) -> bool:
        """`withhold-removals`: nobody goes in an element in which too many would; whether there was one."""
        if self.site.limits is None or self.site.limits.on_exceed == "hold":
            return False
        over = {e for e in self.readings if e not in self.verdicts.guarded and guard.exceeded(self, e, ("removed",))}
        self.verdicts.guarded |= over
        return bool(over)

    def _settle(self) -> None:
        """Rounds: reject, and drop, all at once, what breaks a rule in the state; until nothing does."""
        self.plannings += 1
        self.rounds = 0
        self.findings: list[Finding] = []
        while True:
            self.rounds += 1
            self.state = NextState(self.zone, self.readings, self.site, self.today, self.verdicts)
            faults = rules.faults(self.state)
            if self.rounds == 1:
                faults += rules.key_faults(self.state)
                self._reject_the_faulty()
            self.findings += [fault.finding for fault in faults]
            self._take_away(faults)
            if not faults and (self.rounds > 1 or not self.verdicts.rejected):
                return

    def _reject_the_faulty(self) -> None:
        """Records that could not be read at all, and those with value errors, which take part in the first round."""
        for reading in self.readings.values():
            self.verdicts.rejected.update(r for r in reading.records if r.spoiled or r.faulty)

    def _take_away(self, faults: list[rules.Fault]) -> None:
        for fault in faults:
            if severity(fault.finding, self.site) == "error":
                self.verdicts.rejected.add(fault.record)
            else:
                self.verdicts.dropped.add((fault.record, fault.column))

    def _removals_refused(self) -> list[Finding]:
        """`in_use`, on the line of the record that asked for the removal, or line 1 where the file did not name it."""
        lines = {(element, record.key): record.line for element in UNITS for record in self.state.accepted(element)}
        return [
            Finding(element, lines.get((element, key), 1), "", f"{element}.in_use", key)
            for element, key in self.verdicts.protected
        ]

    # --- carrying it out ------------------------------------------------------------------------------------------

    def apply(self) -> Zone:
        """The zone after the run."""
        tables = {element: {key: version.row for key, version in self.state.all(element)} for element in ELEMENTS}
        jobs = {key: version.job for key, version in self.state.all("user") if version.job}
        after = Zone(tables["org"], tables["pos"], tables["user"], jobs).copy()
        for its_job in after.jobs.values():
            for element in UNITS:
                if its_job[element] and its_job[element] not in after.rows(element):
                    its_job[element] = None  # the unit is deleted, so nobody who stays was in it
        return after

    def count(self, element: str, findings: list[Finding]) -> dict[str, int]:
        """The columns of `sync_count`."""
        counts, reading, going = dict.fromkeys(COUNTS, 0), self.readings[element], self.state.going[element]
        counts["read"] = len(reading.records)
        counts["removed"] = len(going)
        counts["absent"] = len(going.keys() - reading.named)
        counts["rejected"] = sum(record in self.verdicts.rejected for record in reading.records)
        counts["warnings"] = sum(f.element == element and severity(f, self.site) == "warning" for f in findings)
        for record in self.state.accepted(element):
            if not (record.deleted and record.key in going):
                counts[self.action(element, record.key)] += 1
        whole = ("created", "updated", "unchanged", "revived", "rejected")
        if counts["read"] != sum(counts[name] for name in whole) + counts["removed"] - counts["absent"]:
            raise AssertionError(f"law 1: {counts}")
        return counts

    def action(self, element: str, key: str) -> str:
        """What becomes of an accepted record."""
        old, versions = self.zone.rows(element).get(key), self.state.versions[element].get(key, [])
        if not versions:
            return "unchanged"  # a new record that is left out, or one that says of a key not there that it goes
        if old is None:
            return "created"
        new = versions[0]
        if is_away(old) and _came_back(old, new.row):
            return "revived"
        same_job = element != "user" or self.zone.jobs.get(key) == new.job
        return "unchanged" if old == new.row and same_job else "updated"


def _came_back(old: Row, new: Row) -> bool:
    """Deletion, suspension or hiding was lifted. An explicit `suspended` that keeps a suspension lifts nothing."""
    if old.get("deleted"):
        return not new["deleted"]
    flag = "suspended" if "suspended" in old else "hidden"
    return not new[flag]
