"""Everyone is told, on a real machine: a set over SFTP with broken rows is in the journal, at the log's collector, in a
mailbox, in a chat, among the numbers and in the outbox.
"""

import email
import importlib.util
import json
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from lzsyncd.logs import KEYS
from tests.system.booted import Machine
from tests.system.installation import LZSYNCD
from tests.system.premises import CONFIG
from tests.system.sshd import Server
from tests.system.supplied import Supplied

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # seconds
SENTINEL = "Lovelace"
SET = {
    "org.csv": b"idnumber,fullname\nA,Acme\n",
    "pos.csv": b"idnumber,fullname\nD,Driver\n",
    "user.csv": (
        b"idnumber,username,firstname,lastname,email,orgidnumber\n"
        b"1,ada,Ada,Lovelace,ada@a.test,A\n2,alan,Alan,Lovelace,alan-without-at,A\n3,,Grace,Lovelace,grace@a.test,A\n"
    ),
}
NUMBERS = "/var/log/lzsyncd/lzsyncd.prom"
MAILBOX = "/var/mail/box"
GENERAL = f"""
[mail]
host = "127.0.0.1"
port = 2525
security = "none"
from = "lzsyncd@acme.test"
[metrics]
textfile = "{NUMBERS}"
token = {{credential = "metrics"}}
"""
TOKEN = "0123456789abcdef0123456789abcdef"
SCRAPE = """
import sys, urllib.request
request = urllib.request.Request("http://127.0.0.1:8470/metrics", headers={"Authorization": f"Bearer {sys.argv[1]}"})
print(urllib.request.urlopen(request, timeout=30).read().decode(), end="")
"""
NOTIFY = (
    *('settle = "1s"', "[sites.acme.notify]", 'to = ["it@acme.test"]', 'on = ["warning"]'),
    'chat = {credential = "chat"}',
)
ADDRESS = "t0ps3cr3t"
CHAT = """
import http.server

class Chat(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        with open("/var/chat", "ab") as stream:
            stream.write(self.rfile.read(int(self.headers["content-length"])) + b"\\n")
        self.send_response(200)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", 8065), Chat).serve_forever()
"""


