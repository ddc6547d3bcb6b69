"""Sites apart on a real machine: what a stolen SFTP account of one site can do to another, and who may read which file.

The page is in `tests/web/test_apart.py`, the roles of PostgreSQL are in `tests/zone/test_roles.py`.
"""

import stat
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import paramiko
import pytest

from tests.system.booted import Machine
from tests.system.installation import LZSYNCD, booted_with
from tests.system.premises import CONFIG, SRV
from tests.system.sshd import Server
from tests.system.supplied import Supplied

SECRET = "Zebedee"  # a person of globex
UNITS = {"org.csv": b"idnumber,fullname\nA,Acme\n", "pos.csv": b"idnumber,fullname\nD,Driver\n"}
PEOPLE = "idnumber,username,firstname,lastname,email\n1,{0},{0},Lee,{0}@a.test\n"


class Sites(NamedTuple):
    """A machine with two sites, the service and the page, and both sites' people in them."""

    server: Server
    acme: Supplied
    globex: Supplied


def set_with(name: str) -> dict[str, bytes]:
    return UNITS | {"user.csv": PEOPLE.format(name.lower()).encode()}


@pytest.fixture(scope="module")
def sites(program: Path) -> Iterator[Sites]:
    with booted_with(program) as machine:
        machine.run(LZSYNCD, "install")
        machine.run("systemctl", "start", "lzsyncd.service", "lzsyncd-web.service")
        server = Server(machine)
        acme, globex = (Supplied(server, name, 'settle = "1s"') for name in ("acme", "globex"))
        for site, person in ((acme, "Ada"), (globex, SECRET)):
            site.deliver(set_with(person))
            site.ends("applied")
            machine.run(LZSYNCD, "web-user", "add", "ada", "--role", "admin", "--site", site.name)
        machine.write(f"{SRV}/globex/sftp/inbox/notes.txt", SECRET, 0o640)
        machine.run("chown", "sftp-globex:lzsyncd-in", f"{SRV}/globex/sftp/inbox/notes.txt")
        yield Sites(server, acme, globex)


# -- a stolen SFTP account

WAYS = (
    "..",
    "/..",
    "/../globex",
    "/inbox/../../globex/sftp/inbox",
    "/srv/lzsyncd/globex/sftp/inbox",
    "/proc",
    "/etc",
    "/dev",
)


@pytest.mark.parametrize("way", WAYS)
def test_the_account_sees_nothing_beside_its_two_folders(sites: Sites, way: str):
    with sites.acme.paramiko() as session:
        try:
            seen = session.listdir(way)
        except OSError:
            seen = ["inbox", "outbox"]
        assert sorted(seen) == ["inbox", "outbox"]


def reading(session: paramiko.SFTPClient) -> None:
    session.open(f"{SRV}/globex/sftp/inbox/notes.txt").read()


def reading_above(session: paramiko.SFTPClient) -> None:
    session.open("/inbox/../../../globex/sftp/inbox/notes.txt").read()


def reading_a_link(session: paramiko.SFTPClient) -> None:
    session.symlink("/../../globex/sftp/inbox/notes.txt", "/inbox/.a")
    session.open("/inbox/.a").read()


def looking_through_a_link(session: paramiko.SFTPClient) -> None:
    session.symlink(f"{SRV}/globex", "/inbox/.b")
    session.listdir("/inbox/.b")


def writing(session: paramiko.SFTPClient) -> None:
    session.putfo(BytesIO(b"x"), f"{SRV}/globex/sftp/inbox/user.csv")


def writing_through_a_link(session: paramiko.SFTPClient) -> None:
    session.symlink(f"{SRV}/globex/sftp/inbox/user.csv", "/inbox/.c")
    session.putfo(BytesIO(b"x"), "/inbox/.c")


def renaming_across(session: paramiko.SFTPClient) -> None:
    session.putfo(BytesIO(b"x"), "/inbox/.d")
    session.posix_rename("/inbox/.d", "/inbox/../../../globex/sftp/inbox/user.csv")


