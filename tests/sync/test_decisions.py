"""What a person decides on a held set: apply it after all, or give it up; each once, whatever is killed meanwhile."""

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from lzsyncd.feed.elements import Element
from lzsyncd.ledger import requests
from lzsyncd.ledger.requests import Kind
from lzsyncd.zone.database import Database
from tests.laws.company import DAY_ONE, DAY_TWO
from tests.laws.ground import ask, sync_at
from tests.sync.desk import ON_SQLITE, Desk, Killed, partial
from tests.sync.test_arrivals import SOME, SOME_MORE

PEOPLE_ONLY = {"user.csv": DAY_ONE["user.csv"]}


@pytest.fixture
def held(desk: Desk) -> str:
    """A run that waits for files which do not come; they lie in the inbox."""
    desk.put(PEOPLE_ONLY)
    desk.work(held=(desk.judge("user.csv").files, (Element.ORG, Element.POS)))
    return str(desk.runs()[-1]["id"])


def decide(desk: Desk, kind: Kind | str, run_id: str, **more: Any) -> dict[str, Any]:
    """A person asks, the daemon does; returns what came of it."""
    number = put_request(desk, kind, run_id, **more)
    desk.work()
    (row,) = ask(desk.site, "SELECT * FROM sync_request WHERE id = ?", number)
    return row


def put_request(
    desk: Desk, kind: Kind | str, run_id: str, plan_hash: str | None = None, trigger: str = "command"
) -> int:
    seen = desk.run(run_id)["plan_hash"] if plan_hash is None else plan_hash
    with closing(Database(desk.site)) as database:
        now = desk.clock().isoformat()
        asked = {"plan_hash": seen or "", "by": "ada", "now": now, "trigger": trigger}
        return requests.ask(database, kind, run_id, **asked)  # type: ignore[arg-type]


def by_hand(desk: Desk, files: dict[str, bytes]) -> str:
    """`sync --from`; returns the run."""
    return sync_at(desk.clock(), desk.site, files).run


def test_what_is_there_of_an_incomplete_set_is_synced(desk: Desk, held: str) -> None:
    done = decide(desk, Kind.APPROVE, held)
    assert (done["exit_code"], done["result_run_id"], done["requested_by"]) == (10, held, "ada")
    assert desk.status(held) == "applied"
    assert len(desk.people()) == 4
    assert desk.archived(held) == PEOPLE_ONLY
    assert desk.inbox() == desk.spool() == []
    desk.work()
    assert desk.statuses() == ["applied"]


def test_a_set_of_a_folder_is_kept_until_it_is_decided(desk: Desk) -> None:
    desk.site = replace(desk.site, incomplete="hold")
    run = by_hand(desk, PEOPLE_ONLY)
    assert (desk.status(run), desk.spool(), desk.archived(run)) == ("held", [run], PEOPLE_ONLY)
    assert "The set waits for a person." in desk.outbox(run)
    done = decide(desk, Kind.APPROVE, run)
    assert (done["exit_code"], desk.status(run)) == (10, "applied")
    assert desk.archived(run) == PEOPLE_ONLY
    assert desk.spool() == []


@pytest.mark.parametrize("trigger", ["command", "page"])
def test_an_undo_is_a_run_of_whoever_asked_for_it(desk: Desk, trigger: str) -> None:
    done = decide(desk, Kind.UNDO, by_hand(desk, DAY_ONE), trigger=trigger)
    assert (done["exit_code"], desk.run(done["result_run_id"])["trigger"]) == (0, trigger)


def test_a_discarded_set_is_archived_and_changes_nothing(desk: Desk, held: str) -> None:
    done = decide(desk, Kind.DISCARD, held)
    assert (done["exit_code"], desk.status(held), desk.people()) == (0, "discarded", {})
    assert desk.archived(held) == PEOPLE_ONLY
    assert desk.inbox() == desk.spool() == []
    assert "discarded by a person" in desk.outbox(held)


@ON_SQLITE
def test_what_is_not_held_can_not_be_decided_on(desk: Desk, held: str) -> None:
    decide(desk, Kind.DISCARD, held)
    for kind, verb in ((Kind.APPROVE, "approve"), (Kind.DISCARD, "discard")):
        done = decide(desk, kind, held)
        assert done["exit_code"] == 2
        assert done["message"] == f"Run {held} is discarded, not held: there is nothing to {verb}."
    assert desk.status(held) == "discarded"


@ON_SQLITE
def test_what_nobody_knows_how_to_do_is_said_and_done_with(desk: Desk, held: str) -> None:
    assert decide(desk, "dance", held)["exit_code"] == 2
    assert desk.status(held) == "held"


