"""The mail queue: what somebody is to be told, written with what it tells of, and marked when it was sent.

A row is a mail, or a message to chats: each has its own, so that neither waits for the other's server.

A row is claimed by putting its next attempt off: whoever comes second changes nothing, and a sender that is killed
leaves it to the next. Nothing is told twice in the same way, since `about` is unique there.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lzsyncd.config.models import Channel, MailKind
from lzsyncd.ledger.figures import LEFT
from lzsyncd.ledger.runs import iso
from lzsyncd.zone.database import Database

BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60))
"""Between two attempts; after the last, each hour."""
GIVEN_UP = timedelta(days=5)  # RFC 5321, 4.5.4.1: at least 4 to 5 days
WAITS = "sent_at IS NULL AND given_up_at IS NULL"
_COLUMNS = "id, about, coalesce(run_id, ''), kind, recipients, attempts, due_at, created_at, channel"


@dataclass(frozen=True)
class Waiting:
    """A mail that is to be sent.

    Attributes:
        id: of the row.
        about: what it is about.
        run: the run it tells of, "" for none.
        kind: of mail.
        to: who has not got it yet; a message to chats that was not tried yet names none.
        attempts: how often it was tried.
        due_at: when it may be tried, as the row says.
        created_at: when what it tells of happened.
        channel: whether it is a mail, or a message to chats.
    """

    id: int
    about: str
    run: str
    kind: MailKind
    to: tuple[str, ...]
    attempts: int
    due_at: str
    created_at: str
    channel: Channel = "mail"


def put(
    database: Database,
    about: str,
    kind: MailKind,
    to: Sequence[str],
    now: str,
    run_id: str | None = None,
    channel: Channel = "mail",
) -> bool:
    """Queue a mail, in the transaction of what it tells of; False where it is there already."""
    found = database.run(
        "INSERT INTO sync_mail (about, run_id, kind, recipients, due_at, created_at, channel) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (about, run_id, kind, json.dumps(to), now, now, channel),
    )
    return bool(found)


def due(database: Database, now: datetime) -> list[Waiting]:
    """What may be sent now, oldest first."""
    rows = database.rows(f"SELECT {_COLUMNS} FROM sync_mail WHERE {WAITS} AND due_at <= ? ORDER BY id", (iso(now),))
    return [_waiting(row) for row in rows]


def _waiting(row: tuple[object, ...]) -> Waiting:
    number, about, run, kind, to, attempts, due_at, created_at, channel = row
    return Waiting(
        int(str(number)),
        str(about),
        str(run),
        str(kind),  # type: ignore[arg-type]  # only we write it
        tuple(json.loads(str(to))),
        int(str(attempts)),
        str(due_at),
        str(created_at),
        str(channel),  # type: ignore[arg-type]  # as above
    )


def kinds_about(database: Database, run_id: str) -> set[str]:
    """The kinds of mails that were written about a run."""
    return {str(kind) for (kind,) in database.rows("SELECT kind FROM sync_mail WHERE run_id = ?", (run_id,))}


def trouble(database: Database) -> str | None:
    """What the last mail about trouble was about, where none has said since that all is well again."""
    found = database.value(
        "SELECT about FROM sync_mail WHERE kind IN ('error', 'late') AND id > "
        "(SELECT coalesce(max(id), 0) FROM sync_mail WHERE kind = 'recovered') ORDER BY id DESC LIMIT 1"
    )
    return None if found is None else str(found)


def before(database: Database, mail: Waiting) -> list[tuple[str, str]]:
    """Earlier mails of the same thread, oldest first: (about, Message-ID or "").

    A mail belongs to those about its run; one that all is well again to what it puts an end to.
    """
    mine = "run_id = ?"
    if mail.kind == "recovered":
        mine = f"({mine} OR (kind IN ('error', 'late') AND id > (SELECT coalesce(max(id), 0) FROM sync_mail "
        mine += f"WHERE kind = 'recovered' AND id < {mail.id})))"
    found = database.rows(
        f"SELECT about, message_id FROM sync_mail WHERE channel = 'mail' AND {mine} AND id < ? ORDER BY id",
        (mail.run, mail.id),
    )
    return [(str(about), str(message_id)) for about, message_id in found]


def sent_since(database: Database, mail: Waiting, since: datetime) -> list[str]:
    """When others of its kind were sent in the same way, oldest first; those that went together count as one."""
    found = database.rows(
        "SELECT min(sent_at) FROM sync_mail WHERE kind = ? AND channel = ? AND sent_at > ? "
        "GROUP BY message_id ORDER BY 1",
        (mail.kind, mail.channel, iso(since)),
    )
    return [str(moment) for (moment,) in found]


def left(database: Database) -> tuple[int, int]:
    """How many are yet to be sent, and how many nobody will get."""
    ((waiting, given_up),) = database.rows(LEFT)
    return int(waiting), int(given_up)


def claim(database: Database, mail: Waiting, now: datetime) -> bool:
    """Take a mail for one attempt; the next one is due when this one is not heard of."""
    wait = BACKOFF[min(mail.attempts, len(BACKOFF) - 1)]
    return bool(
        database.run(
            f"UPDATE sync_mail SET attempts = attempts + 1, due_at = ? WHERE id = ? AND due_at = ? AND {WAITS}",
            (iso(now + wait), mail.id, mail.due_at),
        )
    )


def put_off(database: Database, mail: Waiting, until: datetime) -> None:
    """Not now: others of its kind were sent not long ago."""
    database.run(
        f"UPDATE sync_mail SET due_at = ? WHERE id = ? AND due_at = ? AND {WAITS}",
        (iso(until), mail.id, mail.due_at),
    )


def sent(database: Database, mail: Waiting, now: datetime, letter: tuple[str, str, str], error: str) -> None:
    """It was taken for everybody who can have it.

    Args:
        database: the site's.
        mail: which.
        now: when.
        letter: its Message-ID, subject, and text.
        error: who can't have it, and why; "" where everybody has it.
    """
    database.run(
        "UPDATE sync_mail SET sent_at = ?, message_id = ?, subject = ?, body = ?, error = ? WHERE id = ?",
        (iso(now), *letter, error, mail.id),
    )


def still_to(database: Database, mail: Waiting, to: Sequence[str], error: str) -> None:
    """It is to be tried again, for these."""
    database.run("UPDATE sync_mail SET recipients = ?, error = ? WHERE id = ?", (json.dumps(to), error, mail.id))


def give_up(database: Database, mail: Waiting, now: datetime, error: str) -> None:
    """It will never be taken."""
    database.run("UPDATE sync_mail SET given_up_at = ?, error = ? WHERE id = ?", (iso(now), error, mail.id))


def is_old(mail: Waiting, now: datetime) -> bool:
    """Whether it was tried for long enough."""
    return now >= datetime.fromisoformat(mail.created_at) + GIVEN_UP
