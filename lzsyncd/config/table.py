"""One table of the file while it is read: hands out checked values and notes everything that is wrong."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lzsyncd.config.models import Problem
from lzsyncd.config.places import Key, dotted, key_name
from lzsyncd.config.values import BadValueError, Check, did_you_mean

T = TypeVar("T")


@dataclass
class Complaints:
    """What is wrong so far.

    Attributes:
        places: the line of each key of the file.
        problems: in the order in which they were found.
    """

    places: dict[Key, int]
    problems: list[Problem] = field(default_factory=list)

    def add(self, key: Key, message: str) -> None:
        """Note a problem on the line of its key or, where the file has no such key, of the table that would hold it."""
        line = next((self.places[key[:end]] for end in range(len(key), 0, -1) if key[:end] in self.places), 1)
        self.problems.append(Problem(line, dotted(key), message))


class Table:
    """The values of one table, and which of them were asked for."""

    def __init__(self, values: Any, key: Key, complaints: Complaints) -> None:
        self.key = key
        self.complaints = complaints
        self.values: dict[str, Any] = values if isinstance(values, dict) else {}
        self._known: list[str] = []
        if not isinstance(values, dict):
            complaints.add(key, f"must be a table, [{dotted(key)}]")

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def complain(self, message: str, *at: str | int) -> None:
        """Note a problem with the table, or with what stands in it at `at`."""
        self.complaints.add((*self.key, *at), message)

    def take(self, name: str, check: Check[T], default: T) -> T:
        """The checked value of a key; the default where the file has none or a bad one."""
        self._known.append(name)
        if name not in self.values:
            return default
        try:
            return check(self.values[name])
        except BadValueError as error:
            for at, message in error.complaints:
                self.complain(message, name, *at)
            return default

    def table(self, name: str) -> "Table":
        """The table of that name, empty where the file has none."""
        self._known.append(name)
        return Table(self.values.get(name, {}), (*self.key, name), self.complaints)

    def members(self, name: str) -> list["Table"]:
        """The tables in an array of tables, `[[…]]` or a list in line; none where the file has no such key."""
        self._known.append(name)
        values = self.values.get(name, [])
        if not isinstance(values, list):
            self.complain("must be a list of tables", name)
            return []
        return [Table(value, (*self.key, name, at), self.complaints) for at, value in enumerate(values)]

    def tables(self) -> Iterator[tuple[str, "Table"]]:
        """Every table in here, where their names are free."""
        for name in self.values:
            yield name, self.table(name)

    def finish(self, elsewhere: dict[str, str] | None = None) -> None:
        """Note every key that nobody asked for; `elsewhere` says where keys belong that stand in the wrong table."""
        for name in self.values:
            if name in self._known:
                continue
            if name in (elsewhere or {}):
                self.complain(f"unknown key here; it belongs to {(elsewhere or {})[name]}", name)
            else:
                near = did_you_mean(name, self._known) or f"; the keys here are {', '.join(map(key_name, self._known))}"
                self.complain(f"unknown key{near}", name)
