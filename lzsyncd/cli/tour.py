"""`demo`: a tour that needs nothing but this program."""

# ruff: noqa: PLC0415 a command loads what it needs when it runs: help stays fast

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from lzsyncd.cli.options import examples


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command(epilog=examples("lzsyncd demo", "lzsyncd demo --users 500 --seed 7 --dirty 0.02 --keep demo/"))(demo)


def demo(
    users: Annotated[
        int, typer.Option("--users", metavar="N", min=20, help="How many people the company has.")
    ] = 5_000,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Another seed, another company.")] = 1,
    dirty: Annotated[
        float, typer.Option("--dirty", metavar="SHARE", min=0, max=1, help="The share of broken records on day two.")
    ] = 0.002,
    change: Annotated[
        float, typer.Option("--change", metavar="SHARE", min=0, max=1, help="The share of people who change.")
    ] = 0.01,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Keep everything in this new folder, to look around.")
    ] = None,
) -> None:
    """Sync a made-up company, and show what an admin would see.

    It needs no configuration and no database, and leaves nothing behind unless it is told where to --keep it.
    """
    from lzsyncd.cli.output import say
    from lzsyncd.cli.stage import Stage
    from lzsyncd.demo.tour import Company, Tour, tour_folder

    company = Company(users=users, seed=seed, dirty=dirty, change=change)
    with tour_folder(keep) as folder:
        Tour(company, folder, Stage()).show()
    if keep is not None:
        say(f"\nLook around: lzsyncd --config {quote(str(keep / 'lzsyncd.toml'))} runs")
