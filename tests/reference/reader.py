"""Bytes to records (section 3): headers, physical lines, values, and what reading alone finds wrong.

For well-formed quoting only; stray quotes are the business of the real reader's own tests.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .columns import Column, columns_of
from .model import Finding, Policy, Site, severity
from .values import TRUE, BadCellError, boolean, read_value

DELIMITERS = ",;:\t|"
FORMULA = tuple("=+-@\t\r")
NOT_UTF8 = re.compile(r"[\ud800-\udfff]")  # what decoding with "surrogateescape" makes of bytes that are not UTF-8
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # tab and line breaks are text; so is U+0085, see README


@dataclass(eq=False)
class Record:
    """One record.

    Attributes:
        line: the physical line on which it starts.
        key: "" where it could not be read (law 3).
        spoiled: it was damaged as a whole and is no part of any state; its key, where known, counts as named.
        faulty: a value error rejects it at the end of the first round.
        deleted: it says that its record goes; then no other cell counts.
        cells: what each column says, by column; None erases. A column that is not here says nothing.
        unusable: columns whose cell a finding took away: they say nothing, not even a default.
    """

    element: str
    line: int
    key: str = ""
    spoiled: bool = False
    faulty: bool = False
    deleted: bool = False
    cells: dict[str, Any] = field(default_factory=dict)
    unusable: set[str] = field(default_factory=set)


@dataclass
class Reading:
    """One file, read."""

    element: str
    columns: list[Column | None] = field(default_factory=list)
    mended: bool = False
    fatal: bool = False
    records: list[Record] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def named(self) -> set[str]:
        """The keys that count as present, those of rejected records too."""
        return {record.key for record in self.records if record.key}

    @cached_property
    def copied(self) -> set[str]:
        """The keys that are there more than once, read when all records are."""
        return {key for key, copies in Counter(record.key for record in self.records).items() if key and copies > 1}

    @property
    def has_unreadable_key(self) -> bool:
        return any(not record.key for record in self.records)


def read_file(element: str, name: str, data: bytes, site: Site) -> Reading:
    """Read one file of a set."""
    reading = Reading(element)
    try:
        _read(reading, name, data, site)
    except FatalFileError as fatal:
        reading.fatal = True
        reading.findings.append(Finding(element, 1, "", fatal.code))
    return reading


class FatalFileError(Exception):
    def __init__(self, code: str) -> None:
        self.code = code


def _read(reading: Reading, name: str, data: bytes, site: Site) -> None:
    policy = site.policy(reading.element)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FatalFileError("file.encoding")
    rows = list(_rows(data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape"), policy.delimiter))
    if not rows:
        raise FatalFileError("file.empty")
    header = [text.strip() for text in rows[0][1]]
    reading.mended = "lz_line" in map(str.lower, header) or name.startswith("rejected-")
    _read_header(reading, header, policy)
    if reading.fatal:
        return
    for line, row in rows[1:]:
        _read_record(reading, header, line, row, site)
    if not reading.records and policy.contains_all_records and not reading.mended:
        raise FatalFileError("file.no_records")


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the physical line on which each starts; blank lines are skipped."""
    limit = csv.field_size_limit(len(text) + 1)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        start = 1
        for row in reader:
            if row and not (len(row) == 1 and not row[0].strip()):
                yield start, row
            start = reader.line_num + 1
    finally:
        csv.field_size_limit(limit)


# --- the header ---------------------------------------------------------------------------------------------------


def _read_header(reading: Reading, header: list[str], policy: Policy) -> None:
    known = columns_of(reading.element, policy)
    names = _canonical(header, policy)
    if not set(names) & set(known) and _fits_another_delimiter(header, policy):
        raise FatalFileError("file.delimiter")
    seen: set[str] = set()
    for name, as_written in zip(names, header, strict=True):
        column = known.get(name)
        reading.columns.append(column)
        if column is None:
            if not name.startswith("lz_"):
                reading.findings.append(Finding(reading.element, 1, as_written, "file.column.unknown"))
        elif name in seen:
            _header_fault(reading, as_written, "file.header.duplicate")
        elif column.kind == "refused":
            reading.findings.append(Finding(reading.element, 1, column.name, "user.password.refused"))
        seen.add(name)
    for column in known.values():
        if column.name.lower() not in seen and _is_needed(column, policy, reading.mended):
            _header_fault(reading, column.name, "file.header.missing")


def _canonical(header: list[str], policy: Policy) -> list[str]:
    """Our names of the columns. A mapped column wins over one with the plain name, which is then unknown (None)."""
    mapping = {theirs.strip().lower(): ours.lower() for theirs, ours in policy.columns.items()}
    lowered = [name.lower() for name in header]
    won = {mapping[name] for name in lowered if name in mapping}
    return [mapping.get(name) or ("" if name in won else name) for name in lowered]


