"""Nobody gets in who should not, nobody stays in who should go, and nobody outside learns which sites there are."""

import re
from datetime import datetime

import pytest
from starlette.testclient import TestClient

from lzsyncd.web.access import IDLE, LONGEST
from lzsyncd.web.store import kept
from lzsyncd.web.throttle import PER_PAIR, WINDOW

from .conftest import PASSWORD, Page, csrf_of, hash_of

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def is_out(client: TestClient, site: str = "acme") -> bool:
    answer = client.get(f"/sites/{site}/", follow_redirects=False)
    return answer.status_code == 303 and answer.headers["location"].startswith(f"/sign-in?site={site}")


def test_whoever_signs_in_sees_the_page_they_asked_for(page: Page):
    client = page.browser()
    answer = client.get("/sites/acme/people")
    assert "Sign in" in answer.text
    form = {"site": "acme", "name": "ada", "password": PASSWORD, "to": "/sites/acme/people"}
    answer = client.post("/sign-in", data=form)
    assert (answer.status_code, answer.url.path) == (200, "/sites/acme/people")


@pytest.mark.parametrize(
    "onward",
    [
        "//evil.test",
        "https://evil.test/",
        "/sites/globex/",
        "/sites/acme/\r\nset-cookie: a=b",
        "/sites/acme//evil.test",
    ],
)
def test_signing_in_leads_nowhere_else(page: Page, onward: str):
    answer = page.browser().post(
        "/sign-in", data={"site": "acme", "name": "ada", "password": PASSWORD, "to": onward}, follow_redirects=False
    )
    assert answer.headers["location"] == "/sites/acme/"
    assert len(answer.headers.get_list("set-cookie")) == 1


def test_the_cookie_is_for_the_browser_alone_and_for_one_site(page: Page):
    answer = page.sign_in(client := page.browser(), "ada")
    (cookie,) = answer.history[0].headers.get_list("set-cookie")
    assert "HttpOnly" in cookie
    assert "Path=/sites/acme/" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie
    secret = client.cookies["lzsyncd"]
    with kept(page.site) as store:
        assert secret not in store.sessions("ada")[0].digest


def test_over_tls_the_cookie_never_leaves_it(page: Page):
    client = TestClient(page.app, base_url="https://testserver")
    answer = client.post("/sign-in", data={"site": "acme", "name": "ada", "password": PASSWORD})
    assert "Secure" in answer.history[0].headers["set-cookie"]
    assert answer.headers["strict-transport-security"].startswith("max-age=")


def test_a_session_that_was_planted_is_not_the_one_that_begins(page: Page):
    """Session fixation."""
    client = page.browser("vera")
    planted = client.cookies["lzsyncd"]
    page.sign_in(client, "ada")
    assert client.cookies["lzsyncd"] != planted
    thief = page.browser()
    thief.cookies.set("lzsyncd", planted, path="/sites/acme/")
    assert "<h1>vera</h1>" in thief.get("/sites/acme/account").text
    thief.cookies.set("lzsyncd", "made-up", path="/sites/acme/")
    assert is_out(thief)


def test_a_wrong_name_password_and_site_get_the_same_answer(page: Page):
    def answer(site: str, name: str, password: str) -> str:
        found = page.sign_in(page.browser(), name, password, site)
        assert found.status_code == 401
        return found.text.replace(f'value="{site}"', "").replace(f'value="{name}"', "")

    answers = {answer(*guess) for guess in (("acme", "ada", "x"), ("acme", "bob", "x"), ("nosuch", "ada", PASSWORD))}
    assert len(answers) == 1


def test_another_sites_user_can_not_tell_this_site_from_none(page: Page):
    client = page.browser("gus", "globex")
    client.cookies.set("lzsyncd", client.cookies["lzsyncd"], path="/")
    for path in ("", "people", "runs/1", "no-such-page"):
        told = [client.get(f"/sites/{site}/{path}", follow_redirects=False) for site in ("acme", "nosuch")]
        assert {
            (a.status_code, a.headers.get("location", "").replace("nosuch", "acme"), a.text.replace("nosuch", "acme"))
            for a in told
        } == {(told[0].status_code, told[0].headers.get("location", ""), told[0].text)}
    told = [client.post(f"/sites/{site}/sign-out", follow_redirects=False) for site in ("acme", "nosuch")]
    assert [a.status_code for a in told] == [303, 303]
    assert "acme" not in client.get("/sites/globex/").text


def test_fifty_wrong_passwords_are_not_looked_at_and_the_right_one_waits(page: Page):
    client = page.browser()
    codes = [page.sign_in(client, "ada", f"wrong {number}").status_code for number in range(50)]
    assert codes == [401] * PER_PAIR + [429] * (50 - PER_PAIR)
    waiting = page.sign_in(client, "ada")
    assert (waiting.status_code, int(waiting.headers["retry-after"])) == (429, int(WINDOW))
    page.clock.forward(seconds=WINDOW)
    assert page.sign_in(client, "ada").status_code == 200
    with kept(page.site) as store:
        assert [deed.action for deed in store.deeds(2**62, 3)] == ["signed in", "sign-in failed", "sign-in failed"]


def test_a_session_ends_when_it_is_not_used_and_when_its_time_is_over(page: Page):
    client = page.browser("ada")
    page.clock.forward(seconds=IDLE.total_seconds() - 60)
    assert not is_out(client)
    page.clock.forward(seconds=IDLE.total_seconds() + 60)
    assert is_out(client)
    client = page.browser("ada")
    for _ in range(round(LONGEST / IDLE) * 2):
        assert not is_out(client)
        page.clock.forward(seconds=IDLE.total_seconds() / 2)
    page.clock.forward(seconds=1)
    assert is_out(client)


