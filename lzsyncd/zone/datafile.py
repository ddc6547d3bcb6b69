"""The file of a site whose database is SQLite. The daemon looks at it, too, so there is no Peewee here."""

from pathlib import Path

from lzsyncd.config import Site
from lzsyncd.errors import RESTORE, Damaged


def data_file(site: Site) -> Path:
    """The real one: SQLite's other files are beside it, not beside a link that leads to it."""
    return (site.folder / "zone.db").resolve()


def refuse_emptied(site: Site) -> None:
    """To SQLite a file without a byte is a new database: everybody would be made anew, with other ids.

    Raises:
        Damaged: it has no byte, though sets were synced before.
    """
    path = data_file(site)
    if path.exists() and not path.stat().st_size and any((site.folder / "archive").glob("*")):
        raise Damaged(f"{path} is empty, though sets are in the archive: {RESTORE} To begin anew delete the file.")
