"""What is told: one mail for each thing, committed with what it tells of."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from lzsyncd.config import Limit, Site, parse
from lzsyncd.errors import DiskFull
from lzsyncd.feed.elements import Element
from lzsyncd.ledger.glance import glance
from lzsyncd.report.letter import SHORT
from lzsyncd.sync import reporting, run
from tests.laws.company import BROKEN, DAY_ONE, DAY_TWO, PEOPLE
from tests.laws.ground import csv_of
from tests.report.conftest import IT, Office
from tests.report.letterbox import Letterbox
from tests.sync.conftest import broken as broken_
from tests.sync.desk import ON_SQLITE, Killed

broken = broken_
MENDED = {"rejected-user.csv": csv_of(f"lz_line,{PEOPLE}", "6,6,fay,Fay,Lee,fay@a.test,W,P,2,York")}


def test_a_good_set_with_findings_is_told_of_once(office: Office, box: Letterbox) -> None:
    first, second = office.arrive(DAY_ONE), office.arrive(DAY_TWO)
    office.post()
    office.post()
    assert office.about() == ["success", "warning"]
    assert box.subjects == [
        f"[lzsyncd] acme: the set was applied (run {first[-SHORT:]})",
        f"[lzsyncd] acme: 1 of 11 records rejected (run {second[-SHORT:]})",
    ]
    assert box.to == [[IT], [IT]]


def test_a_rejected_set_is_told_of_and_so_is_the_next_good_one(office: Office, box: Letterbox) -> None:
    office.arrive(DAY_ONE)
    office.arrive(BROKEN)
    office.arrive(BROKEN)
    office.arrive(DAY_TWO)
    office.arrive(DAY_ONE)
    office.post()
    assert office.about() == ["success", "rejected", "rejected", "recovered", "success"]
    *_, recovered = [message for message in box.taken if "come again" in message["Subject"]]
    assert "1 × user.email.invalid" in box.text(box.taken.index(recovered)), "its findings are told there"
    errors = [str(message["Message-ID"]) for message in box.taken if "was rejected" in message["Subject"]]
    assert str(recovered["References"]).split() == errors
    assert str(recovered["In-Reply-To"]) == errors[-1]


@ON_SQLITE
def test_a_mended_file_alone_is_no_recovery(office: Office) -> None:
    office.arrive(DAY_TWO)
    office.arrive(BROKEN)
    office.put(MENDED)
    office.work(office.judge("rejected-user.csv", mended=True))
    assert office.about()[:2] == ["warning", "rejected"]
    assert "recovered" not in office.about()


def test_findings_are_told_on_arrival_and_not_again_at_the_slot(office: Office, box: Letterbox) -> None:
    office.site = replace(office.site, apply="on-schedule")
    office.arrive(DAY_TWO)
    office.post()
    assert "It is applied at its slot." in box.text()
    office.slot()
    office.post()
    assert (office.statuses(), office.about(), len(box.taken)) == (["applied"], ["warning"], 1)


@ON_SQLITE
def test_a_clean_set_that_waits_is_told_of_when_it_is_applied(office: Office) -> None:
    office.site = replace(office.site, apply="on-schedule")
    office.arrive(DAY_ONE)
    assert office.about() == []
    office.slot()
    assert office.about() == ["success"]


def test_a_slot_at_which_the_rules_alone_are_asked_brings_no_set(office: Office) -> None:
    """Neither a mail that one was applied, nor an end of the silence, nor another last success."""
    office.site = ruled(replace(office.site, feed_expected_every=86_400.0, feed_grace=3_600.0))
    came = office.arrive(DAY_ONE)
    before = glance(office.site)
    for _ in range(2):
        office.slot()
    assert [(run["trigger"], run["status"]) for run in office.runs()[1:]] == [("slot", "unchanged")] * 2
    office.post()
    assert office.about() == ["success", "late"]
    after = glance(office.site)
    assert (after.last_good, after.figures.last_success) == (before.last_good, before.figures.last_success)
    assert after.figures.last_run[0] == came, "the numbers are those of the last set"


@ON_SQLITE
def test_rules_that_would_change_too_much_are_told_of_as_what_they_are(office: Office, box: Letterbox) -> None:
    office.site = ruled(office.site)
    office.arrive(DAY_ONE)
    office.later(days=1)
    office.site = replace(
        ruled(office.site, "Nowhere"),
        guard=replace(office.site.guard, max_unassigned=Limit(Decimal(0), is_share=False), min_records=1),
    )
    office.slot()
    office.post()
    run = office.runs()[-1]
    assert (run["status"], office.about()) == ("rejected", ["success", "rejected"])
    assert "the rules were not applied" in box.subjects[-1]
    assert glance(office.site).figures.last_run[:2] == (run["id"], "rejected")


def ruled(site: Site, city: str = "London") -> Site:
    rules = f"""[sites.acme]
