"""A page of rows at a time, by key, in a bounded time however many there are."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from lzsyncd.feed.elements import Element
from lzsyncd.zone.database import Database
from lzsyncd.zone.dialect import Row

ROWS = 50  # of a page
WINDOW = 5_000  # rows looked at in one go where no index helps
TIME = 0.03  # seconds for looking; who wants more goes on
COUNTED = 1_000  # more than that is told as "more than"
LAST_SIGN = "\U0010ffff"  # sorts behind every text that begins with what stands before it


T = TypeVar("T")


@dataclass(frozen=True)
class Slice(Generic[T]):
    """Some rows of a list.

    Attributes:
        rows: in the order of their keys.
        after: the key after which the list goes on; 0 at its end.
        whole: False: not all rows that might fit were looked at for want of time; going on looks further.
    """

    rows: list[T]
    after: int = 0
    whole: bool = True


@dataclass(frozen=True)
class Listing:
    """A list that is asked for page by page.

    Attributes:
        columns: what is shown, the key first, as `id`.
        source: `FROM … WHERE …`, which an index answers in the order of the key; `FROM …` where `among` says the rest.
        given: its parameters.
        key: the key's column.
        among: what all rows have in the columns that stand before the key in the index.
        narrow: what else has to hold; no index helps.
        wanted: its parameters.
    """

    columns: str
    source: str
    given: Sequence[Any]
    key: str
    narrow: str = ""
    wanted: Sequence[Any] = ()
    among: Mapping[str, str] = field(default_factory=dict)


def look(database: Database, listing: Listing, after: int, rows: int = ROWS) -> Slice[Row]:
    """The next rows of a list. Where no index helps, some thousand rows at a time are looked through."""
    if not listing.narrow:
        return _ended(_next(database, listing, after, rows + 1), rows)
    found: list[Row] = []
    stop = time.monotonic() + TIME
    while True:
        last = _end_of_window(database, listing, after)
        if last is None:
            return _ended(found, rows)
        found += _fitting(database, listing, after, rows + 1 - len(found))
        if len(found) > rows:
            return _ended(found, rows)
        after = last
        if time.monotonic() > stop:
            return Slice(found, after, whole=False)


def _ended(found: list[Row], rows: int) -> Slice[Row]:
    return Slice(found[:rows], int(found[rows - 1][0]) if len(found) > rows else 0)


def _window(database: Database, listing: Listing, columns: str) -> str:
    """SQL: some rows behind a key.

    Of `run_id = ? AND id > ? ORDER BY id` PostgreSQL makes a walk along all ids, where only two runs have a million
    rows each: through all of the other's. In the order of both columns there is nothing but their index.
    """
    if not listing.among:
        return f"SELECT {columns} {listing.source} AND {listing.key} > ? ORDER BY {listing.key} LIMIT ?"
    order = [*listing.among, listing.key]
    among = f"({', '.join(listing.among)}) <= ({', '.join('?' * len(listing.among))})"
    behind = f"{database.dialect.behind(order)} AND {among}"
    return f"SELECT {columns} {listing.source} WHERE {behind} ORDER BY {', '.join(order)} LIMIT ?"


def _behind(listing: Listing, after: int) -> tuple[Any, ...]:
    """The parameters of a window, but for how many rows it has."""
    common = tuple(listing.among.values())
    return (*listing.given, *common, after, *common)


def _next(database: Database, listing: Listing, after: int, rows: int) -> list[Row]:
    return database.rows(_window(database, listing, listing.columns), (*_behind(listing, after), rows))


def _end_of_window(database: Database, listing: Listing, after: int) -> int | None:
    query = f"SELECT max(id) FROM ({_window(database, listing, f'{listing.key} AS id')}) AS w"
    last = database.value(query, (*_behind(listing, after), WINDOW))
    return None if last is None else int(last)


def _fitting(database: Database, listing: Listing, after: int, rows: int) -> list[Row]:
    query = (
        f"SELECT * FROM ({_window(database, listing, listing.columns)}) AS w WHERE {listing.narrow} ORDER BY id LIMIT ?"
    )
    return database.rows(query, (*_behind(listing, after), WINDOW, *listing.wanted, rows))


Test = tuple[str, Sequence[Any]]


def joined(tests: Sequence[Test]) -> tuple[str, list[Any]]:
    """All tests as one, and the parameters of all."""
    return " AND ".join(test for test, _ in tests), [value for _, values in tests for value in values]


def people_names(database: Database, ids: Sequence[int | None]) -> dict[int, str]:
    """First and last names by id."""
    return _names(database, "lz_user", "firstname || ' ' || lastname", ids)


def unit_names(database: Database, element: Element, ids: Sequence[int | None]) -> dict[int, str]:
    """Full names by id."""
    return _names(database, f"lz_{element}", "fullname", ids)


def _names(database: Database, table: str, name: str, ids: Sequence[int | None]) -> dict[int, str]:
    wanted = sorted({number for number in ids if number})
    if not wanted:
        return {}
    query = f"SELECT id, {name} FROM {table} WHERE id IN ({', '.join('?' * len(wanted))})"
    return {int(number): str(text) for number, text in database.rows(query, wanted)}
