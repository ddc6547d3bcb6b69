"""The OpenSSH server: our piece of its configuration, and what a client needs to know of it.

What counts is what the server itself says it will do (`sshd -T`), not what stands in a file.
"""

import shutil
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from lzsyncd.errors import Usage
from lzsyncd.setup.accounts import SFTP_GROUP
from lzsyncd.setup.shipped import SNIPPET
from lzsyncd.setup.steps import CommandFailed, File, Removal, run

SYSTEMD_RUNS = Path("/run/systemd/system")  # sd_booted(3)
UNITS = ("ssh.service", "sshd.service")  # Debian's name, and that of others
NEEDED_TO_CHECK = Path("/run/sshd")  # sshd -t fails without it, and with socket activation it comes and goes


def sshd() -> str:
    """The server's program.

    Raises:
        Usage: there is none.
    """
    found = shutil.which("sshd") or shutil.which("/usr/sbin/sshd")
    if not found:
        raise Usage("There is no SFTP server on this machine: apt-get install openssh-server.")
    return found


def settings(account: str) -> dict[str, list[str]]:
    """What the server does for an account: keywords in small letters, each with its values."""
    NEEDED_TO_CHECK.mkdir(mode=0o755, exist_ok=True)
    found: dict[str, list[str]] = {}
    for line in run(sshd(), "-T", "-C", f"user={account},host=localhost,addr=127.0.0.1").splitlines():
        keyword, _, value = line.partition(" ")
        found.setdefault(keyword.lower(), []).append(value)
    return found


def require_shut_in(account: str) -> None:
    """Make sure that an account can do nothing but SFTP in its own folder, and that it is let in.

    Raises:
        Usage: the server would not do that; the text says what to change.
    """
    told = settings(account)
    if told.get("chrootdirectory") != ["%h"] or not told.get("forcecommand", [""])[0].startswith("internal-sftp"):
        raise Usage(
            f"sshd does not heed {SNIPPET.path}: put the line `Include {SNIPPET.path.parent}/*.conf` at the top of "
            "/etc/ssh/sshd_config."
        )
    for keyword, name in (("AllowGroups", SFTP_GROUP), ("AllowUsers", account)):
        patterns = [pattern.partition("@")[0] for pattern in told.get(keyword.lower(), [])]
        if patterns and not any(fnmatchcase(name, pattern) for pattern in patterns):
            raise Usage(f"sshd does not let {account} in: add {name} to {keyword} in its configuration.")


@dataclass(frozen=True)
class Snippet:
    """Our piece of the server's configuration: put there, checked by the server, and taken back if that fails.

    Attributes:
        file: the piece and its place.
    """

    file: File

    def pending(self) -> str:
        """See `Step`."""
        text = self.file.pending()
        return f"{text}, check it with sshd -t and reload sshd" if text else ""

    def do(self) -> None:
        """See `Step`."""
        path = self.file.path
        before = path.read_bytes() if path.exists() else None
        self.file.do()
        try:
            NEEDED_TO_CHECK.mkdir(mode=0o755, exist_ok=True)
            run(sshd(), "-t")
        except CommandFailed as error:
            Removal(path).do() if before is None else replace(self.file, data=before).do()
            raise CommandFailed(f"{path} was taken back: {error}") from None
        reload_server()


def reload_server() -> None:
    """Make the server read its configuration again; sessions go on."""
    for unit in running_units():
        run("systemctl", "reload", unit)


def running_units() -> list[str]:
    """Its units that run; none where it is started anew for each connection, or not at all."""
    if not SYSTEMD_RUNS.is_dir():
        return []
    told = run("systemctl", "show", "--property=Id,ActiveState", *UNITS)
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in told.strip().split("\n\n")]
    return sorted({block["Id"] for block in blocks if block.get("ActiveState") == "active"})


@dataclass(frozen=True)
class Door:
    """Where a client comes in.

    Attributes:
        ports: on which the server listens.
        fingerprints: of its host keys, each with its kind.
    """

    ports: list[str]
    fingerprints: list[str]


def door(account: str) -> Door:
    """What a client has to know of the server."""
    told = settings(account)
    keys = [Path(f"{path}.pub") for path in told.get("hostkey", [])]
    return Door(told.get("port", ["22"]), [_fingerprint(key) for key in keys if key.exists()])


def _fingerprint(key: Path) -> str:
    """`256 SHA256:… comment (ED25519)` without its length and its comment, which names whoever made it."""
    words = run("ssh-keygen", "-lf", str(key)).split()
    return f"{words[1]} {words[-1]}"
