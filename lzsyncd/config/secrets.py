"""Secrets: the configuration says where they are kept, never what they are."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from stat import S_IRWXO
from typing import Any, Literal

from lzsyncd.config.places import quoted
from lzsyncd.config.values import BadValueError, absolute_path, did_you_mean, line_of_text
from lzsyncd.errors import ExitCode, LzsyncdError

_FORM = '{credential = "NAME"}, {file = "PATH"} or {env = "NAME"}'
_SOURCES = ("credential", "file", "env")
_NAMES = {"credential": re.compile(r"(?!\.)[A-Za-z0-9._-]+"), "env": re.compile(r"[A-Za-z_][A-Za-z0-9_]*")}


class SecretError(LzsyncdError):
    """A secret can't be had from where the configuration says it is. The text never holds the secret."""

    exit_code = ExitCode.CONFIGURATION


@dataclass(frozen=True)
class Secret:
    """Where a secret is kept. It is fetched when it is needed, and not held.

    Attributes:
        source: a systemd credential (systemd.exec(5), `LoadCredential=`), a file, or a variable of the environment.
        name: the credential's name, the file's path, or the variable's name.
    """

    source: Literal["credential", "file", "env"]
    name: str

    @property
    def is_anothers(self) -> bool:
        """Whether it is a credential that systemd has not handed to this service: each gets its own only."""
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        return self.source == "credential" and not (folder and Path(folder, self.name).exists())

    def reveal(self) -> str:
        """Fetch the secret, without the line break at its end.

        Raises:
            SecretError: it is not there, is empty, may not be read, or may be read by everybody.
        """
        secret = self._fetch().rstrip("\r\n")
        if not secret:
            raise self._error("is missing or empty")
        return secret

    def _fetch(self) -> str:
        if self.source == "env":
            return os.environ.get(self.name, "")
        if self.source == "file":
            return self._read(Path(self.name))
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise self._error("can't be found: systemd hands credentials to its services only")
        return self._read(Path(folder, self.name))

    def _read(self, path: Path) -> str:
        try:
            if self.source == "file" and path.stat().st_mode & S_IRWXO:
                raise self._error("is open to every account of this machine; mend it with chmod o=")
            return path.read_text(encoding="utf-8")
        except OSError as error:
            raise self._error(f"can't be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise self._error("is not UTF-8 text") from None

    def _error(self, complaint: str) -> SecretError:
        kind = {"credential": "credential", "file": "secret file", "env": "environment variable"}[self.source]
        return SecretError(f"The {kind} {quoted(self.name)} {complaint}.")


def secret(value: Any) -> Secret:
    """Where a secret is kept, as the configuration names it. No message repeats what stands there instead."""
    if not isinstance(value, dict):
        raise BadValueError(f"must not be written here; keep it elsewhere and write {_FORM}")
    unknown = [name for name in value if name not in _SOURCES]
    if unknown:
        raise BadValueError(
            complaints=[((name,), f"unknown key; write {_FORM}{did_you_mean(name, _SOURCES)}") for name in unknown]
        )
    if len(value) != 1:
        raise BadValueError(f"must name one place: {_FORM}")
    ((source, place),) = value.items()
    try:
        return Secret(source, str(absolute_path(place)) if source == "file" else _name(source, place))
    except BadValueError as error:
        raise BadValueError(complaints=[((source,), str(error))]) from None


def _name(source: str, value: Any) -> str:
    name = line_of_text(value)
    if not _NAMES[source].fullmatch(name):
        signs = "letters, digits, _" + (", - and ." if source == "credential" else "")
        raise BadValueError(f"must be a plain name ({signs})")
    return name
