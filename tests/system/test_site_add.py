"""`lzsyncd site add` on a real machine: folders, accounts, sshd, and files that come in over SFTP."""

import json
import re
from collections.abc import Callable
from io import BytesIO

import paramiko
import pytest

from tests.system.booted import Machine
from tests.system.installation import LZSYNCD
from tests.system.premises import CONFIG, HOME, SRV, add_site, everything, owner, password_of, put_instead
from tests.system.sshd import Server

SNIPPET = "/etc/ssh/sshd_config.d/lzsyncd.conf"

# LIFECYCLE, "who owns what"
FOLDERS = {
    "": "root:root 755",
    "/acme": "root:root 755",
    "/acme/sftp": "root:root 755",
    "/acme/sftp/inbox": "root:lzsyncd-in 2770",
    "/acme/sftp/outbox": "lzsyncd:lzsyncd-in 2750",
    "/acme/spool": "lzsyncd:lzsyncd 700",
    "/acme/archive": "lzsyncd:lzsyncd 700",
    "/acme/quarantine": "lzsyncd:lzsyncd 700",
    "/acme/page": "lzsyncd-web:lzsyncd-web 700",
    "/acme/zone": "lzsyncd:lzsyncd-web 2770",
    "/acme/zone/zone.db": "lzsyncd:lzsyncd-web 660",
}


def test_adding_a_site_does_what_the_dry_run_shows_and_the_second_time_nothing(served):
    machine = served.machine
    before = everything(machine)
    shown = machine.run(LZSYNCD, "site", "add", "acme", "--dry-run").stdout.splitlines()
    assert everything(machine) == before
    done = machine.run(LZSYNCD, "site", "add", "acme")
    assert [line for line in done.stderr.splitlines() if not line.startswith("Next:")] == shown
    after = everything(machine)
    again = machine.run(LZSYNCD, "site", "add", "acme")
    assert again.stderr.splitlines()[0] == "Nothing is left to do."
    assert "as handed out before" in again.stdout
    assert everything(machine) == after
    machine.run("ls", "/outbox", check=False)
    served.sftp("sftp-acme", password_of(done.stdout), "ls /")


def test_a_site_has_its_folders_with_their_owners(served):
    add_site(served.machine, "acme")
    assert {path: owner(served.machine, SRV + path) for path in FOLDERS} == FOLDERS


def test_folders_with_wrong_owners_are_told_and_mended(served):
    machine = served.machine
    machine.run("sh", "-c", f"mkdir -p {SRV}/acme/sftp/inbox && chmod 0700 {SRV} && chown lzsyncd {SRV}/acme")
    told = machine.run(LZSYNCD, "site", "add", "acme").stderr
    assert f"change folder {SRV} to root:root 0755 (it was root:root 0700)" in told
    assert f"change folder {SRV}/acme to root:root 0755 (it was lzsyncd:root 0755)" in told
    assert {path: owner(machine, SRV + path) for path in FOLDERS} == FOLDERS


def test_a_data_folder_that_sshd_would_refuse_is_told(served):
    served.machine.run("chmod", "g+w", "/srv")
    refused = served.machine.run(LZSYNCD, "site", "add", "acme", check=False)
    assert refused.returncode == 2
    assert "chown root /srv && chmod go-w /srv" in refused.stderr


def test_the_sheet_says_what_the_server_does(served):
    machine = served.machine
    told = machine.run(LZSYNCD, "site", "add", "acme", "--host", "sftp.acme.test", "--sheet", f"{HOME}/acme.txt").stdout
    assert machine.read(f"{HOME}/acme.txt") == told
    assert owner(machine, f"{HOME}/acme.txt") == "root:root 600"
    assert re.search(r"^Host +sftp\.acme\.test$", told, re.MULTILINE)
    assert re.search(r"^Port +22$", told, re.MULTILINE)
    with served.paramiko("sftp-acme", password_of(told)) as client:
        transport = client.get_transport()
        assert transport
        assert transport.get_remote_server_key().fingerprint in told
    assert machine.run(LZSYNCD, "site", "add", "acme", "--sheet", f"{HOME}/acme.txt", check=False).returncode == 2


def test_a_new_password_takes_the_place_of_the_old_one(served):
    old = add_site(served.machine, "acme")
    new = add_site(served.machine, "acme", "--new-password")
    served.sftp("sftp-acme", new, "ls /")
    assert served.sftp("sftp-acme", old, "ls /", check=False).returncode


