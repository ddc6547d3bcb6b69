"""Retention: old runs go as a whole, what is needed stays however old it is, and a kill leaves nothing that lies."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from lzsyncd.errors import Interrupted
from lzsyncd.feed.elements import Element
from lzsyncd.ledger import aged
from lzsyncd.ledger.requests import Kind
from lzsyncd.sync import retention
from lzsyncd.sync.retention import Pruned, prune
from tests.laws.company import DAY_ONE, DAY_TWO
from tests.laws.ground import ask, look
from tests.sync.desk import ON_SQLITE, Desk, Killed, listed, partial, scheduled
from tests.sync.test_arrivals import SOME, SOME_MORE
from tests.sync.test_decisions import decide, held

__all__ = ["held"]
BOOKS = ("sync_run", "sync_count", "sync_file")
FORGOTTEN = ("sync_error", "sync_found", "sync_change", "sync_image", "sync_made")
STRANGE = "20200101T020000412-5f0c9d1e"


@dataclass
class Company:
    """A site after three days, each with another set, and a hundred days on."""

    desk: Desk
    old: tuple[str, str]
    last: str


@pytest.fixture
def company(at_once: Desk) -> Company:
    first = at_once.runs()[-1]["id"]
    at_once.later(days=1)
    second = at_once.arrive(DAY_TWO)
    at_once.later(days=1)
    last = at_once.arrive(DAY_ONE)
    assert at_once.statuses() == ["applied"] * 3
    at_once.later(days=100)
    return Company(at_once, (first, second), last)


def left(desk: Desk, run: str, tables: tuple[str, ...] = FORGOTTEN) -> dict[str, int]:
    """How many rows of a run there are, where there are any."""
    column = {"sync_run": "id"}
    found = {t: ask(desk.site, f"SELECT 1 AS n FROM {t} WHERE {column.get(t, 'run_id')} = ?", run) for t in tables}
    return {table: len(rows) for table, rows in found.items() if rows}


def pruned(desk: Desk, *, dry_run: bool = False, progress: Any = None) -> Pruned:
    with desk.arrivals() as arrivals:
        options = replace(arrivals.options, dry_run=dry_run, progress=progress or arrivals.options.progress)
        return prune(arrivals.database, desk.site, options)


def test_after_the_slot_old_runs_go_as_a_whole_and_their_books_stay(company: Company) -> None:
    desk = company.desk
    people = look(desk.site)
    books = {run: left(desk, run, BOOKS) for run in company.old}
    assert all(left(desk, run) for run in company.old)
    desk.slot()
    for run in company.old:
        assert (left(desk, run), desk.archived(run), (desk.site.outbox / run).exists()) == ({}, {}, False)
        assert left(desk, run, BOOKS) == books[run]
        assert desk.run(run)["pruned_at"]
    assert look(desk.site) == people
    (told,) = (call.kwargs for call in desk.told.calls if call.kwargs["event.action"] == "retention_done")
    assert (told["pruned.archives"], told["pruned.reports"]) == (2, 2)
    desk.slot()
    assert desk.actions().count("retention_done") == 1


def test_the_last_good_set_stays_and_can_be_taken_back(company: Company) -> None:
    desk = company.desk
    desk.slot()
    assert desk.archived(company.last) == DAY_ONE
    assert "The set was applied." in desk.outbox(company.last)
    assert decide(desk, Kind.UNDO, company.last)["exit_code"] == 0
    assert desk.people()["5"] == "York"
    before = look(desk.site)
    refused = decide(desk, Kind.UNDO, company.old[1])
    assert refused["exit_code"] == 2
    assert refused["message"].endswith("is not kept any more, so it can't be taken back.")
    assert look(desk.site) == before


def test_a_run_that_is_given_up_is_not_taken_back_however_much_of_it_is_left(company: Company) -> None:
    desk = company.desk
    desk.tell(f"UPDATE sync_run SET pruned_at = '2026-11-23T00:00:00.000Z' WHERE id = '{company.last}'")
    before = look(desk.site)
    assert decide(desk, Kind.UNDO, company.last)["exit_code"] == 2
    assert look(desk.site) == before


def test_what_an_undo_took_back_stays_as_long_as_it_may_come_again(company: Company) -> None:
    desk = company.desk
    own = decide(desk, Kind.UNDO, company.last)["result_run_id"]
    desk.slot()
    assert [run["id"] for run in desk.runs() if not run["pruned_at"]] == [company.old[1], company.last, own]
    assert decide(desk, Kind.UNDO, own)["exit_code"] == 0
    assert decide(desk, Kind.UNDO, desk.runs()[-1]["id"])["exit_code"] == 0
    done = decide(desk, Kind.UNDO, company.old[1])
    assert (done["exit_code"], done["message"]) == (0, f"Run {company.old[1]} was taken back.")


def test_a_dry_run_deletes_nothing_and_tells_what_would_go(company: Company) -> None:
    desk = company.desk
    before = {t: ask(desk.site, f"SELECT * FROM {t}") for t in BOOKS + FORGOTTEN}
    would = pruned(desk, dry_run=True)
    assert {t: ask(desk.site, f"SELECT * FROM {t}") for t in BOOKS + FORGOTTEN} == before
    assert all(desk.archived(run) for run in company.old)
    done = pruned(desk)
    assert replace(done, before=would.before) == would
    assert (done.runs, done.archives, done.reports, done.rows["findings"]) == (2, 2, 2, 1)
    assert not pruned(desk).is_something


def test_a_hold_stays_and_can_be_approved(desk: Desk, held: str) -> None:
    desk.later(days=100)
    assert not pruned(desk).is_something
    assert "set.incomplete" in desk.findings(held)
    assert decide(desk, Kind.APPROVE, held)["exit_code"] == 20  # it is too old: the plan is made anew
    desk.later(seconds=1)
    assert decide(desk, Kind.APPROVE, held)["exit_code"] == 10
    assert len(desk.people()) == 4


@ON_SQLITE
def test_a_set_that_waits_for_its_slot_stays(desk: Desk) -> None:
    run = desk.arrive(DAY_TWO)
    desk.later(days=100)
    assert not pruned(desk).is_something
    assert (desk.status(run), desk.findings(run)) == ("checked", ["user.email.invalid"])


@ON_SQLITE
def test_the_newest_file_of_each_element_stays(company: Company) -> None:
    desk = company.desk
    people_only = desk.arrive({"user.csv": DAY_TWO["user.csv"]})
    desk.later(days=100)
    pruned(desk)
    assert desk.archived(company.last) == DAY_ONE
    assert [*desk.archived(people_only)] == ["user.csv"]
    assert desk.archived(company.old[1]) == {}


@ON_SQLITE
def test_a_partial_file_that_waits_for_its_elements_own_slot_stays(desk: Desk) -> None:
    desk.site = scheduled(partial(desk.site, Element.USER), user="weekly on sunday at 02:00")
    first = desk.arrive(DAY_ONE | SOME)
    desk.slot()
    desk.arrive(DAY_TWO | SOME_MORE)
    desk.slot()
    desk.later(days=100)
    pruned(desk)
    assert desk.archived(first)["user.csv"] == SOME["user.csv"]
    desk.slot(Element.USER)
    assert desk.people()["7"] == "Deal"


@ON_SQLITE
def test_a_program_that_is_told_to_end_is_not_kept_by_it(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(*_: object) -> None:
        raise Interrupted("told to end")

    monkeypatch.setattr(retention.aged, "forget", end)
    with pytest.raises(Interrupted):
        company.desk.slot()
    assert "retention_failed" not in company.desk.actions()


@ON_SQLITE
def test_folders_that_the_ledger_does_not_know_go_by_their_names_and_those_of_others_stay(desk: Desk) -> None:
    strange = desk.site.folder / "archive" / "2020" / "01" / STRANGE
    strange.mkdir(parents=True)
    (strange / "user.csv.gz").write_bytes(b"1234")
    (desk.site.outbox / "ours").mkdir(parents=True)
    (desk.site.folder / "quarantine" / STRANGE).mkdir(parents=True)
    done = pruned(desk)
    assert (done.archives, done.bytes) == (1, 4)
    assert listed(desk.site.folder / "archive" / "2020" / "01") == []
    assert listed(desk.site.outbox) == ["ours"]
    assert listed(desk.site.folder / "quarantine") == [STRANGE]


@ON_SQLITE
def test_mails_go_with_their_run_but_for_the_last_of_each_kind_and_those_not_sent(company: Company) -> None:
    first, second = company.old
    for about, run, kind, sent in (
        ("a", first, "warning", "'x'"),
        ("b", first, "error", "'x'"),
        ("c", second, "error", "'x'"),
        ("d", second, "warning", "NULL"),
        ("e", company.last, "success", "'x'"),
    ):
        company.desk.tell(
            "INSERT INTO sync_mail (about, run_id, kind, recipients, due_at, sent_at, created_at) "
            f"VALUES ('{about}', '{run}', '{kind}', '[]', 'x', {sent}, 'x')"
        )
    assert pruned(company.desk).rows["mails"] == 2
    assert [row["about"] for row in ask(company.desk.site, "SELECT about FROM sync_mail")] == ["c", "d", "e"]


class KilledAt:
    """A process that is killed at a step."""

    def __init__(self, step: int) -> None:
        self.left = step

    def read(self, *_: object) -> None: ...

    def stage(self, _name: str) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed


def test_a_kill_at_any_step_is_made_up_for(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aged, "BATCH", 3)
    desk = company.desk
    for step in range(1, 4):
        with pytest.raises(Killed):
            pruned(desk, progress=KilledAt(step))
    hidden = desk.site.outbox / f".{company.old[0]}.gone"
    hidden.mkdir()
    done = pruned(desk)
    assert done.rows["changes"] > aged.BATCH
    assert not hidden.exists()
    assert all(left(desk, run) == desk.archived(run) == {} for run in company.old)
    assert decide(desk, Kind.UNDO, company.last)["exit_code"] == 0


@ON_SQLITE
def test_what_goes_wrong_is_told_and_fails_no_run(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(retention.aged, "forget", fail)
    company.desk.put(DAY_TWO)
    slot = company.desk.next_slot()
    arrivals = company.desk.work(company.desk.judge(*DAY_TWO), slots=(slot,))
    assert (arrivals.failed, company.desk.statuses()[-1]) == (False, "applied")
    assert company.desk.actions()[-1] == "retention_failed"
    monkeypatch.undo()
    company.desk.slot()
    assert left(company.desk, company.old[0]) == {}
