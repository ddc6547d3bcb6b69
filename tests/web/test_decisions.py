"""What people decide is a row that says who, on what and when; only admins decide, and nothing is done here."""

import sqlite3
import time
from threading import Event
from typing import Any

import pytest
from starlette.testclient import TestClient

from lzsyncd.errors import Usage
from lzsyncd.intake.touches import WAKE
from lzsyncd.ledger import planned, runs
from lzsyncd.ledger.requests import unfinished
from lzsyncd.ledger.status import Status
from lzsyncd.sync.undo import Undo, possible
from lzsyncd.web import decisions
from lzsyncd.web.decisions import GLIMPSE
from lzsyncd.web.store import kept
from lzsyncd.zone.database import opened

from .conftest import Page, csrf_of

PLAN = "5" * 64


def put(page: Page, status: Status) -> str:
    """The last run, standing there."""
    with opened(page.site) as database:
        run = str(database.value("SELECT max(id) FROM sync_run"))
        runs.move(database, run, status)
        database.run(
            "INSERT INTO sync_breach (run_id, element, guard, figure, base, allowed, unit, largest, withheld) "
            "VALUES (?, 'user', 'max_removed', 10, 30, '10%', '', ?, FALSE)",
            (run, '[{"name": "Operations", "count": 9, "base": 20}]'),
        )
        database.run("UPDATE sync_run SET plan_hash = ? WHERE id = ?", (PLAN, run))
        return run


def asked(page: Page) -> list[tuple[str, str, str, str]]:
    with opened(page.site) as database:
        return [
            (request.kind, request.plan_hash, request.trigger, request.requested_by) for request in unfinished(database)
        ]


@pytest.mark.parametrize(
    ("kind", "status"),
    [("approve", Status.HELD), ("discard", Status.HELD), ("sync", Status.CHECKED), ("undo", Status.APPLIED)],
)
def test_what_an_admin_asks_for_is_written_down_once(page: Page, kind: str, status: Status):
    run, client = put(page, status), page.browser("ada")
    csrf = csrf_of(client.get(f"/sites/acme/runs/{run}").text)
    for _ in range(2):
        answer = client.post(f"/sites/acme/runs/{run}/{kind}", data={"csrf": csrf, "plan_hash": PLAN})
    assert "Written down" in answer.text
    assert f"asked to {kind} this" in answer.text
    assert asked(page) == [(kind, PLAN, "page", "ada")]
    with kept(page.site) as store:
        assert [(deed.who, deed.action) for deed in store.deeds(2**62, 1)] == [("ada", f"asked to {kind}")]
        assert run in store.deeds(2**62, 1)[0].detail
    with opened(page.site) as database:
        database.run("UPDATE sync_request SET done_at = requested_at, message = 'It was refused.'")
    assert "It was refused." in client.get(f"/sites/acme/runs/{run}").text


@pytest.mark.parametrize("kind", ["approve", "discard", "sync", "undo"])
def test_viewers_forged_forms_and_wrong_runs_ask_for_nothing(page: Page, kind: str):
    run = put(page, Status.REJECTED)
    viewer, admin = page.browser("vera"), page.browser("ada")
    codes = []
    for client, csrf in ((viewer, csrf_of(viewer.get("/sites/acme/").text)), (admin, "guess"), (admin, "")):
        codes.append(client.post(f"/sites/acme/runs/{run}/{kind}", data={"csrf": csrf}).status_code)
    csrf = csrf_of(admin.get("/sites/acme/").text)
    codes.append(admin.post(f"/sites/acme/runs/{run}/{kind}", data={"csrf": csrf}).status_code)
    codes.append(admin.post(f"/sites/acme/runs/none/{kind}", data={"csrf": csrf}).status_code)
    assert codes == [403, 403, 403, 409, 404]
    assert asked(page) == []


def test_what_lies_in_the_place_of_the_sign_that_wakes_the_daemon_is_not_followed(page: Page):
    run, client, victim = put(page, Status.CHECKED), page.browser("ada"), page.folder / "victim"
    victim.write_text("mine")
    (page.site.inbox / WAKE).symlink_to(victim)
    csrf = csrf_of(client.get(f"/sites/acme/runs/{run}").text)
    assert client.post(f"/sites/acme/runs/{run}/sync", data={"csrf": csrf}).status_code == 200
    assert (victim.read_text(), list(page.site.inbox.iterdir())) == ("mine", [])


def test_a_hold_is_told_in_words_with_the_largest_groups(page: Page):
    client = page.browser("vera")
    assert "Nothing waits for a decision" in client.get("/sites/acme/holds").text
    run = put(page, Status.HELD)
    for path in ("holds", f"runs/{run}"):
        text = client.get(f"/sites/acme/{path}").text
        assert "user.csv: 10 of 30 would go (33.3%). The limit is 10%." in text
        assert "Operations 9 of 20" in text
    assert "A set waits for a decision" not in client.get("/sites/acme/").text  # no daemon: that comes first


