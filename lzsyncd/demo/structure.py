"""Who sits where in a made-up company: every answer follows from a number, so a company of millions takes no memory.

People have a *number* (the order in which they were hired, hence of their keys) and a *rank* (their place in the tree
of units, heads first). A quarter of the people are hired out of turn, so that some managers come later in the file
than those who report to them.
"""

import math
import random
from array import array
from bisect import bisect_right
from itertools import accumulate

from lzsyncd.demo.names import DIVISIONS, PLACES

SPAN = 8  # people a manager leads, units below a unit
NOBODY = -1
_MASK = (1 << 64) - 1


def mixed(number: int, salt: int) -> int:
    """64 bits that look random and depend on nothing but the arguments (after splitmix64, a round less)."""
    bits = (number * 0x9E3779B97F4A7C15 + salt) & _MASK
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    return bits ^ (bits >> 29)


class Spread:
    """An order of the numbers below `size` whose beginnings are spread evenly, without a table.

    Taking the first `n` of it picks exactly `n` numbers.
    """

    def __init__(self, size: int, chance: random.Random) -> None:
        self.size = size
        self._step = max(1, int(size * 0.618))
        while math.gcd(self._step, size) != 1:
            self._step += 1
        self._back = pow(self._step, -1, size)
        self._shift = chance.randrange(size)

    def at(self, place: int) -> int:
        """The number at a place of the order."""
        return (place * self._step + self._shift) % self.size

    def place(self, number: int) -> int:
        """Where a number stands in the order."""
        return (number - self._shift) * self._back % self.size


class Structure:
    """The tree of units, the people in it, and who leads whom.

    Attributes:
        staffed: units that have people: the first ones, all of them unless there are fewer people than units.
        parents: the unit above each unit; the root's is itself.
        depths: 0 for the root.
        divisions: each unit's division, an index into `DIVISIONS`.
        places: each unit's place, an index into `PLACES`.
        leaves: 1 for units without units below.
        heads: the number of each staffed unit's head.
    """

    def __init__(self, *, users: int, units: int, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 example data
        self.users = users
        self.units = units
        self.staffed = min(users, units)
        self.parents = array("I", [0])
        self.depths = bytearray([0])
        self.divisions = bytearray([0])
        self.places = bytearray([0])
        self.leaves = bytearray(b"\1" * units)
        for unit in range(1, units):
            self._add_unit(unit, chance)
        self._first = self._first_ranks(chance)
        self._out_of_turn = chance.randbytes(65_521)
        self.heads = array("I", (self.turned(rank) for rank in self._first[:-1]))

    def _add_unit(self, unit: int, chance: random.Random) -> None:
        parent = max(0, (unit - 1 - chance.randrange(4)) // SPAN)
        depth = self.depths[parent] + 1
        moves = depth == 1 or chance.random() < 0.3  # noqa: PLR2004 units are mostly where the unit above is
        self.parents.append(parent)
        self.depths.append(depth)
        self.divisions.append((unit - 1) % len(DIVISIONS) if depth == 1 else self.divisions[parent])
        self.places.append(chance.randrange(len(PLACES)) if moves else self.places[parent])
        self.leaves[parent] = 0

    def _first_ranks(self, chance: random.Random) -> "array[int]":
        """The rank of each unit's head, and the number of people: units of many sizes, none without a head."""
        weights = list(accumulate(0.4 + chance.expovariate(1) for _ in range(self.staffed)))
        free = self.users - self.staffed
        starts = (unit + int(free * before / weights[-1]) for unit, before in enumerate([0.0, *weights[:-1]]))
        return array("I", [*starts, self.users])

    def turned(self, either: int) -> int:
        """A number's rank, or a rank's number: people hired out of turn have changed places in pairs."""
        mirror = self.users - 1 - either
        return mirror if self._out_of_turn[min(either, mirror) % 65_521] < 64 else either  # noqa: PLR2004 a quarter

    def unit_of(self, number: int) -> int:
        """The unit somebody belongs to."""
        return bisect_right(self._first, self.turned(number)) - 1

    def seat(self, number: int) -> tuple[int, int, bool]:
        """Somebody's unit, the number of their manager (`NOBODY` for the root), and whether they may have reports.

        A unit is a tree of its own, and its head reports to the head of the unit above.
        """
        rank = self.turned(number)
        unit = bisect_right(self._first, rank) - 1
        first = self._first[unit]
        place = rank - first
        if place == 0:
            return unit, self.heads[self.parents[unit]] if unit else NOBODY, True
        manager = self.heads[unit] if place <= SPAN else self.turned(first + (place - 1) // SPAN)
        return unit, manager, first + place * SPAN + 1 < self._first[unit + 1]

    def report_of(self, number: int) -> int:
        """The number of somebody who reports to this person, their own where nobody of the unit does."""
        rank = self.turned(number)
        unit = bisect_right(self._first, rank) - 1
        report = self._first[unit] + (rank - self._first[unit]) * SPAN + 1
        return self.turned(report if report < self._first[unit + 1] else rank)
