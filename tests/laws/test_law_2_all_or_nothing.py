"""Law 2: data, history, counts and the mark "applied" come together, or not at all.

(What a kill leaves behind is in `tests/system/test_crash.py`.)
"""

from collections.abc import Callable
from typing import Any

import pytest

from lzsyncd.config import Site
from lzsyncd.feed.elements import Element
from lzsyncd.sync.ending import describe
from tests.laws.bridge import get_zone
from tests.laws.company import DAY_ONE, DAY_TWO, DELETES
from tests.laws.ground import LEDGER, LZ, Ground, Tables, ask, connected, look, sync

TOLD = tuple(table for table in (*LZ, *LEDGER) if table != "sync_run")

WRITES = {
    "a unit changes": ("lz_org", "UPDATE", "NEW.fullname = 'Acme plc'"),
    "a unit is made": ("lz_org", "INSERT", "NEW.idnumber = 'W'"),
    "a unit goes": ("lz_org", "DELETE", "OLD.idnumber = 'E'"),
    "a path is mended": ("lz_org", "UPDATE", "NEW.depth <> OLD.depth"),
    "a position is made": ("lz_pos", "INSERT", "NEW.idnumber = 'P'"),
    "a position goes": ("lz_pos", "DELETE", "OLD.idnumber = 'L'"),
    "a person goes": ("lz_user", "UPDATE", "NEW.deleted AND NOT OLD.deleted"),
    "a person changes": ("lz_user", "UPDATE", "NEW.city = 'Leeds'"),
    "a username moves": ("lz_user", "UPDATE", "NEW.username = 'bob'"),
    "a person is made": ("lz_user", "INSERT", "NEW.idnumber = '5'"),
    "a job changes": ("lz_job", "UPDATE", "NEW.manager_id = 3 AND OLD.manager_id = 1"),
    "a job ends": ("lz_job", "UPDATE", "NEW.end_date IS NOT NULL"),
    "a job is made": ("lz_job", "INSERT", "NEW.manager_id = 2"),
    "history is written": ("sync_change", "INSERT", "NEW.action = 'removed'"),
    "a finding is written": ("sync_error", "INSERT", "NEW.code = 'user.email.invalid'"),
    "counts are written": ("sync_count", "INSERT", "NEW.element = 'user'"),
    "a file is written down": ("sync_file", "INSERT", "NEW.element = 'user'"),
    "the run is marked": ("sync_run", "UPDATE", "NEW.status = 'applied'"),
}
"""One write of each kind that day two makes: table, event, row."""


def forbid(site: Site, table: str, event: str, row: str) -> None:
    """Let the database fail at one write."""
    with connected(site) as database:
        if database.dialect.name == "sqlite":
            body = "BEGIN SELECT RAISE(ABORT, 'forbidden'); END"
        else:
            database.run(
                "CREATE OR REPLACE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'forbidden'; END $$"
            )
            body = "EXECUTE FUNCTION forbid()"
        database.run(f"CREATE TRIGGER forbidden BEFORE {event} ON {table} FOR EACH ROW WHEN ({row}) {body}")


def allow(site: Site, table: str) -> None:
    with connected(site) as database:
        on = "" if database.dialect.name == "sqlite" else f" ON {table}"
        database.run(f"DROP TRIGGER forbidden{on}")


@pytest.fixture
def undisturbed(ground: Ground) -> Any:
    """The zone after both days."""
    site = ground.fresh(DELETES, slot=1)
    sync(site, DAY_ONE)
    sync(site, DAY_TWO)
    return get_zone(site)


