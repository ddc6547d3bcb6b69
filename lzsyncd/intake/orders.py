"""A verdict on an inbox, as an order to claim."""

from lzsyncd.config import Site
from lzsyncd.feed.elements import Element
from lzsyncd.intake.candidate import Entry, Rules
from lzsyncd.intake.claim import Judged, Order
from lzsyncd.intake.settle import Delivery


def rules_of(site: Site) -> Rules:
    """What a site's configuration says of deliveries."""
    elements = tuple(e for e in Element if site.element(e).enabled)
    return Rules(elements, site.settle, site.set_window, site.incomplete)


def order_of(delivery: Delivery) -> Order:
    """What to claim."""
    return Order(files_of(delivery), tuple(_judged(marker) for marker in delivery.markers), delivery.mended)


def files_of(delivery: Delivery) -> dict[Element, Judged]:
    """Its files as they were judged."""
    return {e: _judged(entry) for e, entry in delivery.files.items()}


def _judged(entry: Entry) -> Judged:
    return Judged(entry.name, entry.inode, entry.size, entry.mtime_ns)
