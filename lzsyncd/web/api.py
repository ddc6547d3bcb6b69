"""The API: the same data as JSON, for programs with a token. `DOCUMENT` describes it, and the routes are made of it.

A token belongs to one site, so no address names a site.
"""

from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lzsyncd import __version__
from lzsyncd.cli.state import state_of
from lzsyncd.errors import Usage
from lzsyncd.ledger.queries import breaches, summary
from lzsyncd.ledger.requests import Kind
from lzsyncd.ledger.runs import iso
from lzsyncd.web import decisions, upload
from lzsyncd.web.access import token_of
from lzsyncd.web.house import House
from lzsyncd.web.questions.findings import FindingFilter, finding_lines
from lzsyncd.web.questions.runs import run_lines
from lzsyncd.web.store import Session, digest
from lzsyncd.web.trouble import whole
from lzsyncd.web.visit import Visit

ROWS = 200  # of a page
REFUSED = "A token is missing, wrong, or was revoked."


class Parameter(NamedTuple):
    """A parameter of an address."""

    name: str
    place: str
    meaning: str
    kind: str = "string"


RUN = Parameter("run", "path", "The run's id.")
BATCH = Parameter("batch", "path", "16 hexadecimal digits of your own for each delivery.")


def _run(visit: Visit) -> dict[str, Any]:
    run_id = visit.place("run")
    with visit.ledger() as database:
        try:
            told = summary(database, run_id)
        except Usage:
            raise HTTPException(HTTPStatus.NOT_FOUND) from None
        return told.as_dict() | {"breaches": breaches(database, run_id)}


def _status(visit: Visit) -> dict[str, Any]:
    state = state_of(visit.house.config(), [visit.site])
    return {"daemon": state.daemon, **asdict(state.sites[0])}


def _runs(visit: Visit) -> dict[str, Any]:
    with visit.ledger() as database:
        found = run_lines(database, visit.asked("before"), visit.asked("status"), ROWS + 1)
    lines = [line._asdict() for line in found[:ROWS]]
    return {"runs": lines, "before": found[ROWS - 1].run if len(found) > ROWS else ""}


def _errors(visit: Visit) -> dict[str, Any]:
    _run(visit)
    wanted = FindingFilter(*(visit.asked(name) for name in ("code", "element", "severity", "text")))
    with visit.ledger() as database:
        found = finding_lines(database, visit.place("run"), wanted, after=visit.number("after"), rows=ROWS)
    return {"errors": [line._asdict() for line in found.rows], "after": found.after, "whole": found.whole}


def _asks(kind: Kind) -> Callable[[Visit], dict[str, Any]]:
    def ask(visit: Visit) -> dict[str, Any]:
        decisions.require_admin(visit)
        plan_hash = visit.asked("plan_hash") if kind is Kind.APPROVE else ""
        return {"request": decisions.ask(visit, kind, visit.place("run"), plan_hash, visit.session.account)}

    return ask


def _deliver(visit: Visit) -> dict[str, Any]:
    decisions.require_admin(visit)
    upload.deliver(visit)
    return {"delivered": True}


class Operation(NamedTuple):
    """One thing that the API does."""

    method: str
    path: str
    summary: str
    parameters: tuple[Parameter, ...]
    does: Callable[[Visit], dict[str, Any]]
    code: HTTPStatus = HTTPStatus.OK


