"""Sets from a customer's SFTP server: a real sshd, which is another one, says no, hangs, breaks off or is slow."""

import os
import resource
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lzsyncd.__main__ import main
from lzsyncd.config import Site, parse
from lzsyncd.errors import DiskFull, ExitCode, LzsyncdError, NotPermitted, TryAgain
from lzsyncd.intake import remote as fetching
from lzsyncd.intake.remote import Clock, Visited, visit
from lzsyncd.intake.server import connected
from lzsyncd.ledger.fetched import last_visit
from lzsyncd.service.errand import Errand
from lzsyncd.service.worker import Worker
from lzsyncd.zone.database import Database, opened
from tests.conftest import copies_of
from tests.service.test_daemon import SET, Company
from tests.system.remote import Customer, Relay, customer, is_possible, make_key
from tests.system.sshd import Server
from tests.system.supplied import Supplied

pytestmark = pytest.mark.skipif(not is_possible(), reason="An sshd of one's own lets only its own account in.")

LARGE = {name: data * (60_000 if name == "user.csv" else 1) for name, data in SET.items()}  # 4.6 MB


@dataclass
class Dated:
    """A clock that is put on by whoever sleeps."""

    now: datetime = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)

    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.sleep)


@dataclass
class Us:
    """Our site, and its visits."""

    customer: Customer
    folder: Path
    database: Database
    time: Dated = field(default_factory=Dated)

    def site(self, **more: object) -> Site:
        text = f'[daemon]\ndata_dir = "{self.folder}"\n[sites.acme]\ndatabase = "{self.database.site.database}"\n'
        return parse(text + self.customer.settings(**more)).sites["acme"]

    def visit(self, **more: object) -> Visited:
        site = self.site(**more)
        assert site.remote
        return visit(self.database, site, site.remote, self.time.clock())

    def inbox(self) -> dict[str, bytes]:
        """What a set could be made of; temporary names apart."""
        return {path.name: path.read_bytes() for path in self.site().inbox.iterdir() if path.name[0] != "."}

    def halves(self) -> list[int]:
        return [path.stat().st_size for path in self.site().inbox.glob(".lzsyncd-fetch-*.part")]

    def clear(self) -> None:
        for path in self.site().inbox.iterdir():
            path.unlink()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Customer]:
    with customer(tmp_path_factory.mktemp("customer")) as made:
        yield made


@pytest.fixture
def us(tmp_path: Path, server: Customer, database: Callable[[Path], str]) -> Iterator[Us]:
    yield from _us(tmp_path, server, database)


@pytest.fixture
def ours(tmp_path: Path, server: Customer, migrated_sqlite: Path) -> Iterator[Us]:
    """The same on one database: what the server does is no matter of the database."""
    yield from _us(tmp_path, server, copies_of(migrated_sqlite))


def _us(folder: Path, server: Customer, make: Callable[[Path], str]) -> Iterator[Us]:
    subprocess.run(["rm", "-rf", server.home / "out", server.home / "in"], check=True)
    (server.home / "in").mkdir()
    site = Site.standard("acme", folder)
    site.inbox.mkdir(parents=True)
    server.lay_out(SET)
    with opened(replace(site, database=make(site.folder))) as base:
        yield Us(server, folder, base)


# -- as it should be


def test_a_set_is_fetched_once_whatever_is_done_with_it_there(us: Us) -> None:
    assert us.visit().fetched == ["org.csv", "pos.csv", "user.csv"]
    assert us.time.slept == [30.0], "it was seen the same twice, a quiet time apart"
    assert us.inbox() == SET
    us.clear()
    assert us.visit().fetched == []
    assert us.inbox() == {}
    (us.customer.home / "out" / "user.csv").write_bytes(SET["user.csv"] + b"\n")
    assert us.visit().fetched == ["org.csv", "pos.csv", "user.csv"], "a set is whole, though only one of it is new"


@pytest.mark.parametrize(("after", "left"), [("delete", []), ("move", ["processed"])])
def test_what_was_fetched_is_deleted_or_moved(ours: Us, after: str, left: list[str]) -> None:
    ours.visit(after=after)
    out = ours.customer.home / "out"
    assert [path.name for path in out.iterdir()] == left
    assert sorted(path.name.rpartition("-")[2] for path in out.glob("processed/*")) == sorted(SET) * len(left)
    assert ours.inbox() == SET


