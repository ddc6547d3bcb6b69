"""`prune`: what is older than `retention` goes, now."""

# ruff: noqa: PLC0415 a command loads what it needs when it runs: help stays fast

from typing import TYPE_CHECKING, Annotated

import typer

from lzsyncd.cli.options import JsonOption, examples

if TYPE_CHECKING:
    from lzsyncd.config import Site
    from lzsyncd.sync.retention import Pruned

WORDS = {"findings": "findings", "changes": "changes", "memberships": "moves in audiences", "mails": "mails"}
MIB = 1024**2


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command(epilog=examples("lzsyncd prune --dry-run", "lzsyncd prune acme", "lzsyncd prune --json"))(prune)


def prune(
    context: typer.Context,
    site: Annotated[str | None, typer.Argument(metavar="SITE", help="The site. [default: every site]")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete what is older than a site's retention: delivered files, reports, findings, history.

    The daemon does so after each slot. What is still needed stays, however old: the last good set, holds and whatever
    waits, and what taking back the latest run needs. That a run was, how it ended and its counts stay, too.
    """
    from lzsyncd.cli.choice import chosen_site, configuration, has_ledger
    from lzsyncd.cli.output import say, say_json

    config = configuration(context)
    sites = [chosen_site(config, site)] if site else [*config.sites.values()]
    done = [(one.name, _pruned(one, dry_run=dry_run)) for one in sites if has_ledger(one)]
    if as_json:
        say_json([{"site": name, "dry_run": dry_run, **pruned.as_dict()} for name, pruned in done])
        return
    for name, pruned in done:
        say(f"{name}: {_told(pruned, dry_run=dry_run)}")
    if not done:
        say("There is no run yet.")


def _pruned(site: "Site", *, dry_run: bool) -> "Pruned":
    from lzsyncd.sync.retention import prune as prune_site
    from lzsyncd.sync.run import Options
    from lzsyncd.zone.database import opened

    with opened(site) as database:
        if not dry_run:
            database.lock("prune")
        return prune_site(database, site, Options(dry_run=dry_run))


def _told(pruned: "Pruned", *, dry_run: bool) -> str:
    if not pruned.is_something:
        return f"nothing is older than {pruned.before[:10]} and not needed any more."
    parts = [
        f"sets in the archive {pruned.archives:,}",
        f"reports {pruned.reports:,} (both {pruned.bytes / MIB:,.1f} MiB)",
        *(f"{word} {pruned.rows[kind]:,}" for kind, word in WORDS.items()),
    ]
    verb = "Would go" if dry_run else "Gone"
    return f"{verb}, of runs that ended before {pruned.before[:10]}: {', '.join(parts)}."
