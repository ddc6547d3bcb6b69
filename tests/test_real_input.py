"""Eleven half-yearly snapshots of a real organisation, one after the other, against the slow reference.

LZSYNCD_REAL_INPUT names the folder that holds them: `DATE/{org,pos,user}.csv`. `pytest -s` shows the counts of each.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from lzsyncd.config import Site as RealSite
from tests.laws.bridge import expected_findings, findings_of, get_zone, normal, run_set, site_of
from tests.laws.ground import ask, look
from tests.reference.engine import sync
from tests.reference.model import CustomField, Limits, Outcome, Policy, Site, Zone

VARIABLE = "LZSYNCD_REAL_INPUT"
SNAPSHOTS = 11
FIELDS = {name: CustomField("text") for name in ("fte", "payfloor", "profession", "level")}
FREE = Limits(max_removed=None, max_updated=None, max_key_changes=None, max_moved=None, max_rejected=None)
ORGANISATION = replace(Site(), user=Policy(customfields=FIELDS), limits=FREE)
"""The defaults, and the four custom fields that the files have; half a year changes more than a guard lets pass."""


class Snapshot(NamedTuple):
    """One delivery, and what must come of it."""

    date: str
    files: dict[str, bytes]
    expected: Outcome


@pytest.fixture
def folders() -> list[Path]:
    """Of the snapshots, the oldest first."""
    named = os.environ.get(VARIABLE)
    if not named:
        if os.environ.get("CI"):
            pytest.fail(f"{VARIABLE} is not set: in CI the real input has to be there.")
        pytest.skip(f"{VARIABLE} is not set: it names the folder that holds the real snapshots.")
    folders = sorted(path for path in Path(named).iterdir() if path.is_dir())
    assert len(folders) == SNAPSHOTS, f"{VARIABLE} names a folder with {len(folders)} snapshots, not {SNAPSHOTS}."
    return folders


def snapshots(folders: list[Path]) -> Iterator[Snapshot]:
    """What the reference makes of the snapshots; it takes some seconds for each."""
    zone = Zone()
    for folder in folders:
        files = {path.name: path.read_bytes() for path in folder.glob("*.csv")}
        expected = sync(zone, files, ORGANISATION)
        yield Snapshot(folder.name, files, expected)
        zone = expected.zone


@pytest.mark.long
def test_every_snapshot_ends_as_in_the_reference(
    folders: list[Path], databases: dict[str, Callable[[Path], str]], tmp_path: Path
) -> None:
    """On both databases in one test: what the reference says is then worked out once."""
    sites = [site_of(ORGANISATION, tmp_path / kind, make(tmp_path / kind / "acme")) for kind, make in databases.items()]
    for snapshot in snapshots(folders):
        for site in sites:
            assert_it_ends_as_in_the_reference(site, snapshot)
    for site in sites:
        again = run_set(site, site.folder / "again", snapshot.files)
        assert again.status == "unchanged"


def assert_it_ends_as_in_the_reference(site: RealSite, snapshot: Snapshot) -> None:
    result = run_set(site, site.folder / snapshot.date, snapshot.files)
    print(f"\n{snapshot.date}: {result.status} {result.counts} {result.findings}", end="")
    assert findings_of(site, result.run) == expected_findings(snapshot.expected.findings)
    assert result.status == snapshot.expected.status
    assert result.counts == snapshot.expected.counts
    got, wanted = get_zone(site), normal(snapshot.expected.zone)
    assert got.org == wanted.org
    assert got.pos == wanted.pos
    assert got.people == wanted.people
    assert got.jobs == wanted.jobs
    assert_the_books_balance(site, result.run)
    assert_paths_follow_from_parents(site)


def assert_the_books_balance(site: RealSite, run: str) -> None:
    for count in ask(site, "SELECT * FROM sync_count WHERE run_id = ?", run):
        named = sum(count[fate] for fate in ("created", "updated", "unchanged", "revived", "rejected"))
        assert count["read"] == named + count["removed"] - count["absent"]
        lines = "SELECT DISTINCT line FROM sync_error WHERE run_id = ? AND element = ? AND severity = 'error'"
        assert len(ask(site, lines, run, count["element"])) == count["rejected"]


def assert_paths_follow_from_parents(site: RealSite) -> None:
    for units in look(site, "lz_org", "lz_pos").values():
        for number, unit in units.items():
            above = units.get(unit["parent_id"], {"path": "/", "depth": 0})
            assert (unit["path"], unit["depth"]) == (f"{above['path']}{number}/", above["depth"] + 1)
