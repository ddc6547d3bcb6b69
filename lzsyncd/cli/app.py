"""The command line: one Typer application of all groups. A command loads what it needs when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from lzsyncd import __version__
from lzsyncd.cli import (
    audiences,
    configuration,
    decisions,
    installing,
    ledger,
    mail,
    page,
    pruning,
    service,
    sets,
    tour,
)
from lzsyncd.cli.daemon import DEFAULT_CONFIG, ENVIRONMENT
from lzsyncd.cli.options import examples
from lzsyncd.errors import ExitCode

app = typer.Typer(
    name="lzsyncd",
    add_completion=False,
    pretty_exceptions_enable=False,  # they show local variables, and these hold values of files
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for group in (sets, decisions, ledger, audiences, service, page, configuration, pruning, mail, installing, tour):
    group.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lzsyncd {__version__}")
        raise typer.Exit


@app.callback(
    invoke_without_command=True,
    epilog=examples(
        "lzsyncd demo",
        "lzsyncd check export/",
        "lzsyncd sync acme --from export/",
        "lzsyncd --config lzsyncd.toml runs",
    )
    + "\n\n\b\n"
    "Exit codes: 0 clean, 10 applied or unchanged with findings, 20 held,\n"
    "30 set rejected, 40 no set to sync, 1 failed, 2 usage, 75 try again,\n"
    "77 permission, 78 configuration.",
)
def lzsyncd(
    context: typer.Context,
    config: Annotated[
        Path,
        typer.Option("--config", metavar="FILE", envvar=ENVIRONMENT, help="The configuration.", readable=False),
    ] = DEFAULT_CONFIG,
    version: Annotated[  # noqa: ARG001 the callback does it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Keeps a Learning Zone in step with HR: CSV files in, the site up to date, every bad row explained."""
    context.obj = config
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(ExitCode.USAGE)