[[sites.acme.audiences]]
name = "Safety"
rules = [{{ field = "city", is = "{city}" }}]
assign = ["course:SAFE"]"""
    return replace(site, audiences=parse(rules).sites["acme"].audiences)


@ON_SQLITE
def test_an_element_of_its_own_schedule_is_told_of_on_arrival_only(office: Office) -> None:
    from tests.sync.desk import scheduled  # noqa: PLC0415

    office.site = scheduled(replace(office.site, apply="on-schedule"), user="weekly on sunday at 04:00")
    office.arrive(DAY_TWO)
    assert office.about() == ["warning"]
    office.slot()
    office.slot(Element.USER)
    assert "applied" in office.statuses()
    assert office.about() == ["warning"]


def test_a_failing_run_is_told_of_once_and_again_when_it_is_put_aside(
    office: Office, box: Letterbox, broken: Callable[..., None]
) -> None:
    broken(3)
    failed = office.arrive(DAY_ONE)
    office.post()
    assert "RuntimeError" in box.text()
    assert "It is tried again by itself." in box.text()
    for _ in range(3):
        office.later(hours=1)
        office.work()
    office.post()
    assert (office.status(failed), office.about()) == ("failed", ["failed", "put-aside"])
    first, second = box.taken
    assert second["In-Reply-To"] == first["Message-ID"], "they are about one run"
    assert f"quarantine/{failed}" in box.text()


@ON_SQLITE
def test_a_failure_that_goes_away_by_itself_ends_well(office: Office, broken: Callable[..., None]) -> None:
    broken(1)
    office.arrive(DAY_ONE)
    office.later(hours=1)
    office.work()
    assert office.about() == ["failed", "recovered"]


@ON_SQLITE
def test_a_full_disk_is_told_of_once_however_often_it_is_met(office: Office, broken: Callable[..., None]) -> None:
    broken(3, DiskFull("The disk is full."))
    with pytest.raises(DiskFull):
        office.arrive(DAY_ONE)
    for _ in range(2):
        office.later(hours=1)
        with pytest.raises(DiskFull):
            office.work()
    assert office.about() == ["failed"]


def test_a_set_that_waits_for_somebody_is_told_of_with_the_commands(office: Office, box: Letterbox) -> None:
    office.site = replace(office.site, incomplete="hold")
    office.put({"user.csv": DAY_ONE["user.csv"]})
    held = (office.judge("user.csv").files, (Element.ORG, Element.POS))
    office.work(held=held)
    office.work(held=held)
    office.post()
    (run_id,) = [row["id"] for row in office.runs()]
    assert office.about() == ["held"]
    assert "org.csv and pos.csv are missing" in box.text()
    for command in ("show", "approve", "discard"):
        assert f"lzsyncd {command} {run_id}" in box.text()


def test_a_set_that_is_over_a_limit_is_told_of_with_figures_and_groups(office: Office, box: Letterbox) -> None:
    from lzsyncd.config import Guard, Limit  # noqa: PLC0415

    office.site = replace(office.site, guard=Guard(max_removed=Limit(Decimal(1), is_share=False), min_records=1))
    office.arrive(DAY_ONE)
    office.arrive({**DAY_ONE, "user.csv": csv_of(PEOPLE, "1,ann,Ann,Lee,ann@a.test,A,D,,London")})
    office.post()
    assert office.about()[0] == "success"
    assert office.about()[1].startswith("held:"), "of one plan: another one is another thing"
    assert box.subjects[-1].startswith("[lzsyncd] acme: a set waits for your decision (run ")
    assert "1 limit is exceeded" in box.text()
    assert "user, max_removed: 3 of 4; the limit is 1\n  2 in South (S)\n  1 in North (N)\n" in box.text()


def test_a_hold_that_is_over_before_its_mail_goes_out_asks_for_nothing(office: Office, box: Letterbox) -> None:
    office.site = replace(office.site, incomplete="hold")
    office.put({"user.csv": DAY_ONE["user.csv"]})
    office.work(held=(office.judge("user.csv").files, (Element.ORG, Element.POS)))
    office.tell("UPDATE sync_run SET status = 'superseded', message = ''")
    office.post()
    assert "approve" not in box.text()
    assert "superseded" in box.text()


def test_a_mail_is_committed_with_its_run_or_not_at_all(office: Office) -> None:
    """Killed before the commit, the run has told nothing; after it, it has: there is nothing in between."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run.runs, "finish", _killed)
        with pytest.raises(Killed):
            office.arrive(BROKEN)
    assert office.about() == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reporting, "after_commit", _killed)
        with pytest.raises(Killed):
            office.work()
    assert office.about() == ["rejected"]
    office.work()
    assert office.about() == ["rejected"]


