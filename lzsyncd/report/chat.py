"""Chats, such as Teams or Slack, through apprise: told of the same things as mailboxes, in fewer words, without files.

What apprise says of a message is yes or no; why not is only in its log, as "error=404". That is taken from there and
nothing else: the addresses have passwords in them, and its log has addresses.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from lzsyncd.config import Secret, Site
from lzsyncd.config.models import MailKind
from lzsyncd.report.letter import Letter
from lzsyncd.report.rendering import rendered
from lzsyncd.report.smtp import NotTrusted, Refusal

LONGEST = 1_800  # characters; of the services that people use, Discord takes least: 2,000 with the title
GENTLE = ("success", "recovered")
OTHERS = ("apprise", "urllib3", "requests", "charset_normalizer")  # loggers that have addresses to tell
ABOUT_THE_MESSAGE = (400, 406, 411, 413, 414, 415, 422)
"""Answers that will be the same for this message for ever. What says that the address is wrong, or may not be used
(401, 403, 404, 410), is mended by a person, so messages wait for that, as mails wait for a password."""
_ERROR = re.compile(r"error=(\d{3})\b")


@dataclass(frozen=True)
class Note:
    """A message.

    Attributes:
        title: like a mail's subject.
        text: plain.
        kind: of what it tells; None for a test.
    """

    title: str
    text: str
    kind: MailKind | None


@dataclass(frozen=True)
class NotTaken(Refusal):
    """A chat does not take a message; its code is HTTP's, 0 where there was no answer."""

    @property
    def is_permanent(self) -> bool:
        """Whether trying again is of no use."""
        return self.code in ABOUT_THE_MESSAGE


def note_of(site: Site, letter: Letter, kind: MailKind | None) -> Note:
    """A letter in the words of a chat: no value of a file, not even the names of units that a mail has for a hold."""
    text = rendered("chat.txt.j2", site, letter).strip()
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}…"
    return Note(f"lzsyncd, {site.name}: {letter.subject}", short, kind)


class Chats:
    """The chats of a site. They are called by their place in the secret: "chat 1" and so on.

    Raises:
        SecretError: the secret is not where the configuration says it is.
        NotTrusted: there is no address, apprise is not installed, or does not understand one.
    """

    def __init__(self, secret: Secret) -> None:
        lines = [line.strip() for line in secret.reveal().splitlines()]
        addresses = [line for line in lines if line and not line.startswith("#")]
        if not addresses:
            raise NotTrusted("The list of chats has no address.")
        with _unheard():
            self._chats = {f"chat {number}": _opened(number, one) for number, one in enumerate(addresses, 1)}

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called."""
        return tuple(self._chats)

    def service(self, name: str) -> str:
        """The service that a chat is one of."""
        return str(self._chats[name].service_name)

    def send(self, note: Note, to: Sequence[str]) -> dict[str, Refusal]:
        """Send a message.

        Returns:
            Which chats do not get it, and why; all others have it.
        """
        answers = {name: _answer(self._chats[name], note) for name in to}
        return {name: why for name, why in answers.items() if why is not None}


def _opened(number: int, address: str) -> Any:
    try:
        import apprise  # noqa: PLC0415 an extra, and 30 MiB that only who sends needs
    except ImportError:
        raise NotTrusted("Chats need a library: pip install 'lzsyncd[apprise]'.") from None
    asset = apprise.AppriseAsset(app_id="lzsyncd", app_desc="lzsyncd", secure_logging=True)
    opened = apprise.Apprise.instantiate(address, asset=asset)
    if opened is None:
        raise NotTrusted(f"The address of chat {number} is none that apprise understands.")
    return opened


def _answer(chat: Any, note: Note) -> NotTaken | None:
    from apprise import NotifyFormat, NotifyType  # noqa: PLC0415 as above

    tone = NotifyType.INFO if note.kind is None else NotifyType.WARNING
    tone = NotifyType.SUCCESS if note.kind in GENTLE else NotifyType.FAILURE if note.kind == "error" else tone
    with _unheard() as heard:
        try:
            taken = chat.notify(title=note.title, body=note.text, notify_type=tone, body_format=NotifyFormat.TEXT)
        except Exception as error:  # noqa: BLE001 whatever one of a hundred services does, the others have their turn
            return NotTaken(0, f"failed ({type(error).__name__})")
    return None if taken else _refusal(heard)


def _refusal(heard: list[str]) -> NotTaken:
    codes = [int(code) for text in heard for code in _ERROR.findall(text)]
    if not codes:
        return NotTaken(0, "does not answer, or not as it should")
    known = [status.phrase for status in HTTPStatus if status == codes[-1]]
    return NotTaken(codes[-1], *known)


@contextmanager
def _unheard() -> Iterator[list[str]]:
    """What the libraries log as long as the block lasts: for us, and for nobody else."""
    heard: list[str] = []
    ear = _Ear(heard)
    before = {name: logging.getLogger(name).propagate for name in OTHERS}
    for name in OTHERS:
        logging.getLogger(name).propagate = False
        logging.getLogger(name).addHandler(ear)
    try:
        yield heard
    finally:
        for name, propagates in before.items():
            logging.getLogger(name).removeHandler(ear)
            logging.getLogger(name).propagate = propagates


class _Ear(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        """See logging."""
        self._heard.append(record.getMessage())
