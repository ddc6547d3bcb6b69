"""Put the reports of runs to a remote SFTP server: the outbox's folders, each whole, and again when it has changed."""

from contextlib import suppress
from pathlib import Path

import paramiko

from lzsyncd.config import Remote, Site
from lzsyncd.intake.server import asking
from lzsyncd.ledger.fetched import Memory

LAST = "summary.json"  # where it is, the others are


def put_reports(server: paramiko.SFTPClient, site: Site, remote: Remote, memory: Memory, since: str) -> list[str]:
    """Put what the server has not got yet; returns the runs.

    Args:
        server: the session.
        site: whose outbox.
        remote: says to which folder.
        memory: what was put.
        since: when the server was first visited: reports of older runs are not put.
    """
    if not remote.reports or not site.outbox.is_dir():
        return []
    first = since.replace("-", "").replace(":", "")[:15]  # as runs are named
    put, known = [], memory.reports()
    for folder in sorted(path for path in site.outbox.iterdir() if path.name >= first and path.is_dir()):
        version = _version(folder)
        if version and known.get(folder.name) != version:
            _put(server, remote, folder)
            memory.put(folder.name, version)
            put.append(folder.name)
    return put


def _version(folder: Path) -> str:
    try:
        status = (folder / LAST).stat()
    except FileNotFoundError:  # retention takes it away
        return ""
    return f"{status.st_mtime_ns}-{status.st_ino}"


def _put(server: paramiko.SFTPClient, remote: Remote, folder: Path) -> None:
    target = f"{remote.reports}/{folder.name}"
    with asking(remote, "putting a report"):
        with suppress(OSError):  # it is there; if not, the first file says so
            server.mkdir(target)
        for path in sorted(folder.iterdir(), key=lambda path: path.name == LAST):
            server.put(str(path), f"{target}/.{path.name}.part", confirm=True)
            with suppress(OSError):  # renaming to a name that is taken is refused by most servers
                server.remove(f"{target}/{path.name}")
            server.rename(f"{target}/.{path.name}.part", f"{target}/{path.name}")
