"""`check-config` and `migrate`: the configuration and the schema."""

# ruff: noqa: PLC0415 a command loads what it needs when it runs: help stays fast

from contextlib import closing
from typing import Annotated

import typer

from lzsyncd.cli.options import JsonOption, examples
from lzsyncd.errors import ExitCode


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command(
        epilog=examples(
            "lzsyncd check-config", "lzsyncd --config lzsyncd.toml check-config --quiet", "lzsyncd check-config --deep"
        )
    )(check_config)
    app.command(epilog=examples("lzsyncd migrate", "lzsyncd migrate acme"))(migrate)


def check_config(
    context: typer.Context,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing when all is well.")] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also try what it names: databases, folders, remote and mail servers.")
    ] = False,
) -> ExitCode:
    """Check the configuration and print what takes effect.

    Defaults are included. Whatever is wrong is told at once, each with its line and key; the exit code is 78 then.
    Secrets are not fetched, unless --deep tries what they are for. That changes nothing anywhere, and sends no mail.
    """
    from lzsyncd.cli.deep import tried
    from lzsyncd.cli.output import say
    from lzsyncd.config import effective, load

    config = load(context.obj)
    if not quiet:
        say(effective(config).rstrip())
    return tried(config, quiet=quiet) if deep else ExitCode.CLEAN


def migrate(
    context: typer.Context,
    site: Annotated[str | None, typer.Argument(metavar="SITE", help="The site. [default: every site]")] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the tables of a site's database up to date.

    Where there are none they are made. Every command that opens a database does so by itself; this one does no more.
    """
    from lzsyncd.cli.choice import chosen_site, configuration
    from lzsyncd.cli.output import say, say_json
    from lzsyncd.zone.database import Database

    config = configuration(context)
    applied = {}
    for one in [chosen_site(config, site)] if site else config.sites.values():
        with closing(Database(one)) as database:
            database.lock("migrate")
            applied[one.name] = database.migrate()
    if as_json:
        say_json([{"site": name, "applied": names} for name, names in applied.items()])
        return
    for name, names in applied.items():
        say(f"{name}: {', '.join(names) if names else 'up to date already'}")
