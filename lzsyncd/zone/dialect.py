"""Where SQLite and PostgreSQL differ. Everything else in lzsyncd is one SQL for both.

The common subset is that of SQLite ≥ 3.40 and PostgreSQL ≥ 15: `UPDATE … FROM`, recursive CTEs, `IS DISTINCT FROM`,
`TRUE`/`FALSE`, partial and expression indexes, `->` and `->>` on JSON. Placeholders are written `?`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, Protocol

from lzsyncd.zone.digest import NO_SUMS, Sums, sums_of
from lzsyncd.zone.packing import Packed, behind, copy_blocks, rows_of

Row = tuple[Any, ...]

BATCH = 2_000  # rows fetched at a time; a few hundred KiB

UNIT_SEPARATOR = "\x1f"  # joins the cells of a staged record; refused inside cells (`record.control`)
STEPS = 1_000_000  # of SQLite's machine between two questions whether to go on: some hundredths of a second
CANCEL = 5.0  # seconds for which a server may think about ending a statement
MAX_ARGUMENTS = 90  # of an SQLite function, which takes 100


def literal(text: str) -> str:
    """A text as SQL says it."""
    return "'" + text.replace("'", "''") + "'"


class Dialect(Protocol):
    """What the engine needs from a database beyond plain SQL."""

    name: str
    staging_is_private: bool
    """Every staging table is seen by its connection alone, and gone with it. Who may make no others asks for that."""
    line: str
    """How a large staging table declares its line. SQLite's row id costs nothing, an index on PostgreSQL comes last."""
    compares_by_the_way: bool
    """Comparing a file piece by piece while it is loaded takes no longer than all at once."""
    seeks_by_index: bool
    """Two large tables are joined by an index only: there is no hash join."""

    def begin(self, *, looking: bool = False) -> str:
        """Open the run's one transaction, or one that only looks: everything in it sees one snapshot."""

    def watch(self, connection: Any, is_over: Callable[[], bool]) -> None:
        """From now on ask during statements whether they are to be ended."""

    def cancel(self, connection: Any) -> None:
        """End the statement that is under way; called by the handler of a signal, in the middle of it."""

    def read_only(self) -> str:
        """From now on this connection changes nothing."""

    def statement(self, text: str) -> str:
        """The text with this driver's placeholders."""

    def temporary(self, name: str, columns: str, *, large: bool) -> str:
        """Make a staging table, gone with the transaction or connection; `large`: queries may read it in parallel."""

    def select_into(self, name: str, query: str, *, large: bool) -> str:
        """Make a staging table of a query's rows."""

    def load(self, connection: Any, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Write many rows of text and integers into a staging table."""

    def load_packed(
        self, connection: Any, table: str, columns: Sequence[str], packed: Sequence[Packed], same: Mapping[str, str]
    ) -> None:
        """Write rows that the dialect's packer (`zone/packing.py`) has prepared, perhaps in another process.

        `same` has more columns, each with the one value it has in all rows: they need no packing and no sending.
        """

    def stream(self, connection: Any, query: str, parameters: Sequence[Any]) -> Iterator[Row]:
        """The rows of a query without holding them all. Nothing else may run on the connection meanwhile."""

    def joined(self, expressions: Sequence[str]) -> str:
        """One text of all expressions, NULL as '', with `UNIT_SEPARATOR` between them."""

    def begins(self, text: str, start: str) -> str:
        """Whether a text begins with another."""

    def member(self, document: str, name: str, *, raw: bool) -> str:
        """A member of the JSON object `custom` as text: a string's characters, or with `raw` its JSON text."""

    def merged(self, document: str, patch: str) -> str:
        """A JSON object with another's members put over it; null takes a member away (RFC 7396, flat)."""

    def quoted(self, text: str) -> str:
        """A text expression as a JSON string."""

    def packed_row(self, columns: Sequence[str], alias: str) -> str:
        """Some columns of a row as one JSON text, from which `unpacked` gets exactly the same values back."""

    def unpacked(self, text: str, table: str, columns: Sequence[str]) -> tuple[list[str], str]:
        """What `packed_row` packed: (an expression for each column, a join they need after the FROM)."""

    def place(self, text: str, sought: str) -> str:
        """Where a text begins in another one, from 1; 0 where it does not."""

    def behind(self, columns: Sequence[str]) -> str:
        """Rows behind one in an index, a `?` for each column; at least those that differ only in the last of them."""

    def octets(self, text: str) -> str:
        """The length of a text in bytes."""

    def last_id(self, table: str) -> str:
        """A query for the last id ever given in a table."""

    def advance_ids(self, table: str) -> str:
        """A statement after ids were given explicitly, so that none is given twice ("" where none is needed)."""

    def index_definitions(self, table: str) -> str:
        """A query for (name, statement) of the secondary indexes of a table."""

    def sums(self, connection: Any, query: str, parameters: Sequence[Any]) -> Sums:
        """Two sums of hashes of the rows of a one-column query, as `sums_of` makes them."""


class SQLite:
    """SQLite ≥ 3.40 through the standard library."""

    name = "sqlite"
    staging_is_private = True
    line = "line INTEGER PRIMARY KEY"
    compares_by_the_way = True
    seeks_by_index = True

    def begin(self, *, looking: bool = False) -> str:
        """IMMEDIATE: a deferred transaction that reads first fails at its first write under a second writer."""
        return "BEGIN" if looking else "BEGIN IMMEDIATE"

    def watch(self, connection: Any, is_over: Callable[[], bool]) -> None:
        """By the way Python gets a chance to run handlers of signals, which otherwise wait for the statement's end."""
        connection.set_progress_handler(is_over, STEPS)

    def cancel(self, connection: Any) -> None:
        """It is asked for (see `watch`)."""

    def read_only(self) -> str:
        return "PRAGMA query_only = on"

    def statement(self, text: str) -> str:
        return text

    def temporary(self, name: str, columns: str, *, large: bool) -> str:  # noqa: ARG002 nothing is read in parallel
        return f"CREATE TEMP TABLE {name} ({columns})"

    def select_into(self, name: str, query: str, *, large: bool) -> str:  # noqa: ARG002 as above
        return f"CREATE TEMP TABLE {name} AS {query}"

    def load(self, connection: Any, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        self._insert(connection, table, columns, ["?"] * len(columns), rows)

    def load_packed(
        self, connection: Any, table: str, columns: Sequence[str], packed: Sequence[Packed], same: Mapping[str, str]
    ) -> None:
        """Values that are the same stand in the statement: there is less to bind."""
        values = ["?"] * len(columns) + [literal(text) for text in same.values()]
        self._insert(connection, table, [*columns, *same], values, chain.from_iterable(map(rows_of, packed)))

    @staticmethod
    def _insert(
        connection: Any, table: str, columns: Sequence[str], values: Sequence[str], rows: Iterable[Sequence[Any]]
    ) -> None:
        connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(values)})", rows)

    def stream(self, connection: Any, query: str, parameters: Sequence[Any]) -> Iterator[Row]:
        yield from connection.execute(query, parameters)

    def joined(self, expressions: Sequence[str]) -> str:
        """`printf` joins faster than `||` (measured: 1.5 s against 2.6 s a million rows), and reads NULL as ''."""
        parts = []
        for start in range(0, len(expressions), MAX_ARGUMENTS):
            some = expressions[start : start + MAX_ARGUMENTS]
            parts.append(f"printf('{UNIT_SEPARATOR.join(['%s'] * len(some))}', {', '.join(some)})")
        return f" || '{UNIT_SEPARATOR}' || ".join(parts)

    def begins(self, text: str, start: str) -> str:
        return f"(instr({text}, {start}) = 1)"

    def member(self, document: str, name: str, *, raw: bool) -> str:
        return f"({document} {'->' if raw else '->>'} '{name}')"

    def merged(self, document: str, patch: str) -> str:
        return f"json_patch({document}, {patch})"

    def quoted(self, text: str) -> str:
        return f"json_quote({text})"

    def packed_row(self, columns: Sequence[str], alias: str) -> str:
        pairs = ", ".join(f"'{name}', {alias}.{name}" for name in columns)
        return f"json_object({pairs})"

    def unpacked(self, text: str, table: str, columns: Sequence[str]) -> tuple[list[str], str]:  # noqa: ARG002
        return [f"({text} ->> '{name}')" for name in columns], ""

    def place(self, text: str, sought: str) -> str:
        return f"instr({text}, {sought})"

    def behind(self, columns: Sequence[str]) -> str:
        return " AND ".join([*(f"{name} = ?" for name in columns[:-1]), f"{columns[-1]} > ?"])

    def octets(self, text: str) -> str:
        return f"length(CAST({text} AS BLOB))"

    def last_id(self, table: str) -> str:
        return f"SELECT seq FROM sqlite_sequence WHERE name = '{table}'"

    def advance_ids(self, table: str) -> str:  # noqa: ARG002 AUTOINCREMENT follows explicit ids by itself
        return ""

    def index_definitions(self, table: str) -> str:
        return f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = '{table}' AND sql IS NOT NULL"

    def sums(self, connection: Any, query: str, parameters: Sequence[Any]) -> Sums:
        sums = NO_SUMS
        cursor = connection.execute(query, parameters)
        while rows := cursor.fetchmany(BATCH):
            sums = sums.plus(sums_of(text for (text,) in rows))
        return sums


