"""Questions to the ledger: what the commands, the outbox and the page show."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from lzsyncd.errors import Usage
from lzsyncd.feed.elements import Element
from lzsyncd.ledger.learning import tallies, total
from lzsyncd.ledger.pages import limited, pages
from lzsyncd.ledger.planned import table_of
from lzsyncd.zone.database import Database

EVERY_RUN = 2**31 - 1
COUNT_COLUMNS = ("read", "created", "updated", "unchanged", "revived", "removed", "absent", "rejected", "warnings")
RUN_COLUMNS = (
    "kind",
    "trigger",
    "status",
    "set_hash",
    "plan_hash",
    "created_at",
    "started_at",
    "finished_at",
    "message",
    "undoes",
    "pruned_at",
)
FILE_COLUMNS = ("element", "name", "size", "sha256", "records", "header")


@dataclass(frozen=True)
class RunSummary:
    """One run: how it ended, its counts by element, its findings by code. No value of a file is in it.

    `undoes` is the run that it took back, "" where it is no undo; `pruned_at` when retention took its findings and
    history, "" where they are there; `audiences` are those in which it moved something.
    """

    run: str
    kind: str
    trigger: str
    status: str
    set_hash: str
    plan_hash: str
    created_at: str
    started_at: str
    finished_at: str
    message: str
    undoes: str
    pruned_at: str
    counts: dict[str, dict[str, int]]
    findings: dict[str, int]
    files: list[dict[str, Any]]
    learning: dict[str, int]
    audiences: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Cause:
    """A finding that no other caused, with the number of findings behind it."""

    id: int
    element: str
    file: str
    line: int
    column: str
    code: str
    severity: str
    message: str
    behind: int


class Told(NamedTuple):
    """A row of the error table. `because` is the place of its root cause, as `FILE:LINE`; the rest are its columns."""

    id: int
    run_id: str
    element: str | None
    file: str | None
    line: int | None
    record: int | None
    idnumber: str | None
    column_name: str | None
    code: str
    severity: str
    message: str
    value: str | None
    caused_by: int | None
    created_at: str
    because: str

    def as_dict(self) -> dict[str, Any]:
        """The row by the names of its columns."""
        row = self._asdict()
        del row["because"]
        return row


class Change(NamedTuple):
    """A row of the history: what a run did to one record, the changed fields only."""

    id: int
    run_id: str
    element: str
    idnumber: str
    action: str
    before: dict[str, Any]
    after: dict[str, Any]
    file: str | None
    line: int | None

    def fields(self) -> Iterator[tuple[str, Any, Any]]:
        """(field, old, new) of every field that changed; None where there was, or is, nothing."""
        for name in dict.fromkeys([*self.before, *self.after]):
            yield name, self.before.get(name), self.after.get(name)


class Step(NamedTuple):
    """One step in the history of a record; `undoes` is the run that was taken back by it, "" for none."""

    change: Change
    kind: str
    status: str
    finished_at: str
    undoes: str

    @property
    def note(self) -> str:
        """What a reader has to know of the run: that it was taken back since, or took another one back."""
        if self.status == "undone":
            return "undone since"
        return f"undo of {self.undoes}" if self.undoes else ""

    def as_dict(self) -> dict[str, Any]:
        """The change, and the run that made it."""
        run = {"kind": self.kind, "status": self.status, "finished_at": self.finished_at, "undoes": self.undoes}
        return {**self.change._asdict(), **run}


class CodeCount(NamedTuple):
    """How often a code was found with one severity, and where first; no value of a file is in it."""

    code: str
    severity: str
    number: int
    element: str
    file: str
    line: int


def last_run(database: Database, kinds: tuple[str, ...] = ("sync", "dry-run", "undo")) -> str:
    """The id of the last run.

    Raises:
        Usage: the site has no run yet.
    """
    marks = ", ".join("?" * len(kinds))
    found = database.value(f"SELECT max(id) FROM sync_run WHERE kind IN ({marks})", kinds)
    if found is None:
        raise Usage(f"Site {database.site.name} has no run yet.")
    return str(found)


def summary(database: Database, run_id: str) -> RunSummary:
    """All about one run.

    Raises:
        Usage: there is no such run.
    """
    names = ", ".join(f'"{name}"' for name in RUN_COLUMNS)
    rows = database.rows(f"SELECT {names} FROM sync_run WHERE id = ?", (run_id,))
    if not rows:
        raise Usage(f"Site {database.site.name} has no run {run_id}.")
    names = ", ".join(f'"{name}"' for name in COUNT_COLUMNS)
    counts = {
        str(row[0]): dict(zip(COUNT_COLUMNS, map(int, row[1:]), strict=True))
        for row in database.rows(
            f"SELECT element, {names} FROM sync_count WHERE run_id = ? ORDER BY element", (run_id,)
        )
    }
    found = database.rows(
        "SELECT code, sum(number) FROM sync_found WHERE run_id = ? GROUP BY code ORDER BY code", (run_id,)
    )
    files = database.rows(
        f"SELECT {', '.join(FILE_COLUMNS)} FROM sync_file WHERE run_id = ? ORDER BY element", (run_id,)
    )
    run: dict[str, Any] = {name: value or "" for name, value in zip(RUN_COLUMNS, rows[0])}
    moved = tallies(database, run_id)
    return RunSummary(
        run=run_id,
        **run,
        counts=counts,
        findings={str(code): int(number) for code, number in found},
        files=[dict(zip(FILE_COLUMNS, (*row[:-1], json.loads(row[-1])))) for row in files],
        learning=total(moved),
        audiences=[tally.told() for tally in moved],
    )


BREACH_COLUMNS = ("element", "guard", "figure", "base", "allowed", "unit", "largest", "withheld")


def breaches(database: Database, run_id: str) -> list[dict[str, Any]]:
    """The limits that a run's plan exceeds. The names of units are in it."""
    rows = database.rows(f"SELECT {', '.join(BREACH_COLUMNS)} FROM sync_breach WHERE run_id = ? ORDER BY id", (run_id,))
    found = (dict(zip(BREACH_COLUMNS, row)) for row in rows)
    return [b | {"largest": json.loads(b["largest"]), "withheld": bool(b["withheld"])} for b in found]


