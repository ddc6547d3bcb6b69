"""What the page keeps of a site for itself: accounts, sessions, tokens, and who did what.

An SQLite file of its own, `page/page.db` in the site's folder, wherever the site's database is. A run holds the write
lock of a site's SQLite database from its beginning to its end: nobody could sign in meanwhile. And the page's account
needs no more of the site's database than it asks of it.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from lzsyncd.config import Site
from lzsyncd.errors import Usage, not_permitted, writing
from lzsyncd.ledger.runs import iso

FOLDER, NAME = "page", "page.db"
PATIENCE = 10  # seconds
VERSION = 1
SCHEMA = """
CREATE TABLE account (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    hash TEXT NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
);
CREATE TABLE session (
    digest TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    csrf TEXT NOT NULL,
    created_at TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    address TEXT NOT NULL
);
CREATE INDEX session_account ON session (account);
CREATE TABLE token (
    name TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    created_at TEXT NOT NULL,
    used_at TEXT,
    revoked_at TEXT
);
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    who TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT ''
);
PRAGMA user_version = 1;
"""


class Role(StrEnum):
    """What somebody may do."""

    VIEWER = "viewer"
    ADMIN = "admin"


@dataclass(frozen=True)
class Account:
    """Somebody who may sign in.

    Attributes:
        name: unique in its site.
        role: what they may do.
        hash: of the password, argon2id.
        disabled: may not sign in any more.
        created_at: UTC.
    """

    name: str
    role: Role
    hash: str
    disabled: bool
    created_at: str


@dataclass(frozen=True)
class Session:
    """Somebody who is signed in.

    Attributes:
        digest: of the cookie's value.
        account: who.
        role: what the account may do now.
        csrf: what their forms carry.
        created_at: when they signed in, UTC.
        seen_at: when they were last seen, to a minute.
        address: from where they signed in.
    """

    digest: str
    account: str
    role: Role
    csrf: str
    created_at: str
    seen_at: str
    address: str


@dataclass(frozen=True)
class Token:
    """A program that may use the API; `used_at` and `revoked_at` are "" for never."""

    name: str
    role: Role
    created_at: str
    used_at: str
    revoked_at: str


@dataclass(frozen=True)
class Deed:
    """A line of the audit trail."""

    id: int
    at: str
    who: str
    address: str
    action: str
    detail: str


def digest(secret: str) -> str:
    """What is kept of a secret that is long and random: whoever reads the file can't use it."""
    return sha256(secret.encode()).hexdigest()


def database_path(site: Site) -> Path:
    """Where a site's page keeps what is its own."""
    return site.folder / FOLDER / NAME


@contextmanager
def kept(site: Site) -> Iterator["Store"]:
    """What the page keeps of a site, for one request or command; made where it is not there yet.

    Raises:
        NotPermitted: this account may not write it.
    """
    path = database_path(site)
    _make(path)
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = full")
            if connection.execute("PRAGMA user_version").fetchone()[0] < VERSION:
                connection.execute("PRAGMA journal_mode = wal")
                connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
            yield Store(connection)
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
            raise not_permitted(path) from error
        raise


