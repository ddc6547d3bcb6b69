"""How runs, findings and changes look: blocks on a terminal, one row a fact elsewhere."""

# ruff: noqa: PLC0415 what only a terminal needs is loaded when there is one

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from lzsyncd.checks.catalogue import CATALOGUE
from lzsyncd.cli.output import Heading, is_terminal, note, number, say, say_table, visible, whole
from lzsyncd.config import Site
from lzsyncd.ledger.queries import Change, CodeCount, RunSummary, Step, Told

SHOWN = 50  # rows of a listing that a terminal shows unless it is told otherwise
ARROW = "→"
Row = TypeVar("Row")


def limit_of(limit: int | None, *, as_json: bool) -> int:
    """How many rows to show; 0 for all."""
    if limit is not None:
        return limit
    return 0 if as_json or not is_terminal(sys.stdout) else SHOWN


def first(rows: Iterable[Row], limit: int) -> Iterator[Row]:
    """The first rows; says on standard error when there are more."""
    remaining = iter(rows)
    yield from islice(remaining, limit or None)
    if limit and next(remaining, None) is not None:
        sys.stdout.flush()
        note(f"There are more than these {limit:,}; --limit 0 shows all.")


# -- counts


def show_counts(counts: dict[str, dict[str, int]]) -> None:
    """The columns of `sync_count`, an element a row."""
    if counts:
        names = list(next(iter(counts.values())))
        say_table([whole(""), *map(number, names)], [[element, *row.values()] for element, row in counts.items()])


def show_codes(codes: Sequence[CodeCount]) -> None:
    """Findings by code, where each was found first, and how to mend it. No value of a file is in it."""
    say_table(
        [number("findings"), whole("severity"), whole("code"), whole("first"), Heading("what to do")],
        [[c.number, c.severity, c.code, _place(c.file, c.line), CATALOGUE[c.code].remedy] for c in codes],
    )


def _place(file: str | None, line: int | None) -> str:
    return f"{file}:{line}" if file else ""


# -- runs

RUN_HEADINGS = (
    whole("run"),
    whole("started (UTC)"),
    whole("kind"),
    whole("status"),
    *map(number, ("read", "created", "updated", "revived", "removed", "rejected", "warnings")),
)


def show_runs(found: Sequence[tuple[str, RunSummary]], *, with_site: bool) -> int:
    """Runs of one site, or of several, an element's counts added up; returns how many there were."""
    headings = [whole("site"), *RUN_HEADINGS] if with_site else RUN_HEADINGS
    return say_table(headings, [[site, *_run_row(run)] if with_site else _run_row(run) for site, run in found])


def show_run(site: Site, run: RunSummary, codes: Sequence[CodeCount]) -> None:
    """All about one run but its findings and changes one by one."""
    outbox = site.outbox / run.run
    show_pairs(
        (
            ("run", run.run),
            ("site", site.name),
            ("kind", f"{run.kind}, by {run.trigger}"),
            ("status", run.status),
            ("message", run.message),
            ("started", moment(run.started_at) + " UTC"),
            ("ended", _ended(run)),
            ("set", run.set_hash),
            ("plan", run.plan_hash),
            ("report", str(outbox) if outbox.is_dir() else ""),
        )
    )
    if run.files:
        say()
        _show_files(run)
    if run.counts:
        say()
        show_counts(run.counts)
    if codes:
        say()
        show_codes(codes)


def _ended(run: RunSummary) -> str:
    """When a run ended, and how long it took."""
    if not run.finished_at:
        return ""
    took = datetime.fromisoformat(run.finished_at) - datetime.fromisoformat(run.started_at)
    return f"{moment(run.finished_at)} UTC, after {took.total_seconds():.1f} s"


def _show_files(run: RunSummary) -> None:
    headings = (whole("file"), number("records"), number("bytes"))
    say_table(headings, [[file["name"], file["records"], file["size"]] for file in run.files])


def _run_row(run: RunSummary) -> list[str | int]:
    numbers = (sum(row[h.name] for row in run.counts.values()) for h in RUN_HEADINGS[4:])
    return [run.run, moment(run.started_at or run.created_at), run.kind, run.status, *numbers]


