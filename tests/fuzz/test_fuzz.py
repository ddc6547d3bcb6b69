"""A little of each target at every run, always the same inputs; and all that ever failed. The hours are elsewhere."""

import random
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz.targets import LARGEST, TARGETS, Target

TOKEN = re.compile(rb'"[^"]*"|\w+')
FOUND = Path(__file__).parent / "found"
KNOWN = sorted(path for path in FOUND.glob("*/*") if path.is_file())


def mutated(target: Target, seeds: list[bytes], chance: random.Random) -> bytes:
    """A seed that was changed a little: words for words of another one, or anything."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(0, 2)):
        if (mine := list(TOKEN.finditer(data))) and (others := TOKEN.findall(chance.choice(seeds))):
            one = chance.choice(mine)
            data[one.start() : one.end()] = chance.choice(others)
    for _ in range(chance.choice((0, 0, 1, 3))):
        at, to = sorted(chance.randrange(len(data) + 1) for _ in range(2))
        match chance.randrange(5):
            case 0:
                del data[at : min(to, at + 30)]
            case 1:
                data[at:at] = chance.choice(target.words or (b"\0",))
            case 2:
                data[at:at] = data[at : min(to, at + 60)]
            case 3 if data:
                data[at % len(data)] = chance.randrange(256)
            case _:
                data[at:to] = chance.choice(target.words or (b"\0",))
    return bytes(data[:LARGEST])


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_made_of_good_inputs_is_judged_well(name: str) -> None:
    target, chance = TARGETS[name], random.Random(name)
    seeds = target.seeds()
    fates = Counter(target.check(mutated(target, seeds, chance)) for _ in range(target.few))
    assert len(fates) > 1 or not target.words, fates


@pytest.mark.parametrize("path", KNOWN, ids=[f"{path.parent.name}-{path.name}" for path in KNOWN])
def test_what_failed_once_does_not_fail_again(path: Path) -> None:
    assert TARGETS[path.parent.name].check(path.read_bytes())


def test_what_failed_has_a_target() -> None:
    assert {path.parent.name for path in KNOWN} <= TARGETS.keys()
