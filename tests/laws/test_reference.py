"""The engine does what the slow, obvious reference does: same counts, findings and tables, day after day."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, event, given, settings

from tests.companies import History, histories, limits, note_events
from tests.laws.bridge import expected_findings, findings_of, get_zone, normal, put_zone, run_set, site_of
from tests.reference.engine import sync
from tests.reference.model import Limits

_numbers = itertools.count()


@given(history=histories())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_the_engine_agrees_with_the_reference(
    tmp_path: Path, database: Callable[[Path], str], history: History
) -> None:
    folder = tmp_path / str(next(_numbers))
    agree(history, folder, database(folder / "acme"))


@given(history=histories(days=1), guard=limits())
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_it_agrees_on_what_is_over_a_limit(
    tmp_path: Path, database: Callable[[Path], str], history: History, guard: Limits
) -> None:
    folder = tmp_path / str(next(_numbers))
    agree(replace(history, site=replace(history.site, limits=guard)), folder, database(folder / "acme"))


def agree(history: History, folder: Path, url: str) -> None:
    """Day after day both come to the same."""
    site = site_of(history.site, folder, url)
    zone = history.zone
    put_zone(site, zone)
    for day, files in enumerate(history.sets):
        if not files:
            continue
        expected = sync(zone, files, history.site)
        note_events(zone, expected)
        if any(finding.code == "guard.exceeded" for finding in expected.findings):
            event(f"over a limit, {expected.status}")
        result = run_set(site, folder / f"day{day}", files)
        assert findings_of(site, result.run) == expected_findings(expected.findings)
        assert result.status == expected.status
        assert result.counts == expected.counts
        got, wanted = get_zone(site), normal(expected.zone)
        assert got.org == wanted.org
        assert got.pos == wanted.pos
        assert got.people == wanted.people
        assert got.jobs == wanted.jobs
        zone = expected.zone
