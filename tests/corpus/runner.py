"""Plays a case on a site and says where the program and the case disagree. It knows the outside of lzsyncd only."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import laws
from .case import Case, Day
from .generate import delivered
from .site import Ended, Site, Tables
from .zone import Zone, copy_of, read_zone, same

Row = dict[str, Any]
APPLIED = {"applied", "unchanged"}
KEYS = {"people": "user", "units": "org", "positions": "pos"}


def play(case: Case, site: Site) -> list[str]:
    """Every day of a case, each tried dry first, and the last one twice; returns what is not as it should be."""
    site.configure(case)
    ids = laws.Ids()
    wrong: list[str] = []
    for number, day in enumerate(case.days, 1):
        wrong += [f"day {number}: {text}" for text in _Played(site, day, ids).disagreements()]
    if set(case.days[-1].status) <= APPLIED and not wrong:
        wrong += [f"again: {text}" for text in _Played(site, case.days[-1], ids).again()]
    return wrong


class _Played:
    """One day on a site."""

    def __init__(self, site: Site, day: Day, ids: laws.Ids) -> None:
        self.site, self.day, self.ids = site, day, ids
        self.inbox = site.folder / f"delivery-{day.folder.name}"

    def disagreements(self) -> Iterator[str]:
        """Deliver it and compare all that the case names."""
        with self.site.connected() as tables:
            for statement in self.day.before:
                tables.run(statement)
            before, known = copy_of(tables), _runs(tables)
        dry = self._sync("--dry-run")
        with self.site.connected() as tables:
            if copy_of(tables) != before:
                yield "the dry run changed the site"
        real = self._sync()
        if not self.day.generate and _contents(self.inbox) != _contents(self.day.folder):
            yield "the delivered files are no longer what they were"
        with self.site.connected() as tables:
            runs = [run for run in _runs(tables) if run not in known]
            if not {run["status"] for run in runs} & {"applied"} and copy_of(tables) != before:
                yield "nothing was applied, yet the site has changed"
            yield from self._result(real, runs)
            yield from self._findings(tables, [run["id"] for run in runs])
            yield from self._state(read_zone(tables))
            yield from self._books(tables, runs)
            yield from self._document(tables, real, dry, runs)

    def again(self) -> Iterator[str]:
        """Law 4: twice is once."""
        with self.site.connected() as tables:
            before, known = copy_of(tables), _runs(tables)
        ended = self._sync()
        with self.site.connected() as tables:
            runs = [run for run in _runs(tables) if run not in known]
            if [run["status"] for run in runs] != ["unchanged"] * len(self.day.status) or ended.exit != self.day.exit:
                yield f"exit {ended.exit}, status {[run['status'] for run in runs]}"
            for count in tables.of_runs("sync_count", [run["id"] for run in runs]):
                if any(count[action] for action in laws.ACTIONS):
                    yield f"law 4 is broken: {count}"
            if copy_of(tables) != before:
                yield "the site has changed"

    def _sync(self, *more: str) -> Ended:
        with delivered(self.day.folder, self.inbox, self.day.generate):
            return self.site.sync(self.inbox, *more)

    def _result(self, real: Ended, runs: list[Row]) -> Iterator[str]:
        if real.exit != self.day.exit:
            yield f"exit {real.exit}, not {self.day.exit}: {_last(real.errors)}"
        statuses = [run["status"] for run in runs]
        if statuses != self.day.status:
            yield f"status {statuses}, not {self.day.status}"

    def _findings(self, tables: Tables, runs: list[str]) -> Iterator[str]:
        found = tables.of_runs("sync_error", runs, order="id")
        named = {row["id"]: _name(row) for row in found}
        yield from _compare(self.day.findings, list(named.values()))
        yield from self._messages(found)
        causes = {named[row["id"]]: named.get(row["caused_by"], "none") for row in found}
        for name, cause in self.day.causes.items():
            if causes.get(name) != cause:
                yield f"{name} is caused by {causes.get(name)}, not by {cause}"

    def _messages(self, found: list[Row]) -> Iterator[str]:
        for code, texts in self.day.messages.items():
            for message in [row["message"] for row in found if row["code"] == code]:
                for text in [text for text in texts if text not in message]:
                    yield f"{code}: no “{text}” in “{message}”"

    def _state(self, zone: Zone) -> Iterator[str]:
        for attribute, element in KEYS.items():
            wanted = getattr(self.day, attribute)
            stand = sorted(key for key, row in zone[element].items() if not row.get("deleted"))
            if wanted is not None and stand != sorted(wanted):
                yield f"{attribute}: {stand}, not {sorted(wanted)}"
        for element, records in self.day.state.items():
            for key, expected in records.items():
                row = zone[element].get(key, {})
                if not row:
                    yield f"{element} {key} is not there"
                for name in [name for name in expected if row and name not in row]:
                    yield f"{element} {key}: the case names {name}, which is no field"
                for name in [name for name in expected if name in row and not same(expected[name], row[name])]:
                    yield f"{element} {key}: {name} is {row[name]!r}, not {expected[name]!r}"

    def _books(self, tables: Tables, runs: list[Row]) -> Iterator[str]:
        for run in runs:
            if run["status"] not in APPLIED:
                continue
            counts = tables.of_runs("sync_count", [run["id"]])
            findings = tables.of_runs("sync_error", [run["id"]])
            changes = tables.of_runs("sync_change", [run["id"]])
            for count in counts:
                yield from laws.books(count)
                yield from laws.reasons(count, findings)
                yield from laws.history(count, changes)
            yield from laws.causes(findings)
        yield from laws.paths(tables)
        yield from self.ids.look(tables)
        counted = {count["element"]: count for count in tables.of_runs("sync_count", [run["id"] for run in runs[-1:]])}
        for element, columns in self.day.counts.items():
            real = {name: counted.get(element, {}).get(name) for name in columns}
            if real != columns:
                yield f"counts of {element}: {real}, not {columns}"

    def _document(self, tables: Tables, real: Ended, dry: Ended, runs: list[Row]) -> Iterator[str]:
        if dry.exit != real.exit:
            yield f"the dry run ended with {dry.exit}, the real one with {real.exit}: {_last(dry.errors)}"
        if len(runs) != 1 or not real.output or not dry.output:
            return
        told, tried = json.loads(real.output), json.loads(dry.output)
        for member in ("set_hash", "plan_hash", "counts", "findings"):
            if told[member] != tried[member]:
                yield f"{member}: {told[member]}, in the dry run {tried[member]}"
        for member in ("status", "set_hash", "plan_hash"):
            if (told[member] or None) != (runs[0][member] or None):
                yield f"{member}: {told[member]} on the screen, {runs[0][member]} in the ledger"
        counts = {row.pop("element"): row for row in tables.of_runs("sync_count", [runs[0]["id"]]) if row.pop("run_id")}
        if told["counts"] != counts:
            yield f"counts: {told['counts']} on the screen, {counts} in the ledger"


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != "case.toml"}


def _runs(tables: Tables) -> list[Row]:
    return tables.rows("SELECT * FROM sync_run WHERE kind = 'sync' ORDER BY id")


def _name(finding: Row) -> str:
    return ":".join(str(finding[part] or "") for part in ("file", "line", "column_name", "code"))


def _compare(expected: list[str], found: list[str]) -> Iterator[str]:
    """Both as multisets; patterns with `*` are matched last, so that they take what nothing else wants."""
    left = list(found)
    for pattern in sorted(expected, key=lambda text: text.count("*")):
        match = next((name for name in left if _fits(pattern, name)), None)
        if match is None:
            yield f"not found: {pattern}"
        else:
            left.remove(match)
    yield from (f"unexpected: {name}" for name in left)


def _fits(pattern: str, name: str) -> bool:
    pairs = zip(pattern.split(":"), name.split(":"), strict=True)
    return pattern.count(":") == name.count(":") and all(want in ("*", have) for want, have in pairs)


def _last(errors: str) -> str:
    """What a command said last, before its log ends."""
    return (errors.strip().splitlines() or [""])[-1][:300]
