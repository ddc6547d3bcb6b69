"""How rows are joined where the planner of PostgreSQL knows nothing: of staging tables, and of expressions.

SQLite joins by index always.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from lzsyncd.zone.database import Database


@contextmanager
def by_index(database: Database) -> Iterator[None]:
    """A block in which few rows look up what they meet by an index, which must be there.

    For each value of an expression the planner expects hundreds of rows, and goes through everybody instead (measured,
    a million people: 0.4 s for four thousand addresses).
    """
    with _without(database, "hashjoin", "mergejoin"):
        yield


@contextmanager
def by_hash(database: Database) -> Iterator[None]:
    """A block in which large tables are not sorted to be joined: each process would sort all of one."""
    with _without(database, "mergejoin"):
        yield


@contextmanager
def _without(database: Database, *ways: str) -> Iterator[None]:
    refused = () if database.dialect.seeks_by_index else ways
    for way in refused:
        database.run(f"SET LOCAL enable_{way} = off")
    yield
    for way in refused:
        database.run(f"SET LOCAL enable_{way} = on")
