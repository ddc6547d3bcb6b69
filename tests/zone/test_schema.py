"""The schema: the migrations make it, the models describe it, on both databases."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lzsyncd.config import Site, parse
from lzsyncd.ledger.models import LEDGER
from lzsyncd.zone import schema
from lzsyncd.zone.database import opened
from lzsyncd.zone.models import ZONE


@pytest.fixture
def site(tmp_path: Path, database: Callable[[Path], str]) -> Site:
    url = database(tmp_path / "acme")
    return parse(f'[daemon]\ndata_dir = "{tmp_path}"\n[sites.acme]\ndatabase = "{url}"\n').sites["acme"]


@pytest.mark.parametrize("model", [*ZONE, *LEDGER], ids=lambda model: model._meta.table_name)
def test_a_model_has_the_columns_of_its_table(site: Site, model: type) -> None:
    with opened(site) as database:
        columns = {column.name: column.null for column in database.peewee.get_columns(model._meta.table_name)}
    fields = {field.column_name: field.null for field in model._meta.sorted_fields}
    assert list(columns) == list(fields)
    keys = {"id", "audience_id", "user_id", "slot", "run_id", "element"}  # SQLite calls a key nullable
    assert {n: v for n, v in columns.items() if n not in keys} == {n: v for n, v in fields.items() if n not in keys}


def test_models_read_what_a_run_wrote(site: Site) -> None:
    with opened(site) as database:
        database.run("INSERT INTO lz_user (idnumber, username) VALUES ('E1', 'ada')")
        user = ZONE[2]
        with database.peewee.bind_ctx([user]):
            assert [person.username for person in user.select()] == ["ada"]


def test_migrating_twice_changes_nothing(site: Site) -> None:
    with opened(site) as database:
        assert database.migrate() == []
        assert database.pending() == []


def test_the_way_back_leaves_no_table(site: Site) -> None:
    with opened(site) as database:
        schema.runner(database.peewee).down()
        assert not [name for name in database.peewee.get_tables() if name.startswith(("lz_", "sync_"))]
        assert database.migrate() == ["0001_first_schema"]


def test_ids_are_never_given_twice(site: Site) -> None:
    with opened(site) as database:
        database.run("INSERT INTO lz_org (id, idnumber) VALUES (41, 'A')")
        database.advance_ids("lz_org")
        database.run("DELETE FROM lz_org")
        assert database.next_ids("lz_org") == 42
