"""What runs did to audiences, in numbers (`sync_audience`), and who moved and why (`sync_member`)."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from lzsyncd.zone.database import Database

LEARNING = ("joined", "left", "assigned", "unassigned")
"""What is counted of each audience."""


class Tally(NamedTuple):
    """What a run does to one audience.

    Attributes:
        audience_id: its id.
        name: its name.
        joined: people who join.
        left: people who leave.
        assigned: assignments that are new or come back.
        unassigned: assignments that are taken away.
    """

    audience_id: int
    name: str
    joined: int = 0
    left: int = 0
    assigned: int = 0
    unassigned: int = 0

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return {"audience": self.name, **{name: getattr(self, name) for name in LEARNING}}


class Move(NamedTuple):
    """Somebody who joined or left, and why: a row of `sync_member`."""

    run_id: str
    audience: str
    idnumber: str
    action: str
    reason: str

    def told(self) -> dict[str, Any]:
        """For JSON."""
        return {name: value for name, value in self._asdict().items() if name != "run_id"}


class Standing(NamedTuple):
    """An audience as it stands.

    Attributes:
        name: its name.
        frozen: nobody joins or leaves, but for who is deleted or suspended.
        members: how many it has.
        assigned: how many assignments hold through it.
        joined: how many joined in the last run in which anybody moved.
        left: how many left in that run.
    """

    name: str
    frozen: bool
    members: int
    assigned: int
    joined: int
    left: int


def total(tallies: Iterable[Tally]) -> dict[str, int]:
    """All audiences together."""
    rows = list(tallies)
    return {name: sum(getattr(tally, name) for tally in rows) for name in LEARNING}


def write_tallies(database: Database, run_id: str, tallies: Iterable[Tally]) -> None:
    """Keep the numbers of a run."""
    rows = [(run_id, *map(str, tally)) for tally in tallies]
    names = ("run_id", "audience_id", "name", "joined", '"left"', "assigned", "unassigned")
    database.load("sync_audience", names, rows)


def tallies(database: Database, run_id: str) -> list[Tally]:
    """What a run did to audiences, those in which nothing moved left out."""
    rows = database.rows(
        'SELECT audience_id, name, joined, "left", assigned, unassigned FROM sync_audience WHERE run_id = ? '
        "ORDER BY name",
        (run_id,),
    )
    return [Tally(int(row[0]), str(row[1]), *map(int, row[2:])) for row in rows]


MOVES = """
SELECT m.run_id, coalesce(a.name, ''), m.idnumber, m.action, m.reason
FROM sync_member m LEFT JOIN lz_audience a ON a.id = m.audience_id
"""


def moves_of(database: Database, idnumber: str) -> list[Move]:
    """What one person joined and left."""
    return [Move(*row) for row in database.rows(f"{MOVES} WHERE m.idnumber = ? ORDER BY m.run_id, 2", (idnumber,))]


def moves_in(database: Database, run_id: str) -> list[Move]:
    """Who moved in a run."""
    return [Move(*row) for row in database.rows(f"{MOVES} WHERE m.run_id = ? ORDER BY 2, m.action, 3", (run_id,))]


def standing(database: Database) -> list[Standing]:
    """Every audience of the site."""
    rows = database.rows(
        "SELECT a.name, a.frozen, coalesce(m.number, 0), coalesce(t.number, 0), coalesce(r.joined, 0), "
        'coalesce(r."left", 0) FROM lz_audience a '
        "LEFT JOIN (SELECT audience_id, count(*) AS number FROM lz_audience_member GROUP BY audience_id) m "
        "ON m.audience_id = a.id "
        "LEFT JOIN (SELECT audience_id, count(*) AS number FROM lz_assignment WHERE removed_at IS NULL "
        "GROUP BY audience_id) t ON t.audience_id = a.id "
        "LEFT JOIN sync_audience r ON r.audience_id = a.id AND r.run_id = ("
        "SELECT max(x.run_id) FROM sync_audience x JOIN sync_run s ON s.id = x.run_id WHERE s.status = 'applied') "
        "ORDER BY a.name"
    )
    return [Standing(str(row[0]), bool(row[1]), *map(int, row[2:])) for row in rows]
