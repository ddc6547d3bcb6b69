"""One daemon at a time on a machine, and a file in which it says what it knows."""

import contextlib
import fcntl
import json
import os
import signal
import time
from pathlib import Path
from typing import Any, Self

from lzsyncd.errors import TryAgain, writing

LOCK, STATUS = "lock", "status.json"
PAUSES = (0.02, 0.1, 0.3, 0.0)  # seconds


class Instance:
    """The runtime folder, held by this process as long as the block lasts.

    Args:
        folder: where the lock and the status are.

    Raises:
        TryAgain: another daemon holds it.
        NotPermitted: it may not be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        with writing(self.folder):
            self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            self._handle = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _locked(self._handle):
            os.close(self._handle)
            raise TryAgain(f"Another lzsyncd runs: it holds {self.folder / LOCK}.")
        os.ftruncate(self._handle, 0)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(FileNotFoundError):
            (self.folder / STATUS).unlink()
        os.close(self._handle)

    def publish(self, report: dict[str, Any]) -> None:
        """Say what the daemon knows; whoever reads never sees half of it. From now on it can be rung for."""
        text = json.dumps(report, ensure_ascii=False)
        partial = self.folder / f".{STATUS}"
        with contextlib.suppress(OSError):  # a full memory file system must not end the daemon
            partial.write_text(text)
            partial.chmod(0o644)
            partial.rename(self.folder / STATUS)
            os.pwrite(self._handle, str(os.getpid()).encode(), 0)


def _locked(handle: int) -> bool:
    """Lock a file for ourselves. Whoever asks whether a daemon runs holds it for a moment: hence more than one try."""
    for pause in PAUSES:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(pause)
    return False


def ring(folder: Path) -> bool:
    """Ask the daemon that runs to look into inboxes and ledgers now; False where none runs.

    Whoever may not send it a signal waits until it looks by itself.
    """
    if published(folder) is None:
        return False
    with contextlib.suppress(OSError, ValueError):
        os.kill(int((folder / LOCK).read_text()), signal.SIGUSR1)
    return True


def published(folder: Path) -> dict[str, Any] | None:
    """What the daemon that runs says; None where none runs."""
    try:
        handle = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        with contextlib.suppress(OSError, ValueError):
            report: dict[str, Any] = json.loads((folder / STATUS).read_text())
            return report
    finally:
        os.close(handle)
    return None