def linking_across(session: paramiko.SFTPClient) -> None:
    """OpenSSH's `hardlink@openssh.com`."""
    session._request(
        paramiko.sftp.CMD_EXTENDED, "hardlink@openssh.com", f"{SRV}/globex/sftp/inbox/notes.txt", "/inbox/.e"
    )


def taking_the_inbox_away(session: paramiko.SFTPClient) -> None:
    session.posix_rename("/inbox", "/elsewhere")


def opening_the_inbox(session: paramiko.SFTPClient) -> None:
    session.chmod("/inbox", 0o777)


def writing_a_report(session: paramiko.SFTPClient) -> None:
    session.putfo(BytesIO(b"x"), f"/outbox/{session.listdir('/outbox')[0]}/summary.txt")


def giving_away(session: paramiko.SFTPClient) -> None:
    session.putfo(BytesIO(b"x"), "/inbox/.f")
    session.chown("/inbox/.f", 0, 0)


ACTIONS: list[Callable[[paramiko.SFTPClient], None]] = [
    reading,
    reading_above,
    reading_a_link,
    looking_through_a_link,
    writing,
    writing_through_a_link,
    renaming_across,
    linking_across,
    taking_the_inbox_away,
    opening_the_inbox,
    writing_a_report,
    giving_away,
]


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)
def test_the_account_can_not(sites: Sites, action: Callable[[paramiko.SFTPClient], None]):
    before = listing(sites.globex)
    with sites.acme.paramiko() as session:
        try:
            with pytest.raises(OSError, match=r"No such file|Permission denied|Failure|not permitted"):
                action(session)
        finally:
            for name in session.listdir("/inbox"):
                session.remove(f"/inbox/{name}")
    assert listing(sites.globex) == before


def listing(site: Supplied) -> list[str]:
    return sorted(str(path) for path in site.folder.rglob("*") if not path.name.startswith("zone.db"))


def test_a_shell_a_tunnel_a_forwarded_port_and_a_display_are_refused(sites: Sites):
    with sites.server.paramiko(sites.acme.account, sites.acme.password) as client:
        transport = client.get_transport()
        assert transport
        for destination in (("127.0.0.1", 22), ("127.0.0.1", 8470), ("127.0.0.1", 5432)):
            with pytest.raises(paramiko.ChannelException):
                transport.open_channel("direct-tcpip", destination, ("127.0.0.1", 1), timeout=10)
        with pytest.raises(paramiko.SSHException):
            transport.request_port_forward("127.0.0.1", 8022)
        for ask in (
            lambda channel: channel.get_pty(),
            lambda channel: channel.request_x11(),
        ):
            with pytest.raises(paramiko.SSHException):
                ask(transport.open_session(timeout=10))
        told = sites.server.machine.run(
            "/usr/sbin/sshd", "-T", "-C", f"user={sites.acme.account},host=a,addr=::1"
        ).stdout
        assert {"allowstreamlocalforwarding no", "permittunnel no", "allowagentforwarding no"} <= set(told.splitlines())
        for command in ("id", "/bin/sh -c id", "scp -f /etc/passwd", "sftp-server"):
            _, out, _ = client.exec_command(command, timeout=10)
            assert not {b"uid=", b"root:"} & set(out.read(100).split())


def test_whether_another_account_is_there_is_not_told(sites: Sites):
    told = set()
    for account in (sites.globex.account, "sftp-nosuch"):
        done = sites.server.sftp(account, sites.acme.password, "ls /", check=False)
        told.add((done.returncode, done.stdout, done.stderr.replace(account, "ACCOUNT")))
    assert len(told) == 1


