"""A site with a past and its page, asked without a network: everything behind the socket is real."""

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from lzsyncd.config import Site, load
from lzsyncd.feed.sample import write_sample
from lzsyncd.sync.run import Options, sync_folder
from lzsyncd.web.app import build
from lzsyncd.web.house import House
from lzsyncd.web.passwords import hashed
from lzsyncd.web.store import Role, kept

PASSWORD = "correct horse battery"
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
FORMULA = '=HYPERLINK("http://evil.test")'


@dataclass
class Clock:
    """A clock that is put forward by hand, and seconds that go with it."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def forward(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@dataclass
class Page:
    """The page and whoever looks at it.

    Attributes:
        folder: has `lzsyncd.toml` and `export/`.
        site: the site `acme`.
        clock: what the page takes for the time.
    """

    folder: Path
    site: Site
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        path = self.folder / "lzsyncd.toml"
        self.house = House(path, load(path), clock=self.clock, monotonic=self.clock.seconds)
        self.app = build(self.house)

    def browser(self, name: str = "", site: str = "acme") -> TestClient:
        """A browser, signed in where a name is given."""
        client = TestClient(self.app, base_url="http://testserver", follow_redirects=True)
        client.headers["origin"] = "http://testserver"
        if name:
            answer = self.sign_in(client, name, site=site)
            assert answer.status_code == 200, answer.text
        return client

    def sign_in(self, client: TestClient, name: str, password: str = PASSWORD, site: str = "acme"):
        return client.post("/sign-in", data={"site": site, "name": name, "password": password})

    def sync(self, name: str, **options) -> str:
        (result,) = sync_folder(self.site, self.folder / name, Options(**options))
        return result.run


def csrf_of(text: str) -> str:
    return re.search(r'name="csrf" value="([^"]+)"', text)[1]


_hashes: dict[str, str] = {}


def hash_of(password: str) -> str:
    """Hashing takes a while, and that is its point."""
    if password not in _hashes:
        _hashes[password] = hashed(password)
    return _hashes[password]


def write_export(folder: Path) -> None:
    """An export with a person whose record is wrong, one with a formula for a name, and one whose unit nobody knows."""
    write_sample(folder, Site.standard("acme"))
    path = folder / "user.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows[0]["city"] = FORMULA
    rows[1]["email"] = "=cmd|'/c calc'!A1"
    rows[2]["orgidnumber"] = "NOWHERE"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def page(database: Callable[[Path], str], tmp_path: Path) -> Page:
    """The site `acme` after two runs, and the site `globex`, of which nobody at acme may learn."""
    return make_page(tmp_path, database(tmp_path / "data/acme"))


def make_page(folder: Path, url: str) -> Page:
    (folder / "lzsyncd.toml").write_text(
        f'[daemon]\ndata_dir = "{folder}/data"\nruntime_dir = "{folder}/run"\n'
        f'[sites.acme]\ndatabase = "{url}"\ntimezone = "Europe/London"\n'
        '[sites.acme.user.customfields.site]\ntype = "text"\n[sites.globex]\n',
        encoding="utf-8",
    )
    config = load(folder / "lzsyncd.toml")
    found = Page(folder, config.sites["acme"])
    for site in config.sites.values():
        site.inbox.mkdir(parents=True)
    for name, accounts in {"acme": {"ada": Role.ADMIN, "vera": Role.VIEWER}, "globex": {"gus": Role.ADMIN}}.items():
        with kept(config.sites[name]) as store:
            for account, role in accounts.items():
                store.add_account(account, role, hash_of(PASSWORD), NOW)
    write_sample(folder / "first", Site.standard("acme"))
    write_export(folder / "export")
    found.sync("first")
    found.sync("export")
    return found
