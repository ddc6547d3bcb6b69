"""`sync`: what it prints, what it logs, how it ends."""

import json
import shutil

import pytest

from lzsyncd.logs import KEYS, MAX_LINE


def logged(outcome):
    return [json.loads(line) for line in outcome.err.splitlines()]


def test_the_summary_goes_to_standard_output_and_the_log_to_standard_error(before, lzsyncd):
    outcome = lzsyncd("sync", "acme", "--from", "export/")
    assert outcome.code == 10
    assert outcome.out.startswith(f"acme: run {before.run}\nThe set was applied.\n")
    assert f"lzsyncd errors {before.run}" in outcome.out
    assert f"Files to mend: {before.site.outbox / before.run}\n" in outcome.out
    assert [event["event.action"] for event in logged(outcome)] == ["run_started", "run_finished"]


@pytest.mark.usefixtures("before")
def test_json_is_one_object_with_the_counts_and_the_findings_by_code(lzsyncd):
    outcome = lzsyncd("sync", "--from", "export/", "--json")
    told = json.loads(outcome.out)
    assert set(told) == {"run", "status", "set_hash", "plan_hash", "counts", "findings", "learning"}
    assert told["status"] == "applied"
    assert told["counts"]["user"] == {
        "read": 4,
        "created": 0,
        "updated": 2,
        "unchanged": 1,
        "revived": 0,
        "removed": 0,
        "absent": 0,
        "rejected": 1,
        "warnings": 0,
    }
    assert told["findings"] == {"user.email.invalid": 1}
    assert [event["event.action"] for event in logged(outcome)] == ["run_started", "run_finished"]


@pytest.mark.usefixtures("before")
def test_a_dry_run_ends_and_plans_as_the_real_one_and_changes_nothing(lzsyncd):
    dry = lzsyncd("sync", "--from", "export/", "--dry-run", "--json")
    assert lzsyncd("history", "user", "E1001", "--json").out.count("run_id") == 1
    real = lzsyncd("sync", "--from", "export/", "--json")
    assert dry.code == real.code == 10
    told, done = json.loads(dry.out), json.loads(real.out)
    assert told["status"] == "checked"
    assert {name: told[name] for name in told if name not in ("run", "status")} == {
        name: done[name] for name in done if name not in ("run", "status")
    }


@pytest.mark.usefixtures("before")
def test_a_dry_run_says_so(lzsyncd):
    outcome = lzsyncd("sync", "--from", "export/", "--dry-run")
    assert "A dry run" in outcome.out
    assert "Files to mend" not in outcome.out


@pytest.mark.usefixtures("before")
def test_the_same_set_again_says_that_the_site_was_up_to_date(lzsyncd):
    outcome = lzsyncd("sync", "--from", "first/")
    assert outcome.code == 0
    assert "The site was up to date already." in outcome.out
    assert "No findings." in outcome.out


def test_a_rejected_set_ends_with_30_and_says_that_nothing_was_changed(before, lzsyncd):
    (before.folder / "export" / "org.csv").write_bytes(b"")
    outcome = lzsyncd("sync", "--from", "export/")
    assert outcome.code == 30
    assert "The set was rejected. Nothing was changed." in outcome.out
    assert logged(outcome)[-1]["event.outcome"] == "failure"


def test_an_incomplete_set_waits_and_ends_with_20(before, lzsyncd):
    (before.folder / "export" / "pos.csv").unlink()
    outcome = lzsyncd("sync", "--from", "export/")
    assert outcome.code == 20
    assert "The set waits. Nothing was changed. pos.csv is missing." in outcome.out
    assert logged(outcome)[-1]["event.outcome"] == "unknown"


def with_mended_file(place, email):
    header = "idnumber,username,firstname,lastname,email,lz_line"
    record = f"E1003,katherine.johnson,Katherine,Johnson,{email},5"
    (place.folder / "export" / "rejected-user.csv").write_text(f"{header}\n{record}\n")


def test_a_mended_file_is_a_run_of_its_own_after_the_full_set(before, lzsyncd):
    with_mended_file(before, "katherine@acme.test")
    told = json.loads(lzsyncd("sync", "--from", "export/", "--json").out)
    assert told["counts"]["user"]["rejected"] == 1
    (mended,) = told["more"]
    assert mended["counts"]["user"]["created"] == 1


def test_of_two_sets_the_worse_decides_the_exit_code(before, lzsyncd):
    with_mended_file(before, "katherine")
    shutil.copy(before.folder / "first" / "user.csv", before.folder / "export" / "user.csv")
    assert lzsyncd("sync", "--from", "export/").code == 10
    (before.folder / "export" / "org.csv").write_bytes(b"")
    assert lzsyncd("sync", "--from", "export/").code == 30


def test_the_folder_stays_as_it_is(before, lzsyncd):
    files = {path.name: path.read_bytes() for path in (before.folder / "export").iterdir()}
    lzsyncd("sync", "--from", "export/")
    assert {path.name: path.read_bytes() for path in (before.folder / "export").iterdir()} == files


def test_every_log_line_has_known_keys_of_the_right_type_and_fits(before, lzsyncd):
    (before.folder / "broken").mkdir()
    (before.folder / "broken" / "user.csv").write_text("idnumber\n")
    for arguments in (["export/"], ["export/", "--dry-run"], ["broken/"], ["nowhere/"]):
        for line in lzsyncd("sync", "--from", *arguments).err.splitlines():
            if line.startswith("lzsyncd: "):
                continue
            event = json.loads(line)
            assert list(event)[:4] == ["@timestamp", "log.level", "message", "ecs.version"]
            assert {key: type(event[key]) for key in event} == {key: KEYS[key].type for key in event}
            assert len(line.encode()) < MAX_LINE


def test_the_log_counts_what_the_run_did(before, lzsyncd):
    finished = logged(lzsyncd("sync", "--from", "export/"))[-1]
    expected = {
        "site": "acme",
        "run.id": before.run,
        "run.status": "applied",
        "rows.read": 10,
        "rows.rejected": 1,
        "plan.update": 2,
        "plan.create": 0,
        "findings.error": 1,
        "findings.warning": 0,
        "findings.by_code": {"user.email.invalid": 1},
        "exit_code": 10,
        "log.level": "warning",
    }
    assert {key: finished[key] for key in expected} == expected
    assert finished["event.duration"] > 0


CANARY = "Canary7391"


@pytest.mark.parametrize("options", [[], ["--json"], ["--dry-run"]])
def test_no_value_of_a_file_is_in_summary_or_log(options, before, lzsyncd):
    """Law 8. Every cell holds the canary, good or bad, and it is the name of an unknown column."""
    header = "idnumber,username,firstname,lastname,email,orgidnumber,manageridnumber,country,suspended,lang"
    rows = [",".join(f"{CANARY}{row}{column}" for column in range(10)) for row in range(3)]
    twice = f"{CANARY}1,{CANARY.lower()},{CANARY},{CANARY},{CANARY}@acme.test,{CANARY},{CANARY}1,,,"
    text = "\n".join([f"{header},{CANARY}", *(f"{row}," for row in [*rows, twice, twice])])
    (before.folder / "export" / "user.csv").write_text(text)
    outcome = lzsyncd("sync", "--from", "export/", *options)
    assert outcome.code == 10
    printed = outcome.out + outcome.err + lzsyncd("runs").out + lzsyncd("show").out
    assert CANARY.lower() not in printed.lower()
    assert CANARY in lzsyncd("errors").out
