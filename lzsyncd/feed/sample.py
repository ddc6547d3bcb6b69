"""Example files with every column a site takes, and a page that explains them: both from the one table of columns."""

import csv
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

from lzsyncd.config import ElementConfig, Site
from lzsyncd.errors import Usage
from lzsyncd.feed.elements import SUBJECT, Column, Element, Kind

PAGE = "README.md"

_ROWS: dict[Element, tuple[dict[str, str], ...]] = {
    Element.ORG: (
        {"idnumber": "ACME", "fullname": "ACME Ltd", "shortname": "ACME", "parentidnumber": ""},
        {"idnumber": "OPS", "fullname": "Operations", "shortname": "Operations", "parentidnumber": "ACME"},
        {"idnumber": "OPS-NIGHT", "fullname": "Night shift", "shortname": "Nights", "parentidnumber": "OPS"},
    ),
    Element.POS: (
        {"idnumber": "STAFF", "fullname": "Staff", "shortname": "Staff", "parentidnumber": ""},
        {"idnumber": "DRIVER", "fullname": "Driver", "shortname": "Driver", "parentidnumber": "STAFF"},
        {"idnumber": "LEAD", "fullname": "Team leader", "shortname": "Leader", "parentidnumber": "STAFF"},
    ),
    Element.USER: (
        {
            "idnumber": "E1000",
            "username": "grace.hopper",
            "firstname": "Grace",
            "lastname": "Hopper",
            "email": "grace@acme.test",
            "posidnumber": "LEAD",
            "manageridnumber": "",
            "appraiseridnumber": "",
            "middlename": "Brewster",
            "alternatename": "",
            "firstnamephonetic": "",
            "lastnamephonetic": "",
        },
        {},
        {
            "idnumber": "E1002",
            "username": "alan.turing",
            "firstname": "Alan",
            "lastname": "Turing",
            "email": "alan@acme.test",
            "orgidnumber": "OPS-NIGHT",
            "manageridnumber": "E1001",
            "middlename": "Mathison",
            "alternatename": "",
            "firstnamephonetic": "",
            "lastnamephonetic": "",
        },
    ),
}
"""What each example record says other than the columns' own examples."""


def write_sample(folder: Path, site: Site) -> list[Path]:
    """Write the example files of a site and the page; returns their paths.

    Raises:
        Usage: one of them is there already.
    """
    enabled = [e for e in Element if site.element(e).enabled]
    paths = [folder / name for name in (*(e.file_name for e in enabled), PAGE)]
    there = [path.name for path in paths if path.exists()]
    if there:
        raise Usage(f"{folder} has {' and '.join(there)} already; nothing is overwritten.")
    folder.mkdir(parents=True, exist_ok=True)
    for e, path in zip(enabled, paths):
        _write_csv(path, e, site)
    paths[-1].write_text(page(site), encoding="utf-8")
    return paths


def _write_csv(path: Path, element: Element, site: Site) -> None:
    config = site.element(element)
    columns = taken_columns(element, config)
    strange = {c.name: "" for c in columns if c.refers_to and not site.element(c.refers_to).enabled}
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter=config.delimiter, lineterminator="\r\n")
        writer.writerow([header_name(column, config) for column in columns])
        for number, row in enumerate(_ROWS[element]):
            cells = row | strange
            writer.writerow([cells.get(c.name, example(c, config, number)) for c in columns])


def taken_columns(element: Element, config: ElementConfig) -> list[Column]:
    """The columns a file may bring; those that are refused left out."""
    return [column for column in config.columns(element) if column.kind is not Kind.REFUSED]


def header_name(column: Column, config: ElementConfig) -> str:
    """What the column is called in this site's files."""
    return next((name for name, target in config.column_map.items() if target == column.name), column.name)


def example(column: Column, config: ElementConfig, number: int = 0) -> str:
    """A value of the column as this site reads it; records of another number have another where it must be unique."""
    later = timedelta(days=number if column.unique else 0)
    if column.kind is Kind.DATE:
        return (date.fromisoformat(column.example) + later).strftime(config.date_formats[0])
    if column.kind is Kind.DATETIME:
        return (datetime.fromisoformat(column.example) + later).isoformat()
    if column.kind is Kind.MULTISELECT and not column.unique:
        return ",".join(column.options[:2])
    return _another(column, number) if column.unique else column.example


def _another(column: Column, number: int) -> str:
    """A value that differs from record to record; where a column has too few of them, the last records have none."""
    if column.kind is Kind.NUMBER:
        return str(int(column.example) + number)
    few = ("1", "0") if column.kind is Kind.CHECKBOX else column.options
    if few:
        return few[number] if number < len(few) else ""
    return f"{column.example}{number + 1}"


# -- the page


