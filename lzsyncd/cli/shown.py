"""How runs, findings and changes look: blocks on a terminal, one row a fact elsewhere."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from lzsyncd.checks.catalogue import CATALOGUE
from lzsyncd.cli.logbook import Line
from lzsyncd.cli.output import (
    ESCAPED_BREAK,
    Heading,
    is_terminal,
    note,
    number,
    say,
    say_block,
    say_json,
    say_table,
    visible,
    whole,
)
from lzsyncd.config import Site
from lzsyncd.ledger.learning import LEARNING
from lzsyncd.ledger.past import Past
from lzsyncd.ledger.queries import Cause, Change, CodeCount, RunSummary, Step, Told
from lzsyncd.logline import as_text, shaped

SHOWN = 50  # rows of a listing that a terminal shows unless it is told otherwise
ARROW = "→"
Row = TypeVar("Row")


def limit_of(limit: int | None, *, as_json: bool) -> int:
    """How many rows to show; 0 for all."""
    if limit is not None:
        return limit
    return 0 if as_json or not is_terminal(sys.stdout) else SHOWN


def shown_of(limit: int | None) -> int:
    """How many records to show where a few are enough; 0 for all."""
    return SHOWN if limit is None else limit


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
        [[c.number, c.severity, c.code, _where(c), CATALOGUE[c.code].remedy] for c in codes],
    )


def _where(found: Told | Cause | CodeCount) -> str:
    """Where a finding is: a line of a file, an element as a whole, or the set."""
    return _place(found.file, found.line) or found.element or "the set"


def _place(file: str | None, line: int | None) -> str:
    return f"{file}:{line}" if file else ""


# -- runs

RUN_COUNTS = ("read", "created", "updated", "revived", "removed", "rejected", "warnings")


def show_runs(found: Sequence[tuple[str, RunSummary]], *, with_site: bool) -> int:
    """Runs of one site, or of several, an element's counts added up; returns how many there were."""
    headings = [*map(whole, ("run", "started (UTC)", "kind", "status")), *map(number, RUN_COUNTS)]
    row_of = _run_row
    if is_terminal(sys.stdout):
        headings, row_of = [*map(whole, ("started (UTC)", "run", "status")), Heading("what")], _short_row
    if with_site:
        return say_table([whole("site"), *headings], [[site, *row_of(run)] for site, run in found])
    return say_table(headings, [row_of(run) for _, run in found])


def _run_row(run: RunSummary) -> list[str | int]:
    return [run.run, moment(run.started_at), run.kind, run.status, *_sums(run).values()]


def _short_row(run: RunSummary) -> list[str | int]:
    """A run for a terminal: the end of its id is enough to name it, and what is 0 is not told."""
    counts = ", ".join(f"{count:,} {name}" for name, count in _sums(run).items() if count)
    status = run.status if run.kind == "sync" else f"{run.kind}, {run.status}"
    return [moment(run.started_at)[:16], run.run[-8:], status, counts]


def _sums(run: RunSummary) -> dict[str, int]:
    return {name: sum(row[name] for row in run.counts.values()) for name in RUN_COUNTS}


def show_run(site: Site, run: RunSummary, codes: Sequence[CodeCount], breaches: Sequence[dict[str, Any]]) -> None:
    """All about one run but its findings and changes one by one."""
    outbox = site.outbox / run.run
    show_pairs(
        (
            ("run", run.run),
            ("site", site.name),
            ("kind", run.kind),
            ("trigger", run.trigger),
            ("status", run.status),
            ("message", run.message),
            ("started", moment(run.started_at) + " UTC"),
            ("ended", _ended(run)),
            ("set", run.set_hash),
            ("plan", run.plan_hash),
            ("report", str(outbox) if outbox.is_dir() else ""),
            ("not kept", _not_kept(run)),
        )
    )
    if run.files:
        say()
        _show_files(run)
    if run.counts:
        say()
        show_counts(run.counts)
    show_audiences(run.audiences)
    if breaches:
        say()
        show_breaches(breaches)
    if codes:
        say()
        show_codes(codes)


def show_audiences(audiences: Sequence[dict[str, Any]]) -> None:
    """What moved in audiences; nothing where nothing did."""
    if audiences:
        say()
        headings = [whole("audience"), *map(number, LEARNING)]
        say_table(headings, [list(row.values()) for row in audiences])


def show_breaches(breaches: Sequence[dict[str, Any]]) -> None:
    """The limits that a plan exceeds, and the largest groups behind each."""
    say_table(
        [
            whole(""),
            whole("limit"),
            whole("allowed"),
            number("figure"),
            number("of"),
            Heading("where"),
            Heading("most"),
        ],
        [
            [b["element"], b["guard"], b["allowed"], b["figure"], b["base"], b["unit"] or "everywhere", _largest(b)]
            for b in breaches
        ],
    )


def _largest(breach: dict[str, Any]) -> str:
    return ", ".join(f"{group['name']} {group['count']:,}" for group in breach["largest"])


def _not_kept(run: RunSummary) -> str:
    """What retention has taken of a run, "" for nothing."""
    return f"files, report, findings and changes, since {moment(run.pruned_at)} UTC" if run.pruned_at else ""


