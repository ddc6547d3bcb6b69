"""`approve` and `discard`: what a person decides on a set that is held."""

# ruff: noqa: PLC0415 a command loads what it needs when it runs: help stays fast

from typing import Annotated

import typer

from lzsyncd.cli.options import JsonOption, SiteOption, examples
from lzsyncd.errors import ExitCode

RUN = "20261122T020000412-5f0c9d1e"
HeldArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="The run: its id, or how it begins or ends.", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command(epilog=examples(f"lzsyncd approve {RUN}", f"lzsyncd approve {RUN[-8:]} --json"))(approve)
    app.command(epilog=examples(f"lzsyncd discard {RUN}", f"lzsyncd discard {RUN[-8:]} --json"))(discard)


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


def _decide(context: typer.Context, kind: str, run: str, site: str | None, *, as_json: bool) -> int:
    from lzsyncd import logs
    from lzsyncd.cli.choice import chosen_run, configuration
    from lzsyncd.cli.results import show_decided
    from lzsyncd.cli.running import start_log
    from lzsyncd.cli.watching import watching
    from lzsyncd.errors import LzsyncdError
    from lzsyncd.ledger.queries import summary
    from lzsyncd.ledger.requests import Kind
    from lzsyncd.report.events import RunLog
    from lzsyncd.service.asking import Asking
    from lzsyncd.sync.decisions import require_held
    from lzsyncd.sync.run import Options

    config = configuration(context)
    with chosen_run(context, site, run) as (database, run_id):
        chosen, told = database.site, summary(database, run_id)
        require_held(told, kind)
    start_log(config, as_json=as_json)
    with watching(chosen.inbox) as progress:
        log = RunLog(logs.logger().bind(site=chosen.name))
        asking = Asking(config, chosen, log, Options(trigger="arrival", progress=progress))
        done = asking.ask(Kind(kind), run_id, told.plan_hash)
    if done.exit_code in (ExitCode.USAGE, ExitCode.FAILED, ExitCode.TRY_AGAIN):
        error = LzsyncdError(done.message)
        error.exit_code = ExitCode(done.exit_code)
        raise error
    show_decided(chosen, done, as_json=as_json)
    return done.exit_code