def test_where_it_can_not_be_moved_that_is_told_and_tried_again(ours: Us) -> None:
    blocked = ours.customer.home / "out" / "processed"
    blocked.touch()
    done = ours.visit(after="move")
    assert len(done.fetched) == len(done.trouble) == 3
    assert "while moving" in last_visit(ours.database, ours.site().remote.place).trouble  # type: ignore[union-attr]
    blocked.unlink()
    ours.clear()
    again = ours.visit(after="move")
    assert (again.fetched, again.trouble) == ([], [])
    assert len(list(blocked.iterdir())) == 3


def test_reports_are_put_whole_and_again_when_they_change(us: Us) -> None:
    outbox = us.site().outbox
    for run in ("20251122T020000412-5f0c9d1e", "20261128T100000412-5f0c9d1e"):
        (outbox / run).mkdir(parents=True)
        for name in ("summary.json", "summary.txt", "rejected-user.csv"):
            (outbox / run / name).write_text(name)
    assert us.visit(reports="in").put == ["20261128T100000412-5f0c9d1e"], "what was before the first visit is not put"
    there = us.customer.home / "in" / "20261128T100000412-5f0c9d1e"
    assert {path.name: path.read_text() for path in there.iterdir()} == {
        name: name for name in ("summary.json", "summary.txt", "rejected-user.csv")
    }
    assert us.visit(reports="in").put == []
    (outbox / "20261128T100000412-5f0c9d1e" / "summary.json").write_text("another")
    assert us.visit(reports="in").put == ["20261128T100000412-5f0c9d1e"]
    assert (there / "summary.json").read_text() == "another"
    assert us.visit().put == []


def test_an_incomplete_set_is_waited_for_and_a_marker_comes_last(ours: Us) -> None:
    (ours.customer.home / "out" / "pos.csv").unlink()
    assert ours.visit().waiting == ["pos.csv is missing on the server"]
    assert ours.inbox() == {}
    ours.customer.lay_out({"pos.csv": SET["pos.csv"], "set.done": b""})
    assert ours.visit().fetched == ["org.csv", "pos.csv", "user.csv", "set.done"]


def test_what_is_no_plain_file_or_too_large_or_not_wanted_is_left(ours: Us) -> None:
    out = ours.customer.home / "out"
    for name in ("org.csv", "pos.csv"):
        (out / name).unlink()
    (out / "org.csv").symlink_to("/etc/passwd")
    (out / "pos.csv").mkdir()
    ours.customer.lay_out({"User.csv": b"x", "user.csv.part": b"x", "notes.txt": b"x"})
    assert ours.visit().waiting == ["org.csv, pos.csv are missing on the server"]
    ours.time.now += timedelta(hours=1)
    limited = replace(ours.site(), max_file_size=3)
    assert limited.remote
    done = visit(ours.database, limited, limited.remote, ours.time.clock())
    assert (done.waiting, len(done.trouble), ours.inbox()) == (["user.csv is too large"], 1, {})


def test_a_set_in_the_inbox_has_its_turn_first(ours: Us) -> None:
    mine = ours.site().inbox / "org.csv"
    mine.write_bytes(b"mine")
    assert ours.visit().waiting == ["the inbox still has org.csv"]
    assert ours.inbox() == {"org.csv": b"mine"}
    mine.unlink()
    assert len(ours.visit().fetched) == 3


# -- as it should not be


def test_another_server_hears_nothing_from_us(ours: Us, tmp_path: Path) -> None:
    with pytest.raises(NotPermitted, match=r"does not show its host_key but ssh-ed25519 SHA256:.*Nothing was sent"):
        ours.visit(host_key=make_key(tmp_path / "other"))
    with pytest.raises(NotPermitted, match="does not show its host_key"):
        ours.visit(host_key=make_key(tmp_path / "rsa", "ecdsa"))
    assert "Nothing was sent" in last_visit(ours.database, ours.site().remote.place).trouble  # type: ignore[union-attr]


