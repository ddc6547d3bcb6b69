"""Importing libraries without what they would like to have and we never use: so the daemon stays small."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*names: str) -> Iterator[None]:
    """A block whose imports do not find some modules, unless these are loaded already."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # importing it fails (Python reference, 5.3.1)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
