"""People: the list with its filters, one person, and who reports to them."""

import json
from dataclasses import asdict
from http import HTTPStatus
from itertools import islice
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from lzsyncd.feed.elements import Element
from lzsyncd.ledger.queries import history
from lzsyncd.web.questions import people, units
from lzsyncd.web.questions.people import PeopleFilter, PersonLine
from lzsyncd.web.questions.slices import COUNTED, people_names, unit_names
from lzsyncd.web.visit import Visit
from lzsyncd.zone.database import Database

STEPS = 200  # of a history
SHOWN_APART = ("id", "firstname", "lastname", "custom", "managed", "suspended", "suspended_by_feed", "deleted")


def listing(visit: Visit) -> Response:
    """People, with filters."""
    declared = _fields(visit)
    wanted = PeopleFilter(
        visit.asked("text"),
        visit.asked("state"),
        visit.asked("field") if visit.asked("field") in declared else "",
        visit.asked("field_value") if visit.asked("field") in declared else "",
        visit.number("org"),
        visit.number("pos"),
    )
    with visit.ledger() as database:
        found = people.people(database, wanted, visit.number("after"))
        named = _units(database, found.rows, wanted)
    return visit.page(
        "people.html",
        here="people",
        found=found,
        units=named,
        wanted=asdict(wanted),
        fields=declared,
        states=list(people.STATES),
    )


def _fields(visit: Visit) -> list[str]:
    return [column.custom_name for column in visit.site.element(Element.USER).custom]


def _units(database: Database, rows: list[PersonLine], wanted: PeopleFilter) -> dict[str, dict[int, str]]:
    return {
        "org": unit_names(database, Element.ORG, [*(row.org_id for row in rows), wanted.org]),
        "pos": unit_names(database, Element.POS, [*(row.pos_id for row in rows), wanted.pos]),
    }


def one(visit: Visit) -> Response:
    """A person: what holds, why, and how it came to be."""
    number = _number(visit)
    with visit.ledger() as database:
        row = people.person_row(database, number)
        if not row:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        jobs = people.jobs(database, number)
        linked = [job[name] for job in jobs for name in ("manager_id", "appraiser_id")]
        idnumber = row["idnumber"] or ""
        values: dict[str, Any] = {
            "person": row,
            "custom": json.loads(row["custom"] or "{}"),
            "jobs": jobs,
            "names": people_names(database, linked),
            "orgs": unit_names(database, Element.ORG, [job["org_id"] for job in jobs]),
            "poss": unit_names(database, Element.POS, [job["pos_id"] for job in jobs]),
            "audiences": units.audiences_of(database, number),
            "assignments": units.assignments_of(database, number),
            "membership": units.membership_steps(database, idnumber),
            "history": list(islice(history(database, Element.USER, idnumber), STEPS))[::-1] if idnumber else [],
            "reports": people.reports_of(database, number),
            "below": people.all_reports(database, number),
        }
    told = {name: found for name, found in row.items() if name not in SHOWN_APART and found not in (None, "")}
    return visit.page("person.html", here="people", standing=_standing(row), told=told, counted=COUNTED, **values)


def _standing(row: dict[str, Any]) -> str:
    return "deleted" if row["deleted"] else "suspended" if row["suspended"] else "active"


def reports(visit: Visit) -> Response:
    """Who reports to a person, as a branch of the tree."""
    with visit.ledger() as database:
        found = people.reports_of(database, _number(visit), visit.number("after"))
    return visit.page("reports.html", reports=found, above=_number(visit), counted=COUNTED)


def _number(visit: Visit) -> int:
    return number_in(visit, "person")


def number_in(visit: Visit, name: str) -> int:
    """The number in an address.

    Raises:
        HTTPException: it is none.
    """
    text = visit.place(name)
    if not (text.isascii() and text.isdigit() and len(text) < len(str(2**63))):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return int(text)
