"""Whatever somebody changes by hand in SQL: the next sync of the same files mends it, and leaves the rest alone.

Each record of the full files has one column changed, so one run has to see them all. No stored hash may stand in for a
row.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from lzsyncd.config import Site
from lzsyncd.feed.elements import Column, Element, Home, Kind
from tests.laws.bridge import get_zone
from tests.laws.full import FULL, file_of, record, stored_columns
from tests.laws.ground import Ground, Tables, ask, connected, look, sync, tell

NOT_NULL = {"fullname", "username", "firstname", "lastname", "suspended"}
WAYS = ("another value", "nothing", "an empty text", "other case")


@dataclass(frozen=True)
class Edit:
    """One column of one record, changed by hand."""

    element: Element
    column: Column
    way: str

    @property
    def key(self) -> str:
        return f"{self.column.name}-{self.way}".replace(" ", ".")

    def statement(self, site: Site) -> str:
        return f"UPDATE {self._table} SET {self._set(site)} WHERE {self._who}"

    @property
    def _table(self) -> str:
        return "lz_job" if self.column.home is Home.JOB else f"lz_{self.element}"

    @property
    def _who(self) -> str:
        own = f"idnumber = '{self.key}'"
        return f"user_id = (SELECT id FROM lz_user WHERE {own})" if self.column.home is Home.JOB else own

    def _set(self, site: Site) -> str:
        name = self.column.stored
        if self.column.home is Home.CUSTOM:
            return f"custom = {self._custom(site, name)}"
        return f"{name} = {self._value(name)}"

    def _value(self, name: str) -> str:
        if self.way == "nothing":
            return "NULL"
        if self.way == "other case":
            return f"upper({name})"
        if self.column.kind is Kind.BOOLEAN:
            return f"NOT {name}"
        if self.column.refers_to:
            return f"(SELECT id FROM lz_{self.column.refers_to} WHERE idnumber = '{self._other}')"
        return "''" if self.way == "an empty text" else f"{name} || 'x'"

    @property
    def _other(self) -> str:
        return "boss2" if self.column.refers_to is Element.USER else "top2"

    def _custom(self, site: Site, name: str) -> str:
        if self.way == "nothing":
            patch = f'{{"{name}": null}}'
        else:
            patch = f'{{"{name}": {"7" if self.way == "another value" else chr(34) * 2}}}'
        if site.database == "sqlite":
            return f"json_patch(custom, '{patch}')"
        return f"jsonb_strip_nulls(custom::jsonb || '{patch}'::jsonb)::text"


def edits(site: Site) -> list[Edit]:
    """Every column that a file provides, changed in every way it can be."""
    found = [Edit(e, column, way) for e in Element for column in stored_columns(site, e) for way in WAYS]
    return [edit for edit in found if _makes_sense(edit)]


def _makes_sense(edit: Edit) -> bool:
    column, way = edit.column, edit.way
    if way == "nothing":
        return column.name not in NOT_NULL
    if way == "an empty text":
        return column.kind is not Kind.BOOLEAN and column.refers_to is None
    if way == "other case":
        return column.kind in (Kind.TEXT, Kind.USERNAME, Kind.EMAIL) and column.home is not Home.CUSTOM
    return True


def files_for(site: Site, edits: list[Edit]) -> dict[str, bytes]:
    """Full files with a record for each edit."""
    return {
        e.file_name: file_of(site, e, *(record(site, e, edit.key) for edit in edits if edit.element is e)) for e in Element
    }


def without_times(tables: Tables) -> dict[str, list[dict[str, Any]]]:
    return {t: [{c: v for c, v in row.items() if c != "updated_at"} for row in rows.values()] for t, rows in tables.items()}


def test_every_column_a_file_provides_is_mended(ground: Ground) -> None:
    site = ground.fresh(FULL)
    changes = edits(site)
    assert len(changes) > 150
    files = files_for(site, changes)
    assert sync(site, files).exit_code == 0
    before, zone = look(site), get_zone(site)
    tell(site, *(edit.statement(site) for edit in changes))
    edited = {
        (e, key)
        for e in Element
        for key, row in zone.rows(e).items()
        if (row, zone.jobs.get(key)) != (get_row(site, e, key))
    } if False else {(edit.element, edit.key) for edit in changes}
    result = sync(site, files)
    mended = {(row["element"], row["idnumber"]) for row in ask(site, "SELECT element, idnumber FROM sync_change WHERE run_id = ?", result.run)}
    assert mended == edited
    assert get_zone(site) == zone
    assert result.exit_code == 0
    assert sync(site, files).status == "unchanged"