def test_the_password_is_on_the_sheet_and_nowhere_else(served):
    machine = served.machine
    machine.write("/tmp/before", "")
    password = add_site(machine, "acme")
    machine.run("journalctl", "--sync")
    assert password not in machine.run("journalctl", "--no-pager", "--all").stdout
    changed = f"find /etc /srv /var /run /tmp -type f -newer /tmp/before -exec grep -lsF {password} {{}} +"
    assert machine.run("sh", "-c", changed, check=False).stdout == ""


def test_a_site_is_added_to_the_configuration_and_what_stands_there_stays(served):
    machine = served.machine
    before = machine.read(CONFIG) + '\n[sites.globex]\ntimezone = "Europe/London"  # no line break at the end'
    machine.write(CONFIG, before)
    machine.run("chown", "sync:adm", CONFIG)
    add_site(machine, "acme")
    assert machine.read(CONFIG).startswith(before + "\n")
    assert owner(machine, CONFIG) == "sync:adm 644"
    machine.run(LZSYNCD, "check-config", "--quiet")


def test_a_postgresql_site_has_its_address_in_the_configuration(served):
    machine = served.machine
    address = "postgresql://lzsyncd_acme@db.acme.test/learning"
    add_site(machine, "acme", "--database", address)
    assert f'database = "{address}"' in machine.read(CONFIG)
    assert not (machine.root / "srv/lzsyncd/acme/zone.db").is_symlink()
    other = machine.run(LZSYNCD, "site", "add", "acme", "--database", f"{address}2", check=False)
    assert (other.returncode, "with another database" in other.stderr) == (2, True)


REFUSED = [
    (["Acme"], 2, "A site's name has a-z"),
    (["a" * 28], 2, "can't be an account: at most 32"),
    (["acme", "--account", "nobody"], 2, "There is an account nobody, and it is not that of site acme"),
    (["acme", "--database", "postgresql://u:secret@db/x"], 78, "must not hold a password"),
    (["acme", "--database", "mysql://u@db/x"], 78, "must be SQLite or PostgreSQL"),
    (["elsewhere"], 2, "has its inbox or outbox outside /srv/lzsyncd/elsewhere/sftp"),
    (["globex", "--account", "another"], 2, "Site globex has the account sftp-globex already"),
    (["older"], 2, "/srv/lzsyncd/older/zone.db is in the way: it should be a link to zone/zone.db"),
]


def test_what_can_not_be_is_told_before_anything_is_done(served):
    machine = served.machine
    add_site(machine, "globex")
    machine.write(CONFIG, machine.read(CONFIG) + '[sites.elsewhere]\ninbox = "/srv/inbox"\n[sites.older]\n')
    machine.write(f"{SRV}/older/zone.db", "made by lzsyncd sync")
    before = everything(machine)
    for arguments, code, sentence in REFUSED:
        refused = machine.run(LZSYNCD, "site", "add", *arguments, check=False)
        assert (refused.returncode, sentence in refused.stderr) == (code, True), refused.stderr
        assert everything(machine) == before


def test_an_account_may_have_another_name_and_keeps_it(served):
    password = add_site(served.machine, "a" * 32, "--account", "feed-a")
    served.sftp("feed-a", password, "ls /inbox")
    assert served.machine.run(LZSYNCD, "site", "add", "a" * 32).stderr.startswith("Nothing is left to do.")


def test_another_data_folder_is_named_to_the_unit_by_hand(served):
    machine = served.machine
    machine.write(CONFIG, machine.read(CONFIG).replace('#data_dir = "/srv/lzsyncd"', 'data_dir = "/srv/zones"'))
    assert "ReadWritePaths=/srv/zones" in machine.run(LZSYNCD, "site", "add", "acme").stderr
    assert owner(machine, "/srv/zones/acme/sftp/inbox") == "root:lzsyncd-in 2770"


def test_without_install_no_site_is_added(fresh_machine):
    bare = fresh_machine
    refused = bare.run(LZSYNCD, "site", "add", "acme", check=False)
    assert (refused.returncode, "run lzsyncd install first" in refused.stderr) == (78, True)
    bare.write(CONFIG, "")
    refused = bare.run(LZSYNCD, "site", "add", "acme", check=False)
    assert (refused.returncode, "run lzsyncd install first" in refused.stderr) == (2, True)


