"""A company that does not exist, as the three files of an export: the same arguments give the same bytes everywhere.

Five million people stream through in flat memory: what somebody is called and where they sit follows from their number.
"""

import random
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from lzsyncd.demo.damage import CYCLE, SELF, WAYS, Way, damaged, damaged_unit
from lzsyncd.demo.nextday import change as change_cells
from lzsyncd.demo.records import ORG_COLUMNS, POS_COLUMNS, USER_COLUMNS, Records, person_key
from lzsyncd.demo.structure import Spread, mixed

CONFIG_SNIPPET = """\
[sites.{site}.user.customfields.costcentre]
type = "text"
[sites.{site}.user.customfields.grade]
type = "menu"
options = ["G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "G9"]
[sites.{site}.user.customfields.fte]
type = "number"
"""
"""What a configuration says about the company's custom fields; `.format(site=…)` names the site."""

_ROWS_A_WRITE = 2_000


@dataclass(frozen=True)
class Summary:
    """What was written.

    Attributes:
        users: records of `user.csv`, those broken on purpose included.
        units: records of `org.csv`.
        positions: records of `pos.csv`.
        changed: people whose cells differ from the company without `change`.
        joined: people who are not in the company without `change`.
        left: people of the company without `change` who are gone.
        left_suspended: those of them who had been suspended.
        broken: records broken on purpose, by the finding each is meant to earn.
    """

    users: int
    units: int
    positions: int
    changed: int = 0
    joined: int = 0
    left: int = 0
    left_suspended: int = 0
    broken: dict[str, int] = field(default_factory=dict)


def write_company(
    folder: Path,
    *,
    users: int,
    seed: int = 1,
    units: int | None = None,
    positions: int | None = None,
    shuffled: bool = False,
    numbered: bool = False,
    dirty: float = 0.0,
    change: float = 0.0,
) -> Summary:
    """Write `org.csv`, `pos.csv` and `user.csv` of a company into a folder.

    Args:
        folder: made where it is missing.
        users: people, before anybody joins or leaves; at least 1.
        seed: another seed, another company.
        units: default: one for 50 people.
        positions: default: one for 100 people.
        shuffled: records in random order; otherwise by key.
        numbered: usernames and e-mail addresses begin with the key, so they are in its order; otherwise with the name.
        dirty: share of the people, units and positions whose records are broken on purpose, between 0 and 1. Only
            people without reports, and units with nothing below, are broken so that they are rejected.
        change: share of the people, and of the units' names, that differ from the same company without `change`,
            between 0 and 1; a tenth as many join, and as many leave. Nobody who leaves has reports.

    Returns:
        What was written, and what was broken.
    """
    records = Records(
        users=users,
        units=units or max(4, users // 50),
        positions=positions or max(6, users // 100),
        seed=seed,
        numbered=numbered,
    )
    export = _Export(records, seed=seed, shuffled=shuffled, dirty=dirty, change=change)
    folder.mkdir(parents=True, exist_ok=True)
    return Summary(
        units=_write(folder / "org.csv", ORG_COLUMNS, export.units()),
        positions=_write(folder / "pos.csv", POS_COLUMNS, export.positions()),
        users=_write(folder / "user.csv", USER_COLUMNS, export.people()),
        changed=export.changed,
        joined=export.joiners,
        left=export.leavers,
        left_suspended=export.suspended_leavers,
        broken=dict(export.broken),
    )


def _write(path: Path, columns: Iterable[str], rows: Iterator[list[str]]) -> int:
    """Write rows of cells that are quoted already; returns how many."""
    count = 0
    with path.open("wb") as file:
        file.write(f"{','.join(columns)}\n".encode())
        while lines := [",".join(cells) for cells in islice(rows, _ROWS_A_WRITE)]:
            count += len(lines)
            file.write(("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))
    return count


class _Export:
    """The records in the order of the files, with whoever changed, joined, left or is broken."""

    def __init__(self, records: Records, *, seed: int, shuffled: bool, dirty: float, change: float) -> None:
        chance = random.Random(seed)  # noqa: S311 example data
        self.records = records
        self.broken: Counter[str] = Counter()
        self.joiners = round(records.users * change / 10)
        self.leavers = self.suspended_leavers = 0
        self._shuffle = random.Random(seed).shuffle if shuffled else None  # noqa: S311 example data
        self._broken = Spread(records.users, chance)
        self._broken_before = round(records.users * dirty)
        self._dirty = dirty
        self._renamed = Spread(records.structure.units, chance)
        self._renamed_before = round(records.structure.units * change)
        self._movers = Spread(records.users, chance)
        self._left_before = self._places_of_leavers()
        self._changed_before = min(records.users, self._left_before + round(records.users * change))
        self.changed = self._changed_before - self._left_before

    def _places_of_leavers(self) -> int:
        """Those before this place in the order of movers leave, unless they lead; those after it change."""
        place = 0
        while self.leavers < self.joiners and place < self.records.users:
            number = self._movers.at(place)
            if not self.records.leads(number):
                self.leavers += 1
                self.suspended_leavers += self.records.is_suspended(number)
            place += 1
        return place

    def _order(self, size: int) -> Iterable[int]:
        if not self._shuffle:
            return range(size)
        numbers = array("I", range(size))
        self._shuffle(numbers)
        return numbers

    def units(self) -> Iterator[list[str]]:
        """The rows of `org.csv`."""
        leaves = self.records.structure.leaves
        for unit in self._order(len(leaves)):
            cells = self.records.unit(unit)
            if self._renamed.place(unit) < self._renamed_before:
                cells[1] += " and partners"
            yield self._perhaps_broken(cells, "org", unit) if leaves[unit] else cells

    def positions(self) -> Iterator[list[str]]:
        """The rows of `pos.csv`."""
        for position in self._order(len(self.records.titles)):
            cells = self.records.position(position)
            below = self.records.has_positions_below(position)
            yield cells if below else self._perhaps_broken(cells, "pos", position)

    def _perhaps_broken(self, cells: list[str], element: str, number: int) -> list[str]:
        luck = mixed(number, self.records.salt) % 1_000_000
        if luck >= self._dirty * 1_000_000:
            return cells
        code, cells = damaged_unit(cells, element, luck)
        self.broken[code] += 1
        return cells

    def people(self) -> Iterator[list[str]]:
        """The rows of `user.csv`."""
        records = self.records
        untouched = not self._changed_before and not self._broken_before
        for number in self._order(records.users + self.joiners):
            if untouched or number >= records.users:
                yield records.person(number)
            else:
                yield from self._perhaps_damaged(self._perhaps_changed(number), number)

    def _perhaps_changed(self, number: int) -> list[str]:
        """Somebody's cells today, none for those who left."""
        place = self._movers.place(number)
        if place < self._left_before and not self.records.leads(number):
            return []
        cells = self.records.person(number)
        if self._left_before <= place < self._changed_before:
            change_cells(self.records, cells, number, place)
        return cells

    def _perhaps_damaged(self, cells: list[str], number: int) -> list[list[str]]:
        place = self._broken.place(number)
        if place >= self._broken_before or not cells:
            return [cells] if cells else []
        way = self._circle(number) if self.records.leads(number) else WAYS[place % len(WAYS)]
        self.broken[way.code] += 1
        return damaged(cells, way)

    def _circle(self, number: int) -> Way:
        """Whoever leads is put below one of their own reports: that costs nobody else a manager."""
        report = self.records.structure.report_of(number)
        return Way(SELF if report == number else CYCLE, "manageridnumber", person_key(report))
