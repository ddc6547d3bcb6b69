"""A real SMTP server in this process: encrypted or not, with an account, and as unfriendly as a test wants it."""

import email
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
USER, PASSWORD = "lzsyncd", "a secret"
OK = "250 OK"


@dataclass
class Letterbox:
    """Takes mails, or not.

    Attributes:
        taken: what came, in order.
        to: who each was for.
        to_answer: what is answered to each recipient, by address; the rest is welcome.
        data_answer: what is answered to a mail, each its own from the front; then the last for ever.
        password: of its one account.
        tried: how often a mail was handed over.
        drops: connections that end in the middle of a mail.
    """

    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)
    to: list[list[str]] = field(default_factory=list)
    to_answer: dict[str, str] = field(default_factory=dict)
    data_answer: list[str] = field(default_factory=lambda: [OK])
    drops: int = 0
    password: str = PASSWORD
    tried: int = 0

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _o: Any) -> str:  # noqa: N802
        answer = self.to_answer.get(address, OK)
        if answer == OK:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.tried += 1
        if self.drops:
            self.drops -= 1
            server.transport.close()
            return OK
        answer = self.data_answer[0] if len(self.data_answer) == 1 else self.data_answer.pop(0)
        if answer == OK:
            message = email.message_from_bytes(envelope.content or b"", policy=default)
            assert isinstance(message, EmailMessage)
            self.taken.append(message)
            self.to.append(list(envelope.rcpt_tos))
        return answer

    def lets_in(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
        known = (data.login, data.password) == (USER.encode(), self.password.encode())
        return AuthResult(success=known, handled=False)

    @property
    def subjects(self) -> list[str]:
        return [str(message["Subject"]) for message in self.taken]

    def text(self, number: int = -1, kind: str = "plain") -> str:
        """What stands in a mail."""
        body = self.taken[number].get_body((kind,))
        assert body is not None
        return str(body.get_content()).replace("\r\n", "\n")


@dataclass(frozen=True)
class Papers:
    """A certificate authority's certificate, and one that it signed for 127.0.0.1."""

    authority: Path
    certificate: Path
    key: Path

    @property
    def context(self) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.certificate, self.key)
        return made


def papers(folder: Path) -> Papers:
    """Make them."""
    now = datetime.now(UTC)

    def certificate(name: str, key: Any, issuer: str, signer: Any, *extensions: x509.ExtensionType) -> bytes:
        built = x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        built = built.issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        built = built.public_key(key.public_key()).serial_number(x509.random_serial_number())
        built = built.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=2))
        for extension in extensions:
            built = built.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return built.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    found = Papers(folder / "authority.pem", folder / "server.pem", folder / "server.key")
    found.authority.write_bytes(certificate("Test CA", root, "Test CA", root, x509.BasicConstraints(True, None)))
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    found.certificate.write_bytes(certificate("mail", leaf, "Test CA", root, names))
    found.key.write_bytes(
        leaf.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return found


@contextmanager
def served(
    box: Letterbox, security: str = "none", paper: Papers | None = None, *, account: bool = False, host: str = HOST
) -> Iterator[Letterbox]:
    """Listen; the port stays the same when it listens again."""
    more: dict[str, Any] = {}
    if security == "tls" and paper:
        more["ssl_context"] = paper.context
    if security == "starttls" and paper:
        more |= {"tls_context": paper.context, "require_starttls": True}
    if account:
        more |= {"authenticator": box.lets_in, "auth_required": True, "auth_require_tls": security == "starttls"}
    controller = Controller(box, hostname=host, port=box.port or _free_port(), ready_timeout=30, **more)
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


@contextmanager
def blunt_server(answer: Callable[[Any], None]) -> Iterator[int]:
    """A port behind which something else than a mail server is."""
    with socket.create_server((HOST, 0)) as door:
        door.settimeout(30)

        def work() -> None:
            while True:
                try:
                    connection, _ = door.accept()
                except OSError:
                    return
                with connection:
                    answer(connection)

        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        yield int(door.getsockname()[1])
        door.shutdown(socket.SHUT_RDWR)
        worker.join(30)
