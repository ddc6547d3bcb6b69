"""The application: addresses, what holds for every answer, and how errors are told."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lzsyncd.errors import LzsyncdError, TryAgain
from lzsyncd.web import api, decisions, numbers, overview, people, runs, settings, sign, units, upload
from lzsyncd.web.access import SAFE, comes_from_elsewhere, is_ours, session_of
from lzsyncd.web.house import House
from lzsyncd.web.shown import STATIC
from lzsyncd.web.store import Session, kept
from lzsyncd.web.trouble import away, sorry, whole, wrong
from lzsyncd.web.visit import Visit, form_of

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


def build(house: House) -> Starlette:
    """The application."""
    site = [
        *(_page(path, page) for path, page in PAGES.items()),
        *(_page(path, page, methods=["POST"]) for path, page in FORMS.items()),
        Route("/upload/{batch}/{name}", receive, methods=["PUT"]),
    ]
    application = Starlette(
        routes=[
            Route("/", sign.door),
            Route("/sign-in", sign.ask),
            Route("/sign-in", sign.enter, methods=["POST"]),
            Route("/metrics", numbers.metrics),
            *api.routes(),
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
    "/runs/{run}/undo": decisions.undo_preview,
    "/errors": runs.last_findings,
    "/holds": decisions.holds,
    "/upload": upload.form,
    "/delivered": upload.delivered,
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
    "/runs/{run}/approve": decisions.approve,
    "/runs/{run}/discard": decisions.discard,
    "/runs/{run}/sync": decisions.sync_now,
    "/runs/{run}/undo": decisions.undo,
    "/upload/{batch}": upload.deliver,
    "/account/sessions": settings.end_sessions,
    "/account/password": settings.change_password,
}
"""What may be sent by whoever is signed in; everything else that changes something asks for the role itself."""


def _page(path: str, page: Page, methods: list[str] | None = None) -> Route:
    async def answer(request: Request) -> Response:
        form = {} if request.method in SAFE else await form_of(request)
        return await whole(request, run_in_threadpool(_visited, request, page, form))

    return Route(path, answer, methods=methods)


def _visited(request: Request, page: Page, form: dict[str, str]) -> Response:
    visit = visit_of(request, form)
    return visit if isinstance(visit, Response) else page(visit)


async def receive(request: Request) -> Response:
    """A file, whose body is not read before it is known who sends it."""
    visit = await run_in_threadpool(visit_of, request, {}, request.headers.get("x-csrf", ""))
    if isinstance(visit, Response):
        return visit
    decisions.require_admin(visit)
    return await whole(request, upload.receive(request, visit))


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