def test_signing_out_ends_the_session_and_not_only_the_cookie(page: Page):
    client = page.browser("ada")
    secret = client.cookies["lzsyncd"]
    client.post("/sites/acme/sign-out", data={"csrf": csrf_of(client.get("/sites/acme/").text)})
    client.cookies.set("lzsyncd", secret, path="/sites/acme/")
    assert is_out(client)


def test_disabling_an_account_ends_its_sessions_and_lets_it_in_no_more(page: Page):
    client = page.browser("vera")
    with kept(page.site) as store:
        store.disable("vera")
    assert is_out(client)
    assert page.sign_in(page.browser(), "vera").status_code == 401
    with kept(page.site) as store:
        store.set_password("vera", hash_of(PASSWORD))
    assert page.sign_in(page.browser(), "vera").status_code == 200


def test_other_sessions_can_be_ended(page: Page):
    here, there = page.browser("ada"), page.browser("ada")
    account = here.get("/sites/acme/account")
    assert account.text.count("last seen") == 2
    answer = here.post("/sites/acme/account/sessions", data={"csrf": csrf_of(account.text)})
    assert "signed out everywhere else" in answer.text
    assert (is_out(here), is_out(there)) == (False, True)


NEW = "another good password"


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"old": "no", "new": NEW, "again": NEW}, "The old password is not the right one."),
        ({"old": PASSWORD, "new": NEW, "again": "x"}, "was not written the same way twice"),
        ({"old": PASSWORD, "new": "short", "again": "short"}, "A password has from 12"),
    ],
)
def test_a_password_is_changed_by_whoever_knows_the_old_one(page: Page, form: dict[str, str], told: str):
    client = page.browser("ada")
    csrf = csrf_of(client.get("/sites/acme/account").text)
    answer = client.post("/sites/acme/account/password", data={"csrf": csrf, **form})
    assert answer.status_code == 400
    assert told in answer.text
    assert not is_out(client)


def test_a_changed_password_signs_out_everywhere(page: Page):
    client, other = page.browser("ada"), page.browser("ada")
    csrf = csrf_of(client.get("/sites/acme/account").text)
    form = {"csrf": csrf, "old": PASSWORD, "new": NEW, "again": NEW}
    client.post("/sites/acme/account/password", data=form)
    assert (is_out(client), is_out(other)) == (True, True)
    assert page.sign_in(page.browser(), "ada").status_code == 401
    assert page.sign_in(page.browser(), "ada", NEW).status_code == 200


def test_old_passwords_can_not_be_guessed_with_a_stolen_session(page: Page):
    client = page.browser("ada")
    csrf = csrf_of(client.get("/sites/acme/account").text)
    form = {"csrf": csrf, "old": "guess", "new": NEW, "again": NEW}
    codes = [client.post("/sites/acme/account/password", data=form).status_code for _ in range(PER_PAIR + 1)]
    assert codes == [400] * PER_PAIR + [429]


def test_only_a_form_of_ours_changes_anything(page: Page):
    client, other = page.browser("ada"), page.browser("vera")
    stolen = csrf_of(other.get("/sites/acme/").text)
    for form in ({}, {"csrf": ""}, {"csrf": "guess"}, {"csrf": stolen}):
        answer = client.post("/sites/acme/sign-out", data=form)
        assert answer.status_code == 403
        assert "too old, or was not ours" in answer.text
    assert not is_out(client)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.test"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_what_another_site_sends_is_refused(page: Page, headers: dict[str, str]):
    client = page.browser("ada")
    csrf = csrf_of(client.get("/sites/acme/").text)
    assert client.post("/sites/acme/sign-out", data={"csrf": csrf}, headers=headers).status_code == 403
    assert page.browser().post("/sign-in", data={}, headers=headers).status_code == 403
    assert not is_out(client)


def test_forms_are_small_and_plain(page: Page):
    client = page.browser()
    assert client.post("/sign-in", content=b"a" * 70_000).status_code == 413
    assert client.post("/sign-in", content=b"{}", headers={"content-type": "application/json"}).status_code == 401
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/sign-in", content=b"site=%ff", headers=form).status_code == 400
    assert client.post("/sign-in", content=b"&".join([b"a=b"] * 60), headers=form).status_code == 400


def test_every_answer_has_the_headers_that_shut_others_out(page: Page):
    client = page.browser("ada")
    for path in ("/sign-in", "/sites/acme/", "/sites/acme/nothing", "/nothing", "/static/page.css"):
        headers = client.get(path).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
        assert headers["cache-control"] == (
            "no-store" if "static" not in path else "public, max-age=31536000, immutable"
        )
        assert "server" not in headers


def test_pages_have_neither_scripts_nor_styles_in_them_nor_anything_from_elsewhere(page: Page):
    client = page.browser("ada")
    for path in ("", "runs", "errors", "people", "people/1", "units", "settings", "account"):
        text = client.get(f"/sites/acme/{path}").text
        assert (
            re.search(r"<script(?! src=\"/static)|<style| style=|\son\w+=|(?:src|href|action)=\"(?![/?#])", text)
            is None
        ), path


def test_the_time_of_a_session_is_kept_to_a_minute(page: Page):
    client = page.browser("ada")
    page.clock.forward(seconds=30)
    client.get("/sites/acme/account")
    page.clock.forward(seconds=60)
    client.get("/sites/acme/account")
    with kept(page.site) as store:
        (session,) = store.sessions("ada")
    assert datetime.fromisoformat(session.seen_at) == page.clock.now
