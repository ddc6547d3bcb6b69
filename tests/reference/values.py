"""What the text of one cell means (section 3). Text comes in trimmed and not empty."""

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from .columns import Column
from .model import Policy, Site


class BadCellError(Exception):
    """The cell can't be used; `code` says why."""

    def __init__(self, code: str) -> None:
        self.code = code


class Value(NamedTuple):
    """What a cell says; `tidied` when it was written in another way than it is kept."""

    value: Any
    tidied: bool = False


TRUE, FALSE = {"1", "true", "yes", "y"}, {"0", "false", "no", "n"}
USERNAME = re.compile(r"[a-z0-9_.@-]+")
LANG = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*")
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
URL = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)
_COUNTRIES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA "
    "CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA "
    "GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP "
    "KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS "
    "MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS "
    "RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW "
    "TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
)
COUNTRIES = frozenset(_COUNTRIES.split())


def read_value(column: Column, text: str, policy: Policy, site: Site) -> Value:
    """What a cell says. Raises `BadCellError`."""
    if column.limit and len(text) > column.limit:
        raise BadCellError("value.too_long")
    if column.kind in ("key", "reference", "text", "textarea"):
        return Value(text)
    if column.kind in ("menu", "multiselect"):
        return _option(column, text)
    if column.kind in ("date", "datetime"):
        return _date(column.kind, text, policy, site)
    return READERS[column.kind](text)


def boolean(text: str) -> Value:
    if text.lower() not in TRUE | FALSE:
        raise BadCellError("value.boolean")
    return Value(text.lower() in TRUE)


def _username(text: str) -> Value:
    lowered = text.lower()
    if not USERNAME.fullmatch(lowered):
        raise BadCellError("user.username.invalid")
    return Value(lowered, lowered != text)


def _is_letter(char: str) -> bool:
    """A letter of any script, with the marks that belong to it, or a digit 0-9."""
    return unicodedata.category(char)[0] in "LM" or char in "0123456789"


def _email(text: str) -> Value:
    local, at, domain = text.partition("@")
    good_local = bool(local) and all(_is_letter(c) or c in ".!#$%&'*+/=?^_`{|}~-" for c in local)
    if not (at and good_local and all(_is_label(label) for label in domain.split("."))):
        raise BadCellError("user.email.invalid")
    return Value(text)


def _is_label(label: str) -> bool:
    inside = all(_is_letter(c) or c == "-" for c in label)
    return 1 <= len(label) <= 63 and inside and not label.startswith("-") and not label.endswith("-")


def _lang(text: str) -> Value:
    parts = text.lower().replace("_", "-").split("-")
    if not LANG.fullmatch("-".join(parts)):
        raise BadCellError("value.lang")
    tidy = "-".join([parts[0], *(_subtag(part) for part in parts[1:])])
    return Value(tidy, tidy != text)


def _subtag(part: str) -> str:
    """Regions are written GB, scripts Hans, all else in small letters (BCP 47, section 2.1.1)."""
    if len(part) == 2:
        return part.upper()
    return part.title() if len(part) == 4 and part.isalpha() else part


def _country(text: str) -> Value:
    if text.upper() not in COUNTRIES:
        raise BadCellError("value.country")
    return Value(text.upper(), text.upper() != text)


ZONES = {name.lower(): name for name in available_timezones()}


def _timezone(text: str) -> Value:
    name = ZONES.get(text.lower())
    if name is None:
        raise BadCellError("value.timezone")
    return Value(name, name != text)


def _url(text: str) -> Value:
    if not URL.fullmatch(text):
        raise BadCellError("value.url")
    return Value(text)


def _number(text: str) -> Value:
    if not NUMBER.fullmatch(text):
        raise BadCellError("value.number")
    return Value(int(text) if text.lstrip("+-").isdigit() else float(text))


def _option(column: Column, text: str) -> Value:
    options = column.custom.options
    chosen = [text] if column.kind == "menu" else [part.strip() for part in text.split(",") if part.strip()]
    if not set(chosen) <= set(options):
        raise BadCellError("value.option")
    return Value(chosen[0] if column.kind == "menu" else chosen)


def _date(kind: str, text: str, policy: Policy, site: Site) -> Value:
    if kind == "date":
        return Value(_first_that_reads(text, date.fromisoformat, policy.date_formats).strftime("%Y-%m-%d"))
    moment = _first_that_reads(text, datetime.fromisoformat, policy.date_formats)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(site.timezone))
    return Value(moment.astimezone(UTC).isoformat().replace("+00:00", "Z"))


def _first_that_reads(text: str, iso: Callable[[str], Any], formats: tuple[str, ...]) -> Any:
    """ISO 8601 first, then the site's formats. None of them takes a date that does not exist."""
    readers: list[Callable[[str], Any]] = [iso, *(partial(_by_format, form) for form in formats)]
    for reader in readers:
        try:
            return reader(text)
        except ValueError:
            continue
    raise BadCellError("value.date")


def _by_format(form: str, text: str) -> datetime:
    return datetime.strptime(text, form)  # noqa: DTZ007 - days have no zone, and moments get the site's


READERS: dict[str, Callable[[str], Value]] = {
    "username": _username,
    "email": _email,
    "boolean": boolean,
    "checkbox": boolean,
    "lang": _lang,
    "country": _country,
    "timezone": _timezone,
    "url": _url,
    "number": _number,
}