# -- sshd's configuration


def break_it(machine: Machine) -> None:
    machine.write("/etc/ssh/sshd_config.d/zz-broken.conf", "NoSuchKeyword yes\n")


def ignore_it(machine: Machine) -> None:
    machine.write("/etc/ssh/sshd_config", machine.read("/etc/ssh/sshd_config").replace("Include", "#Include"))


def let_others_in(machine: Machine) -> None:
    machine.write("/etc/ssh/sshd_config.d/a.conf", "AllowGroups sudo\n")


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        (break_it, 1, f"{SNIPPET} was taken back: "),
        (ignore_it, 2, "sshd does not heed"),
        (let_others_in, 2, "add lzsyncd-in to AllowGroups"),
    ],
)
def test_nobody_gets_a_password_whom_sshd_does_not_shut_in(
    served: Server, change: Callable[[Machine], None], code: int, sentence: str
):
    change(served.machine)
    refused = served.machine.run(LZSYNCD, "site", "add", "acme", check=False)
    assert (refused.returncode, refused.stdout) == (code, "")
    assert sentence in refused.stderr
    assert (served.machine.root / SNIPPET[1:]).exists() == (change is not break_it)
    assert served.machine.run("getent", "shadow", "sftp-acme").stdout.split(":")[1] == "!"
    for file in ("zz-broken.conf", "a.conf"):
        (served.machine.root / "etc/ssh/sshd_config.d" / file).unlink(missing_ok=True)
    served.machine.run("sed", "-i", "s/^#Include/Include/", "/etc/ssh/sshd_config")
    served.sftp("sftp-acme", add_site(served.machine, "acme"), "ls /inbox")


def test_an_account_sees_its_own_folders_and_can_do_nothing_else(served):
    machine = served.machine
    acme, globex = (add_site(machine, name) for name in ("acme", "globex"))
    machine.write(f"{SRV}/globex/sftp/inbox/user.csv", "theirs", 0o666)
    seen = served.sftp("sftp-acme", acme, "ls -a /", "cd ..", "pwd", "ls /..").stdout
    assert "globex" not in seen
    assert {"/inbox", "/outbox"} <= set(seen.split())
    with served.paramiko("sftp-acme", acme) as client, client.open_sftp() as sftp:
        for path in ("/x", "/outbox/x"):
            with pytest.raises(OSError, match="Permission denied"):
                sftp.putfo(BytesIO(b"x"), path)
        for forbidden in (
            lambda: sftp.rmdir("/inbox"),
            lambda: sftp.rename("/inbox", "/x"),
            lambda: sftp.listdir("/srv"),
        ):
            with pytest.raises(OSError, match=r"Permission denied|Failure|No such file"):
                forbidden()
    assert served.sftp("sftp-globex", acme, "ls /", check=False).returncode
    with served.paramiko("sftp-globex", globex) as client:
        transport = client.get_transport()
        assert transport
        with pytest.raises(paramiko.ChannelException):
            transport.open_channel("direct-tcpip", ("127.0.0.1", 22), ("127.0.0.1", 1), timeout=10)
        with pytest.raises(paramiko.SSHException):
            transport.request_port_forward("127.0.0.1", 8022)
        _, out, _ = client.exec_command("id", timeout=10)
        assert "uid=" not in out.read(100).decode(errors="replace")


def test_reports_can_be_read_by_the_account(served):
    password = add_site(served.machine, "acme")
    make = f"umask 0027; mkdir {SRV}/acme/sftp/outbox/RUN; echo done >{SRV}/acme/sftp/outbox/RUN/summary.txt"
    served.machine.run("sh", "-c", make, user="lzsyncd")
    served.sftp("sftp-acme", password, "get /outbox/RUN/summary.txt /tmp/summary.txt")
    assert served.machine.read("/tmp/summary.txt") == "done\n"
    assert served.sftp("sftp-acme", password, "rm /outbox/RUN/summary.txt", check=False).returncode


