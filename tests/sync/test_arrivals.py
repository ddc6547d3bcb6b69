"""The life of sets: checked on arrival, waiting in their order, applied at the slot, held, superseded (LIFECYCLE)."""

import json
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from lzsyncd.feed.elements import Element
from lzsyncd.intake.claim import Judged, Order, claim
from lzsyncd.ledger import queries, waiting
from lzsyncd.sync import arrivals
from lzsyncd.zone.database import Database
from tests.laws.company import BROKEN, DAY_ONE, DAY_TWO, PEOPLE, UNITS
from tests.laws.ground import ask, csv_of
from tests.sync.desk import ON_SQLITE, Desk, Killed, partial, scheduled

MENDED = {"rejected-user.csv": csv_of(f"{PEOPLE},lz_line", "6,fay,Fay,Lee,fay@a.test,A,D,2,Hull,6")}
PLAIN_MENDED = {"user.csv": MENDED["rejected-user.csv"]}
PEOPLE_TWO = {"user.csv": DAY_TWO["user.csv"]}
SOME = {"user.csv": csv_of(f"{PEOPLE},deleted", "7,gus,Gus,Lee,gus@a.test,,,,Bath,0")}
SOME_MORE = {"user.csv": csv_of(f"{PEOPLE},deleted", "7,gus,Gus,Lee,gus@a.test,,,,Deal,0")}
FAY = {"6": "Hull"}


# --- on the schedule


def test_a_set_is_checked_on_arrival_and_changes_nothing(desk: Desk) -> None:
    desk.arrive(DAY_ONE)
    desk.slot()
    before = ask(desk.site, "SELECT * FROM lz_user ORDER BY id"), ask(desk.site, "SELECT * FROM lz_org ORDER BY id")
    run = desk.arrive(DAY_TWO)
    assert desk.status(run) == "checked"
    assert desk.findings(run) == ["user.email.invalid"]
    assert "The set was checked. Nothing was changed yet" in desk.outbox(run)
    assert "rejected-user.csv" in {path.name for path in (desk.site.outbox / run).iterdir()}
    assert before == (
        ask(desk.site, "SELECT * FROM lz_user ORDER BY id"),
        ask(desk.site, "SELECT * FROM lz_org ORDER BY id"),
    )
    assert ask(desk.site, "SELECT 1 AS n FROM sync_change WHERE run_id = ?", run) == []
    assert desk.inbox() == []
    assert desk.spool() == [run]
    desk.work()
    assert desk.status(run) == "checked"


def test_the_plan_of_a_set_that_waits_is_kept_until_it_is_applied_as_shown(desk: Desk) -> None:
    columns = "element, idnumber, action, before, after, file, line"
    desk.arrive(DAY_ONE)
    desk.slot()
    run = desk.arrive(DAY_TWO)
    planned = ask(desk.site, f"SELECT {columns} FROM sync_planned WHERE run_id = ? ORDER BY id", run)
    assert planned
    with closing(Database(desk.site)) as database:
        shown = [change.idnumber for change in queries.changes(database, run)]
    assert shown == [row["idnumber"] for row in planned]
    desk.slot()
    assert ask(desk.site, f"SELECT {columns} FROM sync_change WHERE run_id = ? ORDER BY id", run) == planned
    assert ask(desk.site, "SELECT 1 AS n FROM sync_planned") == []


def test_the_plan_of_a_superseded_set_goes_with_it(desk: Desk) -> None:
    old, new = desk.arrive(DAY_ONE), desk.arrive(DAY_TWO)
    assert desk.status(old) == "superseded"
    assert ask(desk.site, "SELECT DISTINCT run_id FROM sync_planned") == [{"run_id": new}]


def test_at_the_slot_it_is_applied_and_kept(desk: Desk) -> None:
    run = desk.arrive(DAY_ONE)
    slot = desk.slot()
    row = desk.run(run)
    assert (row["status"], row["slot"], row["trigger"], row["attempt"]) == ("applied", slot.name, "arrival", 1)
    assert desk.slots()[slot.name]["run_id"] == run
    assert desk.slots()[slot.name]["finished_at"]
    assert len(desk.people()) == 4
    assert desk.archived(run) == DAY_ONE
    assert "The set was applied." in desk.outbox(run)
    assert desk.spool() == desk.inbox() == []