class PostgreSQL:
    """PostgreSQL ≥ 15 through psycopg 3."""

    name = "postgresql"
    staging_is_private = False
    line = "line INTEGER"
    compares_by_the_way = False
    seeks_by_index = False

    def begin(self, *, looking: bool = False) -> str:  # noqa: ARG002 whoever looks keeps nobody waiting here
        return "BEGIN ISOLATION LEVEL REPEATABLE READ"

    def watch(self, connection: Any, is_over: Callable[[], bool]) -> None:
        """The server is told (see `cancel`)."""

    def cancel(self, connection: Any) -> None:
        """Over a connection of its own. Where none can be had the statement will say so itself."""
        with suppress(Exception):
            connection.cancel_safe(timeout=CANCEL)

    def read_only(self) -> str:
        return "SET default_transaction_read_only = on"

    def statement(self, text: str) -> str:
        return text.replace("%", "%%").replace("?", "%s")

    def temporary(self, name: str, columns: str, *, large: bool) -> str:
        collated = columns.replace("TEXT", 'TEXT COLLATE "C"')
        return f"CREATE {self._kind(large)} TABLE {name} ({collated})"

    def select_into(self, name: str, query: str, *, large: bool) -> str:
        """The one way in which a query that writes may read in parallel."""
        return f"CREATE {self._kind(large)} TABLE {name} AS {query}"

    def _kind(self, large: bool) -> str:
        """Only UNLOGGED may be read in parallel, but making one costs the disk up to four syncs, and TEMP none.

        Measured, a thousand people of whom nobody changes: 158 syncs a run against 3.
        """
        return "UNLOGGED" if large and not self.staging_is_private else "TEMP"

    def load(self, connection: Any, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for block in copy_blocks(rows):
                copy.write(block)

    def load_packed(
        self, connection: Any, table: str, columns: Sequence[str], packed: Sequence[Packed], same: Mapping[str, str]
    ) -> None:
        copying = f"COPY {table} ({', '.join([*same, *columns])}) FROM STDIN"
        with connection.cursor() as cursor, cursor.copy(copying) as copy:
            for some in packed:
                copy.write(behind(same.values(), some))

    def stream(self, connection: Any, query: str, parameters: Sequence[Any]) -> Iterator[Row]:
        with connection.cursor(name="lzsyncd_stream") as cursor:
            cursor.itersize = BATCH
            cursor.execute(self.statement(query), parameters)
            yield from cursor

    def joined(self, expressions: Sequence[str]) -> str:
        return (
            "("
            + f" || '{UNIT_SEPARATOR}' || ".join(f"coalesce(({e})::text, '')" for e in expressions)
            + ') COLLATE "C"'
        )

    def begins(self, text: str, start: str) -> str:
        return f"starts_with({text}, {start})"

    def member(self, document: str, name: str, *, raw: bool) -> str:
        """After a merge jsonb has a space between the members of a list; options have no comma, so it is only there."""
        if raw:
            return f"""(replace(({document}::json -> '{name}')::text, '", "', '","') COLLATE "C")"""
        return f"""({document}::json ->> '{name}' COLLATE "C")"""

    def merged(self, document: str, patch: str) -> str:
        return f"jsonb_strip_nulls({document}::jsonb || ({patch})::jsonb)::text"

    def quoted(self, text: str) -> str:
        return f"to_json({text})::text"

    def packed_row(self, columns: Sequence[str], alias: str) -> str:
        row = ", ".join(f"{alias}.{name}" for name in columns)
        return f"""(row_to_json((SELECT r FROM (SELECT {row}) r))::text COLLATE "C")"""

    def unpacked(self, text: str, table: str, columns: Sequence[str]) -> tuple[list[str], str]:
        join = f" CROSS JOIN LATERAL json_populate_record(NULL::{table}, {text}::json) r"
        return [f"r.{name}" for name in columns], join

    def place(self, text: str, sought: str) -> str:
        return f"strpos({text}, {sought})"

    def behind(self, columns: Sequence[str]) -> str:
        return f"({', '.join(columns)}) > ({', '.join('?' * len(columns))})"

    def octets(self, text: str) -> str:
        return f"octet_length({text})"

    def last_id(self, table: str) -> str:
        return f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {table}_id_seq"

    def advance_ids(self, table: str) -> str:
        return (
            f"SELECT setval('{table}_id_seq', greatest((SELECT max(id) FROM {table}), "
            f"(SELECT last_value FROM {table}_id_seq)))"
        )

    def index_definitions(self, table: str) -> str:
        return (
            "SELECT i.indexname, i.indexdef FROM pg_indexes i WHERE i.schemaname = current_schema() "
            f"AND i.tablename = '{table}' AND i.indexname NOT LIKE '%_pkey'"
        )

    def sums(self, connection: Any, query: str, parameters: Sequence[Any]) -> Sums:
        half = "('x' || encode(substr(h, {}, 8), 'hex'))::bit(64)::bigint"
        found = connection.execute(
            self.statement(
                f"SELECT coalesce(sum({half.format(1)}), 0), coalesce(sum({half.format(9)}), 0) "
                f"FROM (SELECT sha256(convert_to(t, 'UTF8')) AS h FROM ({query}) AS q (t)) AS d"
            ),
            parameters,
        )
        return Sums(*map(int, found.fetchone()))
