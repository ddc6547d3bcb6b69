"""`check-config --deep`: is what the configuration names there, and does it work? Nothing is changed by that.

What only the admin page has is tried where this process has the secret for it, or needs none: a daemon has not.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from lzsyncd.cli.output import say
from lzsyncd.config import Config, Mail, Remote, Secret, Site
from lzsyncd.config.page import for_page, shown_for_numbers
from lzsyncd.errors import ExitCode, LzsyncdError, NotPermitted, Usage, not_permitted
from lzsyncd.intake.watch import Inbox
from lzsyncd.ledger.glance import glance
from lzsyncd.report.smtp import Server

Trial = tuple[str, Callable[[], object]]


def tried(config: Config, *, quiet: bool) -> ExitCode:
    """Try all, say how each went, and tell the caller.

    Returns:
        0: all is well; what is wrong with the only thing that is, or with all of them alike; 78 for several.
    """
    codes = set()
    for name, trial in _trials(config):
        try:
            trial()
        except LzsyncdError as error:
            codes.add(error.exit_code)
            say(f"WRONG  {name}: {error}")
        else:
            if not quiet:
                say(f"well   {name}")
    if not codes:
        return ExitCode.CLEAN
    return codes.pop() if len(codes) == 1 else ExitCode.CONFIGURATION


def _trials(config: Config) -> Iterator[Trial]:
    for name, site in config.sites.items():
        yield f"{name}: database", partial(_try_database, site)
        yield f"{name}: inbox", partial(_try_inbox, site)
        yield f"{name}: outbox", partial(_try_outbox, site)
        if site.remote is not None:
            yield f"{name}: remote server", partial(_try_remote, site.remote)
        if site.notify.chat is not None:
            yield f"{name}: chats", partial(_try_chats, site.notify.chat)
    if config.mail is not None:
        yield "mail server", partial(_try_mail, config.mail)
    if config.metrics.textfile is not None:
        yield "metrics: textfile", partial(_try_folder, config.metrics.textfile.parent)
    if (token := config.metrics.token) is not None and not token.is_anothers:
        yield "metrics: token", partial(shown_for_numbers, token)
    for name, site in for_page(config).sites.items():
        if site.page_role and site.database != "sqlite" and not (site.password and site.password.is_anothers):
            yield f"{name}: database as the page's role", partial(_try_database, site)


def _try_database(site: Site) -> None:
    """One that is not there yet is made by the first run."""
    if trouble := glance(site).trouble:
        raise trouble


def _try_inbox(site: Site) -> None:
    try:
        Inbox(site.inbox).entries()
    except PermissionError:
        raise not_permitted(site.inbox, "read") from None
    except OSError as error:
        raise Usage(f"{site.inbox} can't be read: {error.strerror}.") from None


def _try_outbox(site: Site) -> None:
    """The first run makes it, where it can."""
    _try_folder(next(path for path in (site.outbox, *site.outbox.parents) if path.exists()))


def _try_folder(place: Path) -> None:
    if not place.is_dir():
        raise Usage(f"There is no folder {place}.")
    if not os.access(place, os.W_OK):
        raise NotPermitted(f"{place} may not be written by this account.")


def _try_remote(remote: Remote) -> None:
    from lzsyncd.intake.server import asking, connected  # noqa: PLC0415 paramiko, only where there is one

    with connected(remote) as server, asking(remote, "listing the folder"):
        server.listdir(remote.folder)
        if remote.reports:
            server.listdir(remote.reports)


def _try_chats(secret: Secret) -> None:
    """Whether the addresses are understood; who wants to see a message there has mail-test."""
    from lzsyncd.report.chat import Chats  # noqa: PLC0415 a library, only where there are chats

    Chats(secret)


def _try_mail(mail: Mail) -> None:
    with Server(mail):
        pass
