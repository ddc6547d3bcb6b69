"""Law 1: every record read becomes something, once, and the books say what. Judged by the tables alone."""

from dataclasses import replace

from hypothesis import given

from lzsyncd.config import Site
from tests.companies import History, histories
from tests.laws.fates import fates
from tests.laws.ground import SYNC, Ground, Row, ask, csv_of, days, look, moderate, sync
from tests.reference.model import Policy, Zone, person

PEOPLE = "idnumber,username,firstname,lastname,email,city,deleted"


def counts(site: Site, run: str) -> dict[str, Row]:
    return {row["element"]: row for row in ask(site, "SELECT * FROM sync_count WHERE run_id = ?", run)}


def books_balance(count: Row) -> bool:
    named = sum(count[fate] for fate in ("created", "updated", "unchanged", "revived", "rejected"))
    return count["read"] == named + count["removed"] - count["absent"]


def lines_with_errors(site: Site, run: str, element: str) -> set[int]:
    query = "SELECT line FROM sync_error WHERE run_id = ? AND element = ? AND severity = 'error'"
    return {row["line"] for row in ask(site, query, run, element)}


@given(history=histories(days=2))
@moderate
def test_every_record_has_one_fate_and_the_tables_bear_it_out(ground: Ground, history: History) -> None:
    site = ground.fresh(history.site, history.zone)
    for day, files in days(history):
        before = look(site)
        run = sync(site, files).run
        after, books = look(site), counts(site, run)
        (status,) = (row["status"] for row in ask(site, "SELECT status FROM sync_run WHERE id = ?", run))
        assert (status == "rejected") == (not books)
        for element, count in books.items():
            assert books_balance(count)
            assert count["read"] == len(history.days[day][element].rows)
            assert count["rejected"] == len(lines_with_errors(site, run, element))
            seen = {fate: len(ids) for fate, ids in fates(before, after, element).items()}
            assert {fate: count[fate] for fate in seen} == seen


def test_each_fate_is_counted_where_it_belongs(ground: Ground) -> None:
    policy = replace(SYNC, user=Policy(missing="suspend", on_deleted="delete"))
    names = ("stays", "changes", "goes", "comes", "is_not_named")
    zone = Zone(people={n: person(username=n, email=f"{n}@a.test", firstname="A", lastname="L") for n in names})
    zone.people["comes"] |= {"suspended": True, "suspended_by_feed": True}
    site = ground.fresh(policy, zone)
    rows = [f"{n},{n},A,L,{n}@a.test,{'York' if n == 'changes' else ''},{int(n == 'goes')}" for n in names[:4]]
    rows += ["new,new,A,L,new@a.test,,0", "bad,bad,A,L,nobody,,0", "ragged,ragged", "never_was,,,,,,1"]
    run = sync(site, {"user.csv": csv_of(PEOPLE, *rows)}).run
    count = counts(site, run)["user"]
    one_each = dict.fromkeys(("created", "updated", "revived"), 1)
    # a key that could not be read withholds every removal: the two who would have gone stay
    assert one_each.items() <= count.items()
    assert (count["read"], count["rejected"], count["removed"], count["absent"]) == (8, 2, 0, 0)
    run = sync(site, {"user.csv": csv_of(PEOPLE, *rows[:6], rows[7])}).run
    count = counts(site, run)["user"]
    assert (count["read"], count["rejected"], count["removed"], count["absent"]) == (7, 1, 2, 1)
    assert count["unchanged"] == 5
    assert books_balance(count)


def test_what_a_switch_leaves_out_counts_as_unchanged(ground: Ground) -> None:
    zone = Zone(people={"1": person(username="u1", email="u1@a.test", firstname="A", lastname="L")})
    site = ground.fresh(replace(SYNC, user=Policy(create=False, update=False)), zone)
    rows = ("1,u1,Other,L,u1@a.test,,", "2,u2,A,L,u2@a.test,,")
    count = counts(site, sync(site, {"user.csv": csv_of(PEOPLE, *rows)}).run)["user"]
    assert (count["read"], count["unchanged"]) == (2, 2)


def test_a_record_with_three_errors_is_rejected_once(ground: Ground) -> None:
    site = ground.fresh()
    run = sync(site, {"user.csv": csv_of(PEOPLE, "1,no blanks,,L,nobody,,")}).run
    assert counts(site, run)["user"]["rejected"] == 1
    query = "SELECT code FROM sync_error WHERE run_id = ? AND severity = 'error'"
    codes = {row["code"] for row in ask(site, query, run)}
    assert codes == {"user.username.invalid", "value.required", "user.email.invalid"}