def moment(iso: str) -> str:
    """A time of the tables without what nobody reads."""
    return iso[:19].replace("T", " ")


# -- findings


def show_findings(rows: Iterable[Told]) -> int:
    """Findings with what is wrong and how to mend it; returns how many there were."""
    if is_terminal(sys.stdout):
        return sum(1 for row in rows if _finding_block(row))
    return say_table(
        [*map(Heading, ("severity", "where", "idnumber", "column", "code", "message", "because of"))],
        (
            [r.severity, _place(r.file, r.line), r.idnumber or "", r.column_name or "", r.code, r.message, r.because]
            for r in rows
        ),
    )


def _finding_block(row: Told) -> bool:
    from lzsyncd.cli.terminal import block

    place = _place(row.file, row.line) or "the set"
    words = [(place, "bold"), (row.severity, row.severity), (row.code, ""), (row.column_name or "", "")]
    words.append((f"key {row.idnumber}" if row.idnumber else "", "dim"))
    because = f" (because of {row.because})" if row.because else ""
    block(words, [row.message + because])
    return True


# -- changes

CHANGE_HEADINGS = [*map(Heading, ("element", "idnumber", "action", "field", "before", "after", "where"))]


def show_changes(rows: Iterable[Change]) -> int:
    """What a run did, record by record; returns 0 when it did nothing."""
    if is_terminal(sys.stdout):
        return sum(1 for row in rows if _change_block(row))
    return say_table(CHANGE_HEADINGS, (cells for row in rows for cells in _change_rows(row)))


def show_history(steps: Iterable[Step]) -> int:
    """The changes of one record, oldest first; returns 0 when there are none."""
    if is_terminal(sys.stdout):
        return sum(1 for step in steps if _step_block(step))
    headings = [Heading("when (UTC)"), Heading("run"), *CHANGE_HEADINGS[2:]]
    return say_table(
        headings,
        ([moment(s.finished_at), s.change.run_id, *cells[2:]] for s in steps for cells in _change_rows(s.change)),
    )


def _change_rows(change: Change) -> Iterator[list[str]]:
    head = [change.element, change.idnumber, change.action]
    place = _place(change.file, change.line)
    fields = list(change.fields()) or [("", None, None)]
    for name, before, after in fields:
        yield [*head, name, value(before), value(after), place]


def _change_block(change: Change) -> bool:
    from lzsyncd.cli.terminal import block

    words = [(change.action, change.action), (change.element, ""), (change.idnumber, "bold")]
    block([*words, (_place(change.file, change.line), "dim")], _field_lines(change))
    return True


def _step_block(step: Step) -> bool:
    from lzsyncd.cli.terminal import block

    change = step.change
    undone = "undone since" if step.status == "undone" else ""
    words = [(moment(step.finished_at), "bold"), (change.action, change.action), (undone, "warning")]
    block([*words, (_place(change.file, change.line), "dim"), (f"run {change.run_id}", "dim")], _field_lines(change))
    return True


def _field_lines(change: Change) -> list[str]:
    """What changed, a field a line; all of a new record on one."""
    if change.action == "created":
        return ["  ".join(f"{name}: {value(after)}" for name, _, after in change.fields())]
    return [f"{name}: {value(before) or '–'} {ARROW} {value(after) or '–'}" for name, before, after in change.fields()]


def value(found: Any) -> str:
    """A value of the history as text; "" for nothing."""
    if found is None or isinstance(found, str):
        return visible(found or "", line_break="\\n")
    if isinstance(found, list) and all(isinstance(member, str) for member in found):
        return visible(", ".join(found), line_break="\\n")
    return json.dumps(found, ensure_ascii=False)


def show_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Names and what they are, aligned; what is empty is left out."""
    there = [(name, text) for name, text in pairs if text]
    width = max((len(name) for name, _ in there), default=0)
    for name, text in there:
        say(f"{name:{width}}  {visible(text)}")
