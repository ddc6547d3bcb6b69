"""`[[sites.NAME.audiences]]`: unknown fields, operators that do not fit, impossible values and circles have a line."""

import pytest

from lzsyncd.config import ConfigError, parse

FIELDS = """\
[sites.acme.user.customfields.level]
type = "menu"
options = ["junior", "senior"]
[sites.acme.user.customfields.fte]
type = "number"
[sites.acme.user.customfields.skills]
type = "multiselect"
options = ["read"]
"""
LINE = FIELDS.count("\n") + 6


def problems(*audiences: str) -> list[tuple[int, str, str]]:
    """What is wrong with some audiences; fails when nothing is."""
    tables = "".join(f"[[sites.acme.audiences]]\n{audience}\n" for audience in audiences)
    with pytest.raises(ConfigError) as caught:
        parse(f"[sites.acme]\n{FIELDS}{tables}")
    return [tuple(problem) for problem in caught.value.problems]


def asking(*rules: str, name: str = "A") -> str:
    return "\n".join((f'name = "{name}"', "rules = [", *(f"  {rule}," for rule in rules), "]"))


@pytest.mark.parametrize(
    ("rule", "key", "message"),
    [
        ('{ field = "ctiy", is = "x" }', ".field", 'is no field of a person, "ctiy"; did you mean "city"?'),
        ('{ field = "orgidnumber", is = "x" }', ".field", "is no field of a rule; write org"),
        ('{ field = "deleted", is = true }', ".field", "deleted people are in no audience"),
        ('{ field = "customfield_none", is = "x" }', ".field", "is no field of a person"),
        ('{ is = "x" }', "", "needs a field, or is a group: all = […] or any = […]"),
        ('{ field = "city" }', "", "needs one of is, in, not_in, contains, starts_with, ends_with, empty"),
        ('{ field = "city", iss = "x" }', "", 'did you mean "is"?'),
        ('{ field = "city", is = "x", in = ["y"] }', "", "needs one of is, in"),
        ('{ field = "city", is = "x", more = 1 }', ".more", "unknown key; the keys here are field, is"),
        ('{ field = "city", under = "x" }', ".under", "can't be asked of city, which holds a text; ask is, in"),
        ('{ field = "org", starts_with = "x" }', ".starts_with", "which holds a unit or position; ask is, in"),
        ('{ field = "manager", is = "x" }', ".is", "which holds a person; ask reports_to, has_reports, empty"),
        ('{ field = "city", is = 3 }', ".is", "must be text in quotes"),
        ('{ field = "city", contains = "" }', ".contains", "must be text in quotes, and not empty"),
        ('{ field = "city", in = [] }', ".in", "must name one value at least"),
        ('{ field = "city", in = ["x", "x"] }', ".in", "has the same value twice"),
        ('{ field = "country", is = "UK1" }', ".is", "is never the value of this field"),
        ('{ field = "username", is = "a b" }', ".is", "is never the value of this field"),
        (
            '{ field = "customfield_level", is = "senoir" }',
            ".is",
            'never the value of this field; did you mean "senior"?',
        ),
        ('{ field = "customfield_skills", contains = "write" }', ".contains", "is none of the options"),
        ('{ field = "customfield_fte", after = "much" }', ".after", "must be a number of at most 15 digits"),
        ('{ field = "start_date", before = "2026-02-30" }', ".before", "must be a date like 2026-01-31"),
        ('{ field = "start_date", within_last = "36h" }', ".within_last", 'must be whole days, like "90d"'),
        ('{ field = "emailstop", is = "maybe" }', ".is", "must be true or false, without quotes"),
        ('{ field = "manager", has_reports = "yes" }', ".has_reports", "must be true or false, without quotes"),
        ('{ any = [ { all = [ { field = "city", is = "x" } ] } ] }', ".any[0]", "groups nest one level"),
        ("{ any = [] }", ".any", "must have one condition at least"),
    ],
)
def test_a_condition_that_can_not_be_right_is_told_with_its_line(rule: str, key: str, message: str) -> None:
    ((line, found, told),) = problems(asking('{ field = "city", is = "Leeds" }', rule))
    assert (line, found) == (LINE, f"sites.acme.audiences[0].rules[1]{key}")
    assert message in told


def test_a_rule_has_no_more_conditions_than_a_database_can_be_asked() -> None:
    one = '{ field = "city", is = "Leeds" }'
    nested = f"{{ any = [ {', '.join([one] * 101)} ] }}"
    ((_, key, told),) = problems(asking(*[one] * 500), asking(*[one] * 400, nested, name="B"))
    assert key == "sites.acme.audiences[1].rules"
    assert "has 501 conditions, 500 are the most; one condition can name several values" in told


def test_every_mistake_is_told_at_once() -> None:
    found = problems(asking('{ field = "ctiy", is = "x" }', '{ field = "city", is = 3 }'), "match = 'some'\nrules = []")
    assert [key.removeprefix("sites.acme.audiences") for _, key, _ in found] == [
        "[0].rules[0].field",
        "[0].rules[1].is",
        "[1]",
        "[1].match",
        "[1].rules",
    ]


def test_audiences_whose_rules_lead_back_to_themselves_are_refused() -> None:
    names = {"A": "B", "B": "C", "C": "A", "D": "A"}  # D is behind the circle, not in it
    found = problems(*(asking(f'{{ field = "audience", is = "{other}" }}', name=name) for name, other in names.items()))
    assert [key for _, key, _ in found] == [f"sites.acme.audiences[{number}].rules" for number in range(3)]
    assert {told for _, _, told in found} == {"names audiences whose rules lead back to this one"}


def test_an_audience_that_asks_for_itself_is_refused() -> None:
    assert len(problems(asking('{ field = "audience", not_in = ["A"] }'))) == 1


def test_two_audiences_of_one_name_are_refused() -> None:
    twice = asking('{ field = "city", is = "x" }')
    ((_, key, told),) = problems(twice, twice)
    assert (key, told) == ("sites.acme.audiences[1].name", "is the name of another audience, too")