def until(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def start_mail_server(machine: Machine) -> None:
    """aiosmtpd with the machine's own Python; what comes lies in a Maildir."""
    for name in ("aiosmtpd", "public", "attr", "attrs"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        machine.push(Path(spec.origin).parent, f"/opt/smtp/{name}")
    server = (
        "/usr/bin/python3",
        "-m",
        "aiosmtpd",
        "-n",
        "-l",
        "127.0.0.1:2525",
        "-c",
        "aiosmtpd.handlers.Mailbox",
        MAILBOX,
    )
    machine.run("systemd-run", "--quiet", "--unit=smtp", "--setenv=PYTHONPATH=/opt/smtp", "--", *server)


def start_chat(machine: Machine) -> None:
    """A server where the webhook of a chat would be; what comes is a line of a file. systemd hands out its address."""
    machine.run("systemd-run", "--quiet", "--unit=chat", "--", "/usr/bin/python3", "-c", CHAT)
    machine.write("/etc/lzsyncd/credentials/chat", f"json://127.0.0.1:8065/{ADDRESS}\n", mode=0o400)
    credential = "[Service]\nLoadCredential=chat:/etc/lzsyncd/credentials/chat\n"
    machine.write("/etc/systemd/system/lzsyncd.service.d/chat.conf", credential)
    machine.run("systemctl", "daemon-reload")


def start_collector(machine: Machine) -> None:
    """rsyslog with the configuration that is shipped, in place of what the distribution logs."""
    if not (machine.root / "usr/sbin/rsyslogd").exists():
        pytest.fail("apt-get install rsyslog")
    shipped = (ROOT / "etc/shippers/rsyslog-journal.conf").read_text(encoding="utf-8")
    machine.write("/etc/rsyslog.conf", "$WorkDirectory /var/spool/rsyslog\n$IncludeConfig /etc/rsyslog.d/*.conf\n")
    machine.write("/etc/rsyslog.d/lzsyncd.conf", shipped)
    checked = machine.run("rsyslogd", "-N1")
    assert "error" not in checked.stderr.lower()
    machine.run("systemctl", "start", "rsyslog.service")


def collected(machine: Machine) -> list[dict[str, Any]]:
    path = machine.root / "var/log/lzsyncd-events.json"
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")] if path.exists() else []


def mails(machine: Machine) -> list[EmailMessage]:
    found = (machine.root / MAILBOX[1:] / "new").glob("*")
    return [email.message_from_bytes(path.read_bytes(), policy=default) for path in found]  # type: ignore[misc]


def start_page(machine: Machine) -> None:
    """The page, which systemd hands the token of the numbers."""
    machine.write("/etc/lzsyncd/credentials/metrics", f"{TOKEN}\n", mode=0o400)
    credential = "[Service]\nLoadCredential=metrics:/etc/lzsyncd/credentials/metrics\n"
    machine.write("/etc/systemd/system/lzsyncd-web.service.d/metrics.conf", credential)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "lzsyncd-web.service")


def of_runs(text: str) -> set[str]:
    """What is told of runs and queues, which no moment changes."""
    return {line for line in text.splitlines() if line.startswith(("lzsyncd_last_", "lzsyncd_sets_", "lzsyncd_mails_"))}


def same_as_file(text: str, file: Path) -> str:
    """The text, where the file has the same numbers."""
    return text if of_runs(text) == of_runs(file.read_text()) else ""


def test_a_set_with_broken_rows_is_told_to_everyone_who_wants_to_know(served: Server) -> None:
    machine = served.machine
    start_mail_server(machine)
    start_chat(machine)
    start_collector(machine)
    machine.write(CONFIG, machine.read(CONFIG) + GENERAL)
    machine.run("chmod", "644", CONFIG)
    machine.run("systemctl", "start", "lzsyncd.service")
    site = Supplied(served, "acme", *NOTIFY)
    site.deliver(SET)
    (summary,) = site.ends("applied")
    run = summary["run"]

    with site.paramiko() as session:  # the customer finds what to mend
        rejects = session.open(f"/outbox/{run}/rejected-user.csv").read().decode()
    assert "alan-without-at" in rejects
    assert "user.email.invalid" in rejects

    (mail,) = until(lambda: mails(machine))
    assert mail["Subject"] == f"[lzsyncd] acme: 2 of 5 records rejected (run {run[-8:]})"
    assert [part.get_filename() for part in mail.iter_attachments()] == ["rejected-user.csv"]

    chat = machine.root / "var/chat"
    (message,) = until(lambda: chat.exists() and [json.loads(line) for line in chat.read_text().splitlines()])
    assert message["title"] == f"lzsyncd, acme: 2 of 5 records rejected (run {run[-8:]})"
    assert f"lzsyncd errors {run}" in message["message"]

    counted = 'lzsyncd_last_run_findings{site="acme",code="user.email.invalid"} 1'
    numbers = machine.root / NUMBERS[1:]
    until(lambda: numbers.exists() and counted in numbers.read_text())
    start_page(machine)
    scraped = until(lambda: same_as_file(machine.run("/usr/bin/python3", "-c", SCRAPE, TOKEN).stdout, numbers))
    assert counted in scraped
    assert "lzsyncd_daemon_running 1" in scraped
    assert 'lzsyncd_site_well{site="acme"} 1' in scraped, "the page may look into the inbox"
    assert "401" in machine.run("/usr/bin/python3", "-c", SCRAPE, "guessed", check=False).stderr

    (finished,) = until(lambda: [e for e in collected(machine) if e.get("event.action") == "run_finished"])
    assert (finished["site"], finished["run.id"], finished["run.status"]) == ("acme", run, "applied")
    assert finished["findings.by_code"]["user.email.invalid"] == 1
    until(lambda: [e.get("event.action") for e in collected(machine)].count("mail_sent") == 2)
    for event in collected(machine):
        assert all(type(value) is KEYS[key].type for key, value in event.items())
    assert not (machine.root / "var/log/lzsyncd-unparsed.log").exists()

    read = machine.run(LZSYNCD, "logs", "--json", f"--run={run}").stdout.splitlines()
    assert finished in [json.loads(line) for line in read]
    assert "The run has finished." in machine.run(LZSYNCD, "logs", "--site", "acme").stdout
    about = [json.dumps(collected(machine)), numbers.read_text(), machine.run(LZSYNCD, "status").stdout]
    about += [scraped, machine.run("journalctl", "--output=cat", "--unit=lzsyncd-web.service").stdout]
    about += [str(mail.items()), machine.show("lzsyncd.service", "StatusText"), *read]
    about += [chat.read_text()]
    for word in (SENTINEL, "alan-without-at", ADDRESS):
        assert not [text for text in about if word in text]
