"""One file into chunks that only have to be written: read, checked, put into columns. No database here.

It is most of the work of a run that is not the database's, and needs nothing of the run but its rules; so it may be
done in a process of its own, beside the database (see `feed/apart.py`).
"""

import marshal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress, repeat
from pathlib import Path
from typing import Any, NamedTuple

from lzsyncd.checks.catalogue import Finding, shorten
from lzsyncd.checks.values import DROPPED, Checked, Rules, ValueCheck, fold
from lzsyncd.feed.csvfile import Batch, CsvFile, FileRejected, Spoiled
from lzsyncd.feed.elements import Column, has_custom
from lzsyncd.feed.formulas import rearm
from lzsyncd.feed.newcomers import Newcomers, told
from lzsyncd.feed.suspects import Suspects
from lzsyncd.zone.dialect import UNIT_SEPARATOR
from lzsyncd.zone.digest import NO_SUMS, sums_of
from lzsyncd.zone.packing import PACKERS, Columns, Packed

BATCHES_PER_CHUNK = 8  # of some 400 records: about half a mebibyte of text


@dataclass(frozen=True)
class Recipe:
    """How a file is read; plain data that can be sent to another process.

    Attributes:
        path: where the file is.
        delimiter: between cells.
        max_size: bytes the file may have.
        names: the header's names.
        columns: the known columns whose cells are read.
        positions: where each of them stands in a row.
        key_position: where the key stands in a row.
        rules: for the cells.
        keeps_empty: an empty cell says nothing.
        mended: it is a reject file that came back: cells were disarmed against spreadsheets.
        wide: stage every cell in a column of its own, else all joined.
        watched: names of the columns of which repeated values are noted.
        newcomers: how records are told that are new, and what their `custom` is.
        dialect: whose database the chunks are packed for.
    """

    path: Path
    delimiter: str
    max_size: int
    names: tuple[str, ...]
    columns: tuple[Column, ...]
    positions: tuple[int, ...]
    key_position: int
    rules: Rules
    keeps_empty: bool
    mended: bool
    wide: bool
    watched: tuple[str, ...]
    newcomers: Newcomers
    dialect: str


