"""What tests of mails are given: a site whose mails go to a real server, and a clock that is moved by hand."""

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import CapturingLogger

from lzsyncd.config import Mail, Notify, Secret, Site
from lzsyncd.report.mail import Post
from lzsyncd.zone.database import Database
from tests.laws.bridge import site_of
from tests.laws.ground import SYNC, ask
from tests.report.letterbox import HOST, Letterbox, Papers, papers, served
from tests.sync.desk import Desk

EVERYTHING = ("error", "warning", "held", "late", "recovered", "success")
IT, HR = "it@acme.test", "hr@acme.test"


@dataclass
class Office(Desk):
    """A site with somebody to be told.

    Attributes:
        log: what the log heard of mails.
    """

    log: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.log = CapturingLogger()

    def configure(self, box: Letterbox, *, to: tuple[str, ...] = (IT,), on: Any = EVERYTHING, **mail: Any) -> None:
        plain = {"host": HOST, "port": box.port, "sender": "lzsyncd <lzsyncd@acme.test>", "security": "none"}
        self.site = replace(self.site, mail=Mail(**(plain | mail)), notify=Notify(to, on))

    def post(self) -> None:
        """Send what is due."""
        with closing(Database(self.site)) as database:
            Post(database, self.site, self.clock, self.log).deliver()

    def mails(self) -> list[dict[str, Any]]:
        return ask(self.site, "SELECT * FROM sync_mail ORDER BY id")

    def about(self) -> list[str]:
        """What is or was to be told, without the runs' ids."""
        return [mail["about"].partition(":")[2] if mail["run_id"] else mail["kind"] for mail in self.mails()]

    def waiting(self) -> list[dict[str, Any]]:
        return [mail for mail in self.mails() if not mail["sent_at"] and not mail["given_up_at"]]


@pytest.fixture
def box() -> Iterator[Letterbox]:
    """A mail server that takes everything."""
    with served(Letterbox()) as server:
        yield server


@pytest.fixture
def office(tmp_path: Path, database: Callable[[Path], str], box: Letterbox) -> Office:
    """A site that applies on arrival and tells everything, on SQLite and on PostgreSQL."""
    logging.getLogger("lzsyncd").setLevel(logging.CRITICAL)
    made = Office(replace(site_of(SYNC, tmp_path, database(tmp_path / "acme")), apply="on-arrival"))
    made.configure(box)
    return made


@pytest.fixture(scope="session")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """Certificates."""
    return papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture
def trusted(paper: Papers, monkeypatch: pytest.MonkeyPatch) -> Papers:
    """Certificates that this machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(paper.authority))
    return paper


def secret(folder: Path, text: str) -> Secret:
    """A secret in a file of its own."""
    path = folder / "secret"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return Secret("file", str(path))


__all__ = ["HR", "IT", "Office", "Site", "secret"]
