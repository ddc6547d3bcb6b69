"""Records into staging tables: `stage_ELEMENT` holds what may change something, `seen_ELEMENT` every key of the file.

A first load stages every record with its cells in columns ("wide"). A resync stages each record as one joined text and
lets the database find those that differ from what stands (see `sync/compare.py`); only these get columns.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lzsyncd.checks.catalogue import Finding
from lzsyncd.checks.findings import FindingStore
from lzsyncd.checks.values import Rules
from lzsyncd.config import ElementConfig, Site
from lzsyncd.feed.apart import chunks, is_large
from lzsyncd.feed.csvfile import CsvFile, FileRejected
from lzsyncd.feed.elements import COLUMNS, Column, Element, Kind
from lzsyncd.feed.header import Header, read_header
from lzsyncd.feed.newcomers import NOTHING_TOLD, Newcomers, newcomers
from lzsyncd.feed.preparing import Chunk, Recipe
from lzsyncd.progress import Progress
from lzsyncd.zone.database import Database
from lzsyncd.zone.digest import NO_SUMS, Sums


@dataclass
class Staged:
    """One file of the set, staged.

    Attributes:
        element: what it holds.
        config: what the configuration says about the element.
        name: the bare file name; "" when the set has no such file.
        columns: its known columns, without `deleted`.
        has_deleted: whether it has the column `deleted`.
        header: its header as it came.
        mended: it is a reject file that came back: it removes nobody.
        wide: whether every record was staged in columns.
        large: its records are worth more than one process.
        sparse: (wide) names of the columns in which a record has no value; in the others each has one.
        newcomers: how new records of the file are told.
        first_id: the id before those that new records get, in the order of `seq`; known once they are matched.
        alone: nobody stands whom its records could name; known once they are matched.
        told: (wide) how many of its records were told as new ones: all but those that go.
        sums: (wide) of the hashes of what was told.
        records: records read, the spoiled ones included.
        spoiled: records that could not be staged (all have a finding).
        unreadable: records whose key could not be read (law 3).
        usable: False when a fatal finding says that nothing of the set may be applied.
    """

    element: Element
    config: ElementConfig
    name: str = ""
    columns: tuple[Column, ...] = ()
    has_deleted: bool = False
    header: tuple[str, ...] = ()
    mended: bool = False
    wide: bool = True
    large: bool = False
    sparse: set[str] = field(default_factory=set)
    newcomers: Newcomers = NOTHING_TOLD
    first_id: int = 0
    alone: bool = False
    told: int = 0
    sums: Sums = NO_SUMS
    records: int = 0
    spoiled: int = 0
    unreadable: int = 0
    usable: bool = True

    @property
    def present(self) -> bool:
        """Whether the set has a file for this element."""
        return bool(self.name)

    @property
    def names_everybody(self) -> bool:
        """Whether whom the file does not name is gone."""
        return self.present and self.config.contains_all_records and not self.mended

    def column(self, name: str) -> Column | None:
        """The file's column of that name, None when it has none."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def header_json(self) -> str:
        """The header for the ledger."""
        return json.dumps(self.header, ensure_ascii=False)


def watched_columns(columns: Sequence[Column], config: ElementConfig) -> list[Column]:
    """The columns in which no two records may share a value, apart from the key."""
    return [
        column
        for column in columns
        if column.unique
        or column.kind is Kind.USERNAME
        or (column.kind is Kind.EMAIL and not config.allow_duplicate_emails)
    ]


def cell(column: Column) -> str:
    """The staging column of a file's column."""
    return f"c_{column.name}"


HISTORY = ("idnumber", "after", "line")
"""The columns of `sync_change` that differ between the new records of a file."""


def stage_columns(staged: Staged) -> list[str]:
    """The columns of `stage_ELEMENT` that reading fills, in its order."""
    told = ["custom"] if staged.wide else ["custom", "created"]
    return ["line", "record", "seq", "goes", *(cell(column) for column in staged.columns), *told]


