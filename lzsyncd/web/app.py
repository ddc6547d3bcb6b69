"""The application: addresses, what holds for every answer, and how errors are told."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import peewee
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lzsyncd.errors import LzsyncdError, TryAgain, Usage
from lzsyncd.logs import logger
from lzsyncd.web import overview, people, runs, settings, sign, units
from lzsyncd.web.access import SAFE, comes_from_elsewhere, is_ours, session_of
from lzsyncd.web.house import House
from lzsyncd.web.shown import STATIC
from lzsyncd.web.store import Role, Session, kept
from lzsyncd.web.visit import Visit, form_of, html
from lzsyncd.zone.database import Database

Page = Callable[[Visit], Response]
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
YEAR = 365 * 86_400  # seconds
SITE_PATH = re.compile(r"/sites/([^/]*)/")
SORRY = {
    HTTPStatus.FORBIDDEN: "Your account may look, not change anything. Ask whoever runs the server for the role admin.",
    HTTPStatus.NOT_FOUND: "There is nothing here. It may have been taken away when its time was over.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "That is more than is taken here.",
    HTTPStatus.BAD_REQUEST: "The browser sent something that can't be understood.",
}


def build(house: House) -> Starlette:
    """The application."""
    site = [
        *(_page(path, page) for path, page in PAGES.items()),
        *(_page(path, page, methods=["POST"]) for path, page in FORMS.items()),
    ]
    application = Starlette(
        routes=[
            Route("/", sign.door),
            Route("/sign-in", sign.ask),
            Route("/sign-in", sign.enter, methods=["POST"]),
            Mount("/sites/{site}", routes=site),
            Mount("/static", Immutable(directory=STATIC)),
        ],
        middleware=[Middleware(Guard)],
        exception_handlers={HTTPException: sorry, TryAgain: away, LzsyncdError: wrong},
    )
    application.router.redirect_slashes = False
    application.state.house = house
    return application


PAGES: dict[str, Page] = {
    "/": overview.overview,
    "/now": overview.now,
    "/runs": runs.listing,
    "/runs/{run}": runs.one,
    "/runs/{run}/findings": runs.findings,
    "/runs/{run}/findings.csv": runs.findings_file,
    "/runs/{run}/changes": runs.changes,
    "/runs/{run}/changes.csv": runs.changes_file,
    "/errors": runs.last_findings,
    "/people": people.listing,
    "/people/{person}": people.one,
    "/people/{person}/reports": people.reports,
    "/units": units.tree,
    "/units/{element}": units.tree,
    "/units/{element}/{unit}": units.one,
    "/units/{element}/{unit}/below": units.below,
    "/audiences": units.audiences,
    "/audiences/{audience}": units.audience,
    "/settings": settings.settings,
    "/account": settings.account,
}
FORMS: dict[str, Page] = {
    "/sign-out": sign.leave,
    "/account/sessions": settings.end_sessions,
    "/account/password": settings.change_password,
}
"""What may be sent by whoever is signed in; everything else that changes something asks for the role itself."""


def _page(path: str, page: Page, methods: list[str] | None = None) -> Route:
    async def answer(request: Request) -> Response:
        form = {} if request.method in SAFE else await form_of(request)
        try:
            return await run_in_threadpool(_visited, request, page, form)
        except (HTTPException, LzsyncdError):
            raise
        except Exception as error:  # noqa: BLE001 here, so that the answer gets the headers of all others
            return broken(request, error)

    return Route(path, answer, methods=methods)


def _visited(request: Request, page: Page, form: dict[str, str]) -> Response:
    visit = visit_of(request, form)
    return visit if isinstance(visit, Response) else page(visit)


def visit_of(request: Request, form: dict[str, str], offered: str = "") -> Visit | Response:
    """Who asks and what for, or what they get instead: nobody who is not signed in learns which sites there are.

    Args:
        request: it.
        form: its fields.
        offered: what shows that it comes from one of our pages, where that is not in the form.

    Raises:
        HTTPException: it was not sent by one of our own pages.
    """
    house: House = request.app.state.house
    name, now = str(request.path_params["site"]), house.clock()
    site = house.config().sites.get(name)
    session: Session | None = None
    if site is not None:
        with kept(site) as store:
            session = session_of(request, store, now)
    if site is None or session is None:
        return sign.away_to(request, name)
    if request.method not in SAFE and not is_ours(session, offered or form.get("csrf", "")):
        raise HTTPException(
            HTTPStatus.FORBIDDEN, "This form is too old, or was not ours. Go back, reload, and try again."
        )
    return Visit(request, house, site, session, form, now)


def require_admin(visit: Visit) -> None:
    """Refuse viewers.

    Raises:
        HTTPException: it is one.
    """
    if visit.session.role is not Role.ADMIN:
        raise HTTPException(HTTPStatus.FORBIDDEN)


# -- what holds for every answer


class Immutable(StaticFiles):
    """Our own files. Their addresses change with what is in them."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """See Starlette."""
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = f"public, max-age={YEAR}, immutable"
        return response


class Guard:
    """Refuses what another site makes a browser send, and sets the headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _complete(MutableHeaders(scope=message), request)
            await send(message)

        if scope["method"] not in SAFE and comes_from_elsewhere(request):
            refusal = PlainTextResponse("Another site has sent this.\n", HTTPStatus.FORBIDDEN)
            await refusal(scope, receive, guarded)
            return
        await self.app(scope, receive, guarded)


def _complete(headers: MutableHeaders, request: Request) -> None:
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("cache-control", "no-store")
    if request.url.scheme == "https":
        headers["strict-transport-security"] = f"max-age={YEAR}"


# -- errors


async def sorry(request: Request, error: Exception) -> Response:
    """What the browser asked for is not to be had."""
    assert isinstance(error, HTTPException)  # noqa: S101 Starlette's types say less than its table
    status = HTTPStatus(error.status_code)
    text = error.detail if error.detail != status.phrase else SORRY.get(status, status.description)
    return _told(request, status, text)


async def away(request: Request, error: Exception) -> Response:
    """The database is away, or has no tables yet."""
    return _told(request, HTTPStatus.SERVICE_UNAVAILABLE, str(error))


async def wrong(request: Request, error: Exception) -> Response:
    """Something can't be done, and why."""
    status = HTTPStatus.BAD_REQUEST if isinstance(error, Usage) else HTTPStatus.INTERNAL_SERVER_ERROR
    return _told(request, status, str(error))


def broken(request: Request, error: Exception) -> Response:
    """What nobody foresaw. The log has where, and no value of a file."""
    if Database.is_away(error) or isinstance(error, peewee.OperationalError):
        return _told(request, HTTPStatus.SERVICE_UNAVAILABLE, "The database is busy or away. Try again in a moment.")
    logger().error("A page failed.", exc_info=error, **{"event.action": "page_failed"})
    return _told(
        request, HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong here. The log of lzsyncd-web has where."
    )


def _told(request: Request, status: HTTPStatus, text: str) -> Response:
    path = request.url.path
    if path.startswith("/api/"):
        return JSONResponse({"error": text}, status)
    if request.headers.get("x-lzsyncd"):  # our own script shows it where it happened
        return PlainTextResponse(text, status)
    match = SITE_PATH.match(path)
    back = match[0] if match else "/"
    return html("sorry.html", status, title=status.phrase, text=text, back=back)
