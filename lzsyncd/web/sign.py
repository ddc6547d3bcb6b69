"""Signing in and out.

Whoever is not signed in gets the same answers for a site that exists and one that does not, as fast for both.
"""

import math
from http import HTTPStatus
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lzsyncd.config import Site
from lzsyncd.logs import logger
from lzsyncd.web.access import COOKIE, LONGEST, SAFE, Newcomer, begin
from lzsyncd.web.house import House
from lzsyncd.web.passwords import fits
from lzsyncd.web.store import Account, kept
from lzsyncd.web.visit import Visit, address_of, form_of, html

LONGEST_NAME = 100  # characters
WRONG = "Site, name and password do not go together."


async def door(_request: Request) -> Response:
    """The way in."""
    return RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)


async def ask(request: Request) -> Response:
    """The form."""
    return _form(request.query_params.get("site", "")[:LONGEST_NAME], onward=request.query_params.get("to", ""))


def _form(
    site: str, *, onward: str = "", name: str = "", problem: str = "", status: HTTPStatus = HTTPStatus.OK
) -> Response:
    return html("sign-in.html", status, site_name=site, name=name, onward=onward, problem=problem)


def away_to(request: Request, site: str) -> Response:
    """The way to the form, and back to the page that was asked for."""
    if request.headers.get("hx-request") or request.headers.get("x-lzsyncd"):
        return Response("You are signed out.", HTTPStatus.UNAUTHORIZED, {"hx-refresh": "true"})
    onward = request.url.path if request.method in SAFE else ""
    return RedirectResponse(f"/sign-in?site={quote(site)}&to={quote(onward)}", HTTPStatus.SEE_OTHER)


async def enter(request: Request) -> Response:
    """Somebody has filled in the form."""
    form = await form_of(request)
    return await run_in_threadpool(_enter, request, form)


def _enter(request: Request, form: dict[str, str]) -> Response:
    house: House = request.app.state.house
    name, who = (form.get(field, "").strip()[:LONGEST_NAME] for field in ("site", "name"))
    address, onward = address_of(request), form.get("to", "")
    if wait := house.throttle.wait(name, who, address, house.monotonic()):
        text = f"Too many wrong passwords. Try again in {math.ceil(wait / 60)} minutes."
        response = _form(name, onward=onward, name=who, problem=text, status=HTTPStatus.TOO_MANY_REQUESTS)
        response.headers["retry-after"] = str(math.ceil(wait))
        return response
    site = house.config().sites.get(name)
    account = _account(site, who)
    if not fits(account.hash if account else None, form.get("password", "")) or site is None or account is None:
        house.throttle.failed(name, who, address, house.monotonic())
        response = _form(name, onward=onward, name=who, problem=WRONG, status=HTTPStatus.UNAUTHORIZED)
        # after the answer: that it is written down takes its time, which would tell whose account is there
        response.background = BackgroundTask(_note_failure, site, account, address, house)
        return response
    house.throttle.succeeded(name, who, address)
    return _let_in(request, site, account, onward)


def _account(site: Site | None, name: str) -> Account | None:
    if site is None:
        return None
    with kept(site) as store:
        account = store.account(name)
    return None if account is None or account.disabled else account


def _note_failure(site: Site | None, account: Account | None, address: str, house: House) -> None:
    """A guess at a real account is in its site's audit trail; the rest is counted in the log."""
    logger().warning("A sign-in failed.", **{"event.action": "sign_in_failed", "event.outcome": "failure"})
    if site and account:
        with kept(site) as store:
            store.note(account.name, address, "sign-in failed", "", house.clock())


def _let_in(request: Request, site: Site, account: Account, onward: str) -> Response:
    house: House = request.app.state.house
    now, address = house.clock(), address_of(request)
    with kept(site) as store:
        newcomer = begin(store, account.name, account.role, address, now)
        store.note(account.name, address, "signed in", "", now)
    home = f"/sites/{site.name}/"
    inside = onward.startswith(home) and onward.isprintable() and "\\" not in onward and "//" not in onward
    response = RedirectResponse(onward if inside else home, HTTPStatus.SEE_OTHER)
    _hand_cookie(response, request, home, newcomer)
    return response


def _hand_cookie(response: Response, request: Request, home: str, newcomer: Newcomer) -> None:
    """The cookie goes to this site's pages alone: whoever has accounts at two sites is signed in at both."""
    response.set_cookie(
        COOKIE,
        newcomer.secret,
        max_age=int(LONGEST.total_seconds()),
        path=home,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def leave(visit: Visit) -> Response:
    """Sign out: the session is over, whatever becomes of the cookie."""
    with kept(visit.site) as store:
        store.end_session(visit.session.digest)
        store.note(visit.session.account, visit.address, "signed out", "", visit.now)
    response = RedirectResponse(f"/sign-in?site={visit.site.name}", HTTPStatus.SEE_OTHER)
    response.delete_cookie(COOKIE, path=visit.path())
    return response
