"""What is remembered of a remote server: which files were seen and fetched, which reports were put, how visits ended.

A file is the same as long as name, size and time are. Its way: `seen`, `arriving` (whole, and being renamed into the
inbox), `fetched`, `done` (moved or deleted there, where that is asked for).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from lzsyncd.zone.database import Database


class Offered(NamedTuple):
    """A file as the server lists it.

    Attributes:
        name: its bare name.
        size: bytes.
        mtime: when it was last written by the server's clock, in seconds.
    """

    name: str
    size: int
    mtime: int


@dataclass(frozen=True)
class Known:
    """What is known of a file.

    Attributes:
        status: how far on its way it is.
        seen_at: when it was seen first.
    """

    status: str
    seen_at: str


@dataclass(frozen=True)
class Memory:
    """What is remembered of one place.

    Args:
        database: the site's.
        place: server, account and folder.
    """

    database: Database
    place: str

    def files(self) -> dict[Offered, Known]:
        """Every file that was seen or fetched."""
        found = self.database.rows(
            "SELECT name, size, mtime, status, seen_at FROM sync_fetch WHERE place = ?", (self.place,)
        )
        return {Offered(str(n), int(s), int(m)): Known(str(status), str(at)) for n, s, m, status, at in found}

    def see(self, offered: Iterable[Offered], now: str) -> None:
        """Note files that are there, and forget those that were only seen and are not there any more."""
        there, known = set(offered), self.files()
        for file in [file for file, about in known.items() if about.status == "seen" and file not in there]:
            self.database.run(f"DELETE FROM sync_fetch WHERE {_SAME}", (self.place, *file))
        for file in there - known.keys():
            self.database.run(
                "INSERT INTO sync_fetch (place, name, size, mtime, status, seen_at) VALUES (?, ?, ?, ?, 'seen', ?)",
                (self.place, *file, now),
            )

    def move(self, files: Iterable[Offered], status: str) -> None:
        """Files have come further: all of them, or none."""
        moved = list(files)
        each = " OR ".join("(name = ? AND size = ? AND mtime = ?)" for _ in moved)
        values = [value for file in moved for value in file]
        if moved:
            self.database.run(
                f"UPDATE sync_fetch SET status = ? WHERE place = ? AND ({each})", (status, self.place, *values)
            )

    def began(self, now: str) -> str:
        """A visit begins; returns when the first one did."""
        self.database.run(
            "INSERT INTO sync_visit (place, first_at, visited_at) VALUES (?, ?, ?) "
            "ON CONFLICT (place) DO UPDATE SET visited_at = excluded.visited_at",
            (self.place, now, now),
        )
        return str(self.database.value("SELECT first_at FROM sync_visit WHERE place = ?", (self.place,)))

    def ended(self, now: str, trouble: str, waiting: str = "", *, has_fetched: bool = False) -> None:
        """How a visit ended."""
        self.database.run(
            "UPDATE sync_visit SET trouble = ?, waiting = ?, well_at = CASE WHEN ? = '' THEN ? ELSE well_at END, "
            "fetched_at = CASE WHEN ? = 1 THEN ? ELSE fetched_at END WHERE place = ?",
            (trouble, waiting, trouble, now, int(has_fetched), now, self.place),
        )

    def reports(self) -> dict[str, str]:
        """Which reports were put, and in which version."""
        found = self.database.rows("SELECT run_id, version FROM sync_put WHERE place = ?", (self.place,))
        return {str(run): str(version) for run, version in found}

    def put(self, run_id: str, version: str) -> None:
        """A report was put."""
        self.database.run(
            "INSERT INTO sync_put (place, run_id, version) VALUES (?, ?, ?) "
            "ON CONFLICT (place, run_id) DO UPDATE SET version = excluded.version",
            (self.place, run_id, version),
        )


_SAME = "place = ? AND name = ? AND size = ? AND mtime = ?"


@dataclass(frozen=True)
class Visited:
    """How it goes with a remote server.

    Attributes:
        visited_at: when it was visited last.
        well_at: when that went well last, "" for never.
        fetched_at: when something was fetched last, "" for never.
        trouble: what is wrong, "" for nothing.
        waiting: what is waited for there.
    """

    visited_at: str = ""
    well_at: str = ""
    fetched_at: str = ""
    trouble: str = ""
    waiting: str = ""


def last_visit(database: Database, place: str) -> Visited:
    """How the last visit went."""
    found = database.rows(
        "SELECT coalesce(visited_at, ''), coalesce(well_at, ''), coalesce(fetched_at, ''), trouble, waiting "
        "FROM sync_visit WHERE place = ?",
        (place,),
    )
    return Visited(*map(str, found[0])) if found else Visited()