def test_a_key_or_password_that_does_not_fit_is_told_as_such(ours: Us, tmp_path: Path) -> None:
    make_key(tmp_path / "mine")
    make_key(tmp_path / "locked", passphrase="secret phrase")
    with pytest.raises(NotPermitted, match="does not let root in with this key"):
        ours.visit(key={"file": str(tmp_path / "mine")})
    for name in ("locked", "mine.pub"):
        (tmp_path / name).chmod(0o600)
        with pytest.raises(NotPermitted, match="is no Ed25519 private key"):
            ours.visit(key={"file": str(tmp_path / name)})
    with customer(tmp_path / "other", "PasswordAuthentication yes\n".replace("yes", "no")) as closed:
        (tmp_path / "password").write_text("wrong")
        (tmp_path / "password").chmod(0o600)
        ours.customer = closed
        with pytest.raises(NotPermitted, match="does not let root in with this password"):
            ours.visit(key=None, password={"file": str(tmp_path / "password")})


def test_a_server_that_knows_only_weak_algorithms_is_not_used(ours: Us, tmp_path: Path) -> None:
    for number, weak in enumerate(
        ("Ciphers aes256-cbc", "MACs hmac-sha1\nCiphers aes256-ctr", "KexAlgorithms diffie-hellman-group14-sha1")
    ):
        with customer(tmp_path / f"weak{number}", weak) as old:
            ours.customer = old
            with pytest.raises(LzsyncdError, match="not safe any more"):
                ours.visit()


def test_nobody_there_and_no_such_folder_are_told(ours: Us) -> None:
    with pytest.raises(LzsyncdError, match="listing the folder: there is no such file or folder"):
        ours.visit(folder="elsewhere")
    ours.customer = replace_port(ours.customer, 1)
    with pytest.raises(TryAgain, match="can't be reached: Connection refused"):
        ours.visit()


def replace_port(known: Customer, port: int) -> Customer:
    other = object.__new__(Customer)
    other.__dict__ |= known.__dict__ | {"port": port}
    return other


@contextmanager
def through_a_relay(us: Us, left: int, *, silent: bool = False) -> Iterator[Relay]:
    before, relay = us.customer, Relay(us.customer.port, left, silent=silent)
    us.customer = replace_port(before, relay.port)
    yield relay
    us.customer = before
    relay.close()