def _fits_another_delimiter(header: list[str], policy: Policy) -> bool:
    others = [d for d in DELIMITERS if d != policy.delimiter]
    return any("idnumber" in _canonical([c.strip() for c in header[0].split(d)], policy) for d in others)


def _is_needed(column: Column, policy: Policy, mended: bool) -> bool:
    if column.name == "email":
        return not policy.allow_duplicate_emails
    if column.name == "deleted":
        return not policy.contains_all_records and not mended
    return column.required


def _header_fault(reading: Reading, column: str, code: str) -> None:
    reading.fatal = True
    reading.findings.append(Finding(reading.element, 1, column, code))


# --- one record ---------------------------------------------------------------------------------------------------


def _read_record(reading: Reading, header: list[str], line: int, row: list[str], site: Site) -> None:
    record = Record(reading.element, line)
    reading.records.append(record)
    if len(row) != len(header):
        record.spoiled = True
        reading.findings.append(Finding(reading.element, line, "", "record.columns"))
        return
    named = zip((c.name if c else h for c, h in zip(reading.columns, header, strict=True)), row, strict=True)
    read = ((name, text) for name, text in named if not name.lower().startswith("lz_"))
    damage = [(name, code) for name, text in read if (code := _damage(text))]
    record.spoiled = bool(damage)
    texts = {c.name: _trimmed(text, reading.mended) for c, text in zip(reading.columns, row, strict=True) if c}
    if damage:
        name, code = damage[0]
        if "idnumber" not in dict(damage) and _is_key(reading, texts["idnumber"], site):
            record.key = texts["idnumber"]
        reading.findings.append(Finding(reading.element, line, name, code, record.key))
        return
    _read_key(reading, record, texts["idnumber"], site)
    _read_cells(reading, record, texts, site)


def _damage(text: str) -> str:
    """What is wrong with a cell as text: bytes that are not UTF-8, or control characters."""
    if NOT_UTF8.search(text):
        return "record.encoding"
    return "record.control" if CONTROL.search(text) else ""


def _trimmed(text: str, mended: bool) -> str:
    """Blanks around a cell go; a mended reject file also loses the quote put before what looks like a formula."""
    text = text.strip()
    return text[1:] if mended and text.startswith("'") and text[1:].startswith(FORMULA) else text


def _is_key(reading: Reading, text: str, site: Site) -> bool:
    return 0 < len(text) <= columns_of(reading.element, site.policy(reading.element))["idnumber"].limit


def _read_key(reading: Reading, record: Record, text: str, site: Site) -> None:
    if _is_key(reading, text, site):
        record.key = text
        return
    record.spoiled = True
    if text:
        reading.findings.append(Finding(reading.element, record.line, "idnumber", "value.too_long", text))
    else:
        reading.findings.append(Finding(reading.element, record.line, "idnumber", "key.missing"))


def _read_cells(reading: Reading, record: Record, texts: dict[str, str], site: Site) -> None:
    if texts.get("deleted", "").lower() in TRUE:
        record.deleted = True
        return
    for column in reading.columns:
        if column and column.kind not in ("key", "ignored", "refused"):
            _read_cell(reading, record, column, texts[column.name], site)


def _read_cell(reading: Reading, record: Record, column: Column, text: str, site: Site) -> None:
    policy = site.policy(reading.element)
    if not text:
        return _read_empty(reading, record, column, policy)
    try:
        if column.kind == "deleted":
            boolean(text)
            return None
        value, tidied = read_value(column, text, policy, site)
    except BadCellError as bad:
        return _complain(reading, record, column.name, bad.code, site)
    record.cells[column.name] = value
    if tidied:
        finding = Finding(reading.element, record.line, column.name, "value.normalised", record.key)
        reading.findings.append(finding)
    return None


def _read_empty(reading: Reading, record: Record, column: Column, policy: Policy) -> None:
    """An empty cell: missing, nothing said, or erased. E-mail addresses are never erased, also where they may miss."""
    if column.name == "email":
        if not policy.allow_duplicate_emails:
            _reject(reading, record, column.name, "user.email.missing")
    elif column.required:
        _reject(reading, record, column.name, "value.required")
    elif column.kind != "deleted" and policy.empty == "erase":
        record.cells[column.name] = False if column.name == "suspended" else None


def _complain(reading: Reading, record: Record, column: str, code: str, site: Site) -> None:
    finding = Finding(reading.element, record.line, column, code, record.key)
    if severity(finding, site) == "error":
        _reject(reading, record, column, code)
    else:
        record.unusable.add(column)
        reading.findings.append(finding)


def _reject(reading: Reading, record: Record, column: str, code: str) -> None:
    record.faulty = True
    record.unusable.add(column)
    reading.findings.append(Finding(reading.element, record.line, column, code, record.key))
