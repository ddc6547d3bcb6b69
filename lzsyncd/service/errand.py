"""What the daemon asks of a child process."""

from dataclasses import dataclass, field

from lzsyncd.config import Log, Site
from lzsyncd.feed.elements import Element
from lzsyncd.intake.claim import Judged, Order
from lzsyncd.service.slots import Slot

SITE_IS_BUSY = 100  # a child's exit code, which no command has: somebody else works for the site, nothing is wrong


@dataclass(frozen=True)
class Errand:
    """What is to be done for a site.

    Attributes:
        site: its configuration, as the daemon runs with it, not as the file may read by now.
        log: where the log goes.
        pretty: the log is for a terminal.
        orders: sets to claim, in this order.
        slots: slots to run, in this order.
        visit: only the remote server is visited, beside whoever else works for the site.
        held: files that wait for their companions, and the elements that are missing.
        post: nothing but to send the site's mails.
        progress: the pipe's file descriptor, -1 for none.
    """

    site: Site
    log: Log = field(default_factory=Log)
    pretty: bool = False
    orders: tuple[Order, ...] = ()
    slots: tuple[Slot, ...] = ()
    held: tuple[dict[Element, Judged], tuple[Element, ...]] | None = None
    post: bool = False
    progress: int = -1
    visit: bool = False

    @property
    def limit(self) -> float:
        """Seconds that one step of it may take."""
        return self.site.remote.time_limit if self.visit and self.site.remote else self.site.run_timeout
