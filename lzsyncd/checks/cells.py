"""One cell: is it there when it must be, is it short enough, can it be read, and what is its normal form?"""

import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

from lzsyncd.checks import formats
from lzsyncd.checks.catalogue import Finding, shorten
from lzsyncd.feed.elements import LIMIT_DESCRIPTION, LIMIT_TEXT, Column, Element, Kind

# stands for: this cell says nothing (it is unusable, or its record goes); readers refuse the character in cells
DROPPED = "\x1e"
REMEMBERED = 4096  # odd cells a column remembers the verdict of
SHORT = 64  # characters of a cell that may be remembered: caches must not grow with what a file brings

LIMITS = {Kind.TEXT: LIMIT_TEXT, Kind.TEXTAREA: LIMIT_DESCRIPTION, Kind.URL: LIMIT_TEXT}  # where the column has none
WITHOUT_LIMIT = (Kind.MENU, Kind.MULTISELECT)  # too long is then none of the options

UNREADABLE = {
    Kind.USERNAME: "user.username.invalid",
    Kind.EMAIL: "user.email.invalid",
    Kind.BOOLEAN: "value.boolean",
    Kind.DELETED: "value.boolean",
    Kind.CHECKBOX: "value.boolean",
    Kind.DATE: "value.date",
    Kind.DATETIME: "value.date",
    Kind.LANG: "value.lang",
    Kind.COUNTRY: "value.country",
    Kind.TIMEZONE: "value.timezone",
    Kind.URL: "value.url",
    Kind.MENU: "value.option",
    Kind.MULTISELECT: "value.option",
    Kind.NUMBER: "value.number",
}
TIDIED = (Kind.USERNAME, Kind.LANG, Kind.COUNTRY, Kind.TIMEZONE)  # elsewhere another spelling is as good as ours

Reader = Callable[[str], str | None]


@dataclass(frozen=True)
class Rules:
    """What the configuration says about the cells of one element.

    Attributes:
        element: which one.
        date_formats: `strptime` formats besides ISO 8601.
        timezone: the zone of a custom `datetime` without offset.
        allow_duplicate_emails: an empty address is then allowed, too.
    """

    element: Element
    date_formats: tuple[str, ...]
    timezone: zoneinfo.ZoneInfo
    allow_duplicate_emails: bool


class Verdict(NamedTuple):
    """What is to be said of a cell.

    Attributes:
        text: the normal form, "" for an empty cell, or `DROPPED`.
        code: the finding ("" for none).
        detail: what the finding's sentence needs beyond the value.
    """

    text: str
    code: str = ""
    detail: str = ""


class CellCheck:
    """Judges the cells of one column, one by one.

    Attributes:
        column: the column.
        limit: the longest cell in characters, 0 for none.
        empty: the verdict on an empty cell.
    """

    def __init__(self, column: Column, rules: Rules) -> None:
        self.column = column
        self.limit = 0 if column.kind in WITHOUT_LIMIT else column.limit or LIMITS.get(column.kind, 0)
        self.empty = _empty(column, rules)
        self._element = rules.element
        self._read = _reader(column, rules)
        self._unreadable = _unreadable(column, rules)
        self._remembered = lru_cache(REMEMBERED)(self._judge)

    def judge(self, text: str) -> Verdict:
        """The verdict on the trimmed text of a cell; verdicts on short texts are remembered."""
        return self._remembered(text) if len(text) <= SHORT else self._judge(text)

    def _judge(self, text: str) -> Verdict:
        if not text:
            return self.empty
        if self.limit and len(text) > self.limit:
            return Verdict(DROPPED, "value.too_long", f"{len(text)} characters; the limit is {self.limit}")
        normal = self._read(text)
        if normal is None:
            return self._unreadable
        if normal != text and self.column.kind in TIDIED:
            return Verdict(normal, "value.normalised", normal)
        return Verdict(normal)

    def finding(self, verdict: Verdict, text: str, line: int = 0, record: int = 0, idnumber: str = "") -> Finding:
        """A verdict with its place."""
        return Finding(
            verdict.code,
            self._element,
            line,
            record,
            idnumber,
            self.column.name,
            shorten(text),
            verdict.detail,
        )


def _empty(column: Column, rules: Rules) -> Verdict:
    if column.kind is Kind.KEY:
        return Verdict("", "key.missing")
    if column.kind is Kind.DELETED:
        return Verdict("0")
    if column.kind is Kind.EMAIL:
        return Verdict("", "" if rules.allow_duplicate_emails else "user.email.missing")
    return Verdict("", "value.required" if column.required else "")


def _unreadable(column: Column, rules: Rules) -> Verdict:
    """A record with an unreadable `deleted` is rejected; that it goes, it did not say."""
    with_time = column.kind is Kind.DATETIME
    detail = formats.described(rules.date_formats, with_time=with_time) if with_time or column.kind is Kind.DATE else ""
    return Verdict("0" if column.kind is Kind.DELETED else DROPPED, UNREADABLE.get(column.kind, ""), detail)


def _reader(column: Column, rules: Rules) -> Reader:
    readers: dict[Kind, Reader] = {
        Kind.USERNAME: formats.username,
        Kind.EMAIL: formats.email,
        Kind.BOOLEAN: formats.boolean,
        Kind.DELETED: formats.boolean,
        Kind.CHECKBOX: formats.checkbox,
        Kind.DATE: partial(formats.day, formats=rules.date_formats),
        Kind.DATETIME: partial(formats.instant, formats=rules.date_formats, zone=rules.timezone),
        Kind.LANG: formats.lang,
        Kind.COUNTRY: formats.country,
        Kind.TIMEZONE: formats.timezone,
        Kind.URL: formats.url,
        Kind.MENU: partial(formats.option, options=column.options),
        Kind.MULTISELECT: partial(formats.selection, options=column.options),
        Kind.NUMBER: formats.number,
    }
    return readers.get(column.kind, str)


def normalise(column: Column, text: str, rules: Rules) -> tuple[str, Finding | None]:
    """The normal form of one cell, and what is wrong with it: for defaults in the configuration, and for tests."""
    check, text = CellCheck(column, rules), text.strip()
    verdict = check.judge(text)
    return verdict.text, check.finding(verdict, text) if verdict.code else None
