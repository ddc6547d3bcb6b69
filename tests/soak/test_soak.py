"""Two days of two sites at every run of the tests; the month is a command of its own."""

import random
from pathlib import Path

import pytest

from tests.postgres import Cluster
from tests.soak.house import Evening, House
from tests.soak.life import Life, is_flat


@pytest.mark.long
def test_every_slot_and_every_set_of_some_days_is_accounted_for(tmp_path: Path, cluster: Cluster) -> None:
    house = House(tmp_path, 2, lambda name: "sqlite" if name == "site00" else cluster.create_database("soaked"))
    life = Life(house, random.Random(8))
    try:
        life.begin()
        one, two = life.live(2)
        assert life.faults() == []
    finally:
        house.end()
    assert (one.slots, two.slots) == (2, 4)
    assert (one.descriptors, one.children) == (two.descriptors, two.children)
    assert {"kill", "late", "too many go"} <= life.done.keys()


def test_what_grows_is_told() -> None:
    flat = [Evening(day, 20.0, 10, 5, 0, 1000, day, day, 1.0) for day in range(9)]
    growing = [Evening(day, 20.0 + day, 10 + day, 5, 0, 1000 + 100 * day, day, day, 1.0) for day in range(9)]
    assert is_flat(flat) == []
    assert [fault.split()[0] for fault in is_flat(growing)] == ["memory", "descriptors", "disk"]
