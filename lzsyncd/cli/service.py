"""`run` and `status`: the daemon, and what it is doing."""

# ruff: noqa: PLC0415 a command loads what it needs when it runs: the daemon stays small

from typing import Annotated

import typer

from lzsyncd.cli.options import JsonOption, examples


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command(epilog=examples("lzsyncd run", "lzsyncd --config lzsyncd.toml run"))(run)
    app.command(epilog=examples("lzsyncd status", "lzsyncd status acme", "lzsyncd status --json"))(status)


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
