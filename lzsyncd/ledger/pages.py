"""Long listings, held a page at a time."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from lzsyncd.zone.database import Database
from lzsyncd.zone.dialect import Row

BLOCK = 2_000  # rows of a listing held at a time


def pages(database: Database, query: str, key: str, parameters: Sequence[str]) -> Iterator[Row]:
    """The rows of a query in the order of its first column, an id, a page at a time: other queries may run between."""
    last = 0
    while rows := database.rows(f"{query} AND {key} > ? ORDER BY {key} LIMIT {BLOCK}", (*parameters, last)):
        yield from rows
        last = rows[-1][0]


def limited(rows: Iterator[Any], limit: int) -> Iterator[Any]:
    """At most so many rows; 0 for all."""
    return islice(rows, limit) if limit else rows