def runs(database: Database, limit: int) -> list[RunSummary]:
    """The last runs, newest first; with a limit of 0 all."""
    found = database.rows("SELECT id FROM sync_run ORDER BY id DESC LIMIT ?", (limit or EVERY_RUN,))
    return [summary(database, str(run_id)) for (run_id,) in found]


def causes(database: Database, run_id: str, limit: int) -> list[Cause]:
    """Findings that no other caused, those with most behind them first, then the dearest."""
    rows = database.rows(
        "SELECT e.id, e.element, e.file, e.line, e.column_name, e.code, e.severity, e.message, coalesce(b.behind, 0) "
        "FROM sync_error e LEFT JOIN (SELECT caused_by, count(*) AS behind FROM sync_error "
        "WHERE run_id = ? AND caused_by IS NOT NULL GROUP BY caused_by) b ON b.caused_by = e.id "
        "WHERE e.run_id = ? AND e.caused_by IS NULL ORDER BY "
        "CASE e.severity WHEN 'fatal' THEN 0 WHEN 'error' THEN 1 ELSE 2 END, coalesce(b.behind, 0) DESC, e.id LIMIT ?",
        (run_id, run_id, limit),
    )
    return [
        Cause(row[0], row[1] or "", row[2] or "", row[3] or 0, row[4] or "", row[5], row[6], row[7], row[8])
        for row in rows
    ]


def find_runs(database: Database, text: str) -> list[str]:
    """The ids of the runs that a person may mean: an id whole, how it begins, or how it ends."""
    size = len(text)
    found = database.rows(
        "SELECT id FROM sync_run WHERE substr(id, 1, ?) = ? OR (? >= 8 AND substr(id, length(id) + 1 - ?) = ?) "
        "ORDER BY id DESC LIMIT 5",
        (size, text, size, size, text),
    )
    ids = [str(row[0]) for row in found]
    return [text] if text in ids else ids


