"""Words for systemd: ready, reloading, what we do, still alive (sd_notify(3)). Without systemd nobody listens.

The library sends Latin-1 and swallows what it can't encode, so text is made ASCII first.
"""

import os
import time
import unicodedata

from sdnotify import SystemdNotifier


class Systemd:
    """The service manager, where there is one."""

    def __init__(self) -> None:
        self._notifier = SystemdNotifier()
        self.watchdog = watchdog_interval()

    def ready(self, status: str) -> None:
        """The service works; also after a reload."""
        self._send("READY=1", _status(status))

    def wait_on(self, seconds: float) -> None:
        """The start, or what else systemd waits for, goes on: it is not to give up for so long."""
        self._send(f"EXTEND_TIMEOUT_USEC={seconds * 1_000_000:.0f}")

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """The service ends by itself or because it was asked to."""
        self._send("STOPPING=1", _status(status))

    def status(self, status: str) -> None:
        """What `systemctl status` shows."""
        self._send(_status(status))

    def alive(self) -> None:
        """All is well; whoever calls this has looked."""
        self._send("WATCHDOG=1")

    def _send(self, *fields: str) -> None:
        self._notifier.notify("\n".join(fields))


def _status(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return f"STATUS={' '.join(plain.split())}"


def watchdog_interval() -> float | None:
    """Seconds after which systemd takes us for dead; None where it does not look, or looks at somebody else."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1_000_000 if microseconds.isdigit() and int(microseconds) else None
