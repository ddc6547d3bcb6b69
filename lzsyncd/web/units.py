"""Units and positions as trees, and audiences with their members."""

import json
from http import HTTPStatus
from itertools import islice

from starlette.exceptions import HTTPException
from starlette.responses import Response

from lzsyncd.feed.elements import Element
from lzsyncd.ledger.queries import history
from lzsyncd.web.people import STEPS, number_in
from lzsyncd.web.questions import units as questions
from lzsyncd.web.questions.slices import COUNTED
from lzsyncd.web.visit import Visit

TREES = {"org": Element.ORG, "pos": Element.POS}


def tree(visit: Visit) -> Response:
    """The roots, each to be opened; or what a search finds."""
    element = _element(visit) if "element" in visit.request.path_params else Element.ORG
    text = visit.asked("text")
    with visit.ledger() as database:
        found = questions.units(database, element, 0, visit.number("after"))
        hits = questions.find_units(database, element, text) if text else []
    return visit.page(
        "units.html", here="units", element=element.value, units=found, hits=hits, text=text, counted=COUNTED
    )


def below(visit: Visit) -> Response:
    """What is below a unit, as a branch of the tree."""
    element, number = _element(visit), number_in(visit, "unit")
    with visit.ledger() as database:
        found = questions.units(database, element, number, visit.number("after"))
    return visit.page("branch.html", element=element.value, units=found, above=number, counted=COUNTED)


def one(visit: Visit) -> Response:
    """One unit: where it is, what it holds, how it came to be."""
    element, number = _element(visit), number_in(visit, "unit")
    with visit.ledger() as database:
        unit = questions.unit_row(database, element, number)
        if not unit:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        path = questions.above(database, element, unit["path"])
        children = questions.units(database, element, number, visit.number("after"))
        steps = list(islice(history(database, element, unit["idnumber"]), STEPS))[::-1] if unit["idnumber"] else []
    return visit.page(
        "unit.html",
        here="units",
        element=element.value,
        unit=unit,
        custom=json.loads(unit["custom"] or "{}"),
        path=path,
        units=children,
        history=steps,
        counted=COUNTED,
    )


def _element(visit: Visit) -> Element:
    element = TREES.get(visit.place("element"))
    if element is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return element


def audiences(visit: Visit) -> Response:
    """All audiences."""
    with visit.ledger() as database:
        found, counted = questions.audiences(database)
    return visit.page("audiences.html", here="audiences", audiences=found, counted=counted)


def audience(visit: Visit) -> Response:
    """One audience: its rule and who is in it."""
    number = number_in(visit, "audience")
    with visit.ledger() as database:
        found = questions.audience(database, number)
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        members = questions.members(database, number, visit.number("after"))
    rule = json.dumps(json.loads(found[2] or "{}"), ensure_ascii=False, indent=2)
    values = {"audience": found, "rule": rule, "members": members, "counted": questions.MEMBERS_COUNTED}
    return visit.page("audience.html", here="audiences", **values)
