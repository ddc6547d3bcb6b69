"""The schema of a site's database: which one there is, and how it becomes the newest.

Each migration is one transaction with the note that it was applied: one that is broken off has not been, and the next
who opens the database applies it.
"""

from pathlib import Path

import peewee
from playhouse.migrations import Runner

from lzsyncd.errors import LzsyncdError

MIGRATIONS = Path(__file__).parent / "migrations"
HISTORY_TABLE = "lzsyncd_migration"


class SchemaIsNewer(LzsyncdError):
    """A newer version has made the tables: this one would write rows that lack what that one needs."""


def runner(database: peewee.Database) -> Runner:
    """The runner of the schema's migrations."""
    return Runner(database, str(MIGRATIONS), table_name=HISTORY_TABLE)


def pending(database: peewee.Database) -> list[str]:
    """Names of migrations not applied yet.

    Raises:
        SchemaIsNewer: some were applied that this version does not know.
    """
    found = runner(database).status()
    unknown = [migration.name for migration in found if migration.path is None]
    if unknown:
        raise SchemaIsNewer(
            f"A newer lzsyncd has changed this database ({unknown[-1]}): install that version again, or restore the "
            "backup from before the upgrade."
        )
    return [migration.name for migration in found if migration.applied is None]


def migrate(database: peewee.Database) -> list[str]:
    """Bring the schema up to date; returns the names of the migrations applied.

    Two may do so at once, a daemon that starts and a command: whoever comes second fails on what the first one has
    made, and finds it done when it looks again.

    Raises:
        SchemaIsNewer: it is newer than this version.
    """
    while True:
        before = _progress(database)
        try:
            pending(database)
            return list(runner(database).up())
        except peewee.PeeweeException:
            if _progress(database) == before:
                raise


def _progress(database: peewee.Database) -> int:
    """How far it has come: the table of those that were applied, and how many are in it."""
    history = runner(database)
    return int(history.History.table_exists()) + len(history.applied())
