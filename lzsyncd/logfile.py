"""The log's own file: whole lines, appended by any number of processes, in a new file when logrotate has moved it away.

As the standard library's WatchedFileHandler, but each line is one write(2) to a file opened with O_APPEND, so that the
lines of the daemon, its children and commands never mix; and a file that can't be written costs nobody a run.
"""

import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

MODE = 0o640


class LogFile(logging.Handler):
    """Appends lines to a file.

    Args:
        path: of the file; its folder must be there.
        failed: is told once, in a sentence, that it can't be written, until it can.
    """

    def __init__(self, path: Path, failed: Callable[[str], None]) -> None:
        super().__init__()
        self.path, self._failed = path, failed
        self._handle = -1
        self._is_broken = False  # the end of the last line is missing
        self._is_failing = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        line = f"{self.format(record)}\n".encode(errors="backslashreplace")
        try:
            self._reopen_if_moved()
            line = b"\n" + line if self._is_broken else line
            written = os.write(self._handle, line)
        except OSError as error:
            self._tell(error.strerror or type(error).__name__)
        else:
            self._is_broken = written < len(line)  # the disk was full in the middle of it
            self._is_failing = False

    def _tell(self, why: str) -> None:
        if not self._is_failing:
            self._is_failing = True  # before it is told: that is an event, too
            self._failed(f"The log file {self.path} can't be written: {why}.")

    def _reopen_if_moved(self) -> None:
        try:
            there = self.path.stat()
        except FileNotFoundError:
            there = None
        if self._handle >= 0 and there is not None:
            ours = os.fstat(self._handle)
            if (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino):
                return
        self._let_go()
        self._handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, MODE)
        if there is None:
            self._hand_over()

    def _hand_over(self) -> None:
        """A file that root's command has made belongs to whom the folder belongs: the service appends to it, too."""
        folder = self.path.parent.stat()
        if os.geteuid() == 0 and folder.st_uid:
            os.fchown(self._handle, folder.st_uid, folder.st_gid)

    def _let_go(self) -> None:
        if self._handle >= 0:
            with contextlib.suppress(OSError):
                os.close(self._handle)
            self._handle = -1

    def close(self) -> None:
        """Let the file go."""
        self._let_go()
        super().close()
