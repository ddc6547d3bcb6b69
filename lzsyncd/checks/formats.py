"""What the text of a cell means, kind by kind (CONTRACT section 3): from text to its normal form.

Each function takes the trimmed text of a cell that is not empty and returns the normal form, or None where the text
can't be read. None of them needs more than linear time: a cell may be a mebibyte long.
"""

import json
import re
import unicodedata
import zoneinfo
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

from lzsyncd.checks.countries import COUNTRIES

_WORDS = {"1": "1", "true": "1", "yes": "1", "y": "1", "0": "0", "false": "0", "no": "0", "n": "0"}
_JSON_WORDS = {"1": "true", "0": "false"}

USERNAME = r"[a-z0-9_.@-]+"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
EMAIL_LOCAL = r"[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+"
EMAIL = rf"{EMAIL_LOCAL}@{_LABEL}(?:\.{_LABEL})*"  # HTML standard, 4.10.5.1.5
_HOST = r"(?:\[[0-9a-fA-F:.]+\]|[^\s/?#@:\[\].]+(?:\.[^\s/?#@:\[\].]+)*\.?)"
URL = rf"[hH][tT][tT][pP][sS]?://(?:[^\s/?#@]*@)?{_HOST}(?::[0-9]{{0,5}})?(?:[/?#]\S*)?"

_USERNAME = re.compile(USERNAME)
_EMAIL = re.compile(EMAIL)
_URL = re.compile(URL)
_LANG = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{1,8})*(?<!-[a-z0-9])")
_NUMBER = re.compile(r"([+-]?)(?=\.?[0-9])0*([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,3}))?")
_ISO_DATE = re.compile(r"[0-9]{4}(?:-[0-9]{2}-[0-9]{2}|[0-9]{4}|-W[0-9]{2}-[0-9]|W[0-9]{3})")
# `fromisoformat` takes any separator, and from Python 3.13 on 24:00, which rolls over
_ISO_DATETIME = re.compile(rf"{_ISO_DATE.pattern}[T ](?!24)[0-9:]+(?:[.,][0-9]+)?(?:Z|[+-][0-9:]+)?")
_MIDNIGHT = re.compile(r"[T ]00:00(?::00(?:\.0{1,9})?)?\Z")

LANG_LIMIT = 30
LONGEST_DATE = 64
LONGEST_NUMBER = 64
MAX_DIGITS = 30


def boolean(text: str) -> str | None:
    """`1` or `0`."""
    return _WORDS.get(text.lower()) if text.isascii() else None


def checkbox(text: str) -> str | None:
    """JSON's `true` or `false`."""
    return _JSON_WORDS.get(boolean(text) or "")


def username(text: str) -> str | None:
    """In small letters."""
    lowered = text.lower()
    return lowered if _USERNAME.fullmatch(lowered) else None


def email(text: str) -> str | None:
    """Unchanged; the HTML standard's rule for `type=email`, with letters and digits of any script."""
    plain = text if text.isascii() else "".join("x" if _is_foreign_letter(c) else c for c in text)
    return text if _EMAIL.fullmatch(plain) else None


def _is_foreign_letter(char: str) -> bool:
    """Many scripts write vowels as marks (categories Mn, Mc), so marks are letters here."""
    return not char.isascii() and (unicodedata.category(char)[0] in "LM" or char.isdecimal())


def lang(text: str) -> str | None:
    """BCP 47 in its usual case: `en`, `pt-BR`, `zh-Hant`; `_` may stand for `-`."""
    lowered = text.lower().replace("_", "-")
    if len(text) > LANG_LIMIT or not text.isascii() or not _LANG.fullmatch(lowered):
        return None
    first, *others = lowered.split("-")
    private = next((at for at, subtag in enumerate(others) if len(subtag) == 1), len(others))
    return "-".join([first, *map(_usual_case, others[:private]), *others[private:]])


def _usual_case(subtag: str) -> str:
    """RFC 5646, 2.1.1: regions like GB, scripts like Hant, all else small (as is what follows a single letter)."""
    if not subtag.isalpha():
        return subtag
    return {2: subtag.upper(), 4: subtag.title()}.get(len(subtag), subtag)


def country(text: str) -> str | None:
    """In capitals."""
    code = text.upper() if text.isascii() else ""  # elsewhere capitals come out of the blue: ß is SS, South Sudan
    return code if code in COUNTRIES else None


