"""An admin's day in a real browser, with the real page and the real daemon behind it; and every page read by axe."""

import csv
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ViewportSize, expect, sync_playwright
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
    *("", "upload", "runs", "errors", "holds", "people", "people/1", "people/2", "units", "units/pos", "units/org/1"),
    *("audiences", "audiences/1", "settings", "account"),
)
ACCOUNTS = {"acme": {"ada": Role.ADMIN, "vera": Role.VIEWER}, "globex": {"gus": Role.ADMIN}}
RULES = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']"
DESKTOP, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=360, height=740)


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
        '[sites.acme.guard]\nmin_records = 20\nmax_removed = "10%"\n'
        '[sites.globex]\nsettle = "1s"\n[[sites.globex.audiences]]\nname = "Staff"\n'
        'rules = [{field = "pos", is = "STAFF"}]\nassign = ["course:SAFE-101"]\n',
        encoding="utf-8",
    )
    for site in load(config).sites.values():
        site.inbox.mkdir(parents=True)
        with kept(site) as store:
            for name, role in ACCOUNTS[site.name].items():
                store.add_account(name, role, hash_of(PASSWORD), NOW)
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


def opened_tab(browser: Browser, address: str, name: str, site: str = "acme", **options) -> Tab:
    tab = browser.new_context(base_url=address, **options).new_page()
    tab.set_default_timeout(LONGEST)
    expect.set_options(timeout=LONGEST)
    tab.goto(f"/sign-in?site={site}")
    sign_in(tab, name)
    expect(tab.get_by_role("heading", name="Inbox")).to_be_visible()
    return tab


def sign_in(tab: Tab, name: str, password: str = PASSWORD) -> None:
    tab.get_by_label("Name").fill(name)
    tab.get_by_label("Password").fill(password)
    tab.get_by_role("button", name="Sign in").click()


def upload(tab: Tab, files: list[Path], site: str = "acme") -> None:
    """Upload a set, and follow it to the page of its run."""
    tab.goto(f"/sites/{site}/upload")
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
    expect(tab.get_by_role("heading", name="The plan")).to_be_visible()
    tab.get_by_role("link", name="The whole plan").first.click()
    expect(tab.locator(".changes li")).to_have_count(PEOPLE + 2)
    tab.go_back()
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
    expect(tab.get_by_role("button", name="Take it back")).to_be_visible()
    check_accessible(tab)
    tab.get_by_role("button", name="Take it back").click()
    shown(tab, "Undone")
    tab.goto("/sites/acme/people?state=suspended")
    expect(tab.get_by_text("Nobody fits")).to_be_visible()
    tab.goto("/sites/acme/settings")
    for deed in ("uploaded", "asked to sync", "asked to approve", "asked to undo"):
        expect(tab.get_by_text(deed).first).to_be_visible()
    assert complaints == []


def send(tab: Tab, path: str, csrf: str) -> int:
    """Send a form as a script in the page would; its status."""
    script = "([to, csrf]) => fetch(to, {method: 'POST', body: new URLSearchParams({csrf})}).then(a => a.status)"
    return int(tab.evaluate(script, [path, csrf]))


def csrf_in(tab: Tab) -> str:
    return str(tab.locator("input[name=csrf]").first.get_attribute("value"))


def test_viewers_other_sites_and_stolen_or_missing_marks_change_nothing(
    served: tuple[str, Path], browser: Browser
) -> None:
    address, _ = served
    admin, viewer = (opened_tab(browser, address, name) for name in ("ada", "vera"))
    stolen = csrf_in(admin)
    for path in ("runs/none/approve", "runs/none/sync", "runs/none/undo", "upload/0000000000000000-0000000000000000"):
        to = f"/sites/acme/{path}"
        assert send(admin, to, "") == send(admin, to, "guess") == send(admin, to, csrf_in(viewer)) == 403, path
        assert send(viewer, to, stolen) == send(viewer, to, csrf_in(viewer)) == 403, path
        assert send(admin, to, stolen) in (400, 404), "with its own mark it is looked for"
    viewer.goto("/sites/acme/upload")
    expect(viewer.get_by_text("Your account may look, not upload")).to_be_visible()
    other = opened_tab(browser, address, "gus", site="globex")
    answers = []
    for site in ("acme", "nosuch"):
        assert send(other, f"/sites/{site}/runs/none/undo", csrf_in(other)) == send(other, "/sites/x/runs/y/undo", "")
        other.goto(f"/sites/{site}/people")
        expect(other.get_by_role("button", name="Sign in")).to_be_visible()
        answers.append(other.content().replace(site, "SITE"))
        other.goto("/sites/globex/")
    assert answers[0] == answers[1], "whether there is such a site is not told"


