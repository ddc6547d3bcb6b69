"""What `sync` and `check` say at the end."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from lzsyncd.cli.output import Cell, Heading, note, number, say, say_json, say_json_with, say_table, whole
from lzsyncd.cli.shown import first, limit_of, show_audiences, show_changes, show_codes, show_counts, show_findings
from lzsyncd.config import Site
from lzsyncd.errors import ExitCode
from lzsyncd.ledger.queries import RunSummary, Told, code_counts, findings, summary
from lzsyncd.ledger.requests import Request
from lzsyncd.ledger.status import Status
from lzsyncd.sync.check import Checked
from lzsyncd.sync.ending import Result
from lzsyncd.sync.preview import FIGURES, Preview
from lzsyncd.zone.database import Database, opened

WORST_FIRST = (
    ExitCode.FAILED,
    ExitCode.TRY_AGAIN,
    ExitCode.REJECTED,
    ExitCode.HELD,
    ExitCode.FINDINGS,
    ExitCode.CLEAN,
)
WORDS = {
    "applied": "The set was applied.",
    "unchanged": "The site was up to date already.",
    "checked": "A dry run: this is what the set would do. Nothing was changed.",
    "rejected": "The set was rejected. Nothing was changed.",
    "held": "The set waits. Nothing was changed.",
}


def worst(results: list[Result]) -> ExitCode:
    """The exit code of several sets."""
    return min((result.exit_code for result in results), key=WORST_FIRST.index)


# -- sync


def show_results(site: Site, results: list[Result], *, as_json: bool) -> None:
    """What became of the sets, without a value of their files."""
    if as_json:
        say_json(
            _document([result.as_dict() | (result.preview.as_dict() if result.preview else {}) for result in results])
        )
        return
    with opened(site) as database:
        for result in results:
            _show_result(database, site, result)


def _document(sets: list[dict[str, Any]]) -> dict[str, Any]:
    """The first set as an object; those after it, which only a mended file makes, in `more`."""
    document, *more = sets
    return {**document, "more": more} if more else document


def _show_result(database: Database, site: Site, result: Result) -> None:
    _show_run(database, site, summary(database, result.run))
    if result.preview is not None:
        _show_preview(result.preview)


def _show_preview(found: Preview) -> None:
    """What a dry run would change: by unit, and who."""
    if found.units:
        say()
        headings = [whole("element"), Heading("unit"), *map(number, FIGURES)]
        say_table(headings, [[element, unit, *figures.values()] for element, unit, figures in found.units])
    if found.changes:
        say()
        show_changes(found.changes)
    for element, more in found.more.items():
        say(f"\n… and {more:,} more of {element}.csv; --limit 0 shows all.")


def _show_run(database: Database, site: Site, told: RunSummary) -> None:
    say(f"{site.name}: run {told.run}")
    say(" ".join(part for part in (WORDS[told.status], told.message) if part))
    say()
    show_counts(told.counts)
    show_audiences(told.audiences)
    codes = code_counts(database, told.run)
    if not codes:
        say("\nNo findings.")
        return
    say()
    show_codes(codes)
    say(f"\nEvery finding: lzsyncd errors {told.run}")
    if told.kind == "sync" and told.status != "rejected" and any(row["rejected"] for row in told.counts.values()):
        say(f"Files to mend: {site.outbox / told.run}")


def show_decided(site: Site, done: Request, *, as_json: bool) -> None:
    """What came of a decision."""
    with opened(site) as database:
        told = summary(database, done.result_run or done.run)
        if as_json:
            names = ("run", "status", "set_hash", "plan_hash", "counts", "findings")
            say_json({name: getattr(told, name) for name in names} | {"message": done.message})
        elif told.status == Status.DISCARDED:
            say(f"{site.name}: run {told.run}")
            say(done.message)
        else:
            _show_run(database, site, told)


# -- check


def show_checked(found: Checked, limit: int | None, *, as_json: bool) -> None:
    """What is wrong with the files, record by record."""
    if as_json:
        sets = [_checked_dict(result) for result in found.results]
        say_json_with(_document(sets), "errors", first(_error_dicts(found), limit or 0))
    else:
        for number, result in enumerate(found.results):
            if number:
                say()
            _show_checked(found.database, result, limit_of(limit, as_json=False))
    for name in found.near_misses:
        note(f"{name} is close to the name of a file, but not right: it was not looked at.")


def _checked_dict(result: Result) -> dict[str, Any]:
    """The result without what only a run has. In its empty site a set may be applied; it was checked all the same."""
    told = {name: part for name, part in result.as_dict().items() if name not in ("run", "plan_hash")}
    return told | {"status": "rejected" if result.exit_code is ExitCode.REJECTED else "checked"}


def _error_dicts(found: Checked) -> Iterator[dict[str, Any]]:
    rows = chain.from_iterable(findings(found.database, result.run) for result in found.results)
    for row in rows:
        yield {name: cell for name, cell in row.as_dict().items() if name not in ("run_id", "created_at")}


def _show_checked(database: Database, result: Result, limit: int) -> None:
    told = summary(database, result.run)
    _show_files(told)
    say()
    rows: Iterator[Told] = first(findings(database, result.run), limit)
    if show_findings(rows):
        say()
    say(_verdict(told, result))


def _show_files(told: RunSummary) -> None:
    headings = [Heading("file"), *map(number, ("records", "good", "rejected", "warnings"))]
    say_table(headings, [[file["name"], file["records"], *_numbers(told, file)] for file in told.files])


def _numbers(told: RunSummary, file: dict[str, Any]) -> list[Cell]:
    """What became of a file's records; nobody counts them when the set is rejected."""
    counts = told.counts.get(file["element"])
    if counts is None:
        return ["", "", ""]
    return [file["records"] - counts["rejected"], counts["rejected"], counts["warnings"]]


def _verdict(told: RunSummary, result: Result) -> str:
    if result.exit_code is ExitCode.REJECTED:
        return "The set would be rejected: nothing of it would be applied."
    rejected, read = (sum(row[name] for row in told.counts.values()) for name in ("rejected", "read"))
    if rejected:
        return f"The set would be applied but for {rejected:,} of {read:,} records."
    return "The set would be applied." if told.findings else "The set is good."
