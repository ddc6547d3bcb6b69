"""What a value of the configuration may be: each check takes what TOML gave and returns what the program uses.

A check that refuses says what to write instead.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, parse_qs, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from lzsyncd.config.places import Key, quoted
from lzsyncd.service.slots import Schedule

T = TypeVar("T")
Check = Callable[[Any], T]

UNITS = {
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}
SECONDS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
DELIMITERS = (",", ";", ":", "\t", "|")
DATE_DIRECTIVES = frozenset("dmyYbB%")
TIME_DIRECTIVES = frozenset("HIMSfpz")
SQLITE = "sqlite"

_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?) ?([kmg]?i?b)", re.IGNORECASE | re.ASCII)
_DURATION = re.compile("".join(f"(?:([0-9]{{1,7}}){unit})?" for unit in SECONDS))
_SAMPLE_TIMES = (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(1999, 12, 31, 16, 17, 18, tzinfo=UTC))
_KINDS = (SQLITE, "postgresql")
_DATABASE_FORM = 'write "sqlite" or "postgresql://USER@HOST/DATABASE"'
_NO_ADDRESS = f"can't be read as an address; {_DATABASE_FORM}"


class BadValueError(ValueError):
    """A value can't be used.

    Attributes:
        complaints: what is wrong, and where, from the value on: `(1,)` is the second member of a list.
    """

    def __init__(self, message: str = "", complaints: Sequence[tuple[Key, str]] = ()) -> None:
        self.complaints = list(complaints) or [((), message)]
        super().__init__("; ".join(text for _, text in self.complaints))


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`; did you mean X?`, or nothing when no choice is near."""
    folded = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(word.lower()[:100], folded, 1)
    return f"; did you mean {quoted(folded[near[0]])}?" if near else ""


