"""The sheet for whoever makes the export: where to put which files, when what happens, how to see what was wrong."""

import os
from pathlib import Path

from lzsyncd.config import Site
from lzsyncd.errors import Usage
from lzsyncd.feed.elements import Element
from lzsyncd.setup.server import Door

LABEL = 18  # cells of the first column


def sheet_of(site: Site, *, host: str, door: Door, account: str, password: str) -> str:
    """The sheet of a site, as text.

    Args:
        site: the site.
        host: the machine's name for its clients.
        door: ports and keys of its SFTP server.
        account: the SFTP account.
        password: its first password; "" where it was handed out before.
    """
    title = f"SFTP delivery for {site.name}"
    known = password or f"as handed out before (another one: lzsyncd site add {site.name} --new-password)"
    keys = [("Host key" if number == 0 else "", key) for number, key in enumerate(door.fingerprints)]
    rows = [
        ("Host", host),
        ("Port", ", ".join(door.ports)),
        *keys,
        ("Account", account),
        ("First password", known),
        ("Put files into", "/inbox"),
        ("Reports are in", "/outbox"),
    ]
    access = "\n".join(f"{label:<{LABEL}}{value}" for label, value in rows)
    return "\n".join([title, "=" * len(title), "", access, "", *_files(site), "", *_schedule(site), "", *_errors()])


def _files(site: Site) -> list[str]:
    enabled = [element for element, config in site.elements.items() if config.enabled]
    listed = [f"  {element.file_name:<10}{_needed(site, element)}" for element in enabled]
    return [
        "Files, and the columns that each must have",
        *listed,
        "",
        "An empty file set.done, uploaded last, says that the set is whole. Without it a file counts as complete when",
        f"nothing has happened to it for {site.settle:g} s. NAME.part is left alone until it is renamed to NAME.",
    ]


def _needed(site: Site, element: Element) -> str:
    """Columns by the names that the site's file has for them."""
    renamed = {target: header for header, target in site.element(element).column_map.items()}
    columns = site.element(element).columns(element)
    return ", ".join(renamed.get(column.name, column.name) for column in columns if column.required)


def _schedule(site: Site) -> list[str]:
    own = [(e.file_name, c.schedule) for e, c in site.elements.items() if c.enabled and c.schedule]
    if site.apply == "on-arrival":
        return ["Files are checked and applied when they have arrived."]
    lines = [f"Files are checked when they have arrived, and applied {site.schedule} ({site.timezone.key})."]
    return lines + [f"{name} is applied {schedule}." for name, schedule in own]


def _errors() -> list[str]:
    return [
        "After each run there is a new folder in /outbox: summary.txt tells what became of the files, and",
        "rejected-*.csv has the records that could not be taken, each with line, column, reason and remedy. Mend them",
        "there, and upload that file.",
    ]


def require_new(path: Path | None) -> None:
    """Refuse to write over a file: it may hold the only copy of another site's password.

    Raises:
        Usage: it is there, or its folder is not.
    """
    if path and os.path.lexists(path):
        raise Usage(f"{path} is there already.")
    if path and not path.absolute().parent.is_dir():
        raise Usage(f"There is no folder {path.absolute().parent}.")


def write_sheet(path: Path | None, text: str) -> None:
    """Write the sheet to a new file that nobody else can read."""
    if path:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text + "\n")
