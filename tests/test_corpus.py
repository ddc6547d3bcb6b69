"""The corpus on both databases, and the page that lists every finding."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .corpus.case import Case, all_cases
from .corpus.runner import play
from .corpus.site import SITE, Site

CASES = all_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_ends_as_it_says(case: Case, tmp_path: Path, database: Callable[[Path], str]):
    site = Site(tmp_path, database(tmp_path / SITE))
    if wrong := play(case, site):
        pytest.fail("\n".join([case.title, *wrong]), pytrace=False)


def test_the_corpus_is_large():
    assert len(CASES) >= 90
