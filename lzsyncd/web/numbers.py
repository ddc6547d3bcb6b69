"""`/metrics` for Prometheus, where `[metrics] token` asks for it: the numbers that the daemon writes to its file.

They are of all sites, which nobody who may use the page of one is to know of: so neither a session nor a token of the
API opens this, only that secret, and whoever comes without it is told the same whatever sites there are.
"""

import hmac
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from lzsyncd import __version__
from lzsyncd.config import Secret, SecretError, Site
from lzsyncd.config.page import shown_for_numbers
from lzsyncd.intake.watch import Inbox
from lzsyncd.ledger.figures import NO_FIGURES
from lzsyncd.ledger.glance import glance
from lzsyncd.logs import logger
from lzsyncd.report.metrics import Sample, exposition
from lzsyncd.report.numbers import Lying, Standing, lying, numbers_of
from lzsyncd.service.instance import published
from lzsyncd.web.house import House
from lzsyncd.web.trouble import whole

AT_ONCE = 8  # databases that are asked: one that is away takes its two seconds, and a scrape is over after ten
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


async def metrics(request: Request) -> Response:
    """The numbers of all sites."""
    return await whole(request, run_in_threadpool(_metrics, request))


def _metrics(request: Request) -> Response:
    house: House = request.app.state.house
    token = house.config().metrics.token
    if token is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    _require(token, request)
    return PlainTextResponse(exposition(_samples(house)), media_type=CONTENT_TYPE)


def _require(token: Secret, request: Request) -> None:
    """Let nobody else in.

    Raises:
        HTTPException: it is somebody else, or the secret can't be had.
    """
    scheme, _, offered = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(offered.strip().encode(), _secret(token).encode()):
        return
    raise HTTPException(HTTPStatus.UNAUTHORIZED, "The token is missing or wrong.", {"www-authenticate": "Bearer"})


def _secret(token: Secret) -> str:
    """What has to be shown; why it can't be had is for the log, not for whoever asks."""
    try:
        return shown_for_numbers(token)
    except SecretError as error:
        logger().error(f"Nobody gets metrics from the page: {error}", **{"event.action": "metrics_failed"})
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "The page's log says what is wrong.") from None


def _samples(house: House) -> Iterator[Sample]:
    config = house.config()
    report = published(config.daemon.runtime_dir)
    yield Sample("lzsyncd_info", 1, (("version", __version__),))
    yield Sample("lzsyncd_daemon_running", report is not None)
    if report is not None and "config_is_good" in report:
        yield Sample("lzsyncd_config_last_reload_successful", report["config_is_good"])
    known = report["sites"] if report else {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for standing in pool.map(lambda site: _standing(house, site, known.get(site.name, {})), config.sites.values()):
            yield from numbers_of(standing, house.clock().timestamp())


def _standing(house: House, site: Site, told: dict[str, Any]) -> Standing:
    """How it stands with a site, by the daemon's word and our own look; the spool is the daemon's alone."""
    seen = glance(site, house.figures.get(site.name, NO_FIGURES), spool=False)
    house.figures[site.name] = seen.figures
    lies = _lying(site)
    well = seen.reachable and lies is not None and not told.get("trouble")
    return Standing(site, seen, lies, well=well, working=bool(told.get("working")))


def _lying(site: Site) -> Lying | None:
    try:
        return lying(Inbox(site.inbox).entries())
    except OSError:
        return None