@pytest.mark.parametrize("name", ["user.csv", "sha256sums", "manifest.json"])
def test_a_link_to_another_sites_file_is_not_followed_by_the_service(sites: Sites, name: str):
    """It may read every file, whosever it is: an account must not make it read for itself."""
    site = Supplied(sites.server, f"thief-{name.partition('.')[0]}", 'settle = "1s"')
    (stolen,) = sites.globex.folder.glob("archive/*/*/*/user.csv.gz")
    secret = stolen.with_name("user.csv")
    secret.write_bytes(set_with(SECRET)["user.csv"])
    with site.paramiko() as session:
        session.symlink("/srv" + str(secret).partition("/srv")[2], f"/inbox/{name}")
    site.lay_out({file: data for file, data in set_with("Eve").items() if file != name})
    site.sftp("put *.csv /inbox")
    site.until(lambda: bool(site.runs()))
    kept = [path for path in site.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert kept
    assert [str(path) for path in kept if SECRET.lower() in path.read_bytes().decode("latin-1").lower()] == []
    assert SECRET.lower() not in site.status().lower()
    secret.unlink()


# -- the accounts of the machine

GROUPS = {"lzsyncd-web": ("lzsyncd", "lzsyncd-in")}
REGID = {"nobody": "nogroup"}
PLACES = (SRV, "/etc/lzsyncd", "/run/lzsyncd", "/run/lzsyncd-web", "/opt/lzsyncd")


def allowed(machine: Machine, account: str, test: str) -> set[str]:
    """What of ours an account may read or write, with the groups that its unit gives it."""
    groups = f"--groups={','.join(GROUPS[account])}" if account in GROUPS else "--init-groups"
    as_account = ("setpriv", f"--reuid={account}", f"--regid={REGID.get(account, account)}", groups)
    found = machine.run(*as_account, "find", *PLACES, "-not", "-type", "l", f"-{test}", check=False).stdout.splitlines()
    return {path for path in found if not path.startswith("/opt/lzsyncd/venv")}


def test_no_file_of_ours_is_open_to_everybody(sites: Sites):
    machine = sites.server.machine
    machine.run("sh", "-c", f"chown root:lzsyncd {CONFIG} && chmod 0640 {CONFIG}")  # the tests have written it anew
    walk = machine.run("find", *PLACES, "/etc/systemd/system", "-not", "-type", "l", "-printf", r"%m %y %p\n").stdout
    modes = [(int(mode, 8), kind, path) for mode, kind, path in (line.split(" ", 2) for line in walk.splitlines())]
    assert len(modes) > 100
    assert [path for mode, _, path in modes if mode & stat.S_IWOTH] == []
    assert [path for mode, _, path in modes if mode & stat.S_ISUID] == []
    ours = [path for mode, kind, path in modes if kind == "f" and mode & stat.S_IROTH]
    assert {path for path in ours if path.startswith((SRV, "/etc/lzsyncd"))} <= {"/etc/lzsyncd/installed.sha256"}


def test_an_account_that_has_nothing_to_do_with_it_sees_folders_and_no_file(sites: Sites):
    machine = sites.server.machine
    assert allowed(machine, "nobody", "writable") == set()
    readable = allowed(machine, "nobody", "readable")
    names = ("", "/acme", "/acme/sftp", "/globex", "/globex/sftp")
    assert {path for path in readable if path.startswith(SRV) and "/thief" not in path} == {
        f"{SRV}{name}" for name in names
    }


def test_the_pages_account_writes_inboxes_requests_and_its_own_and_no_report(sites: Sites):
    machine = sites.server.machine
    may = {path for path in allowed(machine, "lzsyncd-web", "readable") if path.startswith(f"{SRV}/acme/")}
    assert {path.removeprefix(f"{SRV}/acme/").split("/")[0] for path in may} == {"sftp", "zone", "page"}
    assert [path for path in may if path.endswith(".csv.gz")] == []
    writes = allowed(machine, "lzsyncd-web", "writable")
    assert {path for path in writes if not path.startswith(SRV)} <= {"/run/lzsyncd-web"}
    assert not [path for path in writes if "/outbox" in path]
    assert {path.split("/")[4] for path in writes if path.startswith(f"{SRV}/acme")} == {"sftp", "zone", "page"}


def test_the_services_account_changes_neither_its_program_nor_its_configuration_nor_the_pages_accounts(sites: Sites):
    machine = sites.server.machine
    writes = allowed(machine, "lzsyncd", "writable")
    assert not [path for path in writes if path.startswith(("/opt", "/etc"))]
    assert not [path for path in writes if "/page" in path]
    assert {f"{SRV}/acme", f"{SRV}/acme/sftp", SRV} & writes == set()