ERROR_FILTERS = (
    *(Parameter(name, "query", f"Only this {name}.") for name in ("code", "element", "severity")),
    Parameter("text", "query", "Only where it occurs in key, value or message; a number is also a line."),
    Parameter("after", "query", "Go on after this id.", "integer"),
)
OPERATIONS = (
    Operation("get", "/api/status", "How the site is, and what it waits for.", (), _status),
    Operation(
        "get",
        "/api/runs",
        "Runs, newest first.",
        (Parameter("before", "query", "Go on before this run."), Parameter("status", "query", "Only in this state.")),
        _runs,
    ),
    Operation("get", "/api/runs/{run}", "One run: counts, findings by code, files, breached limits.", (RUN,), _run),
    Operation("get", "/api/runs/{run}/errors", "Its findings.", (RUN, *ERROR_FILTERS), _errors),
    Operation(
        "post",
        "/api/runs/{run}/approve",
        "Approve a held set, exactly the plan that was seen.",
        (RUN, Parameter("plan_hash", "query", 'The plan_hash of the run as it was seen; "" where it has none.')),
        _asks(Kind.APPROVE),
        HTTPStatus.ACCEPTED,
    ),
    Operation(
        "post", "/api/runs/{run}/discard", "Give a held set up.", (RUN,), _asks(Kind.DISCARD), HTTPStatus.ACCEPTED
    ),
    Operation(
        "post", "/api/runs/{run}/sync", "Apply a checked set now.", (RUN,), _asks(Kind.SYNC), HTTPStatus.ACCEPTED
    ),
    Operation(
        "post", "/api/runs/{run}/undo", "Take the latest run back.", (RUN,), _asks(Kind.UNDO), HTTPStatus.ACCEPTED
    ),
    Operation(
        "post",
        "/api/uploads/{batch}",
        "All files of a delivery have come: put them into the inbox.",
        (BATCH,),
        _deliver,
        HTTPStatus.CREATED,
    ),
)
PUT = "/api/uploads/{batch}/{name}"


def routes() -> list[Route]:
    """The addresses of the API."""
    found = [Route("/api/openapi.json", _document), Route(PUT, _receive, methods=["PUT"])]
    return found + [_route(operation) for operation in OPERATIONS]


def _route(operation: Operation) -> Route:
    async def answer(request: Request) -> Response:
        return await whole(request, run_in_threadpool(_answer, request, operation))

    return Route(operation.path, answer, methods=[operation.method.upper()])


def _answer(request: Request, operation: Operation) -> Response:
    return JSONResponse(operation.does(_visit(request)), operation.code)


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
    return await whole(request, upload.receive(request, visit))


def _document(_request: Request) -> Response:
    return JSONResponse(document())


def document() -> dict[str, Any]:
    """The API's description, OpenAPI 3.1."""
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation)
    name = Parameter("name", "path", "The file's name: org.csv, pos.csv, user.csv, or rejected-….csv.")
    put = Operation("put", PUT, "One file of a delivery, as it is.", (BATCH, name), _status, HTTPStatus.CREATED)
    content = {"content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}
    paths[PUT] = {"put": {**_described(put), "requestBody": {"required": True, **content}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "lzsyncd", "version": __version__, "summary": "Learning Zones in step with HR."},
        "security": [{"token": []}],
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "paths": paths,
    }


ANSWERS = {
    HTTPStatus.BAD_REQUEST: "Something in the request can't be used.",
    HTTPStatus.UNAUTHORIZED: REFUSED,
    HTTPStatus.FORBIDDEN: "The token may look, not change anything.",
    HTTPStatus.NOT_FOUND: "There is no such run.",
    HTTPStatus.CONFLICT: "The run does not stand where that can be asked for.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The file is too large.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database is away or busy: try again.",
}


def _described(operation: Operation) -> dict[str, Any]:
    schema = {"application/json": {"schema": {"type": "object"}}}
    return {
        "summary": operation.summary,
        "operationId": operation.path.removeprefix("/api/").replace("/", "-").replace("{", "").replace("}", "")
        + f"-{operation.method}",
        "parameters": [
            {
                "name": parameter.name,
                "in": parameter.place,
                "required": parameter.place == "path",
                "description": parameter.meaning,
                "schema": {"type": parameter.kind},
            }
            for parameter in operation.parameters
        ],
        "responses": {
            str(int(operation.code)): {"description": "Done, or written down.", "content": schema},
            **{str(int(code)): {"description": told, "content": schema} for code, told in ANSWERS.items()},
        },
    }
