"""Who is there: sessions and tokens, and what has to hold before anything is changed."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from starlette.requests import Request

from lzsyncd.config import Site
from lzsyncd.ledger.runs import iso
from lzsyncd.web.store import Role, Session, Store, Token, digest, kept

COOKIE = "lzsyncd"
IDLE = timedelta(hours=2)
LONGEST = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)
SAFE = ("GET", "HEAD")
TOKEN_MARK = "."  # noqa: S105 between the site's name and the secret


@dataclass(frozen=True)
class Newcomer:
    """A session that has just begun, and the secret that its cookie carries."""

    session: Session
    secret: str


def begin(store: Store, account: str, role: Role, address: str, now: datetime) -> Newcomer:
    """Sign somebody in: always a new session with a new secret, whatever cookie came along (session fixation)."""
    secret = secrets.token_urlsafe(32)
    session = Session(digest(secret), account, role, secrets.token_urlsafe(32), iso(now), iso(now), address)
    store.forget_sessions(now - IDLE, now - LONGEST)
    store.begin_session(session)
    return Newcomer(session, secret)


def session_of(request: Request, store: Store, now: datetime) -> Session | None:
    """The session whose cookie a request carries; None where there is none, or it is over."""
    secret = request.cookies.get(COOKIE, "")
    session = store.session(digest(secret)) if secret else None
    if session is None or is_over(session, now):
        return None
    if now - datetime.fromisoformat(session.seen_at) > SEEN_EVERY:
        store.see(session, now)
    return session


def is_over(session: Session, now: datetime) -> bool:
    """Whether a session was unused, or there, for too long."""
    seen, begun = (datetime.fromisoformat(moment) for moment in (session.seen_at, session.created_at))
    return now - seen > IDLE or now - begun > LONGEST


def is_ours(session: Session, offered: str) -> bool:
    """Whether a form or script carries what only our own pages know."""
    return hmac.compare_digest(session.csrf.encode(), offered.encode())


def comes_from_elsewhere(request: Request) -> bool:
    """Whether a browser says that another site made it send this request."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host", "")


def new_token(site: Site) -> str:
    """A secret that says to which site it belongs; its 256 bits say the rest."""
    return f"{site.name}{TOKEN_MARK}{secrets.token_hex(32)}"


def token_of(request: Request, sites: dict[str, Site], now: datetime) -> tuple[Site, Token] | None:
    """The site and token that a program shows; None where it shows none that is good."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    site = sites.get(secret.strip().partition(TOKEN_MARK)[0])
    if scheme.lower() != "bearer" or site is None:
        return None
    with kept(site) as store:
        token = store.use_token(secret.strip(), now)
    return (site, token) if token else None
