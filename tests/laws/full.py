"""Files with every column there is: from the table of columns, so that a new column is tested the day it comes."""

import csv
import io
from dataclasses import replace

from lzsyncd.config import Site
from lzsyncd.feed.elements import Column, Element, Home, Kind
from tests.laws.ground import SYNC
from tests.reference.model import CustomField, Policy

ODD = "Größe \"9\" \\ / 'x' \t%s ? – \N{GRINNING FACE} \u2028 e\u0301\nnext line"
"""What texts may hold and programs trip over."""

SHORT = 20

CUSTOM = {
    "text": CustomField("text"),
    "textarea": CustomField("textarea"),
    "checkbox": CustomField("checkbox"),
    "menu": CustomField("menu", options=("one", "two")),
    "multiselect": CustomField("multiselect", options=("one", "two", "Größe")),
    "date": CustomField("date"),
    "datetime": CustomField("datetime"),
    "number": CustomField("number"),
    "url": CustomField("url"),
    "badge": CustomField("text", unique=True),
}
FULL = replace(
    SYNC,
    org=Policy(missing="hide", customfields=CUSTOM),
    pos=Policy(missing="hide", customfields=CUSTOM),
    user=Policy(missing="suspend", customfields=CUSTOM),
)

_PAIRS = {
    Kind.BOOLEAN: ("0", "1"),
    Kind.LANG: ("en-GB", "de"),
    Kind.COUNTRY: ("GB", "NZ"),
    Kind.TIMEZONE: ("Europe/London", "Pacific/Auckland"),
    Kind.URL: ("https://a.test/?a=b&c", "https://b.test/"),
    Kind.CHECKBOX: ("1", "0"),
    Kind.MENU: ("one", "two"),
    Kind.MULTISELECT: ("one,Größe", "one,two,Größe"),
    Kind.DATETIME: ("2026-07-31T08:00:00Z", "2026-01-31T08:00:00.5Z"),
    Kind.NUMBER: ("12345678901234567890.5", "1e3"),
}


def stored_columns(site: Site, element: Element) -> list[Column]:
    """The columns of a file that are kept, without the key."""
    columns = site.element(element).columns(element)
    return [c for c in columns if c.home is not Home.NOWHERE and c.kind not in (Kind.KEY, Kind.REFUSED)]


def cell(column: Column, key: str, at: int) -> str:
    """A good value of a column; another one for another `at`, 0 or 1."""
    pairs = _PAIRS | {Kind.REFERENCE: ("boss1", "boss2") if column.refers_to is Element.USER else ("top1", "top2")}
    if column.kind in pairs:
        return pairs[column.kind][at]
    if column.kind is Kind.DATE:
        return f"{2027 if column.name.endswith('enddate') else 2026}-03-0{at + 1}"
    if column.kind is Kind.USERNAME:
        return f"user.{key}.{at}"
    if column.kind is Kind.EMAIL:
        return f"größe+{key}.{at}@a.test"
    return f"{key} {at}" if column.unique or 0 < column.limit <= SHORT else f"{column.name} {key} {at} {ODD}"


def record(site: Site, element: Element, key: str, changed: Column | None = None) -> dict[str, str]:
    """A record with a value in every column; in one of them another."""
    cells = {column.name: cell(column, key, int(column is changed)) for column in stored_columns(site, element)}
    return {"idnumber": key, **cells}


def above(element: Element) -> list[dict[str, str]]:
    """Whom the records' links name."""
    if element is not Element.USER:
        return [{"idnumber": key, "fullname": key} for key in ("top1", "top2")]
    return [
        {"idnumber": key, "username": key, "firstname": key, "lastname": key, "email": f"{key}@a.test"}
        for key in ("boss1", "boss2")
    ]


def file_of(site: Site, element: Element, *records: dict[str, str]) -> bytes:
    """A file with every column."""
    names = ["idnumber", *(column.name for column in stored_columns(site, element))]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows([*above(element), *records])
    return text.getvalue().encode()


def full_set(site: Site) -> dict[str, bytes]:
    """One record with everything in each file."""
    return {element.file_name: file_of(site, element, record(site, element, "x")) for element in Element}
