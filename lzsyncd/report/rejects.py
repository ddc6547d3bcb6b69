"""The reject files: rejected records as they came, with what is wrong, to be mended and dropped again.

Cells that a spreadsheet would run as a formula get an apostrophe in front (CWE-1236); reading them back takes it away.
"""

import csv
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lzsyncd.config import Site
from lzsyncd.feed.csvfile import CsvFile, FileRejected
from lzsyncd.feed.elements import OWN_PREFIX, Element
from lzsyncd.feed.formulas import disarm, rearm
from lzsyncd.zone.database import Database

if TYPE_CHECKING:
    from _csv import Writer as _Writer

OWN_COLUMNS = ("lz_line", "lz_column", "lz_code", "lz_message")
BLOCK = 5_000


class Told(NamedTuple):
    """What is wrong with one record."""

    line: int
    columns: str
    codes: str
    messages: str


def write_rejects(database: Database, site: Site, run_id: str, element: Element, source: Path, target: Path) -> int:
    """Write the rejected records of one file, in the order of the file.

    Returns:
        How many there are; without any no file is written.
    """
    errors = _errors(database, run_id, element)
    first = next(errors, None)
    if first is None:
        return 0
    config = site.element(element)
    reader = CsvFile(source, delimiter=config.delimiter, max_size=site.max_file_size)
    kept = [at for at, name in enumerate(reader.header) if not name.casefold().startswith(OWN_PREFIX)]
    with target.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream, delimiter=config.delimiter, lineterminator="\r\n")
        writer.writerow([*(disarm(reader.header[at]) for at in kept), *OWN_COLUMNS])
        return _merge(writer, reader, kept, first, errors)


def _merge(writer: "_Writer", reader: CsvFile, kept: list[int], told: Told | None, errors: Iterator[Told]) -> int:
    number = 0
    mended = len(kept) < len(reader.header)
    for line, cells in _records(reader):
        while told is not None and told.line < line:
            told = next(errors, None)
        if told is None:
            break
        if told.line == line:
            row = [cells[at] if at < len(cells) else "" for at in kept] + cells[len(reader.header) :]
            row = [disarm(rearm(text) if mended else text) for text in row]
            writer.writerow([*row, told.line, told.columns, told.codes, told.messages])
            number += 1
    return number


def _records(reader: CsvFile) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every record, the spoiled ones included, in the order of the file."""
    try:
        for batch in reader.batches():
            spoiled = [(record.line, record.cells) for record in batch.spoiled]
            yield from sorted([*zip(batch.lines, batch.rows, strict=True), *spoiled], key=lambda record: record[0])
    except FileRejected:
        return  # a truncated file: what was read before its last record has been told


def _errors(database: Database, run_id: str, element: Element) -> Iterator[Told]:
    """What is wrong, record by record, in the order of the lines."""
    for line, found in groupby(_rows(database, run_id, element), key=lambda row: row[0]):
        findings = list(found)
        yield Told(
            line,
            ", ".join(dict.fromkeys(str(f[1]) for f in findings if f[1])),
            ", ".join(dict.fromkeys(str(f[2]) for f in findings)),
            " ".join(dict.fromkeys(str(f[3]) for f in findings)),
        )


def _rows(database: Database, run_id: str, element: Element) -> Iterator[tuple[int, str, str, str]]:
    after = (0, 0)
    query = (
        "SELECT line, column_name, code, message, id FROM sync_error WHERE run_id = ? AND element = ? "
        f"AND severity = 'error' AND (line > ? OR (line = ? AND id > ?)) ORDER BY line, id LIMIT {BLOCK}"
    )
    while rows := database.rows(query, (run_id, element, after[0], after[0], after[1])):
        yield from ((row[0], row[1], row[2], row[3]) for row in rows)
        after = (rows[-1][0], rows[-1][4])
