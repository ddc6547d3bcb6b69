"""What goes wrong, told to whoever asked: as a page, as a sentence for our own script, as JSON for programs."""

import re
from collections.abc import Awaitable
from http import HTTPStatus

import peewee
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from lzsyncd.errors import LzsyncdError, Usage
from lzsyncd.logs import logger
from lzsyncd.web.visit import html
from lzsyncd.zone.database import Database

SITE_PATH = re.compile(r"/sites/([^/]*)/")
SORRY = {
    HTTPStatus.FORBIDDEN: "Your account may look, not change anything. Ask whoever runs the server for the role admin.",
    HTTPStatus.NOT_FOUND: "There is nothing here. It may have been taken away when its time was over.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "That is more than is taken here.",
    HTTPStatus.BAD_REQUEST: "The browser sent something that can't be understood.",
}


async def whole(request: Request, answer: Awaitable[Response]) -> Response:
    """The answer; what nobody foresaw becomes one here, so that it gets the headers of all others."""
    try:
        return await answer
    except (HTTPException, LzsyncdError):
        raise
    except Exception as error:  # noqa: BLE001 whatever it is
        return broken(request, error)


async def sorry(request: Request, error: Exception) -> Response:
    """What the browser asked for is not to be had."""
    assert isinstance(error, HTTPException)  # noqa: S101 Starlette's types say less than its table
    status = HTTPStatus(error.status_code)
    text = error.detail if error.detail != status.phrase else SORRY.get(status, status.description)
    response = _told(request, status, text)
    response.headers.update(error.headers or {})
    return response


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