def _make(path: Path) -> None:
    """An empty file that belongs to whom the folder belongs to: commands run as root, the page does not."""
    if path.exists():
        return
    with writing(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:  # somebody else was quicker
            return
        try:
            if os.geteuid() == 0:
                folder = path.parent.stat()
                os.fchown(handle, folder.st_uid, folder.st_gid)
        finally:
            os.close(handle)


class Store:
    """The rows, by what is asked of them. Every time is given."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def _rows(self, query: str, *parameters: object) -> list[tuple[str, ...]]:
        return self._connection.execute(query, parameters).fetchall()

    def _run(self, query: str, *parameters: object) -> int:
        return self._connection.execute(query, parameters).rowcount

    # -- accounts

    def accounts(self) -> list[Account]:
        """All of them by name."""
        found = self._rows("SELECT name, role, hash, disabled, created_at FROM account ORDER BY name")
        return [Account(name, Role(role), hashed, bool(off), at) for name, role, hashed, off, at in found]

    def account(self, name: str) -> Account | None:
        """The account of that name."""
        return next((account for account in self.accounts() if account.name == name), None)

    def add_account(self, name: str, role: Role, hashed: str, now: datetime) -> None:
        """Somebody new.

        Raises:
            Usage: there is such an account.
        """
        query = "INSERT INTO account (name, role, hash, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        if not self._run(query, name, role, hashed, iso(now)):
            raise Usage(f"There is an account {name} already: give it a password with web-user password {name}.")

    def set_password(self, name: str, hashed: str) -> None:
        """A new password; it also opens an account that was disabled, and ends its sessions.

        Raises:
            Usage: there is no such account.
        """
        self._of(name, self._run("UPDATE account SET hash = ?, disabled = 0 WHERE name = ?", hashed, name))

    def disable(self, name: str) -> None:
        """The account may not sign in any more, and is signed out.

        Raises:
            Usage: there is no such account.
        """
        self._of(name, self._run("UPDATE account SET disabled = 1 WHERE name = ?", name))

    def _of(self, name: str, changed: int) -> None:
        if not changed:
            raise Usage(f"There is no account {name}.")
        self._run("DELETE FROM session WHERE account = ?", name)

    # -- sessions

    def begin_session(self, session: Session) -> None:
        """Somebody has signed in."""
        self._run(
            "INSERT INTO session (digest, account, csrf, created_at, seen_at, address) VALUES (?, ?, ?, ?, ?, ?)",
            session.digest,
            session.account,
            session.csrf,
            session.created_at,
            session.seen_at,
            session.address,
        )

    def session(self, digest: str) -> Session | None:
        """A session whose account may still sign in; whether it is too old is not asked here."""
        found = self._sessions("s.digest = ?", digest)
        return found[0] if found else None

    def sessions(self, account: str) -> list[Session]:
        """Where somebody is signed in, the newest first."""
        return self._sessions("s.account = ? ORDER BY s.created_at DESC", account)

    def _sessions(self, where: str, value: str) -> list[Session]:
        found = self._rows(
            "SELECT s.digest, s.account, a.role, s.csrf, s.created_at, s.seen_at, s.address FROM session s "
            f"JOIN account a ON a.name = s.account AND NOT a.disabled WHERE {where}",
            value,
        )
        return [Session(digest, account, Role(role), *rest) for digest, account, role, *rest in found]

    def see(self, session: Session, now: datetime) -> None:
        """The session was used just now."""
        self._run("UPDATE session SET seen_at = ? WHERE digest = ?", iso(now), session.digest)

    def end_session(self, digest: str) -> None:
        """Sign out."""
        self._run("DELETE FROM session WHERE digest = ?", digest)

    def end_other_sessions(self, session: Session) -> None:
        """Sign out everywhere but here."""
        self._run("DELETE FROM session WHERE account = ? AND digest <> ?", session.account, session.digest)

    def forget_sessions(self, seen_before: datetime, begun_before: datetime) -> None:
        """Sessions that are over."""
        self._run("DELETE FROM session WHERE seen_at < ? OR created_at < ?", iso(seen_before), iso(begun_before))

    # -- tokens

    def tokens(self) -> list[Token]:
        """All of them by name, also those that were revoked."""
        found = self._rows("SELECT name, role, created_at, used_at, revoked_at FROM token ORDER BY name")
        return [Token(name, Role(role), at, used or "", gone or "") for name, role, at, used, gone in found]

    def add_token(self, name: str, role: Role, secret: str, now: datetime) -> None:
        """A new token, of which only the digest is kept.

        Raises:
            Usage: there is one of that name.
        """
        query = "INSERT INTO token (name, digest, role, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        if not self._run(query, name, digest(secret), role, iso(now)):
            raise Usage(f"There is, or was, a token {name}: choose another name.")

    def revoke_token(self, name: str, now: datetime) -> None:
        """The token is good for nothing any more; its name stays, for the audit trail.

        Raises:
            Usage: there is no such token.
        """
        if not self._run("UPDATE token SET revoked_at = coalesce(revoked_at, ?) WHERE name = ?", iso(now), name):
            raise Usage(f"There is no token {name}.")

    def use_token(self, secret: str, now: datetime) -> Token | None:
        """Whose token that is, noting its use once a minute; None for one that is not known or was revoked."""
        query = "SELECT name, role, created_at, used_at FROM token WHERE digest = ? AND revoked_at IS NULL"
        for name, role, created_at, used_at in self._rows(query, digest(secret)):
            if (used_at or "")[:16] != iso(now)[:16]:
                self._run("UPDATE token SET used_at = ? WHERE name = ?", iso(now), name)
            return Token(name, Role(role), created_at, used_at or "", "")
        return None

    # -- the audit trail

    def note(self, who: str, address: str, action: str, detail: str, now: datetime) -> None:
        """Write down who did what."""
        query = "INSERT INTO audit (at, who, address, action, detail) VALUES (?, ?, ?, ?, ?)"
        self._run(query, iso(now), who, address, action, detail)

    def deeds(self, before: int, limit: int) -> list[Deed]:
        """The audit trail, newest first, from a line on."""
        query = "SELECT id, at, who, address, action, detail FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?"
        return [Deed(int(row[0]), *row[1:]) for row in self._rows(query, before, limit)]