def _killed(*_: object, **__: object) -> None:
    raise Killed


@pytest.mark.parametrize("kinds", [(), ("success",), ("recovered", "late")])
@ON_SQLITE
def test_only_what_is_asked_for_is_told(office: Office, box: Letterbox, kinds: tuple[str, ...]) -> None:
    office.configure(box, on=kinds)
    office.arrive(DAY_ONE)
    office.arrive(BROKEN)
    office.arrive(DAY_TWO)
    assert office.about() == [kind for kind in kinds if kind == "success"]


@ON_SQLITE
def test_nobody_is_told_where_nobody_is_named(office: Office, box: Letterbox) -> None:
    office.configure(box, to=())
    office.arrive(BROKEN)
    office.post()
    assert (office.mails(), box.taken) == ([], [])


# -- the feed that did not come


@pytest.fixture
def fed(office: Office) -> Office:
    """A site to which a set should come each day; it was first seen this morning."""
    office.site = replace(office.site, feed_expected_every=86_400.0, feed_grace=3_600.0)
    office.tell(f"UPDATE lzsyncd_migration SET applied = '{office.now:%Y-%m-%d %H:%M:%S}'")
    return office


def test_a_feed_that_never_came_is_late_from_when_the_site_was_first_seen(fed: Office, box: Letterbox) -> None:
    fed.later(hours=24, minutes=59)
    fed.post()
    assert fed.about() == []
    fed.later(hours=1, minutes=1)
    fed.post()
    fed.later(days=3)
    fed.post()
    assert fed.about() == ["late"]
    assert box.subjects == ["[lzsyncd] acme: no good set has come"]
    assert "One is expected every 1d" in box.text()


def test_a_feed_that_stays_away_is_late_once_and_recovers_once(fed: Office) -> None:
    fed.arrive(DAY_ONE)
    for _ in range(4):
        fed.later(hours=20)
        fed.arrive(BROKEN)  # it comes, and is never good
        fed.post()
    fed.arrive(DAY_TWO)
    fed.arrive(DAY_ONE)
    fed.later(hours=1)
    fed.post()
    assert [kind for kind in fed.about() if kind != "rejected"] == ["success", "late", "recovered", "success"]
    fed.later(hours=30)
    fed.post()
    assert fed.about()[-1] == "late", "the next silence is another thing"


@ON_SQLITE
def test_people_who_mend_records_are_no_feed(fed: Office) -> None:
    fed.arrive(DAY_TWO)
    fed.later(hours=24)
    fed.put(MENDED)
    fed.work(fed.judge("rejected-user.csv", mended=True))
    fed.later(hours=2)
    fed.post()
    assert fed.about()[-1] == "late"


@ON_SQLITE
def test_a_good_set_that_waits_for_its_slot_has_come(fed: Office) -> None:
    fed.site = replace(fed.site, apply="on-schedule")
    fed.arrive(DAY_ONE)
    fed.later(hours=24, minutes=50)
    fed.post()
    assert "late" not in fed.about()