def not_kept(run: RunSummary) -> str:
    """That retention has taken what was asked for, as a sentence; "" where it has not."""
    return f"Of run {run.run} are not kept any more: {_not_kept(run)}." if run.pruned_at else ""


def _ended(run: RunSummary) -> str:
    """When a run ended, and how long it took."""
    if not run.finished_at:
        return ""
    took = datetime.fromisoformat(run.finished_at) - datetime.fromisoformat(run.started_at)
    return f"{moment(run.finished_at)} UTC, after {took.total_seconds():.1f} s"


def _show_files(run: RunSummary) -> None:
    headings = (whole("file"), number("records"), number("bytes"))
    say_table(headings, [[file["name"], file["records"], file["size"]] for file in run.files])


def moment(iso: str) -> str:
    """A time of the tables without what nobody reads."""
    return iso[:19].replace("T", " ")


# -- findings


def show_findings(rows: Iterable[Told]) -> int:
    """Findings with what is wrong and how to mend it; returns how many there were."""
    if is_terminal(sys.stdout):
        return sum(1 for row in rows if _finding_block(row))
    return say_table(
        [*map(Heading, ("severity", "where", "idnumber", "column", "code", "because of", "message"))],
        ([r.severity, _where(r), r.idnumber or "", r.column_name or "", r.code, r.because, r.message] for r in rows),
    )


def _finding_block(row: Told) -> bool:
    because = f" (because of {row.because})" if row.because else ""
    key = f"key {row.idnumber}" if row.idnumber else ""
    words = [(_where(row), "bold"), (row.severity, row.severity), (row.code, "")]
    words += [(row.column_name or "", ""), (key, "dim")]
    say_block(words, [row.message + because])
    return True


def show_cause(cause: Cause) -> None:
    """A finding that no other caused, and how many it caused."""
    behind = f" ({cause.behind:,} more because of it)" if cause.behind else ""
    words = [(_where(cause), "bold"), (cause.severity, cause.severity), (cause.code, ""), (cause.column, "")]
    say_block(words, [cause.message + behind])


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
        return sum(1 for step in steps if show_step(step))
    headings = [Heading("when (UTC)"), Heading("run"), *CHANGE_HEADINGS[2:], Heading("note")]
    return say_table(
        headings,
        (
            [moment(s.finished_at), s.change.run_id, *cells[2:], s.note]
            for s in steps
            for cells in _change_rows(s.change)
        ),
    )


def show_past(element: str, idnumber: str, as_of: str, past: Past, *, as_json: bool) -> None:
    """A record as it was."""
    if as_json:
        head = {"element": element, "idnumber": idnumber, "as_of": as_of, "run": past.run}
        say_json(head | {"is_whole": past.is_whole, "fields": past.fields})
    else:
        show_pairs((name, value(found)) for name, found in (past.fields or {}).items())
    if not past.is_whole:
        note("The history does not go back to where the record was made: what has not changed since is not shown.")


def _change_rows(change: Change) -> Iterator[list[str]]:
    head = [change.element, change.idnumber, change.action]
    place = _place(change.file, change.line)
    fields = list(change.fields()) or [("", None, None)]
    for name, before, after in fields:
        yield [*head, name, value(before), value(after), place]


def _change_block(change: Change) -> bool:
    words = [(change.action, change.action), (change.element, ""), (change.idnumber, "bold")]
    say_block([*words, (_place(change.file, change.line), "dim")], _field_lines(change))
    return True


def show_step(step: Step) -> bool:
    """One step of a history; True."""
    change = step.change
    words = [(moment(step.finished_at), "bold"), (change.action, change.action), (step.note, "warning")]
    say_block(
        [*words, (_place(change.file, change.line), "dim"), (f"run {change.run_id}", "dim")], _field_lines(change)
    )
    return True


def _field_lines(change: Change) -> list[str]:
    """What changed, a field a line; all of a new record on one."""
    if change.action == "created":
        return ["  ".join(f"{name}: {value(after)}" for name, _, after in change.fields())]
    return [f"{name}: {value(before) or '–'} {ARROW} {value(after) or '–'}" for name, before, after in change.fields()]


def value(found: Any) -> str:
    """A value of the history as text; "" for nothing."""
    if found is None or isinstance(found, str):
        return visible(found or "", line_break=ESCAPED_BREAK)
    if isinstance(found, list) and all(isinstance(member, str) for member in found):
        return visible(", ".join(found), line_break=ESCAPED_BREAK)
    return json.dumps(found, ensure_ascii=False)


def show_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Names and what they are, aligned; what is empty is left out."""
    there = [(name, text) for name, text in pairs if text]
    width = max((len(name) for name, _ in there), default=0)
    for name, text in there:
        say(f"{name:{width}}  {visible(text)}")


def show_log(lines: Iterable[Line], *, as_json: bool) -> None:
    """Lines of the log, for people; or as they are, those that are events."""
    colour = is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")
    for line in lines:
        if line.event is None or as_json:
            say(line.text if as_json else visible(line.text))
        else:
            known = {key: visible(text) if isinstance(text, str) else text for key, text in shaped(line.event).items()}
            say(as_text(known, colour=colour, with_date=True))
        sys.stdout.flush()
