"""Findings on their way to the error table: the staging table `finding`, numbered and worded at the end of a run.

Reading and value checks add them one by one (round 0); the checks of the final state add them with SQL, round by round,
and take them back when planning starts again (CONTRACT section 2a).
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from lzsyncd.checks.catalogue import Finding, sentence, severity_of
from lzsyncd.feed.elements import Element
from lzsyncd.zone.database import Database

_TABLE = (
    "element TEXT, file TEXT, line INTEGER, record INTEGER, idnumber TEXT, column_name TEXT, code TEXT, "
    "severity TEXT, value TEXT, detail TEXT, root TEXT, round INTEGER"
)
COLUMNS = (
    "element",
    "file",
    "line",
    "record",
    "idnumber",
    "column_name",
    "code",
    "severity",
    "value",
    "detail",
    "root",
    "round",
)
KEPT = -1  # the round of findings that outlive planning again: removals refused
FLUSH_AT = 5_000  # rows held in memory


class FindingStore:
    """The findings of one run, and other small notes that reading takes for the checks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self.file = ""

    def create_table(self) -> None:
        """Make the staging table."""
        self._database.table("finding", _TABLE)

    def add(self, finding: Finding, *, severity: str = "", round_number: int = 0) -> None:
        """Keep a finding; written with the next `flush`."""
        self._rows["finding"].append(
            (
                finding.element or "",
                finding.file or self.file,
                finding.line,
                finding.record,
                finding.idnumber,
                finding.column,
                finding.code,
                severity or severity_of(finding.code, finding.column),
                finding.value,
                finding.detail,
                "",
                round_number,
            )
        )

    def notes(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Keep rows for `present_ELEMENT` (line, record, idnumber) or `suspect_ELEMENT` (column, value)."""
        if rows:
            self._rows[table] += rows

    def flush(self) -> None:
        """Write what was kept."""
        for table, rows in self._rows.items():
            self._database.load(table, _columns(table), rows)
        self._rows.clear()

    def fatal(self) -> bool:
        """Whether a finding says that nothing of the set may be applied."""
        return bool(self._database.value("SELECT 1 FROM finding WHERE severity = 'fatal' LIMIT 1"))

    def take_back_rounds(self) -> None:
        """Forget what the rounds found: planning starts again."""
        self._database.run("DELETE FROM finding WHERE round > 0")

    def write(self, run_id: str, now: str) -> None:
        """Number and word the findings and write them to the error table; `caused_by` points at the root cause."""
        database = self._database
        first = database.next_ids("sync_error")
        database.table("told", f"id BIGINT PRIMARY KEY, {_TABLE}, caused_by BIGINT")
        names = ", ".join(COLUMNS)
        database.run(
            f"INSERT INTO told (id, {names}) SELECT {first} - 1 + row_number() OVER "
            f"(ORDER BY element, file, line, column_name, code, value, detail), {names} FROM finding"
        )
        database.table("cause", "root TEXT PRIMARY KEY, id BIGINT")
        database.run(_CAUSES)
        database.run(_CAUSED)
        last = int(database.value("SELECT max(id) FROM told") or 0)
        for start in range(first, last + 1, FLUSH_AT):
            found = database.rows(_WORDED, (start, start + FLUSH_AT))
            database.load("sync_error", _ERROR_COLUMNS, [(run_id, now, *_worded(row)) for row in found])
        database.advance_ids("sync_error")
        database.run(_COUNTED, (run_id,))

    def counted(self) -> dict[str, int]:
        """The number of findings by code."""
        found = self._database.rows("SELECT code, count(*) FROM finding GROUP BY code ORDER BY code")
        return {str(code): int(number) for code, number in found}

    def warnings(self, element: Element) -> int:
        """How many warnings an element has."""
        query = "SELECT count(*) FROM finding WHERE severity = 'warning' AND element = ?"
        return int(self._database.value(query, (element,)))


def _columns(table: str) -> tuple[str, ...]:
    if table == "finding":
        return COLUMNS
    return ("line", "record", "idnumber") if table.startswith("present_") else ("column_name", "value")


def _worded(row: tuple[Any, ...]) -> tuple[Any, ...]:
    number, element, file, line, record, idnumber, column, code, severity, value, detail, cause = row
    finding = Finding(code, None, line, record, idnumber, column, value, detail)
    return (
        number,
        element or None,
        file or None,
        line or None,
        record or None,
        idnumber or None,
        column or None,
        code,
        severity,
        sentence(finding),
        value or None,
        cause,
    )


_ERROR_COLUMNS = (
    "run_id",
    "created_at",
    "id",
    "element",
    "file",
    "line",
    "record",
    "idnumber",
    "column_name",
    "code",
    "severity",
    "message",
    "value",
    "caused_by",
)

_COUNTED = """
INSERT INTO sync_found (run_id, element, code, severity, number, first_id)
SELECT CAST(? AS TEXT), nullif(element, ''), code, severity, count(*), min(id) FROM told GROUP BY 2, 3, 4
"""

# By key: a query that goes through all findings for each of them, or each batch, makes a file of bad records endless.
_CAUSES = """
INSERT INTO cause (root, id) SELECT element || ':' || line, min(id) FROM told
WHERE severity = 'error' AND root = '' AND element || ':' || line IN (SELECT root FROM told WHERE root <> '')
GROUP BY 1
"""
_CAUSED = "UPDATE told SET caused_by = (SELECT c.id FROM cause c WHERE c.root = told.root) WHERE root <> ''"

_WORDED = """
SELECT id, element, file, line, record, idnumber, column_name, code, severity, value, detail, caused_by
FROM told WHERE id >= ? AND id < ? ORDER BY id
"""
