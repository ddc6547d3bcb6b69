"""`[web]`: where the admin page listens; and the sites as it opens them."""

import re
from dataclasses import replace
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlsplit

from lzsyncd.config.models import Config, Site, Web
from lzsyncd.config.secrets import Secret, SecretError
from lzsyncd.config.table import Table
from lzsyncd.config.values import BadValueError, absolute_path, line_of_text

SHORTEST = 16  # characters of the secret for numbers: no number of guesses finds it
LONGEST_SOCKET = 107 + len("unix:")  # bytes: unix(7)
_HOST = re.compile(r"[0-9A-Za-z.-]+|\[[0-9A-Fa-f:.]+\]")


def web(table: Table) -> Web:
    """Passwords and people's data go over this connection: beyond this machine it is encrypted."""
    listen = table.take("listen", listening, Web.listen)
    certificate = table.take("tls_cert", absolute_path, None)
    key = table.take("tls_key", absolute_path, None)
    if bool(certificate) != bool(key):
        table.complain("goes with tls_key, and that with tls_cert", "tls_cert" if certificate else "tls_key")
    if not certificate and not local(listen):
        table.complain(
            "is beyond this machine: name tls_cert and tls_key, or listen on 127.0.0.1 behind a reverse proxy", "listen"
        )
    table.finish()
    return Web(listen, certificate, key)


def listening(value: Any) -> str:
    """Where a server listens: `HOST:PORT`, or `unix:PATH`."""
    text = line_of_text(value)
    if text.startswith("unix:/") and len(text.encode()) <= LONGEST_SOCKET:
        return text
    host, _, port = text.rpartition(":")
    if not _HOST.fullmatch(host) or not port.isascii() or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise BadValueError('must be an address like "127.0.0.1:8470" or "[::1]:8470", or "unix:/PATH"')
    return text


def local(listen: str) -> bool:
    """Whether only this machine can reach a server that listens there."""
    host = listen.rpartition(":")[0].strip("[]")
    try:
        return listen.startswith("unix:") or host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name may mean any address
        return False


def shown_for_numbers(token: Secret) -> str:
    """What opens the page's `/metrics`.

    Raises:
        SecretError: it can't be had, or is so short that somebody might guess it.
    """
    secret = token.reveal()
    if len(secret) < SHORTEST:
        wanted = f"it needs {SHORTEST} characters. Make one: openssl rand -hex 32"
        raise SecretError(f"The secret {token.name} is too short: {wanted}")
    return secret


def for_page(config: Config) -> Config:
    """The configuration as the admin page uses it: it opens a site's database with a role of its own, where it has one.

    That role can be one that may only read, and write down what somebody asks for.
    """
    return replace(config, sites={name: _of_page(site) for name, site in config.sites.items()})


def _of_page(site: Site) -> Site:
    parts = urlsplit(site.database)
    if not site.page_role or not parts.netloc:  # SQLite knows no roles
        return site
    place = f"{quote(site.page_role, safe='')}@{parts.netloc.rpartition('@')[2]}"
    address = parts._replace(netloc=place).geturl()
    return replace(site, database=address, password=site.page_password)