@ON_SQLITE
def test_what_is_told_at_the_slot_is_told_once(desk: Desk) -> None:
    run = desk.arrive(DAY_TWO)
    desk.slot()
    assert desk.findings(run) == ["user.email.invalid"]
    assert [row["element"] for row in ask(desk.site, "SELECT element FROM sync_count WHERE run_id = ?", run)] == [
        "org",
        "pos",
        "user",
    ]


def test_waiting_sets_are_applied_in_the_order_of_arrival(desk: Desk) -> None:
    """Mended files come behind the set they belong to; each is a run of its own."""
    first, second = desk.arrive(DAY_TWO), desk.arrive(MENDED, mended=True)
    assert desk.statuses() == ["checked", "checked"]
    slot = desk.slot()
    assert desk.statuses() == ["applied", "applied"]
    assert [run["slot"] for run in desk.runs()] == [slot.name, slot.name]
    assert desk.run(first)["finished_at"] < desk.run(second)["finished_at"]
    assert desk.people().items() >= FAY.items()


def test_partial_sets_queue_and_never_supersede(desk: Desk) -> None:
    desk.arrive(DAY_ONE)
    desk.slot()
    desk.site = partial(desk.site)
    first, second = desk.arrive(SOME), desk.arrive(SOME_MORE)
    assert [desk.status(run) for run in (first, second)] == ["checked", "checked"]
    desk.slot()
    assert [desk.status(run) for run in (first, second)] == ["applied", "applied"]
    assert desk.people()["7"] == "Deal"


@ON_SQLITE
def test_a_mended_set_under_a_plain_name_does_not_supersede(desk: Desk) -> None:
    first, second = desk.arrive(PEOPLE_TWO), desk.arrive(PLAIN_MENDED, mended=True)
    desk.work()
    assert [desk.status(run) for run in (first, second)] == ["checked", "checked"]


def test_a_newer_good_set_of_the_same_elements_supersedes(desk: Desk) -> None:
    old, new = desk.arrive(DAY_ONE), desk.arrive(DAY_TWO)
    assert (desk.status(old), desk.status(new)) == ("superseded", "checked")
    assert desk.archived(old) == DAY_ONE
    assert "A newer set came before this one was applied." in desk.outbox(old)
    assert desk.spool() == [new]
    desk.slot()
    assert desk.statuses() == ["superseded", "applied"]


@ON_SQLITE
def test_a_newer_set_supersedes_mended_files_too(desk: Desk) -> None:
    old, new = desk.arrive(MENDED, mended=True), desk.arrive(DAY_TWO)
    assert (desk.status(old), desk.status(new)) == ("superseded", "checked")
    assert desk.archived(old) == MENDED


def test_a_newer_set_of_fewer_elements_does_not_supersede(desk: Desk) -> None:
    old, new = desk.arrive(DAY_ONE), desk.arrive(PEOPLE_TWO)
    assert (desk.status(old), desk.status(new)) == ("checked", "checked")
    desk.slot()
    assert desk.statuses() == ["applied", "applied"]
    assert desk.people() == {"1": "London", "2": "Leeds", "3": "London", "5": "York"}


def test_a_rejected_set_does_not_supersede(desk: Desk) -> None:
    old, new = desk.arrive(DAY_ONE), desk.arrive(BROKEN)
    assert (desk.status(old), desk.status(new)) == ("checked", "rejected")
    assert desk.archived(new) == BROKEN
    desk.slot()
    assert desk.status(old) == "applied"


def test_a_set_that_comes_after_the_slot_waits_for_the_next(desk: Desk) -> None:
    slot = desk.slot()
    assert desk.slots()[slot.name]["run_id"] is None
    run = desk.arrive(DAY_ONE)
    desk.work(slots=(slot,))
    assert desk.status(run) == "checked"
    desk.slot()
    assert desk.status(run) == "applied"


def test_a_slot_without_a_set_is_done(desk: Desk) -> None:
    slot = desk.slot()
    assert desk.runs() == []
    assert desk.slots()[slot.name]["finished_at"]


def test_a_slot_that_is_claimed_twice_is_run_once(desk: Desk) -> None:
    slot = desk.next_slot()
    with closing(Database(desk.site)) as one, closing(Database(desk.site)) as other:
        now = slot.due_at.isoformat()
        claims = [waiting.claim_slot(database, slot.name, now, now) for database in (one, other, one)]
    assert claims == [True, False, False]
    run = desk.arrive(DAY_ONE)  # the slot is unfinished, and the set came later
    desk.work(slots=(slot, slot))
    assert desk.status(run) == "checked"


