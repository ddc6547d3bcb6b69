"""One request to a page: who asks, about which site, with what. And what the request gets back."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from lzsyncd.config import Site
from lzsyncd.web.house import House
from lzsyncd.web.shown import render
from lzsyncd.web.store import Role, Session
from lzsyncd.zone.database import Database

FORM_LIMIT = 64 * 1024  # bytes
FIELDS = 50
ASKED_AT_MOST = 300  # characters of a parameter; keys of people have up to 255


@dataclass(frozen=True)
class Visit:
    """A request by somebody who is signed in.

    Attributes:
        request: Starlette's.
        house: what all requests share.
        site: the site it is about.
        session: who asks.
        form: what a form sent, by name; empty where nothing was sent.
        now: the time of this request.
    """

    request: Request
    house: House
    site: Site
    session: Session
    form: Mapping[str, str]
    now: datetime

    @property
    def is_admin(self) -> bool:
        """Whether who asks may change something."""
        return self.session.role is Role.ADMIN

    @property
    def address(self) -> str:
        """From where they ask."""
        return address_of(self.request)

    def asked(self, name: str) -> str:
        """A parameter of the address, "" where it is not there."""
        return _text(self.request.query_params.get(name, "")).strip()[:ASKED_AT_MOST]

    def number(self, name: str) -> int:
        """A parameter that is a number; 0 where it is none."""
        text = self.asked(name)
        return int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(2**62)) else 0

    def place(self, name: str) -> str:
        """A part of the path."""
        return _text(str(self.request.path_params[name]))

    def path(self, *parts: object) -> str:
        """The path of a page of this site."""
        return f"/sites/{self.site.name}/" + "/".join(quote(str(part), safe="") for part in parts)

    def ledger(self) -> AbstractContextManager[Database]:
        """The site's database, for reading."""
        return self.house.ledger(self.site)

    def page(self, template: str, **values: Any) -> Response:
        """A page of this site."""
        return html(template, site=self.site, session=self.session, is_admin=self.is_admin, visit=self, **values)

    def go(self, *parts: object, said: str = "") -> Response:
        """On to another page of this site; `said` names what it says on top."""
        query = f"?said={quote(said)}" if said else ""
        return RedirectResponse(self.path(*parts) + query, HTTPStatus.SEE_OTHER)


def _text(found: str) -> str:
    """What a database can be asked for: PostgreSQL takes no NUL."""
    return found.replace("\0", "\N{REPLACEMENT CHARACTER}")


def html(template: str, http_status: HTTPStatus = HTTPStatus.OK, /, **values: Any) -> Response:
    """A template with its values."""
    return HTMLResponse(render(template, values), http_status)


def address_of(request: Request) -> str:
    """From where a request comes; behind a unix socket only the proxy knows."""
    return request.client.host if request.client else "unix"


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form, which is never large. Files are sent as they are, so nothing here reads multipart."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > FORM_LIMIT:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return {}
    try:
        return dict(parse_qsl(data.decode(), keep_blank_values=True, max_num_fields=FIELDS, errors="strict"))
    except ValueError:
        raise HTTPException(HTTPStatus.BAD_REQUEST) from None