def test_a_set_can_be_synced_by_the_service_and_its_report_read_by_the_account(served):
    machine = served.machine
    password = add_site(machine, "acme")
    machine.run(LZSYNCD, "sample", "/tmp/export", user="lzsyncd")
    synced = machine.run("sh", "-c", f"umask 0027; {LZSYNCD} sync acme --from /tmp/export", user="lzsyncd")
    assert "The set was applied." in synced.stdout
    (run,) = (machine.root / "srv/lzsyncd/acme/sftp/outbox").iterdir()
    served.sftp("sftp-acme", password, f"get /outbox/{run.name}/summary.txt /tmp/summary.txt")
    assert "applied" in machine.read("/tmp/summary.txt")
    left = machine.run("find", f"{SRV}/acme", "-not", "-user", "lzsyncd", "-printf", "%P %u\\n").stdout.splitlines()
    roots = [" root", "sftp root", "sftp/inbox root", "zone.db root", "zone.lock root"]
    assert sorted(left) == sorted([*roots, "page lzsyncd-web"])


# -- the service's side

PROBE = """
import fcntl, json, os, signal, sqlite3
signal.signal(signal.SIGIO, signal.SIG_IGN)
told, site = {}, "/srv/lzsyncd/acme"
def attempt(name, action):
    try:
        told[name] = action()
    except OSError as error:
        told[name] = error.strerror
def take(name):
    with open(f"{site}/sftp/inbox/{name}", "rb") as stream:
        fcntl.fcntl(stream, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(stream, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        text = stream.read().decode()
    os.rename(f"{site}/sftp/inbox/{name}", f"{site}/spool/{name}")
    return text
def report():
    os.mkdir(f"{site}/sftp/outbox/RUN")
    with open(f"{site}/sftp/outbox/RUN/summary.txt", "w") as stream:
        stream.write("done")
for name in os.listdir(f"{site}/sftp/inbox"):
    attempt(name, lambda: take(name))
attempt("report", report)
attempt("database", lambda: sqlite3.connect(f"{site}/zone.db").execute("PRAGMA journal_mode").fetchone()[0])
attempt("shadow", lambda: open("/etc/shadow").read())
attempt("host key", lambda: os.listdir("/etc/ssh"))
attempt("root", lambda: os.listdir("/root"))
attempt("configuration", lambda: open("/etc/lzsyncd/lzsyncd.toml", "a"))
attempt("a site of its own", lambda: os.mkdir("/srv/lzsyncd/mine"))
attempt("program", lambda: open("/opt/lzsyncd/x", "w"))
attempt("chown", lambda: os.chown(f"{site}/spool", 0, 0))
with open(f"{site}/spool/told.json", "w") as stream:
    json.dump(told, stream)
"""

DENIED, READ_ONLY = "Permission denied", "Read-only file system"


def test_the_service_takes_what_comes_in_and_sees_nothing_else(served):
    machine = served.machine
    password = add_site(machine, "acme")
    for name, mode in {"org.csv": 0o644, "pos.csv": 0o666, "user.csv": 0o600}.items():
        machine.write(f"/tmp/{name}", name, mode)
    served.sftp("sftp-acme", password, "put /tmp/*.csv /inbox")
    with served.paramiko("sftp-acme", password) as client, client.open_sftp() as sftp:
        sftp.putfo(BytesIO(b"mended"), "/inbox/rejected-user.csv")
    inbox = machine.run("sh", "-c", f"cd {SRV}/acme/sftp/inbox && stat -c '%n %U:%G %a' *").stdout.splitlines()
    assert inbox == [
        "org.csv sftp-acme:lzsyncd-in 640",
        "pos.csv sftp-acme:lzsyncd-in 660",
        "rejected-user.csv sftp-acme:lzsyncd-in 660",
        "user.csv sftp-acme:lzsyncd-in 600",
    ]
    machine.write("/opt/probe.py", PROBE)
    put_instead(machine, "oneshot", "/usr/bin/python3 /opt/probe.py")
    machine.run("systemctl", "start", "lzsyncd.service")
    assert json.loads(machine.read(f"{SRV}/acme/spool/told.json")) == {
        "org.csv": "org.csv",
        "pos.csv": "pos.csv",
        "user.csv": "user.csv",
        "rejected-user.csv": "mended",
        "report": None,
        "database": "wal",
        "shadow": "",  # hidden, though CAP_DAC_READ_SEARCH reads everything
        "host key": [],
        "root": [],
        "configuration": DENIED,
        "a site of its own": DENIED,
        "program": READ_ONLY,
        "chown": "Operation not permitted",
    }
    served.sftp("sftp-acme", password, "get /outbox/RUN/summary.txt /tmp/summary.txt")
