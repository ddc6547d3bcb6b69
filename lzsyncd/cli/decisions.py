"""`approve`, `discard`, `undo`: what a person decides on a set that is held, or on a run that was applied."""

# ruff: noqa: PLC0415 a command loads what it needs when it runs: help stays fast

from typing import TYPE_CHECKING, Annotated

import typer

from lzsyncd.cli.options import JsonOption, ShownOption, SiteOption, examples
from lzsyncd.errors import ExitCode

if TYPE_CHECKING:
    from lzsyncd.config import Config, Site
    from lzsyncd.ledger.requests import Kind, Request

RUN = "20261122T020000412-5f0c9d1e"
HeldArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="The run: its id, or how it begins or ends.", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command(epilog=examples(f"lzsyncd approve {RUN}", f"lzsyncd approve {RUN[-8:]} --json"))(approve)
    app.command(epilog=examples(f"lzsyncd discard {RUN}", f"lzsyncd discard {RUN[-8:]} --json"))(discard)
    app.command(
        epilog=examples(f"lzsyncd undo {RUN} --dry-run", f"lzsyncd undo {RUN}", f"lzsyncd undo {RUN[-8:]} --json")
    )(undo)


def approve(context: typer.Context, run: HeldArgument, site: SiteOption = None, as_json: JsonOption = False) -> int:
    """Apply a set that is held, now.

    Look at it first: lzsyncd show RUN. What is approved is the plan as it was shown. When it is another one by now,
    or the approval comes too late, the plan is made anew and held again, and the exit code is 20. Of a set that lacks
    files, what is there is synced.
    """
    from lzsyncd.ledger.requests import Kind

    return _decide(context, Kind.APPROVE, run, site, as_json=as_json)


def discard(context: typer.Context, run: HeldArgument, site: SiteOption = None, as_json: JsonOption = False) -> int:
    """Give up a set that is held: nothing of it is applied, and its files go to the archive."""
    from lzsyncd.ledger.requests import Kind

    return _decide(context, Kind.DISCARD, run, site, as_json=as_json)


def undo(
    context: typer.Context,
    run: HeldArgument,
    site: SiteOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be taken back, or what stands in the way.")
    ] = False,
    limit: ShownOption = None,
    as_json: JsonOption = False,
) -> int:
    """Take the latest applied run of a site back, exactly.

    What it created goes, what it changed has its old values, what it removed is back under its old id; whatever else
    was edited since stays. It is refused, with the list and exit code 2, where a record of that run was changed since.
    An undo is a run, and can be undone.
    """
    from lzsyncd.cli.choice import chosen_run, configuration
    from lzsyncd.cli.undoing import show_possible, show_undone
    from lzsyncd.ledger.requests import Kind
    from lzsyncd.sync.run import Options
    from lzsyncd.sync.undo import possible, refuse_what_is_not_the_latest

    with chosen_run(context, site, run) as (database, run_id):
        chosen = database.site
        if dry_run:
            found = possible(database, run_id, Options())
            show_possible(database, found, limit, as_json=as_json)
            return found.exit_code
        refuse_what_is_not_the_latest(database, run_id)
    done = _asked(configuration(context), chosen, Kind.UNDO, run_id, as_json=as_json)
    show_undone(chosen, done, limit, as_json=as_json)
    return done.exit_code


def _decide(context: typer.Context, kind: str, run: str, site: str | None, *, as_json: bool) -> int:
    from lzsyncd.cli.choice import chosen_run, configuration
    from lzsyncd.cli.results import show_decided
    from lzsyncd.ledger.queries import summary
    from lzsyncd.ledger.requests import Kind
    from lzsyncd.sync.decisions import require_held

    with chosen_run(context, site, run) as (database, run_id):
        chosen, told = database.site, summary(database, run_id)
        require_held(told, kind)
    done = _asked(configuration(context), chosen, Kind(kind), run_id, told.plan_hash, as_json=as_json)
    if done.exit_code == ExitCode.USAGE:
        raise _failure(done)
    show_decided(chosen, done, as_json=as_json)
    return done.exit_code


def _asked(
    config: "Config", chosen: "Site", kind: "Kind", run_id: str, plan_hash: str = "", *, as_json: bool
) -> "Request":
    """Ask for it, and wait until it is done.

    Raises:
        LzsyncdError: it could not be done.
    """
    from lzsyncd import logs
    from lzsyncd.cli.running import send_mails, start_log
    from lzsyncd.cli.watching import watching
    from lzsyncd.report.events import RunLog
    from lzsyncd.service.asking import Asking
    from lzsyncd.sync.run import Options

    start_log(config, as_json=as_json)
    try:
        with watching(chosen.inbox) as progress:
            log = RunLog(logs.logger().bind(site=chosen.name))
            asking = Asking(config, chosen, log, Options(trigger="arrival", progress=progress))
            done = asking.ask(kind, run_id, plan_hash)
    finally:
        send_mails(config, chosen)
    if done.exit_code in (ExitCode.FAILED, ExitCode.TRY_AGAIN):
        raise _failure(done)
    return done


def _failure(done: "Request") -> Exception:
    from lzsyncd.errors import LzsyncdError

    error = LzsyncdError(done.message)
    error.exit_code = ExitCode(done.exit_code)
    return error
