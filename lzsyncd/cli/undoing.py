"""What `undo` says: what is, or would be, taken back; or what stands in the way."""

from collections.abc import Iterator

from lzsyncd.cli.output import Heading, note, say, say_json, say_json_with, say_table
from lzsyncd.cli.shown import first, show_changes, show_counts, shown_of
from lzsyncd.config import Site
from lzsyncd.errors import ExitCode
from lzsyncd.ledger.queries import Change, changes, summary
from lzsyncd.ledger.requests import Request
from lzsyncd.sync.run import Options
from lzsyncd.sync.undo import INVERSE, Ending, Undo, possible
from lzsyncd.zone.database import Database, opened

WHY = {
    "changed": "changed since",
    "refers": "refers to a record that would be removed",
    "taken": "has a name that would be given back",
}


def show_possible(database: Database, found: Undo, limit: int | None, *, as_json: bool) -> None:
    """What an undo would do, record by record, or what stands in the way."""
    if found.ending is Ending.REFUSED:
        _show_refused(found, limit, as_json=as_json)
        return
    back = first(_inverse(database, found.undoes), shown_of(limit))
    if as_json:
        say_json_with(found.as_dict(), "changes", (change._asdict() for change in back))
        return
    say(f"{database.site.name}: {found.message} This would be taken back:")
    say()
    show_counts(found.counts)
    say()
    show_changes(back)


def _inverse(database: Database, run_id: str) -> Iterator[Change]:
    """The changes of a run, as its undo would make them."""
    for change in changes(database, run_id):
        yield change._replace(action=INVERSE[change.action], before=change.after, after=change.before)


def _show_refused(found: Undo, limit: int | None, *, as_json: bool) -> None:
    if as_json:
        say_json(found.as_dict())
    else:
        rows = first(found.in_the_way, shown_of(limit))
        headings = [*map(Heading, ("element", "idnumber", "field", "why"))]
        say_table(headings, ([o.element, o.idnumber, o.field or "(gone)", WHY[o.why]] for o in rows))
    note(f"lzsyncd: {found.message}")


def show_undone(site: Site, done: Request, limit: int | None, *, as_json: bool) -> None:
    """What came of an undo.

    Raises:
        Usage: it could not be taken back, for another reason than single records.
    """
    with opened(site) as database:
        if done.exit_code == ExitCode.USAGE:
            _show_refused(possible(database, done.run, Options()), limit, as_json=as_json)
            return
        told = summary(database, done.result_run)
        if as_json:
            say_json(Undo(done.run, Ending.DONE, told.run, told.counts).as_dict())
            return
        say(f"{site.name}: run {told.run}")
        say(f"{told.message} This is what it had done:")
        say()
        show_counts(told.counts)
