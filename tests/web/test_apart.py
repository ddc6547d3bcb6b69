"""Sites apart on the page: with an account, a session or a token of one site nothing of another is had, or guessed."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from lzsyncd.config import Site, load
from lzsyncd.sync.run import Options, sync_folder
from lzsyncd.web.api import OPERATIONS, PUT
from lzsyncd.web.app import FORMS, PAGES
from lzsyncd.web.store import Role, kept
from lzsyncd.zone.database import opened

from .conftest import NOW, PASSWORD, Page, csrf_of

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

NOWHERE = "nosuch"
"""A site that there is not; as long a name as that of the other one, since answers say what was asked for."""
SET = {
    "org.csv": b"idnumber,fullname\nG,Globex\n",
    "pos.csv": b"idnumber,fullname\nZ,Zookeeper\n",
    "user.csv": b"idnumber,username,firstname,lastname,email\nZ1,zeb,Zebedee,Zoo,zeb@globex.test\nZ2,zoe,Zoe,Zoo,no\n",
}
BATCH = "0" * 16


@pytest.fixture
def other(page: Page) -> str:
    """A run of the site `globex`, which has people and findings now."""
    site = page.house.config().sites["globex"]
    folder = page.folder / "globex-set"
    folder.mkdir()
    for name, data in SET.items():
        (folder / name).write_bytes(data)
    (result,) = sync_folder(site, folder, Options())
    with opened(site) as database:
        assert database.value("SELECT count(*) FROM lz_user") == 1
    return result.run


@pytest.fixture
def everywhere(page: Page) -> TestClient:
    """The browser of an admin of `acme` that shows its cookie to every site."""
    client = page.browser("ada")
    client.cookies.set("lzsyncd", client.cookies["lzsyncd"], path="/")
    client.follow_redirects = False
    return client


def as_seen(answer: Response, site: str) -> tuple[object, ...]:
    """All of an answer, with the site's name taken out: status, headers, body."""
    headers = sorted((name, value.replace(site, "SITE")) for name, value in answer.headers.items())
    return answer.status_code, headers, answer.content.replace(site.encode(), b"SITE")


def filled(path: str, run: str) -> str:
    """An address with a real run, a person and units that both sites have."""
    return re.sub(
        r"\{(\w+)\}", lambda m: {"run": run, "element": "org", "batch": BATCH, "name": "user.csv"}.get(m[1], "1"), path
    )


def shut(ask: Callable[[str], Response]) -> None:
    """Somebody else's site answers as one that is not there."""
    told = [as_seen(ask(name), name) for name in ("globex", NOWHERE)]
    assert told[0] == told[1]
    assert told[0][0] in (303, 401, 403, 404, 405)


def test_no_page_of_another_site_is_told_from_one_that_is_not_there(other: str, everywhere: TestClient):
    for path in (filled(page, other) for page in PAGES):
        shut(lambda site, path=path: everywhere.get(f"/sites/{site}{path}"))
        shut(lambda site, path=path: everywhere.get(f"/sites/{site}{path}", headers={"hx-request": "true"}))


def test_no_form_of_another_site_does_anything(page: Page, other: str, everywhere: TestClient):
    csrf = csrf_of(everywhere.get("/sites/acme/account").text)
    file = f"upload/{BATCH}/user.csv"
    for path in (filled(form, other) for form in FORMS):
        shut(lambda site, path=path: everywhere.post(f"/sites/{site}{path}", data={"csrf": csrf}))
    for headers in ({"x-csrf": csrf}, {}):
        shut(lambda site, sent=headers: everywhere.put(f"/sites/{site}/{file}", content=b"x", headers=sent))
    assert list(inbox_of(page, "globex").iterdir()) == []
    with opened(page.house.config().sites["globex"]) as database:
        assert database.value("SELECT count(*) FROM sync_request") == 0


def test_a_run_of_another_site_is_as_unknown_as_one_that_never_was(other: str, everywhere: TestClient):
    """Ids of runs are unique over all sites; they are asked for in one's own."""
    csrf = csrf_of(everywhere.get("/sites/acme/account").text)
    both = (other, nobodys(other))
    for path in (path for path in PAGES if "{run}" in path):
        told = [as_seen(everywhere.get(f"/sites/acme{filled(path, run)}"), run) for run in both]
        assert told[0] == told[1], path
    for path in (path for path in FORMS if "{run}" in path):
        asked = [everywhere.post(f"/sites/acme{filled(path, run)}", data={"csrf": csrf}) for run in both]
        told = [as_seen(answer, run) for answer, run in zip(asked, both, strict=True)]
        assert (told[0], told[0][0]) == (told[1], 404), path


def nobodys(run: str) -> str:
    """A run that there is not, of the same moment."""
    return run[:-1] + ("0" if run[-1] != "0" else "1")


