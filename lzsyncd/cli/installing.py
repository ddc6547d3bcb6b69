"""`install`, `uninstall` and `site add`: lzsyncd on this machine, and a new site."""

# ruff: noqa: PLC0415 a command loads what it needs when it runs: help stays fast

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lzsyncd.cli.options import examples

if TYPE_CHECKING:
    from lzsyncd.setup.steps import Plan, Tell

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]
RootOption = Annotated[
    Path, typer.Option("--root", metavar="DIR", help="The root folder of another system, of an image for instance.")
]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command(epilog=examples("lzsyncd install --dry-run", "lzsyncd install"))(install)
    app.command(epilog=examples("lzsyncd uninstall --dry-run", "lzsyncd uninstall"))(uninstall)
    site = typer.Typer(help="Learning Zones on this machine.", rich_markup_mode=None)
    database = "postgresql://lzsyncd_globex@db.acme.test/learning"
    site.command(
        "add",
        epilog=examples(
            "lzsyncd site add acme --dry-run",
            "lzsyncd site add acme --sheet acme.txt",
            "lzsyncd site add acme --new-password",
            f"lzsyncd site add globex --database {database}",
        ),
    )(add_site)
    app.add_typer(site, name="site")


def install(dry_run: DryRunOption = False, root: RootOption = Path("/")) -> None:
    """Put the service on this machine.

    The systemd unit, the accounts, the folders that all sites share, log rotation, and a first configuration where
    there is none. What was changed by hand stays as it is. Doing it again does what is still to be done, after an
    upgrade for instance. Nothing is started.
    """
    from lzsyncd.cli.output import say
    from lzsyncd.setup.install import require_root, to_install

    if not dry_run:
        require_root()
    work = to_install(root.absolute())
    _carry_out(work.plan, work.left, say, dry_run=dry_run)
    if not dry_run:
        say("Next: lzsyncd site add NAME, then systemctl enable --now lzsyncd")


def uninstall(dry_run: DryRunOption = False, root: RootOption = Path("/")) -> None:
    """Stop the service and take away what `install` has put here.

    Data, what was changed by hand, and accounts that own something stay.
    """
    from lzsyncd.cli.output import say
    from lzsyncd.setup.install import require_root, to_uninstall

    if not dry_run:
        require_root()
    work = to_uninstall(root.absolute())
    _carry_out(work.plan, work.left, say, dry_run=dry_run)


def add_site(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The site: a-z, 0-9, _ and -, at most 32.")],
    database: Annotated[
        str, typer.Option("--database", metavar="URL", help="A PostgreSQL database. [default: SQLite]")
    ] = "",
    account: Annotated[
        str, typer.Option("--account", metavar="ACCOUNT", help="The SFTP account. [default: sftp-NAME]")
    ] = "",
    host: Annotated[
        str, typer.Option("--host", metavar="HOST", help="What clients call this machine. [default: its own name]")
    ] = "",
    sheet: Annotated[
        Path | None, typer.Option("--sheet", metavar="FILE", help="Write the sheet to this new file, too.")
    ] = None,
    new_password: Annotated[bool, typer.Option("--new-password", help="Give the account another password.")] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Add a site: folders, configuration, database, SFTP account.

    Prints the sheet to hand to whoever makes the export: host, fingerprint, account, first password. Doing it again
    does what is still to be done, and changes no password.
    """
    from socket import getfqdn

    from lzsyncd.cli.output import note, say
    from lzsyncd.setup.install import require_root
    from lzsyncd.setup.server import door
    from lzsyncd.setup.sheet import require_new, sheet_of, write_sheet
    from lzsyncd.setup.site import to_add

    if not dry_run:
        require_root()
    require_new(sheet)
    found = to_add(context.obj, name, database=database, account=account, new_password=new_password)
    _carry_out(found.plan, found.left, say if dry_run else note, dry_run=dry_run)
    if dry_run:
        return
    text = sheet_of(
        found.site,
        host=host or getfqdn(),
        door=door(found.account),
        account=found.account,
        password=found.password.secret,
    )
    say(text)
    write_sheet(sheet, text)
    note("Next: systemctl reload lzsyncd, or enable --now where it does not run yet")


def _carry_out(plan: "Plan", left: list[str], tell: "Tell", *, dry_run: bool) -> None:
    """Do it, and tell what was done and what was left alone."""
    from lzsyncd.cli.output import note
    from lzsyncd.setup.steps import carry_out

    carry_out(plan, tell, dry_run=dry_run)
    if not plan:
        tell("Nothing is left to do.")
    for sentence in left:
        note(sentence)
