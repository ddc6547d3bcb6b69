"""The file of a site whose database is SQLite. The daemon looks at it, too, so there is no Peewee here."""

from contextlib import suppress
from pathlib import Path

from lzsyncd.config import Site
from lzsyncd.errors import RESTORE, Damaged

CHUNK = 1 << 20  # bytes


def data_file(site: Site) -> Path:
    """The real one: SQLite's other files are beside it, not beside a link that leads to it."""
    return (site.folder / "zone.db").resolve()


def refuse_unfit(site: Site) -> None:
    """Look for what SQLite itself would not tell of.

    To it a file without a byte is a new database: everybody would be made anew, with other ids. Its index of the log it
    maps into memory while somebody else has the database open: what the disk does not give back of that ends the
    process (SIGBUS), and the daemon with it.

    Raises:
        Damaged: it has no byte, though sets were synced before.
        OSError: the index can't be read.
    """
    path = data_file(site)
    with suppress(FileNotFoundError), path.with_name(f"{path.name}-shm").open("rb") as index:
        while index.read(CHUNK):
            pass
    if path.exists() and not path.stat().st_size and any((site.folder / "archive").glob("*")):
        raise Damaged(f"{path} is empty, though sets are in the archive: {RESTORE} To begin anew delete the file.")
