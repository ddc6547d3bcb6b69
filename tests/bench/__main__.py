"""Measure first load, unchanged and 1 % changed, each right beside its floor, and print one table.

With --undo also how long it takes to take the last and the first of them back.

CPU seconds are those of all processes, the server's too. The floor's on SQLite include making its tuples, which its
seconds do not.

5,000,000 people are possible when asked for: for each of them 4 KB of disk, and with SQLite 1.5 KB of memory for
the floor's tuples (20 and 8 GB).
"""

import argparse
import compileall
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import lzsyncd
from lzsyncd.demo.company import Summary, write_company
from tests.bench.databases import BENCHES, Bench
from tests.bench.memory import Memory
from tests.bench.programs import ProgramFailed, Run, make_site, run_floor, run_sync, run_undo

CHANGE = 0.01
DISK_A_PERSON = 4096  # bytes, rounded up: files and their copies, both sides' tables and indexes, logs, staging
COLUMNS = (
    *("database", "users", "file", "work"),
    *(
        "lzsyncd s",
        "floor s",
        "ratio",
        "CPU s",
        "floor CPU s",
        "CPU ratio",
        "rows/s",
        "PSS MiB",
        "RSS MiB",
        "server MiB",
    ),
)
TO_THE_LEFT = [name in {"database", "file", "work"} for name in COLUMNS]


@dataclass(frozen=True)
class Work:
    """What is measured: a sync of one day's files, beside the floor's work."""

    name: str
    day: int
    floor: str


# 1 % changed is held against the floor of unchanged: the same staging, the same join
WORKS = (Work("first load", 0, "first"), Work("unchanged", 0, "unchanged"), Work("1 % changed", 1, "unchanged"))

UNDOS = (Work("undo of 1 % changed", 1, ""), Work("undo of the first load", 0, ""))
TAKEN_BACK = ("created", "updated", "revived", "removed")


@dataclass
class Days:
    """The made-up company on two days, in two folders."""

    folders: tuple[Path, Path]
    summaries: tuple[Summary, Summary]

    def expected(self, work: Work) -> dict[str, int]:
        """What the counts of the people must be, or the measured run did something else."""
        if work.day:
            tomorrow = self.summaries[1]
            removed = tomorrow.left - tomorrow.left_suspended  # who is suspended does not go once more
            return {"created": tomorrow.joined, "updated": tomorrow.changed, "removed": removed, "rejected": 0}
        return {"created" if work.floor == "first" else "unchanged": self.summaries[0].users}

    def rows(self, work: Work) -> int:
        """Records of all three files."""
        summary = self.summaries[work.day]
        return summary.users + summary.units + summary.positions


@dataclass
class Line:
    """One line of the table: the runs of one work."""

    work: Work
    syncs: list[Run] = field(default_factory=list)
    floors: list[Run] = field(default_factory=list)
    servers: list[Memory] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)

    def cells(self, rows: int) -> list[str]:
        """The measured cells: medians of seconds, the most of memory."""
        floor = statistics.median(run.seconds for run in self.floors) if self.floors else 0.0
        floor_cpu = statistics.median(run.cpu for run in self.floors) if self.floors else 0.0
        server = f"{max(memory.pss for memory in self.servers):.0f}" if self.servers else "-"
        if not self.syncs:
            return ["-", f"{floor:.2f}", "-", "-", f"{floor_cpu:.2f}", *"----", server]
        sync = statistics.median(run.seconds for run in self.syncs)
        cpu = statistics.median(run.cpu for run in self.syncs)
        pss, rss = (max(run.memory[kind] for run in self.syncs) for kind in (0, 1))
        return [
            f"{sync:.2f}",
            f"{floor:.2f}" if floor else "-",
            f"{sync / floor:.2f}" if floor else "-",
            f"{cpu:.2f}",
            f"{floor_cpu:.2f}" if floor else "-",
            f"{cpu / floor_cpu:.2f}" if floor else "-",
            f"{rows / sync:,.0f}",
            f"{pss:.0f}",
            f"{rss:.0f}",
            server,
        ]


