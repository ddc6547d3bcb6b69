"""The tour of `lzsyncd demo`: a company is loaded, HR sends the next export with some rows broken, an admin looks."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Protocol

from lzsyncd.config import Site, parse
from lzsyncd.config.places import quoted
from lzsyncd.demo.company import CONFIG_SNIPPET, Summary, write_company
from lzsyncd.errors import Usage
from lzsyncd.feed.elements import Element
from lzsyncd.ledger.learning import moves_of
from lzsyncd.ledger.queries import Cause, Step, causes, history, last_run, summary
from lzsyncd.report.rejects import OWN_COLUMNS
from lzsyncd.sync.ending import Result
from lzsyncd.sync.run import Options, sync_folder
from lzsyncd.zone.database import Database, opened

SITE = "acme"
CAUSES = 6  # findings shown
REJECTS = 2  # records of the reject file shown
SHOWN = 5  # and this many of their own columns


AUDIENCES = f"""\
[[sites.{SITE}.audiences]]
name = "Everybody who leads"
rules = [{{ field = "manager", has_reports = true }}]
assign = ["program:LEADERSHIP"]
[[sites.{SITE}.audiences]]
name = "Safety"
rules = [{{ field = "org", under = "U10000" }}, {{ field = "customfield_grade", in = ["G1", "G2", "G3", "G4"] }}]
assign = ["course:SAFETY-101", "course:FIRST-AID"]
due = "30d"
[[sites.{SITE}.audiences]]
name = "British Isles"
rules = [{{ any = [{{ field = "country", in = ["GB", "IE"] }}, {{ field = "city", is = "London" }}] }}]
assign = ["course:DATA-PROTECTION"]
on_leave = "keep"
"""
"""What the tour's configuration says about audiences."""


class Screen(Protocol):
    """Where the tour is shown."""

    def title(self, text: str) -> None:
        """The head of a step."""

    def text(self, text: str) -> None:
        """A sentence."""

    def quote(self, text: str) -> None:
        """Text of a file, as it stands there."""

    def counts(self, counts: dict[str, dict[str, int]]) -> None:
        """What became of the records."""

    def audiences(self, moved: list[dict[str, Any]]) -> None:
        """What moved in audiences."""

    def causes(self, found: list[Cause]) -> None:
        """Findings with their places."""

    def history(self, steps: list[Step]) -> None:
        """The changes of one record."""


@dataclass(frozen=True)
class Company:
    """The company of a tour.

    Attributes:
        users: how many people it has.
        seed: another seed, another company.
        dirty: the share of records broken on the second day.
        change: the share of people who change until the second day.
    """

    users: int = 5_000
    seed: int = 1
    dirty: float = 0.002
    change: float = 0.01


