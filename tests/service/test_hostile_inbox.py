"""Names, times and markers made to hurt, under a real daemon: what people are told of them, and that nothing grows.

Files made to hurt are in `tests/system/test_hostile_inbox.py`.
"""

import contextlib
import hashlib
import io
import json
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lzsyncd.__main__ import main
from lzsyncd.config import Site
from tests.conftest import copies_of
from tests.service.test_daemon import SET, USER, Company

MIB = 1 << 20
MORE = 32 * MIB  # by which the daemon may have grown after all that was done to it: an allocator keeps some
AGAIN = 4 * MIB  # by which it may grow when the same is done once more
PROCESS = 160 * MIB  # of its own that no process of lzsyncd gets more of: with more it fails
TERABYTE = 1 << 40
SECRET = b"Lovelace"
NUL = b"\0"


class Street:
    """Two sites of one daemon: `bad`, in whose inbox the tests do their worst, and `good` beside it.

    Attributes:
        elsewhere: a folder of somebody else, with what links may lead to.
    """

    def __init__(self, folder: Path, make_database: Callable[[Path], str]) -> None:
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()
        for name, data in (SET | {"user.csv": USER.replace(b"Lee", SECRET)}).items():
            (self.elsewhere / name).write_bytes(data)
        (folder / "srv").mkdir()
        self.company = Company(folder / "srv", make_database)
        self.bad, self.good = (self.company.site(name) for name in ("bad", "good"))
        self.company.configure()
        self.company.start()
        resource.prlimit(self.pid, resource.RLIMIT_DATA, (PROCESS, PROCESS))  # children inherit it
        self.sets = self.before = 0
        self.is_served(self.good)
        self.is_served(self.bad)
        self.resident = self.size()

    @property
    def pid(self) -> int:
        assert self.company.process is not None
        return self.company.process.pid

    @property
    def inbox(self) -> Path:
        return self.bad.inbox

    def size(self) -> int:
        """What the daemon takes, in bytes."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * resource.getpagesize()

    def is_served(self, site: Site) -> None:
        """Its next set, which is like no other, is applied."""
        self.sets += 1
        before = len(self.company.statuses(site.name))
        put(site, SET | {"user.csv": USER.replace(b"Lee", b"Lee %d" % self.sets)})
        self.company.wait_for(lambda: len(self.company.statuses(site.name)) > before)
        assert self.company.statuses(site.name)[before:] == ["applied"]

    def asked(self) -> dict[str, Any]:
        """What `lzsyncd status --json` says of the bad site."""
        (found,) = [site for site in json.loads(self.said("status", "--json"))["sites"] if site["site"] == "bad"]
        return dict(found)

    def said(self, *words: str) -> str:
        """What a command says; it is in this process, so that asking costs little."""
        with contextlib.redirect_stdout(io.StringIO()) as out:
            main(["--config", str(self.company.config), *words])
        return out.getvalue()

    def ended(self) -> list[dict[str, Any]]:
        """The runs of the bad site that came to an end, as the log tells of them."""
        return [line for line in self.company.events("run_finished", "bad") if "run.status" in line]

    @contextlib.contextmanager
    def attacked(self) -> Iterator[None]:
        """Harm is done in the block; it has none to show, and what is taken away is forgotten."""
        outside, served, self.before = self.outside(), len(self.company.statuses("good")), len(self.ended())
        try:
            yield
        finally:
            empty(self.inbox)
        assert len(self.company.statuses("good")) > served, "the neighbour was not looked after"
        self.is_served(self.bad)
        assert self.outside() == outside
        assert not list((self.bad.folder / "spool").iterdir())
        assert SECRET not in b"".join(path.read_bytes() for path in self.bad.outbox.rglob("*") if path.is_file())
        assert not self.company.events("worker_killed")
        self.told_well()
        assert self.size() < self.resident + MORE, (self.size() - self.resident) / MIB

    def outside(self) -> object:
        """What is not the site's: the daemon's folder, its neighbour's, somebody else's."""
        files = sorted(self.elsewhere.rglob("*"))
        contents = {path: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode) for path in files}
        folders = (
            self.company.folder,
            self.bad.inbox.parent,
            self.good.folder,
            self.good.inbox,
            self.good.inbox.parent,
        )
        names = [path for folder in folders for path in sorted(folder.iterdir()) if "zone.db-" not in path.name]
        return contents, names

    def told_well(self) -> None:
        """Each line of the log is one JSON object that a terminal can show."""
        for line in self.company.log.read_text(encoding="utf-8", errors="strict").split("\n")[:-1]:
            assert isinstance(json.loads(line), dict)
            assert line.isprintable(), line
        assert "Traceback" not in self.company.log.read_text()


def put(site: Site, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (site.inbox / name).write_bytes(data)


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            empty(path)
            path.rmdir()
        else:
            path.unlink()


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[Street]:
    made = Street(tmp_path_factory.mktemp("street"), copies_of(migrated_sqlite))
    yield made
    assert made.company.end() == 0


def test_markers_that_are_none_count_as_not_there(street):
    with street.attacked():
        (street.inbox / "set.done").symlink_to("/dev/zero")
        os.mkfifo(street.inbox / "sha256sums")
        (street.inbox / "manifest.json").touch()
        os.truncate(street.inbox / "manifest.json", TERABYTE)
        street.is_served(street.bad)
        street.is_served(street.good)
        street.company.wait_for(lambda: len(street.asked()["waiting"]) == 3)
        assert all("counts as not there" in text for text in street.asked()["waiting"])


def test_a_path_in_a_marker_leads_nowhere(street):
    up = "../../../good/sftp/inbox/"
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {up}{name}\n" for name, data in SET.items())
    with street.attacked():
        put(street.bad, SET | {"sha256sums": sums.encode()})
        street.is_served(street.good)
        street.company.wait_for(lambda: len(street.ended()) > street.before)
        assert street.ended()[-1]["run.status"] == "applied"


NAMES = [
    *(
        b"user.csv\n",
        b"users.csv\x1b[2J\x07",
        b"users_\x00.csv".replace(NUL, b"\x9b"),
        b"\xff\xfeuser.csv",
        b"user (1).csv\r",
    ),
    *(
        b"..\\..\\user.csv",
        b"%2e%2e%2fuser.csv",
        "..\u2215user.csv".encode(),
        "\u202evsc.resu".encode(),
        b"-rf *",
        b"~",
    ),
    *(
        b"$(reboot)",
        b"'; DROP TABLE lz_user; --",
        b"Users.csv",
        b"." + b"\n" * 200,
        b"x" * 255,
        b".user.csv.\x1b[31m.part",
    ),
    b'{"event.action": "run_finished"}\n{"run.status": "applied"}',
]


def test_names_reach_neither_log_nor_terminal_as_they_are(street):
    with street.attacked():
        for name in NAMES:
            Path(os.fsdecode(os.fsencode(street.inbox) + b"/" + name)).touch()
        street.is_served(street.good)
        street.company.wait_for(lambda: "Users.csv" in street.asked()["near_misses"])
        assert len(street.asked()["inbox"]) == sum(not name.startswith(b".") for name in NAMES)
        for text in (street.said("status", "--json"), street.said("status")):
            assert all(line.isprintable() for line in text.split("\n"))


def test_ten_thousand_files_are_told_of_in_a_few_words_and_then_forgotten(street):
    sizes = []
    for _ in range(2):
        with street.attacked():
            for number in range(10_000):
                name = ("user ({}).csv", ".user.csv.{}", "{}", ".wake{}")[number % 4].format(number)
                (street.inbox / name).touch()
            street.is_served(street.good)
            street.company.wait_for(lambda: street.asked()["near_misses"])
            assert len(street.asked()["near_misses"]) == 11
            assert len(street.said("status")) < 5_000
        sizes.append(street.size())
    assert sizes[1] < sizes[0] + AGAIN


def test_times_from_far_away_are_nothing_to_go_by(street):
    with street.attacked():
        put(street.bad, SET)
        for name, when in zip(SET, (-(1 << 33), 0, 1 << 33), strict=True):
            os.utime(street.inbox / name, (when, when))
        street.is_served(street.good)
        street.company.wait_for(lambda: len(street.ended()) > street.before)
        assert street.ended()[-1]["run.status"] in ("applied", "unchanged")
