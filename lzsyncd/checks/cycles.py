"""Do links lead round in a circle? Parents of units and managers of people, in the state the site would have.

A circle that was not there before has a link that this set changes, and all its members lie above the target of such a
link. Everything above those targets is gathered level by level, in SQL; what is left after peeling the ends that lead
nowhere is followed in memory. Most people manage nobody, so what is gathered is a tenth of the people at most.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lzsyncd.checks.catalogue import Severity
from lzsyncd.checks.told import told
from lzsyncd.feed.elements import Element
from lzsyncd.sync.picture import Picture, accepted

IN_MEMORY = 200_000  # links followed in memory, about 30 MiB
SHOWN = 12  # members of a circle that a finding shows


@dataclass(frozen=True)
class Links:
    """One kind of link that must not lead round.

    Attributes:
        element: whose records it links.
        new: its column in `match_E`.
        column: its column in the file.
        standing: SQL of the standing links: table expressions with `id` and `up`, each with an index of its own.
        code: the finding.
    """

    element: Element
    new: str
    column: str
    standing: tuple[str, ...]
    code: str

    @property
    def old(self) -> str:
        """The column of `match_E` with the link that stands."""
        return f"old_{self.new}"

    def holds(self) -> str:
        """SQL: the record `m` is accepted and its new link counts. Of a key that is there twice none does."""
        kept = f"{accepted(self.element)} AND m.copy = 0"
        if self.element is Element.USER:
            kept += (
                " AND NOT EXISTS (SELECT 1 FROM dropped_user d "
                f"WHERE d.line = m.line AND d.column_name = '{self.column}')"
            )
        return f"{kept} AND m.{self.new} IS NOT NULL AND m.{self.new} <> -1"


def check_cycles(picture: Picture, links: Links, number: int, severity: Severity) -> None:
    """Tell every member of a circle whose link this set changes; the others keep quiet."""
    picture.table("edge", "id BIGINT PRIMARY KEY, up BIGINT")
    if not _gather(picture, links, number):
        return
    picture.table("circle", "id BIGINT, detail TEXT")
    found = list(_circles(_left(picture)))
    rows = [(str(member), path) for circle in found for member, path in _paths(picture, links, circle)]
    if not rows:
        return
    picture.database.load("circle", ("id", "detail"), rows)
    staged = picture.staged[links.element]
    picture.database.run(
        told(
            staged,
            links.code,
            number,
            column=links.column,
            value=f"s.c_{links.column}",
            detail="c.detail",
            severity=severity,
        )
        + f"FROM circle c JOIN match_{links.element} m ON m.id = c.id JOIN stage_{links.element} s ON s.line = m.line "
        f"WHERE {links.holds()} AND m.{links.new} > 0 AND m.{links.new} IS DISTINCT FROM m.{links.old} "
        f"AND NOT EXISTS (SELECT 1 FROM finding f WHERE f.element = '{links.element}' AND f.line = m.line "
        f"AND f.column_name = '{links.column}' AND f.round = {number})"
    )


def _gather(picture: Picture, links: Links, number: int) -> bool:
    """Fill `edge` with the links of everybody above a changed link's target; False when there are none."""
    added = _add_edges(picture, links, _targets(links, number))
    anything = added > 0
    while added:
        added = _add_edges(
            picture, links, "SELECT DISTINCT e.up FROM edge e WHERE NOT EXISTS (SELECT 1 FROM edge n WHERE n.id = e.up)"
        )
    return anything


def _targets(links: Links, number: int) -> str:
    """SQL: whom changed links name; in later rounds, whom links name that have come back."""
    e, match = links.element, f"match_{links.element} m"
    if number == 1:
        return (
            f"SELECT DISTINCT m.{links.new} FROM {match} WHERE m.{links.new} > 0 AND m.{links.new} <> m.id "
            f"AND m.{links.new} IS DISTINCT FROM m.{links.old} AND {links.holds()}"
        )
    back = f"m.line IN (SELECT line FROM out_{e} WHERE round = {number - 1})"
    if e is Element.USER:
        back += (
            " OR m.line IN (SELECT line FROM dropped_user "
            f"WHERE round = {number - 1} AND column_name = '{links.column}')"
        )
    return f"SELECT DISTINCT m.{links.old} FROM {match} WHERE m.{links.old} IS NOT NULL AND ({back})"


def _add_edges(picture: Picture, links: Links, who: str) -> int:
    """Add the links of some records: what the set says of them, else what stands. CROSS: SQLite keeps the order."""
    database, match = picture.database, f"match_{links.element}"
    picture.table("above", "id BIGINT PRIMARY KEY")
    if not database.run(f"INSERT INTO above {who}"):
        return 0
    unknown = "NOT EXISTS (SELECT 1 FROM edge n WHERE n.id = w.id)"
    new = database.run(
        f"INSERT INTO edge SELECT w.id, min(m.{links.new}) FROM above w CROSS JOIN {match} m "
        f"WHERE m.id = w.id AND {links.holds()} AND m.{links.new} > 0 AND {unknown} GROUP BY w.id"
    )
    for standing in links.standing:
        new += database.run(
            f"INSERT INTO edge SELECT w.id, min(t.up) FROM above w CROSS JOIN {standing} t "
            f"WHERE t.id = w.id AND t.up IS NOT NULL AND {unknown} "
            f"AND NOT EXISTS (SELECT 1 FROM {match} m WHERE m.id = w.id AND {links.holds()}) GROUP BY w.id"
        )
    return new


def _left(picture: Picture) -> dict[int, int]:
    """The gathered links that may be part of a circle, in memory."""
    database = picture.database
    number = int(database.value("SELECT count(*) FROM edge"))
    while number > IN_MEMORY:
        database.run("DELETE FROM edge WHERE id NOT IN (SELECT up FROM edge)")
        database.run("DELETE FROM edge WHERE up NOT IN (SELECT id FROM edge)")
        before, number = number, int(database.value("SELECT count(*) FROM edge"))
        if number > before * 0.9:
            break
    return {int(one): int(up) for one, up in database.rows("SELECT id, up FROM edge")}


def _circles(up: dict[int, int]) -> Iterator[list[int]]:
    """Every circle once, as the list of its members in the direction of the links."""
    seen: dict[int, int] = {}
    for walk, start in enumerate(up):
        at = start
        while at in up and at not in seen:
            seen[at] = walk
            at = up[at]
        if at in up and seen.get(at) == walk and up[at] != at:
            circle = [at]
            while (following := up[circle[-1]]) != at:
                circle.append(following)
            yield circle


def _paths(picture: Picture, links: Links, circle: list[int]) -> Iterator[tuple[int, str]]:
    """For each member the way round, beginning with its own key."""
    names = _names(picture, links.element, circle)
    for place, member in enumerate(circle):
        way = [*circle[place : place + SHOWN], *circle[: max(0, place + SHOWN - len(circle))]][: len(circle)]
        rest = ["…"] if len(way) < len(circle) else []
        yield member, " → ".join([*(names[one] for one in way), *rest, names[member]])


def _names(picture: Picture, e: Element, ids: list[int]) -> dict[int, str]:
    names: dict[int, str] = {}
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        marks = ", ".join("?" * len(some))
        for query in (
            f"SELECT id, idnumber FROM lz_{e} WHERE id IN ({marks})",
            f"SELECT id, idnumber FROM match_{e} WHERE id IN ({marks})",
        ):
            names |= {int(one): str(name) for one, name in picture.database.rows(query, some)}
    return names
