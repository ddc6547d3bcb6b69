"""How the two kinds of databases are connected to."""

import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import peewee

from lzsyncd.config import Site
from lzsyncd.errors import LzsyncdError, writing
from lzsyncd.zone.advisory import asking
from lzsyncd.zone.datafile import data_file, refuse_unfit

MIN_SQLITE = (3, 40)
SQLITE_PATIENCE = 10  # seconds


def sqlite(site: Site) -> peewee.SqliteDatabase:
    """The file in the site's folder; made, with its folder, where it is not there."""
    if sqlite3.sqlite_version_info < MIN_SQLITE:
        raise LzsyncdError(f"SQLite {sqlite3.sqlite_version} is too old: lzsyncd needs 3.40 or newer.")
    with writing(site.folder):
        site.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data_file(site)
    refuse_unfit(site)
    _share(path)
    # SQLite's temporary files hold people's data and may be large: beside the database, not in a memory file system
    os.environ["SQLITE_TMPDIR"] = str(path.parent)
    return peewee.SqliteDatabase(
        str(site.folder / "zone.db"),
        timeout=SQLITE_PATIENCE,
        check_same_thread=True,
        pragmas={"journal_mode": "wal", "synchronous": "full", "temp_store": "file", "cache_size": -16_384},
    )


def _share(path: Path) -> None:
    """Where the folder is shared with a group (setgid), so is a new database: SQLite's other files get its mode."""
    if path.parent.stat().st_mode & stat.S_ISGID and not path.exists():
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(handle, 0o660)
        os.close(handle)


def postgresql(site: Site) -> peewee.PostgresqlDatabase:
    """The database that the site's URL names."""
    password = site.password.reveal() if site.password else None
    how: dict[str, Any] = {**asking(), **({"password": password} if password else {})}
    return peewee.PostgresqlDatabase(site.database, prefer_psycopg3=True, connect_timeout=10, **how)
