"""The API tells what the pages tell, to programs with a token for their site, as its document says."""

import pytest
from starlette.testclient import TestClient

from lzsyncd.web.api import OPERATIONS, PUT, document
from lzsyncd.web.store import Role, kept
from lzsyncd.zone.database import opened

from .conftest import NOW, Page

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def client_of(page: Page, role: Role = Role.ADMIN, site: str = "acme") -> TestClient:
    secret = f"{site}.{role}-secret"
    with kept(page.house.config().sites[site]) as store:
        store.add_token(f"{role}-export", role, secret, NOW)
    return TestClient(page.app, headers={"authorization": f"Bearer {secret}"})


def run_of(page: Page) -> str:
    with opened(page.site) as database:
        return str(database.value("SELECT max(id) FROM sync_run"))


def test_programs_read_what_people_read(page: Page):
    client, run = client_of(page, Role.VIEWER), run_of(page)
    status = client.get("/api/status").json()
    assert (status["daemon"], status["site"], status["last_run"]["run"]) == (False, "acme", run)
    assert client.get("/api/runs").json()["runs"][0]["run"] == run
    told = client.get(f"/api/runs/{run}").json()
    assert (told["status"], told["findings"]["user.email.invalid"]) == ("applied", 1)
    errors = client.get(f"/api/runs/{run}/errors?code=user.email.invalid").json()
    assert [error["idnumber"] for error in errors["errors"]] == ["E1001"]
    assert errors["after"] == 0
    changes = client.get(f"/api/runs/{run}/changes?element=user&action=updated").json()
    assert {change["action"] for change in changes["changes"]} == {"updated"}
    with kept(page.site) as store:
        (token,) = store.tokens()
    assert token.used_at


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer acme.wrong", "Bearer nosuch.x", "Basic YTpi", "Bearer acme.\xe9"]
)
def test_nobody_without_a_token_learns_anything(page: Page, header: str):
    client = TestClient(page.app, headers={"authorization": header.encode("latin-1")} if header else {})
    for operation in OPERATIONS:
        answer = client.request(operation.described.method, operation.described.path)
        assert (answer.status_code, "error" in answer.json()) == (401, True)
    assert client.put("/api/uploads/0/user.csv").status_code == 401


def test_a_revoked_token_is_none_and_a_sites_token_is_no_other_sites(page: Page):
    client, other = client_of(page), client_of(page, site="globex")
    assert other.get(f"/api/runs/{run_of(page)}").status_code in (404, 503)
    assert other.get("/api/status").json()["site"] == "globex"
    with kept(page.site) as store:
        store.revoke_token("admin-export", NOW)
    assert client.get("/api/status").status_code == 401


def test_viewers_change_nothing(page: Page):
    client, run = client_of(page, Role.VIEWER), run_of(page)
    assert {client.post(f"/api/runs/{run}/{verb}").status_code for verb in ("approve", "discard", "sync", "undo")} == {
        403
    }
    assert client.put(f"/api/uploads/{'0' * 16}/user.csv", content=b"x").status_code == 403
    assert client.post(f"/api/uploads/{'0' * 16}").status_code == 403


def test_programs_deliver_and_decide(page: Page):
    client, run = client_of(page), run_of(page)
    assert client.put(f"/api/uploads/{'0' * 16}/user.csv", content=b"idnumber\n").status_code == 201
    assert client.put("/api/uploads/x/user.csv", content=b"idnumber\n").status_code == 400
    assert client.put(f"/api/uploads/{'0' * 16}/zone.db", content=b"").status_code == 400
    assert client.post(f"/api/uploads/{'0' * 16}").json() == {"delivered": True}
    assert (page.site.inbox / "user.csv").read_bytes() == b"idnumber\n"
    assert client.post(f"/api/runs/{run}/approve").status_code == 409
    assert client.post(f"/api/runs/{run}/undo").status_code == 202
    assert client.post("/api/runs/none/undo").status_code == 404
    with kept(page.site) as store:
        assert {deed.who for deed in store.deeds(2**62, 2)} == {"token admin-export"}


def test_the_document_describes_every_address_and_nothing_else(page: Page):
    told = TestClient(page.app).get("/api/openapi.json").json()
    assert told == document()
    assert set(told["paths"]) == {operation.described.path for operation in OPERATIONS} | {PUT}
    served = {route.path for route in page.app.routes if getattr(route, "path", "").startswith("/api/")}
    assert served - {"/api/openapi.json"} == set(told["paths"])
    for path, methods in told["paths"].items():
        for method in methods.values():
            named = {parameter["name"] for parameter in method["parameters"] if parameter["in"] == "path"}
            assert all(f"{{{name}}}" in path for name in named)


@pytest.mark.parametrize(
    "query", ["?stauts=held", "?status=hold", "?status=held&status=held", "?before=%00", "?after=1"]
)
def test_a_filter_with_a_mistake_is_told_and_not_left_out(page: Page, query: str):
    answer = client_of(page).get(f"/api/runs{query}")
    assert (answer.status_code, "error" in answer.json()) == (400, True)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?after=-1",
        "?after=x",
        "?after=99999999999999999999",
        "?text=%00&code='",
        "?status=%F0%9F%8E%89",
        "?before=%ff",
    ],
)
def test_odd_parameters_break_nothing(page: Page, query: str):
    client, run = client_of(page), run_of(page)
    for operation in OPERATIONS:
        for path in (run, "none", "%00", "a" * 3000):
            answer = client.request(
                operation.described.method, operation.described.path.format(run=path, batch=path) + query
            )
            assert answer.status_code in (200, 202, 400, 404, 409), (operation.described.path, answer.text)
