"""What every test of the rules is given."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.laws.ground import Ground


@pytest.fixture
def ground(database: Callable[[Path], str], tmp_path: Path) -> Ground:
    """Fresh sites, on SQLite and on PostgreSQL."""
    return Ground(database, tmp_path)