def test_a_set_that_waits_shows_its_plan_before_anybody_applies_it(page: Page):
    run = put(page, Status.CHECKED)
    client = page.browser("ada")
    assert "Nothing would change" in client.get(f"/sites/acme/runs/{run}").text
    with opened(page.site) as database:
        planned.put_by(database, run, keep=True)
        number = int(database.value("SELECT count(*) FROM sync_planned"))
        database.run("UPDATE sync_planned SET before = ?, after = ?", ('{"city": "Hull"}', '{"city": "Deal"}'))
    text = client.get(f"/sites/acme/runs/{run}").text
    assert "As of <time" in text
    assert (text.count("<ins>Deal</ins>"), number > 0) == (min(number, GLIMPSE), True)
    plan = client.get(f"/sites/acme/runs/{run}/changes").text
    assert "<h1>Plan</h1>" in plan
    assert plan.count("<del>Hull</del>") == number


def looked(client: TestClient, path: str) -> str:
    """What the part of the page says that is asked for until the look is over."""
    while True:
        answer = client.get(path, headers={"hx-request": "true"})
        if answer.status_code != 204:
            return answer.text
        time.sleep(0.01)


def test_an_undo_is_shown_before_it_is_asked_for(page: Page):
    client = page.browser("ada")
    with opened(page.site) as database:
        first, last = (str(row[0]) for row in database.rows("SELECT id FROM sync_run ORDER BY id"))
    path = f"/sites/acme/runs/{last}/undo"
    text = client.get(path).text
    assert "Changed, as before" in text
    assert "Take it back</button>" in text
    part = looked(client, path)
    assert ("<html" in part, "Take it back</button>" in part) == (False, True)
    assert "Nothing stands in the way, as of" in part
    assert "Nothing stands in the way, as of" in client.get(f"{path}?known=1").text
    assert "is not the latest applied one" in client.get(f"/sites/acme/runs/{first}/undo").text
    assert page.browser("vera").get(path).status_code == 403


def test_the_page_of_an_undo_opened_anew_looks_anew(page: Page):
    client = page.browser("ada")
    path = f"/sites/acme/runs/{last_run(page)}/undo"
    client.get(path)
    looked(client, path)
    with opened(page.site) as database:
        database.run("UPDATE lz_user SET city = 'elsewhere' WHERE idnumber = 'E1000'")
    assert "Nothing stands in the way" in client.get(f"{path}?known=1").text
    client.get(path)
    part = looked(client, path)
    assert "was changed since" in part
    assert "Take it back</button>" not in part


def test_the_page_of_an_undo_does_not_wait_for_a_long_look(page: Page, monkeypatch: pytest.MonkeyPatch):
    """A million records take seconds; here the look goes on until it may end."""
    may_end, begun = Event(), []

    def long(*args: Any) -> Undo:
        begun.append(args[1])
        may_end.wait()
        return possible(*args)

    monkeypatch.setattr(decisions, "possible", long)
    client = page.browser("ada")
    path = f"/sites/acme/runs/{last_run(page)}/undo"
    try:
        for text in (client.get(path).text, client.get(f"{path}?known=1").text, client.get(path).text):
            assert "Changed, as before" in text
            assert "Looking whether anything stands in the way" in text
            assert "the undo looks for itself before it changes anything" in text
            assert ("every 1s" in text, "Nothing stands in the way" in text) == (True, False)
        assert client.get(path, headers={"hx-request": "true"}).status_code == 204
    finally:
        may_end.set()
    assert "Nothing stands in the way" in looked(client, path)
    assert len(begun) == 1, "who opens the page again joins the look that goes on"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Usage("It was pruned."), "It was pruned."),
        (sqlite3.OperationalError("database is locked"), "busy or away"),
        (ZeroDivisionError("a value of the site"), "The log of lzsyncd-web has where"),
    ],
)
def test_a_look_that_fails_says_so_and_the_next_one_is_another(
    page: Page, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
):
    def failing(*_: Any) -> Undo:
        raise error

    client = page.browser("ada")
    path = f"/sites/acme/runs/{last_run(page)}/undo"
    with monkeypatch.context() as patch:
        patch.setattr(decisions, "possible", failing)
        text = looked(client, path)
    assert told in text
    assert ("a value of the site" in text, "Take it back</button>" in text) == (False, False)
    client.get(path)
    assert "Nothing stands in the way" in looked(client, path)


def last_run(page: Page) -> str:
    with opened(page.site) as database:
        return str(database.value("SELECT max(id) FROM sync_run"))
