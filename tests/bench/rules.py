"""How long rules take: `python -m tests.bench.rules`. Full passes, after 1 % changed, and many rules for fewer people.

The company of the demo is loaded, then audiences are configured: by unit, position, custom field, date, and several of
these at once. What is measured is the planning of the rules alone, in the run, with everything in it that a run does,
and the writing of what they moved. Beside the first writing stands its floor: bare INSERT..SELECT of the same members,
assignments and reasons into empty tables with the same columns, then the same indexes.

"cpu s" is the processor time of what stands before it, of lzsyncd and the server: on a busy machine believe that.
"""

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Self

from lzsyncd.config import Site, parse
from lzsyncd.demo.company import CONFIG_SNIPPET, write_company
from lzsyncd.learning.rules import Audience
from lzsyncd.sync import plan, run
from lzsyncd.sync.ending import Result
from lzsyncd.sync.run import Options, sync_folder
from lzsyncd.zone.database import opened
from tests.bench.databases import BENCHES, Bench

FLOOR = {  # what a first evaluation fills: columns, the order of the rows, indexes
    "lz_audience_member": (
        "audience_id BIGINT, user_id BIGINT, since {text}, PRIMARY KEY (audience_id, user_id)",
        "audience_id, user_id",
        ("INDEX {} ON {} (user_id, audience_id)",),
    ),
    "lz_assignment": (
        (
            "id BIGINT PRIMARY KEY, user_id BIGINT, item {text}, audience_id BIGINT, assigned_at {text}, "
            "due_at {text}, removed_at {text}"
        ),
        "id",
        (
            "UNIQUE INDEX {} ON {} (user_id, item, audience_id)",
            "INDEX {} ON {} (audience_id, item, user_id) WHERE removed_at IS NULL",
        ),
    ),
    "sync_member": (
        "run_id {text}, audience_id BIGINT, idnumber {text}, action {text}, reason {text}",
        "audience_id",
        ("INDEX {} ON {} (idnumber)", "INDEX {} ON {} (run_id)"),
    ),
}
DAY_ONE = datetime(2026, 11, 22, 2, tzinfo=UTC)
SIZES = {1_000_000: 200, 100_000: 2_000}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rules", description=__doc__)
    parser.add_argument("--users", type=int, nargs="+", default=list(SIZES), metavar="N")
    parser.add_argument("--rules", type=int, metavar="N", help="audiences [default: 200, for 100,000 people 2,000]")
    parser.add_argument("--database", nargs="+", choices=BENCHES, default=list(BENCHES))
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="where to work; a disk")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-rules-", dir=options.folder))
    folder.chmod(0o755)
    columns = f"{'plan s':>8}{'cpu s':>8}{'write s':>9}{'cpu s':>8}{'joined':>11}{'left':>9}"
    print(f"{'database':12}{'users':>10}{'rules':>7}  {'work':24}{columns}")
    try:
        for users in options.users:
            write_company(folder / "today", users=users, numbered=True)
            write_company(folder / "tomorrow", users=users, numbered=True, change=0.01)
            for name in options.database:
                measure(folder, BENCHES[name](folder), users, options.rules or SIZES.get(users, 200))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def measure(folder: Path, bench: Bench, users: int, rules: int) -> None:
    """All works on one database."""
    try:
        site = make_site(folder, bench.fresh("rules"))
        shutil.rmtree(site.folder, ignore_errors=True)
        sync(site, folder / "today", DAY_ONE)
        site = replace(site, audiences=with_audiences(site, rules))
        works = (("first", "today", 1), ("everybody, unchanged", "today", 2), ("1 % changed", "tomorrow", 2))
        for work, day, number in works:
            bench.settle()
            with watched(bench) as took:
                result = sync(site, folder / day, DAY_ONE + timedelta(days=number))
            planning, writing = took
            moved = f"{result.learning['joined']:>11,}{result.learning['left']:>9,}"
            row = f"{bench.name:12}{users:>10,}{rules:>7,}  {work:24}"
            print(f"{row}{planning.shown(8)}{writing.shown(9)}{moved}", flush=True)
            if work == "first":
                with Took(bench) as floor:
                    write_floor(site)
                ratio = f"the run takes {writing.cpu / floor.cpu:.2f} x of it"
                print(f"{'':31}{'its floor':24}{'':16}{floor.shown(9)}   {ratio}", flush=True)
    finally:
        bench.close()