@ON_SQLITE
def test_files_that_changed_meanwhile_were_not_approved(desk: Desk, held: str) -> None:
    number = put_request(desk, Kind.APPROVE, held)
    desk.put({"user.csv": DAY_TWO["user.csv"]})
    desk.work()
    (done,) = ask(desk.site, "SELECT * FROM sync_request WHERE id = ?", number)
    assert (done["exit_code"], desk.status(held), desk.people()) == (2, "superseded", {})


@ON_SQLITE
def test_a_set_of_which_nothing_is_left_can_be_discarded_only(desk: Desk) -> None:
    desk.site = replace(desk.site, incomplete="hold")
    run = by_hand(desk, PEOPLE_ONLY)
    shutil.rmtree(desk.site.folder / "spool" / run)
    done = decide(desk, Kind.APPROVE, run)
    assert (done["exit_code"], done["message"]) == (2, f"Nothing is left of the set of run {run}.")
    assert decide(desk, Kind.DISCARD, run)["exit_code"] == 0
    assert desk.status(run) == "discarded"


@ON_SQLITE
def test_a_dry_run_ends_no_hold(desk: Desk) -> None:
    desk.site = replace(desk.site, incomplete="hold")
    old = by_hand(desk, PEOPLE_ONLY)
    sync_at(desk.clock(), desk.site, DAY_ONE, dry_run=True)
    assert desk.status(old) == "held"


@ON_SQLITE
def test_a_newer_set_of_a_folder_supersedes_a_held_one(desk: Desk) -> None:
    desk.site = replace(desk.site, incomplete="hold")
    old = by_hand(desk, PEOPLE_ONLY)
    new = by_hand(desk, DAY_ONE)
    assert [desk.status(run) for run in (old, new)] == ["superseded", "applied"]
    assert desk.archived(old) == PEOPLE_ONLY


@pytest.mark.parametrize("step", ["make_plan", "report"])
def test_an_approval_that_is_killed_is_gone_on_with(desk: Desk, held: str, broken: Callable[..., None], step: str):
    number = put_request(desk, Kind.APPROVE, held)
    broken(1, Killed(), step)
    with pytest.raises(Killed):
        desk.work()
    desk.work()
    (done,) = ask(desk.site, "SELECT * FROM sync_request WHERE id = ?", number)
    assert (desk.status(held), len(desk.people())) == ("applied", 4)
    assert done["exit_code"] == 10
    assert desk.archived(held) == PEOPLE_ONLY
    assert desk.spool() == []


@ON_SQLITE
def test_an_approval_that_kills_its_process_again_and_again_is_given_up(
    desk: Desk, held: str, broken: Callable[..., None]
) -> None:
    number = put_request(desk, Kind.APPROVE, held)
    broken(9, Killed())
    for _ in range(3):
        with pytest.raises(Killed):
            desk.work()
    desk.work()
    (done,) = ask(desk.site, "SELECT * FROM sync_request WHERE id = ?", number)
    assert (done["exit_code"], desk.status(held)) == (1, "failed")
    assert "user.csv" in desk.quarantined(held)
    assert desk.people() == {}


@ON_SQLITE
def test_an_approval_whose_run_fails_says_so(desk: Desk, held: str, broken: Callable[..., None]) -> None:
    broken(1)
    assert decide(desk, Kind.APPROVE, held)["exit_code"] == 1


# -- not waiting for the slot


def test_a_set_that_waits_for_its_slot_is_applied_at_once_when_somebody_asks(desk: Desk) -> None:
    run = desk.arrive(DAY_ONE)
    assert desk.status(run) == "checked"
    done = decide(desk, Kind.SYNC, run)
    assert (done["exit_code"] in (0, 10), done["result_run_id"], desk.status(run)) == (True, run, "applied")
    again = decide(desk, Kind.SYNC, run)
    assert again["exit_code"] == 2
    assert "does not wait for its slot" in again["message"]


@ON_SQLITE
def test_a_set_behind_one_that_is_held_waits_on(desk: Desk) -> None:
    desk.site = partial(desk.site, *Element)
    first, second = desk.arrive(SOME), desk.arrive(SOME_MORE)
    desk.tell(f"UPDATE sync_run SET status = 'held' WHERE id = '{first}'")
    done = decide(desk, Kind.SYNC, second)
    assert (done["exit_code"], desk.statuses()) == (2, ["held", "checked"])
    assert "waits behind another one" in done["message"]
