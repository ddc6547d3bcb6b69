"""Settings as they take effect, the audit trail, and one's own account."""

from dataclasses import replace
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.responses import Response

from lzsyncd.config import Config, effective
from lzsyncd.errors import Usage
from lzsyncd.web.passwords import fits, hashed
from lzsyncd.web.store import kept
from lzsyncd.web.visit import Visit

DEEDS = 50


def settings(visit: Visit) -> Response:
    """What takes effect for this site, read-only; a secret is shown as the place where it is kept."""
    whole = effective(replace(Config(), sites={visit.site.name: visit.site}))
    own = whole[whole.index(f"[sites.{visit.site.name}]") :]
    parts = (part.splitlines() for part in own.strip().split("\n\n"))
    tables = [(lines[0].strip("[]"), _keys(lines[1:])) for lines in parts]
    with kept(visit.site) as store:
        deeds = store.deeds(visit.number("before") or 2**62, DEEDS + 1) if visit.is_admin else []
    more = deeds[DEEDS - 1].id if len(deeds) > DEEDS else 0
    return visit.page("settings.html", here="settings", tables=tables, deeds=deeds[:DEEDS], more=more)


def _keys(lines: list[str]) -> list[tuple[str, str]]:
    """Keys with their values; a rule's value goes over several lines."""
    found: list[tuple[str, str]] = []
    for line in lines:
        key, equals, value = line.partition(" = ")
        if equals and key.strip() == key and not line.startswith("]"):
            found.append((key, value))
        else:
            found[-1] = (found[-1][0], f"{found[-1][1]}\n{line}")
    return found


def account(visit: Visit, problem: str = "") -> Response:
    """One's own account: sessions, and the password."""
    with kept(visit.site) as store:
        sessions = store.sessions(visit.session.account)
    response = visit.page("account.html", here="account", sessions=sessions, problem=problem)
    response.status_code = HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK
    return response


def end_sessions(visit: Visit) -> Response:
    """Sign out everywhere but here."""
    with kept(visit.site) as store:
        store.end_other_sessions(visit.session)
        store.note(visit.session.account, visit.address, "ended other sessions", "", visit.now)
    return visit.go("account", said="ended")


def change_password(visit: Visit) -> Response:
    """A new password for oneself, which ends all sessions; the old one has to be known."""
    name, throttle = visit.session.account, visit.house.throttle
    if throttle.wait(visit.site.name, name, visit.address, visit.house.monotonic()):
        raise HTTPException(
            HTTPStatus.TOO_MANY_REQUESTS, "Too many wrong passwords. Try again in a quarter of an hour."
        )
    with kept(visit.site) as store:
        known = store.account(name)
        if not fits(known.hash if known else None, visit.form.get("old", "")):
            throttle.failed(visit.site.name, name, visit.address, visit.house.monotonic())
            return account(visit, "The old password is not the right one.")
        if visit.form.get("new", "") != visit.form.get("again", ""):
            return account(visit, "The new password was not written the same way twice.")
        try:
            store.set_password(name, hashed(visit.form.get("new", "")))
        except Usage as error:
            return account(visit, str(error))
        store.note(name, visit.address, "changed the password", "", visit.now)
    return visit.go()
