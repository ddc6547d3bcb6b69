"""Findings and changes of a run."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lzsyncd.ledger.planned import table_of
from lzsyncd.ledger.queries import Change
from lzsyncd.web.questions.slices import COUNTED, ROWS, Listing, Slice, Test, joined, look
from lzsyncd.zone.database import Database

LONGEST_LINE = 10  # digits of a line's number that no integer column could hold


class FindingLine(NamedTuple):
    """A finding in a list."""

    id: int
    element: str | None
    file: str | None
    line: int | None
    idnumber: str | None
    column: str | None
    code: str
    severity: str
    message: str
    value: str | None
    caused_by: int | None


FINDING_COLUMNS = "id, element, file, line, idnumber, column_name, code, severity, message, value, caused_by"


@dataclass(frozen=True)
class FindingFilter:
    """Which findings are wanted; "" for any.

    Attributes:
        code: this code.
        element: this element's.
        severity: this severity.
        text: occurs in key, value or message; a number is also a line.
    """

    code: str = ""
    element: str = ""
    severity: str = ""
    text: str = ""


def finding_lines(
    database: Database, run: str, wanted: FindingFilter, *, causes_only: bool = False, after: int = 0, rows: int = ROWS
) -> Slice[FindingLine]:
    """Findings of a run in the order of its files.

    Args:
        database: the site's.
        run: whose.
        wanted: which.
        causes_only: without those that follow from another one.
        after: the id after which the page begins.
        rows: of a page.
    """
    among = {"run_id": run} | ({"code": wanted.code} if wanted.code else {})
    tests = _finding_tests(database, wanted)
    tests += [("caused_by IS NULL", ())] if causes_only else []
    found = look(database, Listing(FINDING_COLUMNS, "FROM sync_error", (), "id", *joined(tests), among), after, rows)
    return Slice([FindingLine(*row) for row in found.rows], found.after, found.whole)


def _finding_tests(database: Database, wanted: FindingFilter) -> list[Test]:
    tests: list[Test] = [("element = ?", (wanted.element,))] if wanted.element else []
    tests += [("severity = ?", (wanted.severity,))] if wanted.severity else []
    if text := wanted.text:
        words = "lower(coalesce(idnumber, '') || ' ' || coalesce(value, '') || ' ' || message)"
        line = int(text) if text.isascii() and text.isdigit() and len(text) < LONGEST_LINE else 0
        tests.append((f"(line = ? OR {database.dialect.place(words, 'lower(?)')} > 0)", (line, text)))
    return tests


def causes_of(database: Database, lines: Sequence[FindingLine]) -> dict[int, str]:
    """Where the causes of findings are, as `FILE:LINE`, by their ids."""
    ids = sorted({line.caused_by for line in lines if line.caused_by})
    if not ids:
        return {}
    query = f"SELECT id, file || ':' || line FROM sync_error WHERE id IN ({', '.join('?' * len(ids))})"
    return {int(number): str(place) for number, place in database.rows(query, ids)}


def behind_each(database: Database, lines: Sequence[FindingLine]) -> dict[int, int]:
    """How many findings follow from each of these; `COUNTED` stands for that many or more."""
    ids = [line.id for line in lines if line.caused_by is None]
    if not ids:
        return {}
    behind = f"SELECT 1 FROM sync_error f WHERE f.caused_by = e.id LIMIT {COUNTED}"
    query = (
        f"SELECT e.id, (SELECT count(*) FROM ({behind}) AS few) FROM sync_error e "
        f"WHERE e.id IN ({', '.join('?' * len(ids))})"
    )
    return {int(number): int(count) for number, count in database.rows(query, ids) if count}


@dataclass(frozen=True)
class ChangeFilter:
    """Which changes are wanted; "" for any.

    Attributes:
        element: this element's.
        action: to whom this happened.
        key: the record of this key.
    """

    element: str = ""
    action: str = ""
    key: str = ""


def change_lines(
    database: Database, run: str, wanted: ChangeFilter, *, after: int = 0, rows: int = ROWS
) -> Slice[Change]:
    """What a run did, record by record; of a set that waits what it would do."""
    pairs = (("element", wanted.element), ("action", wanted.action), ("idnumber", wanted.key))
    tests: list[Test] = [(f"{name} = ?", (value,)) for name, value in pairs if value]
    columns = ", ".join(Change._fields)
    listing = Listing(columns, f"FROM {table_of(database, run)}", (), "id", *joined(tests), {"run_id": run})
    found = look(database, listing, after, rows)
    changes = [Change(*row)._replace(before=json.loads(row[5]), after=json.loads(row[6])) for row in found.rows]
    return Slice(changes, found.after, found.whole)