def test_an_error_in_the_middle_leaves_everything_as_it_was(ground: Ground, undisturbed: Any) -> None:
    site = ground.fresh(DELETES)
    sync(site, DAY_ONE)
    before = look(site, *TOLD)
    for number, (write, (table, event, row)) in enumerate(WRITES.items(), 1):
        forbid(site, table, event, row)
        with pytest.raises(Exception) as failed:  # noqa: PT011 whatever the driver raises
            sync(site, DAY_TWO)
        allow(site, table)
        assert look(site, *TOLD) == before, write
        failures = ask(site, "SELECT message FROM sync_run WHERE status = 'failed' ORDER BY id")
        assert len(failures) == number, write
        assert describe(failed.value) in [failure["message"] for failure in failures]
    assert sync(site, DAY_TWO).status == "applied"
    assert get_zone(site) == undisturbed


class Witness:
    """Looks at the site from outside at every stage of a run."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.seen: dict[str, tuple[Tables, str]] = {}

    def read(self, element: Element, records: int) -> None: ...

    def stage(self, name: str) -> None:
        (newest,) = ask(self.site, "SELECT status FROM sync_run ORDER BY created_at DESC, id DESC LIMIT 1")
        self.seen[name] = look(self.site, *TOLD), newest["status"]


def test_nobody_sees_half_of_a_run(ground: Ground) -> None:
    site = ground.fresh(DELETES)
    before = look(site, *TOLD)
    witness = Witness(site)
    sync(site, DAY_ONE, progress=witness)
    *under_way, (_, (at_the_end, status)) = witness.seen.items()
    assert [name for name, _ in under_way] == ["take", "read", "check", "plan", "apply"]
    for name, (tables, status_then) in under_way:
        assert tables == before, name
        assert status_then in ("claimed", "checking"), name
    assert status == "applied"
    assert at_the_end == look(site, *TOLD)
    for table in ("lz_org", "lz_pos", "lz_user", "lz_job", "sync_change", "sync_count", "sync_file"):
        assert at_the_end[table], table


class Meddler:
    """Somebody else, who writes while a run is under way."""

    def __init__(self, stage: str, act: Callable[[], None]) -> None:
        self.when, self.act = stage, act

    def read(self, element: Element, records: int) -> None: ...

    def stage(self, name: str) -> None:
        if name == self.when:
            self.act()


def meddle(site: Site) -> bool:
    """Somebody else moves a person whom day two moves, too; returns whether the database let them."""
    with connected(site) as database:
        if database.dialect.name == "sqlite":
            database.run("PRAGMA busy_timeout = 0")
        try:
            return database.run("UPDATE lz_user SET city = 'Bath' WHERE idnumber = '2'") == 1
        except Exception as error:
            if not database.is_away(error):
                raise
            return False


def city(site: Site) -> str:
    return str(get_zone(site).people["2"]["city"])


@pytest.mark.parametrize("stage", ["check", "plan", "apply"])
def test_what_somebody_else_writes_meanwhile_is_never_mixed_in(ground: Ground, undisturbed: Any, stage: str) -> None:
    """Planned and written on one snapshot: either the other one may not write, or the run gives way."""
    site = ground.fresh(DELETES)
    sync(site, DAY_ONE)
    before, let_in = look(site), []
    meddler = Meddler(stage, lambda: let_in.append(meddle(site)))
    if site.database == "sqlite":
        assert sync(site, DAY_TWO, progress=meddler).status == "applied"
        assert let_in == [False]
    else:
        with pytest.raises(Exception, match="could not serialize"):
            sync(site, DAY_TWO, progress=meddler)
        assert let_in == [True]
        assert city(site) == "Bath"
        before["lz_user"][2]["city"] = "Bath"
        assert look(site) == before
        assert sync(site, DAY_TWO).status == "applied"
    assert get_zone(site) == undisturbed


def test_a_run_that_changes_nothing_commits_its_mark_and_no_more(ground: Ground) -> None:
    site = ground.fresh(DELETES)
    sync(site, DAY_ONE)
    before = look(site)
    forbid(site, "sync_run", "UPDATE", "NEW.status = 'unchanged'")
    with pytest.raises(Exception):  # noqa: B017, PT011 whatever the driver raises
        sync(site, DAY_ONE)
    assert look(site) == before
    assert len(ask(site, "SELECT run_id FROM sync_count")) == 3
