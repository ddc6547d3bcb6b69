"""What all requests share: the configuration as it is now, the sites' databases, the throttle, the clock."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from lzsyncd.config import Config, ConfigError, Site, load
from lzsyncd.config.page import for_page
from lzsyncd.errors import TryAgain
from lzsyncd.ledger.figures import Figures
from lzsyncd.logs import logger
from lzsyncd.web.looks import Looks
from lzsyncd.web.throttle import Throttle
from lzsyncd.zone.database import Database, connected

NOT_READY = "This site's database has no tables yet: the daemon makes them when it starts."


def clock() -> datetime:
    """The time, aware. The one place of the page that asks for it."""
    return datetime.now(UTC)


@dataclass
class House:
    """Everything that outlives a request.

    Attributes:
        path: the configuration's file.
        current: what it said last.
        clock: gives the time.
        monotonic: gives seconds, for what is measured.
        throttle: who has to wait.
        figures: the numbers of each site's ledger as they were last: what has not changed is not counted again.
        looks: what pages have begun to look at, and go on with.
    """

    path: Path
    current: Config
    clock: Callable[[], datetime] = clock
    monotonic: Callable[[], float] = time.monotonic
    throttle: Throttle = field(default_factory=Throttle)
    figures: dict[str, Figures] = field(default_factory=dict)
    looks: Looks = field(default_factory=Looks)
    _stamp: tuple[int, ...] = ()
    _ready: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """See `for_page`."""
        self.current = for_page(self.current)

    def config(self) -> Config:
        """The configuration. A file that has changed is read again; one with mistakes in it changes nothing."""
        try:
            found = self.path.stat()
            stamp = found.st_ino, found.st_size, found.st_mtime_ns
        except OSError:
            return self.current
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self.current = for_page(load(self.path))
            except ConfigError:
                logger().error("The page goes on with the configuration it had.", **{"event.action": "config_rejected"})
        return self.current

    @contextmanager
    def ledger(self, site: Site) -> Iterator[Database]:
        """A site's database, for reading.

        Raises:
            TryAgain: it is away, or has no tables yet.
        """
        with self._opened(site) as database:
            database.run(database.dialect.read_only())
            yield database

    @contextmanager
    def requests(self, site: Site) -> Iterator[Database]:
        """A site's database, for writing down what somebody asks for.

        Raises:
            TryAgain: it is away, or has no tables yet.
        """
        with self._opened(site) as database:
            yield database

    @contextmanager
    def _opened(self, site: Site) -> Iterator[Database]:
        """Never makes a database or its tables: they are the daemon's."""
        if site.database == "sqlite" and not (site.folder / "zone.db").exists():
            raise TryAgain(NOT_READY)
        with connected(site) as database:
            database.dialect.staging_is_private = True  # a role that only reads may make no other tables
            if site.name not in self._ready:
                if database.pending():
                    raise TryAgain(NOT_READY)
                self._ready.add(site.name)
            yield database
