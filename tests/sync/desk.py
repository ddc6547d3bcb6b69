"""Where sets come in: a site with its real folders, a clock that is moved by hand, and the work that is due."""

import gzip
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import CapturingLogger

from lzsyncd.config import Site
from lzsyncd.errors import TryAgain
from lzsyncd.feed.elements import Element
from lzsyncd.intake.claim import Judged, Order
from lzsyncd.intake.markers import MARKERS, SET_FILES
from lzsyncd.report.events import RunLog
from lzsyncd.service.slots import Schedule, Slot
from lzsyncd.sync.arrivals import Arrivals
from lzsyncd.sync.run import Options
from lzsyncd.sync.work import work
from lzsyncd.zone.database import Database
from tests.laws.bridge import get_zone
from tests.laws.ground import ask, tell

MORNING = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
LONGEST = 60.0  # seconds; a test must not hang
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
"""What the kind of database can't change: on the quicker one only."""
TICK = timedelta(milliseconds=7)  # no two runs in one


class Killed(BaseException):
    """Nobody catches it: as far as the folders and the ledger can tell, the process was killed."""


@dataclass
class Desk:
    """A site to which sets come.

    Attributes:
        site: its configuration; may be replaced.
        now: what its clock says.
        told: what the log heard.
    """

    site: Site
    now: datetime = MORNING
    told: CapturingLogger = field(default_factory=CapturingLogger)
    limit: Callable[[float], AbstractContextManager[object]] = nullcontext

    def __post_init__(self) -> None:
        self.site.inbox.mkdir(parents=True, exist_ok=True)

    def clock(self) -> datetime:
        self.now += TICK
        return self.now

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    # -- what comes

    def put(self, files: dict[str, bytes]) -> None:
        for name, data in files.items():
            (self.site.inbox / name).write_bytes(data)

    def deliver(self, files: dict[str, bytes], *, mended: bool = False) -> Order:
        """Put a set into the inbox; returns it as the daemon would judge it."""
        self.put(files)
        return self.judge(*files, mended=mended)

    def judge(self, *names: str, mended: bool = False) -> Order:
        judged = {name: self.look(name) for name in names}
        files = {SET_FILES[name]: one for name, one in judged.items() if name not in MARKERS}
        return Order(files, tuple(judged[name] for name in names if name in MARKERS), mended)

    def look(self, name: str) -> Judged:
        status = (self.site.inbox / name).lstat()
        size = status.st_size if stat.S_ISREG(status.st_mode) else 0
        return Judged(name, status.st_ino, size, status.st_mtime_ns)

    # -- what is done

    @contextmanager
    def arrivals(self, trigger: str = "arrival") -> Iterator[Arrivals]:
        """The site's lock, held, and all that can be asked for."""
        with closing(Database(self.site)) as database:
            lock(database)
            options = Options(clock=self.clock, trigger=trigger)
            yield Arrivals(database, self.site, options, RunLog(self.told), limit=self.limit)

    def work(self, *orders: Order, slots: tuple[Slot, ...] = (), held: Any = None) -> Arrivals:
        """One errand of the daemon, to its end."""
        with self.arrivals() as arrivals:
            for _ in work(arrivals, orders, slots, held):
                pass
            return arrivals

    def arrive(self, files: dict[str, bytes], *, mended: bool = False) -> str:
        """A set comes and is done with as far as it goes now; returns its run."""
        self.work(self.deliver(files, mended=mended))
        return self.runs()[-1]["id"]

    def next_slot(self, element: Element | None = None) -> Slot:
        """The next slot, of the site or of an element; its time comes."""
        slots = self.site.timetable.slots(self.now)
        slot = next(s for s in slots if (s.elements == (element,) if element else len(s.elements) != 1))
        self.now = slot.due_at + timedelta(seconds=1)
        return slot

    def slot(self, element: Element | None = None) -> Slot:
        """The next slot is run."""
        slot = self.next_slot(element)
        self.work(slots=(slot,))
        return slot

    # -- how it stands

    def runs(self) -> list[dict[str, Any]]:
        return ask(self.site, "SELECT * FROM sync_run ORDER BY id")

    def run(self, run_id: str) -> dict[str, Any]:
        return next(run for run in self.runs() if run["id"] == run_id)

    def statuses(self) -> list[str]:
        return [run["status"] for run in self.runs()]

    def status(self, run_id: str) -> str:
        return str(self.run(run_id)["status"])

    def slots(self) -> dict[str, dict[str, Any]]:
        return {row["slot"]: row for row in ask(self.site, "SELECT * FROM sync_slot")}

    def people(self) -> dict[str, str]:
        """Cities by key, of those who are there."""
        return {key: row["city"] for key, row in get_zone(self.site).people.items() if not row["suspended"]}

    def findings(self, run_id: str) -> list[str]:
        found = ask(self.site, "SELECT code FROM sync_error WHERE run_id = ? ORDER BY id", run_id)
        return [row["code"] for row in found]

    def archived(self, run_id: str) -> dict[str, bytes]:
        folder = self.site.folder / "archive" / run_id[:4] / run_id[4:6] / run_id
        return {path.stem: gzip.decompress(path.read_bytes()) for path in folder.glob("*")}

    def quarantined(self, run_id: str) -> set[str]:
        return set(listed(self.site.folder / "quarantine" / run_id))

    def outbox(self, run_id: str) -> str:
        """The summary for people."""
        return (self.site.outbox / run_id / "summary.txt").read_text()

    def inbox(self) -> list[str]:
        return listed(self.site.inbox)

    def spool(self) -> list[str]:
        return listed(self.site.folder / "spool")

    def actions(self) -> list[str]:
        """What the log was told, in order."""
        return [call.kwargs["event.action"] for call in self.told.calls]

    def tell(self, *statements: str) -> None:
        tell(self.site, *statements)


def lock(database: Database) -> None:
    """Take the lock; a PostgreSQL server takes a moment to see that who held it was killed."""
    until = time.monotonic() + LONGEST
    while True:
        try:
            database.lock("of a test")
        except TryAgain:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def scheduled(site: Site, **schedules: str) -> Site:
    """The site with schedules of their own for some elements."""
    own = {Element(e): replace(site.element(Element(e)), schedule=Schedule.parse(s)) for e, s in schedules.items()}
    return replace(site, elements={**site.elements, **own})


def partial(site: Site, *of: Element) -> Site:
    """The site, of whose files none names everybody; or only those of some elements do not."""
    some = {e: replace(site.element(e), contains_all_records=False) for e in of or Element}
    return replace(site, elements={**site.elements, **some})
