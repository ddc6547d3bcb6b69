"""Law 8 behind the page: whatever fails there, the log has where, and neither log nor answer has a value.

Nor has the log what was asked for: people search for names.
"""

import io
import logging
from collections.abc import Callable, Iterator

import peewee
import pytest
import structlog

from lzsyncd import logs
from lzsyncd.web import api
from lzsyncd.web.access import new_token
from lzsyncd.web.app import FORMS, PAGES
from lzsyncd.web.store import Role, kept
from tests.laws.test_law_8_private import SECRETS, TEXT, wrong_bytes, wrong_value
from tests.sync.desk import ON_SQLITE
from tests.web.conftest import NOW, Page, csrf_of
from tests.web.test_numbers import TOKEN, configure

ASKED = {"text": "canary", "q": "kanarie@leak.example", "before": "canary"}


def refused_by_the_database() -> None:
    raise peewee.DataError(f"invalid input syntax\nDETAIL:  Key (city)=({TEXT})")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that the page's process would log, as talkative as it can be."""
    root, own = logging.getLogger(), logging.getLogger("lzsyncd")
    before = root.handlers[:], root.level, own.level, logging.raiseExceptions
    stream = io.StringIO()
    logs.configure(stream, pretty=False, level="debug")
    yield stream
    root.handlers[:], logging.raiseExceptions = before[0], before[3]
    root.setLevel(before[1])
    own.setLevel(before[2])
    structlog.reset_defaults()


@pytest.mark.parametrize("fault", [wrong_value, wrong_bytes, refused_by_the_database])
@ON_SQLITE
def test_what_fails_behind_an_address_names_no_value(
    page: Page, log: io.StringIO, monkeypatch: pytest.MonkeyPatch, fault: Callable[[], None]
) -> None:
    configure(page)
    client, secret = page.browser("ada"), new_token(page.site)
    with kept(page.site) as store:
        store.add_token("export", Role.ADMIN, secret, NOW)
    csrf = csrf_of(client.get("/sites/acme/account").text)
    for place in ("app._visited", "api._answer", "numbers._samples"):
        monkeypatch.setattr(f"lzsyncd.web.{place}", lambda *_: fault())
    bearer = {"authorization": f"Bearer {secret}"}
    answers = [client.get(f"/sites/acme{path}", params=ASKED) for path in PAGES]
    answers += [client.post(f"/sites/acme{path}", data=ASKED | {"csrf": csrf}) for path in FORMS]
    for operation in api.OPERATIONS:
        answers.append(
            client.request(operation.described.method, operation.described.path, params=ASKED, headers=bearer)
        )
    answers.append(client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"}))
    failed = len(answers)
    assert {answer.status_code for answer in answers} == {500}
    assert log.getvalue().count("page_failed") == failed
    for text in (log.getvalue(), *(answer.text for answer in answers)):
        assert [word for word in SECRETS if word in text.lower()] == [], text


@ON_SQLITE
def test_who_is_turned_away_leaves_no_name_password_or_token_in_the_log(page: Page, log: io.StringIO) -> None:
    configure(page)
    client = page.browser()
    page.sign_in(client, "canary", "kanarie")
    client.get("/metrics", headers={"authorization": "Bearer canary"})
    client.get("/api/runs", params=ASKED, headers={"authorization": "Bearer acme.canary"})
    client.get("/sites/acme/people/canary")
    assert "sign_in_failed" in log.getvalue()
    assert [word for word in SECRETS if word in log.getvalue().lower()] == []
