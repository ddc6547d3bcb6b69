"""A new site in the configuration file: its table is added at the end, and nothing else is touched."""

import os
from dataclasses import dataclass
from pathlib import Path
from stat import S_IMODE

from lzsyncd.config import Config, ConfigError, Problem, parse
from lzsyncd.config.places import quoted
from lzsyncd.config.reading import SITE_NAME
from lzsyncd.errors import Usage
from lzsyncd.setup.shipped import SAMPLE
from lzsyncd.setup.steps import write_whole


@dataclass(frozen=True)
class SiteTable:
    """The step that writes a site into the configuration.

    Attributes:
        path: the file.
        text: what is in it now.
        added: what comes at its end; "" where the site is there.
        config: how the file will read then.
    """

    path: Path
    text: str
    added: str
    config: Config

    def pending(self) -> str:
        """See `Step`."""
        return f"add {self.added.strip().splitlines()[0]} to {self.path}" if self.added else ""

    def do(self) -> None:
        """See `Step`. Owner and mode stay as they are."""
        path = self.path.resolve()  # where a link leads, the file is written, and the link stays
        if path.read_bytes() != self.text.encode():
            raise Usage(f"{self.path} has just been changed by somebody else: try again.")
        found = path.stat()

        def keep_owner(beside: Path) -> None:
            os.chown(beside, found.st_uid, found.st_gid)
            beside.chmod(S_IMODE(found.st_mode))

        write_whole(path, (self.text + self.added).encode(), keep_owner)


def with_site(path: Path, name: str, database: str = "") -> SiteTable:
    """What the configuration needs for a site.

    Args:
        path: the configuration.
        name: the site's.
        database: the address of a PostgreSQL database; "" for SQLite, or for what the configuration says.

    Raises:
        ConfigError: the file can't be used as it is, or could not be with the site in it.
        Usage: no site can have that name, or it is there already with another database.
    """
    if not SITE_NAME.fullmatch(name):
        raise Usage("A site's name has a-z, 0-9, _ and -, begins with a letter, and is at most 32 characters long.")
    text = _read(path)
    config = parse(text, str(path))
    if name not in config.sites:
        added = _table(name, database, gap="" if text.endswith("\n\n") else "\n" if text.endswith("\n") else "\n\n")
        return SiteTable(path, text, added, parse(text + added, str(path)))
    if database and config.sites[name].database != database:
        raise Usage(f"Site {name} is in {path} already, with another database.")
    return SiteTable(path, text, "", config)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        raise ConfigError([Problem(0, "", "there is no such file: run lzsyncd install first")], str(path)) from None
    except UnicodeDecodeError:
        raise ConfigError([Problem(0, "", "is not UTF-8 text")], str(path)) from None


def _table(name: str, database: str, gap: str) -> str:
    lines = [f"[sites.{name}]", f"# Every key with its default: {SAMPLE.path}"]
    if database:
        lines += [f"database = {quoted(database)}", f'#password = {{credential = "{name}_db"}}']
    return gap + "\n".join(lines) + "\n"
