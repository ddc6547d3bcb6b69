"""The mail server: connected to, trusted, signed in to, and what it says of a mail.

What it answers is sorted into two: trying again may help (no connection, 4xx, RFC 5321, 4.2.1), or it will not (5xx).
A server that we can't trust or sign in to is mended by a person, so mails wait for that. Its words are never logged:
they repeat addresses.
"""

import base64
import contextlib
import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import parseaddr
from types import TracebackType
from typing import Self

from lzsyncd.config import Mail
from lzsyncd.errors import ExitCode, LzsyncdError, TryAgain

PATIENCE = 30.0  # seconds for each answer
PERMANENT = 500
SIGNED_IN = 235  # RFC 4954, 6
ABOUT_ONE_MAIL = (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError)


class NoServer(TryAgain):
    """The server can't be reached, or went away; trying again may help."""


class NotTrusted(LzsyncdError):
    """The server does not encrypt, has no certificate that we trust, or does not let us in: a person has to mend it."""

    exit_code = ExitCode.CONFIGURATION


@dataclass(frozen=True)
class Refusal:
    """The server does not take a mail for somebody.

    Attributes:
        code: of its answer.
        words: of its answer, on one line; they may hold addresses.
    """

    code: int
    words: str = ""

    @property
    def is_permanent(self) -> bool:
        """Whether trying again is of no use."""
        return self.code >= PERMANENT

    def __str__(self) -> str:
        return f"{self.code} {self.words}".strip()


class Server:
    """A connection to the server, as long as the block lasts.

    Attributes:
        secured: the encryption in words, "" for none.

    Raises:
        NoServer: it can't be reached.
        NotTrusted: it can't be trusted, or does not let us in.
        SecretError: the password is not where the configuration says it is.
    """

    def __init__(self, mail: Mail) -> None:
        self._mail = mail
        self.secured = ""

    def __enter__(self) -> Self:
        mail, password = self._mail, self._mail.password.reveal() if self._mail.password else None
        with self._told():
            self._smtp = self._connected()
        try:
            with self._told():
                self._secure()
                if password is not None:
                    self._sign_in(mail.username, password)
        except LzsyncdError:
            self._smtp.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(smtplib.SMTPException, OSError):  # what was taken stays taken
            self._smtp.quit()
        self._smtp.close()

    def send(self, letter: EmailMessage, to: Sequence[str]) -> dict[str, Refusal]:
        """Hand a mail over.

        Returns:
            Who does not get it, and why; it was taken for all others.

        Raises:
            NoServer: the connection broke; whether the mail was taken is not known.
        """
        try:
            with self._told():
                refused = self._smtp.send_message(letter, parseaddr(self._mail.sender)[1], to)
                return {address: _refusal(*answer) for address, answer in refused.items()}
        except smtplib.SMTPRecipientsRefused as error:
            refusals = {address: _refusal(*answer) for address, answer in error.recipients.items()}
            # the server may have ended the session (421) before it heard of all
            return dict.fromkeys(to, Refusal(421)) | refusals
        except smtplib.SMTPResponseException as error:  # of the sender, or the mail itself
            return dict.fromkeys(to, _refusal(error.smtp_code, error.smtp_error))

    def _connected(self) -> smtplib.SMTP:
        mail, name = self._mail, socket.gethostname()
        if mail.security == "tls":
            trust = ssl.create_default_context()
            return smtplib.SMTP_SSL(mail.host, mail.port, local_hostname=name, timeout=PATIENCE, context=trust)
        return smtplib.SMTP(mail.host, mail.port, local_hostname=name, timeout=PATIENCE)

    def _secure(self) -> None:
        if self._mail.security == "starttls":
            self._smtp.starttls(context=ssl.create_default_context())
        self._smtp.ehlo_or_helo_if_needed()
        if isinstance(self._smtp.sock, ssl.SSLSocket):
            self.secured = self._smtp.sock.version() or ""

    def _sign_in(self, username: str, password: str) -> None:
        """The library signs in with ASCII only, and fails in its own way with more; RFC 4616 has UTF-8."""
        if (username + password).isascii():
            self._smtp.login(username, password)
            return
        if "PLAIN" not in self._smtp.esmtp_features.get("auth", "").upper().split():
            raise smtplib.SMTPNotSupportedError
        answer = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
        code, words = self._smtp.docmd("AUTH", f"PLAIN {answer}")
        if code != SIGNED_IN:
            raise smtplib.SMTPAuthenticationError(code, words)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """What goes wrong, as one of two sentences; answers about one mail are for the caller."""
        try:
            yield
        except ABOUT_ONE_MAIL:
            raise
        except (smtplib.SMTPException, OSError) as error:
            raise self._trouble(error) from None

    def _trouble(self, error: Exception) -> NoServer | NotTrusted:
        place = f"The mail server {self._mail.host}:{self._mail.port}"
        if complaint := self._distrust(error):
            return NotTrusted(f"{place} {complaint}.")
        return NoServer(f"{place} {_absence(error)}.")

    def _distrust(self, error: Exception) -> str:
        """What a person has to mend; "" where trying again may help."""
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"has a certificate that is not trusted: {error.verify_message}"
        if isinstance(error, ssl.SSLError):
            return "does not speak TLS there; security and port must fit"
        if isinstance(error, smtplib.SMTPNotSupportedError):
            lacks = "STARTTLS" if self._mail.security == "starttls" and not self.secured else "signing in"
            return f"does not offer {lacks}"
        if isinstance(error, smtplib.SMTPAuthenticationError) and error.smtp_code >= PERMANENT:
            return f"does not accept username and password ({error.smtp_code})"
        return ""


def _absence(error: Exception) -> str:
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return "does not answer"
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return "broke the connection off"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"does not work for us ({error.smtp_code})"
    if isinstance(error, OSError) and error.strerror:
        return f"can't be reached: {error.strerror}"
    return f"can't be understood ({type(error).__name__})"


def _refusal(code: int, words: bytes | str) -> Refusal:
    text = words.decode(errors="replace") if isinstance(words, bytes) else words
    return Refusal(code, " ".join(text.split())[:300])