def test_a_connection_that_breaks_off_is_gone_on_with_where_it_broke(us: Us) -> None:
    us.customer.lay_out(LARGE)
    size = len(LARGE["user.csv"])
    with through_a_relay(us, size // 2) as relay:
        with pytest.raises(TryAgain, match=r"broke off, while sending user.csv"):
            us.visit()
        assert us.inbox() == {}
        half = max(us.halves())
        assert size // 4 < half < size
        relay.left = 1 << 60
        done = us.visit()
        assert len(done.fetched) == 3
        assert done.size == size - half, "what was here was not fetched again"
    assert us.inbox() == LARGE
    assert us.halves() == []


def test_no_request_waits_for_the_answer_to_the_one_before_it(ours: Us) -> None:
    """On a machine with nothing else to do that was 40 ms of silence for each block."""
    remote = ours.site().remote
    assert remote
    with connected(remote) as session:
        channel = session.get_channel()
        assert channel
        assert channel.get_transport().sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_half_of_a_file_that_has_changed_since_is_thrown_away(ours: Us) -> None:
    ours.customer.lay_out(LARGE)
    with through_a_relay(ours, 1_500_000) as relay:
        with pytest.raises(TryAgain):
            ours.visit()
        assert ours.halves()
        ours.customer.lay_out(SET)
        relay.left = 1 << 60
        assert len(ours.visit().fetched) == 3
    assert (ours.inbox(), ours.halves()) == (SET, [])


def test_what_somebody_puts_under_our_temporary_names_keeps_no_visit(ours: Us, tmp_path: Path) -> None:
    ours.customer.lay_out(LARGE)
    with through_a_relay(ours, 1_500_000) as relay:
        with pytest.raises(TryAgain):
            ours.visit()
        inbox = ours.site().inbox
        for number, half in enumerate(inbox.glob(".lzsyncd-fetch-*.part")):
            half.unlink()
            os.mkfifo(half) if number % 2 else half.symlink_to(tmp_path / "elsewhere")
        (inbox / ".lzsyncd-fetch-folder.part").mkdir()
        relay.left = 1 << 60
        assert len(ours.visit().fetched) == 3
    assert ours.inbox() == LARGE
    assert not (tmp_path / "elsewhere").exists()
    (inbox / ".lzsyncd-fetch-folder.part").rmdir()


def test_a_server_that_falls_silent_is_given_up(ours: Us) -> None:
    ours.customer.lay_out(LARGE)
    with through_a_relay(ours, 1_500_000, silent=True), pytest.raises(TryAgain, match="said nothing for 1 seconds"):
        ours.visit(timeout="1s")
    with through_a_relay(ours, 1, silent=True), pytest.raises(TryAgain):
        ours.visit(timeout="1s")


def test_a_visit_that_takes_too_long_ends_and_the_next_goes_on(ours: Us) -> None:
    """As the daemon's child: nothing but the alarm ends a server that always says a little."""
    ours.customer.lay_out(LARGE)
    with through_a_relay(ours, 1_000_000, silent=True) as relay:
        site = replace(ours.site(timeout="10m"), settle=0.1)
        assert site.remote
        worker = Worker(Errand(replace(site, remote=replace(site.remote, time_limit=4.0)), visit=True))
        assert ended(worker) == ExitCode.TRY_AGAIN
        assert "longer than time_limit" in last_visit(ours.database, site.remote.place).trouble
        relay.left = 1 << 60
        worker = Worker(Errand(site, visit=True))
        assert ended(worker) == 0
    assert ours.inbox() == LARGE


def ended(worker: Worker) -> int:
    deadline = time.monotonic() + 60
    while (code := worker.ended()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return code


def test_a_set_that_changes_while_it_is_fetched_is_not_taken(ours: Us, monkeypatch: pytest.MonkeyPatch) -> None:
    receive = fetching._Visit._receive

    def and_it_changes(self: Any, server: Any, file: Any, handle: int, have: int) -> None:
        receive(self, server, file, handle, have)
        ours.customer.lay_out({"org.csv": SET["org.csv"] + b"ADDED,Later\n"})

    monkeypatch.setattr(fetching._Visit, "_receive", and_it_changes)
    assert ours.visit().waiting == ["org.csv changed on the server while it was fetched"]
    assert ours.inbox() == {}
    monkeypatch.undo()
    assert len(ours.visit().fetched) == 3
    assert ours.inbox()["org.csv"].endswith(b"Later\n")
    assert ours.halves() == []


def test_a_visit_that_was_killed_before_the_rename_is_finished_by_the_next(
    us: Us, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: object, files: list[object]) -> None:
        if files:
            raise KeyboardInterrupt

    monkeypatch.setattr(fetching._Visit, "_enter", killed)
    with pytest.raises(KeyboardInterrupt):
        us.visit()
    monkeypatch.undo()
    assert len(us.halves()) == 3
    us.customer.lay_out({"org.csv": b"changed meanwhile\n"})
    done = us.visit()
    assert done.fetched[:3] == ["org.csv", "pos.csv", "user.csv"]
    assert us.inbox() == SET, "the set that was whole, before the next one has its turn"


def test_a_full_disk_is_told_and_left_free(ours: Us) -> None:
    inbox = ours.site().inbox
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", inbox], check=True)
    try:
        ours.customer.lay_out(LARGE)
        with pytest.raises(DiskFull, match="has no room for what server"):
            ours.visit()
        assert sum(ours.halves()) < 1_000
    finally:
        subprocess.run(["umount", inbox], check=True)
    ours.customer.lay_out(LARGE)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, before[1]))
    try:
        with pytest.raises(DiskFull, match="Files may not grow"):
            ours.visit()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert sum(ours.halves()) < 1_000
    assert len(ours.visit().fetched) == 3


def test_two_visits_at_a_time_are_one(ours: Us) -> None:
    with (
        opened(ours.site()) as database,
        fetching._alone(database, ours.site()),
        pytest.raises(TryAgain, match="Another visit"),
    ):
        ours.visit()


# -- the commands and the daemon


