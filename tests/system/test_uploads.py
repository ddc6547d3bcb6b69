"""Sets that come in over SFTP as clients send them, well and badly: each is applied once, whole, or told of."""

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest

from tests.system.booted import Machine
from tests.system.installation import LZSYNCD, booted_with
from tests.system.sshd import Server
from tests.system.supplied import Supplied

UNITS = {"org.csv": b"idnumber,fullname\nA,Acme\n", "pos.csv": b"idnumber,fullname\nD,Driver\n"}
HEADER = b"lz_note,idnumber,username,firstname,lastname,email,orgidnumber,posidnumber,city\n"
PERSON = "{note},{n},p{n},Ann,Lee{n},p{n}@a.test,A,D,{city}\n"

# people in a file that takes some seconds, or that nobody lives to see whole: a slow client sends 260 kB at once, and
# then 200 kB a second
SLOW, ENDLESS = 800, 4_000
LARGE = 40_000  # people of a set whose run takes longer than it takes to stop it
QUICK, PATIENT = 'settle = "1s"', 'settle = "1h"'

_numbers = itertools.count(1)
Adding = Callable[..., Supplied]


def user_csv(people: int = 3, city: str = "London", note: int = 0) -> bytes:
    """A file of so many people; `note` bytes beside each, which lzsyncd ignores, make it large."""
    return HEADER + "".join(PERSON.format(note="x" * note, n=n, city=city) for n in range(people)).encode()


def a_set(people: int = 3, city: str = "London", note: int = 0) -> dict[str, bytes]:
    return UNITS | {"user.csv": user_csv(people, city, note)}


@pytest.fixture(scope="module")
def server(program: Path) -> Iterator[Server]:
    """The SFTP server of a machine on which the service runs."""
    with booted_with(program) as machine:
        machine.run(LZSYNCD, "install")
        machine.run("systemctl", "start", "lzsyncd.service")
        yield Server(machine)
        journal_is_whole(machine)


def journal_is_whole(machine: Machine) -> None:
    """Nothing ended with an error that was not told."""
    told = [str(line["MESSAGE"]) for line in machine.journal("lzsyncd.service")]
    assert not [line for line in told if "Traceback" in line]


@pytest.fixture
def add(server: Server) -> Adding:
    """Adds a site of its own."""
    return lambda *settings: Supplied(server, f"site{next(_numbers)}", *settings)


@pytest.fixture
def site(add: Adding) -> Supplied:
    """A site that waits for a second of quiet."""
    return add(QUICK)


# -- as it should be


def test_a_set_put_by_openssh_is_applied_once_and_whole(site):
    site.deliver(a_set())
    (told,) = site.ends("applied")
    assert told["counts"]["user"]["created"] == 3
    assert told["findings"] == {}
    assert site.people() == {"London": 3}


def test_a_set_put_by_paramiko_is_applied_once_and_whole(site):
    with site.paramiko() as session:
        for name, data in a_set().items():
            session.putfo(BytesIO(data), f"/inbox/{name}")
    site.ends("applied")
    assert site.people() == {"London": 3}


def test_files_put_under_another_name_and_renamed_are_a_set(site):
    """Both requests are used: SFTP's own and posix-rename@openssh.com."""
    site.lay_out(UNITS)
    put = [f"put {name} /inbox/{name}.tmp" for name in UNITS]
    site.sftp(*put, "rename /inbox/org.csv.tmp /inbox/org.csv", "rename -l /inbox/pos.csv.tmp /inbox/pos.csv")
    with site.paramiko() as session:
        session.putfo(BytesIO(user_csv()), "/inbox/upload-1")
        session.posix_rename("/inbox/upload-1", "/inbox/user.part")
        session.rename("/inbox/user.part", "/inbox/user.csv")
    site.ends("applied")
    assert site.people() == {"London": 3}


def test_files_that_only_their_owner_may_read_are_taken(site):
    for (name, data), mode in zip(a_set().items(), (0o600, 0o400, 0o600), strict=True):
        site.lay_out({name: data}, mode)
    site.sftp("put org.csv /inbox/org.csv", "put pos.csv /inbox/pos.csv", "put user.csv /inbox/user.csv")
    assert (site.inbox / "pos.csv").stat().st_mode & 0o777 == 0o400
    site.ends("applied")
    assert site.people() == {"London": 3}


