"""`check`, `sync` and `sample`: what is done with the files of a set."""

# ruff: noqa: PLC0415 a command loads what it needs when it runs: help stays fast

from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated

import typer

from lzsyncd.cli.options import JsonOption, LimitOption, SiteOption, examples
from lzsyncd.errors import ExitCode, Usage

FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The folder.", show_default=False, readable=False)]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command(
        epilog=examples("lzsyncd check export/", "lzsyncd check export/ --site acme", "lzsyncd check export/ --json")
    )(check)
    app.command(
        epilog=examples(
            "lzsyncd sync acme",
            "lzsyncd sync acme --from export/ --dry-run",
            "lzsyncd sync acme --from export/ --dry-run --limit 10 --json",
            "lzsyncd sync acme --from export/",
            "lzsyncd sync --from export/ --json",
        )
    )(sync)
    app.command(epilog=examples("lzsyncd sample example/", "lzsyncd sample example/ --site acme"))(sample)


def check(
    context: typer.Context,
    folder: FolderArgument,
    site: Annotated[
        str | None, typer.Option("--site", metavar="SITE", help="Check with the settings of this site.")
    ] = None,
    limit: LimitOption = None,
    as_json: JsonOption = False,
) -> ExitCode:
    """Check the files of a folder; no database is needed.

    For whoever makes the export. Without --site the default settings hold, no configuration is read, and missing files
    are no fault. A reference to an element whose file is not there is not judged. Nothing is kept.
    """
    from lzsyncd.cli.choice import chosen_site, configuration
    from lzsyncd.cli.output import ReaderGone
    from lzsyncd.cli.results import show_checked, worst
    from lzsyncd.cli.watching import watching
    from lzsyncd.sync.check import checked

    settings = chosen_site(configuration(context), site) if site else None
    with ExitStack() as until_told:
        with watching(folder) as progress:
            found = until_told.enter_context(checked(folder, settings, progress))
        with suppress(ReaderGone):
            show_checked(found, limit, as_json=as_json)
    return worst(found.results)


def sync(
    context: typer.Context,
    site: Annotated[
        str | None, typer.Argument(metavar="SITE", help="The site; may be left out where there is only one.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DIR",
            help="The folder with the set; it stays as it is. [default: the inbox]",
            readable=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Make the plan, show it, and change nothing.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=0,
            help="Show at most N changes of each element in a dry run; 0 for all. [default: 50; with --json none]",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> ExitCode:
    """Sync a site now, with what lies in its inbox and what waits for its slot, or with the files of a folder.

    It is the daemon's own work, done in the foreground; the daemon may run or not. A dry run takes nothing out of the
    inbox.

    The summary goes to standard output and names no value of a file, unless it shows the changes of a dry run; the log
    goes to standard error.
    """
    from lzsyncd.cli.choice import chosen_site, configuration
    from lzsyncd.cli.output import ReaderGone
    from lzsyncd.cli.results import show_results, worst
    from lzsyncd.cli.running import logged_inbox_sync, logged_sync, send_mails, start_log
    from lzsyncd.cli.shown import shown_of
    from lzsyncd.cli.watching import watching
    from lzsyncd.sync.run import Options

    if limit is not None and not dry_run:
        raise Usage("--limit is for a dry run: what a run has changed, lzsyncd changes shows.")
    config = configuration(context)
    chosen = chosen_site(config, site)
    start_log(config, as_json=as_json)
    try:
        with watching(folder or chosen.inbox) as progress:
            shown = shown_of(limit) if dry_run and not (as_json and limit is None) else None
            options = Options(dry_run=dry_run, progress=progress, shown=shown)
            results = logged_sync(chosen, folder, options) if folder else logged_inbox_sync(chosen, options)
    finally:
        send_mails(config, chosen)
    with suppress(ReaderGone):
        show_results(chosen, results, as_json=as_json)
    return worst(results)


def sample(context: typer.Context, folder: FolderArgument, site: SiteOption = None) -> None:
    """Write example files, and a page that explains them.

    The files have every column the site takes; without a configuration those that every site takes. Nothing that is
    there is overwritten.
    """
    from lzsyncd.cli.choice import chosen_site, configuration
    from lzsyncd.cli.output import say
    from lzsyncd.config import Site
    from lzsyncd.feed.sample import write_sample

    has_config = site or context.obj.exists()
    settings = chosen_site(configuration(context), site) if has_config else Site.standard("example")
    for path in write_sample(folder, settings):
        say(str(path))
