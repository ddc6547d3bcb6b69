"""Which rules are asked all at once: those that are only met by who has one of a few values."""

import pytest

from lzsyncd.config import parse
from lzsyncd.learning.anchors import anchors_of
from lzsyncd.learning.planned import Planned

CITY, COUNTRY = '{ field = "city", in = ["Leeds", "York"] }', '{ field = "country", is = "GB" }'
BELOW, POS = '{ field = "org", under = "A" }', '{ field = "pos", is = "P" }'
LED, LATE = '{ field = "manager", reports_to = "1" }', '{ field = "start_date", within_last = "9d" }'
ELSEWHERE, OTHER = '{ field = "city", not_in = ["Leeds"] }', '{ field = "audience", is = "B" }'


def planned(rules: str, match: str = "all", *, number: int = 7, broken: str = "") -> Planned:
    text = f'[[sites.acme.audiences]]\nname = "A"\nmatch = "{match}"\nrules = [{rules}]'
    (audience,) = parse(f"[sites.acme]\n{text}").sites["acme"].audiences
    return Planned(number, "A", audience, broken=broken)


@pytest.mark.parametrize(
    ("match", "rules", "columns"),
    [
        ("all", CITY, ["f_city"]),
        ("all", LED, ["manager_id"]),
        ("all", f"{CITY}, {LATE}, {BELOW}", ["org_id"]),  # a link names fewer people than a text
        ("all", f"{LATE}, {COUNTRY}", ["f_country"]),
        ("any", POS, ["pos_id"]),
        ("any", f"{POS}, {CITY}", ["pos_id", "f_city"]),
        ("any", f"{POS}, {{ all = [ {LATE}, {CITY} ] }}", ["pos_id", "f_city"]),
        ("all", f"{LATE}, {{ any = [ {POS}, {BELOW} ] }}", ["pos_id", "org_id"]),
        ("all", f"{{ any = [ {POS}, {LATE} ] }}, {{ any = [ {BELOW}, {CITY} ] }}", ["org_id", "f_city"]),
        ("all", LATE, []),
        ("all", ELSEWHERE, []),
        ("any", f"{POS}, {LATE}", []),  # who started lately has any position
        ("any", f"{POS}, {{ all = [ {LATE}, {ELSEWHERE} ] }}", []),
        ("all", f"{POS}, {OTHER}", []),  # asked after the audience it names
    ],
)
def test_a_rule_is_anchored_where_each_way_it_holds_names_a_value(match: str, rules: str, columns: list[str]) -> None:
    assert [anchor.column for anchor in anchors_of([planned(rules, match)])] == columns


def test_what_else_a_rule_asks_for_goes_with_each_way() -> None:
    found = anchors_of([planned(f"{LATE}, {{ any = [ {POS}, {BELOW} ] }}")])
    rest = [[str(condition) for condition in anchor.rest] for anchor in found]
    assert rest == [["start_date within_last 9d"], ["start_date within_last 9d"]]


def test_a_column_with_few_anchors_is_left_out_with_the_rules_that_need_it() -> None:
    few, many = planned(f"{POS}, {CITY}", "any"), planned(CITY, number=8)
    assert [anchor.column for anchor in anchors_of([few, many], at_least=2)] == ["f_city"]


def test_frozen_audiences_are_not_asked() -> None:
    assert anchors_of([planned(POS, broken="pos P"), Planned(8, "Gone", None)]) == []
