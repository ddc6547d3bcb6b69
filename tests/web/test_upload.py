"""What is uploaded comes into the inbox whole or not at all, from whoever may, and nowhere else."""

import os
import re

import pytest

from lzsyncd.web.store import kept
from lzsyncd.web.upload import OLD, names_of

from .conftest import Page, csrf_of

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
DATA = b"idnumber\r\nE1\r\n"


class Upload:
    """A browser on the page of uploads."""

    def __init__(self, page: Page, name: str = "ada") -> None:
        self.page, self.client = page, page.browser(name)
        text = self.client.get("/sites/acme/upload").text
        found = re.search(r'data-batch="([^"]+)"', text)
        self.batch = found[1] if found else "0" * 16 + "-" + "0" * 16
        self.csrf = csrf_of(text)

    def put(self, name: str, data: bytes = DATA, **headers: str):
        headers = {"x-csrf": self.csrf, "x-lzsyncd": "1"} | {
            key.replace("_", "-"): value for key, value in headers.items()
        }
        return self.client.put(f"/sites/acme/upload/{self.batch}/{name}", content=data, headers=headers)

    def deliver(self, batch: str = ""):
        data = {"csrf": self.csrf}
        return self.client.post(f"/sites/acme/upload/{batch or self.batch}", data=data, headers={"x-lzsyncd": "1"})

    @property
    def inbox(self) -> list[str]:
        return sorted(path.name for path in self.page.site.inbox.iterdir())


def test_files_get_their_names_when_all_have_come(page: Page):
    upload = Upload(page)
    for name in ("user.csv", "org.csv"):
        assert upload.put(name).status_code == 201
    assert all(name.startswith(".") and name.endswith(".part") for name in upload.inbox)
    answer = upload.deliver()
    assert answer.status_code == 201
    assert upload.inbox == ["org.csv", "user.csv"]
    assert (page.site.inbox / "user.csv").read_bytes() == DATA
    assert "The files lie in the inbox" in upload.client.get(answer.text).text
    with kept(page.site) as store:
        assert (store.deeds(2**62, 1)[0].action, store.deeds(2**62, 1)[0].detail) == ("uploaded", "org.csv, user.csv")


def test_once_the_delivery_has_a_run_the_page_goes_on_to_it(page: Page):
    upload = Upload(page)
    upload.put("user.csv")
    path = upload.deliver().text
    assert "hx-redirect" not in upload.client.get(path, headers={"hx-request": "true"}).headers
    run = page.sync("export")
    assert upload.client.get(path, headers={"hx-request": "true"}).headers["hx-redirect"].endswith(run)
    assert upload.client.get(path).url.path.endswith(run)


@pytest.mark.parametrize(
    "name",
    [
        *("users.csv", "User.csv", "zone.db", ".user.csv", "user.csv.part", "user.csv%00", "..%2fuser.csv", "..", "."),
        *(
            "%2e%2e%2f%2e%2e%2fzone.db",
            "..%5cuser.csv",
            "user.csv%0d%0aset-cookie:%20a=b",
            "%ff",
            "a" * 5000,
            "set.done",
        ),
    ],
)
def test_names_made_to_hurt_are_refused(page: Page, name: str):
    upload = Upload(page)
    before = sorted(str(path) for path in page.folder.rglob("*"))
    answer = upload.put(name)
    assert answer.status_code in (400, 403, 404, 405)
    assert "set-cookie" not in answer.headers
    assert sorted(str(path) for path in page.folder.rglob("*")) == before


@pytest.mark.parametrize("batch", ["x", "..", "%2e%2e", "0" * 16 + "-" + "0" * 16, "0" * 16 + "-" + "0" * 16 + "%0a"])
def test_an_upload_belongs_to_its_session(page: Page, batch: str):
    upload = Upload(page)
    upload.put("user.csv")
    answer = upload.deliver(batch)
    assert answer.status_code in (400, 403, 404, 405)
    other = Upload(page)
    other.batch = upload.batch
    assert other.put("org.csv").status_code == 400
    assert [name for name in upload.inbox if not name.startswith(".")] == []


def test_a_body_over_the_limit_leaves_nothing(page: Page):
    path = page.folder / "lzsyncd.toml"
    path.write_text(path.read_text().replace("[sites.acme]\n", '[sites.acme]\nmax_file_size = "1kB"\n'))
    upload = Upload(page)
    assert upload.put("user.csv", b"a" * 1001).status_code == 413
    assert upload.put("user.csv", b"a" * 10, content_length="1001").status_code == 413

    def chunks():
        for _ in range(11):
            yield b"a" * 100

    assert upload.put("user.csv", chunks()).status_code == 413
    assert upload.inbox == []
    assert upload.put("user.csv", b"a" * 1000).status_code == 201


def test_viewers_and_forged_requests_upload_nothing(page: Page):
    viewer = Upload(page, "vera")
    assert viewer.put("user.csv").status_code == 403
    assert viewer.deliver().status_code == 403
    admin = Upload(page)
    assert admin.put("user.csv", x_csrf="guess").status_code == 403
    assert admin.put("user.csv", x_csrf=viewer.csrf).status_code == 403
    assert admin.put("user.csv", origin="https://evil.test").status_code == 403
    assert admin.deliver().text == "No file has come with this upload."
    assert admin.inbox == []


def test_a_link_in_the_place_of_an_upload_is_not_followed(page: Page):
    upload, victim = Upload(page), page.folder / "victim"
    victim.write_text("mine")
    (page.site.inbox / f".{upload.batch}-user.csv.part").symlink_to(victim)
    assert upload.put("user.csv").status_code == 201
    assert victim.read_text() == "mine"


def test_parts_that_nobody_finished_go_after_a_day(page: Page):
    upload = Upload(page)
    old, young, other = (page.site.inbox / name for name in (f".{'0' * 16}-{'0' * 16}-user.csv.part", "x", ".x.part"))
    young = page.site.inbox / f".{'1' * 16}-{'0' * 16}-user.csv.part"
    for path, age in ((old, OLD + 1), (young, OLD - 60), (other, OLD + 1)):
        path.touch()
        stamp = page.clock.now.timestamp() - age
        os.utime(path, (stamp, stamp))
    upload.put("user.csv")
    assert [path.exists() for path in (old, young, other)] == [False, True, True]


def test_an_inbox_that_can_not_be_written_is_told(page: Page):
    upload = Upload(page)
    page.site.inbox.rmdir()
    page.site.inbox.parent.joinpath("inbox").write_text("in the way")
    answer = upload.put("user.csv")
    assert answer.status_code == 500
    assert "Traceback" not in answer.text


def test_an_element_that_is_off_has_no_file(page: Page):
    path = page.folder / "lzsyncd.toml"
    path.write_text(path.read_text() + "[sites.acme.pos]\nenabled = false\n")
    page.house.config()
    assert "pos.csv" not in names_of(page.house.config().sites["acme"])
    assert Upload(page).put("pos.csv").status_code == 400


def test_viewers_are_told_why_they_may_not(page: Page):
    assert "Ask whoever runs the server" in page.browser("vera").get("/sites/acme/upload").text
