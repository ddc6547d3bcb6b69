"""Which elements have their turn at a slot, and which sets. Pure: names and orders go in, a verdict comes out."""

from collections.abc import Sequence

from lzsyncd.feed.elements import Element
from lzsyncd.intake.claim import Order
from lzsyncd.service.slots import RULES


def own(slot: str) -> set[Element]:
    """The element whose own slot it is; none where it is the site's."""
    return {e for e in Element if slot.endswith(f":{e}")}


def elements_of(slot: str, scheduled: set[Element]) -> tuple[Element, ...]:
    """The elements a slot applies, by its name: its own, none, or those without a schedule of their own."""
    if slot.endswith(RULES):
        return ()
    return tuple(own(slot)) or tuple(e for e in Element if e not in scheduled)


def only(order: Order, slot: str | None, scheduled: set[Element]) -> frozenset[Element] | None:
    """What a set may change, None for all: an element with its own schedule waits for its own slot."""
    if not scheduled or order.mended:
        return None
    return frozenset(own(slot or "") or set(Element) - scheduled)


def has_its_turn(order: Order, slot: str | None, elements: Sequence[Element], scheduled: set[Element]) -> bool:
    """Whether a set is applied now, and not only the part of it that has a schedule of its own.

    Mended files are applied whole, at the first slot of any of their elements: they are never the newest good set.
    """
    theirs = set(order.files)
    if not scheduled or order.mended:
        return bool(theirs & set(elements))
    if slot and own(slot):
        return theirs == own(slot)
    return bool((theirs - scheduled) & set(elements))
