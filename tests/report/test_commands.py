"""What people do about mails with commands: try the server, sync, and look at what waits."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from lzsyncd.__main__ import main
from lzsyncd.config import load
from lzsyncd.errors import ExitCode
from lzsyncd.service.instance import Instance
from lzsyncd.zone.database import Database, opened
from tests.conftest import TEMPLATE
from tests.laws.company import BROKEN, DAY_ONE, DAY_TWO
from tests.postgres import ROLE, Cluster
from tests.report.letterbox import HOST, PASSWORD, USER, Letterbox, Papers, served

DOCUMENT = Path(__file__).parents[2] / "docs" / "commands.md"
Command = Callable[..., tuple[int, str, str]]


class Place:
    """A configuration, and sets to sync."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config = folder, folder / "lzsyncd.toml"

    def configure(
        self, port: int, security: str = "none", to: str = '["it@acme.test", "hr@acme.test"]', more: str = ""
    ) -> None:
        self.config.write_text(
            f'[daemon]\ndata_dir = "{self.folder}/data"\nruntime_dir = "{self.folder}/run"\n'
            f'[mail]\nhost = "{HOST}"\nport = {port}\nsecurity = "{security}"\nfrom = "lzsyncd@acme.test"\n{more}'
            f'[sites.acme]\nfeed_expected_every = "1d"\n[sites.acme.notify]\nto = {to}\n'
        )

    def put(self, files: dict[str, bytes]) -> Path:
        folder = self.folder / f"set{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)
        return folder


@pytest.fixture
def place(tmp_path: Path, box: Letterbox) -> Place:
    made = Place(tmp_path)
    made.configure(box.port)
    return made


