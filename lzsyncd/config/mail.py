"""`[mail]` and `[sites.NAME.notify]`: the server that takes mails, and who gets them."""

import re
from typing import Any, get_args

from lzsyncd.config.models import PORTS, Mail, MailKind, Notify, Security
from lzsyncd.config.secrets import secret
from lzsyncd.config.table import Table
from lzsyncd.config.values import BadValueError, byte_size, line_of_text, list_of, one_of, whole_number

LONGEST = 254  # characters of an address (RFC 5321, 4.5.3.1.3)
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?|[0-9A-Fa-f:]+")
_NAMED = re.compile(r"([\w .&'-]{1,100}) <(.*)>")


def mail(table: Table) -> Mail | None:
    """The mail server; None where the table says nothing."""
    security: Security = table.take("security", one_of(*get_args(Security)), "starttls")
    host, sender = table.take("host", _host, ""), table.take("from", _sender, "")
    port = table.take("port", whole_number(1, 65_535), PORTS[security])
    username, password = table.take("username", line_of_text, ""), table.take("password", secret, None)
    table.finish()
    if not table.values:
        return None
    for name, example in (("host", '"mail.acme.test"'), ("from", '"lzsyncd@acme.test"')):
        if name not in table:
            table.complain(f"needs {name}, like {name} = {example}")
    for name, other in (("username", "password"), ("password", "username")):
        if name in table and other not in table:
            table.complain(f"needs {other}, too", name)
    if password and security == "none":
        table.complain('can\'t go with security = "none": everybody on the way could read it', "password")
    return Mail(host=host, sender=sender, port=port, security=security, username=username, password=password)


def notify(table: Table, server: Mail | None) -> Notify:
    """Who is told about a site."""
    plain = Notify()
    found = Notify(
        table.take("to", list_of(_address), plain.to),
        table.take("on", list_of(one_of(*get_args(MailKind))), plain.on),
        table.take("attach_up_to", _size_or_none, plain.attach_up_to),
        table.take("chat", secret, plain.chat),
    )
    if found.to and server is None:
        table.complain("needs a mail server: [mail] with host and from", "to")
    table.finish()
    return found


def _host(value: Any) -> str:
    name = line_of_text(value)
    if not _HOST.fullmatch(name):
        raise BadValueError('must be the name of a machine, like "mail.acme.test"; the port has a key of its own')
    return name


def _address(value: Any) -> str:
    address = line_of_text(value)
    if not _ADDRESS.fullmatch(address) or len(address) > LONGEST:
        raise BadValueError('must be one address, like "it@acme.test"')
    return address


def _sender(value: Any) -> str:
    named = _NAMED.fullmatch(line_of_text(value))
    return f"{named[1].strip()} <{_address(named[2])}>" if named else _address(value)


def _size_or_none(value: Any) -> int:
    return 0 if value == "0B" else byte_size(value)
