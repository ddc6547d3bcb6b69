"""Rows that change are written once each, and leave alone the indexes of what stays the same.

SQLite takes a row out of every index that has a column which a statement sets, and puts it back, also where the value
is the same: ten thousand people who change were written to thirty thousand pages of indexes.
"""

import re
from collections.abc import Sequence

from lzsyncd.sync.fields import Field
from lzsyncd.sync.picture import Picture
from lzsyncd.zone.database import Database


def find_values(picture: Picture, table: str, row: str, fields: Sequence[Field], source: str, **also: str) -> None:
    """Fill `next_TABLE` with the rows of a table that change: what they will hold, and which indexes that moves.

    Args:
        picture: what the run works on.
        table: of the zone.
        row: SQL of a row's id.
        fields: those that are columns of the table.
        source: SQL of who changes: what follows the FROM.
        also: SQL of what more columns will hold in each of these rows.
    """
    database = picture.database
    indexed = _indexed(database, table)
    moved = [f"CASE WHEN {f.changed} THEN '{f.column} ' ELSE '' END" for f in fields if f.column in indexed]
    columns = {"id": row, "moved": " || ".join(moved) or "''"} | {f.column: f.value for f in fields} | also
    values = ", ".join(f"{value} AS {column}" for column, value in columns.items())
    database.table_of(f"next_{table}", f"SELECT {values} FROM {source}")


def rewrite(picture: Picture, table: str, columns: Sequence[str], **constant: str) -> None:
    """Write what `find_values` found.

    Args:
        picture: what the run works on.
        table: of the zone.
        columns: those that were found.
        constant: SQL of what more columns will hold, the same in each row.
    """
    database = picture.database
    indexed = _indexed(database, table)
    for (moved,) in database.rows(f"SELECT DISTINCT moved FROM next_{table}"):
        written = {c: f"n.{c}" for c in columns if c not in indexed or c in moved.split()} | constant
        if written:
            sets = ", ".join(f"{column} = {value}" for column, value in written.items())
            database.run(
                f"UPDATE {table} SET {sets} FROM next_{table} n WHERE n.id = {table}.id AND n.moved = ?", (moved,)
            )


def _indexed(database: Database, table: str) -> set[str]:
    """The columns that any index has, its condition included; other words, too."""
    definitions = database.rows(database.dialect.index_definitions(table))
    return {word for _, definition in definitions for word in re.findall(r"\w+", definition)}
