"""`[sites.NAME.remote]` → `Remote`."""

import base64
import binascii
import re
from typing import Any, get_args

from lzsyncd.config.remote import After, Remote
from lzsyncd.config.secrets import secret
from lzsyncd.config.table import Table
from lzsyncd.config.values import (
    SECONDS,
    BadValueError,
    duration,
    line_of_text,
    list_of,
    one_of,
    schedule,
    whole_number,
)

KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
DAY = SECONDS["d"]

_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")


def remote(table: Table) -> Remote | None:
    """What the table says; None where there is none, or where what is needed is missing."""
    nothing: tuple[str, ...] = ()
    found = Remote(
        host=table.take("host", _host, ""),
        port=table.take("port", whole_number(1, 65_535), Remote.port),
        username=table.take("username", line_of_text, ""),
        password=table.take("password", secret, None),
        key=table.take("key", secret, None),
        host_key=table.take("host_key", _host_keys, nothing),
        folder=table.take("folder", line_of_text, Remote.folder),
        reports=table.take("reports", line_of_text, Remote.reports),
        after=table.take("after", one_of(*get_args(After)), Remote.after),
        move_to=table.take("move_to", line_of_text, Remote.move_to),
        every=table.take("every", duration(60, 7 * DAY), Remote.every),
        schedule=table.take("schedule", schedule, None),
        timeout=table.take("timeout", duration(1, 600), Remote.timeout),
        time_limit=table.take("time_limit", duration(10, DAY), Remote.time_limit),
    )
    table.finish()
    if not table.values:
        return None
    _refuse_half(table)
    return found


def _refuse_half(table: Table) -> None:
    if missing := [name for name in ("host", "username", "host_key") if name not in table]:
        table.complain(f"needs {', '.join(missing)}")
    if ("password" in table) == ("key" in table):
        table.complain('needs either password = {credential = "NAME"} or key = {credential = "NAME"}')
    if "every" in table and "schedule" in table:
        table.complain("can't be beside every: visits have one rhythm", "schedule")


def _host(value: Any) -> str:
    host = line_of_text(value)
    if not _HOST.fullmatch(host):
        raise BadValueError("must be a host's name or address, without a scheme, user or port")
    return host


def _host_keys(value: Any) -> tuple[str, ...]:
    return list_of(_host_key)(value) if isinstance(value, list) else (_host_key(value),)


def _host_key(value: Any) -> str:
    """`TYPE BASE64`, as `ssh-keyscan` and the files beside a server's keys have it; a comment may follow."""
    parts = line_of_text(value).split()
    if len(parts) < 2 or parts[0] not in KEY_TYPES:  # noqa: PLR2004
        raise BadValueError(
            'must be a public key like "ssh-ed25519 AAAA…"; ask the server\'s owner, or ssh-keyscan HOST'
        )
    try:
        data = base64.b64decode(parts[1], validate=True)
    except binascii.Error:
        data = b""
    if not data.startswith(len(parts[0]).to_bytes(4, "big") + parts[0].encode()):
        raise BadValueError("is not whole: the part after the type is no such key")
    return f"{parts[0]} {parts[1]}"
