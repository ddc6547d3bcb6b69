"""How far a run is: told to whoever watches, by default to nobody."""

from typing import Protocol

from lzsyncd.feed.elements import Element


class Progress(Protocol):
    """Something that watches a run."""

    def read(self, element: Element, records: int) -> None:
        """So many records of an element have been read."""

    def stage(self, name: str) -> None:
        """The run has come to a stage: `read`, `check`, `plan`, `apply`, `report`."""


class Silent:
    """Watches nothing."""

    def read(self, element: Element, records: int) -> None:
        """Nobody listens."""

    def stage(self, name: str) -> None:
        """Nobody listens."""