class Chunk(NamedTuple):
    """Some records, ready to be written.

    Attributes:
        records: how many were read, the spoiled ones included.
        spoiled: how many could not be staged.
        unreadable: how many of those had no readable key (law 3).
        findings: what is wrong, as plain tuples of `Finding`.
        present: (line, record, key) of the spoiled records whose key could be read.
        suspects: (column, value) of values that may be there twice.
        sparse: (wide) names of the columns in which a record has no value.
        sums: (wide) of the hashes of what is told of the records, but for those that go.
        packed: the rows of the staging table, as the dialect packs them.
        told: (wide) how many rows of history there are.
        history: (wide) the rows of history: key, object, line.
    """

    records: int
    spoiled: int
    unreadable: int
    findings: list[tuple[Any, ...]]
    present: list[tuple[int, int, str]]
    suspects: list[tuple[str, str]]
    sparse: list[str]
    sums: tuple[int, int]
    packed: list[Packed]
    told: int
    history: list[Packed]

    def to_bytes(self) -> bytes:
        """For the way between processes."""
        return marshal.dumps(tuple(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> "Chunk":
        """What `to_bytes` made; never for data of anybody else."""
        return cls(*marshal.loads(data))  # noqa: S302 only our own process's messages come here


def prepare(recipe: Recipe) -> Iterator[Chunk]:
    """The chunks of a file, in its order.

    Raises:
        FileRejected: as `CsvFile` says, behind the chunk with what was read before.
    """
    source = CsvFile(recipe.path, delimiter=recipe.delimiter, max_size=recipe.max_size)
    source.key_position = recipe.key_position
    preparer = _Preparer(recipe)
    try:
        for number, batch in enumerate(source.batches(), start=1):
            preparer.take(batch)
            if not number % BATCHES_PER_CHUNK:
                yield preparer.chunk()
    except FileRejected:
        yield preparer.chunk()  # all findings are told in one pass, also those before the end that is missing
        raise
    yield preparer.chunk()


@dataclass
class _Preparer:
    """Takes batches and gives chunks."""

    recipe: Recipe
    _check: ValueCheck = field(init=False)

    def __post_init__(self) -> None:
        recipe = self.recipe
        self._check = ValueCheck(recipe.rules, recipe.columns, recipe.positions)
        self._names = [column.name for column in recipe.columns]
        self._longest_key = recipe.columns[recipe.positions.index(recipe.key_position)].limit
        self._suspects = {name: Suspects.sized_for(recipe.path) for name in recipe.watched}
        self._packer = PACKERS[recipe.dialect]
        # a record in normal form is then joined by its delimiters alone
        self._has_custom = has_custom(recipe.columns)
        self._as_it_stands = recipe.positions == tuple(range(len(recipe.names))) and "deleted" not in self._names
        self._start()

    def _start(self) -> None:
        self._records = self._spoiled = self._unreadable = 0
        self._findings: list[tuple[Any, ...]] = []
        self._present: list[tuple[int, int, str]] = []
        self._seen_again: list[tuple[str, str]] = []
        self._sparse: dict[str, None] = {}
        self._sums = NO_SUMS
        self._packed: list[Packed] = []
        self._told = 0
        self._history: list[Packed] = []

    def chunk(self) -> Chunk:
        """What was taken since the last one."""
        chunk = Chunk(
            self._records,
            self._spoiled,
            self._unreadable,
            self._findings,
            self._present,
            self._seen_again,
            list(self._sparse),
            (self._sums.first, self._sums.second),
            self._packed,
            self._told,
            self._history,
        )
        self._start()
        return chunk

    def take(self, batch: Batch) -> None:
        """Take the next records."""
        self._spoil(batch.spoiled)
        self._records += len(batch.lines) + len(batch.spoiled)
        if batch.lines:
            self._packed.append(self._packer(self._columns(self._as_meant(batch))))

    def _as_meant(self, batch: Batch) -> Batch:
        if not self.recipe.mended:
            return batch
        return batch._replace(cells=[*map(rearm, batch.cells)], clean=False, texts=[])

    def _columns(self, batch: Batch) -> Columns:
        """The columns of the staging table, of one length."""
        checked = self._check(batch.lines, batch.numbers, batch.cells, batch.clean, batch.longest)
        self._findings += map(_plain, checked.findings)
        lines, numbers, columns = batch.lines, batch.numbers, checked.columns
        if checked.unreadable_keys:
            lines, numbers, columns = self._without(checked, batch)
        by_name = dict(zip(self._names, columns, strict=True))
        self._suspect(by_name)
        goes = by_name.pop("deleted", None)
        if checked.findings or (goes and "1" in goes):
            by_name = {name: self._emptied(column) for name, column in by_name.items()}
        places, order = [*map(str, lines)], [*map(str, numbers)]
        marks = goes or ["0"] * len(places)
        if self.recipe.wide:
            self._sparse |= {name: None for name, column in by_name.items() if "" in column or DROPPED in column}
            self._tell(marks, places, by_name)
            customs = self.recipe.newcomers.customs(by_name, len(places))
            return [places, order, order, marks, *by_name.values(), customs]
        if self._as_it_stands and checked.as_written and not checked.findings and batch.texts:
            fields = self._joined_lines(batch)
        else:
            fields = [*map(UNIT_SEPARATOR.join, zip(marks, *by_name.values(), strict=True))]
        if self._has_custom:  # first: compared with what stands, it is then a part of one text that begins alike
            customs = self.recipe.newcomers.customs(by_name, len(places))
            fields = [*map(UNIT_SEPARATOR.join, zip(customs, fields, strict=True))]
        return [places, order, by_name["idnumber"], fields]

    def _tell(self, marks: list[str], lines: list[str], by_name: dict[str, list[str]]) -> None:
        """The rows of history of those who do not go, as if all were accepted and their links held."""
        recipe, keys = self.recipe, by_name["idnumber"]
        objects = recipe.newcomers.history(by_name, len(marks))
        if "1" in marks:
            stays = [mark == "0" for mark in marks]
            keys, objects, lines = ([*compress(texts, stays)] for texts in (keys, objects, lines))
        self._sums = self._sums.plus(sums_of(told(recipe.rules.element, keys, objects)))
        self._told += len(keys)
        self._history.append(self._packer([keys, objects, lines]))

    def _joined_lines(self, batch: Batch) -> list[str]:
        """`0` for a record that does not go, and its cells: the lines with another delimiter."""
        head = f"0{UNIT_SEPARATOR}"
        text = f"\n{head}".join(batch.texts).replace(self.recipe.delimiter, UNIT_SEPARATOR)
        fields = f"{head}{text}".split("\n")
        if head in fields:  # records with quotes have no line of their own
            for at, joined in enumerate(fields):
                if joined == head:
                    fields[at] += UNIT_SEPARATOR.join(batch.cells[at * batch.width : (at + 1) * batch.width])
        return fields

    def _without(self, checked: Checked, batch: Batch) -> tuple[list[int], list[int], list[list[str]]]:
        """The batch without the records whose keys can't be read."""
        drop = set(checked.unreadable_keys)
        self._unreadable += len(drop)
        self._spoiled += len(drop)
        keep = [at for at in range(len(batch.lines)) if at not in drop]
        columns = [[column[at] for at in keep] for column in checked.columns]
        return [batch.lines[at] for at in keep], [batch.numbers[at] for at in keep], columns

    def _emptied(self, column: list[str]) -> list[str]:
        """Under `empty = "keep"` a dropped cell and an empty one say the same: nothing."""
        if self.recipe.keeps_empty and DROPPED in column:
            return ["" if text == DROPPED else text for text in column]
        return column

    def _suspect(self, columns: dict[str, list[str]]) -> None:
        for name, seen in self._suspects.items():
            values = [*map(fold, columns[name])] if name == "email" else columns[name]
            self._seen_again += zip(repeat(name), seen.again(values))

    def _spoil(self, spoiled: Sequence[Spoiled]) -> None:
        for record in spoiled:
            self._spoiled += 1
            key = self._key_of(record)
            self._unreadable += not key
            self._findings.append(_plain(self._finding(record, key)))
            if key:
                self._present.append((record.line, record.number, key))

    def _key_of(self, record: Spoiled) -> str:
        """The key of a record, "" where it is not known: too long a one is no key, and may be meant to be any."""
        key = record.cells[self.recipe.key_position].strip() if record.key_readable else ""
        return key if len(key) <= self._longest_key else ""

    def _finding(self, record: Spoiled, key: str) -> Finding:
        at = record.position
        return Finding(
            record.code,
            self.recipe.rules.element,
            record.line,
            record.number,
            key,
            self._column_name(at),
            shorten(record.cells[at].strip()) if 0 <= at < len(record.cells) else "",
            record.detail,
        )

    def _column_name(self, position: int) -> str:
        """Our name of the column where we know it, else the header's."""
        recipe = self.recipe
        if position in recipe.positions:
            return recipe.columns[recipe.positions.index(position)].name
        return shorten(recipe.names[position]) if 0 <= position < len(recipe.names) else ""


def _plain(finding: Finding) -> tuple[Any, ...]:
    """A finding of exact strings and numbers, which is what can be sent; the element is known at the other end."""
    return tuple(finding._replace(element=None))
