"""Chats: told of what mails tell, once, each by itself; and what is said to a real server where a chat's would be."""

import io
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog

from lzsyncd import logs
from lzsyncd.__main__ import main
from lzsyncd.config import Config, Guard, Limit, Secret, effective
from lzsyncd.errors import ExitCode
from lzsyncd.intake.watch import Watch
from lzsyncd.report import chat
from lzsyncd.report.chat import Chats, Note, NotTaken
from lzsyncd.report.smtp import NotTrusted
from tests.laws.company import BROKEN, DAY_ONE, DAY_TWO, PEOPLE
from tests.laws.ground import csv_of
from tests.report.conftest import Office, secret
from tests.report.letterbox import Letterbox, served
from tests.report.test_metrics import looked
from tests.report.test_metrics import watch as watch_
from tests.report.webhook import TOKEN, Webhook, hooked
from tests.sync.desk import ON_SQLITE, Killed

watch = watch_


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with hooked(Webhook()) as made:
        yield made


@pytest.fixture
def talking(office: Office, hook: Webhook, tmp_path: Path) -> Office:
    """A site that tells everything by mail and in a chat."""
    chats(office, tmp_path, "# our own", "", hook.plain)
    return office


def chats(office: Office, folder: Path, *addresses: str) -> None:
    place = secret(folder, "\n".join(addresses))
    office.site = replace(office.site, notify=replace(office.site.notify, chat=place))


def by_chat(office: Office) -> list[dict[str, Any]]:
    return [mail for mail in office.mails() if mail["channel"] == "chat"]


# -- what is told


def test_a_chat_hears_what_a_mailbox_does_once_and_in_few_words(talking: Office, hook: Webhook, box: Letterbox) -> None:
    for files in (DAY_ONE, DAY_TWO, BROKEN, DAY_TWO):
        talking.arrive(files)
    run_id = talking.runs()[1]["id"]
    outbox = talking.site.outbox / run_id
    talking.post()
    talking.later(hours=3)
    talking.post()
    assert [mail["kind"] for mail in by_chat(talking)] == ["success", "warning", "error", "recovered"]
    assert sorted(title.removeprefix("lzsyncd, ") for title in hook.titles) == sorted(
        subject.removeprefix("[lzsyncd] ") for subject in box.subjects
    )
    (warned,) = [message for message in hook.taken if "1 of 11 records rejected" in message["title"]]
    assert warned["attachments"] == []
    assert warned["message"].splitlines() == [
        "The set was applied: 1 of 11 records rejected.",
        "• 1 × user.email.invalid (error)",
        f"→ Mend the rejected records (rejected-user.csv, in {outbox}) and put these files into the inbox.",
        f"→ List every finding: lzsyncd errors {run_id}",
    ]
    assert sorted(message["type"] for message in hook.taken) == ["failure", "success", "success", "warning"]
    kept = next(mail for mail in by_chat(talking) if mail["kind"] == "warning")
    assert (kept["body"], kept["sent_at"] is not None) == (warned["message"], True)
    recovered = next(message for message in box.taken if "come again" in message["Subject"])
    assert len(str(recovered["References"]).split()) == 1, "a chat has no part in a thread of mails"


@ON_SQLITE
def test_a_chat_of_the_kind_of_slack_gets_its_own_form(office: Office, hook: Webhook, tmp_path: Path) -> None:
    chats(office, tmp_path, hook.mattermost)
    office.arrive(DAY_TWO)
    office.post()
    assert hook.asked == [f"/hooks/{TOKEN}"]
    assert "user.email.invalid" in hook.taken[0]["text"]


@ON_SQLITE
def test_where_there_is_no_mail_a_chat_is_enough(talking: Office, hook: Webhook) -> None:
    talking.site = replace(talking.site, mail=None, feed_expected_every=3600.0)
    talking.arrive(BROKEN)
    talking.later(days=40)
    talking.post()
    assert [mail["channel"] for mail in talking.mails()] == ["chat", "chat"]
    assert "was rejected" in hook.titles[0]
    assert hook.titles[1:] == ["lzsyncd, acme: no good set has come"]