@pytest.fixture
def company(ours: Us, migrated_sqlite: Path) -> Iterator[Company]:
    made = Company(ours.folder / "company", copies_of(migrated_sqlite))
    yield made
    made.kill()


def test_the_commands_visit_it_and_say_what_is_wrong(
    ours: Us, company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    company.site("acme", ours.customer.settings())
    company.configure()
    base = ["--config", str(company.config)]
    assert main([*base, "check-config", "--deep"]) == 0
    assert "well   acme: remote server" in capsys.readouterr().out
    assert main([*base, "status"]) == 0
    assert "not visited yet" in capsys.readouterr().out
    assert main([*base, "fetch"]) == 0
    assert capsys.readouterr().out.startswith("Fetched: org.csv, pos.csv, user.csv.\n")
    assert main([*base, "fetch", "acme", "--json"]) == 0
    assert '"fetched": []' in capsys.readouterr().out
    company.site("acme", ours.customer.settings(folder="elsewhere", reports="nowhere"))
    company.configure()
    assert main([*base, "check-config", "--deep", "--quiet"]) == ExitCode.FAILED
    assert "WRONG  acme: remote server: The server 127.0.0.1" in capsys.readouterr().out
    assert main([*base, "fetch"]) == ExitCode.FAILED
    assert main([*base, "status"]) == 0
    assert "WRONG      The server 127.0.0.1" in capsys.readouterr().out
    company.site("acme")
    company.configure()
    assert main([*base, "fetch"]) == ExitCode.USAGE


def test_a_server_that_hangs_keeps_nobody_from_working(ours: Us, company: Company) -> None:
    with through_a_relay(ours, 10, silent=True) as relay:
        site = company.site("acme", ours.customer.settings(timeout="10m"))
        company.configure()
        company.start()
        company.wait_for(lambda: relay.connections)
        for name, data in SET.items():
            (site.inbox / name).write_bytes(data)
        company.wait_for(lambda: company.statuses() == ["applied"])
        assert company.end() == 0
    assert relay.connections == 1
    assert not company.events("visit_finished")


def test_the_daemon_fetches_applies_and_puts_the_report_back(ours: Us, company: Company) -> None:
    company.site("acme", ours.customer.settings(reports="in"))
    company.configure()
    company.start()
    company.wait_for(lambda: company.statuses() == ["applied"])
    company.wait_for(lambda: list(ours.customer.home.glob("in/*/summary.json")))
    (state,) = company.asked()["sites"]
    assert state["remote"]["fetched_at"]
    assert state["trouble"] == []
    assert company.end() == 0
    assert len(list(ours.customer.home.glob("out/*.csv"))) == 3


def test_the_service_fetches_inside_its_sandbox_with_a_password_from_a_credential(served: Server) -> None:
    machine = served.machine
    machine.run("useradd", "--create-home", "--home-dir=/srv/vendor", "vendor")
    machine.run("chpasswd", stdin="vendor:pass word\n")
    for name, data in SET.items():
        machine.write(f"/srv/vendor/out/{name}", data)
    machine.run("sh", "-c", "mkdir /srv/vendor/in && chown -R vendor: /srv/vendor")
    machine.write("/etc/lzsyncd/credentials/vendor", "pass word\n", mode=0o400)
    credential = "[Service]\nLoadCredential=vendor:/etc/lzsyncd/credentials/vendor\n"
    machine.write("/etc/systemd/system/lzsyncd.service.d/vendor.conf", credential)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "lzsyncd.service")
    host_key = machine.read("/etc/ssh/ssh_host_ed25519_key.pub").strip()
    site = Supplied(
        served,
        "acme",
        *(
            'settle = "1s"',
            "[sites.acme.remote]",
            'host = "127.0.0.1"',
            'username = "vendor"',
            f'host_key = "{host_key}"',
        ),
        *('password = {credential = "vendor"}', 'folder = "out"', 'reports = "in"', 'after = "move"'),
    )
    site.ends("applied")
    site.until(lambda: list((machine.root / "srv/vendor/in").glob("*/summary.json")))
    assert len(list((machine.root / "srv/vendor/out/processed").iterdir())) == 3
    assert "remote     visited" in site.status()