def test_a_slot_that_was_killed_between_two_sets_is_finished_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.arrive(DAY_TWO)
    desk.arrive(MENDED, mended=True)
    slot = desk.next_slot()
    with monkeypatch.context() as patch:
        patch.setattr("lzsyncd.report.events.RunLog.finished", raise_killed)
        with pytest.raises(Killed):
            desk.work(slots=(slot,))
    assert desk.statuses() == ["applied", "checked"]
    late = desk.arrive(SOME)
    assert desk.statuses() == ["applied", "applied", "checked"]
    assert desk.run(desk.runs()[1]["id"])["slot"] == slot.name
    assert desk.run(late)["slot"] is None
    assert desk.slots()[slot.name]["finished_at"]


def raise_killed(*_: object) -> None:
    raise Killed


# --- on arrival


def test_on_arrival_a_set_is_applied_at_once(at_once: Desk) -> None:
    run = at_once.arrive(DAY_TWO)
    assert (at_once.status(run), at_once.run(run)["slot"]) == ("applied", None)
    assert at_once.people()["5"] == "York"
    assert at_once.archived(run) == DAY_TWO
    assert at_once.inbox() == at_once.spool() == []


@ON_SQLITE
def test_two_sets_of_one_errand_are_two_runs_in_order(at_once: Desk) -> None:
    full = at_once.deliver(DAY_TWO)
    at_once.work(full, at_once.deliver(MENDED, mended=True))
    assert at_once.statuses() == ["applied"] * 3
    assert at_once.people().items() >= FAY.items()


def test_a_set_behind_one_that_is_tried_again_keeps_its_place(at_once: Desk, broken: Callable[..., None]) -> None:
    at_once.site = partial(at_once.site)
    broken(1)
    older, newer = at_once.arrive(SOME), at_once.arrive(SOME_MORE)
    assert (at_once.status(older), at_once.status(newer)) == ("failed", "checked")
    at_once.later(minutes=2)
    at_once.work()
    assert (at_once.status(older), at_once.status(newer)) == ("applied", "applied")
    assert at_once.people()["7"] == "Deal"


def test_a_good_set_supersedes_one_that_is_tried_again(at_once: Desk, broken: Callable[..., None]) -> None:
    broken(1)
    older, newer = at_once.arrive(DAY_ONE), at_once.arrive(DAY_TWO)
    assert (at_once.status(older), at_once.status(newer)) == ("superseded", "applied")
    assert at_once.archived(older) == DAY_ONE
    at_once.later(minutes=2)
    at_once.work()
    assert at_once.people()["5"] == "York"


def test_a_set_of_a_person_supersedes_what_waits(desk: Desk) -> None:
    """Who syncs by hand does not want last night's set on top of it at the slot."""
    old = desk.arrive(DAY_ONE)
    with desk.arrivals("command") as arrivals:
        arrivals.recover()
        arrivals.arrive(desk.deliver(DAY_TWO), trigger="command", apply=True)
    assert desk.statuses() == ["superseded", "applied"]
    desk.slot()
    assert desk.archived(old) == DAY_ONE
    assert desk.people()["5"] == "York"


def test_what_a_person_asks_for_does_not_overtake_what_waits(desk: Desk) -> None:
    desk.site = partial(desk.site)
    older = desk.arrive(SOME)
    with desk.arrivals("command") as arrivals:
        arrivals.arrive(desk.deliver(SOME_MORE), trigger="command", apply=True)
    assert desk.statuses() == ["applied", "applied"]
    assert desk.people()["7"] == "Deal"
    assert desk.run(older)["slot"] is None


# --- held


def incomplete(desk: Desk, *missing: Element) -> tuple[dict[Element, Judged], tuple[Element, ...]]:
    """What lies in the inbox, as the daemon holds it."""
    return desk.judge(*desk.inbox()).files, missing


def test_an_incomplete_set_is_told_of_once_and_stays_in_the_inbox(desk: Desk) -> None:
    desk.put({"user.csv": DAY_ONE["user.csv"], "pos.csv": DAY_ONE["pos.csv"]})
    for _ in range(3):  # each with a new process: nothing is remembered but in the ledger
        desk.work(held=incomplete(desk, Element.ORG))
    (run,) = desk.runs()
    assert run["status"] == "held"
    assert run["message"].startswith("org.csv is missing.")
    assert desk.findings(run["id"]) == ["set.incomplete"]
    assert "The set waits for a person." in desk.outbox(run["id"])
    assert desk.inbox() == ["pos.csv", "user.csv"]
    assert desk.actions().count("set_held") == 1