def page(site: Site) -> str:
    """The page that explains the files to whoever makes the export, as Markdown."""
    enabled = [e for e in Element if site.element(e).enabled]
    return "\n".join([*_introduction(enabled), *(line for e in enabled for line in _chapter(e, site.element(e)))])


def _introduction(enabled: list[Element]) -> Iterator[str]:
    files = ", ".join(f"`{e.file_name}`" for e in enabled)
    yield from (
        f"# The files: {files}",
        "",
        "The files beside this page are examples with every column. Only the columns marked as required have to be",
        "there; leave out what you do not have. The order of the columns and of the records does not matter.",
        "",
        "- **Text**: UTF-8, with or without byte order mark. The first line holds the names of the columns; capitals",
        "  and blanks around them do not matter.",
        '- **Quotes**: a cell with a separator, a quote or a line break stands in `"`; a quote inside is doubled.',
        "- **Keys** (`idnumber`) are compared exactly: `0`, `00`, `A1` and `a1` are four different keys. A key is for",
        "  ever: give the one of somebody who left to nobody else.",
        "- **Yes and no**: `1`, `true`, `yes`, `y` and `0`, `false`, `no`, `n`.",
        f"- **Delivery**: put {files} into the folder together, each under another name (`user.csv.part`) until it",
        "  is complete.",
        "- **What is wrong** with a record comes back in a file `rejected-….csv` with the line, the column and the",
        "  reason. Mend the records in it and deliver that file: it corrects records and never removes anybody.",
        "",
        "Try your files before you deliver them: `lzsyncd check DIR`",
        "",
    )


def _chapter(element: Element, config: ElementConfig) -> Iterator[str]:
    yield f"## {element.file_name}"
    yield ""
    yield f"One record for each {SUBJECT[element]}. {_rules(element, config)}"
    yield ""
    yield "| column | required | value | meaning | example |"
    yield "|---|---|---|---|---|"
    for column in taken_columns(element, config):
        cells = (f"`{header_name(column, config)}`", _required(column, config), _value(column, config))
        yield f"| {' | '.join([*map(_cell, cells), _cell(column.meaning), _code(example(column, config))])} |"
    yield ""


def _rules(element: Element, config: ElementConfig) -> str:
    separator = {"\t": "a tab", "|": "`|`"}.get(config.delimiter, f"`{config.delimiter}`")
    going = {"keep": "stays as it is", "suspend": "is suspended", "hide": "is hidden", "delete": "is deleted"}
    parts = [f"Cells are separated by {separator}."]
    if config.contains_all_records:
        parts.append(
            f"The file names everybody: a {SUBJECT[element]} it does not name {going[config.missing]}; "
            f"one whose `deleted` is true {going[config.on_deleted]}."
        )
    else:
        parts.append(
            f"The file may name only what changed; a {SUBJECT[element]} whose `deleted` is true "
            f"{going[config.on_deleted]}."
        )
    erases = config.empty == "erase"
    parts.append("An empty cell erases what is there." if erases else "An empty cell leaves what is there.")
    return " ".join(parts)


def _required(column: Column, config: ElementConfig) -> str:
    if column.kind is Kind.EMAIL:
        return "" if config.allow_duplicate_emails else "yes"
    if column.kind is Kind.DELETED:
        return "" if config.contains_all_records else "the column, not its cells"
    return "yes" if column.required else ""


def _value(column: Column, config: ElementConfig) -> str:
    """What a cell may hold."""
    dates = " or ".join(dict.fromkeys(["2026-01-31", _day(config.date_formats[0])]))
    words = {
        Kind.BOOLEAN: "yes or no",
        Kind.DELETED: "yes or no",
        Kind.CHECKBOX: "yes or no",
        Kind.DATE: f"a date: {dates}",
        Kind.DATETIME: "date and time: 2026-01-31T09:30:00",
        Kind.NUMBER: "a number",
        Kind.URL: "a web address",
        Kind.LANG: "a language: en, pt-BR",
        Kind.COUNTRY: "two letters: GB",
        Kind.TIMEZONE: "a time zone: Europe/London",
        Kind.USERNAME: "a–z, 0–9 and . _ - @",
        Kind.EMAIL: "an e-mail address",
        Kind.MENU: f"one of {', '.join(column.options)}",
        Kind.MULTISELECT: f"some of {', '.join(column.options)}, with commas between them",
        Kind.IGNORED: "anything",
    }
    text = words.get(column.kind, f"the key of a {SUBJECT[column.refers_to]}" if column.refers_to else "text")
    if column.limit:
        text += f", at most {column.limit:,} characters"
    return f"{text}, no two alike" if column.unique or column.kind in (Kind.KEY, Kind.USERNAME) else text


def _day(date_format: str) -> str:
    return date(2026, 1, 31).strftime(date_format)


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
