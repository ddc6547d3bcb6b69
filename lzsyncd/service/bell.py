"""Wakes the daemon's loop.

An event of the `threading` module would not do: the loop holds its lock for a moment when it goes to sleep, and the
handler of a signal that comes just then would wait for that lock for ever. Also a signal that comes between the last
look and the sleep would be slept over; the kernel writes it into this pipe.
"""

import contextlib
import os
import select
import signal

FULL = 65_536  # bytes: more than a pipe holds by default


class Bell:
    """A pipe: whoever wants the loop writes into it."""

    def __init__(self) -> None:
        self._heard, self._rung = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._heard, select.POLLIN)

    def ring(self) -> None:
        """Wake the loop; from any thread, and from the handler of a signal."""
        with contextlib.suppress(BlockingIOError):  # it has been rung often enough
            os.write(self._rung, b"\0")

    def ring_at_signals(self) -> None:
        """From now on every signal that has a handler wakes the loop."""
        signal.set_wakeup_fd(self._rung, warn_on_full_buffer=False)

    def wait(self, seconds: float) -> None:
        """Sleep until it is rung, or for so long."""
        if self._poll.poll(seconds * 1000):
            os.read(self._heard, FULL)