@dataclass
class Tour:
    """One tour, in a folder of its own."""

    company: Company
    folder: Path
    screen: Screen
    site: Site = field(init=False)

    def __post_init__(self) -> None:
        data_dir = quoted(str(self.folder / "data"))
        text = f"[daemon]\ndata_dir = {data_dir}\n\n[sites.{SITE}]\n\n{CONFIG_SNIPPET.format(site=SITE)}\n{AUDIENCES}"
        (self.folder / "lzsyncd.toml").write_text(text, encoding="utf-8")
        self.site = parse(text).sites[SITE]

    def show(self) -> None:
        """The whole tour."""
        self._first_day()
        self._audiences("People land in audiences and courses, in the same commit")
        result = self._second_day()
        self._audiences("Who changed is in the right courses already")
        with opened(self.site) as database:
            self._findings(database, result)
            self._history(database, result)
        if result.findings:
            self._mended()

    def _first_day(self) -> None:
        self.screen.title("Day one: a company moves in")
        written = self._write("day-1", dirty=0.0, change=0.0)
        self.screen.text(
            f"HR's export has {written.users:,} people in {written.units:,} units and {written.positions:,} positions. "
            "All of it is new:"
        )
        result, seconds = self._sync("day-1")
        self.screen.counts(result.counts)
        self.screen.text(f"Checked, written with its history, and committed at once in {seconds:.1f} s.")

    def _second_day(self) -> Result:
        self.screen.title("Day two: the next export, with some rows broken on purpose")
        written = self._write("day-2", dirty=self.company.dirty, change=self.company.change)
        self.screen.text(
            f"{written.changed:,} people changed, {written.joined:,} joined, {written.left:,} left, and "
            f"{sum(written.broken.values()):,} records are broken. Only what differs is written:"
        )
        result, seconds = self._sync("day-2")
        self.screen.counts(result.counts)
        self.screen.text(f"Done in {seconds:.1f} s. A broken record costs itself and nothing else.")
        if "set.removals_withheld" in result.findings:
            self.screen.text(
                "Those who left stay for now: a record could not be read, and it may be that of anybody whom the file "
                "does not name. They go with the next good file."
            )
        return result

    def _audiences(self, title: str) -> None:
        with opened(self.site) as database:
            moved = summary(database, last_run(database)).audiences
            person = database.value(_WHO_MOVED)
            if moved:
                self.screen.title(title)
                self.screen.audiences(moved)
                why = next(move for move in reversed(moves_of(database, str(person))))
                self.screen.text(f"For example: {person} {why.action} “{why.audience}”, because: {why.reason}.")

    def _write(self, name: str, *, dirty: float, change: float) -> Summary:
        company = self.company
        return write_company(self.folder / name, users=company.users, seed=company.seed, dirty=dirty, change=change)

    def _sync(self, name: str) -> tuple[Result, float]:
        start = perf_counter()
        (result,) = sync_folder(self.site, self.folder / name, Options())
        return result, perf_counter() - start

    def _findings(self, database: Database, result: Result) -> None:
        number = sum(result.findings.values())
        if not number:
            return
        self.screen.title("What was wrong: file, line, column, reason, remedy")
        found = causes(database, result.run, CAUSES)
        self.screen.causes(found)
        if number > len(found):
            self.screen.text(f"These are {len(found)} of {number:,} findings; `lzsyncd errors` lists all.")
        rejects = self.site.outbox / result.run / Element.USER.mended_file_name
        if rejects.is_file():
            self._rejects(rejects)

    def _rejects(self, path: Path) -> None:
        self.screen.title("What HR gets back: the rejected rows, to mend and send again")
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            for row in islice(csv.reader(stream), REJECTS + 1):
                self.screen.quote(f"{','.join(row[:SHOWN])},…,{','.join(row[-len(OWN_COLUMNS) :])}")
        self.screen.text(f"{path.name} in the outbox holds the rows as they came, and why they were rejected.")

    def _history(self, database: Database, result: Result) -> None:
        key = database.value(_WHO, (result.run,))
        if key is None:
            return
        self.screen.title(f"One person's history: lzsyncd history user {key}")
        self.screen.history(list(history(database, Element.USER, str(key))))

    def _mended(self) -> None:
        self.screen.title("An hour later: HR has mended the rows and sends the export again")
        self._write("day-2-mended", dirty=0.0, change=self.company.change)
        result, seconds = self._sync("day-2-mended")
        self.screen.counts(result.counts)
        self.screen.text(f"Done in {seconds:.1f} s. What was right already was not touched.")


_WHO_MOVED = "SELECT idnumber FROM sync_member WHERE run_id = (SELECT max(run_id) FROM sync_member) ORDER BY 1 LIMIT 1"
_WHO = """
SELECT idnumber FROM sync_change WHERE run_id = ? AND element = 'user' AND action = 'updated'
ORDER BY length(after) DESC, id LIMIT 1
"""


@contextmanager
def tour_folder(keep: Path | None) -> Iterator[Path]:
    """A folder for a tour, gone afterwards unless it is to be kept.

    Raises:
        Usage: the folder to keep it in is there already.
    """
    if keep is None:
        with TemporaryDirectory(prefix="lzsyncd-demo-") as folder:
            yield Path(folder)
        return
    try:
        keep.mkdir(parents=True)
    except FileExistsError:
        raise Usage(f"{keep} is there already; name a new folder.") from None
    yield keep.resolve()
