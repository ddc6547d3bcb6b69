"""Custom fields: `[sites.NAME.ELEMENT.customfields.FIELD]` becomes a `Column` like those that every file may have."""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from lzsyncd.config.places import quoted
from lzsyncd.config.table import Table
from lzsyncd.config.values import BadValueError, Check, boolean, did_you_mean, line_of_text, list_of, one_of
from lzsyncd.feed.elements import CUSTOM_PREFIX, LIMIT_DESCRIPTION, LIMIT_TEXT, Column, Home, Kind

FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
LIMITS = {
    Kind.TEXT: LIMIT_TEXT,
    Kind.TEXTAREA: LIMIT_DESCRIPTION,
    Kind.CHECKBOX: 0,
    Kind.MENU: LIMIT_TEXT,
    Kind.MULTISELECT: 0,
    Kind.DATE: 0,
    Kind.DATETIME: 0,
    Kind.NUMBER: 0,
    Kind.URL: LIMIT_TEXT,
}
WITH_OPTIONS = (Kind.MENU, Kind.MULTISELECT)
WORDS = {"1": "1", "true": "1", "yes": "1", "y": "1", "0": "0", "false": "0", "no": "0", "n": "0"}
EXAMPLES = {
    Kind.TEXT: "text",
    Kind.TEXTAREA: "longer text",
    Kind.CHECKBOX: "1",
    Kind.DATE: "2026-01-31",
    Kind.DATETIME: "2026-01-31T09:30:00",
    Kind.NUMBER: "42",
    Kind.URL: "https://acme.test/",
}

MAX_NUMBER = 10**15
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")


def custom_columns(table: Table) -> tuple[Column, ...]:
    """The columns that a table `customfields` declares."""
    return tuple(_column(name, field) for name, field in table.tables())


def _column(name: str, table: Table) -> Column:
    if not FIELD_NAME.fullmatch(name):
        table.complain("a field's name has a-z, 0-9 and _, begins with a letter, and is at most 64 characters long")
    if "type" not in table:
        table.complain(f"needs a type: {', '.join(LIMITS)}")
    kind: Kind | None = table.take("type", _kind, None)
    unique = table.take("unique", boolean, default=False)
    options = _options(table, kind)
    column = Column(
        CUSTOM_PREFIX + name,
        kind or Kind.TEXT,
        LIMITS[kind or Kind.TEXT],
        name,
        f"custom field of type {kind}",
        options[0] if options else EXAMPLES.get(kind or Kind.TEXT, ""),
        home=Home.CUSTOM,
        required=table.take("required", boolean, default=False),
        unique=unique,
        options=options,
        default=table.take("default", _default(kind, options), ""),
    )
    if unique and column.default:
        table.complain("can't go with unique: every new record would get the same value", "default")
    table.finish()
    return column


def _kind(value: Any) -> Kind:
    return Kind(one_of(*LIMITS)(value))


def _options(table: Table, kind: Kind | None) -> tuple[str, ...]:
    no_options: tuple[str, ...] = ()
    options = table.take("options", _options_check(kind), no_options)
    if kind in WITH_OPTIONS and "options" not in table:
        table.complain(f"needs options: the values this {kind} takes")
    if kind is not None and kind not in WITH_OPTIONS and "options" in table:
        table.complain("only fields of type menu and multiselect have options", "options")
    return options


def _options_check(kind: Kind | None) -> Check[tuple[str, ...]]:
    seen: set[str] = set()

    def check_option(value: Any) -> str:
        option = _short(line_of_text(value), LIMIT_TEXT)
        if option in seen:
            raise BadValueError("is in the list twice")
        seen.add(option)
        if kind is Kind.MULTISELECT and "," in option:
            raise BadValueError("must have no comma: cells of a multiselect are split there")
        return option

    def check(value: Any) -> tuple[str, ...]:
        options = list_of(check_option)(value)
        if not options:
            raise BadValueError("must name one value at least")
        return options

    return check


def _short(text: str, limit: int) -> str:
    if len(text) > limit:
        raise BadValueError(f"is longer than {limit} characters")
    return text


def _default(kind: Kind | None, options: tuple[str, ...]) -> Check[str]:
    """The check of a default: returns the text of a cell that says the same."""
    if kind in WITH_OPTIONS:
        return lambda value: _selected(value, options, several=kind is Kind.MULTISELECT)
    checks: dict[Kind | None, Check[str]] = {
        None: lambda _: "",  # the bad type is complaint enough
        Kind.TEXT: lambda value: _short(line_of_text(value), LIMIT_TEXT),
        Kind.TEXTAREA: _longer_text,
        Kind.CHECKBOX: _checked,
        Kind.DATE: date_text,
        Kind.DATETIME: _datetime,
        Kind.NUMBER: number_text,
        Kind.URL: _url,
    }
    return checks[kind]


def _longer_text(value: Any) -> str:
    if not isinstance(value, str):
        raise BadValueError("must be text in quotes")
    if not value or value != value.strip():
        raise BadValueError("must not be empty, nor begin or end with a blank")
    for line in value.split("\n"):
        line_of_text(line.strip() or "-")
    return _short(value, LIMIT_DESCRIPTION)


def _checked(value: Any) -> str:
    word = WORDS.get(str(value).lower()) if isinstance(value, (bool, str)) else None
    if word is None:
        raise BadValueError("must be true or false")
    return word


def _selected(value: Any, options: tuple[str, ...], *, several: bool) -> str:
    if several and isinstance(value, list):
        return ",".join(list_of(lambda member: _selected(member, options, several=False))(value))
    chosen = line_of_text(value)
    for part in chosen.split(",") if several else [chosen]:
        if options and part.strip() not in options:
            raise BadValueError(f"{quoted(part.strip()[:60])} is none of the options{did_you_mean(part, options)}")
    return chosen


def date_text(value: Any) -> str:
    """A date, as ISO text."""
    try:
        day = value if isinstance(value, date) else date.fromisoformat(line_of_text(value))
    except ValueError:
        day = None
    if day is None or isinstance(day, datetime):
        raise BadValueError("must be a date like 2026-01-31")
    return day.isoformat()


def _datetime(value: Any) -> str:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(line_of_text(value))
    except ValueError:
        raise BadValueError("must be a date and time like 2026-01-31T09:30:00") from None
    return moment.isoformat()


def number_text(value: Any) -> str:
    """A number as decimal digits."""
    text = value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < MAX_NUMBER:
        text = f"{Decimal(str(value)):f}"
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        raise BadValueError("must be a number of at most 15 digits, like 42 or 0.5")
    return text


def _url(value: Any) -> str:
    url = _short(line_of_text(value), LIMIT_TEXT)
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in url:
        raise BadValueError("must be a web address, like https://acme.test/")
    return url
