"""A look into a ledger costs a millisecond, for each site: it is taken when something was written, or after a while."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lzsyncd.config import Log, Site
from lzsyncd.intake.watch import Watch
from lzsyncd.ledger.figures import Figures
from lzsyncd.ledger.glance import Glance, glance
from lzsyncd.ledger.runs import iso
from lzsyncd.service import sites
from lzsyncd.service.errand import Errand
from lzsyncd.service.sites import Charge
from tests.conftest import copies_of


@pytest.fixture
def looks(monkeypatch) -> list[Site]:
    """The sites whose ledgers were looked into."""
    found: list[Site] = []

    def look(site: Site, *before: Figures) -> Glance:
        found.append(site)
        return glance(site, *before)

    monkeypatch.setattr(sites, "glance", look)
    return found


def test_why_the_work_failed_is_told_until_it_is_done_or_there_is_none_left(charge, monkeypatch):
    monkeypatch.setattr(sites, "PAUSES", (0.0,))
    (charge.site.folder / "spool" / "run").mkdir(parents=True)
    charge.ended(1, Errand(charge.site), "The disk is full.")
    assert charge.errand(Log(), pretty=False)
    assert charge.wrongs == {"work": "The disk is full."}
    charge.ended(-9, Errand(charge.site))
    assert "`lzsyncd logs` says why" in charge.wrongs["work"]
    charge.seen = replace(charge.seen, under_way=(("run", "failed", 1, iso(datetime.now(UTC))),))
    assert charge.errand(Log(), pretty=False) is None  # in a minute there is one
    assert "`lzsyncd logs` says why" in charge.wrongs["work"]
    (charge.site.folder / "spool" / "run").rmdir()
    charge.read_ledger()
    assert charge.errand(Log(), pretty=False) is None
    assert charge.wrongs == {}
    charge.ended(1, Errand(charge.site), "The disk is full.")
    charge.wrong("database", "The database does not answer.")
    assert charge.wrongs == {"database": "The database does not answer."}
    charge.wrong("database", "")
    charge.ended(0, Errand(charge.site))
    assert charge.wrongs == {}


@pytest.fixture
def charge(tmp_path, migrated_sqlite) -> Iterator[Charge]:
    site = Site.standard("acme", tmp_path)
    copies_of(migrated_sqlite)(site.folder)
    watch = Watch(lambda *_: None, lambda: None)
    made = Charge(site, watch)
    made.read_ledger()
    yield made
    watch.stop()


def test_a_ledger_that_nobody_wrote_to_is_left_alone(charge, looks):
    charge.check_ledger()
    charge.check_ledger()
    assert not looks


def test_what_a_command_writes_is_seen_also_while_it_holds_the_database_open(charge, looks):
    with closing(sqlite3.connect(charge.site.folder / "zone.db")) as command:
        command.execute("PRAGMA journal_mode = wal")
        command.execute("INSERT INTO sync_slot (site, slot, due_at, claimed_at) VALUES (?, ?, ?, ?)", SLOT)
        command.commit()
        charge.check_ledger()
        assert "daily:2026-11-23" in charge.seen.slots
        command.execute("DELETE FROM sync_slot")
        command.commit()
        charge.check_ledger()
        assert not charge.seen.slots
    assert len(looks) == 2


SLOT = ("acme", "daily:2026-11-23", "2026-11-23T12:00:00Z", "2026-11-23T12:00:00Z")


def test_what_goes_or_comes_in_the_spool_is_seen(charge, looks):
    (charge.site.folder / "spool").mkdir()
    charge.check_ledger()
    (charge.site.folder / "spool" / "run").mkdir()
    charge.check_ledger()
    assert len(looks) == 2


def test_a_ledger_is_looked_into_after_a_while_though_nobody_wrote(charge, looks, monkeypatch):
    monkeypatch.setattr(sites, "TRUST", 0.0)
    charge.read_ledger()
    charge.check_ledger()
    assert len(looks) == 2


def test_a_ledger_that_did_not_answer_is_always_asked(charge, looks):
    path = charge.site.folder / "zone.db"
    path.write_bytes(b"no database" * 1000)
    charge.check_ledger()
    charge.check_ledger()
    assert len(looks) == 2
    assert "database" in charge.trouble