def code_counts(database: Database, run_id: str) -> list[CodeCount]:
    """Findings by code and severity, the dearest first, then the most frequent."""
    first = database.rows(
        "SELECT c.code, c.severity, c.number, e.element, e.file, e.line FROM ("
        "SELECT code, severity, sum(number) AS number, min(first_id) AS first FROM sync_found WHERE run_id = ? "
        "GROUP BY code, severity) c JOIN sync_error e ON e.id = c.first ORDER BY "
        "CASE c.severity WHEN 'fatal' THEN 0 WHEN 'error' THEN 1 ELSE 2 END, c.number DESC, c.code",
        (run_id,),
    )
    return [CodeCount(row[0], row[1], int(row[2]), row[3] or "", row[4] or "", row[5] or 0) for row in first]


def findings(
    database: Database, run_id: str, *, code: str = "", element: Element | None = None, limit: int = 0
) -> Iterator[Told]:
    """The findings of a run, file by file in the order of the lines.

    Args:
        database: the site's.
        run_id: whose findings.
        code: only this code, or the codes below it (`user.email`).
        element: only this element's.
        limit: at most so many; 0 for all.
    """
    where, parameters = "e.run_id = ?", [run_id]
    if code:
        where += " AND (e.code = ? OR substr(e.code, 1, length(?)) = ?)"
        parameters += [code, f"{code}.", f"{code}."]
    if element:
        where += " AND e.element = ?"
        parameters.append(element)
    columns = ", ".join(f"e.{name}" for name in Told._fields[:-1])
    query = (
        f"SELECT {columns}, coalesce(c.file || ':' || c.line, '') FROM sync_error e "
        f"LEFT JOIN sync_error c ON c.id = e.caused_by WHERE {where}"
    )
    return limited((Told(*row) for row in pages(database, query, "e.id", parameters)), limit)


def changes(
    database: Database,
    run_id: str,
    *,
    element: Element | None = None,
    action: str = "",
    field: str = "",
    idnumber: str = "",
    limit: int = 0,
) -> Iterator[Change]:
    """What a run did, record by record; of a set that waits what it would do.

    Args:
        database: the site's.
        run_id: the run.
        element: only this element's records.
        action: only records to which this happened.
        field: only records of which this field changed, and of these only this field.
        idnumber: only records with this key.
        limit: at most so many records; 0 for all.
    """
    where, parameters = "run_id = ?", [run_id]
    for name, wanted in (("element", element), ("action", action), ("idnumber", idnumber)):
        if wanted:
            where += f" AND {name} = ?"
            parameters.append(wanted)
    if field:  # narrows down; a value may look like a field, so the objects decide
        where += " AND (before LIKE ? OR after LIKE ?)"
        parameters += [f'%"{field}":%'] * 2
    found = (_only(change, field) for change in _changes(database, where, parameters, table_of(database, run_id)))
    return limited((change for change in found if change.before or change.after or not field), limit)


def history(database: Database, element: Element, idnumber: str) -> Iterator[Step]:
    """Every change of one record, oldest first; also by runs that were undone since, and by their undo."""
    for change in _changes(database, "element = ? AND idnumber = ?", [element, idnumber]):
        yield step_of(database, change)


def step_of(database: Database, change: Change) -> Step:
    """A change with what is known of its run."""
    query = "SELECT kind, status, coalesce(finished_at, ''), coalesce(undoes, '') FROM sync_run WHERE id = ?"
    run = database.rows(query, (change.run_id,))
    return Step(change, *(run[0] if run else ("", "", "", "")))


def _changes(database: Database, where: str, parameters: Sequence[str], table: str = "sync_change") -> Iterator[Change]:
    query = f"SELECT {', '.join(Change._fields)} FROM {table} WHERE {where}"
    for row in pages(database, query, "id", parameters):
        change = Change(*row)
        yield change._replace(before=json.loads(row[5]), after=json.loads(row[6]))


def _only(change: Change, field: str) -> Change:
    """A change with this field alone; with all of them where no field is named."""
    if not field:
        return change
    before, after = ({k: v for k, v in side.items() if k == field} for side in (change.before, change.after))
    return change._replace(before=before, after=after)
