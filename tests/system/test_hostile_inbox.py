"""One site's SFTP account is in bad hands: the daemon stays up and small, and the neighbour's sets go on being applied.

Each trick alone is tried at its own place: `test_unsafe_files`, `test_unsafe_sets`, `test_claim`, `test_uploads`. Here
one daemon, as a process, gets them all.
"""

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lzsyncd.config import Site
from tests.bench.memory import PeakMemory, memory_of
from tests.laws.ground import ask
from tests.service.test_daemon import ORG, POS, SET, USER, Company, deliver
from tests.sync.desk import ON_SQLITE
from tests.system.test_unsafe_files import UNSAFE, make_socket

HEADER = USER.split(b"\n")[0]
GROWN = 20.0  # MiB that the daemon itself may grow by: ten thousand names take 13
WHOLE = 260.0  # MiB of the daemon and all its children at any time
ESCAPE = b"\x1b[2Jgone\r\n.csv"


class Street:
    """A company of two sites: `villain`, and `neighbour`, who delivers a new set whenever he is asked."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.villain, self.neighbour = company.site("villain", 'max_file_size = "64MiB"'), company.site("neighbour")
        self._cities = (f"Town{number}" for number in itertools.count())
        company.configure()
        company.start()

    def neighbour_is_served(self) -> None:
        """His next set is applied: whatever the other site has the daemon do."""
        city, before = next(self._cities).encode(), len(self.company.statuses("neighbour"))
        deliver(
            self.neighbour, SET | {"user.csv": USER.replace(b"email\n", b"email,city\n")[:-1] + b"," + city + b"\n"}
        )
        self.company.wait_for(lambda: len(self.company.statuses("neighbour")) > before)
        assert self.company.statuses("neighbour")[-1] == "applied"
        assert ask(self.neighbour, "SELECT city FROM lz_user") == [{"city": city.decode()}]

    def ends(self, status: str) -> None:
        """The villain's next run ends so, and the neighbour is served beside it."""
        before = len(self.company.statuses("villain"))
        self.neighbour_is_served()
        self.company.wait_for(lambda: len(self.company.statuses("villain")) > before)
        assert self.company.statuses("villain")[-1] == status

    def findings(self) -> set[str]:
        """Codes of the villain's last run."""
        rows = ask(self.villain, "SELECT code FROM sync_error WHERE run_id = (SELECT max(id) FROM sync_run)")
        return {row["code"] for row in rows}


@pytest.fixture
def street(tmp_path: Path, database: Callable[[Path], str]) -> Iterator[Street]:
    """Both sites under a daemon that must end well, with a log that a terminal and a shipper can bear."""
    company = Company(tmp_path, database)
    try:
        street = Street(company)
        street.neighbour_is_served()
        small = memory_of(company.pid).rss
        with PeakMemory(company.pid, interval=0.2) as tree:
            yield street
        assert memory_of(company.pid).rss < small + GROWN
        assert tree.peak.pss < WHOLE
        assert company.end() == 0
        log_is_sound(company.log)
    finally:
        company.kill()


def log_is_sound(log: Path) -> None:
    """One JSON object a line, without a control character, a value, or a traceback."""
    for line in log.read_bytes().splitlines():
        told = json.loads(line)
        assert not [byte for byte in line if byte < 0x20 or byte == 0x7F]
        assert "error.stack_trace" not in told
        assert b"PRIVATE" not in line


def put(site: Site, make: Callable[[Path], object]) -> None:
    """A set whose people are something else than a file of people."""
    deliver(site, {"org.csv": ORG, "pos.csv": POS})
    make(site.inbox / "user.csv")


def sparse(path: Path) -> None:
    """A terabyte of nothing, and the end of a line: a file without one is waited for, as if it were cut off."""
    with path.open("wb") as stream:
        stream.seek(1 << 40)
        stream.write(b"\n")


def written(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data + b"\n")


def test_whatever_bears_the_name_of_a_file_is_refused_and_the_next_set_is_applied(street: Street) -> None:
    tricks = UNSAFE | {"a socket": make_socket}
    if not os.geteuid():
        tricks["a device"] = lambda path: os.mknod(path, 0o20666, os.makedev(1, 5))
    for what, make in tricks.items():
        before = len(street.company.statuses("villain"))
        put(street.villain, make)
        street.company.wait_for(lambda: len(street.company.statuses("villain")) > before)  # noqa: B023 at once
        assert street.findings() == {"file.unreadable" if what == "a socket" else "set.unsafe"}, what
        (street.villain.inbox.parent / "elsewhere.csv").unlink(missing_ok=True)
    street.neighbour_is_served()
    deliver(street.villain)
    street.ends("applied")


