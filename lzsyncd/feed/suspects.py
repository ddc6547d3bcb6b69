"""Which values of a file may be there twice? Memory stays flat; the database decides on the strings.

A bit per hash names candidates while the file is read, so that nobody has to sort or group a million texts
(measured on SQLite: 8-10 s for three columns, against 0.5 s). As long as the values ascend, as keys often do, not even
that is needed. A candidate may be innocent; a duplicate is never missed.
"""

from collections.abc import Sequence
from itertools import islice
from operator import lt
from pathlib import Path

MIN_BITS = 1 << 16
MAX_BITS = 1 << 27  # 16 MiB a column; five million values give 2 % innocent candidates
BYTES_PER_RECORD = 40  # a low guess: more bits, fewer innocents
BITS_PER_RECORD = 64


class Suspects:
    """Remembers the values of one column: up to where they ascended, and the hashes of those that came after."""

    def __init__(self, bits: int) -> None:
        self._mask = bits - 1
        self._seen = bytearray()
        self._ascended_to = ""

    @classmethod
    def sized_for(cls, path: Path) -> "Suspects":
        """Large enough for the file: about 64 bits a record, at most 16 MiB."""
        wanted = path.stat().st_size // BYTES_PER_RECORD * BITS_PER_RECORD
        return cls(1 << min(max(wanted, MIN_BITS), MAX_BITS).bit_length() - 1)

    def again(self, values: Sequence[str]) -> list[str]:
        """Those of the values that may have come before, in this call or an earlier one. Empty ones never do."""
        if not self._seen:
            if self._go_on_ascending(values):
                return []
            self._seen = bytearray((self._mask + 1) >> 3)
        seen, mask, ascended_to = self._seen, self._mask, self._ascended_to
        found = []
        for value in values:
            at = hash(value) & mask
            bit = 1 << (at & 7)
            at >>= 3
            if seen[at] & bit or value <= ascended_to:
                found.append(value)
            else:
                seen[at] |= bit
        return [value for value in found if value]

    def _go_on_ascending(self, values: Sequence[str]) -> bool:
        if not values:
            return True
        if values[0] <= self._ascended_to or not all(map(lt, values, islice(values, 1, None))):
            return False
        self._ascended_to = values[-1]
        return True
