"""Breaking the work off from outside, where that can be done cleanly: before a statement, or by ending one.

The handler of a signal may run anywhere, also inside a database's driver; an exception raised there can cost the
connection, and with it the words for why the run ended. So it only notes what it wants, and has the server end the
statement that is under way.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lzsyncd.errors import LzsyncdError


class Brake:
    """One, for all that a process does."""

    def __init__(self) -> None:
        self._why: LzsyncdError | None = None
        self._cancel: Callable[[], None] | None = None
        self._held, self._eager = 0, 0

    def pull(self, why: LzsyncdError) -> None:
        """Break the work off; called by the handler of a signal."""
        self._why = why
        if self._cancel is None and self._eager:
            self.check()
        elif self._cancel is not None and not self._held:
            self._cancel()

    def release(self, kind: type[LzsyncdError]) -> None:
        """That reason is none any more."""
        if isinstance(self._why, kind):
            self._why = None

    @property
    def is_pulled(self) -> bool:
        """Whether somebody wants the work to be broken off."""
        return self._why is not None and not self._held

    def check(self) -> None:
        """Break the work off here, where somebody wants that.

        Raises:
            LzsyncdError: why; once.
        """
        if self._why is not None and not self._held:
            why, self._why = self._why, None
            raise why

    @contextmanager
    def statement(self, cancel: Callable[[], None]) -> Iterator[None]:
        """Something a database does, which `cancel` ends."""
        self.check()
        self._cancel = cancel
        try:
            yield
        except Exception:
            self._cancel = None
            self.check()
            raise
        finally:
            self._cancel = None

    @contextmanager
    def eager(self) -> Iterator[None]:
        """A block that waits for others than the database: it is broken off wherever it is, but for statements."""
        self._eager += 1
        try:
            self.check()
            yield
        finally:
            self._eager -= 1

    @contextmanager
    def held(self) -> Iterator[None]:
        """A block that is gone through with: it is short, and better done than begun."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