def test_a_late_file_completes_a_held_set(desk: Desk) -> None:
    desk.put({"user.csv": DAY_ONE["user.csv"], "pos.csv": DAY_ONE["pos.csv"]})
    desk.work(held=incomplete(desk, Element.ORG))
    desk.put({"org.csv": DAY_ONE["org.csv"]})
    desk.work(desk.judge(*DAY_ONE))
    assert desk.statuses() == ["superseded", "checked"]
    assert len(desk.spool()) == 1
    desk.slot()
    assert desk.statuses() == ["superseded", "applied"]


@ON_SQLITE
def test_a_held_set_is_over_when_its_files_went_into_another(desk: Desk) -> None:
    """Whatever becomes of that one: partial, or rejected."""
    desk.site = partial(desk.site)
    desk.put({"user.csv": SOME["user.csv"]})
    desk.work(held=incomplete(desk, Element.ORG, Element.POS))
    desk.put({"org.csv": BROKEN["org.csv"], "pos.csv": BROKEN["pos.csv"]})
    desk.work(desk.judge("org.csv", "pos.csv", "user.csv"))
    assert desk.statuses() == ["superseded", "rejected"]


@ON_SQLITE
@pytest.mark.parametrize("change", ["taken away", "replaced"])
def test_a_held_set_is_over_when_its_files_are(desk: Desk, change: str) -> None:
    desk.put({"user.csv": DAY_ONE["user.csv"]})
    desk.work(held=incomplete(desk, Element.ORG, Element.POS))
    (desk.site.inbox / "user.csv").unlink()
    if change == "replaced":
        desk.put(PEOPLE_TWO)
        desk.work(held=incomplete(desk, Element.ORG, Element.POS))
        assert desk.statuses() == ["superseded", "held"]
    else:
        desk.work()
        assert desk.statuses() == ["superseded"]
        assert desk.spool() == []


@pytest.mark.parametrize("apply", ["on-arrival", "on-schedule"])
def test_a_held_set_holds_back_what_comes_behind_it(desk: Desk, apply: str) -> None:
    desk.site = replace(desk.site, apply=apply)
    desk.put({"user.csv": DAY_ONE["user.csv"]})
    desk.work(held=incomplete(desk, Element.ORG, Element.POS))
    behind = desk.arrive(MENDED, mended=True)
    beside = desk.arrive({"rejected-pos.csv": csv_of(f"{UNITS},lz_line", "D,Driver,,2")}, mended=True)
    desk.slot()
    assert [desk.status(run) for run in (behind, beside)] == ["checked", "applied"]
    (desk.site.inbox / "user.csv").unlink()
    desk.work()
    desk.slot()
    assert desk.status(behind) == "applied"


@ON_SQLITE
def test_without_a_hold_an_incomplete_set_is_synced(desk: Desk) -> None:
    run = desk.arrive(PEOPLE_TWO)
    assert "set.incomplete" in desk.findings(run)
    desk.slot()
    assert desk.status(run) == "applied"


@ON_SQLITE
def test_an_incomplete_set_is_rejected_where_the_site_says_so(desk: Desk) -> None:
    desk.site = replace(desk.site, incomplete="reject")
    run = desk.arrive(PEOPLE_TWO)
    assert (desk.status(run), desk.people()) == ("rejected", {})
    assert desk.archived(run) == PEOPLE_TWO


# --- schedules of their own


@pytest.fixture
def weekly(desk: Desk) -> Desk:
    """A site whose units are applied daily, its people on Wednesdays."""
    desk.site = scheduled(desk.site, user="weekly on wednesday at 05:00")
    return desk


def test_an_element_with_its_own_schedule_waits_for_its_own_slot(weekly: Desk) -> None:
    run = weekly.arrive(DAY_TWO)
    assert "user.email.invalid" in weekly.findings(run)
    daily = weekly.slot()
    assert daily.elements == (Element.ORG, Element.POS)
    assert (weekly.status(run), weekly.people()) == ("applied", {})
    assert weekly.archived(run) == DAY_TWO
    slot = weekly.slot(Element.USER)
    own = weekly.runs()[-1]
    assert (own["status"], own["slot"], own["trigger"]) == ("applied", slot.name, "slot")
    assert weekly.people()["5"] == "York"
    assert weekly.slots()[slot.name]["run_id"] == own["id"]
    assert weekly.spool() == []