@cache
def _zones() -> dict[str, str]:
    """Time zones by their name in small letters. `localtime` and `Factory` are files in the same folder."""
    return {name.lower(): name for name in zoneinfo.available_timezones() - {"localtime", "Factory"}}


def timezone(text: str) -> str | None:
    """The IANA name in its own case."""
    return _zones().get(text.lower()) if text.isascii() else None


def url(text: str) -> str | None:
    """Unchanged: http or https, with a host, without blanks."""
    return text if _URL.fullmatch(text) else None


def number(text: str) -> str | None:
    """Decimal digits without exponent, `+`, or zeros that say nothing: `1.50` is `1.5`, `-0` is `0`."""
    found = _NUMBER.fullmatch(text) if len(text) <= LONGEST_NUMBER else None
    if found is None:
        return None
    sign, whole, fraction, exponent = (part or "" for part in found.groups())
    return _decimal("-" if sign == "-" else "", whole, fraction, int(exponent or 0))


def _decimal(sign: str, whole: str, fraction: str, exponent: int) -> str | None:
    mantissa = (whole + fraction).lstrip("0")
    point = len(mantissa) - len(fraction) + exponent  # where the point stands, counted from the first digit
    digits = mantissa.rstrip("0")
    if not digits:
        return "0"
    if max(point, len(digits)) - min(point, 0) > MAX_DIGITS:
        return None
    digits = "0" * -point + digits.ljust(point, "0")
    before, after = digits[: max(point, 0)], digits[max(point, 0) :]
    return f"{sign}{before or '0'}{'.' if after else ''}{after}"


def option(text: str, options: Sequence[str]) -> str | None:
    """Unchanged."""
    return text if text in options else None


def selection(text: str, options: Sequence[str]) -> str | None:
    """A JSON list of the options named, in the order of the options; a cell of commas alone names none."""
    named = {part for part in map(str.strip, text.split(",")) if part}
    if not named or not named.issubset(options):
        return None
    return json.dumps([name for name in options if name in named], ensure_ascii=False, separators=(",", ":"))


def day(text: str, formats: Sequence[str]) -> str | None:
    """`YYYY-MM-DD`. A time of midnight behind it, as databases export dates, says nothing more."""
    if len(text) > LONGEST_DATE:
        return None
    read = _read(text, _ISO_DATE, formats) or _read(_MIDNIGHT.sub("", text), _ISO_DATE, formats)
    return read.date().isoformat() if read else None


def instant(text: str, formats: Sequence[str], zone: zoneinfo.ZoneInfo) -> str | None:
    """`YYYY-MM-DDThh:mm:ssZ` in UTC. Without an offset it is the site's time; without a time the start of the day."""
    if len(text) > LONGEST_DATE:
        return None
    read = _read(text.upper(), _ISO_DATETIME, ()) or _read(text, _ISO_DATE, formats)
    return _in_utc(read, zone) if read else None


def _read(text: str, iso: re.Pattern[str], formats: Sequence[str]) -> datetime | None:
    if iso.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass  # 2020-02-31, or a format of the site that looks alike
    for form in formats:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 the site's zone comes later
        except ValueError:
            continue
    return None


def _in_utc(read: datetime, zone: zoneinfo.ZoneInfo) -> str | None:
    aware = read if read.tzinfo else read.replace(tzinfo=zone)
    try:
        utc = aware.astimezone(UTC)
        local = utc.astimezone(aware.tzinfo)
    except OverflowError:  # the first or the last day of the calendar
        return None
    skipped = local.replace(tzinfo=None) != aware.replace(tzinfo=None)
    if skipped and read.time().isoformat() != "00:00:00":
        return None  # the clock was put forward over this time; the start of a day always exists
    return utc.isoformat().replace("+00:00", "Z")


def described(formats: Sequence[str], *, with_time: bool = False) -> str:
    """The formats in letters people know, for findings: `YYYY-MM-DD or DD/MM/YYYY`."""
    known = ["YYYY-MM-DDThh:mm:ss" if with_time else "YYYY-MM-DD", *map(_in_letters, formats)]
    return " or ".join(dict.fromkeys(known))


_LETTERS = {"%Y": "YYYY", "%y": "YY", "%m": "MM", "%d": "DD", "%b": "Jan", "%B": "January", "%H": "hh", "%I": "hh"}
_LETTERS |= {"%M": "mm", "%S": "ss", "%f": "ffffff", "%p": "AM", "%z": "+hhmm", "%%": "%"}


def _in_letters(form: str) -> str:
    return re.sub("%.", lambda found: _LETTERS.get(found[0], found[0]), form)
