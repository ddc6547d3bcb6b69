"""The digest of many texts, whatever their order: shuffling a file gives the same plan (law 5)."""

import hashlib
import struct
from collections.abc import Iterable
from typing import NamedTuple

_HALF = 1 << 64


class Sums(NamedTuple):
    """Two sums of hashes of texts: sums do not depend on order, and what was added can be taken away again."""

    first: int = 0
    second: int = 0

    def plus(self, other: "Sums") -> "Sums":
        """Of the texts of both."""
        return Sums(self.first + other.first, self.second + other.second)

    def minus(self, other: "Sums") -> "Sums":
        """Without the other's texts, all of which are among these."""
        return Sums(self.first - other.first, self.second - other.second)

    def digest(self) -> str:
        """As text."""
        return hashlib.sha256(f"{self.first % _HALF}/{self.second % _HALF}".encode()).hexdigest()


NO_SUMS = Sums()


def sums_of(texts: Iterable[str]) -> Sums:
    """The sums of some texts."""
    digests = b"".join([hashlib.sha256(text.encode()).digest() for text in texts])
    quarters = struct.unpack(f">{len(digests) // 8}q", digests)
    return Sums(sum(quarters[0::4]), sum(quarters[1::4]))
