"""The API: the same data as JSON, for programs with a token. `document` describes it, and the routes are made of it.

A token belongs to one site, so no address names a site.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from http import HTTPStatus
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lzsyncd.checks.catalogue import CATALOGUE
from lzsyncd.cli.state import SiteState, state_of
from lzsyncd.feed.elements import Element
from lzsyncd.ledger.queries import Change, RunSummary, breaches
from lzsyncd.ledger.requests import Kind
from lzsyncd.ledger.runs import iso
from lzsyncd.ledger.status import Status
from lzsyncd.web import decisions, described, upload
from lzsyncd.web.access import token_of
from lzsyncd.web.described import REFUSED, Described, Parameter
from lzsyncd.web.house import House
from lzsyncd.web.questions.findings import ChangeFilter, FindingFilter, FindingLine, change_lines, finding_lines
from lzsyncd.web.questions.runs import RunLine, run_lines
from lzsyncd.web.runs import ACTIONS, SEVERITIES, run_of
from lzsyncd.web.store import Session, digest
from lzsyncd.web.trouble import whole
from lzsyncd.web.visit import Visit

ROWS = 200  # of a page


# -- what is answered; the document is made of these


@dataclass(frozen=True)
class State(SiteState):
    """How a site is; `daemon`: it runs."""

    daemon: bool


@dataclass(frozen=True)
class Run(RunSummary):
    """A run, with the limits that its plan exceeds."""

    breaches: list[dict[str, Any]]


@dataclass(frozen=True)
class Runs:
    """Runs; `before` is where the next page begins, "" at the end."""

    runs: list[RunLine]
    before: str


@dataclass(frozen=True)
class Errors:
    """Findings; `after` is where the next page begins, 0 at the end; not `whole`: going on looks further."""

    errors: list[FindingLine]
    after: int
    whole: bool


@dataclass(frozen=True)
class Changes:
    """Changed records, in the same way."""

    changes: list[Change]
    after: int
    whole: bool


@dataclass(frozen=True)
class Asked:
    """What was asked for is written down under this number."""

    request: int


@dataclass(frozen=True)
class Delivered:
    """All files are in the inbox."""

    delivered: bool


@dataclass(frozen=True)
class Received:
    """A file has come."""

    received: str


# -- what is done


def _run(visit: Visit) -> Run:
    with visit.ledger() as database:
        told = run_of(visit, database)
        return Run(**vars(told), breaches=breaches(database, told.run))


def _status(visit: Visit) -> State:
    state = state_of(visit.house.config(), [visit.site])
    return State(**vars(state.sites[0]), daemon=state.daemon)


def _runs(visit: Visit) -> Runs:
    with visit.ledger() as database:
        found = run_lines(database, visit.asked("before"), visit.asked("status"), ROWS + 1)
    return Runs(found[:ROWS], found[ROWS - 1].run if len(found) > ROWS else "")


def _errors(visit: Visit) -> Errors:
    wanted = FindingFilter(*(visit.asked(name) for name in ("code", "element", "severity", "text")))
    with visit.ledger() as database:
        run = run_of(visit, database).run
        found = finding_lines(database, run, wanted, after=visit.number("after"), rows=ROWS)
    return Errors(found.rows, found.after, found.whole)


def _changes(visit: Visit) -> Changes:
    wanted = ChangeFilter(*(visit.asked(name) for name in ("element", "action", "key")))
    with visit.ledger() as database:
        run = run_of(visit, database).run
        found = change_lines(database, run, wanted, after=visit.number("after"), rows=ROWS)
    return Changes(found.rows, found.after, found.whole)


def _asks(kind: Kind) -> Callable[[Visit], Asked]:
    def ask(visit: Visit) -> Asked:
        decisions.require_admin(visit)
        plan_hash = visit.asked("plan_hash") if kind is Kind.APPROVE else ""
        return Asked(decisions.ask(visit, kind, visit.place("run"), plan_hash, visit.session.account))

    return ask


def _deliver(visit: Visit) -> Delivered:
    upload.deliver(visit)
    return Delivered(delivered=True)


class Operation(NamedTuple):
    """One thing that the API does; `described.answer` is the type of what `does` returns."""

    described: Described
    does: Callable[[Visit], Any]


RUN = Parameter("run", "path", "The run's id.")
BATCH = Parameter(
    "batch",
    "path",
    "16 hexadecimal digits of your own for each delivery.",
    {"type": "string", "pattern": "^[0-9a-f]{16}$"},
)
NAME = Parameter(
    "name",
    "path",
    "The file's name: org.csv, pos.csv, user.csv, or rejected-….csv.",
    {"enum": [name for e in Element for name in (e.file_name, e.mended_file_name)]},
)
AFTER = Parameter("after", "query", "Go on after this id.", {"type": "integer", "minimum": 0, "maximum": 2**62})
ELEMENT = Parameter("element", "query", "Only this element.", {"enum": [e.value for e in Element]})
ERROR_FILTERS = (
    Parameter("code", "query", "Only this code.", {"enum": sorted(CATALOGUE)}),
    ELEMENT,
    Parameter("severity", "query", "Only this severity.", {"enum": list(SEVERITIES)}),
    Parameter("text", "query", "Only where it occurs in key, value or message; a number is also a line."),
    AFTER,
)
CHANGE_FILTERS = (
    ELEMENT,
    Parameter("action", "query", "Only where this happened.", {"enum": list(ACTIONS)}),
    Parameter("key", "query", "Only the record of this key."),
    AFTER,
)
RUN_FILTERS = (
    Parameter("before", "query", "Go on before this run."),
    Parameter("status", "query", "Only in this state.", {"enum": [status.value for status in Status]}),
)
PLAN = Parameter("plan_hash", "query", 'The plan_hash of the run as it was seen; "" where it has none.')
PUT = "/api/uploads/{batch}/{name}"
RECEIVE = Described(
    "put",
    PUT,
    "One file of a delivery, as it is.",
    (BATCH, NAME),
    Received,
    HTTPStatus.CREATED,
    {"content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}},
)


def _asking(kind: Kind, summary: str, *more: Parameter) -> Operation:
    told = Described("post", f"/api/runs/{{run}}/{kind}", summary, (RUN, *more), Asked, HTTPStatus.ACCEPTED)
    return Operation(told, _asks(kind))


OPERATIONS = (
    Operation(Described("get", "/api/status", "How the site is, and what it waits for.", (), State), _status),
    Operation(Described("get", "/api/runs", "Runs, newest first.", RUN_FILTERS, Runs), _runs),
    Operation(
        Described("get", "/api/runs/{run}", "One run: counts, findings by code, files, breached limits.", (RUN,), Run),
        _run,
    ),
    Operation(Described("get", "/api/runs/{run}/errors", "Its findings.", (RUN, *ERROR_FILTERS), Errors), _errors),
    Operation(
        Described(
            "get",
            "/api/runs/{run}/changes",
            "What it changed, record by record; of a set that waits, what it would change.",
            (RUN, *CHANGE_FILTERS),
            Changes,
        ),
        _changes,
    ),
    _asking(Kind.APPROVE, "Approve a held set, exactly the plan that was seen.", PLAN),
    _asking(Kind.DISCARD, "Give a held set up."),
    _asking(Kind.SYNC, "Apply a checked set now."),
    _asking(Kind.UNDO, "Take the latest run back."),
    Operation(
        Described(
            "post",
            "/api/uploads/{batch}",
            "All files of a delivery have come: put them into the inbox.",
            (BATCH,),
            Delivered,
            HTTPStatus.CREATED,
        ),
        _deliver,
    ),
)


def document() -> dict[str, Any]:
    """The API's description."""
    return described.document([*(operation.described for operation in OPERATIONS), RECEIVE])