def make_site(folder: Path, database: str, audiences: str = "") -> Site:
    text = f'[daemon]\ndata_dir = "{folder / "data"}"\n[sites.acme]\ndatabase = "{database}"\n'
    return parse(text + CONFIG_SNIPPET.format(site="acme") + audiences).sites["acme"]


def with_audiences(site: Site, number: int) -> tuple[Audience, ...]:
    """As many audiences: of ten five by unit, two by position, one each by custom field, date, and two of these."""
    with opened(site) as database:
        units = [str(row[0]) for row in database.rows("SELECT idnumber FROM lz_org ORDER BY depth, id")]
        positions = [str(row[0]) for row in database.rows("SELECT idnumber FROM lz_pos ORDER BY depth DESC, id")]
    lines: list[str] = []
    for at in range(number):
        unit, position = units[at % len(units)], positions[at % len(positions)]
        rule = {
            5: f'{{ field = "pos", in = ["{position}"] }}',
            6: f'{{ field = "pos", under = "{position}" }}',
            7: f'{{ field = "customfield_costcentre", is = "{1000 + at}" }}',
            8: f'{{ field = "start_date", within_last = "{30 + at % 60}d" }}',
            9: f'{{ field = "org", under = "{unit}" }}, {{ field = "customfield_grade", in = ["G1", "G2"] }}',
        }.get(at % 10, f'{{ field = "org", under = "{unit}" }}')
        lines += ["[[sites.acme.audiences]]", f'name = "A{at}"', f"rules = [ {rule} ]", f'assign = ["course:{at}"]']
    return make_site(site.folder, "sqlite", "\n".join(lines)).audiences


def sync(site: Site, folder: Path, now: datetime) -> Result:
    (result,) = sync_folder(site, folder, Options(clock=lambda: now))
    return result


def write_floor(site: Site) -> None:
    """Write what stands in the tables of members and learning again, bare; it is taken back."""
    with opened(site) as database, database.transaction():
        text = "TEXT" if database.dialect.name == "sqlite" else 'TEXT COLLATE "C"'
        for table, (columns, order, indexes) in FLOOR.items():
            database.run(f"CREATE TABLE floor_{table} ({columns.format(text=text)})")
            names = re.sub(r" (BIGINT|\{text\})( PRIMARY KEY)?|, PRIMARY KEY.*", "", columns)
            database.run(f"INSERT INTO floor_{table} ({names}) SELECT {names} FROM {table} ORDER BY {order}")
            for number, index in enumerate(indexes):
                database.run(f"CREATE {index.format(f'floor_{table}_{number}', f'floor_{table}')}")
        for table in FLOOR:
            database.run(f"DROP TABLE floor_{table}")


class Took:
    """How long its blocks take, all together: `seconds`, and those of processors, `cpu`."""

    def __init__(self, bench: Bench) -> None:
        self.seconds = self.cpu = 0.0
        self._bench = bench

    def __enter__(self) -> Self:
        self._start = perf_counter(), process_time() + self._bench.server_cpu()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += perf_counter() - self._start[0]
        self.cpu += process_time() + self._bench.server_cpu() - self._start[1]

    def shown(self, width: int) -> str:
        """Both, in columns."""
        return f"{self.seconds:>{width}.2f}{self.cpu:>8.2f}"


@contextmanager
def watched(bench: Bench) -> Iterator[tuple[Took, Took]]:
    """How long planning, and writing, the learning of the runs in the block takes."""
    took = Took(bench), Took(bench)
    planning, writing = plan.plan_learning, run.write_learning

    def timed(at: int, work: object) -> object:
        def call(*args: object, **more: object) -> object:
            with took[at]:
                return work(*args, **more)  # type: ignore[operator]

        return call

    plan.plan_learning, run.write_learning = timed(0, planning), timed(1, writing)  # type: ignore[assignment]
    try:
        yield took
    finally:
        plan.plan_learning, run.write_learning = planning, writing


if __name__ == "__main__":
    sys.exit(main())
