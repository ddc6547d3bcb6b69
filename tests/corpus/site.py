"""A site as the outside world sees it: a configuration, a command, and the tables of CONTRACT section 7."""

import contextlib
import io
import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from lzsyncd.__main__ import main

from .case import ELEMENTS, Case

SITE = "acme"


class Ended(NamedTuple):
    """How a command ended."""

    exit: int
    output: str
    errors: str


@dataclass(frozen=True)
class Site:
    """One fresh site: its folder, and its database (`sqlite` or a `postgresql://` address)."""

    folder: Path
    database: str

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "lzsyncd.toml"

    def configure(self, case: Case) -> None:
        """Write the configuration: the case's options over what all cases share."""
        options = re.sub(r"(?m)^\[", f"[sites.{SITE}.", case.config)
        turned_off = [e for e in ELEMENTS if e not in case.elements and f"[sites.{SITE}.{e}]" not in options]
        lines = [
            "[daemon]",
            f"data_dir = {json.dumps(str(self.folder))}",
            f"[sites.{SITE}]",
            f"database = {json.dumps(self.database)}",
            "" if "timezone =" in case.config else 'timezone = "Europe/London"',
            options,
            *(f"[sites.{SITE}.{element}]\nenabled = false" for element in turned_off),
        ]
        self.config.write_text("\n".join(lines), "utf-8")

    def sync(self, folder: Path, *more: str) -> Ended:
        """`lzsyncd sync`, as somebody would type it."""
        return self.command("sync", SITE, "--from", str(folder), "--json", *more)

    def command(self, *words: str) -> Ended:
        """Run a command in this process."""
        output, errors = io.StringIO(), io.StringIO()
        code: Any = 0
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            try:
                code = main(["--config", str(self.config), *words])
            except SystemExit as end:
                code = end.code
        return Ended(int(code or 0), output.getvalue(), errors.getvalue())

    @contextlib.contextmanager
    def connected(self) -> Iterator["Tables"]:
        """Its tables, committed at the end."""
        if self.database == "sqlite":
            connection: Any = sqlite3.connect(self.folder / SITE / "zone.db")
        else:
            connection = psycopg.connect(self.database)
        with contextlib.closing(connection), connection:
            yield Tables(connection)


class Tables:
    """A site's tables."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def run(self, statement: str) -> None:
        """Change something."""
        self.connection.execute(statement)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """The rows of a query, by column."""
        cursor = self.connection.execute(query)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def of_runs(self, table: str, runs: Sequence[str], order: str = "1") -> list[dict[str, Any]]:
        """The rows of a ledger table that belong to some runs; the ids of runs are ours and hold no quotes."""
        listed = ", ".join(f"'{run}'" for run in runs) or "''"
        return self.rows(f"SELECT * FROM {table} WHERE run_id IN ({listed}) ORDER BY {order}")