# -- requests


def routes() -> list[Route]:
    """The addresses of the API."""
    found = [Route("/api/openapi.json", _document), Route(PUT, _receive, methods=["PUT"])]
    return found + [_route(operation) for operation in OPERATIONS]


def _route(operation: Operation) -> Route:
    async def answer(request: Request) -> Response:
        return await whole(request, run_in_threadpool(_answer, request, operation))

    return Route(operation.described.path, answer, methods=[operation.described.method.upper()])


def _answer(request: Request, operation: Operation) -> Response:
    visit = _visit(request)
    _require_fitting(request, operation.described.parameters)
    return JSONResponse(_plain(operation.does(visit)), operation.described.code)


def _require_fitting(request: Request, parameters: tuple[Parameter, ...]) -> None:
    """Refuse what the document does not allow: a filter with a spelling mistake must not look like no filter.

    Raises:
        HTTPException: a parameter is not known, comes twice, or can't be what it is.
    """
    known = {parameter.name: parameter for parameter in parameters if parameter.place == "query"}
    given = request.query_params.multi_items()
    for name, value in given:
        if name not in known:
            raise HTTPException(HTTPStatus.BAD_REQUEST, f"There are these parameters: {', '.join(known) or 'none'}.")
        if not known[name].allows(value) or len(request.query_params.getlist(name)) > 1:
            raise HTTPException(HTTPStatus.BAD_REQUEST, f"{name} can't be that. {known[name].meaning}")


def _plain(value: Any) -> Any:
    """For JSON: everything that has names has them there, too."""
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _visit(request: Request) -> Visit:
    """The request of a program; its token stands for an account.

    Raises:
        HTTPException: it has no good token.
    """
    house: House = request.app.state.house
    now = house.clock()
    found = token_of(request, house.config().sites, now)
    if found is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, REFUSED, {"www-authenticate": "Bearer"})
    site, token = found
    mark = digest(f"{site.name}/{token.name}")
    session = Session(mark, f"token {token.name}", token.role, "", iso(now), iso(now), "")
    if "batch" in request.path_params:
        request.path_params["batch"] = f"{mark[:16]}-{request.path_params['batch']}"
    return Visit(request, house, site, session, {}, now)


async def _receive(request: Request) -> Response:
    visit = await run_in_threadpool(_visit, request)
    decisions.require_admin(visit)
    answer = await whole(request, upload.receive(request, visit))
    good = answer.status_code == HTTPStatus.CREATED
    return JSONResponse(_plain(Received(visit.place("name"))), HTTPStatus.CREATED) if good else answer


def _document(_request: Request) -> Response:
    return JSONResponse(document())