def test_200_megabytes_are_a_set(site):
    site.lay_out(a_set(20_000, note=10_000))
    assert (site.machine.root / f"tmp/{site.name}/user.csv").stat().st_size > 200_000_000
    site.sftp("put user.csv /inbox/user.csv", "put org.csv /inbox/org.csv", "put pos.csv /inbox/pos.csv")
    site.ends("applied")
    assert site.people() == {"London": 20_000}


# -- one after the other


def test_three_sets_each_waited_for_are_three_runs(site):
    for number, city in enumerate(("York", "Leeds", "Leeds"), 1):
        site.deliver(a_set(city=city))
        site.is_told_of(number)
        assert site.people() == {city: 3}
    told = site.ends("applied", "applied", "unchanged")
    assert [summary["counts"]["user"]["updated"] for summary in told] == [0, 3, 0]


def test_of_three_sets_that_nobody_waited_for_the_last_one_counts(add):
    site = add('settle = "2s"')
    with site.paramiko() as session:
        for city in ("York", "Leeds", "London"):
            for name, data in a_set(city=city).items():
                session.putfo(BytesIO(data), f"/inbox/{name}")
    site.ends("applied")
    assert site.people() == {"London": 3}


def test_a_set_that_comes_while_another_is_under_way_has_its_turn_after_it(add):
    site = add(QUICK, 'guard.max_removed = "none"')
    site.deliver(a_set(LARGE, city="York"))
    site.until(site.has_taken)
    with site.run_stopped():
        site.deliver(a_set(2))
        assert site.has_taken()
        assert not any(site.outbox.iterdir())
    first, second = site.ends("applied", "applied")
    assert first["finished_at"] <= second["started_at"]
    assert (first["counts"]["user"]["created"], second["counts"]["user"]["removed"]) == (LARGE, LARGE - 2)
    assert site.people() == {"London": 2}


# -- interrupted, and begun anew


def test_a_file_overwritten_while_its_set_waits_counts_as_it_was_written_last(site):
    site.deliver({"user.csv": user_csv(9, "York"), "org.csv": UNITS["org.csv"]})
    site.until(lambda: "pos.csv is missing" in site.status())
    assert not site.has_taken()
    site.deliver({"user.csv": user_csv(), "pos.csv": UNITS["pos.csv"]})
    site.ends("applied")
    assert site.people() == {"London": 3}


def test_an_upload_that_was_cut_and_resumed_is_whole(site):
    site.lay_out(a_set(ENDLESS, note=1_000))
    client = site.begin("put user.csv /inbox/user.csv")
    site.until(lambda: site.size("user.csv") > 0)
    client.signal("KILL")
    site.until(lambda: not client.is_running)
    stump = site.size("user.csv")
    site.sftp("put org.csv /inbox/org.csv", "reput user.csv /inbox/user.csv", "put pos.csv /inbox/pos.csv")
    assert stump < ENDLESS * 1_000
    (told,) = site.ends("applied")
    assert told["findings"] == {}
    assert site.people() == {"London": ENDLESS}


@pytest.mark.parametrize("temporary", [False, True], ids=["plain", "filepart"])
def test_what_a_client_sent_before_it_was_killed_is_not_applied(site, temporary):
    site.lay_out(a_set(ENDLESS, note=1_000))
    units = ("put org.csv /inbox/org.csv", "put pos.csv /inbox/pos.csv")
    name = "user.csv.filepart" if temporary else "user.csv"
    client = site.begin(*(units if temporary else ()), f"put user.csv /inbox/{name}", *units)
    site.until(lambda: site.size(name) > 0)
    client.signal("KILL")
    time.sleep(2)
    assert not client.is_running
    assert not site.has_taken()
    site.sftp(*units, f"put user.csv /inbox/{name}", *([f"rename /inbox/{name} /inbox/user.csv"] if temporary else []))
    (told,) = site.ends("applied")
    assert told["findings"] == {}
    assert site.people() == {"London": ENDLESS}


