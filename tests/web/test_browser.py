"""An admin's day in a real browser, with the real page and the real daemon behind it; and every page read by axe."""

import csv
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from playwright.sync_api import Page as Tab

from lzsyncd.config import load
from lzsyncd.web.store import Role, kept

from .conftest import NOW, PASSWORD, hash_of

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
]
AXE = Path(__file__).parent / "axe.min.js"  # axe-core 4.14.1, MPL-2.0, unchanged: its licence is in its first lines
LONGEST = 60_000  # milliseconds in which anything must have happened
PEOPLE = 30
PAGES = (
    *("", "upload", "runs", "errors", "holds", "people", "people/1", "units", "units/pos", "units/org/1", "audiences"),
    *("settings", "account"),
)


def write_set(folder: Path, *, people: int = PEOPLE, broken: bool = False) -> list[Path]:
    folder.mkdir(exist_ok=True)
    user = [
        {
            "idnumber": f"E{number:03}",
            "username": f"person{number}",
            "firstname": "Pat",
            "lastname": f"Person{number}",
            "email": "broken" if broken and number == 1 else f"p{number}@acme.test",
            "orgidnumber": "OPS",
            "posidnumber": "STAFF",
            "manageridnumber": "E000" if number else "",
        }
        for number in range(people)
    ]
    org = [{"idnumber": "OPS", "fullname": "Operations", "parentidnumber": ""}]
    pos = [{"idnumber": "STAFF", "fullname": "Staff", "parentidnumber": ""}]
    for name, rows in (("org", org), ("pos", pos), ("user", user)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return [folder / f"{name}.csv" for name in ("org", "pos", "user")]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of the page, and a folder; `lzsyncd web` and `lzsyncd run` are programs of their own."""
    folder = tmp_path_factory.mktemp("served")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "lzsyncd.toml"
    config.write_text(
        f'[daemon]\ndata_dir = "{folder}/data"\nruntime_dir = "{folder}/run"\n[web]\nlisten = "127.0.0.1:{port}"\n'
        '[sites.acme]\nsettle = "1s"\nset_window = "5m"\ntimezone = "Europe/London"\n'
        '[sites.acme.guard]\nmin_records = 20\nmax_removed = "10%"\n',
        encoding="utf-8",
    )
    site = load(config).sites["acme"]
    site.inbox.mkdir(parents=True)
    with kept(site) as store:
        store.add_account("ada", Role.ADMIN, hash_of(PASSWORD), NOW)
        store.add_account("vera", Role.VIEWER, hash_of(PASSWORD), NOW)
    programs = [
        subprocess.Popen(
            [sys.executable, "-m", "lzsyncd", "--config", str(config), command],
            stdout=(folder / f"{command}.log").open("w"),
            stderr=subprocess.STDOUT,
            env=os.environ | {"LZSYNCD_CONFIG": str(config)},
        )
        for command in ("run", "web")
    ]
    try:
        wait_until_served(port, programs)
        yield f"http://127.0.0.1:{port}", folder
    finally:
        for program in programs:
            program.terminate()
        for program in programs:
            program.wait(60)


def wait_until_served(port: int, programs: list[subprocess.Popen[bytes]]) -> None:
    end = time.monotonic() + LONGEST / 1000
    while True:
        assert all(program.poll() is None for program in programs)
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/sign-in")
            assert connection.getresponse().status == 200
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.1)
        else:
            return


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


def opened_tab(browser: Browser, address: str, name: str, **options) -> Tab:
    tab = browser.new_context(base_url=address, **options).new_page()
    tab.set_default_timeout(LONGEST)
    expect.set_options(timeout=LONGEST)
    tab.goto("/sign-in?site=acme")
    tab.get_by_label("Name").fill(name)
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Sign in").click()
    expect(tab.get_by_role("heading", name="Inbox")).to_be_visible()
    return tab


def upload(tab: Tab, files: list[Path]) -> None:
    """Upload a set, and follow it to the page of its run."""
    tab.goto("/sites/acme/upload")
    tab.get_by_label("Drop files here").set_input_files(files)
    tab.get_by_role("button", name="Upload and check").click()
    tab.wait_for_url(re.compile("/runs/"))


def shown(tab: Tab, text: str) -> None:
    expect(tab.locator(".head .big").get_by_text(text)).to_be_visible()


def test_an_admins_day(served: tuple[str, Path], browser: Browser) -> None:
    address, folder = served
    tab = opened_tab(browser, address, "ada")
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    expect(tab.get_by_text("Nothing has come yet")).to_be_visible()

    # a broken set: what is wrong is seen before anything is changed
    upload(tab, write_set(folder / "broken", broken=True))
    shown(tab, "Checked")
    tab.get_by_role("link", name="user.email.invalid").click()
    expect(tab.get_by_text("“broken” is not an e-mail address")).to_be_visible()
    expect(tab.get_by_text("user.csv:3")).to_be_visible()
    tab.goto("/sites/acme/people")
    expect(tab.get_by_text("There is nobody yet")).to_be_visible()

    # mended, and applied now
    upload(tab, write_set(folder / "mended"))
    shown(tab, "Checked")
    expect(tab.get_by_text("Nothing was wrong with these files")).to_be_visible()
    tab.get_by_role("button", name="Sync now").click()
    shown(tab, "Applied")

    # a person is looked up
    tab.get_by_role("link", name="People").click()
    tab.get_by_label("Search").fill("E007")
    tab.get_by_role("button", name="Show").click()
    tab.get_by_role("link", name="Pat Person7").click()
    expect(tab.get_by_role("heading", name="Pat Person7")).to_be_visible()
    tab.get_by_role("link", name="Pat Person0").click()
    expect(tab.get_by_text("29, direct and indirect")).to_be_visible()
    tab.goto("/sites/acme/units")
    expect(tab.get_by_text("30 people")).to_be_visible()

    # too many would go: held, looked at, approved
    upload(tab, write_set(folder / "small", people=20))
    shown(tab, "Checked")
    tab.get_by_role("button", name="Sync now").click()
    shown(tab, "Held")
    expect(tab.get_by_text("10 of 30 would go (33.3%)")).to_be_visible()
    viewer = opened_tab(browser, address, "vera")
    viewer.goto(tab.url)
    expect(viewer.get_by_text("An admin decides.")).to_be_visible()
    expect(viewer.get_by_role("button", name="Approve and apply")).to_have_count(0)
    check_accessible(tab, tab.url)
    tab.get_by_role("button", name="Approve and apply").click()
    shown(tab, "Applied")

    # and taken back
    tab.get_by_role("link", name="Take it back").click()
    check_accessible(tab, tab.url)
    tab.get_by_role("button", name="Take it back").click()
    shown(tab, "Undone")
    tab.goto("/sites/acme/people?state=suspended")
    expect(tab.get_by_text("Nobody fits")).to_be_visible()
    tab.goto("/sites/acme/settings")
    for deed in ("uploaded", "asked to sync", "asked to approve", "asked to undo"):
        expect(tab.get_by_text(deed).first).to_be_visible()
    assert complaints == []


def check_accessible(tab: Tab, path: str) -> None:
    """No serious finding of axe."""
    tab.goto(path)
    # our own policy keeps scripts in the page out: axe comes by the way that a developer's tools have
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    found = tab.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']})")
    told = [
        (each["id"], node["html"][:200], node.get("failureSummary", "")[:300])
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"][:3]
    ]
    assert told == [], path


def make_a_run(folder: Path) -> None:
    """Something to look at, whatever other tests have left: a dry run, which changes nothing."""
    export = folder / f"export-{secrets.token_hex(4)}"
    for arguments in (("sample", str(export)), ("sync", "acme", "--from", str(export), "--dry-run")):
        command = [sys.executable, "-m", "lzsyncd", "--config", str(folder / "lzsyncd.toml"), *arguments]
        assert subprocess.run(command, capture_output=True, check=False).returncode in (0, 10, 20)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(served: tuple[str, Path], browser: Browser, scheme: str) -> None:
    make_a_run(served[1])
    tab = opened_tab(browser, served[0], "ada", color_scheme=scheme)
    for path in PAGES:
        check_accessible(tab, f"/sites/acme/{path}")
    run = tab.goto("/sites/acme/runs") and tab.locator("tbody a").first.get_attribute("href")
    for path in (run, f"{run}/changes", f"{run}/findings"):
        check_accessible(tab, str(path))
    check_accessible(tab, "/sign-in")


def test_nothing_is_wider_than_a_phone(served: tuple[str, Path], browser: Browser) -> None:
    tab = opened_tab(browser, served[0], "ada", viewport={"width": 360, "height": 740})
    for path in PAGES:
        tab.goto(f"/sites/acme/{path}")
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
