"""Mails on their way: real servers that encrypt, refuse, go away and come back."""

import re
import socket
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from psycopg import OperationalError

from lzsyncd.errors import SiteIsBusy
from lzsyncd.ledger.runs import iso
from lzsyncd.report import mail as mail_module
from lzsyncd.report import smtp
from lzsyncd.report.mail import Post
from lzsyncd.zone.advisory import Lock
from lzsyncd.zone.database import Database
from tests.laws.company import BROKEN, DAY_ONE, DAY_TWO
from tests.laws.ground import ask
from tests.report.conftest import HR, IT, Office, secret
from tests.report.letterbox import OK, PASSWORD, USER, Letterbox, Papers, blunt_server, served
from tests.sync.desk import ON_SQLITE, Killed

LATER = "451 4.7.1 Try it@acme.test again later"
NEVER = "550 5.1.1 There is no it@acme.test"


def errors(office: Office) -> str:
    return "\n".join(mail["error"] for mail in office.mails())


def said(office: Office) -> str:
    """What the log was told."""
    return repr(office.log.calls)


# -- what a mail is


def test_a_mail_has_what_people_and_machines_need(office: Office, box: Letterbox) -> None:
    run_id = office.arrive(DAY_TWO)
    office.post()
    (message,) = box.taken
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/csv"]
    assert message["From"] == "lzsyncd <lzsyncd@acme.test>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert re.fullmatch(r"<[0-9a-f]{32}@acme\.test>", message["Message-ID"])
    (attachment,) = message.iter_attachments()
    assert attachment.get_filename() == "rejected-user.csv"
    there = (office.site.outbox / run_id / "rejected-user.csv").read_bytes()
    assert attachment.get_payload(decode=True) == there
    for text in (box.text(), box.text(kind="html")):
        assert "user.email.invalid" in text
        assert "user.csv, line 6" in text
        assert f"lzsyncd errors {run_id}" in text
        assert "user.manager" not in text
    kept = office.mails()[0]
    assert (kept["message_id"], kept["subject"]) == (message["Message-ID"], message["Subject"])
    assert "user.email.invalid" in kept["body"]


def test_a_cause_is_told_once_with_what_is_behind_it(office: Office, box: Letterbox) -> None:
    units = "".join(f"U{number},Unit,GONE\n" for number in range(3)) + "V,Below,U0\nW,Below,V\n"
    office.arrive({**DAY_ONE, "org.csv": DAY_ONE["org.csv"] + units.encode()})
    office.post()
    text = box.text()
    assert "3 × org.parent.unknown (error), and 2 more because of them" in text
    assert "org.csv, line 6, column parentidnumber: 2 more because of it" in text


def test_who_lost_a_manager_to_a_rejected_record_is_told_when_they_get_it(office: Office, box: Letterbox) -> None:
    """Only where somebody did."""
    header = b"idnumber,username,firstname,lastname,email,manageridnumber\n"
    boss, member = b"B,boss,Ann,Lee,no address,\n", b"M,member,Bob,Ray,member@a.test,B\n"
    promise = "get it when they come again, as in the next full export"
    lost, alone = (office.arrive({**DAY_ONE, "user.csv": header + rows}) for rows in (boss + member, boss))
    office.post()
    assert [promise in office.outbox(run) for run in (lost, alone)] == [True, False]
    assert [promise in " ".join(box.text(number).split()) for number in range(2)] == [True, False]


@ON_SQLITE
def test_reject_files_that_are_too_large_stay_where_they_are(office: Office, box: Letterbox) -> None:
    from dataclasses import replace  # noqa: PLC0415

    office.site = replace(office.site, notify=replace(office.site.notify, attach_up_to=10))
    run_id = office.arrive(DAY_TWO)
    office.post()
    assert list(box.taken[0].iter_attachments()) == []
    assert f"in {office.site.outbox / run_id}" in box.text()


@ON_SQLITE
def test_a_server_that_finds_a_mail_too_large_gets_it_without_files(office: Office, box: Letterbox) -> None:
    run_id = office.arrive(DAY_TWO)
    box.data_answer = ["552 5.3.4 Too large", OK]
    office.post()
    assert list(box.taken[0].iter_attachments()) == []
    assert f"in {office.site.outbox / run_id}" in box.text()
    assert office.waiting() == []


