"""All that is to be done for a site, in the order in which it must be done."""

from collections.abc import Iterator, Sequence

from lzsyncd.feed.elements import Element
from lzsyncd.intake.claim import Judged, NotAsJudged, Order
from lzsyncd.service.slots import Slot
from lzsyncd.sync.arrivals import Arrivals
from lzsyncd.sync.decisions import carry_out
from lzsyncd.sync.retention import keep_to_retention


def work(
    arrivals: Arrivals,
    orders: Sequence[Order] = (),
    slots: Sequence[Slot] = (),
    held: tuple[dict[Element, Judged], Sequence[Element]] | None = None,
) -> Iterator[str]:
    """All that is to be done for a site, in the order in which it must be done; yields before each step.

    A set that was changed meanwhile is left to a later look.
    """
    yield "recover"
    arrivals.recover()
    yield "decide"
    carry_out(arrivals)
    for order in orders:
        yield "arrive"
        try:
            arrivals.arrive(order)
        except NotAsJudged:
            arrivals.log.not_as_judged()
    for slot in slots:
        yield "slot"
        arrivals.run_slot(slot)
    if held is not None:
        yield "hold"
        arrivals.hold_incomplete(*held)
    if slots:
        yield "prune"
        keep_to_retention(arrivals)