@pytest.fixture
def lzsyncd(place: Place, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Runs a command in this process; afterwards the log is as it was."""
    root, own = logging.getLogger(), logging.getLogger("lzsyncd")
    before = root.handlers[:], root.level, own.level, logging.raiseExceptions

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["--config", str(place.config), *words])
        return code, *capsys.readouterr()

    yield run
    root.handlers[:], logging.raiseExceptions = before[0], before[3]
    root.setLevel(before[1])
    own.setLevel(before[2])
    structlog.reset_defaults()


# -- mail-test


def test_a_test_mail_goes_out_and_each_step_is_shown(
    place: Place, lzsyncd: Command, trusted: Papers, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    with served(Letterbox(), "starttls", trusted, account=True) as box:
        more = f'username = "{USER}"\npassword = {{file = "{secret}"}}\n'
        place.configure(box.port, "starttls", '["it@acme.test"]', more)
        code, out, _ = lzsyncd("mail-test", "acme")
        assert code == ExitCode.CLEAN
        assert box.subjects == ["[lzsyncd] acme: this is a test"]
        assert "There is nothing to be done." in box.text()
    shown = DOCUMENT.read_text().partition("$ lzsyncd mail-test acme\n")[2].partition("```")[0]
    assert out.replace(HOST, "mail.acme.test").replace(str(box.port), "587") == shown
    assert not (tmp_path / "data").exists(), "neither queue nor database have to do with it"


@pytest.mark.parametrize(
    ("answer", "code"), [("550 5.1.1 Nobody", ExitCode.FAILED), ("451 4.7.1 Later", ExitCode.TRY_AGAIN)]
)
def test_what_the_server_says_of_an_address_is_shown(
    lzsyncd: Command, box: Letterbox, answer: str, code: ExitCode
) -> None:
    box.to_answer = {"hr@acme.test": answer}
    ended, out, _ = lzsyncd("mail-test")
    assert ended == code
    assert f"It refused the mail to hr@acme.test: {answer}." in out
    assert "Sent to it@acme.test." in out


def test_what_keeps_a_test_mail_from_going_out_has_an_exit_code(
    place: Place, lzsyncd: Command, paper: Papers, tmp_path: Path
) -> None:
    with served(Letterbox(), "tls", paper) as box:
        place.configure(box.port, "tls")
        code, _, err = lzsyncd("mail-test")
        assert (code, "not trusted" in err) == (ExitCode.CONFIGURATION, True)
    code, _, err = lzsyncd("mail-test")
    assert (code, "can't be reached" in err) == (ExitCode.TRY_AGAIN, True)
    place.configure(1, to="[]")
    code, _, err = lzsyncd("mail-test")
    assert (code, "nobody is told of this site yet" in err) == (ExitCode.CONFIGURATION, True)
    place.config.write_text(f'[daemon]\ndata_dir = "{tmp_path}"\n[sites.acme]\n')
    code, _, err = lzsyncd("mail-test")
    assert (code, "add [mail]" in err) == (ExitCode.CONFIGURATION, True)


# -- check-config --deep


def test_everything_that_the_configuration_names_is_tried(place: Place, lzsyncd: Command, box: Letterbox) -> None:
    load(place.config).sites["acme"].inbox.mkdir(parents=True)
    code, out, _ = lzsyncd("check-config", "--deep")
    assert code == ExitCode.CLEAN
    tried = re.findall("^well   (.*)$", out, re.MULTILINE)
    assert tried == ["acme: database", "acme: inbox", "acme: outbox", "mail server"]
    assert lzsyncd("check-config", "--deep", "--quiet") == (0, "", "")
    assert (box.taken, box.tried) == ([], 0)
    assert not (place.folder / "data" / "acme" / "zone.db").exists(), "nothing is made"


@pytest.mark.parametrize(("secret", "told"), [("s" * 16, ""), ("s" * 15, "is too short"), ("", "is missing or empty")])
def test_what_opens_the_numbers_of_the_page_is_tried(
    place: Place, lzsyncd: Command, monkeypatch: pytest.MonkeyPatch, secret: str, told: str
) -> None:
    load(place.config).sites["acme"].inbox.mkdir(parents=True)
    monkeypatch.setenv("TOKEN", secret)
    with place.config.open("a") as stream:
        stream.write(f'[metrics]\ntoken = {{env = "TOKEN"}}\ntextfile = "{place.folder}/numbers.prom"\n')
    code, out, _ = lzsyncd("check-config", "--deep")
    assert code == (ExitCode.CONFIGURATION if told else ExitCode.CLEAN)
    assert re.findall("^(?:well  |WRONG ) metrics: ([a-z]+)", out, re.MULTILINE) == ["textfile", "token"]
    assert told in out


@pytest.mark.parametrize(
    ("role", "found"),
    [
        (f'page_role = "{ROLE}"', ["well  "]),
        ('page_role = "nobody"', ["WRONG "]),
        ('page_role = "nobody"\npage_password = {credential = "of_the_page"}', []),
    ],
)
def test_the_page_s_role_is_tried_unless_its_password_is_a_credential_of_the_page_s_service(
    place: Place, lzsyncd: Command, cluster: Cluster, role: str, found: list[str]
) -> None:
    load(place.config).sites["acme"].inbox.mkdir(parents=True)
    url = cluster.create_database("deep", template=TEMPLATE)
    text = place.config.read_text().replace("[sites.acme]", f'[sites.acme]\ndatabase = "{url}"\n{role}', 1)
    place.config.write_text(text)
    code, out, _ = lzsyncd("check-config", "--deep")
    cluster.drop_database("deep")
    assert re.findall("^(well  |WRONG ) acme: database as the page's role", out, re.MULTILINE) == found
    assert code == (ExitCode.TRY_AGAIN if found == ["WRONG "] else ExitCode.CLEAN)


def test_what_does_not_work_is_told_at_once(place: Place, lzsyncd: Command) -> None:
    place.configure(1)
    with place.config.open("a") as stream:
        stream.write('[sites.away]\ndatabase = "postgresql://nobody@127.0.0.1:1/nowhere"\n')
    site = load(place.config).sites["acme"]
    site.inbox.mkdir(parents=True)
    code, out, _ = lzsyncd("check-config", "--deep", "--quiet")
    assert code == ExitCode.CONFIGURATION, "several things"
    wrong = re.findall("^WRONG  (.*?): ", out, re.MULTILINE)
    assert wrong == ["away", "away", "mail server"]
    place.configure(1)
    code, out, _ = lzsyncd("check-config", "--deep", "--quiet")
    assert (code, out.count("WRONG")) == (ExitCode.TRY_AGAIN, 1)


def test_folders_that_may_not_be_used_are_told(place: Place, lzsyncd: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may do everything, so that what the system says of others is put in its place."""

    def refused(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    load(place.config).sites["acme"].inbox.mkdir(parents=True)
    monkeypatch.setattr("lzsyncd.intake.watch.Inbox.entries", refused)
    monkeypatch.setattr("lzsyncd.cli.deep.os.access", lambda *_: False)
    code, out, _ = lzsyncd("check-config", "--deep", "--quiet")
    assert (code, out.count("may not be")) == (ExitCode.NO_PERMISSION, 2)


# -- sync


def test_a_sync_by_hand_sends_its_mails_where_no_daemon_does(place: Place, lzsyncd: Command, box: Letterbox) -> None:
    code, _, _ = lzsyncd("sync", "--from", str(place.put(DAY_TWO)))
    assert (code, len(box.taken)) == (ExitCode.FINDINGS, 1)
    with Instance(place.folder / "run") as daemon:
        daemon.publish({"status": "", "sites": {}})
        assert lzsyncd("sync", "--from", str(place.put(BROKEN)))[0] == ExitCode.REJECTED
    assert len(box.taken) == 1, "the daemon sends that"
    assert lzsyncd("sync", "--from", str(place.put(DAY_ONE)))[0] == ExitCode.CLEAN
    assert [subject.partition(" (run")[0] for subject in box.subjects[1:]] == [
        "[lzsyncd] acme: the set was rejected",
        "[lzsyncd] acme: a good set has come again",
    ]


def test_a_dry_run_tells_nobody(place: Place, lzsyncd: Command, box: Letterbox) -> None:
    assert lzsyncd("sync", "--dry-run", "--from", str(place.put(DAY_TWO)))[0] == ExitCode.FINDINGS
    assert box.taken == []


def test_a_mail_that_does_not_get_through_changes_nothing_of_the_sync(place: Place, lzsyncd: Command) -> None:
    place.configure(1)
    code, out, err = lzsyncd("sync", "--json", "--from", str(place.put(DAY_TWO)))
    assert (code, json.loads(out)["status"]) == (ExitCode.FINDINGS, "applied")
    assert "mail_deferred" in err
    (site,) = json.loads(lzsyncd("status", "--json")[1])["sites"]
    assert (site["mails_waiting"], site["mails_given_up"], site["feed_late"]) == (1, 0, False)
    assert "1 waits to be sent" in lzsyncd("status")[1]


def test_trouble_with_the_queue_changes_nothing_of_the_sync(
    place: Place, lzsyncd: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("secret@acme.test")

    monkeypatch.setattr("lzsyncd.report.mail.mails.due", broken)
    code, _, err = lzsyncd("sync", "--json", "--from", str(place.put(DAY_TWO)))
    assert code == ExitCode.FINDINGS
    assert "Mails wait: RuntimeError." in err
    assert "secret" not in err


# -- status


def test_status_says_that_a_site_is_late_and_that_mails_were_given_up(place: Place, lzsyncd: Command) -> None:
    site = load(place.config).sites["acme"]
    with opened(site):
        pass
    (told,) = json.loads(lzsyncd("status", "--json")[1])["sites"]
    assert (told["feed_late"], told["last_run"]) == (False, None)
    due = datetime.fromisoformat(told["feed_due_at"])
    assert timedelta(hours=26) < due - datetime.now(UTC) <= timedelta(hours=27)
    with closing(Database(site)) as database:
        database.run("UPDATE lzsyncd_migration SET applied = '2026-01-01 00:00:00'")
        values = "'a', 'late', '[]', '', '', '2026-01-02'"
        database.run(
            f"INSERT INTO sync_mail (about, kind, recipients, due_at, created_at, given_up_at) VALUES ({values})"
        )
    out = lzsyncd("status")[1]
    assert "LATE" in out
    assert "no good set came until 2026-01-02T03:" in out
    assert "1 given up: nobody will get them" in out
