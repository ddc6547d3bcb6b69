"""How things look on the page: templates, times in the site's zone, numbers, the words and signs of a state."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from lzsyncd.checks.catalogue import CATALOGUE
from lzsyncd.ledger.queries import Change
from lzsyncd.ledger.status import Status

HERE = Path(__file__).parent
STATIC = HERE / "static"


class State(NamedTuple):
    """How a state is shown.

    Attributes:
        tone: of the colour: good, warn, bad, wait, plain.
        sign: the name of the sign, which says the same without colour.
        word: for people.
    """

    tone: str
    sign: str
    word: str


STATES: dict[str, State] = {
    Status.CLAIMED: State("wait", "run", "Taken"),
    Status.CHECKING: State("wait", "run", "Checking"),
    Status.CHECKED: State("wait", "clock", "Checked"),
    Status.HELD: State("warn", "hand", "Held"),
    Status.APPLYING: State("wait", "run", "Applying"),
    Status.APPLIED: State("good", "check", "Applied"),
    Status.UNCHANGED: State("good", "equal", "No change"),
    Status.REJECTED: State("bad", "cross", "Rejected"),
    Status.FAILED: State("bad", "cross", "Failed"),
    Status.SUPERSEDED: State("plain", "skip", "Superseded"),
    Status.DISCARDED: State("plain", "skip", "Discarded"),
    Status.UNDONE: State("plain", "back", "Undone"),
    Status.INTERRUPTED: State("warn", "hand", "Interrupted"),
    "fatal": State("bad", "cross", "Set rejected"),
    "error": State("bad", "cross", "Record rejected"),
    "warning": State("warn", "bang", "Warning"),
    "created": State("good", "plus", "New"),
    "updated": State("wait", "edit", "Changed"),
    "revived": State("good", "back", "Back"),
    "removed": State("bad", "minus", "Gone"),
    "active": State("good", "check", "Active"),
    "suspended": State("warn", "hand", "Suspended"),
    "deleted": State("plain", "minus", "Deleted"),
    "hidden": State("plain", "minus", "Hidden"),
    "joined": State("good", "plus", "Joined"),
    "left": State("bad", "minus", "Left"),
}
"""What is not here is shown as it is called."""


NAV = (
    ("overview", "Overview", "home", ("",)),
    ("upload", "Upload", "up", ("upload",)),
    ("runs", "Runs", "list", ("runs",)),
    ("errors", "Error log", "bang", ("errors",)),
    ("holds", "Holds", "hand", ("holds",)),
    ("people", "People", "people", ("people",)),
    ("units", "Units", "tree", ("units",)),
    ("audiences", "Audiences", "tag", ("audiences",)),
    ("settings", "Settings", "gear", ("settings",)),
)
"""Pages of the menu: key, label, sign, path."""

SAID = {
    "asked": "Written down. The service does it now; this page follows it.",
    "ended": "You are signed out everywhere else.",
}
"""What a page says on top after something was done."""


def state(name: str) -> State:
    """How a status, severity or action is shown."""
    return STATES.get(name, State("plain", "dot", name))


def moment(iso: str | None, zone: ZoneInfo) -> Markup:
    """A time in the site's zone; the UTC when one points at it."""
    if not iso:
        return Markup("<span class=none>–</span>")
    when = datetime.fromisoformat(iso)
    local, utc = when.astimezone(zone), when.astimezone(UTC)
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        utc.isoformat(timespec="seconds").replace("+00:00", "Z"),
        utc.strftime("%Y-%m-%d %H:%M:%S"),
        f"{local.day} {local:%b %Y, %H:%M}",
    )


def number(value: int) -> str:
    """A number that can be read."""
    return f"{value:,}"


def span(seconds: float | None) -> str:
    """A length of time, roughly."""
    if seconds is None:
        return "never"
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            amount = round(seconds / size)
            return f"{amount} {unit}{'s' * (amount != 1)}"
    return "less than a minute"


def took(started: str, finished: str) -> str:
    """How long something took."""
    if not started or not finished:
        return ""
    seconds = (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else span(seconds)  # noqa: PLR2004 a minute


def size(octets: int) -> str:
    """A number of bytes."""
    amount = float(octets)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:  # noqa: PLR2004 the next unit
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"  # noqa: PLR2004
        amount /= 1000
    return f"{amount:.1f} GB"


def value(found: Any) -> Markup:
    """A value of the history; what is empty can be seen to be."""
    if found is None or found == "":
        return Markup('<span class="none">empty</span>')
    if isinstance(found, bool):
        return Markup("yes") if found else Markup("no")
    if isinstance(found, list):
        return escape(", ".join(map(str, found)))
    return escape(str(found))


def remedy(code: str) -> str:
    """How findings of a code are mended."""
    entry = CATALOGUE.get(code)
    return entry.remedy if entry else ""


def breach(found: dict[str, Any]) -> str:
    """A limit that a plan exceeds, in words."""
    of = f" of {found['base']:,}" if found["base"] else ""
    share = f" ({found['figure'] / found['base']:.1%})" if found["base"] and str(found["allowed"]).endswith("%") else ""
    where = f" in {found['unit']}" if found["unit"] else ""
    what = BREACHES.get(found["guard"], found["guard"])
    return f"{found['element']}.csv{where}: {found['figure']:,}{of} {what}{share}. The limit is {found['allowed']}."


BREACHES = {
    "max_removed": "would go",
    "max_updated": "would change",
    "max_created": "would be new",
    "max_key_changes": "would get another username or address",
    "max_moved": "would move",
    "max_manager_changes": "would get another manager",
    "max_unassigned": "assignments would be taken away",
    "max_rejected": "records are rejected",
    "lost_column": "columns are gone that the last set had",
}


def field_rows(change: Change) -> list[tuple[str, Any, Any]]:
    """What changed: (field, before, after)."""
    return list(change.fields())


@cache
def static(name: str) -> str:
    """The address of a static file; another one once the file has changed, so browsers may keep it for ever."""
    return f"/static/{name}?{sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


@cache
def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals |= {
        "breach": breach,
        "NAV": NAV,
        "SAID": SAID,
        "static": static,
        "state": state,
        "remedy": remedy,
        "took": took,
        "field_rows": field_rows,
    }
    found.filters |= {"moment": moment, "number": number, "span": span, "size": size, "value": value}
    return found


def render(template: str, values: Mapping[str, Any]) -> str:
    """A template with its values, everything in it escaped."""
    return _environment().get_template(template).render(values)
