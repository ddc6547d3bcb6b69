"""The program that measures fetching runs, and a larger file takes no more memory."""

from pathlib import Path

import pytest

from lzsyncd.errors import ExitCode
from tests.bench.fetch import MEGA, measure
from tests.system.remote import is_possible


@pytest.mark.skipif(not is_possible(), reason="An sshd of one's own lets only its own account in.")
def test_fetching_is_measured(tmp_path: Path):
    small, whole, cut, rest = measure(tmp_path, 40 * MEGA)
    assert [found.code for found in (small, whole, cut, rest)] == [0, 0, ExitCode.TRY_AGAIN, 0]
    assert 0 < whole.memory.rss < small.memory.rss + 15
    assert 0 < rest.size < whole.size
    assert "MB/CPU-s" in whole.told()
