"""Whatever somebody changes by hand in SQL: the next sync of the same files mends it, and leaves the rest alone.

Each record of the full files has one column changed, so one run has to see them all. No stored hash may stand in for a
row.
"""

from dataclasses import dataclass

import pytest

from lzsyncd.config import Site
from lzsyncd.feed.elements import Column, Element, Home, Kind
from tests.laws.bridge import get_zone
from tests.laws.company import DAY_ONE, DELETES
from tests.laws.full import FULL, file_of, full_set, record, stored_columns
from tests.laws.ground import Ground, Tables, ask, look, sync, tell, unguarded

NOT_NULL = {"fullname", "username", "firstname", "lastname", "suspended"}
WAYS = ("another value", "nothing", "an empty text", "other case")


@dataclass(frozen=True)
class Edit:
    """One column of one record, changed by hand."""

    element: Element
    column: Column
    way: str
    key: str

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
    found = [(e, column, way) for e in Element for column in stored_columns(site, e) for way in WAYS]
    return [Edit(*one, f"k{number}") for number, one in enumerate(found) if _makes_sense(*one[1:])]


def _makes_sense(column: Column, way: str) -> bool:
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
        e.file_name: file_of(site, e, *(record(site, e, edit.key) for edit in edits if edit.element is e))
        for e in Element
    }


def changed_by(site: Site, run: str) -> set[tuple[str, str]]:
    rows = ask(site, "SELECT element, idnumber FROM sync_change WHERE run_id = ?", run)
    return {(row["element"], row["idnumber"]) for row in rows}


def test_every_column_a_file_provides_is_mended(ground: Ground) -> None:
    site = unguarded(ground.fresh(FULL))
    changes = edits(site)
    assert {edit.way for edit in changes} == set(WAYS)
    files = files_for(site, changes)
    assert sync(site, files).exit_code == 0
    zone = get_zone(site)
    tell(site, *(edit.statement(site) for edit in changes))
    result = sync(site, files)
    assert changed_by(site, result.run) == {(edit.element, edit.key) for edit in changes}
    assert get_zone(site) == zone
    assert result.exit_code == 0
    assert sync(site, files).status == "unchanged"


REQUIRED = {"fullname", "username", "firstname", "lastname", "email"}


def required(site: Site, element: Element, key: str) -> dict[str, str]:
    return {n: text for n, text in record(site, element, key).items() if n in REQUIRED or n == "idnumber"}


def underived(tables: Tables) -> Tables:
    """Tables without paths and depths, which follow from the parents."""
    return {
        name: {i: {c: v for c, v in row.items() if c not in ("path", "depth")} for i, row in rows.items()}
        for name, rows in tables.items()
    }


def test_what_the_files_say_nothing_of_is_left_alone(ground: Ground) -> None:
    """Empty cells, columns the files do not have, and records made by hand."""
    site = ground.fresh(FULL)
    changes = edits(site)
    sync(site, files_for(site, changes))
    by_hand = [edit for edit in changes if edit.column.name in REQUIRED]
    tell(site, *(f"UPDATE lz_{edit.element} SET managed = FALSE WHERE idnumber = '{edit.key}'" for edit in by_hand))
    tell(site, *(edit.statement(site) for edit in changes), "UPDATE lz_org SET hidden = TRUE, created_at = 'long ago'")
    before = underived(look(site))
    records = {e: [required(site, e, edit.key) for edit in changes if edit.element is e] for e in Element}
    result = sync(site, {e.file_name: file_of(site, e, *records[e]) for e in Element})
    assert result.findings == {"key.unmanaged": len(by_hand)}
    assert underived(look(site)) == before


