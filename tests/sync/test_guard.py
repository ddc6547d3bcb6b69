"""The guard, without a database: totals and limits in, breaches and sentences out."""

from decimal import Decimal
from typing import Any

import pytest

from lzsyncd.config import Guard, Limit
from lzsyncd.feed.elements import Element
from lzsyncd.sync.guard import Figure, Group, Totals, Unit, judge, largest_groups, sentence

TEN = Limit(Decimal(10))


def totals(standing: int = 100, units: list[Unit] | None = None, **figures: Any) -> Totals:
    found = {Figure(name): count for name, count in figures.items()}
    return Totals(Element.USER, Unit("", standing, found), units or [])


def guards(found: Totals, **limits: Any) -> list[str]:
    return [breach.guard for breach in judge(found, Guard(**limits))]


def test_over_is_strictly_more() -> None:
    assert guards(totals(removed=10)) == []
    assert guards(totals(removed=11)) == ["max_removed"]


def test_every_limit_is_judged_by_itself_in_the_order_of_the_configuration() -> None:
    all_over = dict.fromkeys((str(figure) for figure in Figure), 100)
    assert guards(totals(**all_over)) == [
        "max_removed",
        "max_updated",
        "max_key_changes",
        "max_moved",
        "max_unassigned",
        "max_rejected",
    ]
    assert "max_created" in guards(totals(created=1), max_created=Limit(Decimal(0), is_share=False))
    assert "max_manager_changes" in guards(totals(manager_changes=11), max_manager_changes=TEN)


def test_where_few_stand_nothing_is_judged() -> None:
    assert guards(totals(standing=19, removed=19, rejected=19)) == []
    assert guards(totals(standing=20, removed=20)) == ["max_removed"]
    assert guards(totals(standing=3, removed=3), min_records=3) == ["max_removed"]


def test_a_unit_may_be_over_where_the_whole_is_not() -> None:
    north, small = Unit("North", 40, {Figure.REMOVED: 5}), Unit("Small", 19, {Figure.REMOVED: 19})
    (breach,) = judge(totals(1000, [small, north], removed=24), Guard())
    assert (breach.unit, breach.count, breach.base) == ("North", 5, 40)
    assert sentence(breach) == "5 of 40 people of one unit would go (12.5%); max_removed = 10%"
    assert breach.largest == (Group("Small", 19, 19), Group("North", 5, 40))


def test_of_several_units_the_worst_is_told_once() -> None:
    units = [Unit(name, 100, {Figure.MOVED: count}) for name, count in (("A", 30), ("B", 90), ("C", 26))]
    (breach,) = judge(totals(10_000, units, moved=146), Guard())
    assert (breach.unit, breach.count) == ("B", 90)


def test_a_share_of_something_else_has_its_own_base() -> None:
    found = totals(removed=0, rejected=21)
    found.whole.bases = {Figure.REJECTED: 100}
    (breach,) = judge(found, Guard())
    assert sentence(breach) == "21 of 100 records of user.csv are rejected (21%); max_rejected = 20%"


def test_a_lost_column_is_told_by_name() -> None:
    found = totals()
    found.lost_columns = ("city", "phone1")
    (breach,) = judge(found, Guard())
    assert sentence(breach) == "user.csv has lost city, phone1 (lost_column = true)"
    assert guards(found, lost_column=False) == []


def test_the_ten_largest_groups_are_told() -> None:
    units = [Unit(f"U{number:02}", 100, {Figure.UPDATED: number}) for number in range(15)]
    (breach,) = judge(totals(100, units, updated=105), Guard())
    assert [group.count for group in breach.largest] == list(range(14, 4, -1))
    assert largest_groups(breach).startswith("U14 14 of 100, U13 13 of 100")


@pytest.mark.parametrize(
    ("element", "figure", "words"),
    [
        (Element.ORG, "moved", "50 of 100 units would move, with those below them (50%)"),
        (Element.USER, "moved", "50 of 100 people would move to another unit (50%)"),
        (Element.POS, "removed", "50 of 100 positions would go (50%)"),
        (Element.USER, "key_changes", "50 of 100 people would get another username or e-mail address (50%)"),
    ],
)
def test_a_sentence_says_what_would_happen_to_whom(element: Element, figure: str, words: str) -> None:
    found = Totals(element, Unit("", 100, {Figure(figure): 50}))
    assert sentence(judge(found, Guard())[0]).startswith(words)
