"""Who works for a site where its database is PostgreSQL: advisory locks, held by a session and gone with it.

Several hosts may run a daemon for the same sites. Whoever has the lock works; the server gives it to the next when the
session ends, also that of a host that has vanished: a line that is cut tells nobody anything, so both ends ask whether
the other is still there (tcp(7), TCP_KEEPALIVE and TCP_USER_TIMEOUT). By themselves they would after two hours.
"""

import os
import socket
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from lzsyncd.errors import SiteIsBusy

if TYPE_CHECKING:
    from lzsyncd.zone.database import Database

QUIET = 10  # seconds without a word after which the other end is asked whether it is there
AGAIN = 5  # seconds between two such questions
ANSWERS = 3  # as many unanswered ones end the connection
GONE = QUIET + ANSWERS * AGAIN  # seconds after which the other end is gone, also where it owes us an acknowledgement


def asking(quiet: int = QUIET, again: int = AGAIN) -> dict[str, int]:
    """How we ask whether the server is there: libpq's parameters, which mean nothing on a socket of this machine.

    Args:
        quiet: seconds, as `QUIET`.
        again: seconds, as `AGAIN`.
    """
    return {
        "keepalives_idle": quiet,
        "keepalives_interval": again,
        "keepalives_count": ANSWERS,
        "tcp_user_timeout": (quiet + ANSWERS * again) * 1000,
    }


ASKED = (
    f"SET tcp_keepalives_idle = {QUIET}",
    f"SET tcp_keepalives_interval = {AGAIN}",
    f"SET tcp_keepalives_count = {ANSWERS}",
    f"SET tcp_user_timeout = {GONE * 1000}",
    # a server that is busy with a statement looks at its line only when it is told to
    f"SET client_connection_check_interval = {AGAIN * 1000}",
)
"""How the server asks whether we are there, in this session."""


class Lock(IntEnum):
    """What one session at a time does for a site; the first half of the lock's key, the second is the schema."""

    RUN = 0x6C7A73  # "lzs"
    POST = 0x6C7A74
    VISIT = 0x6C7A75


def holder(lock: Lock) -> str:
    """A query for who holds a lock of the current schema's site, as he calls himself."""
    return (
        "SELECT coalesce(nullif(a.application_name, ''), 'somebody') "
        "FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid) "
        f"WHERE l.locktype = 'advisory' AND l.granted AND l.classid::bigint = {int(lock)} "
        "AND l.objid::bigint = hashtext(current_schema())::bigint & 4294967295 "
        "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )


def here() -> str:
    """This process, for somebody on another host."""
    return f"{socket.gethostname()[:20]}, process {os.getpid()}"


def hold(database: "Database", who: str) -> None:
    """Take the run's lock for the life of the session.

    Args:
        database: the session.
        who: takes it, for those who find it taken; a server keeps 63 bytes.

    Raises:
        SiteIsBusy: another run holds it; the text says which.
    """
    database.run("SELECT set_config('application_name', ?, false)", (f"lzsyncd {who}",))
    if not is_taken(database, Lock.RUN):
        other = database.value(holder(Lock.RUN)) or "it has just ended"
        raise SiteIsBusy(f"Another run of site {database.site.name} holds the lock: {other}.")


def give_back(connection: Any) -> None:
    """Give a session's locks back before it is closed: the server takes a moment to see that it was."""
    if connection.info.transaction_status.name == "IDLE":
        connection.execute("SELECT pg_advisory_unlock_all()")


def is_taken(database: "Database", lock: Lock) -> bool:
    """Take a lock for the life of the session; False where another one has it.

    A session's lock, taken before the transaction: taken inside, its snapshot would be older than the lock.
    """
    taken: Any = database.value(f"SELECT pg_try_advisory_lock({int(lock)}, hashtext(current_schema()))")
    return bool(taken)