STATES = {
    "a path": "UPDATE lz_org SET path = '/99/'",
    "a path of one": "UPDATE lz_org SET path = '' WHERE idnumber = 'E'",
    "a depth": "UPDATE lz_org SET depth = 7 WHERE idnumber = 'S'",
    "a unit above itself": "UPDATE lz_org SET parent_id = id WHERE idnumber = 'S'",
    "a circle of units": "UPDATE lz_org SET parent_id = "
    "(SELECT id FROM lz_org WHERE idnumber = 'E') WHERE idnumber = 'S'",
    "a unit that is nowhere": "UPDATE lz_org SET parent_id = 999 WHERE idnumber = 'S'",
    "a unit hidden by the feed": "UPDATE lz_org SET hidden = TRUE, hidden_by_feed = TRUE WHERE idnumber = 'E'",
    "a person deleted": "UPDATE lz_user SET deleted = TRUE WHERE idnumber = '3'",
    "everybody deleted": "UPDATE lz_user SET deleted = TRUE",
    "a person suspended by the feed": "UPDATE lz_user SET suspended = TRUE, suspended_by_feed = TRUE "
    "WHERE idnumber = '3'",
    "a note of a suspension that is none": "UPDATE lz_user SET suspended_by_feed = TRUE WHERE idnumber = '3'",
    "a person deleted and suspended": "UPDATE lz_user SET deleted = TRUE, suspended = TRUE, suspended_by_feed = TRUE",
    "a circle of managers": "UPDATE lz_job SET manager_id = (SELECT id FROM lz_user WHERE idnumber = '4') "
    "WHERE user_id = (SELECT id FROM lz_user WHERE idnumber = '3')",
    "a manager of oneself": "UPDATE lz_job SET manager_id = user_id WHERE manager_id IS NOT NULL",
    "links to nobody": "UPDATE lz_job SET org_id = 999, pos_id = 999, manager_id = 999 WHERE manager_id IS NOT NULL",
    "a job that is gone": "DELETE FROM lz_job",
    "usernames that are others'": "UPDATE lz_user SET username = 'u' || idnumber",
    "a unit that is gone": "DELETE FROM lz_org WHERE idnumber = 'N'",
    "a parent that is gone": "DELETE FROM lz_org WHERE idnumber = 'S'",
    "a unit with another key": "UPDATE lz_org SET idnumber = 'xS' WHERE idnumber = 'S'",
    "all units with other keys": "UPDATE lz_org SET idnumber = 'x' || idnumber",
}


def wrong_paths(site: Site) -> list[str]:
    wrong = []
    for units in look(site, "lz_org", "lz_pos").values():
        for i, row in units.items():
            parent = units.get(row["parent_id"], {"path": "/", "depth": 0})
            if (row["path"], row["depth"]) != (f"{parent['path']}{i}/", parent["depth"] + 1):
                wrong.append(row["idnumber"])
    return wrong


@pytest.mark.parametrize("statement", STATES.values(), ids=STATES)
def test_states_links_and_what_is_derived_are_mended(ground: Ground, statement: str) -> None:
    site = ground.fresh(DELETES)
    sync(site, DAY_ONE)
    zone, before = get_zone(site), look(site)
    tell(site, statement)
    assert look(site) != before
    sync(site, DAY_ONE)
    assert get_zone(site) == zone
    assert wrong_paths(site) == []
    assert sync(site, DAY_ONE).status == "unchanged"


def test_a_person_with_another_key_is_another_person(ground: Ground) -> None:
    site = ground.fresh(DELETES)
    sync(site, DAY_ONE)
    zone = get_zone(site)
    tell(site, "UPDATE lz_user SET idnumber = 'x1' WHERE idnumber = '1'")
    sync(site, DAY_ONE)
    after = get_zone(site)
    assert after.people.pop("x1")["deleted"]
    after.jobs.pop("x1")
    assert after == zone


def test_a_job_that_somebody_took_away_is_left_and_another_made(ground: Ground) -> None:
    for statement in ("UPDATE lz_job SET managed = FALSE", "UPDATE lz_job SET user_id = user_id + 900"):
        site = ground.fresh(DELETES)
        sync(site, DAY_ONE)
        ours = "SELECT * FROM lz_job WHERE managed AND user_id < 900 ORDER BY user_id"
        before = ask(site, ours)
        tell(site, statement)
        theirs = look(site, "lz_job")["lz_job"]
        sync(site, DAY_ONE)
        after = look(site, "lz_job")["lz_job"]
        assert {i: after[i] for i in theirs} == theirs
        assert [row | {"id": 0} for row in ask(site, ours)] == [row | {"id": 0} for row in before]


SPOILED = ("", "[]", "null", '"text"', "7", "{broken", '{"text": {}}', '{"text": [1, {"a": "b"}]}')


@pytest.mark.parametrize("text", SPOILED)
def test_custom_fields_that_are_spoiled_are_made_anew(ground: Ground, text: str) -> None:
    site = ground.fresh(FULL)
    files = full_set(site)
    sync(site, files)
    zone = get_zone(site)
    tell(site, *(f"UPDATE lz_{e} SET custom = '{text}' WHERE idnumber = 'x'" for e in Element))
    sync(site, files)
    assert get_zone(site) == zone


def test_custom_fields_that_no_file_has_stay(ground: Ground) -> None:
    site = ground.fresh(FULL)
    files = files_for(site, [])
    sync(site, files)
    tell(site, *(f"""UPDATE lz_{e} SET custom = '{{"theirs": "stays", "number": 7}}'""" for e in Element))
    sync(site, {e.file_name: file_of(site, e, record(site, e, "x")) for e in Element})
    assert get_zone(site).people["boss1"]["custom"] == {"theirs": "stays", "number": 7}