def test_searching_finds_nobody_of_another_site(other: str, everywhere: TestClient):
    assert other
    for path in ("people?q=Zebedee", "people?q=Z1", "errors", "runs", "now", "units", "settings", ""):
        answer = everywhere.get(f"/sites/acme/{path}", follow_redirects=True)
        assert answer.status_code == 200
        assert not {"zeb@globex.test", "globex", "Zookeeper", other} & set(re.split(r"[^\w@.-]+", answer.text)), path


def test_a_token_of_one_site_has_nothing_of_another(page: Page, other: str):
    with kept(page.site) as store:
        store.add_token("export", Role.ADMIN, "acme.token", NOW)
    client = TestClient(page.app, headers={"authorization": "Bearer acme.token"})
    for operation in OPERATIONS:
        if "{run}" in operation.described.path:
            told = [
                as_seen(client.request(operation.described.method, filled(operation.described.path, run)), run)
                for run in (other, nobodys(other))
            ]
            assert (told[0], told[0][0]) == (told[1], 404), operation.described.path
        else:
            answer = client.request(operation.described.method, filled(operation.described.path, other))
            assert b"globex" not in answer.content, operation.described.path
    for secret in ("globex.token", "nosuch.token", "acme.toke", "globex.", "acme.token globex"):
        client.headers["authorization"] = f"Bearer {secret}"
        told = {client.request(one.described.method, filled(one.described.path, other)).content for one in OPERATIONS}
        assert told == {client.put(filled(PUT, other), content=b"x").content}, secret
        assert len(told) == 1
    inboxes = [site.inbox for site in page.house.config().sites.values()]
    assert [path for inbox in inboxes for path in inbox.iterdir() if path.suffix == ".csv"] == []


def test_an_upload_goes_to_ones_own_inbox_whatever_its_batch_is_called(page: Page, everywhere: TestClient):
    text = everywhere.get("/sites/acme/upload").text
    (batch,), (csrf,) = (re.findall(f'data-{name}="([^"]+)"', text) for name in ("batch", "csrf"))
    for name in ("..%2F..%2F..%2Fglobex%2Fsftp%2Finbox%2Fuser.csv", "user.csv%00", "..", "%2Fetc%2Fpasswd"):
        answer = everywhere.put(f"/sites/acme/upload/{batch}/{name}", content=b"x", headers={"x-csrf": csrf})
        assert answer.status_code in (400, 404, 405), name
    assert (
        everywhere.put(f"/sites/acme/upload/{batch}/user.csv", content=b"x", headers={"x-csrf": csrf}).status_code
        == 201
    )
    assert list(inbox_of(page, "globex").iterdir()) == []
    assert [path.name.startswith(".") for path in inbox_of(page, "acme").iterdir()] == [True]


def inbox_of(page: Page, name: str) -> Path:
    site: Site = load(page.folder / "lzsyncd.toml").sites[name]
    return site.inbox


def test_a_wrong_guess_at_an_account_is_answered_before_it_is_written_down(page: Page):
    """Writing waits for the disk: an answer that comes after it would tell whose account is there."""
    body = urlencode({"site": "acme", "name": "ada", "password": "wrong"}).encode()
    head = [(b"host", b"testserver"), (b"content-type", b"application/x-www-form-urlencoded")]
    scope = {"type": "http", "method": "POST", "path": "/sign-in", "raw_path": b"/sign-in", "root_path": ""}
    scope |= {"scheme": "http", "http_version": "1.1", "query_string": b"", "headers": head}
    scope |= {"server": ("testserver", 80), "client": ("192.0.2.1", 1)}
    told: list[tuple[str, int]] = []

    def failures() -> int:
        with kept(page.site) as store:
            return sum(line.action == "sign-in failed" for line in store.deeds(2**62, 100))

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body}

    async def send(message: dict[str, object]) -> None:
        told.append((str(message["type"]), failures()))

    asyncio.run(page.app(scope, receive, send))
    assert told == [("http.response.start", 0), ("http.response.body", 0)]
    assert failures() == 1


def test_signing_in_at_one_site_opens_no_other_and_a_wrong_guess_says_nothing(page: Page):
    client = page.browser()
    told = set()
    for site, name in (("globex", "ada"), ("globex", "gus"), (NOWHERE, "ada"), (NOWHERE, "gus")):
        answer = page.sign_in(client, name, "not the password", site)
        # not the name alone: "ada" may be a part of a digest in the address of a static file
        text = answer.text.replace(f'"{site}"', '"SITE"').replace(f'"{name}"', '"NAME"')
        assert (site in answer.text, f'"{name}"' in answer.text) == (True, True)
        told.add((answer.status_code, text))
    assert len(told) == 1
    assert page.sign_in(client, "ada", PASSWORD, "globex").status_code == 401
    assert not client.cookies