# -- how it gets there


@pytest.mark.parametrize("password", [PASSWORD, "a secret with ümlaut"])
@pytest.mark.parametrize("security", ["tls", "starttls"])
@ON_SQLITE
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # it does not see that it is always there
def test_it_is_encrypted_and_signed_in(
    office: Office, trusted: Papers, tmp_path: Path, security: str, password: str
) -> None:
    with served(Letterbox(password=password), security, trusted, account=True) as box:
        office.configure(box, security=security, username=USER, password=secret(tmp_path, password))
        office.arrive(DAY_TWO)
        office.post()
        assert len(box.taken) == 1
    assert office.waiting() == []


@pytest.mark.parametrize("security", ["tls", "starttls"])
@ON_SQLITE
def test_a_certificate_that_nobody_trusts_gets_no_mail(office: Office, paper: Papers, security: str) -> None:
    with served(Letterbox(), security, paper) as box:
        office.configure(box, security=security)
        office.arrive(DAY_TWO)
        office.post()
        assert box.taken == []
    assert "has a certificate that is not trusted" in errors(office)
    assert len(office.waiting()) == 1, "somebody may mend it"


@ON_SQLITE
def test_a_server_that_does_not_encrypt_gets_no_mail(office: Office, box: Letterbox) -> None:
    """Whoever is on the way may have taken STARTTLS out of its answer."""
    for security, complaint in (("starttls", "does not offer STARTTLS"), ("tls", "does not speak TLS there")):
        office.configure(box, security=security)
        office.arrive(BROKEN)
        office.post()
        assert complaint in errors(office)
        office.later(hours=2)
    assert box.taken == []


@ON_SQLITE
def test_a_wrong_password_is_told_and_the_mails_wait(office: Office, trusted: Papers, tmp_path: Path) -> None:
    with served(Letterbox(), "starttls", trusted, account=True) as box:
        office.configure(box, security="starttls", username=USER, password=secret(tmp_path, "wrong"))
        office.arrive(DAY_TWO)
        office.post()
        assert "does not accept username and password (535)" in errors(office)
        assert "wrong" not in said(office)
        office.configure(box, security="starttls", username=USER, password=secret(tmp_path, PASSWORD))
        office.later(minutes=2)
        office.post()
        assert len(box.taken) == 1


@ON_SQLITE
def test_a_password_that_is_not_there_is_told_and_the_mails_wait(
    office: Office, box: Letterbox, tmp_path: Path
) -> None:
    place = secret(tmp_path, PASSWORD)
    Path(place.name).unlink()
    office.configure(box, username=USER, password=place)
    office.arrive(DAY_TWO)
    office.post()
    assert "can't be read" in errors(office)
    assert len(office.waiting()) == 1


# -- what can be tried again


def test_a_server_that_is_down_for_an_hour_gets_each_mail_once(office: Office, box: Letterbox) -> None:
    down = Letterbox()
    with served(down):
        office.configure(down)
    office.arrive(DAY_TWO)
    office.arrive(BROKEN)
    for _ in range(60):
        office.post()
        office.later(minutes=1)
    waiting = office.waiting()
    assert [mail["attempts"] for mail in waiting] == [5, 5], "after 1, 5, 15, 30 and 60 minutes"
    assert said(office).count("can't be reached") == 10
    with served(down):
        office.later(hours=1)
        office.post()
        office.post()
    assert sorted(subject.partition(" (run")[0] for subject in down.subjects) == [
        "[lzsyncd] acme: 1 of 11 records rejected",
        "[lzsyncd] acme: the set was rejected",
    ]
    assert (office.waiting(), box.taken) == ([], [])


def test_a_mail_that_is_refused_for_now_is_sent_later_and_one_refused_for_good_is_not(
    office: Office, box: Letterbox
) -> None:
    box.data_answer = [LATER, OK, "554 5.7.1 Looks like spam", OK]
    office.arrive(DAY_TWO)
    office.post()
    office.post()
    assert (len(box.taken), box.tried) == (0, 1)
    office.later(minutes=2)
    office.post()
    assert (len(box.taken), box.tried) == (1, 2)
    office.arrive(BROKEN)
    office.post()
    office.later(days=1)
    office.post()
    assert (len(box.taken), box.tried) == (1, 3)
    assert office.mails()[-1]["given_up_at"]
    assert "554" in said(office)
    assert "mail_refused" in said(office)
    assert "acme.test" not in said(office), "a server's words repeat addresses"


