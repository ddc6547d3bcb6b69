"""The units that stand before a run, as a tree in memory: which is the first-level unit of each, and what moves."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from lzsyncd.feed.elements import Element
from lzsyncd.zone.database import Database


@dataclass
class Tree:
    """Units, or positions, by id.

    Attributes:
        parents: of each unit, also of new ones; None of a root.
        standing: managed ones that stand.
        hidden: ones that are hidden: a root that was replaced is no root any more.
    """

    parents: dict[int, int | None] = field(default_factory=dict)
    standing: set[int] = field(default_factory=set)
    hidden: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, database: Database, element: Element) -> "Tree":
        """The tree as it stands, with the new units of the plan where they will be."""
        tree = cls()
        query = f"SELECT id, parent_id, managed AND NOT hidden_by_feed, hidden FROM lz_{element}"
        for unit, parent, stands, hidden in database.rows(query):
            tree.parents[unit] = parent
            if stands:
                tree.standing.add(unit)
            if hidden:
                tree.hidden.add(unit)
        new = database.rows(f"SELECT id, NULLIF(parent, 0) FROM match_{element} WHERE sid IS NULL AND NOT goes")
        tree.parents.update((unit, parent) for unit, parent in new)
        return tree

    def tops(self) -> dict[int, int]:
        """The first-level unit of each unit: a child of the only root, or the roots. The only root itself has none."""
        roots = [u for u, parent in self.parents.items() if parent is None and u in self.standing - self.hidden]
        only = roots[0] if len(roots) == 1 else None
        found: dict[int, int] = {}
        for unit in self.parents:
            path = self._path(unit, found)
            top = found.get(path[-1]) or next((u for u in reversed(path) if u != only), None)
            if top is not None:
                found.update((u, top) for u in path if u != only)
        return found

    def _path(self, unit: int, known: dict[int, int]) -> list[int]:
        """The unit and those above it, up to one that is known or a root; a circle made by hand ends."""
        path, seen = [unit], {unit}
        while path[-1] not in known:
            parent = self.parents.get(path[-1])
            if parent is None or parent in seen or parent not in self.parents:
                break
            path.append(parent)
            seen.add(parent)
        return path

    def below(self, moved: Iterable[int]) -> set[int]:
        """Some units with all that stand below them."""
        children: dict[int, list[int]] = {}
        for unit, parent in self.parents.items():
            if parent is not None:
                children.setdefault(parent, []).append(unit)
        left, found = list(moved), set[int]()
        while left:
            unit = left.pop()
            if unit not in found:
                found.add(unit)
                left += children.get(unit, ())
        return found & self.standing
