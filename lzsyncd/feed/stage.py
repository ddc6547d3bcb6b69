"""Records into staging tables: `stage_ELEMENT` holds what may change something, `seen_ELEMENT` every key of the file.

A first load stages every record with its cells in columns ("wide"). A resync stages each record as one joined text and
lets the database find those that differ from what stands (see `sync/compare.py`); only these get columns.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path

from lzsyncd.checks.catalogue import Finding, shorten
from lzsyncd.checks.findings import FindingStore
from lzsyncd.checks.values import DROPPED, Rules, ValueCheck, fold
from lzsyncd.config import ElementConfig, Site
from lzsyncd.feed.csvfile import Batch, CsvFile, FileRejected, Spoiled
from lzsyncd.feed.elements import COLUMNS, Column, Element, Home, Kind
from lzsyncd.feed.formulas import rearm
from lzsyncd.feed.header import Header, read_header
from lzsyncd.feed.suspects import Suspects
from lzsyncd.progress import Progress
from lzsyncd.zone.database import Database
from lzsyncd.zone.dialect import UNIT_SEPARATOR

BATCHES_PER_LOAD = 48  # of some 400 records: each load is a statement of its own


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


@dataclass
class Stager:
    """Reads one file into its staging tables. Findings go to the store as they come up."""

    database: Database
    site: Site
    element: Element
    config: ElementConfig
    findings: FindingStore
    progress: Progress
    staged: Staged = field(init=False)

    def __post_init__(self) -> None:
        self.staged = Staged(self.element, self.config)

    def absent(self) -> Staged:
        """Empty staging tables: the set has no such file."""
        self._create_tables()
        return self.staged

    def read(self, path: Path, name: str, *, wide: bool) -> Staged:
        """Stage a file of the set. A fatal finding makes `usable` False; what was readable has been checked."""
        self.staged.name, self.staged.wide = name, wide
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
        source.key_position = header.key_position
        self._create_tables()
        if not self.staged.usable:
            return
        rules = Rules(
            element=self.element,
            date_formats=self.config.date_formats,
            timezone=self.site.timezone,
            allow_duplicate_emails=self.config.allow_duplicate_emails,
        )
        check = ValueCheck(rules, header.columns, header.positions)
        suspects = {column.name: Suspects.sized_for(path) for column in self._suspicious(header)}
        self._stage(source.batches(), check, header, suspects)
        if not self.staged.records and self.config.contains_all_records and not self.staged.mended:
            raise FileRejected("file.no_records", 1)

    def _apply_header(self, header: Header) -> None:
        staged = self.staged
        staged.header = header.names
        staged.mended = header.mended or staged.name == self.element.mended_file_name
        staged.columns = tuple(column for column in header.columns if column.kind is not Kind.DELETED)
        staged.has_deleted = len(staged.columns) < len(header.columns)
        for finding in header.findings:
            self.findings.add(finding)
            staged.usable = staged.usable and not finding.code.startswith("file.header")

    def _suspicious(self, header: Header) -> list[Column]:
        keys = [column for column in header.columns if column.kind is Kind.KEY]
        return keys + (watched_columns(header.columns, self.config) if self.staged.wide else [])

    def _create_tables(self) -> None:
        e = self.element
        cells = "".join(f", {cell(column)} TEXT" for column in self.staged.columns or COLUMNS[e][:1])
        own = "line INTEGER PRIMARY KEY" if self.database.dialect.name == "sqlite" else "line INTEGER"
        for name, columns in (
            (f"stage_{e}", f"{own}, record INTEGER, seq INTEGER, copy INTEGER DEFAULT 0, goes INTEGER{cells}"),
            (f"seen_{e}", f"{own}, record INTEGER, idnumber TEXT, fields TEXT"),
            (f"suspect_{e}", "column_name TEXT, value TEXT"),
            (f"present_{e}", "line INTEGER, record INTEGER, idnumber TEXT"),
        ):
            self.database.table(name, columns)

    def _stage(
        self, batches: Iterator[Batch], check: ValueCheck, header: Header, suspects: dict[str, Suspects]
    ) -> None:
        names = [column.name for column in header.columns]
        pending: list[Iterator[Sequence[object]]] = []
        for batch in batches:
            self._spoil(batch.spoiled, header)
            self.staged.records += len(batch.rows) + len(batch.spoiled)
            if batch.rows:
                pending.append(self._rows(self._as_meant(batch), check, names, suspects))
            if len(pending) >= BATCHES_PER_LOAD:
                self._load(pending)
        self._load(pending)

    def _as_meant(self, batch: Batch) -> Batch:
        """In a reject file that came back, cells were disarmed against spreadsheets."""
        if not self.staged.mended:
            return batch
        return batch._replace(rows=[[rearm(text) for text in row] for row in batch.rows], clean=False)

    def _load(self, pending: list[Iterator[Sequence[object]]]) -> None:
        e = self.element
        if self.staged.wide:
            columns = ["line", "record", "seq", "goes", *(cell(column) for column in self.staged.columns)]
            self.database.load(f"stage_{e}", columns, chain.from_iterable(pending))
        else:
            self.database.load(f"seen_{e}", ["line", "record", "idnumber", "fields"], chain.from_iterable(pending))
        pending.clear()
        self.findings.flush()
        self.progress.read(e, self.staged.records)

    def _rows(
        self, batch: Batch, check: ValueCheck, names: list[str], suspects: dict[str, Suspects]
    ) -> Iterator[Sequence[object]]:
        """The staging rows of a batch: lazily zipped columns."""
        checked = check(batch.lines, batch.numbers, batch.rows, batch.clean)
        for finding in checked.findings:
            self.findings.add(finding)
        lines, numbers, columns = batch.lines, batch.numbers, [list(c) for c in checked.columns]
        if checked.unreadable_keys:
            drop = set(checked.unreadable_keys)
            self.staged.unreadable += len(drop)
            self.staged.spoiled += len(drop)
            keep = [i for i in range(len(lines)) if i not in drop]
            lines, numbers = [lines[i] for i in keep], [numbers[i] for i in keep]
            columns = [[column[i] for i in keep] for column in columns]
        by_name = dict(zip(names, columns, strict=True))
        self._suspect(by_name, suspects)
        goes = by_name.pop("deleted", None)
        if checked.findings or (goes and "1" in goes):
            by_name = {name: self._emptied(column) for name, column in by_name.items()}
        # the columns are of one length; `marks` may be endless
        places, order, marks = [*map(str, lines)], [*map(str, numbers)], goes or repeat("0")
        if self.staged.wide:
            return zip(places, order, order, marks, *by_name.values())
        fields = map(UNIT_SEPARATOR.join, zip(marks, *by_name.values()))
        return zip(places, order, by_name["idnumber"], fields)

    def _emptied(self, column: list[str]) -> list[str]:
        """Under `empty = "keep"` a dropped cell and an empty one say the same: nothing."""
        if self.config.empty == "keep" and DROPPED in column:
            return ["" if text == DROPPED else text for text in column]
        return column

    def _suspect(self, columns: dict[str, list[str]], suspects: dict[str, Suspects]) -> None:
        for name, seen in suspects.items():
            values = map(fold, columns[name]) if name == "email" else columns[name]
            for value in seen.again(values):
                self.findings.note(f"suspect_{self.element}", (name, value))

    def _spoil(self, spoiled: Sequence[Spoiled], header: Header) -> None:
        for record in spoiled:
            self.staged.spoiled += 1
            self.staged.unreadable += not record.key_readable
            self.findings.add(self._spoiled_finding(record, header))
            if record.key_readable:
                self.findings.note(
                    f"present_{self.element}", (record.line, record.number, self._key_of(record, header))
                )

    def _key_of(self, record: Spoiled, header: Header) -> str:
        return record.cells[header.key_position].strip()

    def _spoiled_finding(self, record: Spoiled, header: Header) -> Finding:
        at = record.position
        return Finding(
            record.code,
            self.element,
            record.line,
            record.number,
            self._key_of(record, header) if record.key_readable else "",
            self._column_name(at, header),
            shorten(record.cells[at].strip()) if 0 <= at < len(record.cells) else "",
            record.detail,
        )

    @staticmethod
    def _column_name(position: int, header: Header) -> str:
        """Our name of the column where we know it, else the header's."""
        for column, at in zip(header.columns, header.positions, strict=True):
            if at == position:
                return column.name
        return shorten(header.names[position]) if 0 <= position < len(header.names) else ""


def custom_columns(columns: Sequence[Column]) -> list[Column]:
    """The custom fields among the columns."""
    return [column for column in columns if column.home is Home.CUSTOM]
