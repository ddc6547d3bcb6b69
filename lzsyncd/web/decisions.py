"""Holds, and what people decide: each decision is a row, which whoever holds the site's lock carries out."""

from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from lzsyncd.errors import Usage
from lzsyncd.intake.touches import wake
from lzsyncd.ledger import requests
from lzsyncd.ledger.planned import WAITS
from lzsyncd.ledger.queries import RunSummary, breaches, summary
from lzsyncd.ledger.requests import Kind
from lzsyncd.ledger.runs import iso
from lzsyncd.ledger.status import Status
from lzsyncd.ledger.waiting import pending
from lzsyncd.service.instance import ring
from lzsyncd.sync.run import Options
from lzsyncd.sync.undo import Undo, possible, refuse_what_is_not_the_latest, taken_back
from lzsyncd.web.looks import AT_ONCE, Look
from lzsyncd.web.questions.findings import ChangeFilter, change_lines
from lzsyncd.web.questions.runs import asked_for
from lzsyncd.web.store import Role, kept
from lzsyncd.web.visit import Visit
from lzsyncd.zone.database import Database

FITS = {  # what may be asked for of a run, by where it stands
    Kind.APPROVE: (Status.HELD,),
    Kind.DISCARD: (Status.HELD,),
    Kind.SYNC: (Status.CHECKED,),
    Kind.UNDO: (Status.APPLIED,),
}
GLIMPSE = 3  # changes that a waiting set's own page shows
SHOWN = 100  # of what stands in the way of an undo


def holds(visit: Visit) -> Response:
    """Everything that waits for a person."""
    with visit.ledger() as database:
        held = [summary(database, run.run) for run in pending(database, (Status.HELD,))]
        told = [(run, breaches(database, run.run)) for run in held]
    return visit.page("holds.html", here="holds", held=told)


def decisions_on(visit: Visit, database: Database, run: RunSummary) -> dict[str, Any]:
    """What a run's page shows of what can be, and was, decided on it."""
    asked = asked_for(database, run.run)
    waits = run.kind == "sync" and run.status in WAITS
    return {
        "breaches": breaches(database, run.run),
        "asked": asked,
        "open_request": any(not one.done_at for one in asked),
        "next_slot": visit.site.timetable.next(visit.now).due_at.isoformat(),
        "waits": waits,
        "plan": change_lines(database, run.run, ChangeFilter(), rows=GLIMPSE) if waits else None,
    }


def undo_preview(visit: Visit) -> Response:
    """What taking a run back would do, at once, and what stands in the way, as soon as it is known.

    Nothing is changed by looking. The page asks every second (htmx) until the look is over; opened anew it looks anew.
    """
    require_admin(visit)
    is_part = bool(visit.request.headers.get("hx-request"))
    values: dict[str, Any] = {"counts": {}, "look": None, "trouble": ""}
    with visit.ledger() as database:
        run = _run(database, visit.place("run"))
        try:
            values["counts"] = taken_back(database, run.run, refuse_what_is_not_the_latest(database, run.run))
        except Usage as error:
            values["trouble"] = str(error)
    if not values["trouble"]:
        look = values["look"] = _look(visit, run.run, anew=not (is_part or visit.asked("known")))
        values["trouble"] = look.trouble
        if is_part and not look.is_over:  # nothing is swapped, and nothing read out again
            return Response(status_code=HTTPStatus.NO_CONTENT)
    template = "undo-part.html" if is_part else "undo.html"
    return visit.page(template, here="runs", run=run, shown=SHOWN, **values)


def _look(visit: Visit, run: str, *, anew: bool) -> Look:
    house, site = visit.house, visit.site

    def look() -> Undo:
        with house.requests(site) as database:
            return possible(database, run, Options(clock=house.clock))

    begun = house.looks.at(site.name, run, visit.now, look, anew=anew)
    begun.wait(AT_ONCE)
    return begun


def approve(visit: Visit) -> Response:
    """Apply a held set, exactly as it was shown."""
    return _ask(visit, Kind.APPROVE)


def discard(visit: Visit) -> Response:
    """Give a held set up."""
    return _ask(visit, Kind.DISCARD)


def sync_now(visit: Visit) -> Response:
    """Apply a checked set now, not at its slot."""
    return _ask(visit, Kind.SYNC)


def undo(visit: Visit) -> Response:
    """Take a run back."""
    return _ask(visit, Kind.UNDO)


def _ask(visit: Visit, kind: Kind) -> Response:
    require_admin(visit)
    ask(visit, kind, visit.place("run"), visit.form.get("plan_hash", ""), visit.session.account)
    return visit.go("runs", visit.place("run"), said="asked")


def ask(visit: Visit, kind: Kind, run_id: str, plan_hash: str, who: str) -> int:
    """Write down what somebody asks for; returns its number. Asking twice is asking once.

    Raises:
        HTTPException: there is no such run, or it is not one of which that can be asked.
    """
    with visit.house.requests(visit.site) as database:
        run = _run(database, run_id)
        for earlier in asked_for(database, run_id):
            if earlier.kind == kind and not earlier.done_at:
                return earlier.id
        if run.status not in FITS[kind]:
            raise HTTPException(HTTPStatus.CONFLICT, f"This run is {run.status}: there is nothing to {kind}.")
        number = requests.ask(database, kind, run_id, plan_hash=plan_hash, by=who, now=iso(visit.now), trigger="page")
    ring(visit.house.config().daemon.runtime_dir)
    wake(visit.site.inbox)  # the installed page is another account, which may send no signal
    with kept(visit.site) as store:
        detail = f"run {run_id}" + (f", plan {plan_hash[:12]}" if plan_hash else "")
        store.note(who, visit.address, f"asked to {kind}", detail, visit.now)
    return number


def _run(database: Database, run_id: str) -> RunSummary:
    try:
        return summary(database, run_id)
    except Usage:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None


def require_admin(visit: Visit) -> None:
    """Refuse viewers.

    Raises:
        HTTPException: it is one.
    """
    if visit.session.role is not Role.ADMIN:
        raise HTTPException(HTTPStatus.FORBIDDEN)
