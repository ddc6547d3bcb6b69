"""Child processes: one errand for one site each, watched from outside by a pipe in which they say that they go on."""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace

from lzsyncd.service.errand import Errand

PROGRAM = (
    "import sys; sys.path[:] = {path!r}; sys.modules.update(dict.fromkeys({unused!r})); "
    "from lzsyncd.service.job import main; main()"
)
NOT_FOR_CHILDREN = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
MERCY = 60.0  # seconds beyond the time limit in which a child may end by itself


class Worker:
    """A child that works for a site.

    Attributes:
        site: its name.
        errand: what it does.
        last_step: when it last said that it goes on, in monotonic seconds.
        last_word: why it could not do it, "" where it did not say so.
    """

    def __init__(self, errand: Errand) -> None:
        self.site, self.errand = errand.site.name, errand
        self.last_step, self.last_word = time.monotonic(), ""
        self._told = False
        self._pipe, theirs = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        environment = {name: value for name, value in os.environ.items() if name not in NOT_FOR_CHILDREN}
        program = [sys.executable, "-I", "-c", PROGRAM.format(path=sys.path, unused=_unused(errand))]
        try:
            self._process = subprocess.Popen(  # noqa: S603 ourselves
                program, stdin=subprocess.PIPE, env=environment, pass_fds=[theirs], start_new_session=True
            )
        except OSError:
            os.close(self._pipe)
            raise
        finally:
            os.close(theirs)
        with contextlib.suppress(BrokenPipeError), self._process.stdin or contextlib.nullcontext() as stream:
            if stream is not None:
                pickle.dump(replace(errand, progress=theirs), stream)

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._process.pid

    def ended(self) -> int | None:
        """Its exit code, negative for a signal; None while it works."""
        code = self._process.poll()  # first: what it said at its end is heard below
        with contextlib.suppress(BlockingIOError):
            if heard := os.read(self._pipe, 65_536):
                self.last_step = time.monotonic()
                self.last_word += heard.decode(errors="replace").partition("\n")[2]
        if code is not None:
            os.close(self._pipe)
        return code

    def overdue(self, now: float) -> bool:
        """Whether it has stood still for longer than any run may take."""
        return now > self.last_step + self.errand.limit + MERCY

    def stop(self) -> None:
        """Ask it to end: it rolls back and says so."""
        if not self._told and self._process.poll() is None:
            self._told = True
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it, whatever it does; the ledger tells the next one."""
        if self._process.poll() is None:
            self._process.kill()


def _unused(errand: Errand) -> list[str]:
    """Modules that libraries load where they find them, and that this child has no use for: half of its start."""
    return ["rich"] if errand.site.database != "sqlite" else ["rich", "psycopg"]
