"""Passwords: argon2id, with the parameters that its library recommends (RFC 9106, low memory)."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from lzsyncd.errors import Usage

LEAST = 12  # characters, NIST SP 800-63B asks for at least 8
MOST = 512  # characters: nobody makes us hash a book
AT_ONCE = 2  # each takes 64 MiB and a core for some hundredths of a second

_hasher = PasswordHasher()
_room = threading.BoundedSemaphore(AT_ONCE)
_nobody: list[str] = []


def hashed(password: str) -> str:
    """What is kept of a password.

    Raises:
        Usage: it is too short or too long.
    """
    if not LEAST <= len(password) <= MOST:
        raise Usage(f"A password has from {LEAST} to {MOST} characters.")
    with _room:
        return _hasher.hash(password)


def fits(kept: str | None, password: str) -> bool:
    """Whether a password is the one of which `kept` is left; None, for nobody's, takes as long and never fits."""
    with _room:
        if not _nobody:
            _nobody.append(_hasher.hash("nobody's"))
        try:
            return _hasher.verify(kept or _nobody[0], password[:MOST]) and kept is not None
        except (VerificationError, InvalidHashError):
            return False
