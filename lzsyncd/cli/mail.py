"""`mail-test`: does a mail get through?"""

# ruff: noqa: PLC0415 a command loads what it needs when it runs: help stays fast

from typing import Annotated

import typer

from lzsyncd.cli.options import examples
from lzsyncd.errors import ExitCode


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command("mail-test", epilog=examples("lzsyncd mail-test acme"))(mail_test)


def mail_test(
    context: typer.Context,
    site: Annotated[
        str | None, typer.Argument(metavar="SITE", help="The site; may be left out where there is only one.")
    ] = None,
) -> ExitCode:
    """Send a test mail to everybody who is told of a site, and show each step.

    It goes out at once and by itself: neither the queue nor the daemon has to do with it. The exit code is 78 where the
    server is not trusted or does not let us in, 75 where trying again may help, 1 where it refuses somebody for good.
    """
    from datetime import UTC, datetime

    from lzsyncd.cli.choice import chosen_site, configuration
    from lzsyncd.cli.output import say
    from lzsyncd.config import ConfigError, Problem
    from lzsyncd.ledger.mails import Waiting
    from lzsyncd.ledger.runs import iso
    from lzsyncd.report.letter import trial_letter
    from lzsyncd.report.mail import written
    from lzsyncd.report.smtp import Server

    config = configuration(context)
    chosen = chosen_site(config, site)
    if chosen.mail is None:
        raise ConfigError([Problem(0, "mail", "there is no mail server yet: add [mail]")], str(config.path))
    if not chosen.notify.to:
        key = f"sites.{chosen.name}.notify.to"
        raise ConfigError([Problem(0, key, "nobody is told of this site yet")], str(config.path))
    now, to = datetime.now(UTC), chosen.notify.to
    about = Waiting(0, f"test:{iso(now)}", "", "success", to, 0, iso(now), iso(now))
    say(f"The server is {chosen.mail.host}, port {chosen.mail.port}.")
    with Server(chosen.mail) as server:
        say(f"It is encrypted with {server.secured}, and trusted." if server.secured else "It is not encrypted.")
        if chosen.mail.username:
            say(f"It lets {chosen.mail.username} in.")
        refused = server.send(written(chosen, trial_letter(chosen), about, now), to)
    for address in to:
        say(f"It refused the mail to {address}: {refused[address]}." if address in refused else f"Sent to {address}.")
    if any(why.is_permanent for why in refused.values()):
        return ExitCode.FAILED
    return ExitCode.TRY_AGAIN if refused else ExitCode.CLEAN
