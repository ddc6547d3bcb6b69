"""Questions to the ledger, on both databases, with tables filled by hand."""

from dataclasses import replace

import pytest

from lzsyncd.config import Site
from lzsyncd.feed.elements import Element
from lzsyncd.ledger.pages import BLOCK
from lzsyncd.ledger.queries import changes, code_counts, find_runs, findings, history, runs, summary
from lzsyncd.zone.database import opened

RUNS = ("20261121T020000000-aaaaaaaa", "20261122T020000000-bbbbbbbb", "20261122T030000000-bbbbbbbc")


@pytest.fixture
def ledger(database, tmp_path):
    """A site's database with three runs."""
    site = Site.standard("acme", tmp_path)
    with opened(replace(site, database=database(site.folder))) as connection:
        for run in RUNS:
            connection.run(
                'INSERT INTO sync_run (id, kind, "trigger", status, created_at) VALUES (?, ?, ?, ?, ?)',
                (run, "sync", "command", "applied", "2026-11-22T02:00:00.000Z"),
            )
        yield connection


def error(ledger, run, code, severity="error", element="user", line=1, caused_by=None):
    ledger.run(
        "INSERT INTO sync_error (run_id, element, file, line, code, severity, message, caused_by, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (run, element or None, f"{element}.csv" if element else None, line, code, severity, "?", caused_by, "now"),
    )
    ledger.run("DELETE FROM sync_found WHERE run_id = ?", (run,))
    ledger.run(
        "INSERT INTO sync_found (run_id, element, code, severity, number, first_id) "
        "SELECT run_id, element, code, severity, count(*), min(id) FROM sync_error WHERE run_id = ? "
        "GROUP BY 1, 2, 3, 4",
        (run,),
    )


def change(ledger, run, idnumber, before="{}", after="{}", element="user", action="updated"):
    ledger.run(
        "INSERT INTO sync_change (run_id, element, idnumber, action, before, after) VALUES (?, ?, ?, ?, ?, ?)",
        (run, element, idnumber, action, before, after),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (RUNS[0], [RUNS[0]]),
        ("20261121", [RUNS[0]]),
        ("20261122", [RUNS[2], RUNS[1]]),
        ("bbbbbbbb", [RUNS[1]]),
        ("bbbbbbb", []),
        ("%", []),
        ("", [*reversed(RUNS)]),
        ("20261122T020000000-bbbbbbbbb", []),
    ],
)
def test_a_run_is_found_by_its_id_or_by_how_it_begins_or_ends(text, expected, ledger):
    assert find_runs(ledger, text) == expected


def test_runs_come_newest_first(ledger):
    assert [run.run for run in runs(ledger, 2)] == [RUNS[2], RUNS[1]]
    assert len(runs(ledger, 0)) == 3


def test_a_run_that_has_not_ended_has_empty_texts(ledger):
    told = summary(ledger, RUNS[0])
    assert (told.finished_at, told.plan_hash, told.counts, told.findings, told.files) == ("", "", {}, {}, [])


def test_findings_are_chosen_by_whole_parts_of_their_code(ledger):
    for code in ("user.email.invalid", "user.email.missing", "user.username.taken", "key.missing"):
        error(ledger, RUNS[0], code)
    error(ledger, RUNS[1], "user.email.invalid")
    found = {
        code: len(list(findings(ledger, RUNS[0], code=code)))
        for code in ("", "user", "user.email", "user.em", "key.missing")
    }
    assert found == {"": 4, "user": 3, "user.email": 2, "user.em": 0, "key.missing": 1}


def test_a_finding_names_the_place_of_its_cause(ledger):
    error(ledger, RUNS[0], "org.parent.unknown", element="org", line=7)
    (cause,) = findings(ledger, RUNS[0])
    error(ledger, RUNS[0], "user.org.unknown", "warning", line=3, caused_by=cause.id)
    assert [found.because for found in findings(ledger, RUNS[0])] == ["", "org.csv:7"]
    assert [found.code for found in findings(ledger, RUNS[0], element=Element.USER)] == ["user.org.unknown"]


def test_codes_are_counted_the_dearest_first_with_their_first_place(ledger):
    error(ledger, RUNS[0], "set.incomplete", "warning", element="")
    for line in (9, 4, 5):
        error(ledger, RUNS[0], "user.org.unknown", "warning", line=line)
    error(ledger, RUNS[0], "user.org.unknown", "error", line=6)
    told = [(c.code, c.severity, c.number, c.file, c.line) for c in code_counts(ledger, RUNS[0])]
    assert told == [
        ("user.org.unknown", "error", 1, "user.csv", 6),
        ("user.org.unknown", "warning", 3, "user.csv", 9),
        ("set.incomplete", "warning", 1, "", 1),
    ]


def test_changes_are_chosen_by_fields_and_not_by_values_that_look_like_one(ledger):
    change(ledger, RUNS[0], "E1", '{"city":"Oslo"}', '{"city":null,"lang":"no"}')
    change(ledger, RUNS[0], "E2", "{}", r'{"description":"\"city\":"}')
    change(ledger, RUNS[0], "E3", '{"customfield_city":"x"}', "{}")
    change(ledger, RUNS[0], "O1", after='{"city":1}', element="org", action="created")
    assert [c.idnumber for c in changes(ledger, RUNS[0])] == ["E1", "E2", "E3", "O1"]
    first, second = changes(ledger, RUNS[0], field="city")
    assert (first.idnumber, list(first.fields())) == ("E1", [("city", "Oslo", None)])
    assert second.idnumber == "O1"
    assert [c.idnumber for c in changes(ledger, RUNS[0], field="city", element=Element.USER)] == ["E1"]
    assert [c.idnumber for c in changes(ledger, RUNS[0], field="city", action="created")] == ["O1"]
    assert [c.idnumber for c in changes(ledger, RUNS[0], field="city", limit=1)] == ["E1"]


def test_a_history_goes_through_all_runs_oldest_first_and_through_no_other_record(ledger):
    change(ledger, RUNS[0], "E1", action="created")
    change(ledger, RUNS[0], "e1")
    change(ledger, RUNS[0], "E1", element="org")
    change(ledger, RUNS[2], "E1")
    ledger.run("UPDATE sync_run SET status = ? WHERE id = ?", ("undone", RUNS[2]))
    told = [(step.change.run_id, step.change.action, step.status) for step in history(ledger, Element.USER, "E1")]
    assert told == [(RUNS[0], "created", "applied"), (RUNS[2], "updated", "undone")]


def test_a_listing_longer_than_a_page_is_whole_and_in_order(ledger):
    ledger.run(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
        "INSERT INTO sync_error (run_id, line, code, severity, message, created_at) "
        "SELECT ?, i, 'key.missing', 'error', '', '' FROM n",
        (2 * BLOCK + 1, RUNS[0]),
    )
    lines = [found.line for found in findings(ledger, RUNS[0])]
    assert lines == list(range(1, 2 * BLOCK + 2))
    assert len(list(findings(ledger, RUNS[0], limit=BLOCK + 1))) == BLOCK + 1