def check_accessible(tab: Tab, path: str = "", rules: str = RULES) -> None:
    """No serious finding of axe on a page, or on what is there."""
    if path:
        tab.goto(path)
    # our own policy keeps scripts in the page out: axe comes by the way that a developer's tools have
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    found = tab.evaluate(f"axe.run({{runOnly: {rules}}})")
    told = [
        (each["id"], node["html"][:200], node.get("failureSummary", "")[:300])
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"][:3]
    ]
    assert told == [], tab.url


def look(tab: Tab, name: str, path: str = "") -> None:
    """A page by the standards of those who can't see it well, in both themes, and on a phone."""
    tab.emulate_media(color_scheme="light")
    check_accessible(tab, path)
    picture(tab, f"{name}-desktop-light")
    tab.emulate_media(color_scheme="dark")
    check_accessible(tab, rules="['color-contrast']")
    picture(tab, f"{name}-desktop-dark")
    tab.set_viewport_size(PHONE)
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), tab.url
    picture(tab, f"{name}-phone-dark")
    tab.emulate_media(color_scheme="light")
    picture(tab, f"{name}-phone-light")
    tab.set_viewport_size(DESKTOP)


def picture(tab: Tab, name: str) -> None:
    """For a person to look at, where one asks for it."""
    if folder := os.environ.get("SCREENSHOTS"):
        tab.screenshot(path=f"{folder}/{name}.png", full_page=True)


def sync(folder: Path, export: Path) -> None:
    command = [sys.executable, "-m", "lzsyncd", "--config", str(folder / "lzsyncd.toml"), "sync", "globex"]
    done = subprocess.run([*command, "--from", str(export)], capture_output=True, check=False)
    assert done.returncode in (0, 10), done.stderr


def test_every_page_is_accessible_in_both_themes_and_no_wider_than_a_phone(
    served: tuple[str, Path], browser: Browser
) -> None:
    address, folder = served
    write_set(folder / "one")
    write_set(folder / "two", broken=True)
    for name in ("one", "two"):
        sync(folder, folder / name)
    tab = browser.new_context(base_url=address).new_page()
    tab.set_default_timeout(LONGEST)
    look(tab, "sign-in", "/sign-in?site=globex")
    sign_in(tab, "gus", "wrong")
    look(tab, "sign-in-again")
    tab = opened_tab(browser, address, "gus", site="globex", viewport=DESKTOP)
    for path in PAGES:
        look(tab, path.replace("/", "-") or "overview", f"/sites/globex/{path}")
    tab.goto("/sites/globex/runs")
    run = str(tab.locator("tbody a").first.get_attribute("href"))
    first = str(tab.locator("tbody a").last.get_attribute("href"))
    for path in (run, f"{run}/findings", first, f"{first}/changes", f"{first}/undo?known=1"):
        look(tab, "-".join(path.split("/")[3:4] + path.split("/")[5:]) + ("-first" if path == first else ""), path)
    look(tab, "delivered", "/sites/globex/delivered?after=z")
    look(tab, "not-found", "/sites/globex/runs/none")

    # after an upload: what it waits for, then what was found, and the plan
    upload(tab, write_set(folder / "three", people=PEOPLE + 8), site="globex")
    shown(tab, "Checked")
    look(tab, "checked")
    look(tab, "plan", f"{tab.url}/changes")
    look(tab, "overview-waiting", "/sites/globex/")
    upload(tab, write_set(folder / "four", people=PEOPLE // 2), site="globex")
    shown(tab, "Checked")
    tab.get_by_role("button", name="Sync now").click()
    shown(tab, "Held")
    look(tab, "held")
    look(tab, "holds-held", "/sites/globex/holds")
