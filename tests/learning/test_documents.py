"""docs/audiences.md says what there is."""

import re
from pathlib import Path

import pytest

from lzsyncd.config import ConfigError, parse
from lzsyncd.config.fields import EXAMPLES, LIMITS, WITH_OPTIONS
from lzsyncd.feed.elements import CUSTOM_PREFIX, Column, Home
from lzsyncd.learning.audiences import FEW
from lzsyncd.learning.rules import OPERATORS, Operator, rule_fields
from tests.test_documents import chapter, code, rows

PAGE = (Path(__file__).parents[2] / "docs" / "audiences.md").read_text(encoding="utf-8")
FIELDS, TYPES, ASKED = (
    rows(f"{table}\n") for table in re.findall(r"(?:^\|.*\n)+", chapter(PAGE, "Conditions"), re.MULTILINE)
)


def test_every_field_is_there_with_what_can_be_asked_of_it() -> None:
    told = {name: code(row[2]) for row in FIELDS for name in code(row[0])}
    assert told == {name: list(OPERATORS[field.kind]) for name, field in rule_fields().items()}


def test_every_type_of_a_custom_field_is_there_with_what_can_be_asked_of_it() -> None:
    told = {name: code(row[1]) for row in TYPES for name in code(row[0])}
    columns = [Column(CUSTOM_PREFIX + kind, kind, 0, str(kind), "", home=Home.CUSTOM) for kind in LIMITS]
    fields = rule_fields(columns)
    assert told == {str(kind): list(OPERATORS[fields[CUSTOM_PREFIX + kind].kind]) for kind in LIMITS}
    assert set(EXAMPLES) | set(WITH_OPTIONS) == set(LIMITS)


def test_every_operator_is_explained() -> None:
    assert [code(row[0])[0] for row in ASKED] == list(Operator)


def test_every_key_of_an_audience_is_there() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("[sites.acme]\n[[sites.acme.audiences]]\n'?' = 1")
    (listed,) = re.findall("unknown key; the keys here are (.*)", str(caught.value))
    assert {code(row[0])[0] for row in rows(chapter(PAGE, "An audience"))} == set(listed.split(", "))


def test_the_example_is_a_configuration() -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    field = '[sites.acme.user.customfields.site]\ntype = "menu"\noptions = ["North"]\n'
    assert parse(field + example).sites["acme"].audiences[0].due == 30 * 86_400


def test_the_number_of_people_is_the_one_of_the_code() -> None:
    assert f"up to\n  {FEW:,} people" in PAGE or f"up to {FEW:,} people" in PAGE