def test_its_slot_takes_the_newest_good_set_and_nothing_else_of_it(weekly: Desk) -> None:
    weekly.arrive(DAY_ONE)
    weekly.slot()
    waits = weekly.arrive(DAY_TWO)
    weekly.arrive(BROKEN)
    weekly.now = weekly.now.replace(day=25, hour=4)
    weekly.slot(Element.USER)
    assert weekly.status(waits) == "checked"
    assert weekly.people()["5"] == "York"
    assert "W" not in {row["idnumber"] for row in ask(weekly.site, "SELECT idnumber FROM lz_org")}
    weekly.slot()
    assert weekly.status(waits) == "applied"
    assert "W" in {row["idnumber"] for row in ask(weekly.site, "SELECT idnumber FROM lz_org")}


def test_a_set_of_that_element_alone_is_applied_at_its_slot(weekly: Desk) -> None:
    full, mended = weekly.arrive(PEOPLE_TWO), weekly.arrive(MENDED, mended=True)
    weekly.slot()
    assert (weekly.status(full), weekly.status(mended)) == ("checked", "checked")
    slot = weekly.slot(Element.USER)
    assert [weekly.run(run)["slot"] for run in (full, mended)] == [slot.name, slot.name]
    assert weekly.statuses() == ["applied", "applied"]
    assert weekly.people().items() >= FAY.items()


@ON_SQLITE
def test_a_mended_file_under_a_plain_name_is_not_the_newest_set(weekly: Desk) -> None:
    weekly.arrive(DAY_TWO)
    weekly.slot()
    mended = weekly.arrive(PLAIN_MENDED, mended=True)
    weekly.slot(Element.USER)
    assert weekly.status(mended) == "applied"
    assert weekly.people() == {"1": "London", "2": "Leeds", "3": "London", "5": "York", **FAY}


@ON_SQLITE
def test_it_waits_for_its_slot_on_arrival_too(weekly: Desk) -> None:
    weekly.site = replace(weekly.site, apply="on-arrival")
    run = weekly.arrive(DAY_TWO)
    assert (weekly.status(run), weekly.people()) == ("applied", {})
    weekly.slot(Element.USER)
    assert weekly.people()["5"] == "York"


def some(*people: str) -> dict[str, bytes]:
    """A set with units, and people of whom others are not named."""
    return DAY_TWO | {"user.csv": csv_of(f"{PEOPLE},deleted", *people)}


def test_where_no_file_names_everybody_each_is_applied_at_its_slot_in_the_order_of_arrival(weekly: Desk) -> None:
    """Of sets that were applied to their other elements long ago, and of one that is there for this element alone."""
    weekly.site = partial(weekly.site, Element.USER)
    for set_of_files in (
        some("7,gus,Gus,Lee,gus@a.test,A,D,,Bath,0", "8,hal,Hal,Lee,hal@a.test,A,D,,Bath,0"),
        SOME_MORE,
        some("8,hal,Hal,Lee,hal@a.test,A,D,,Ely,0", "9,ian,Ian,Lee,ian@a.test,A,D,,Ely,0"),
    ):
        weekly.arrive(set_of_files)
        weekly.slot()
    waits = weekly.arrive(some("9,ian,Ian,Lee,ian@a.test,A,D,,Rye,0"))
    assert weekly.people() == {}
    weekly.slot(Element.USER)
    assert weekly.people() == {"7": "Deal", "8": "Ely", "9": "Rye"}
    assert weekly.status(waits) == "checked"
    weekly.slot()
    assert weekly.status(waits) == "unchanged"
    before = len(weekly.runs())
    weekly.slot(Element.USER)
    assert len(weekly.runs()) == before, "none is applied twice"


@ON_SQLITE
def test_one_of_them_that_fails_keeps_those_behind_it_for_the_next_slot(
    weekly: Desk, broken: Callable[..., None]
) -> None:
    weekly.site = partial(weekly.site, Element.USER)
    for city in ("Bath", "Ely"):
        weekly.arrive(some(f"7,gus,Gus,Lee,gus@a.test,A,D,,{city},0"))
        weekly.slot()
    broken(1)
    weekly.slot(Element.USER)
    assert weekly.people() == {}
    weekly.slot(Element.USER)
    assert weekly.people() == {"7": "Ely"}
    assert [run["status"] for run in weekly.runs() if run["trigger"] == "slot"] == ["failed", "applied", "applied"]


