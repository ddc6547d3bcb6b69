"""Pull the plug at every step, and at random moments, on both databases, and print one table.

    python -m tests.plug                        # all of it; as root, or no power is cut
    python -m tests.plug --scenario arrival --on sqlite --power
    python -m tests.plug --scenario none --random 100

Exit code 1: something was found.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.plug.installation import Workshop
from tests.plug.load import Load
from tests.plug.pulling import Pulled, rehearse
from tests.plug.scenarios import SCENARIOS
from tests.postgres import Cluster
from tests.report.letterbox import Letterbox, served
from tests.system.disks import Disk

DATABASES = ("sqlite", "postgresql")
MEMORY = Path("/dev/shm")
COLUMNS = ("work", "database", "power", "steps", "hits", "survived", "mails again", "found")


@contextmanager
def workshop(database: str, *, power: bool) -> Iterator[Workshop]:
    """With a disk that can lose its power, or in memory."""
    with ExitStack() as stack:
        parent = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)))
        beside = parent.parent  # the server's account may not enter ours
        cluster = stack.enter_context(Cluster(parent=beside)) if database == "postgresql" else None
        disk = Disk(parent, megabytes=2048) if power else None
        if disk is not None:
            stack.callback(disk.unmount)
        box = stack.enter_context(served(Letterbox()))
        yield Workshop(disk.mounted if disk else parent, cluster, box, disk)


def at_every_step(name: str, database: str, *, power: bool, calls: str) -> tuple[str, ...]:
    """A row of the table."""
    with workshop(database, power=power) as shop:
        rehearsal = rehearse(shop, name)
        done = [_told(rehearsal.pull(step, call, power=power)) for step, call in rehearsal.cases(calls)]
        rehearsal.forget()
    hits = [pulled for pulled in done if pulled.hit]
    bad = [pulled for pulled in hits if pulled.found]
    again = sum(pulled.again for pulled in hits)
    return _row(name, database, power, len(rehearsal.steps), len(hits), len(hits) - len(bad), again, len(bad))


def _told(pulled: Pulled) -> Pulled:
    verdict = "; ".join(pulled.found) or "survived" if pulled.hit else "not met before the end"
    print(f"  {pulled.step.place} ({pulled.call} of {pulled.step.calls}): {verdict}", file=sys.stderr, flush=True)
    return pulled


def at_random(number: int, database: str, *, power: bool, seed: int) -> tuple[str, ...]:
    """The same for so many kills at random moments."""
    hits = cuts = bad = again = 0
    with workshop(database, power=power) as shop:
        load = Load(shop, random.Random(seed), 0.3 if power else 0.0)
        rounds = load.rounds()
        while hits < number:
            one = next(rounds)
            hits, cuts, again = hits + one.hits, cuts + one.cuts, again + one.again
            bad += one.hits if one.found else 0
            if one.found:
                print(f"  set {load.done}: {'; '.join(one.found)}", file=sys.stderr, flush=True)
                break  # what comes after it would be judged by it
            if load.done % 10 == 0:
                print(f"  {hits} of {number}", file=sys.stderr, flush=True)
        rounds.close()
    return _row(f"random moments, {cuts} cuts", database, power, load.done, hits, hits - bad, again, bad)


def _row(*cells: object) -> tuple[str, ...]:
    return tuple("yes" if cell is True else "no" if cell is False else str(cell) for cell in cells)


def table(rows: Sequence[Sequence[str]]) -> str:
    """In Markdown."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--scenario", action="append", choices=[*SCENARIOS, "none"], help="default: all")
    arguments.add_argument("--on", action="append", choices=DATABASES, help="default: both")
    arguments.add_argument("--power", action=argparse.BooleanOptionalAction, help="default: without it, then with it")
    arguments.add_argument("--calls", choices=("first", "ends", "every"), default="ends", help="which of each place")
    arguments.add_argument("--random", type=int, default=500, metavar="N", help="kills at random moments, in sum")
    arguments.add_argument("--seed", type=int, default=random.randrange(10**6))
    chosen = arguments.parse_args()
    can_cut = all(shutil.which(program) for program in ("mkfs.ext4", "mount"))
    powers = [chosen.power] if chosen.power is not None else [False, True] if can_cut else [False]
    variants = [(database, power) for database in chosen.on or DATABASES for power in powers]
    print(f"seed {chosen.seed}", file=sys.stderr)
    rows = []
    for name in [name for name in chosen.scenario or SCENARIOS if name != "none"]:
        for database, power in variants:
            print(f"{name}, {database}{', power' * power}", file=sys.stderr)
            rows.append(at_every_step(name, database, power=power, calls=chosen.calls))
    for database, power in variants if chosen.random else ():
        print(f"random, {database}{', power' * power}", file=sys.stderr)
        rows.append(at_random(-(-chosen.random // len(variants)), database, power=power, seed=chosen.seed))
    print(table(rows))
    return int(any(row[-1] != "0" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
