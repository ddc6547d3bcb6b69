"""Runs: the list, one run, its findings grouped and filtered, what it changed, and both as files."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from lzsyncd.errors import Usage
from lzsyncd.feed.elements import Element
from lzsyncd.feed.formulas import disarm
from lzsyncd.ledger.planned import WAITS
from lzsyncd.ledger.queries import Change, RunSummary, code_counts, summary
from lzsyncd.ledger.status import Status
from lzsyncd.web.decisions import decisions_on
from lzsyncd.web.questions.findings import (
    ChangeFilter,
    FindingFilter,
    FindingLine,
    behind_each,
    causes_of,
    change_lines,
    finding_lines,
)
from lzsyncd.web.questions.runs import newest_run, run_lines
from lzsyncd.web.questions.slices import COUNTED, ROWS, Slice
from lzsyncd.web.shown import remedy
from lzsyncd.web.visit import Visit
from lzsyncd.zone.database import Database

BLOCK = 2_000  # rows of a file written in one go
ACTIONS = ("created", "updated", "revived", "removed")
SEVERITIES = ("fatal", "error", "warning")
FINDING_HEAD = (
    *("element", "file", "line", "idnumber", "column", "code", "severity", "message", "value", "because_of"),
    "remedy",
)
CHANGE_HEAD = ("element", "idnumber", "action", "field", "before", "after", "file", "line")


def listing(visit: Visit) -> Response:
    """All runs, newest first."""
    status = visit.asked("status")
    with visit.ledger() as database:
        found = run_lines(database, visit.asked("before"), status, ROWS + 1)
    more = found[ROWS - 1].run if len(found) > ROWS else ""
    return visit.page("runs.html", here="runs", runs=found[:ROWS], more=more, status=status, statuses=list(Status))


def one(visit: Visit) -> Response:
    """A run: how it ended, its counts, its findings by code."""
    with visit.ledger() as database:
        run = run_of(visit, database)
        codes = code_counts(database, run.run)
        decided = decisions_on(visit, database, run)
    busy = run.status in (Status.CLAIMED, Status.CHECKING, Status.APPLYING) or decided["open_request"]
    template = "run-part.html" if visit.request.headers.get("hx-request") else "run.html"
    return visit.page(template, here="runs", run=run, codes=codes, busy=busy, **decided)


def run_of(visit: Visit, database: Database) -> RunSummary:
    """The run that the address names.

    Raises:
        HTTPException: there is no such run.
    """
    try:
        return summary(database, visit.place("run"))
    except Usage:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None


def last_findings(visit: Visit) -> Response:
    """The error log: the findings of the newest run that reads files."""
    with visit.ledger() as database:
        newest = newest_run(database)
    return visit.go("runs", newest, "findings") if newest else visit.page("no-errors.html", here="errors")


def findings(visit: Visit) -> Response:
    """The findings of a run: how many of which code, and a page of them."""
    wanted = _wanted(visit)
    with visit.ledger() as database:
        run = run_of(visit, database)
        codes = code_counts(database, run.run)
        found = finding_lines(
            database, run.run, wanted, causes_only=wanted == FindingFilter(), after=visit.number("after")
        )
        causes = causes_of(database, found.rows)
        behind = behind_each(database, found.rows)
    return visit.page(
        "findings.html",
        here="errors",
        run=run,
        codes=codes,
        found=found,
        causes=causes,
        behind=behind,
        wanted=asdict(wanted),
        elements=[element.value for element in Element],
        severities=SEVERITIES,
        total=sum(code.number for code in codes),
        counted=COUNTED,
    )


def _wanted(visit: Visit) -> FindingFilter:
    return FindingFilter(*(visit.asked(field.name) for field in fields(FindingFilter)))


def _changes_wanted(visit: Visit) -> ChangeFilter:
    return ChangeFilter(*(visit.asked(field.name) for field in fields(ChangeFilter)))


def findings_file(visit: Visit) -> Response:
    """The findings that the filter leaves, all of them, as CSV."""
    wanted = _wanted(visit)
    with visit.ledger() as database:
        run = run_of(visit, database).run

    def rows(database: Database, after: int) -> tuple[Slice[Any], list[tuple[Any, ...]]]:
        found = finding_lines(database, run, wanted, after=after, rows=BLOCK)
        causes = causes_of(database, found.rows)
        return found, [
            (f.element, f.file, f.line, f.idnumber, f.column, f.code, f.severity, f.message, f.value, *_why(f, causes))
            for f in found.rows
        ]

    return _file(visit, f"findings-{run}.csv", FINDING_HEAD, rows)


def _why(finding: FindingLine, causes: dict[int, str]) -> tuple[str, str]:
    return causes.get(finding.caused_by or 0, ""), remedy(finding.code)


def changes(visit: Visit) -> Response:
    """What a run changed, before and after."""
    wanted = _changes_wanted(visit)
    with visit.ledger() as database:
        run = run_of(visit, database)
        found = change_lines(database, run.run, wanted, after=visit.number("after"))
    return visit.page(
        "changes.html",
        here="runs",
        run=run,
        found=found,
        waits=run.kind == "sync" and run.status in WAITS,
        wanted=asdict(wanted),
        elements=[element.value for element in Element],
        actions=ACTIONS,
    )


def changes_file(visit: Visit) -> Response:
    """What a run changed, a field a row, as CSV."""
    wanted = _changes_wanted(visit)
    with visit.ledger() as database:
        run = run_of(visit, database).run

    def rows(database: Database, after: int) -> tuple[Slice[Any], list[tuple[Any, ...]]]:
        found = change_lines(database, run, wanted, after=after, rows=BLOCK)
        return found, [cells for change in found.rows for cells in _cells(change)]

    return _file(visit, f"changes-{run}.csv", CHANGE_HEAD, rows)


def _cells(change: Change) -> Iterator[tuple[Any, ...]]:
    for name, before, after in list(change.fields()) or [("", None, None)]:
        yield change.element, change.idnumber, change.action, name, before, after, change.file, change.line


Rows = Callable[[Database, int], tuple[Slice[Any], list[tuple[Any, ...]]]]


def _file(visit: Visit, name: str, head: tuple[str, ...], rows: Rows) -> Response:
    """A CSV file that a spreadsheet opens and does not run.

    Each block has its own look into the database: a slow reader keeps nothing open.
    """

    def blocks() -> Iterator[bytes]:
        yield b"\xef\xbb\xbf" + _csv([head])
        after, more = 0, True
        while more:
            with visit.ledger() as database:
                found, cells = rows(database, after)
            yield _csv(cells)
            after, more = found.after, bool(found.after)

    return StreamingResponse(
        blocks(), media_type="text/csv", headers={"content-disposition": f'attachment; filename="{name}"'}
    )


def _csv(rows: list[tuple[Any, ...]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([disarm("" if cell is None else str(cell)) for cell in row] for row in rows)
    return text.getvalue().encode()
