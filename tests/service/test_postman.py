"""The postman: one at a time, only for sites that have something to tell and for whom nobody works."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lzsyncd.config import Config, Mail, Notify, Site
from lzsyncd.errors import ExitCode
from lzsyncd.intake.watch import Watch
from lzsyncd.ledger.glance import Glance
from lzsyncd.service import job, postman
from lzsyncd.service.errand import Errand
from lzsyncd.service.postman import Postman
from lzsyncd.service.sites import Charge
from tests.report.letterbox import HOST, blunt_server
from tests.sync.desk import ON_SQLITE

NOW = datetime.now(UTC)
DUE = "2026-01-01T00:00:00.000Z"


class Stub:
    """Stands for a child process: it works until it is told how it ended."""

    sent: list[str] = []  # noqa: RUF012 all of them

    def __init__(self, errand: Errand) -> None:
        assert errand.post
        self.errand, self.code, self.killed = errand, None, False
        self.sent.append(errand.site.name)

    def ended(self) -> int | None:
        return self.code

    def overdue(self, _now: float) -> bool:
        return self.errand.site.run_timeout < 0

    def kill(self) -> None:
        self.killed, self.code = True, -9


@pytest.fixture
def charges(tmp_path: Path) -> Iterator[dict[str, Charge]]:
    logging.getLogger("lzsyncd").setLevel(logging.CRITICAL)
    watch = Watch(lambda *_: None, lambda: None)
    yield {name: due(name, tmp_path, watch) for name in ("acme", "beta")}
    watch.stop()


def due(name: str, folder: Path, watch: Watch) -> Charge:
    mail = Mail(host=HOST, sender="lzsyncd@acme.test")
    site = replace(Site.standard(name, folder), mail=mail, notify=Notify(("it@acme.test",)))
    made = Charge(site, watch)
    made.seen = Glance(reachable=True, ready=True, since=NOW, mail_at=DUE)
    made.read_ledger = lambda: None  # type: ignore[method-assign]
    return made


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> type[Stub]:
    Stub.sent = []
    monkeypatch.setattr(postman, "Worker", Stub)
    return Stub


def turn(post: Postman, busy: dict[str, Any] | None = None) -> bool:
    return post.go(Config(), NOW, busy or {})


def test_one_goes_at_a_time_and_one_that_fails_has_its_next_turn_later(charges, stubs) -> None:
    post = Postman(charges, pretty=False)
    assert not turn(post)
    assert not turn(post)
    assert stubs.sent == ["acme"]
    post._worker.code = int(ExitCode.TRY_AGAIN)
    assert turn(post), "something is new"
    assert stubs.sent == ["acme", "beta"], "the other one is not kept from its turn"
    post._worker.code = 0
    turn(post)
    assert stubs.sent == ["acme", "beta", "beta"]


def test_a_site_for_which_somebody_works_waits(charges, stubs) -> None:
    turn(Postman(charges, pretty=False), {"acme": object()})
    assert stubs.sent == ["beta"]


def test_a_site_that_is_gone_meanwhile_is_no_trouble(charges, stubs) -> None:
    post = Postman(charges, pretty=False)
    turn(post)
    del charges["acme"]
    post._worker.code = 0
    assert turn(post)
    assert stubs.sent == ["acme", "beta"]


@pytest.mark.usefixtures("stubs")
def test_one_that_does_not_come_back_is_ended(charges) -> None:
    charges["acme"].site = replace(charges["acme"].site, run_timeout=-1.0)
    post = Postman(charges, pretty=False)
    turn(post)
    turn(post)
    assert post._worker.killed
    assert turn(post)
    post.stop()
    assert post._worker.killed


def test_where_no_process_can_be_had_it_is_tried_later(charges, monkeypatch) -> None:
    def none(_errand: Errand) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(postman, "Worker", none)
    post = Postman(charges, pretty=False)
    assert not turn(post)
    post.stop()
    assert set(post._not_before) == {"acme"}


def test_there_is_something_to_tell_when_a_mail_is_due_or_a_silence_is_new(charges) -> None:
    charge = charges["acme"]
    assert charge.has_post(NOW)
    charge.seen = replace(charge.seen, mail_at="2099-01-01T00:00:00.000Z")
    assert not charge.has_post(NOW)
    charge.site = replace(charge.site, feed_expected_every=60.0, feed_grace=0.0)
    assert not charge.has_post(NOW)
    later = NOW + timedelta(minutes=2)
    assert charge.has_post(later)
    told = replace(charge.seen, late_told=charge.silence.about)
    charge.seen, untold = told, charge.seen
    assert not charge.has_post(later)
    charge.seen = untold
    for other in (Notify(("it@acme.test",), ("error",)), Notify()):
        charge.site = replace(charge.site, notify=other)
        assert not charge.has_post(later)


@ON_SQLITE
def test_a_server_that_takes_for_ever_is_left(
    tmp_path: Path, database: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A byte now and then is an answer to the library, and would be for days."""
    import signal  # noqa: PLC0415
    import time  # noqa: PLC0415

    from lzsyncd.ledger import mails  # noqa: PLC0415
    from lzsyncd.ledger.runs import iso  # noqa: PLC0415
    from lzsyncd.zone.database import opened  # noqa: PLC0415

    def drip(connection: Any) -> None:
        try:
            for _ in range(20):
                connection.sendall(b"2")
                time.sleep(0.1)
        except OSError:
            return

    monkeypatch.setattr(job, "POST_TIMEOUT", 0.5)
    before = signal.signal(signal.SIGALRM, job._time_is_up)
    try:
        with blunt_server(drip) as port:
            site = replace(Site.standard("acme", tmp_path), database=database(tmp_path / "acme"))
            mail = Mail(host=HOST, port=port, sender="lzsyncd@acme.test", security="none")
            site = replace(site, mail=mail, notify=Notify(("it@acme.test",)))
            with opened(site) as queue:
                mails.put(queue, "late:2026-01-01T00:00:00.000+00:00", "late", site.notify.to, iso(NOW))
            assert job.run_errand(Errand(site, post=True)) == ExitCode.TRY_AGAIN
    finally:
        signal.signal(signal.SIGALRM, before)
    assert "The mail server takes too long" in capfd.readouterr().out
    with opened(site) as queue:
        assert mails.left(queue) == (1, 0)
