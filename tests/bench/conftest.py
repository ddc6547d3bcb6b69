"""A place for the benchmarks that both databases may use."""

import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def open_folder():
    """A folder that PostgreSQL's account may enter; pytest's own are private."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
