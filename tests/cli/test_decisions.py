"""`lzsyncd approve` and `discard`: without a daemon the command does it, else the daemon does."""

import json
import os
import signal
import threading
from contextlib import closing
from typing import Any

import pytest

from lzsyncd.service import asking
from lzsyncd.service.instance import LOCK, Instance
from lzsyncd.sync.work import work
from lzsyncd.zone.database import Database
from tests.laws.ground import ask
from tests.sync.desk import Desk


def status(place: Any, run: str) -> str:
    return str(ask(place.site, "SELECT status FROM sync_run WHERE id = ?", run)[0]["status"])


def configure(place: Any) -> None:
    """The same site, and a daemon's folder."""
    text = place.config.read_text().replace("[sites", f'runtime_dir = "{place.folder}/run"\n[sites', 1)
    place.config.write_text(text)


def test_approving_applies_and_ends_as_a_sync_does(held, lzsyncd):
    run = held.run
    outcome = lzsyncd("approve", run)
    assert outcome.code == 10
    assert "The set was applied." in outcome.out
    assert status(held, run) == "applied"


def test_the_document_of_an_approval_is_that_of_a_sync(held, lzsyncd):
    outcome = lzsyncd("approve", held.run[-8:], "--json")
    told = json.loads(outcome.out)
    assert (outcome.code, told["run"], told["status"], told["message"]) == (10, held.run, "applied", "")
    assert told["counts"]["user"]["updated"] == 2
    assert len(told["plan_hash"]) == 64


def test_discarding_changes_nothing(held, lzsyncd):
    run = held.run
    told = json.loads(lzsyncd("discard", run, "--json").out)
    assert (told["run"], told["status"]) == (run, "discarded")
    assert "discarded" in told["message"]
    assert status(held, run) == "discarded"


@pytest.mark.parametrize("command", ["approve", "discard"])
def test_only_what_is_held_can_be_decided_on(command, after, lzsyncd):
    outcome = lzsyncd(command, after.run)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"is applied, not held: there is nothing to {command}." in outcome.err
    assert lzsyncd(command, "20200101").code == 2
    assert lzsyncd(command).code == 2
    assert ask(after.site, "SELECT 1 AS n FROM sync_request") == []


def test_while_another_run_holds_the_site_nothing_is_done_nor_left_to_do(held, lzsyncd):
    run = held.run
    with closing(Database(held.site)) as database:
        database.lock("of a test")
        outcome = lzsyncd("approve", run)
    assert outcome.code == 75
    assert "Nothing was done" in ask(held.site, "SELECT message FROM sync_request")[0]["message"]
    assert status(held, run) == "held"


def test_a_daemon_that_runs_is_rung_for_and_does_it(held, lzsyncd, monkeypatch):
    configure(held)
    rung = threading.Event()
    monkeypatch.setattr(signal, "SIGUSR1", signal.SIGUSR2)
    before = signal.signal(signal.SIGUSR2, lambda *_: rung.set())
    desk = Desk(held.site)

    def daemon() -> None:
        assert rung.wait(60)
        with desk.arrivals() as arrivals:
            for _ in work(arrivals):
                pass

    worker = threading.Thread(target=daemon)
    try:
        with Instance(held.folder / "run") as instance:
            instance.publish({"sites": {}})
            assert (held.folder / "run" / LOCK).read_text() == str(os.getpid())
            worker.start()
            outcome = lzsyncd("approve", held.run)
            worker.join()
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert (outcome.code, status(held, held.run)) == (10, "applied")
    assert [row["done_at"] != "" for row in ask(held.site, "SELECT done_at FROM sync_request")] == [True]


def test_a_daemon_that_does_not_come_is_not_waited_for_for_ever(held, lzsyncd, monkeypatch):
    configure(held)
    monkeypatch.setattr(asking, "PATIENCE", 0.0)
    monkeypatch.setattr(signal, "SIGUSR1", 0)  # asks whether the process is there
    with Instance(held.folder / "run") as instance:
        instance.publish({"sites": {}})
        outcome = lzsyncd("discard", held.run)
    assert (outcome.code, status(held, held.run)) == (0, "discarded")


def test_what_the_daemon_has_not_done_in_time_stays_asked_for(held, lzsyncd, monkeypatch):
    configure(held)
    monkeypatch.setattr(asking, "PATIENCE", 0.0)
    monkeypatch.setattr(asking, "MERCY", -10_000.0)
    monkeypatch.setattr(signal, "SIGUSR1", 0)
    with Instance(held.folder / "run") as instance:
        instance.publish({"sites": {}})
        outcome = lzsyncd("discard", held.run)
    assert outcome.code == 75
    assert "will be done" in outcome.err
    assert status(held, held.run) == "held"
    assert lzsyncd("approve", held.run).code == 2, "the older request comes first"
    assert status(held, held.run) == "discarded"
