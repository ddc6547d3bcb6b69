"""Mails, and messages to chats, go out: after the commit, driven by the queue in the ledger, and marked there.

A mail is claimed first, and one at a time sends, also of several hosts. A sender that is killed after the server took a
mail and before it is marked sends it again, with the same Message-ID: nothing can prevent that, and mail programs know
it by that.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Any, TypeVar

from structlog.stdlib import BoundLogger

from lzsyncd.config import Mail, SecretError, Site
from lzsyncd.errors import LzsyncdError, SiteIsBusy
from lzsyncd.ledger import mails
from lzsyncd.ledger.mails import Waiting
from lzsyncd.report.chat import Chats, note_of
from lzsyncd.report.letter import Letter, letter_of, summary_of
from lzsyncd.report.notices import tell_of_feed
from lzsyncd.report.rendering import rendered
from lzsyncd.report.smtp import NoServer, NotTrusted, Refusal, Server
from lzsyncd.sync.ending import describe
from lzsyncd.zone.advisory import Lock
from lzsyncd.zone.database import Database

AT_ONCE = 3  # mails of a kind in `SPAN`; what comes after them waits and goes together
SPAN = timedelta(days=1)
PAUSES = tuple(timedelta(hours=hours) for hours in (1, 2, 4))
"""Before the next one, longer each time: a feed that fails each quarter of an hour is no hundred mails."""

T = TypeVar("T")
TOO_LARGE = 552  # RFC 5321, 4.2.3: exceeded storage allocation; what servers say of attachments that are too large


class Unwritten(LzsyncdError):
    """A mail could not be written, for a fault of ours."""


@dataclass(frozen=True)
class Sent:
    """What went out, and who did not take it.

    Attributes:
        message_id: of the mail; a message to chats has one for our own books.
        subject: or title.
        text: without formatting.
        refused: who does not get it, and why.
    """

    message_id: str
    subject: str
    text: str
    refused: dict[str, Refusal]


@dataclass
class Post:
    """Sends what a site has to tell.

    Args:
        database: the site's.
        site: its configuration.
        clock: gives the time.
        log: bound to the site.
    """

    database: Database
    site: Site
    clock: Callable[[], datetime]
    log: BoundLogger
    _server: Server | None = field(default=None)
    _chats: Chats | None = field(default=None)

    def deliver(self) -> None:
        """Send what is due.

        Raises:
            SiteIsBusy: somebody else sends the site's mails.
        """
        if not self.site.is_told:
            return
        if not self.database.is_alone(Lock.POST):
            raise SiteIsBusy(f"Somebody else sends the mails of site {self.site.name}.")
        tell_of_feed(self.database, self.site, self.clock())
        alike: dict[tuple[str, str], list[Waiting]] = {}
        for mail in mails.due(self.database, self.clock()):
            if mail.channel in self.site.channels:
                alike.setdefault((mail.channel, mail.kind), []).append(mail)
            else:
                self._give_up(mail, "The configuration names nobody any more who is told in this way.")
        try:
            # chats first: each answers within seconds, or not at all; but none whose sender was ended before others
            for waiting in sorted(alike.values(), key=lambda these: (these[0].attempts, these[0].channel)):
                for parcel in self._parcels(waiting):
                    self._send(parcel)
        finally:
            if self._server is not None:
                self._server.__exit__(None, None, None)

    def _parcels(self, waiting: list[Waiting]) -> Iterator[list[Waiting]]:
        """What goes together: each alone, or all as a summary where they are too many; perhaps later."""
        now = self.clock()
        lately = mails.sent_since(self.database, waiting[0], now - SPAN)
        left = AT_ONCE - len(lately)
        pause = PAUSES[min(-left, len(PAUSES) - 1)] if left <= 0 else timedelta(0)
        until = datetime.fromisoformat(lately[-1]) + pause if lately else now
        if until > now:
            for mail in waiting:
                mails.put_off(self.database, mail, until)
        elif len(waiting) > max(left, 1):
            yield waiting
        else:
            yield from ([mail] for mail in waiting)

    def _send(self, parcel: list[Waiting]) -> None:
        now = self.clock()
        claimed = [mail for mail in parcel if mails.claim(self.database, mail, now)]
        if not claimed:
            return
        try:
            claimed = [self._addressed(mail) for mail in claimed]
            to = tuple(sorted({address for mail in claimed for address in mail.to}))
            sent = self._by_chat(claimed, to) if claimed[0].channel == "chat" else self._by_mail(claimed, to)
        except (NoServer, NotTrusted, SecretError) as error:
            self._server = None
            self._failed(claimed, str(error))
            return
        except Unwritten as error:
            self._failed(claimed, str(error))
            return
        for mail in claimed:
            self._mark(mail, sent, {address: why for address, why in sent.refused.items() if address in mail.to})

    def _addressed(self, mail: Waiting) -> Waiting:
        """A message to chats, with the names of those that have not got it; they are known only now."""
        if mail.channel == "mail":
            return mail
        return replace(mail, to=tuple(name for name in self._with_chats().names if not mail.to or name in mail.to))

    def _by_mail(self, claimed: list[Waiting], to: tuple[str, ...]) -> Sent:
        message, server = self._message(self.site, claimed, to), self._connected()
        self.database.fence()  # whoever was stopped for long may not be the one who sends any more
        refused = server.send(message, to)
        if [why.code for why in refused.values()] == [TOO_LARGE] * len(to):
            message = self._message(_without_files(self.site), claimed, to)
            refused = self._connected().send(message, to)
        plain = message.get_body(("plain",))
        text = plain.get_content().replace("\r\n", "\n") if plain is not None else ""
        return Sent(message["Message-ID"], message["Subject"], text, refused)

    def _by_chat(self, claimed: list[Waiting], to: tuple[str, ...]) -> Sent:
        """No files go with it: they hold whole records, and a chat is no place for these."""
        first, site = claimed[0], _without_files(self.site)
        note = self._letter(claimed, lambda: note_of(site, self._content(site, claimed, first), first.kind))
        self.database.fence()
        return Sent(message_id(site, first.about), note.title, note.text, self._with_chats().send(note, to))

    def _connected(self) -> Server:
        if self._server is None:
            assert self.site.mail is not None  # noqa: S101 it is one of the channels
            self._server = Server(self.site.mail).__enter__()
        return self._server

    def _with_chats(self) -> Chats:
        if self._chats is None:
            assert self.site.notify.chat is not None  # noqa: S101 as above
            self._chats = Chats(self.site.notify.chat)
        return self._chats

    def _message(self, site: Site, claimed: list[Waiting], to: tuple[str, ...]) -> EmailMessage:
        first = replace(claimed[0], to=to)

        def write() -> EmailMessage:
            thread = [known or message_id(site, about) for about, known in mails.before(self.database, first)]
            return written(site, self._content(site, claimed, first), first, self.clock(), thread)

        return self._letter(claimed, write)

    def _content(self, site: Site, claimed: list[Waiting], first: Waiting) -> Letter:
        return letter_of(self.database, site, first) if len(claimed) == 1 else summary_of(self.database, site, claimed)

    def _letter(self, claimed: list[Waiting], write: Callable[[], T]) -> T:
        """What `write` makes.

        Raises:
            Unwritten: it could not, which keeps no other from its turn.
        """
        try:
            return write()
        except Exception as error:
            if self.database.is_away(error):
                raise
            about = {"event.action": "mail_failed", **({"run.id": claimed[0].run} if claimed[0].run else {})}
            self.log.exception("A mail could not be written.", exc_info=error, **about)
            raise Unwritten(describe(error)) from None

    def _mark(self, mail: Waiting, done: Sent, refused: dict[str, Refusal]) -> None:
        """What the server said of one mail: taken, to be tried again for some, or never."""
        again = [address for address, why in refused.items() if not why.is_permanent]
        error = "; ".join(f"{address}: {why}" for address, why in refused.items())
        if again and not mails.is_old(mail, self.clock()):
            mails.still_to(self.database, mail, again, error)
            self._say("warning", "A mail was not taken yet; it is tried again.", mail, "mail_deferred", refused)
        elif refused and len(refused) == len(mail.to):
            mails.give_up(self.database, mail, self.clock(), error)
            self._say("error", "A mail was refused; nobody will get it.", mail, "mail_refused", refused)
        else:
            mails.sent(self.database, mail, self.clock(), (done.message_id, done.subject, done.text), error)
            level = "warning" if refused else "info"
            self._say(level, "A mail was sent.", mail, "mail_sent", refused)

    def _failed(self, claimed: list[Waiting], error: str) -> None:
        """The server could not be reached, or trusted: all of them are tried again."""
        for mail in claimed:
            if mails.is_old(mail, self.clock()):
                self._give_up(mail, error)
            else:
                mails.still_to(self.database, mail, mail.to, error)
        self._say("warning", f"A mail waits: {error}", claimed[0], "mail_deferred", {})

    def _give_up(self, mail: Waiting, error: str) -> None:
        mails.give_up(self.database, mail, self.clock(), error)
        self._say("error", f"A mail was given up: {error}", mail, "mail_refused", {})

    def _say(self, level: str, text: str, mail: Waiting, action: str, refused: dict[str, Refusal]) -> None:
        """Codes only: a server's words repeat addresses."""
        about: dict[str, Any] = {"event.action": action, **({"run.id": mail.run} if mail.run else {})}
        codes = sorted({why.code for why in refused.values()} - {0})
        more = f" The server said {', '.join(map(str, codes))}." if codes else ""
        text = text.replace("A mail", "A message to chats", 1) if mail.channel == "chat" else text
        getattr(self.log, level)(f"{text}{more}", **about)


