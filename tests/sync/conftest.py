"""What tests of arriving sets are given."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lzsyncd.sync import run
from tests.laws.bridge import site_of
from tests.laws.company import DAY_ONE
from tests.laws.ground import SYNC
from tests.sync.desk import Desk
from tests.sync.firm import files, firm


@pytest.fixture
def desk(tmp_path: Path, database: Callable[[Path], str]) -> Desk:
    """A new site, on SQLite and on PostgreSQL: its sets are checked on arrival and applied at two in the morning."""
    logging.getLogger("lzsyncd").setLevel(logging.CRITICAL)
    return Desk(site_of(SYNC, tmp_path, database(tmp_path / "acme")))


@pytest.fixture
def at_once(desk: Desk) -> Desk:
    """A site that applies its sets on arrival, after its first day."""
    desk.site = replace(desk.site, apply="on-arrival")
    desk.arrive(DAY_ONE)
    return desk


@pytest.fixture
def grown(desk: Desk) -> Desk:
    """A site in which the company stands, whose sets are applied on arrival."""
    desk.site = replace(desk.site, apply="on-arrival")
    desk.arrive(files(firm()))
    assert desk.statuses() == ["applied"]
    return desk


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Breaks the next runs, so many, at a step of `sync.run`."""

    def set_up(times: int, error: BaseException | None = None, step: str = "make_plan") -> None:
        real, left = getattr(run, step), [times]

        def step_or_fail(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] >= 0:
                raise error or RuntimeError("out of order")
            return real(*arguments, **named)

        monkeypatch.setattr(run, step, step_or_fail)

    return set_up