def test_each_address_gets_a_mail_once_whatever_becomes_of_the_others(office: Office, box: Letterbox) -> None:
    office.configure(box, to=(IT, HR, "nobody@acme.test"))
    box.to_answer = {HR: LATER, "nobody@acme.test": NEVER}
    office.arrive(DAY_TWO)
    office.post()
    assert box.to == [[IT]]
    box.to_answer = {}
    office.later(minutes=2)
    office.post()
    office.later(hours=2)
    office.post()
    assert box.to == [[IT], [HR]]
    assert office.waiting() == []


@ON_SQLITE
def test_a_mail_that_nobody_may_have_is_given_up(office: Office, box: Letterbox) -> None:
    box.to_answer = {IT: NEVER}
    office.arrive(DAY_TWO)
    office.post()
    office.later(days=1)
    office.post()
    assert (office.waiting(), box.tried) == ([], 0)


@ON_SQLITE
def test_a_server_that_hangs_up_between_addresses_is_asked_again_for_all(office: Office, box: Letterbox) -> None:
    office.configure(box, to=(IT, HR))
    box.to_answer = {HR: "421 4.3.2 Shutting down"}
    office.arrive(DAY_TWO)
    office.post()
    box.to_answer = {}
    office.later(minutes=2)
    office.post()
    assert box.to == [[HR, IT]]


def test_a_connection_that_breaks_in_the_middle_is_tried_again_as_the_same_mail(office: Office, box: Letterbox) -> None:
    box.drops = 1
    office.arrive(DAY_TWO)
    office.post()
    assert "broke the connection off" in errors(office)
    office.later(minutes=2)
    office.post()
    assert (len(box.taken), box.tried) == (1, 2)


