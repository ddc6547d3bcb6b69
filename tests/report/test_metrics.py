"""Numbers for dashboards: what the file says, how it is written; alerts, dashboard and page know the same names."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from lzsyncd.config import Config, Metrics, Site
from lzsyncd.intake.watch import Watch
from lzsyncd.ledger.glance import glance
from lzsyncd.report.metrics import FAMILIES, Sample, exposition, write_textfile
from lzsyncd.service import gauges
from lzsyncd.service.gauges import Gauges, samples
from lzsyncd.service.sites import Charge
from tests.laws.company import BROKEN, DAY_ONE, DAY_TWO
from tests.report.conftest import Office
from tests.sync.desk import ON_SQLITE

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"\b(?:lzsyncd|node)_[a-z_]+\b")


class Holder:
    """What the daemon holds, as far as numbers are taken from it."""

    def __init__(self, *charges: Charge, textfile: Path | None = None) -> None:
        self.charges = {charge.site.name: charge for charge in charges}
        self.config = Config(metrics=Metrics(textfile))
        self.config_is_good = True
        self.crew = self
        self.workers: dict[str, Any] = {}


@pytest.fixture
def watch() -> Iterator[Watch]:
    made = Watch(lambda *_: None, lambda: None)
    yield made
    made.stop()


def looked(site: Site, watch: Watch) -> Charge:
    charge = Charge(site, watch)
    charge.read_ledger()
    charge.look()
    return charge


def numbers(holder: Holder) -> dict[str, float]:
    text = exposition(samples(holder))  # type: ignore[arg-type]
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_the_numbers_are_those_of_the_ledger_and_the_inbox(office: Office, watch: Watch) -> None:
    office.site = replace(office.site, feed_expected_every=3600.0)
    office.arrive(DAY_ONE)
    office.arrive(DAY_TWO)
    office.put({"notes.txt": b"", ".hidden": b""})
    found = numbers(Holder(looked(office.site, watch)))
    run = office.runs()[-1]
    site = 'site="acme"'
    assert found[f"lzsyncd_site_well{{{site}}}"] == 1
    assert found[f'lzsyncd_last_run_rows{{{site},element="user",outcome="rejected"}}'] == 1
    assert found[f'lzsyncd_last_run_rows{{{site},element="user",outcome="read"}}'] == 5
    assert found[f'lzsyncd_last_run_findings{{{site},code="user.email.invalid"}}'] == 1
    assert found[f'lzsyncd_last_run_status{{{site},status="applied"}}'] == 1
    assert found[f"lzsyncd_last_success_timestamp_seconds{{{site}}}"] == pytest.approx(office.now.timestamp(), abs=60)
    assert found[f"lzsyncd_last_run_duration_seconds{{{site}}}"] > 0
    assert found[f"lzsyncd_mails_waiting{{{site}}}"] == 2
    assert found[f"lzsyncd_inbox_files{{{site}}}"] == 1
    assert 0 <= found[f"lzsyncd_inbox_age_seconds{{{site}}}"] < 600
    due = found[f"lzsyncd_feed_due_timestamp_seconds{{{site}}}"]
    assert due == pytest.approx(office.now.timestamp() + 4 * 3600, abs=60)
    elsewhere = {name for name in FAMILIES if "_remote_" in name} | {"lzsyncd_daemon_running"}  # see those of the page
    assert {name.partition("{")[0] for name in found} == set(FAMILIES) - elsewhere, "each is there"
    office.arrive(BROKEN)
    found = numbers(Holder(looked(office.site, watch)))
    assert f'lzsyncd_last_run_status{{{site},status="applied"}}' not in found
    assert found[f'lzsyncd_last_run_status{{{site},status="rejected"}}'] == 1
    assert run["id"] not in str(found), "a run is no label: each would be a series of its own"


def test_findings_are_counted_once_a_run(office: Office) -> None:
    office.arrive(DAY_TWO)
    before = glance(office.site).figures
    office.tell("DELETE FROM sync_found")
    assert glance(office.site, before).figures == before
    assert glance(office.site).figures.findings == {}


@ON_SQLITE
def test_a_site_whose_database_is_away_has_few_numbers_and_hides_no_other(office: Office, watch: Watch) -> None:
    away = replace(office.site, name="away", database="postgresql://nobody@127.0.0.1:1/nowhere")
    found = numbers(Holder(looked(away, watch), looked(replace(office.site, inbox=Path("/nowhere")), watch)))
    assert found['lzsyncd_site_well{site="away"}'] == 0
    assert not [name for name in found if 'site="away"' in name and "last" in name]
    assert found['lzsyncd_site_well{site="acme"}'] == 0
    assert 'lzsyncd_inbox_files{site="acme"}' not in found
    assert found['lzsyncd_sets_held{site="acme"}'] == 0


def test_labels_are_escaped() -> None:
    text = exposition([Sample("lzsyncd_info", 1, (("version", 'a"b\\c\nd'),))])
    assert text.splitlines()[-1] == r'lzsyncd_info{version="a\"b\\c\nd"} 1'
    assert exposition([]) == ""


# -- the file


def test_the_file_is_whole_and_readable_by_all(tmp_path: Path) -> None:
    path = tmp_path / "lzsyncd.prom"
    before = os.umask(0o077)
    try:
        assert write_textfile(path, "old\n") == ""
        with path.open() as reader:
            assert write_textfile(path, "new\n") == ""
            assert reader.read() == "old\n", "whoever reads has a whole one"
    finally:
        os.umask(before)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new\n", 0o644)
    assert [entry.name for entry in tmp_path.iterdir()] == ["lzsyncd.prom"]


def test_what_is_in_the_way_of_the_file_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from structlog.testing import capture_logs  # noqa: PLC0415

    monkeypatch.setattr(gauges, "EVERY", 0.0)
    folder = tmp_path / "exporter"
    written = Gauges(Holder(textfile=folder / "lzsyncd.prom"))  # type: ignore[arg-type]
    with capture_logs() as told:
        written.write()
        written.write()
        folder.mkdir()
        written.write()
        assert "lzsyncd_info" in (folder / "lzsyncd.prom").read_text()
        (folder / "lzsyncd.prom").unlink()
        (folder / "lzsyncd.prom").mkdir()
        written.write()
    assert [event["event.action"] for event in told] == ["metrics_failed"] * 2
    assert [entry.name for entry in folder.iterdir()] == ["lzsyncd.prom"], "nothing is left behind"


def test_it_is_written_as_often_as_somebody_may_look_and_only_where_it_is_asked_for(tmp_path: Path) -> None:
    holder = Holder(textfile=tmp_path / "lzsyncd.prom")
    written = Gauges(holder)  # type: ignore[arg-type]
    written.write()
    (tmp_path / "lzsyncd.prom").unlink()
    written.write()
    Gauges(Holder()).write()  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


# -- those who know the names


def test_the_alerts_and_the_dashboard_name_metrics_that_there_are() -> None:
    known = set(FAMILIES) | {"node_textfile_mtime_seconds"}
    given = yaml.safe_load((ROOT / "etc" / "monitoring" / "prometheus-rules.yml").read_text())
    rules = [rule for group in given["groups"] for rule in group["rules"]]
    asked = [rule["expr"] for rule in rules]
    board = json.loads((ROOT / "etc" / "monitoring" / "grafana-dashboard.json").read_text())
    shown = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    for rule in rules:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "description"}
    assert len({rule["alert"] for rule in rules}) == len(rules) > 10
    assert len(shown) >= len(board["panels"])
    for expression in [*asked, *shown]:
        named = set(NAME.findall(expression))
        assert named, expression
        assert named <= known, expression


def test_the_page_has_every_metric() -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    assert dict(re.findall(r"^\| `(lzsyncd_\w+)` \| .*? \| (.*) \|$", page, re.MULTILINE)) == FAMILIES
