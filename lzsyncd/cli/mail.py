"""`mail-test`: does a mail get through?"""

# ruff: noqa: PLC0415 a command loads what it needs when it runs: help stays fast

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from lzsyncd.cli.options import examples
from lzsyncd.errors import ExitCode

if TYPE_CHECKING:
    from lzsyncd.config import Site
    from lzsyncd.report.smtp import Refusal


def add_to(app: typer.Typer) -> None:
    """Add this command."""
    app.command("mail-test", epilog=examples("lzsyncd mail-test acme"))(mail_test)


def mail_test(
    context: typer.Context,
    site: Annotated[
        str | None, typer.Argument(metavar="SITE", help="The site; may be left out where there is only one.")
    ] = None,
) -> ExitCode:
    """Send a test mail, and message to chats, to everybody who is told of a site, and show each step.

    It goes out at once and by itself: neither the queue nor the daemon has to do with it. The exit code is 78 where the
    server is not trusted or does not let us in, 75 where trying again may help, 1 where it refuses somebody for good.
    """
    from lzsyncd.cli.choice import chosen_site, configuration
    from lzsyncd.config import ConfigError, Problem

    config = configuration(context)
    chosen = chosen_site(config, site)
    if not chosen.channels:
        key, text = f"sites.{chosen.name}.notify.to", "nobody is told of this site yet"
        if chosen.mail is None:
            key, text = "mail", "there is no mail server yet: add [mail]"
        raise ConfigError([Problem(0, key, text)], str(config.path))
    refused = [*(_mailed(chosen) if "mail" in chosen.channels else ()), *_told_chats(chosen)]
    if any(why.is_permanent for why in refused):
        return ExitCode.FAILED
    return ExitCode.TRY_AGAIN if refused else ExitCode.CLEAN


def _mailed(site: "Site") -> "Iterable[Refusal]":
    from datetime import UTC, datetime

    from lzsyncd.cli.output import say
    from lzsyncd.ledger.mails import Waiting
    from lzsyncd.ledger.runs import iso
    from lzsyncd.report.letter import trial_letter
    from lzsyncd.report.mail import written
    from lzsyncd.report.smtp import Server

    assert site.mail is not None  # noqa: S101 it is one of the channels
    now, to = datetime.now(UTC), site.notify.to
    about = Waiting(0, f"test:{iso(now)}", "", "success", to, 0, iso(now), iso(now))
    say(f"The server is {site.mail.host}, port {site.mail.port}.")
    with Server(site.mail) as server:
        say(f"It is encrypted with {server.secured}, and trusted." if server.secured else "It is not encrypted.")
        if site.mail.username:
            say(f"It lets {site.mail.username} in.")
        refused = server.send(written(site, trial_letter(site), about, now), to)
    for address in to:
        say(f"It refused the mail to {address}: {refused[address]}." if address in refused else f"Sent to {address}.")
    return refused.values()


def _told_chats(site: "Site") -> "Iterable[Refusal]":
    from lzsyncd.cli.output import say
    from lzsyncd.report.chat import Chats, note_of
    from lzsyncd.report.letter import trial_letter

    if site.notify.chat is None:
        return ()
    chats = Chats(site.notify.chat)
    refused = chats.send(note_of(site, trial_letter(site), None), chats.names)
    for name in chats.names:
        called = f"{name} ({chats.service(name)})"
        say(f"Refused by {called}: {refused[name]}." if name in refused else f"Sent to {called}.")
    return refused.values()
