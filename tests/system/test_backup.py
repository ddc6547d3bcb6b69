"""The pages about PostgreSQL and about backups, word for word, on machines with the daemon running."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.laws.company import DAY_ONE, DAY_TWO
from tests.system.booted import Machine
from tests.system.installation import LZSYNCD, REPOSITORY, booted_with
from tests.system.premises import CONFIG, SRV, add_site
from tests.test_documents import blocks, chapter

BACKUP, POSTGRESQL = (
    (REPOSITORY / "docs" / name).read_text(encoding="utf-8") for name in ("backup.md", "postgresql.md")
)
PATIENCE = 120.0  # seconds; a test must not hang
KINDS = ("SQLite", "PostgreSQL")
ASK = "SELECT username, city FROM lz_user WHERE NOT deleted AND NOT suspended ORDER BY username"
CONFIGURED = """settle = "1s"
incomplete = "sync"
[sites.acme.guard]
min_records = 1000
[sites.acme.user]
missing = "delete"
"""


class Kept:
    """A machine on which the daemon runs, with the site `acme` in one kind of database."""

    def __init__(self, machine: Machine, kind: str) -> None:
        self.machine, self.kind = machine, kind
        machine.push(REPOSITORY / "etc", "/opt/clone/etc")
        machine.run("ln", "-sf", LZSYNCD, "/usr/local/bin/lzsyncd")
        machine.run(LZSYNCD, "install")
        if kind == "SQLite":
            add_site(machine, "acme")
            machine.write(CONFIG, machine.read(CONFIG) + CONFIGURED)
        else:
            self._set_up_server()
        machine.run(LZSYNCD, "web-user", "add", "ada", "--role", "admin")
        machine.run("systemctl", "restart", "lzsyncd")

    def _set_up_server(self) -> None:
        """As the page says: first the roles, then the site, its settings and units, and the rest."""
        self.machine.run("systemctl", "start", "postgresql@15-main")
        (settings,) = blocks(POSTGRESQL, "toml")
        roles, site, rest = blocks(POSTGRESQL, "sh")
        self.shell(roles)
        self.shell(site)
        self.machine.write(CONFIG, self.machine.read(CONFIG) + settings + CONFIGURED)
        for unit in blocks(POSTGRESQL, "ini"):
            self.machine.write(re.match("# (.*)", unit)[1], unit)  # type: ignore[index]
        self.shell(rest)

    def shell(self, block: str) -> str:
        return str(self.machine.run("sh", "-ec", f"cd /opt/clone\n{block}").stdout)

    def told(self, *command: str) -> str:
        """What a command says that has what the service has."""
        password = ("-p", "LoadCredential=acme_db:/etc/lzsyncd/credentials/acme_db") if self.kind != "SQLite" else ()
        service = ("systemd-run", "--quiet", "--pipe", "--wait", "-p", "User=lzsyncd", *password)
        return self.machine.run(*service, LZSYNCD, *command, check=False).stdout

    def deliver(self, files: dict[str, bytes]) -> None:
        """A set is applied by a command beside the daemon."""
        for name, data in files.items():
            self.machine.write(f"/opt/set/{name}", data)
        found = json.loads(self.told("sync", "acme", "--json", "--from", "/opt/set"))
        assert found["status"] == "applied"

    def lay_waiting(self, files: dict[str, bytes]) -> None:
        """A set comes into the inbox, is checked, and waits for its slot."""
        for name, data in files.items():
            self.machine.write(f"{SRV}/acme/sftp/inbox/{name}", data)
        self.until("sftp/outbox/*/summary.json", 3)

    def until(self, pattern: str, number: int = 1) -> list[Path]:
        """Wait until there are so many of these files in the site's folder."""
        deadline = time.monotonic() + PATIENCE
        while len(found := list((self.machine.root / SRV.lstrip("/") / "acme").glob(pattern))) < number:
            assert time.monotonic() < deadline, self.told("status")
            time.sleep(0.2)
        return found

    def people(self) -> str:
        """Who there is."""
        if self.kind == "SQLite":
            query = f"import sqlite3; print(sqlite3.connect('{SRV}/acme/zone/zone.db').execute('{ASK}').fetchall())"
            return self.machine.run("/usr/bin/python3", "-c", query).stdout
        return self.machine.run("psql", "-At", "lzsyncd_acme", "-c", ASK, user="postgres").stdout

    def runs(self) -> int:
        return len(json.loads(self.told("runs", "--json")))


@pytest.fixture(params=KINDS)
def kept(request: pytest.FixtureRequest, program: Path) -> Iterator[Kept]:
    with booted_with(program) as machine:
        yield Kept(machine, request.param)


def documented(heading: str) -> str:
    (block,) = blocks(chapter(BACKUP, heading), "sh")
    return block


def test_what_is_backed_up_while_the_daemon_runs_is_there_again_and_what_came_since_can_be_had(kept: Kept):
    kept.deliver(DAY_ONE)
    first = kept.people()
    kept.shell(documented(f"Backup with {kept.kind}"))
    backups = kept.machine.run("sh", "-c", "cd /var/backups/lzsyncd && stat -c '%n %U %a' *").stdout.split("\n")
    assert {line.partition(" ")[2] for line in backups if line} == {"root 600"}
    kept.deliver(DAY_TWO)
    second = kept.people()
    assert first != second
    kept.lay_waiting(DAY_ONE)
    kept.shell(documented(f"Restore with {kept.kind}"))
    (reason,) = kept.until("quarantine/*/REASON.txt")
    assert "The ledger knows nothing of this set." in reason.read_text()
    assert {path.name for path in reason.parent.iterdir()} >= set(DAY_ONE)
    assert kept.machine.run("systemctl", "is-active", "lzsyncd").stdout == "active\n"
    assert (kept.people(), kept.runs()) == (first, 1)
    assert len(list((kept.machine.root / SRV.lstrip("/")).glob("acme/archive/*/*/*"))) == 2
    if kept.kind == "SQLite":
        kept.shell(documented("What came since the backup"))
    else:
        kept.deliver(DAY_TWO)
    assert (kept.people(), kept.runs()) == (second, 2)
    kept.shell(documented("Upgrade"))
    assert "up to date already" in kept.told("migrate", "acme")
    kept.machine.run("systemctl", "start", "lzsyncd-web")
    assert "Traceback" not in kept.machine.run("journalctl", "--no-pager", "-u", "lzsyncd", "-u", "lzsyncd-web").stdout
