"""Before-images: what a run keeps of the rows it changes, so that it can be taken back exactly.

A row of `sync_image` is a row of an `lz_` table as it was before a run (`before`, nothing for a row that the run made)
and as the run left it (`after`, nothing for one that it removed, and for tables whose rows follow from others). New
rows with an `id` are not written down one by one: a first load makes a million. Ids are never given twice, so the first
and the last one that a run gave are enough (`sync_made`).
"""

from dataclasses import dataclass

from lzsyncd.feed.elements import Element
from lzsyncd.zone.database import Database
from lzsyncd.zone.models import ZONE

DERIVED = ("path", "depth")  # of units: they follow from the parents, and move with somebody else's change
OF_RECORDS = ("lz_org", "lz_pos", "lz_user", "lz_job")  # whose changes by hand matter; other rows follow from these


@dataclass(frozen=True)
class Part:
    """The columns of a table that are kept, compared and restored together.

    Attributes:
        name: how `sync_image` calls it.
        table: the table.
        key: what tells its rows apart: one or two columns of whole numbers.
        columns: all columns of the part; those of a whole row start with its key.
        has_managed: whether the rows say if the feed owns them.
    """

    name: str
    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    has_managed: bool = False

    @property
    def by_id(self) -> bool:
        """Whether its rows are numbered, so that new ones need no image."""
        return self.key == ("id",)

    @property
    def is_record(self) -> bool:
        """Whether a person who changed a row by hand stands in the way of taking a run back."""
        return self.name in OF_RECORDS

    def key_of(self, alias: str) -> str:
        """SQL: the two numbers by which `sync_image` knows a row."""
        return f"{alias}.id, 0" if self.by_id else ", ".join(f"{alias}.{name}" for name in self.key)

    def same(self, alias: str, image: str) -> str:
        """SQL: a row of the table is that of an image, or of a list of keys."""
        return " AND ".join(
            f"{alias}.{name} = {image}.{other}" for name, other in zip(self.key, ("row_id", "other_id"))
        )

    def among(self, alias: str, keys: str) -> str:
        """SQL: a row of the table is in a list of keys; `keys` is what follows the SELECT of them."""
        wanted = "row_id" if self.by_id else "row_id, other_id"
        columns = ", ".join(f"{alias}.{name}" for name in self.key)
        return f"({columns}) IN (SELECT {wanted} FROM {keys})"

    def packed(self, database: Database, alias: str) -> str:
        """SQL: the part of a row as one text; NULL where an outer join found no row."""
        packed = database.dialect.packed_row(self.columns, alias)
        return f"CASE WHEN {alias}.{self.key[0]} IS NOT NULL THEN {packed} END"


def _rows() -> dict[str, Part]:
    parts = {}
    for model in ZONE:
        names = tuple(field.column_name for field in model._meta.sorted_fields)  # noqa: SLF001 Peewee's way to ask
        key = tuple(field.column_name for field in model._meta.get_primary_keys())  # type: ignore[no-untyped-call]  # noqa: SLF001
        table = str(model._meta.table_name)  # noqa: SLF001
        kept = tuple(name for name in names if name not in DERIVED)
        parts[table] = Part(table, table, key, kept, has_managed="managed" in names)
    return parts


ROWS: dict[str, Part] = _rows()
"""Every table of the zone, by name: a table that is added to the models is kept and restored like the others."""

JOBS = ROWS["lz_job"]
PATHS = {e: Part(f"lz_{e}.path", f"lz_{e}", ("id",), DERIVED) for e in (Element.ORG, Element.POS)}
PARTS = (*ROWS.values(), *PATHS.values())


class Images:
    """Keeps the before-images of one run; all of it is in the run's transaction.

    Args:
        database: inside the run's transaction, before the first write to the zone.
        run_id: whose images.
    """

    def __init__(self, database: Database, run_id: str) -> None:
        self.database, self.run_id = database, run_id
        self._first = {part.table: database.next_ids(part.table) for part in ROWS.values() if part.by_id}
        self._parts: dict[str, Part] = {}
        columns = "part TEXT, row_id BIGINT, other_id BIGINT, before TEXT, PRIMARY KEY (part, row_id, other_id)"
        database.table("kept", columns)

    def first_id(self, table: str) -> int:
        """The first id that this run may give in a table."""
        return self._first[table]

    def keep(self, part: Part, where: str) -> int:
        """Keep rows before they are changed or removed. What the run itself has made, or kept, is left as it is.

        Args:
            part: of which table.
            where: SQL that picks the rows; they are called `t`.

        Returns:
            How many rows were kept.
        """
        old = f" AND t.id < {self._first[part.table]}" if part.by_id else ""
        return self._note(part, part.packed(self.database, "t"), f"({where}){old}")

    def made(self, part: Part, where: str) -> int:
        """Note rows that the run has made, where their ids don't say so: in tables without, or with a given id."""
        return self._note(part, "CAST(NULL AS TEXT)", where)

    def made_with(self, part: Part, keys: str) -> int:
        """As `made`, where a query gives the keys, as `sync_image` has them: nothing is looked up again."""
        self._parts[part.name] = part
        return self.database.run(
            f"INSERT INTO kept SELECT '{part.name}', q.*, CAST(NULL AS TEXT) FROM ({keys}) q "
            "WHERE TRUE ON CONFLICT DO NOTHING"
        )

    def _note(self, part: Part, before: str, where: str) -> int:
        self._parts[part.name] = part
        return self.database.run(
            f"INSERT INTO kept SELECT '{part.name}', {part.key_of('t')}, {before} FROM {part.table} t "
            f"WHERE {where} ORDER BY t.{part.key[0]} ON CONFLICT DO NOTHING"
        )

    def write(self) -> None:
        """After the last write to the zone: the images, with the rows as the run leaves them, and the ids it gave."""
        if self._parts and self.database.dialect.name == "postgresql":
            self.database.run("ANALYZE kept")
        for part in self._parts.values():
            follows = part.table not in OF_RECORDS
            after = "CAST(NULL AS TEXT)" if follows else part.packed(self.database, "t")
            join = "" if follows else f" LEFT JOIN {part.table} t ON {part.same('t', 'k')}"
            self.database.run(
                "INSERT INTO sync_image (run_id, part, row_id, other_id, before, after) "
                f"SELECT '{self.run_id}', k.part, k.row_id, k.other_id, k.before, {after} FROM kept k{join} "
                f"WHERE k.part = '{part.name}' ORDER BY k.row_id, k.other_id"
            )
        for table, first in self._first.items():
            last = self.database.value(f"SELECT max(id) FROM {table} WHERE id >= {first}")
            if last is not None:
                self.database.run("INSERT INTO sync_made VALUES (?, ?, ?, ?)", (self.run_id, table, first, last))