def main() -> int:
    options = parse()
    compileall.compile_dir(Path(lzsyncd.__file__).parent, quiet=1)  # as it is where the program is installed
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=options.folder))
    folder.chmod(0o755)  # PostgreSQL's account passes through; there is nothing but made-up people
    table = [list(COLUMNS)]
    notes: list[str] = []
    try:
        for users in options.users:
            days = make_days(folder, users, shuffled=options.shuffled, numbered=not options.named)
            for database in options.database:
                for line in measure(folder, database, days, options):
                    file = "shuffled" if options.shuffled else "sorted"
                    table.append([database, f"{users:,}", file, line.work.name, *line.cells(days.rows(line.work))])
                    notes += sorted(f"{database}, {users:,}, {line.work.name}: {note}" for note in line.notes)
    except ProgramFailed as failure:
        print(f"\nFAILED: {failure}\n", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        print_table(table)
        print("\n".join(notes))
    return 1 if notes else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--users", type=int, nargs="+", default=[100_000, 1_000_000], metavar="N")
    parser.add_argument("--database", nargs="+", choices=BENCHES, default=list(BENCHES))
    parser.add_argument("--shuffled", action="store_true", help="records in random order instead of by key")
    parser.add_argument(
        "--named",
        action="store_true",
        help="usernames and addresses in the order of names instead of keys: live indexes then fill at random places, "
        "which costs the floor up to twice the time, and lzsyncd, which builds them last, nothing",
    )
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="measure N times and take the median")
    parser.add_argument("--undo", action="store_true", help="take both runs that applied something back, too")
    parser.add_argument("--floor-only", action="store_true", help="leave lzsyncd out")
    parser.add_argument(
        "--folder", type=Path, default=Path("/var/tmp"), help="where to work; must be a disk, or nothing is durable"
    )
    options = parser.parse_args()
    needed, free = max(options.users) * DISK_A_PERSON, shutil.disk_usage(options.folder).free
    if free < needed:
        parser.error(f"{options.folder} has {free / 1e9:,.1f} GB free, and it takes {needed / 1e9:,.1f} GB")
    return options


def make_days(folder: Path, users: int, *, shuffled: bool, numbered: bool) -> Days:
    say(f"making {users:,} people")
    write = partial(write_company, users=users, shuffled=shuffled, numbered=numbered)
    folders = (folder / "today", folder / "tomorrow")
    return Days(folders, (write(folders[0]), write(folders[1], change=CHANGE)))


def measure(folder: Path, database: str, days: Days, options: argparse.Namespace) -> list[Line]:
    """All works on one database, as often as asked; each time with fresh databases."""
    lines = [Line(work) for work in WORKS]
    undos = [Line(work) for work in UNDOS] if options.undo and not options.floor_only else []
    bench: Bench = BENCHES[database](folder)
    try:
        for turn in range(options.repeat):
            for line in measure_once(bench, folder, days, lines, turn, floor_only=options.floor_only):
                say(f"{database}, {line.work.name}: {', '.join(line.cells(days.rows(line.work)))}")
            for line, undone in zip(undos, (lines[-1], lines[0])):
                measure_undo(bench, folder / "lzsyncd.toml", line, undone.syncs[-1])
                say(f"{database}, {line.work.name}: {', '.join(line.cells(days.rows(line.work)))}")
    finally:
        bench.close()
    return lines + undos


def measure_once(
    bench: Bench, folder: Path, days: Days, lines: list[Line], turn: int, *, floor_only: bool
) -> Iterator[Line]:
    """All works once, on fresh databases; yields each line when it has one more run."""
    configuration = make_site(folder, bench.fresh("site"))
    floor_database = bench.fresh_floor()
    for line in lines:
        floor = partial(measure_floor, bench, floor_database, days, line)
        sync = partial(measure_sync, bench, configuration, days, line)
        sides = [floor] if floor_only else [sync, floor]
        # they take turns at going first
        for measure_side in sides if turn % 2 == 0 else reversed(sides):
            measure_side()
        yield line


def measure_floor(bench: Bench, database: str, days: Days, line: Line) -> None:
    bench.settle()
    before = bench.server_cpu()
    run = run_floor(line.work.floor, database, days.folders[0])
    line.floors.append(replace(run, cpu=run.cpu + bench.server_cpu() - before))


def measure_sync(bench: Bench, configuration: Path, days: Days, line: Line) -> None:
    bench.settle()
    before = bench.server_cpu()
    with bench.server_memory() as server:
        run = run_sync(configuration, days.folders[line.work.day])
    line.syncs.append(replace(run, cpu=run.cpu + bench.server_cpu() - before))
    if server:
        line.servers.append(server.peak)
    counts = run.document["counts"]["user"]
    for name, expected in days.expected(line.work).items():
        if counts[name] != expected:
            line.notes.add(f"{counts[name]:,} people were {name}, not {expected:,}")


def measure_undo(bench: Bench, configuration: Path, line: Line, undone: Run) -> None:
    """Take back what a measured sync has done; the later one comes first."""
    bench.settle()
    before = bench.server_cpu()
    with bench.server_memory() as server:
        run = run_undo(configuration, undone.document["run"])
    line.syncs.append(replace(run, cpu=run.cpu + bench.server_cpu() - before))
    if server:
        line.servers.append(server.peak)
    told, done = run.document["counts"]["user"], undone.document["counts"]["user"]
    if any(told[name] != done[name] for name in TAKEN_BACK):
        line.notes.add("it took back another number of people than had changed")


def print_table(table: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = zip(row, widths, TO_THE_LEFT, strict=True)
        print("  ".join(cell.ljust(width) if left else cell.rjust(width) for cell, width, left in cells).rstrip())


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
