"""All that happened to one record: its changes and, of a person, which audiences they joined and left, and why."""

from typing import Any

from lzsyncd.feed.elements import Element
from lzsyncd.ledger.learning import Move, moves_of
from lzsyncd.ledger.queries import Change, Step, history, step_of
from lzsyncd.zone.database import Database


def life(database: Database, element: Element, idnumber: str) -> list[Step]:
    """Every step of one record, oldest first."""
    steps = [*history(database, element, idnumber)]
    if element is Element.USER:
        steps += [step_of(database, _change(move)) for move in moves_of(database, idnumber)]
    return sorted(steps, key=lambda step: step.finished_at)


def _change(move: Move) -> Change:
    """Joining and leaving in the form of a change."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {"audience": move.audience}
    if move.action == "left":
        before, after = after, before
    after["reason"] = move.reason
    return Change(0, move.run_id, Element.USER, move.idnumber, move.action, before, after, None, None)