@dataclass
class Stager:
    """Reads one file into its staging tables. Findings go to the store as they come up."""

    database: Database
    site: Site
    element: Element
    config: ElementConfig
    findings: FindingStore
    progress: Progress
    run_id: str
    staged: Staged = field(init=False)

    def __post_init__(self) -> None:
        self.staged = Staged(self.element, self.config)

    def absent(self) -> Staged:
        """Empty staging tables: the set has no such file."""
        self._create_tables()
        return self.staged

    def read(self, path: Path, name: str, *, wide: bool, loaded: Callable[[], None] = lambda: None) -> Staged:
        """Stage a file of the set. A fatal finding makes `usable` False; what was readable has been checked.

        Args:
            path: the file.
            name: what it is called.
            wide: stage every record in columns.
            loaded: called whenever some more records are in the tables.
        """
        self.staged.name, self.staged.wide, self.staged.large = name, wide, is_large(path)
        self._loaded = loaded
        self.findings.file = name
        try:
            self._read(path)
        except FileRejected as rejected:
            self._fatal(rejected)
        self.findings.flush()
        self.findings.file = ""
        return self.staged

    def _fatal(self, rejected: FileRejected) -> None:
        self.staged.usable = False
        self.findings.add(
            Finding(
                rejected.code,
                self.element,
                rejected.line,
                column=rejected.column,
                value=rejected.value,
                detail=rejected.detail,
            )
        )

    def _read(self, path: Path) -> None:
        source = CsvFile(path, delimiter=self.config.delimiter, max_size=self.site.max_file_size)
        header = read_header(self.element, source.header, self.config)
        self._apply_header(header)
        self._create_tables()
        if not self.staged.usable:
            return
        for chunk in chunks(self._recipe(path, header)):
            self._write(chunk)
        if not self.staged.records and self.config.contains_all_records and not self.staged.mended:
            raise FileRejected("file.no_records", 1)

    def _recipe(self, path: Path, header: Header) -> Recipe:
        return Recipe(
            path=path,
            delimiter=self.config.delimiter,
            max_size=self.site.max_file_size,
            names=header.names,
            columns=header.columns,
            positions=header.positions,
            key_position=header.key_position,
            rules=self._rules(),
            keeps_empty=self.config.empty == "keep",
            mended=self.staged.mended,
            wide=self.staged.wide,
            watched=tuple(column.name for column in self._suspicious(header)),
            newcomers=self.staged.newcomers,
            dialect=self.database.dialect.name,
        )

    def _rules(self) -> Rules:
        return Rules(
            element=self.element,
            date_formats=self.config.date_formats,
            timezone=self.site.timezone,
            allow_duplicate_emails=self.config.allow_duplicate_emails,
        )

    def _write(self, chunk: Chunk) -> None:
        e, staged, findings = self.element, self.staged, self.findings
        staged.records += chunk.records
        staged.spoiled += chunk.spoiled
        staged.unreadable += chunk.unreadable
        staged.sparse.update(chunk.sparse)
        staged.sums = staged.sums.plus(Sums(*chunk.sums))
        for finding in chunk.findings:
            findings.add(Finding(*finding)._replace(element=e))
        findings.notes(f"present_{e}", chunk.present)
        findings.notes(f"suspect_{e}", chunk.suspects)
        findings.flush()
        if staged.wide:
            staged.told += chunk.told
            self.database.load_packed(f"stage_{e}", stage_columns(staged), chunk.packed)
            same = {"run_id": self.run_id, "element": str(e), "action": "created", "file": staged.name}
            self.database.load_packed("sync_change", HISTORY, chunk.history, same)
        else:
            self.database.load_packed(f"seen_{e}", ["line", "record", "idnumber", "fields"], chunk.packed)
        self._loaded()
        self.progress.read(e, staged.records)

    def _apply_header(self, header: Header) -> None:
        staged = self.staged
        staged.header = header.names
        staged.mended = header.mended or staged.name == self.element.mended_file_name
        staged.columns = tuple(column for column in header.columns if column.kind is not Kind.DELETED)
        staged.has_deleted = len(staged.columns) < len(header.columns)
        staged.newcomers = newcomers(staged.columns, self.config, self._rules())
        for finding in header.findings:
            self.findings.add(finding)
            staged.usable = staged.usable and not finding.code.startswith("file.header")

    def _suspicious(self, header: Header) -> list[Column]:
        keys = [column for column in header.columns if column.kind is Kind.KEY]
        return keys + (watched_columns(header.columns, self.config) if self.staged.wide else [])

    def _create_tables(self) -> None:
        e, staged = self.element, self.staged
        cells = "".join(f", {cell(column)} TEXT" for column in staged.columns or COLUMNS[e][:1])
        line = self.database.dialect.line
        own = f"{line}, record INTEGER, seq INTEGER, copy INTEGER DEFAULT 0, goes INTEGER"
        database, wide = self.database, staged.wide
        database.table(f"stage_{e}", f"{own}{cells}, custom TEXT, created TEXT", large=staged.large and wide)
        seen = f"{line}, record INTEGER, idnumber TEXT, fields TEXT"
        database.table(f"seen_{e}", seen, large=staged.large and not wide)
        database.table(f"suspect_{e}", "column_name TEXT, value TEXT")
        database.table(f"present_{e}", "line INTEGER, record INTEGER, idnumber TEXT")