def test_who_is_killed_before_the_mark_sends_the_same_mail_again(
    office: Office, box: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    office.arrive(DAY_TWO)
    with monkeypatch.context() as patch:
        patch.setattr(mail_module.mails, "sent", killed)
        with pytest.raises(Killed):
            office.post()
    office.post()
    assert len(box.taken) == 1, "another sender may be at it"
    office.later(minutes=2)
    office.post()
    first, second = box.taken
    assert first["Message-ID"] == second["Message-ID"]


def test_two_who_send_at_the_same_time_send_each_mail_once(
    office: Office, box: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.arrive(DAY_TWO)
    real = mail_module.mails.due

    def overtaken(database: Database, now: Any) -> Any:
        found = real(database, now)
        monkeypatch.setattr(mail_module.mails, "due", real)
        with suppress(SiteIsBusy):
            office.post()
        return found

    monkeypatch.setattr(mail_module.mails, "due", overtaken)
    office.post()
    assert len(box.taken) == 1


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_nobody_sends_while_another_host_does(office: Office, box: Letterbox) -> None:
    office.arrive(DAY_TWO)
    with closing(Database(office.site)) as other:
        assert other.is_alone(Lock.POST)
        with pytest.raises(SiteIsBusy, match="Somebody else sends"):
            office.post()
    assert box.taken == []
    office.post()
    assert len(box.taken) == 1


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_who_has_lost_the_session_sends_nothing_and_somebody_else_does(
    office: Office, box: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.arrive(DAY_TWO)
    real = Post._connected

    def stopped(post: Post) -> Any:
        ask(office.site, "SELECT pg_terminate_backend(?)", post.database.connection.info.backend_pid)
        return real(post)

    monkeypatch.setattr(Post, "_connected", stopped)
    with pytest.raises(OperationalError, match="terminat"):
        office.post()
    monkeypatch.undo()
    assert box.taken == []
    office.later(minutes=2)
    office.post()
    assert len(box.taken) == 1


@ON_SQLITE
def test_a_server_that_says_nothing_is_left(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "PATIENCE", 0.2)
    with blunt_server(lambda connection: time.sleep(0.5) or connection.close()) as port:
        office.configure(Letterbox(port))
        office.arrive(DAY_TWO)
        office.post()
    assert "does not answer" in errors(office)


@ON_SQLITE
def test_something_that_is_no_mail_server_is_left(office: Office) -> None:
    def http(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with blunt_server(http) as port:
        office.configure(Letterbox(port))
        office.arrive(DAY_TWO)
        office.post()
    assert re.search("does not work for us|broke the connection off|can't be", errors(office))
    assert len(office.waiting()) == 1


@ON_SQLITE
def test_after_five_days_a_mail_is_given_up(office: Office) -> None:
    with served(Letterbox()) as down:
        office.configure(down)
    office.arrive(DAY_TWO)
    for _ in range(6):
        office.post()
        office.later(days=1)
    assert office.waiting() == []
    assert "given up" in said(office)


@ON_SQLITE
def test_a_mail_that_can_not_be_written_keeps_no_other_from_its_turn(office: Office, box: Letterbox) -> None:
    office.arrive(BROKEN)
    office.arrive(DAY_TWO)
    office.tell("DELETE FROM sync_run WHERE status = 'rejected'")
    office.post()
    assert len(box.taken) == 1
    assert "A mail could not be written." in said(office)
    assert len(office.waiting()) == 1


# -- so many


def test_many_at_once_become_one(office: Office, box: Letterbox) -> None:
    run_id = office.arrive(BROKEN)
    columns = "run_id, kind, recipients, due_at, created_at"
    for number in range(29):
        office.tell(
            f"INSERT INTO sync_mail (about, {columns}) SELECT 'again {number}', {columns} FROM sync_mail LIMIT 1"
        )
    office.post()
    assert run_id in box.text()
    (message,) = box.taken
    assert message["Subject"] == "[lzsyncd] acme: 30 times: a set was rejected, failed or was put aside"
    assert "… and 10 before these." in box.text()
    assert box.text().count("is rejected, file.header.missing") == 20
    assert office.waiting() == []


@ON_SQLITE
def test_a_feed_that_fails_all_day_is_no_hundred_mails(office: Office, box: Letterbox) -> None:
    """Each half hour, for two days: a few on the first, fewer on the second, and none is left out."""
    office.arrive(BROKEN)
    columns = "run_id, kind, recipients, due_at, created_at"
    copied = "run_id, kind, recipients, '{now}', '{now}'"
    sent = []
    for number in range(96):
        office.post()
        office.later(minutes=30)
        sent.append(len(box.taken))
        values = copied.format(now=iso(office.now))
        office.tell(
            f"INSERT INTO sync_mail (about, {columns}) SELECT 'again {number}', {values} FROM sync_mail LIMIT 1"
        )
    assert sent[2] == 3, "the first ones at once"
    assert sent[47] <= 10
    assert sent[-1] - sent[47] <= 7
    told = [int(found[1]) if (found := re.search(r"(\d+) times:", text)) else 1 for text in box.subjects]
    assert sum(told) + len(office.waiting()) == 97
    office.later(hours=5)
    office.post()
    assert office.waiting() == []


def test_after_three_of_a_kind_the_rest_of_an_hour_goes_together(office: Office, box: Letterbox) -> None:
    """Other kinds are not kept waiting by that."""
    for _ in range(5):
        office.arrive(BROKEN)
        office.post()
        office.later(minutes=1)
    assert len(box.taken) == 3
    office.arrive(DAY_TWO)
    office.post()
    assert "come again" in box.subjects[-1]
    office.later(minutes=55)
    office.post()
    assert len(box.taken) == 4, "an hour after the last"
    office.later(minutes=3)
    office.post()
    assert len(box.taken) == 5
    assert box.subjects[-1].startswith("[lzsyncd] acme: 2 times: ")
    office.later(hours=2)
    office.post()
    assert len(box.taken) == 5


@ON_SQLITE
def test_a_database_that_goes_away_while_mails_are_written_is_told_to_the_caller(office: Office) -> None:
    office.arrive(BROKEN)
    with closing(Database(office.site)) as database, pytest.MonkeyPatch.context() as patch:
        patch.setattr(mail_module, "letter_of", _away)
        with pytest.raises(Exception, match="locked"):
            Post(database, office.site, office.clock, office.log).deliver()


def _away(*_: object) -> None:
    import sqlite3  # noqa: PLC0415

    raise sqlite3.OperationalError("database is locked")