@ON_SQLITE
def test_a_hold_names_no_unit_in_a_chat(talking: Office, hook: Webhook, box: Letterbox) -> None:
    talking.site = replace(talking.site, guard=Guard(max_removed=Limit(Decimal(1), is_share=False), min_records=1))
    talking.arrive(DAY_ONE)
    talking.arrive({**DAY_ONE, "user.csv": csv_of(PEOPLE, "1,ann,Ann,Lee,ann@a.test,A,D,,London")})
    talking.post()
    assert "2 in South (S)" in box.text()
    (text,) = [text for text in hook.texts if "approve" in text]
    assert "• user, max_removed: 3 of 4; the limit is 1\n" in text
    assert "South" not in text


@ON_SQLITE
def test_many_at_once_become_one_message(talking: Office, hook: Webhook, box: Letterbox) -> None:
    columns = "run_id, kind, channel, recipients, due_at, created_at"
    talking.arrive(BROKEN)
    for number in range(29):
        talking.tell(
            f"INSERT INTO sync_mail (about, {columns}) SELECT 'again {number}', {columns} FROM sync_mail "
            "WHERE channel = 'chat' LIMIT 1"
        )
    talking.post()
    assert hook.titles == ["lzsyncd, acme: 30 times: a set was rejected, failed or was put aside"]
    assert len(box.taken) == 1, "mails have a limit of their own"
    for _ in range(4):
        talking.arrive(BROKEN)
        talking.later(minutes=1)
        talking.post()
    assert len(hook.taken) == 3


def test_a_message_that_is_too_long_is_cut(office: Office) -> None:
    from lzsyncd.report.letter import Letter  # noqa: PLC0415

    note = chat.note_of(office.site, Letter("s", "h" * 5_000), "error")
    assert (len(note.text), note.text[-1]) == (chat.LONGEST, "…")


# -- how it gets there


def test_each_chat_gets_a_message_once_whatever_becomes_of_the_others(
    office: Office, hook: Webhook, box: Letterbox, tmp_path: Path
) -> None:
    with hooked(Webhook(answers=[500, 429, 200])) as other:
        chats(office, tmp_path, other.plain, hook.plain)
        office.arrive(DAY_TWO)
        for _ in range(5):
            office.post()
            office.later(hours=1)
        assert (len(hook.taken), len(other.taken), len(other.asked)) == (1, 1, 3)
    assert len(box.taken) == 1, "no mail waits for a chat"
    assert office.waiting() == []


def test_a_chat_that_is_down_for_an_hour_gets_each_message_once(
    talking: Office, box: Letterbox, tmp_path: Path
) -> None:
    down = Webhook()
    with hooked(down):
        chats(talking, tmp_path, down.plain)
    talking.arrive(DAY_TWO)
    talking.arrive(BROKEN)
    for _ in range(60):
        talking.post()
        talking.later(minutes=1)
    assert [mail["attempts"] for mail in talking.waiting()] == [5, 5]
    assert len(box.taken) == 2
    with hooked(down):
        talking.later(hours=1)
        talking.post()
        talking.post()
    assert len(down.taken) == 2
    assert talking.waiting() == []


@ON_SQLITE
def test_no_message_waits_for_a_mail_server(talking: Office, hook: Webhook) -> None:
    with served(Letterbox()) as down:
        port = down.port
    assert talking.site.mail
    talking.site = replace(talking.site, mail=replace(talking.site.mail, port=port))
    talking.arrive(DAY_TWO)
    talking.post()
    assert len(hook.taken) == 1
    assert [mail["channel"] for mail in talking.waiting()] == ["mail"]