def message_id(site: Site, about: str) -> str:
    """The same for the same thing, however often it is sent."""
    digest = hashlib.sha256(f"{site.name}\n{about}".encode()).hexdigest()[:32]
    return f"<{digest}@{_domain(site.mail)}>"


def _domain(mail: Mail | None) -> str:
    return parseaddr(mail.sender)[1].rpartition("@")[2] if mail else "localhost"


def _without_files(site: Site) -> Site:
    return replace(site, notify=replace(site.notify, attach_up_to=0))


def written(site: Site, letter: Letter, mail: Waiting, now: datetime, thread: Sequence[str] = ()) -> EmailMessage:
    """A letter as a message: plain text, HTML, and the files that come with it.

    Args:
        site: which it is about.
        letter: what it says.
        mail: what it is about, and who gets it.
        now: its date.
        thread: Message-IDs of those before it, oldest first.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = site.mail.sender if site.mail else ""
    message["To"] = ", ".join(mail.to)
    message["Subject"] = f"[lzsyncd] {site.name}: {letter.subject}"
    message["Date"] = format_datetime(now)
    message["Message-ID"] = message_id(site, mail.about)
    if thread:
        message["In-Reply-To"], message["References"] = thread[-1], " ".join(thread)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's machine is to answer
    message["X-Auto-Response-Suppress"] = "All"  # the same in the words of Exchange
    message.set_content(rendered("letter.txt.j2", site, letter))
    message.add_alternative(rendered("letter.html.j2", site, letter), subtype="html")
    for path in letter.attached:
        message.add_attachment(
            path.read_bytes(), maintype="text", subtype="csv", filename=path.name, params={"charset": "utf-8"}
        )
    return message
