"""A month of an installation in an hour: `python -m tests.soak --days 30 --sites 20 [--postgresql]`.

A real daemon whose clock is put forward. Prints how each day ended, and what is not as it should be.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.postgres import Cluster
from tests.soak.house import Evening, House
from tests.soak.life import Life, is_flat

COLUMNS = ("day", "memory MiB", "descriptors", "threads", "children", "disk KiB", "runs", "slots", "daemon s")


def main() -> int:
    """Live through the days."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--sites", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgresql", action="store_true", help="every second site has its database there")
    asked = parser.parse_args()
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lzsyncd-soak-")))
        make = _databases(stack.enter_context(Cluster())) if asked.postgresql else lambda _: "sqlite"
        house = House(folder, asked.sites, make)
        stack.callback(house.end)
        life = Life(house, random.Random(asked.seed))
        life.begin()
        print(" ".join(f"{column:>11}" for column in COLUMNS), flush=True)
        evenings = []
        for evening in life.live(asked.days):
            evenings.append(evening)
            print(_line(evening), flush=True)
        faults = life.faults() + is_flat(evenings)
    print(f"{asked.days} days of {asked.sites} sites in {time.monotonic() - began:.0f} s: {dict(life.done)}")
    print(
        f"{sum(life.delivered.values())} sets, {asked.sites * life.days} slots, each accounted for"
        if not faults
        else ""
    )
    for fault in faults:
        print(f"WRONG {fault}")
    return 1 if faults else 0


def _databases(cluster: Cluster) -> Callable[[str], str]:
    return lambda name: cluster.create_database(name) if int(name[-1]) % 2 else "sqlite"


def _line(evening: Evening) -> str:
    values = (f"{value:.1f}" if isinstance(value, float) else str(value) for value in vars(evening).values())
    return " ".join(f"{value:>11}" for value in values)


if __name__ == "__main__":
    sys.exit(main())