def test_files_made_to_fill_memory_are_refused(street: Street) -> None:
    put(street.villain, sparse)
    street.ends("rejected")
    assert street.findings() == {"file.too_large"}
    bombs = {
        "a quote that never ends": (b'%b\nU1,"%b' % (HEADER, b"PRIVATE,\n" * 3_000_000), {"file.truncated"}),
        "nothing but quotes": (HEADER + b"\n" + b'"' * 20_000_000, {"record.columns"}),
        "a line without an end": (HEADER + b"\n" + b"x" * 20_000_000, {"record.columns"}),
        "a header of 100,000 columns": (
            b",".join(b"c%d" % n for n in range(100_000)) + b"\n1\n",
            {"file.column.unknown", "file.header.missing"},
        ),
    }
    for what, (data, codes) in bombs.items():
        before = len(street.company.statuses("villain"))
        put(street.villain, written(data))
        street.neighbour_is_served()
        street.company.wait_for(lambda: len(street.company.statuses("villain")) > before)  # noqa: B023 at once
        assert ask(street.villain, "SELECT count(*) AS n FROM lz_user") == [{"n": 0}], what
        assert street.findings() == codes, what
    deliver(street.villain)
    street.ends("applied")


@pytest.mark.parametrize("line", [b'"\n', b'"a"b,\n', b'U1,"a,b,c,d\n'], ids=["open", "junk", "stray"])
def test_a_file_of_nothing_but_bad_records_is_told_line_by_line_and_keeps_nobody_waiting(
    street: Street, line: bytes
) -> None:
    """Each has its finding (law 1), and writing them takes as long as there are many, not the square of it."""
    put(street.villain, written(HEADER + b"\n" + line * 30_000))
    street.ends("rejected" if line.startswith(b"U1") else "applied")
    (told,) = ask(street.villain, "SELECT count(*) AS n FROM sync_error WHERE code = 'record.columns'")
    assert told["n"] >= 15_000
    deliver(street.villain)
    street.ends("applied")


@ON_SQLITE
def test_ten_thousand_files_with_names_made_to_hurt_are_left_where_they_are(street: Street) -> None:
    inbox = os.fsencode(street.villain.inbox)
    hurting = [
        ESCAPE,
        b"user.csv\n",
        b"x..\\..\\user.csv",
        b"\xff\xfe.csv",
        b"%2e%2e%2fuser.csv",
        b"-rf",
        b"`id`",
        b"$(id)",
    ]
    for name in (*hurting, *(b"junk%05d.csv" % number for number in range(10_000))):
        with open(os.path.join(inbox, name), "wb"):  # noqa: PTH118, PTH123 names that no text has
            pass
    street.neighbour_is_served()
    deliver(street.villain)
    street.ends("applied")
    left = os.listdir(inbox)  # noqa: PTH208 names that no text has
    assert len(left) == 10_000 + len(hurting)
    assert set(hurting) < set(left)
    told = street.company.asked()  # its output is JSON, whatever names there are
    assert "\x1b" not in json.dumps(told, ensure_ascii=False)
    assert street.villain.folder.parent.joinpath("user.csv").exists() is False
    shutil.rmtree(street.villain.inbox)


@ON_SQLITE
def test_files_that_are_swapped_all_the_time_never_make_a_mixed_or_foreign_set(street: Street, tmp_path: Path) -> None:
    """Between check and claim, as between claim and reading: what is applied was whole, or nothing is."""
    secret = tmp_path / "secret.csv"
    secret.write_bytes(HEADER + b"\nS1,secret,PRIVATE,PRIVATE,s@example.org\n")
    inbox, aside = street.villain.inbox, street.villain.inbox.parent / "aside"
    for number in range(400):
        deliver(street.villain)
        aside.unlink(missing_ok=True)
        aside.symlink_to(secret) if number % 2 else aside.write_bytes(USER)
        aside.rename(inbox / "user.csv")
        if number % 100 == 0:
            street.neighbour_is_served()
    street.neighbour_is_served()
    shutil.rmtree(inbox)
    inbox.mkdir()
    deliver(street.villain)
    street.company.wait_for(lambda: set(street.company.statuses("villain")) & {"applied", "unchanged"})
    assert ask(street.villain, "SELECT idnumber FROM lz_user") == [{"idnumber": "U1"}]
    assert b"PRIVATE" not in street.company.log.read_bytes()


def test_a_set_every_second_keeps_nobody_waiting(street: Street) -> None:
    for number in range(6):
        deliver(street.villain, SET | {"set.done": b"", "user.csv": USER.replace(b"Ann", b"Ann%d" % number)})
        street.neighbour_is_served()
    street.company.wait_for(lambda: not list(street.villain.inbox.iterdir()))
    street.company.wait_for(lambda: ask(street.villain, "SELECT firstname FROM lz_user") == [{"firstname": "Ann5"}])
