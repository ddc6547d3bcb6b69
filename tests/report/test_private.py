"""Law 8 where people are told: no value of a file in a subject, a text, a number or the log, however the run ends.

Only what is attached has whole records, and a hold names the units that it is about.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lzsyncd.intake.watch import Watch
from lzsyncd.report.metrics import exposition
from lzsyncd.service.gauges import samples
from tests.laws.bridge import site_of
from tests.laws.full import FULL
from tests.laws.test_law_8_private import SECRETS, sets
from tests.report.conftest import Office, secret
from tests.report.letterbox import Letterbox
from tests.report.test_metrics import Holder, looked
from tests.report.webhook import Webhook, hooked


@pytest.fixture
def watch() -> Iterator[Watch]:
    made = Watch(lambda *_: None, lambda: None)
    yield made
    made.stop()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_nobody_hears_the_birds(tmp_path: Path, database: Callable[[Path], str], box: Letterbox, watch: Watch) -> None:
    site = site_of(FULL, tmp_path, database(tmp_path / "acme"))
    office = Office(replace(site, apply="on-arrival", incomplete="hold"))
    office.configure(box)
    with hooked(Webhook()) as hook:
        office.site = replace(office.site, notify=replace(office.site.notify, chat=secret(tmp_path, hook.plain)))
        said = list(everything_said(office, watch))
    assert len(hook.taken) == len(box.taken)
    said += [json.dumps(hook.taken)]
    assert {mail["kind"] for mail in office.mails()} == {"success", "warning", "error", "held", "recovered"}
    assert office.waiting() == []
    said += [str(message["Subject"]) for message in box.taken]
    said += [box.text(number, kind) for number in range(len(box.taken)) for kind in ("plain", "html")]
    said += [repr(office.log.calls), json.dumps([mail["error"] for mail in office.mails()])]
    attached = [part.get_content() for message in box.taken for part in message.iter_attachments()]
    assert any("canary" in text for text in attached), "the birds were there"
    for text in said:
        assert [word for word in SECRETS if word in text.lower()] == [], text


def everything_said(office: Office, watch: Watch) -> Iterator[str]:
    """Let each kind of set come, and ask for the numbers after each."""
    aviary = sets(office.site)
    for end in (*aviary, "findings"):
        office.arrive(aviary[end][1])
        office.later(hours=2)
        office.post()
        yield exposition(samples(Holder(looked(office.site, watch))))  # type: ignore[arg-type]