@ON_SQLITE
def test_no_message_waits_for_a_mail_server_that_never_comes_to_an_end(
    talking: Office, hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that sends is ended after ten minutes of that, each time."""

    def ended(*_: object) -> None:
        raise Killed

    talking.arrive(DAY_TWO)
    monkeypatch.setattr("lzsyncd.report.mail.Server.__enter__", ended)
    with pytest.raises(Killed):
        talking.post()
    assert len(hook.taken) == 1


@ON_SQLITE
def test_no_mail_waits_for_a_chat_that_never_comes_to_an_end(
    talking: Office, box: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: object) -> None:
        raise Killed

    monkeypatch.setattr("lzsyncd.report.mail.Chats.send", ended)
    talking.arrive(DAY_TWO)
    for _ in range(2):
        with pytest.raises(Killed):
            talking.post()
        talking.later(minutes=2)
    assert len(box.taken) == 1


@pytest.mark.parametrize("code", [400, 413, 422])
@ON_SQLITE
def test_a_message_that_is_refused_for_good_is_not_tried_again(talking: Office, hook: Webhook, code: int) -> None:
    hook.answers = [code]
    talking.arrive(DAY_TWO)
    for _ in range(2):
        talking.post()
        talking.later(days=1)
    assert len(hook.asked) == 1
    (mail,) = by_chat(talking)
    assert mail["given_up_at"]
    assert mail["error"].startswith(f"chat 1: {code} ")
    assert f"The server said {code}." in repr(talking.log.calls)


@pytest.mark.parametrize("code", [401, 403, 404, 410])
@ON_SQLITE
def test_an_address_that_does_not_hold_any_more_is_mended_by_a_person(
    talking: Office, hook: Webhook, tmp_path: Path, code: int
) -> None:
    hook.answers = [code]
    talking.arrive(DAY_TWO)
    talking.post()
    assert by_chat(talking)[0]["error"].startswith(f"chat 1: {code}")
    with hooked(Webhook()) as new:
        chats(talking, tmp_path, new.plain)
        talking.later(minutes=2)
        talking.post()
        assert len(new.taken) == 1


@ON_SQLITE
def test_after_five_days_a_message_is_given_up(talking: Office, hook: Webhook) -> None:
    hook.answers = [503]
    talking.arrive(DAY_TWO)
    for _ in range(6):
        talking.post()
        talking.later(days=1)
    assert by_chat(talking)[0]["given_up_at"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "can't be read"),
        ("# none yet", "The list of chats has no address."),
        ("", "is missing or empty"),
        (f"nonsense://{TOKEN}", "The address of chat 1 is none that"),
    ],
)
@ON_SQLITE
def test_addresses_that_can_not_be_used_are_told_and_the_messages_wait(
    talking: Office, box: Letterbox, tmp_path: Path, content: str | None, complaint: str
) -> None:
    place = secret(tmp_path, content or "")
    if content is None:
        Path(place.name).unlink()
    talking.arrive(DAY_TWO)
    talking.post()
    (mail,) = talking.waiting()
    assert complaint in mail["error"]
    assert (mail["channel"], len(box.taken)) == ("chat", 1)


@ON_SQLITE
def test_without_the_library_messages_wait(
    talking: Office, hook: Webhook, box: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    talking.arrive(DAY_TWO)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "apprise", None)
        talking.post()
    assert "pip install 'lzsyncd[apprise]'" in by_chat(talking)[0]["error"]
    assert (len(box.taken), hook.asked) == (1, [])


def test_a_service_that_fails_in_its_own_way_keeps_no_other_from_its_turn(hook: Webhook, tmp_path: Path) -> None:
    found = Chats(secret(tmp_path, f"{hook.plain}\n{hook.plain}"))

    class Broken:
        def notify(self, **_: Any) -> bool:
            raise TypeError(TOKEN)

    found._chats["chat 1"] = Broken()
    assert found.send(Note("t", "x", None), found.names) == {"chat 1": NotTaken(0, "failed (TypeError)")}
    assert len(hook.taken) == 1


def test_who_is_not_told_in_this_way_any_more_leaves_nothing_that_waits(
    talking: Office, box: Letterbox, watch: Watch
) -> None:
    """The daemon would look after it again and again, without a pause."""
    talking.arrive(DAY_TWO)
    talking.site = replace(talking.site, notify=replace(talking.site.notify, chat=None))
    talking.later(minutes=1)
    assert looked(talking.site, watch).has_post(talking.now)
    talking.post()
    assert not looked(talking.site, watch).has_post(talking.now)
    assert "names nobody any more" in by_chat(talking)[0]["error"]
    assert len(box.taken) == 1


@ON_SQLITE
def test_a_chat_that_is_taken_out_of_the_secret_is_not_waited_for(
    talking: Office, hook: Webhook, tmp_path: Path
) -> None:
    with hooked(Webhook(answers=[503])) as gone:
        chats(talking, tmp_path, hook.plain, gone.plain)
        talking.arrive(DAY_TWO)
        talking.post()
    chats(talking, tmp_path, hook.plain)
    talking.later(minutes=2)
    talking.post()
    assert (len(hook.taken), talking.waiting()) == (1, [])
    assert not by_chat(talking)[0]["given_up_at"], "those that are left have it"


# -- nobody sees an address


def test_an_address_is_in_no_log_ledger_or_configuration_that_is_shown(
    office: Office, hook: Webhook, tmp_path: Path, own_log: io.StringIO
) -> None:
    """Libraries log addresses when they debug: ours, apprise's and that of HTTP."""
    hook.answers = [404, 200, 500, 200]
    chats(office, tmp_path, hook.plain, hook.mattermost, f"json://127.0.0.1:1/{TOKEN}")
    office.log = logs.logger()
    office.arrive(DAY_TWO)
    for _ in range(3):
        office.post()
        office.later(hours=1)
    with pytest.raises(NotTrusted) as told:
        Chats(secret(tmp_path, f"json://{TOKEN}:{TOKEN}:{TOKEN}/"))
    shown = effective(Config(sites={"acme": office.site}))
    assert 'chat = {file = "' in shown
    said = [own_log.getvalue(), shown, repr(office.mails()), str(told.value), repr(told.value.__context__)]
    assert "mail_deferred" in said[0]
    for text in said:
        assert TOKEN not in text


@pytest.fixture
def own_log() -> Iterator[io.StringIO]:
    """The log, as talkative as it can be."""
    root, own = logging.getLogger(), logging.getLogger("lzsyncd")
    before = root.handlers[:], root.level, own.level, logging.raiseExceptions
    stream = io.StringIO()
    logs.configure(stream, pretty=False, level="debug")
    root.setLevel(logging.DEBUG)
    yield stream
    root.handlers[:], logging.raiseExceptions = before[0], before[3]
    root.setLevel(before[1])
    own.setLevel(before[2])
    structlog.reset_defaults()


# -- commands


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str], own_log: io.StringIO) -> Callable[..., tuple[int, str]]:
    """A site with chats and no mail; returns the exit code, and all that was shown."""

    def run(*words: str, addresses: str) -> tuple[int, str]:
        place = secret(tmp_path, addresses)
        path = tmp_path / "lzsyncd.toml"
        path.write_text(
            f'[daemon]\ndata_dir = "{tmp_path}/data"\n[sites.acme.notify]\nchat = {{file = "{place.name}"}}\n'
        )
        (tmp_path / "data/acme/sftp/inbox").mkdir(parents=True, exist_ok=True)
        capsys.readouterr()
        code = main(["--config", str(path), *words])
        return code, "".join(capsys.readouterr())

    assert own_log
    return run