def test_a_set_that_was_undone_is_not_the_newest_any_more(weekly: Desk) -> None:
    weekly.arrive(DAY_ONE)
    weekly.slot()
    weekly.arrive(DAY_TWO)
    weekly.slot()
    weekly.now = weekly.now.replace(day=25, hour=4)
    weekly.slot(Element.USER)
    assert weekly.people()["2"] == "Leeds"
    weekly.tell(f"UPDATE sync_run SET status = 'undone' WHERE id = '{weekly.runs()[-1]['id']}'")
    weekly.slot(Element.USER)
    assert weekly.people()["2"] == "London"


@ON_SQLITE
def test_a_newest_set_that_fails_does_not_stop_the_slots(weekly: Desk, broken: Callable[..., None]) -> None:
    weekly.arrive(DAY_TWO)
    weekly.slot()
    broken(1)
    failed = weekly.slot(Element.USER)
    assert weekly.statuses() == ["applied", "failed"]
    assert weekly.slots()[failed.name]["finished_at"]
    assert weekly.spool() == [weekly.runs()[-1]["id"]]
    weekly.slot()
    assert weekly.spool() == []
    weekly.slot(Element.USER)
    assert weekly.people()["5"] == "York"


@ON_SQLITE
def test_an_archive_that_is_damaged_does_not_stop_the_slots(weekly: Desk) -> None:
    run = weekly.arrive(DAY_TWO)
    weekly.slot()
    (packed,) = (weekly.site.folder / "archive").glob(f"*/*/{run}/user.csv.gz")
    packed.write_bytes(packed.read_bytes()[:40])
    slot = weekly.slot(Element.USER)
    assert weekly.slots()[slot.name]["finished_at"]
    assert weekly.people() == {}
    assert weekly.spool() == []


def test_what_kills_its_process_at_the_slot_is_not_tried_for_ever(weekly: Desk, broken: Callable[..., None]) -> None:
    weekly.arrive(DAY_TWO)
    weekly.slot()
    broken(99, Killed())
    slot = weekly.next_slot(Element.USER)
    for _ in range(3):
        with pytest.raises(Killed):
            weekly.work(slots=(slot,))
    weekly.work()
    assert weekly.statuses() == ["applied", *["interrupted"] * 3]
    assert weekly.slots()[slot.name]["finished_at"]


# --- what the inbox does meanwhile


@ON_SQLITE
def test_a_set_that_changed_since_it_was_judged_stays_in_the_inbox(desk: Desk) -> None:
    order = desk.deliver(DAY_ONE)
    desk.put({"pos.csv": DAY_TWO["pos.csv"]})
    desk.work(order)
    assert desk.runs() == []
    assert desk.inbox() == sorted(DAY_ONE)
    assert desk.actions() == ["set_changed"]


@ON_SQLITE
def test_a_set_to_which_somebody_writes_again_stays_in_the_inbox_until_they_have_done(desk: Desk) -> None:
    order = desk.deliver(DAY_TWO)
    with (desk.site.inbox / "user.csv").open("ab"):
        desk.work(order)
    assert (desk.runs(), desk.inbox()) == ([], sorted(DAY_TWO))
    assert desk.actions() == ["set_changed"]
    desk.work(order)
    assert desk.statuses() == ["checked"]


@ON_SQLITE
def test_a_set_whose_writer_has_it_open_since_before_it_was_claimed_is_not_taken_for_whole(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come between the last look and the renaming."""
    order = desk.deliver(DAY_TWO)
    with ExitStack() as writers:

        def claimed_meanwhile(inbox: Path, spool: Path, order: Order) -> None:
            writers.enter_context((inbox / "user.csv").open("ab"))
            claim(inbox, spool, order)

        monkeypatch.setattr(arrivals, "claim", claimed_meanwhile)
        desk.work(order)
    (run,) = desk.runs()
    assert (run["status"], desk.findings(run["id"])) == ("rejected", ["file.changed"])
    assert desk.inbox() == []


@ON_SQLITE
def test_one_set_that_changed_does_not_keep_the_next(desk: Desk) -> None:
    order = desk.deliver(DAY_ONE)
    (desk.site.inbox / "org.csv").unlink()
    desk.work(order, desk.deliver(MENDED, mended=True))
    assert desk.inbox() == ["pos.csv", "user.csv"]
    assert desk.statuses() == ["checked"]


@ON_SQLITE
def test_the_files_of_a_waiting_set_are_told_of_in_its_report(desk: Desk) -> None:
    run = desk.arrive(DAY_ONE)
    told = json.loads((desk.site.outbox / run / "summary.json").read_text())
    assert {file["name"] for file in told["files"]} == set(DAY_ONE)
    assert told["status"] == "checked"