def boolean(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise BadValueError("must be true or false, without quotes")
    return value


def line_of_text(value: Any) -> str:
    """Text on one line, neither empty nor with blanks around it."""
    if not isinstance(value, str):
        raise BadValueError("must be text in quotes")
    if not value or value != value.strip():
        raise BadValueError("must not be empty, nor begin or end with a blank")
    if any(character < " " or character == "\x7f" for character in value):
        raise BadValueError("must not have line breaks or other control characters")
    return value


def one_of(*choices: str) -> Check[Any]:
    """One word of a closed list."""
    listed = f"{', '.join(map(quoted, choices[:-1]))} or {quoted(choices[-1])}"

    def check(value: Any) -> Any:
        if not isinstance(value, str):
            raise BadValueError(f"must be {listed}")
        if value not in choices:
            raise BadValueError(f"must be {listed}, not {quoted(value[:60])}{did_you_mean(value, choices)}")
        return value

    return check


def list_of(check: Check[T]) -> Check[tuple[T, ...]]:
    """A list, every member checked, all complaints together."""

    def check_list(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise BadValueError("must be a list in square brackets")
        members: list[T] = []
        complaints: list[tuple[Key, str]] = []
        for index, member in enumerate(value):
            try:
                members.append(check(member))
            except BadValueError as error:
                complaints += [((index, *at), message) for at, message in error.complaints]
        if complaints:
            raise BadValueError(complaints=complaints)
        return tuple(members)

    return check_list


def absolute_path(value: Any) -> Path:
    """A path from the root."""
    path = Path(line_of_text(value))
    if not path.is_absolute():
        raise BadValueError("must be an absolute path, from / on")
    return path


def prom_file(value: Any) -> Path:
    """A file that Prometheus's node exporter finds: it looks at no others."""
    path = absolute_path(value)
    if path.suffix != ".prom":
        raise BadValueError("must end with .prom: the node exporter reads no other files")
    return path


def byte_size(value: Any) -> int:
    """A number of bytes with its unit: `500MB`, `1.5GiB`."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    size = int(float(match[1]) * UNITS.get(match[2].lower(), 0)) if match else 0
    if size < 1:
        raise BadValueError('must be a size in quotes with its unit (B, kB, MB, GB, KiB, MiB, GiB), like "2GiB"')
    return size


def byte_size_text(size: int) -> str:
    """A number of bytes in the largest unit that gives a whole number."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % UNITS[unit.lower()] == 0:
            return f"{size // UNITS[unit.lower()]}{unit}"
    return f"{size}B"


def whole_number(least: int, most: int) -> Check[int]:
    """A whole number, written without quotes."""

    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise BadValueError(f"must be a whole number from {least} to {most}, without quotes")
        return value

    return check


def duration(least: int, most: int) -> Check[float]:
    """A length of time, in seconds, written with its units: `30s`, `10m`, `2h`, `7d`, `1h30m`."""

    def check(value: Any) -> float:
        match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
        if match is None:
            raise BadValueError('must be a duration in quotes with its units (d, h, m, s), like "30s" or "1h30m"')
        seconds = sum(int(amount or 0) * size for amount, size in zip(match.groups(), SECONDS.values()))
        if not least <= seconds <= most:
            raise BadValueError(f"must be from {duration_text(least)} to {duration_text(most)}")
        return float(seconds)

    return check


def duration_text(seconds: float) -> str:
    """A duration with as few units as say it: 5400 seconds are `1h30m`."""
    parts = []
    left = int(seconds)
    for unit, size in SECONDS.items():
        amount, left = divmod(left, size)
        parts += [f"{amount}{unit}"] if amount else []
    return "".join(parts) or "0s"


def schedule(value: Any) -> Schedule:
    """`daily at HH:MM` or `weekly on DAY at HH:MM`."""
    text = line_of_text(value)
    try:
        return Schedule.parse(text)
    except ValueError as error:
        message = str(error)
    raise BadValueError(message)


def time_zone(value: Any) -> ZoneInfo:
    """A time zone by its IANA name."""
    name = line_of_text(value)
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # a folder of zones, a name with `..`, an unknown name
        near = did_you_mean(name, available_timezones())
    raise BadValueError(f"must be an IANA name like Europe/London, not {quoted(name[:60])}{near}")


def delimiter(value: Any) -> str:
    """What stands between two cells."""
    if value == "tab":
        return "\t"
    if value not in DELIMITERS:
        raise BadValueError('must be one of "," ";" ":" "|" and "tab"')
    return str(value)


def database(value: Any) -> str:
    """`sqlite`, or the URL of a PostgreSQL database. No message repeats the URL: it may hold a password."""
    address = line_of_text(value)
    if address == SQLITE:
        return address
    try:
        complaint = _complaint_of_url(urlsplit(address))
    except ValueError:
        complaint = _NO_ADDRESS
    if complaint:
        raise BadValueError(complaint)
    if find_spec("psycopg") is None:
        raise BadValueError("needs the PostgreSQL driver: pip install 'lzsyncd[postgres]'")
    return address


def _complaint_of_url(parts: SplitResult) -> str:
    query = parse_qs(parts.query)
    if parts.password is not None or query.keys() & {"password", "sslpassword"}:
        return 'must not hold a password; write password = {credential = "NAME"}, {file = "PATH"} or {env = "NAME"}'
    if parts.scheme != "postgresql":
        return f"must be SQLite or PostgreSQL; {_DATABASE_FORM}{did_you_mean(parts.scheme or parts.path, _KINDS)}"
    if parts.fragment or 0 in _ports(parts):
        return _NO_ADDRESS
    missing = [
        noun
        for noun, there in (
            ("user", parts.username),
            ("host", parts.hostname or "host" in query),
            ("database", parts.path.strip("/")),
        )
        if not there
    ]
    return f"names no {' and no '.join(missing)}; {_DATABASE_FORM}" if missing else ""


def _ports(parts: SplitResult) -> list[int | None]:
    """The ports of an address that may name several servers, `a:5432,b:5433`; ValueError where one is no number."""
    hosts = parts.netloc.rpartition("@")[2]
    return [urlsplit(f"//{host}").port for host in hosts.split(",")]


def date_format(*, with_time: bool) -> Check[str]:
    """A strptime format from which a whole date can be read, and a time of day where that is of use."""

    def check(value: Any) -> str:
        text = line_of_text(value)
        directives = re.findall("%(.?)", text)
        named = [directive for directive in directives if directive != "%"]
        if unknown := set(named) - DATE_DIRECTIVES - TIME_DIRECTIVES:
            raise BadValueError(f"has {quoted('%' + min(unknown))}; use %d, %m (or %b, %B) and %Y (or %y)")
        if not with_time and TIME_DIRECTIVES & set(named):
            raise BadValueError("has a time of day, which only custom fields of type datetime keep")
        if len(named) > len(set(named)):
            raise BadValueError("has the same directive twice")
        if "I" in named and "p" not in named:
            raise BadValueError("has %I without %p: write %H for hours from 00 to 23")
        if not all(_reads_back(text, moment) for moment in _SAMPLE_TIMES):
            raise BadValueError("does not give day, month and year; an example that does is %d/%m/%Y")
        return text

    return check


def _reads_back(date_format: str, moment: datetime) -> bool:
    try:
        return datetime.strptime(moment.strftime(date_format), date_format).date() == moment.date()  # noqa: DTZ007
    except ValueError:
        return False