def test_a_set_whose_last_file_was_cut_off_is_not_taken_for_whole(site):
    whole = a_set(ENDLESS, note=1_000)
    site.deliver(whole)
    site.is_told_of(1)
    client = site.begin("put org.csv /inbox/org.csv", "put pos.csv /inbox/pos.csv", "put user.csv /inbox/user.csv")
    site.until(lambda: site.size("user.csv") > 0)
    client.signal("KILL")
    site.until(lambda: "user.csv: does not end with a line break" in site.status())
    assert not site.has_taken()
    site.deliver(whole)
    told = site.ends("applied", "unchanged")
    assert told[1]["findings"] == {}
    assert site.people() == {"London": ENDLESS}


def test_nothing_is_taken_while_its_writer_stands_still(site):
    site.lay_out(a_set(SLOW, note=1_000))
    client = site.begin("put org.csv /inbox/org.csv", "put pos.csv /inbox/pos.csv", "put user.csv /inbox/user.csv")
    site.until(lambda: site.size("user.csv") > 0)
    client.signal("STOP")
    time.sleep(2)
    assert not site.has_taken()
    assert "user.csv: open for writing" in site.status()
    client.signal("CONT")
    site.ends("applied")
    assert client.has_succeeded
    assert site.people() == {"London": SLOW}


def test_a_large_file_under_a_temporary_name_keeps_the_small_ones_waiting(site):
    site.deliver(a_set(city="York"))
    site.is_told_of(1)
    site.lay_out(a_set(SLOW, note=1_000))
    client = site.begin("put user.csv /inbox/user.csv.filepart", "rename /inbox/user.csv.filepart /inbox/user.csv")
    site.until(lambda: site.size("user.csv.filepart") > 0)
    client.signal("STOP")
    site.sftp("put org.csv /inbox/org.csv", "put pos.csv /inbox/pos.csv")
    time.sleep(2)
    assert not site.has_taken()
    client.signal("CONT")
    site.ends("applied", "applied")
    assert client.has_succeeded
    assert site.people() == {"London": SLOW}


# -- markers


def sums(files: dict[str, bytes]) -> dict[str, bytes]:
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()]
    return {"sha256sums": "".join(lines).encode()}


def test_with_a_marker_nobody_waits_for_quiet(add):
    site = add(PATIENT)
    site.deliver(a_set(city="York") | {"set.done": b""})
    site.is_told_of(1)
    files = a_set()
    site.deliver(files | sums(files))
    site.ends("applied", "applied")
    assert site.people() == {"London": 3}


def test_a_wrong_checksum_rejects_the_set_and_the_next_one_is_applied(site):
    files = a_set()
    site.deliver(files | sums(files | {"user.csv": b"something else"}))
    (told,) = site.ends("rejected")
    assert told["findings"] == {"set.checksum": 1}
    assert site.people() == {}
    site.deliver(files | sums(files))
    site.ends("rejected", "applied")
    assert site.people() == {"London": 3}


# -- names made to hurt


def test_what_is_no_plain_file_rejects_its_set_and_the_next_one_is_applied(site):
    site.lay_out(a_set())
    link, folder = ["symlink /etc/passwd /inbox/user.csv"], ["mkdir /inbox/user.csv"]
    second_name = ["put user.csv /inbox/mine", "ln /inbox/mine /inbox/user.csv"]
    for number, trick in enumerate((link, folder, second_name), 1):
        site.sftp("put org.csv /inbox/org.csv", "put pos.csv /inbox/pos.csv", *trick)
        site.is_told_of(number)
    assert site.people() == {}
    site.deliver(a_set())
    told = site.ends("rejected", "rejected", "rejected", "applied", left=("mine",))
    assert [summary["findings"] for summary in told] == [{"set.unsafe": 1}] * 3 + [{}]
    assert site.people() == {"London": 3}


def test_a_folder_that_nobody_may_move_is_left_under_another_name(site):
    site.lay_out(a_set())
    made = ("mkdir /inbox/user.csv", "put org.csv /inbox/user.csv/mine", "chmod 700 /inbox/user.csv")
    site.sftp("put org.csv /inbox/org.csv", "put pos.csv /inbox/pos.csv", *made)
    (told,) = site.ends("rejected", left=("user.csv.{0[run]}",))
    assert told["findings"] == {"set.unsafe": 1}
    site.deliver(a_set())
    site.ends("rejected", "applied", left=("user.csv.{0[run]}",))
    assert site.people() == {"London": 3}