def test_mail_test_tries_chats_and_says_how_each_went(command: Callable[..., tuple[int, str]], hook: Webhook) -> None:
    addresses = f"{hook.plain}\n{hook.mattermost}"
    assert command("mail-test", addresses=addresses) == (0, "Sent to chat 1 (JSON).\nSent to chat 2 (Mattermost).\n")
    assert hook.taken[0]["title"] == "lzsyncd, acme: this is a test"
    hook.answers = [400, 200]
    code, out = command("mail-test", addresses=addresses)
    assert (code, out.splitlines()[0]) == (ExitCode.FAILED, "Refused by chat 1 (JSON): 400 Bad Request.")
    hook.answers = [503]
    code, out = command("mail-test", addresses=addresses)
    assert (code, out.count("503 Service Unavailable")) == (ExitCode.TRY_AGAIN, 2)
    code, out = command("mail-test", addresses=f"nonsense://{TOKEN}")
    assert (code, TOKEN in out) == (ExitCode.CONFIGURATION, False)


def test_check_config_tries_whether_the_addresses_are_understood(
    command: Callable[..., tuple[int, str]], hook: Webhook
) -> None:
    code, out = command("check-config", "--deep", addresses=hook.plain)
    assert (code, "well   acme: chats" in out, hook.asked) == (0, True, [])
    code, out = command("check-config", "--deep", addresses=f"nonsense://{TOKEN}")
    assert code == ExitCode.CONFIGURATION
    assert "WRONG  acme: chats: The address of chat 1 is none that apprise understands." in out
    assert TOKEN not in out + command("check-config", addresses=hook.plain)[1]


def test_a_secret_is_what_it_is_in_the_configuration() -> None:
    from lzsyncd.config import ConfigError, parse  # noqa: PLC0415

    site = parse('[sites.acme.notify]\nchat = {credential = "chat"}').sites["acme"]
    assert site.notify.chat == Secret("credential", "chat")
    assert site.is_told
    with pytest.raises(ConfigError, match=r"notify\.chat: must not be written here"):
        parse('[sites.acme.notify]\nchat = "slack://token"')
