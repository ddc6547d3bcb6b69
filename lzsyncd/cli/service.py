"""`run`, `status` and `logs`: the daemon, and what it is doing."""

# ruff: noqa: PLC0415 a command loads what it needs when it runs: the daemon stays small

from typing import Annotated

import typer

from lzsyncd.cli.options import JsonOption, LimitOption, SiteOption, examples
from lzsyncd.logkeys import LogLevel


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command(epilog=examples("lzsyncd run", "lzsyncd --config lzsyncd.toml run"))(run)
    app.command(epilog=examples("lzsyncd status", "lzsyncd status acme", "lzsyncd status --json"))(status)
    app.command(epilog=examples("lzsyncd fetch acme", "lzsyncd fetch --json"))(fetch)
    app.command(
        epilog=examples(
            "lzsyncd logs",
            "lzsyncd logs --level warning --since yesterday",
            "lzsyncd logs --run 5f0c9d1e --json",
        )
    )(logs)


def run(context: typer.Context) -> int:
    """Run the daemon: watch the inboxes, wait for whole sets, check and apply them.

    systemd starts it (see install); at a terminal it logs readable text. SIGHUP reads the configuration again, SIGUSR1
    looks into all inboxes now, SIGTERM and Ctrl-C end it: runs are rolled back and go on at the next start.
    """
    from lzsyncd.cli.daemon import run_daemon

    return run_daemon(context.obj)


def status(
    context: typer.Context,
    site: Annotated[str | None, typer.Argument(metavar="SITE", help="One site; without it all.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what lies in the inbox and what it waits for, the last and next run, holds, and the feed's age."""
    from lzsyncd.cli.choice import chosen_site, configuration
    from lzsyncd.cli.state import show_state, state_of
    from lzsyncd.config import load

    config = configuration(context) if site else load(context.obj)
    sites = [chosen_site(config, site)] if site else list(config.sites.values())
    show_state(state_of(config, sites), as_json=as_json)


def fetch(
    context: typer.Context,
    site: Annotated[str | None, typer.Argument(metavar="SITE", help="May be left out where there is one.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Visit a site's remote server now: sets are fetched into the inbox, reports are put.

    The daemon does so by itself. What is fetched waits in the inbox, as any other delivery.
    """
    from dataclasses import asdict

    from lzsyncd.cli.choice import chosen_site, configuration
    from lzsyncd.cli.output import say, say_json
    from lzsyncd.cli.running import start_log
    from lzsyncd.logs import logger
    from lzsyncd.sync.visiting import logged_visit

    config = configuration(context)
    chosen = chosen_site(config, site)
    start_log(config, as_json=as_json)
    done = logged_visit(chosen, logger().bind(site=chosen.name))
    if as_json:
        say_json({"site": chosen.name, **asdict(done)})
        return
    say(f"Fetched: {', '.join(done.fetched) or 'nothing new'}.")
    for text in (*(f"The report of run {run} was put." for run in done.put), *done.waiting, *done.trouble):
        say(text)


def logs(
    context: typer.Context,
    site: SiteOption = None,
    run: Annotated[str, typer.Option("--run", metavar="RUN", help="Only of runs whose id begins or ends so.")] = "",
    level: Annotated[LogLevel, typer.Option("--level", help="Only what is at least as bad.")] = "debug",
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="From then on: 2h, today, 2026-11-28, “2026-11-28 09:00”.")
    ] = "",
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes, until Ctrl-C.")] = False,
    limit: LimitOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Pass the lines through as they are, one event a line.")
    ] = False,
) -> None:
    """Read the log back for people: from the file that [log] names, else from the journal.

    Files that logrotate has put aside are read, too.
    """
    from datetime import UTC, datetime

    from lzsyncd.cli import logbook
    from lzsyncd.cli.choice import chosen_site
    from lzsyncd.cli.shown import limit_of, show_log
    from lzsyncd.config import load

    config = load(context.obj)
    from_then = logbook.moment(since, datetime.now(UTC)) if since else None
    wanted = logbook.Wanted(chosen_site(config, site).name if site else "", run, level, from_then, events=as_json)
    found = logbook.lines(config.log.file, wanted, limit_of(limit, as_json=as_json) or 0, follow=follow)
    show_log(found, as_json=as_json)
