"""The overview: well or not in one glance, what is waited for, what comes next, the last runs as a chart."""

from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus

from starlette.responses import Response

from lzsyncd.cli.state import SiteState, state_of
from lzsyncd.errors import LzsyncdError
from lzsyncd.ledger.status import Status
from lzsyncd.web.chart import chart
from lzsyncd.web.questions.runs import RunLine, newest_line, run_lines
from lzsyncd.web.visit import Visit

CHARTED = 24  # runs
BUSY = (Status.CLAIMED, Status.CHECKING, Status.APPLYING)
BAD = (Status.REJECTED, Status.FAILED, Status.INTERRUPTED)


@dataclass(frozen=True)
class Health:
    """How a site is, in one glance.

    Attributes:
        tone: good, warn, bad or wait.
        sign: the name of the sign.
        title: a few words.
        text: what to do next.
    """

    tone: str
    sign: str
    title: str
    text: str


def overview(visit: Visit) -> Response:
    """The page."""
    values = known(visit)
    return visit.page("overview.html", here="overview", seen=_mark(visit, values), **values)


def now(visit: Visit) -> Response:
    """The part of it that changes by itself."""
    values = known(visit)
    mark = _mark(visit, values)
    if visit.asked("seen") == mark:  # nothing is swapped: whoever is there with the keyboard stays where they are
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return visit.page("now.html", seen=mark, **values)


def _mark(visit: Visit, values: dict[str, object]) -> str:
    """What is another as soon as anything that is shown is."""
    return sha256(bytes(visit.page("now.html", seen="", **values).body)).hexdigest()[:16]


def known(visit: Visit) -> dict[str, object]:
    """How the site is now."""
    state = state_of(visit.house.config(), [visit.site])
    (site,) = state.sites
    lines: list[RunLine] = []
    newest: RunLine | None = None
    with suppress(LzsyncdError), visit.ledger() as database:  # a site that is new, or whose trouble is told already
        if not site.trouble:
            lines, newest = run_lines(database, rows=CHARTED), newest_line(database)
    return {
        "daemon": state.daemon,
        "state": site,
        "runs": lines[:5],
        "health": health_of(site, newest, daemon=state.daemon),
        "chart": chart(lines, visit.site.timezone),
        "busy": site.working or any(line.status in BUSY for line in lines[:1]),
    }


def health_of(site: SiteState, last: RunLine | None, *, daemon: bool) -> Health:
    """The one thing to know first."""
    if trouble := _trouble(site, daemon=daemon):
        return trouble
    if site.held:
        return Health(
            "warn", "hand", "A set waits for a decision", "Look at what it would change, and approve or discard it."
        )
    if last is None:
        return Health(
            "wait", "clock", "Nothing has come yet", "Upload the first files, or have them sent to the inbox."
        )
    if site.working or last.status in BUSY:
        return Health("wait", "run", "A run is under way", "This page follows it.")
    return _after(last)


def _after(last: RunLine) -> Health:
    if last.status == Status.CHECKED:
        text = f"{_records(last.changed)} would change at the next slot. Look at the plan, or sync now."
        return Health("wait", "clock", "Checked files wait for their slot", text)
    if last.status == Status.UNDONE:
        return Health("warn", "back", "The last set was taken back", "The site is as it was before it.")
    if last.status == Status.DISCARDED:
        return Health("warn", "skip", "The last set was given up", "The site is as it was before it came.")
    if last.status in BAD:
        return Health("bad", "cross", "The last set was not applied", last.message or "Its findings say what to mend.")
    if last.rejected:
        text = f"{_records(last.rejected)} could not be taken. The error log says what to mend."
        return Health("warn", "bang", "In step, but for some records", text)
    return Health("good", "check", "All is well", "The site is in step with the last files.")


def _records(number: int) -> str:
    return "1 record" if number == 1 else f"{number:,} records"


def _trouble(site: SiteState, *, daemon: bool) -> Health | None:
    if site.trouble:
        return Health("bad", "cross", "Something is wrong", " ".join(site.trouble))
    if not daemon:
        text = "Files that arrive are not looked at. On the server: systemctl start lzsyncd."
        return Health("bad", "cross", "The service does not run", text)
    return None
