"""What becomes of one cell: its normal form, or what is wrong with it (CONTRACT section 3)."""

from decimal import Decimal, InvalidOperation

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzsyncd.checks.catalogue import MAX_VALUE, Finding
from lzsyncd.checks.values import DROPPED, fold, normalise
from lzsyncd.feed.elements import Column, Element, Kind
from tests.checks.known_cells import BAD, GOOD, ORG, TIDIED, USER, code_of, custom, rules


def shown(parameter: object) -> str:
    return parameter.name if isinstance(parameter, Column) else ascii(parameter).strip("'")[:30]


@pytest.mark.parametrize(("column", "text", "normal"), GOOD, ids=shown)
def test_a_good_cell_comes_to_its_normal_form_without_a_word(column: Column, text: str, normal: str) -> None:
    assert normalise(column, text, rules()) == (normal, None)


@pytest.mark.parametrize(("column", "text", "normal"), TIDIED, ids=shown)
def test_a_cell_that_only_needed_tidying_is_kept_and_told(column: Column, text: str, normal: str) -> None:
    expected = Finding("value.normalised", Element.USER, column=column.name, value=text, detail=normal)
    assert normalise(column, text, rules()) == (normal, expected)


@pytest.mark.parametrize(("column", "text", "code"), BAD, ids=shown)
def test_a_bad_cell_says_nothing_and_is_told(column: Column, text: str, code: str) -> None:
    normal, finding = normalise(column, text, rules())
    assert normal == DROPPED
    assert finding is not None
    assert (finding.code, finding.column) == (code, column.name)


TOO_LONG = [
    (USER["idnumber"], 255),
    (ORG["idnumber"], 100),
    (ORG["fullname"], 1000),
    (USER["username"], 100),
    (USER["email"], 100),
    (USER["firstname"], 100),
    (USER["orgidnumber"], 100),
    (USER["manageridnumber"], 255),
    (USER["auth"], 20),
    (USER["city"], 255),
    (USER["url"], 255),
    (USER["description"], 65_535),
    (custom(Kind.TEXT), 255),
    (custom(Kind.TEXT, limit=40), 40),
    (custom(Kind.TEXTAREA), 65_535),
    (custom(Kind.URL), 255),
]


@pytest.mark.parametrize(("column", "limit"), TOO_LONG, ids=shown)
def test_a_cell_one_character_over_its_limit_is_too_long(column: Column, limit: int) -> None:
    start = {Kind.EMAIL: "a@", Kind.URL: "http://"}.get(column.kind, "")
    for at_most in (limit, limit + 1, 1 << 20):
        text = start + "a.b" * (at_most // 3 + 1)
        normal, finding = normalise(column, text[:at_most].rstrip(".").ljust(at_most, "a"), rules())
        if at_most == limit:
            assert finding is None
            continue
        assert normal == DROPPED
        assert finding is not None
        assert (finding.code, finding.detail) == ("value.too_long", f"{at_most} characters; the limit is {limit}")
        assert len(finding.value) <= MAX_VALUE


def test_limits_count_characters_not_bytes_and_not_the_blanks_around() -> None:
    assert normalise(USER["firstname"], "  " + "ä" * 100 + "  ", rules()) == ("ä" * 100, None)


def test_the_date_formats_of_the_site_are_read_and_named() -> None:
    column, british = USER["jobassignmentstartdate"], rules("%Y-%m-%d", "%d/%m/%Y", "%d %b %y")
    for text in ("31/01/2026", "31/1/2026", "31 Jan 26", "31/01/2026 00:00:00", "2026-01-31"):
        assert normalise(column, text, british) == ("2026-01-31", None)
    for text in ("31/02/2020", "1/31/2026", "31/01/26", "31/01/2026 08:00"):
        normal, finding = normalise(column, text, british)
        assert normal == DROPPED
        assert finding is not None
        assert finding.detail == "YYYY-MM-DD or DD/MM/YYYY or DD Jan YY"


def test_a_format_with_a_time_reads_dates_and_moments() -> None:
    given_rules = rules("%d/%m/%Y %H:%M", zone="Europe/Berlin")
    assert normalise(custom(Kind.DATE), "31/07/2026 08:00", given_rules) == ("2026-07-31", None)
    assert normalise(custom(Kind.DATETIME), "31/07/2026 08:00", given_rules) == ("2026-07-31T06:00:00Z", None)


def test_the_day_on_which_midnight_was_skipped_starts_with_its_first_instant() -> None:
    cairo = rules(zone="Africa/Cairo")  # clocks went from 00:00 to 01:00 on 2024-04-26
    assert normalise(custom(Kind.DATETIME), "2024-04-26", cairo) == ("2024-04-25T22:00:00Z", None)
    assert code_of(custom(Kind.DATETIME), "2024-04-26T00:30", cairo) == "value.date"


def test_all_249_country_codes_are_known() -> None:
    letters = [chr(ord("A") + n) for n in range(26)]
    known = [a + b for a in letters for b in letters if not code_of(USER["country"], a + b)]
    assert len(known) == 249
    assert {"AX", "BQ", "CW", "SS", "SX", "TW", "XK", "UK"} & set(known) == {"AX", "BQ", "CW", "SS", "SX", "TW"}


def test_fold_compares_without_case_in_any_script() -> None:
    assert fold("STRASSE@ÄÖ.test") == fold("straße@äö.TEST")


@given(st.text(st.sampled_from("0123456789.eE+-"), max_size=12))
@settings(max_examples=300, deadline=None)
def test_a_number_keeps_its_value(text: str) -> None:
    normal, finding = normalise(custom(Kind.NUMBER), text, rules())
    try:
        value = Decimal(text)
    except InvalidOperation:
        assert finding is not None or not text
        return
    if finding is None:
        assert Decimal(normal) == value
        assert not set(normal) & set("eE+")
        assert normal != "-0"
    else:
        assert abs(value.adjusted()) > 20
