"""Law 3: who is in the file, in whatever shape, is not absent; and where a key could not be read, nobody goes."""

from dataclasses import replace

import pytest
from hypothesis import event, given

from lzsyncd.config import Site
from tests.companies import History, Sheet, histories
from tests.laws.fates import fates
from tests.laws.ground import SYNC, Ground, ask, csv_of, days, look, moderate, sync
from tests.reference.model import Policy, Zone, person, unit

LIMITS = {"org": 100, "pos": 100, "user": 255}
PEOPLE = "idnumber,username,firstname,lastname,email,deleted"


def key_of(element: str, sheet: Sheet, row: tuple[bytes, ...]) -> str | None:
    """The key that a record names, None where it can't be read."""
    if len(row) != len(sheet.columns):
        return None
    try:
        key = row[sheet.columns.index("idnumber")].decode().strip()
    except UnicodeDecodeError:
        return None
    return key if key and key.isprintable() and len(key) <= LIMITS[element] else None


def wants_to_go(sheet: Sheet, row: tuple[bytes, ...]) -> bool:
    return row[sheet.columns.index("deleted")].decode(errors="replace").strip().lower() in ("1", "true", "yes", "y")


def codes(site: Site, run: str) -> list[str]:
    return [row["code"] for row in ask(site, "SELECT code FROM sync_error WHERE run_id = ?", run)]


@given(history=histories(days=2))
@moderate
def test_nobody_goes_whom_the_file_names_or_may_have_named(ground: Ground, history: History) -> None:
    site = ground.fresh(history.site, history.zone)
    for day, files in days(history):
        before = look(site)
        result = sync(site, files)
        after = look(site)
        for element in result.counts:
            sheet = history.days[day][element]
            keys = [key_of(element, sheet, row) for row in sheet.rows]
            went = {before[f"lz_{element}"][i]["idnumber"] for i in fates(before, after, element)["removed"]}
            if None in keys and history.site.policy(element).unreadable == "withhold":
                event("a key could not be read")
                assert went == set()
            asked = {key for key, row in zip(keys, sheet.rows, strict=True) if key and wants_to_go(sheet, row)}
            assert went & set(keys) <= asked
            assert all(keys.count(key) == 1 for key in went & set(keys))


UNREADABLE = {
    "a record with too few cells": b"2,two",
    "a record with too many cells": b"2,two,Two,Lee,two@a.test,,,",
    "a record without a key": b",two,Two,Lee,two@a.test,",
    "a key with a bad byte": b"2\xff,two,Two,Lee,two@a.test,",
    "a key with a NUL": b"2\x00,two,Two,Lee,two@a.test,",
    "a key that is too long": b"2" * 256 + b",two,Two,Lee,two@a.test,",
    "a damaged record without a key": b",two,T\xffo,Lee,two@a.test,",
    "a damaged record with a key that is too long": b"2" * 256 + b",two,T\x00o,Lee,two@a.test,",
    "a stray quote that swallows records": b'2,"two,Two,Lee,two@a.test,\n4,four,Four,Lee,four@a.test,',
}


def three_people() -> Zone:
    names = {"1": "one", "2": "two", "3": "three"}
    rows = {k: person(username=n, email=f"{n}@a.test", firstname=n.title(), lastname="Lee") for k, n in names.items()}
    return Zone(org={"A": unit(fullname="Acme"), "B": unit(fullname="Branch")}, people=rows)


@pytest.mark.parametrize("record", UNREADABLE.values(), ids=UNREADABLE)
def test_where_a_key_could_not_be_read_nobody_goes(ground: Ground, record: bytes) -> None:
    file = csv_of(PEOPLE, "1,one,One,Lee,one@a.test,") + record + b"\n"
    for unreadable, gone, told in (("withhold", set(), 1), ("proceed", {"2", "3"}, 0)):
        policy = replace(SYNC, user=Policy(missing="delete", unreadable=unreadable))
        site = ground.fresh(policy, three_people())
        # the key that could not be read is of a person: units go all the same
        result = sync(site, {"user.csv": file, "org.csv": csv_of("idnumber,fullname", "A,Acme")})
        people = ask(site, "SELECT idnumber FROM lz_user WHERE deleted")
        assert {row["idnumber"] for row in people} == gone
        assert codes(site, result.run).count("set.removals_withheld") == told
        assert result.counts["org"]["removed"] == 1


def test_removals_withheld_are_not_told_where_nobody_would_go(ground: Ground) -> None:
    site = ground.fresh(SYNC, three_people())
    rows = [f"{k},{row['username']},A,Lee,{row['email']}," for k, row in three_people().people.items()]
    result = sync(site, {"user.csv": csv_of(PEOPLE, *rows, ",four,Four,Lee,four@a.test,")})
    assert "set.removals_withheld" not in codes(site, result.run)


WRONG = {
    "a bad address": "2,two,Two,Lee,nobody,",
    "a bad username": "2,no blanks,Two,Lee,two@a.test,",
    "a name that is missing": "2,two,,Lee,two@a.test,",
    "a doubtful deletion": "2,two,Two,Lee,two@a.test,perhaps",
    "a key that is there twice": "2,two,Two,Lee,two@a.test,\n2,two,Two,Lee,two@a.test,",
    "a username that another has": "2,one,Two,Lee,two@a.test,",
    "a control character elsewhere": "2,two,T\x07o,Lee,two@a.test,",
    "a deletion asked for twice": "2,two,Two,Lee,two@a.test,1\n2,two,Two,Lee,two@a.test,1",
}


@pytest.mark.parametrize("record", WRONG.values(), ids=WRONG)
def test_a_rejected_record_is_present(ground: Ground, record: str) -> None:
    site = ground.fresh(replace(SYNC, user=Policy(missing="delete")), three_people())
    result = sync(site, {"user.csv": csv_of(PEOPLE, "1,one,One,Lee,one@a.test,", record)})
    assert result.counts["user"]["rejected"] == 1 + record.count("\n")
    gone = {row["idnumber"] for row in ask(site, "SELECT idnumber FROM lz_user WHERE deleted")}
    assert gone == {"3"}
