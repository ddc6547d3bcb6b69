"""Elements with a schedule of their own: what is applied at their own slots (LIFECYCLE).

Where a file names everybody the newest good one is enough; where it names some, all are needed, in their order.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from lzsyncd.feed.elements import Element
from lzsyncd.intake.claim import order_in
from lzsyncd.ledger import runs, waiting
from lzsyncd.ledger.status import ATTEMPTS, Status
from lzsyncd.sync.newest import Newest, files_left, newest_file
from lzsyncd.sync.run import Run
from lzsyncd.sync.superseded import elements_in

if TYPE_CHECKING:
    from lzsyncd.sync.arrivals import Arrivals


def apply_own(arrivals: "Arrivals", e: Element, slot: str, until: str) -> str | None:
    """Apply what an element is due at its slot.

    Args:
        arrivals: of the site.
        e: the element.
        slot: the name of its slot.
        until: when the slot was claimed: what came later waits for the next one.

    Returns:
        The last run, None where there was none.
    """
    held = waiting.pending(arrivals.database, (Status.HELD,))
    if any(e in elements_in(arrivals.spool(run.run)) for run in held):
        return None  # a person decides on that one first
    if not arrivals.site.element(e).contains_all_records:
        return _apply_left(arrivals, e, slot, until)
    found = newest_file(arrivals.database, arrivals.site, e, lambda run_id: arrivals.is_behind(run_id, {e}))
    if found is None or found.slot == slot or _is_alone(arrivals, found.run, e):
        return None  # a set that is there for this element alone is applied as it is
    return _apply_file(arrivals, found, slot)


def _apply_left(arrivals: "Arrivals", e: Element, slot: str, until: str) -> str | None:
    """Each set that is left, in the order of arrival; one that fails or is held keeps those behind it."""
    last = None
    for found in files_left(arrivals.database, arrivals.site, e):
        before = len(arrivals.results)
        if runs.created_at(arrivals.database, found.run) > until:
            break
        order = order_in(arrivals.spool(found.run))
        if order is not None and set(order.files) == {e}:
            arrivals.go_on(found.run, order, apply=True, slot=slot, in_turn=True)
            last = found.run
        else:
            last = _apply_file(arrivals, found, slot) or last
        if len(arrivals.results) == before or arrivals.results[-1].status is Status.HELD:
            break
    return last


def _apply_file(arrivals: "Arrivals", found: Newest, slot: str) -> str | None:
    """Sync one file of a set, as a run of its own.

    What failed is told, and has its next turn at the next slot; what kills the process is not tried for ever.
    """
    if waiting.attempts_at(arrivals.database, slot) >= ATTEMPTS:
        arrivals.failed = True
        return None
    run_id = runs.new_run_id(arrivals.options.clock())
    only = frozenset({found.element})
    options = replace(arrivals.options, only=only, trigger="slot", slot=slot, source=found.run)
    run = Run(arrivals.database, arrivals.site, run_id, options)
    arrivals.done(run, lambda: found.sync(run))
    return run_id


def _is_alone(arrivals: "Arrivals", run_id: str, e: Element) -> bool:
    order = order_in(arrivals.spool(run_id))
    return order is not None and set(order.files) == {e}
