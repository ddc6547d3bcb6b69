"""An inbox without a disk: files, a clock that is moved by hand, and the settler that looks at it."""

import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from lzsyncd.feed.elements import Element
from lzsyncd.intake.settle import Entry, Rules, Settler, Verdict

MORNING = datetime(2026, 11, 23, 8, 0, tzinfo=ZoneInfo("Europe/London"))
SET = ("org.csv", "pos.csv", "user.csv")
RULES = Rules(tuple(Element), settle=30.0, set_window=600.0, incomplete="hold")


class Inbox:
    """Attributes:
    now: monotonic seconds.
    jumped: seconds by which the wall clock was put forward.
    """

    def __init__(self, **rules) -> None:
        self.now = 1000.0
        self.jumped = 0.0
        self.files: dict[str, Entry] = {}
        self.inodes = itertools.count(1)
        self.settler = Settler(replace(RULES, **rules))

    @property
    def wall(self) -> datetime:
        return MORNING + timedelta(seconds=self.now - 1000.0 + self.jumped)

    @property
    def stamp(self) -> int:
        return int(self.wall.timestamp() * 1e9)

    def put(self, *names: str, size: int = 100, **fields) -> None:
        """Write files, or write over them."""
        for name in names:
            inode = self.files[name].inode if name in self.files else next(self.inodes)
            self.files[name] = Entry(name, inode, size, **{"mtime_ns": self.stamp, "ctime_ns": self.stamp} | fields)

    def change(self, name: str, **fields) -> None:
        self.files[name] = replace(self.files[name], ctime_ns=self.stamp, **fields)

    def learn(self, name: str, **fields) -> None:
        """What is known about a file changes, not the file."""
        self.files[name] = replace(self.files[name], **fields)

    def rename(self, old: str, new: str) -> None:
        self.files[new] = replace(self.files.pop(old), name=new, ctime_ns=self.stamp)

    def remove(self, *names: str) -> None:
        for name in names:
            del self.files[name]

    def touched(self, name: str | None) -> None:
        self.settler.touched(name, self.now)

    def look(self, after: float = 0.0) -> Verdict:
        self.now += after
        return self.settler.look(list(self.files.values()), self.now, self.wall)

    def restart(self) -> None:
        self.settler = Settler(self.settler.rules)


def names(deliveries) -> list[list[str]]:
    """The names in each of some deliveries."""
    return [[entry.name for entry in delivery.files.values()] for delivery in deliveries]
