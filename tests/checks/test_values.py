"""What becomes of a batch: cells column by column, findings, and who is rejected (CONTRACT section 3)."""

import time
import tracemalloc
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzsyncd.checks import sieves
from lzsyncd.checks.catalogue import MAX_VALUE, Finding
from lzsyncd.checks.values import DROPPED, Checked, Rules, ValueCheck, normalise
from lzsyncd.feed.elements import COLUMNS, Element, Kind
from tests.checks.known_cells import BAD, GOOD, ORG, TIDIED, USER, code_of, custom, rules

MEBIBYTE = 1 << 20


def flat(rows: Iterable[Sequence[str]]) -> list[str]:
    return [text for row in rows for text in row]


def check(names: str, *rows: list[str], given_rules: Rules | None = None, clean: bool = False) -> Checked:
    columns = [USER[name] for name in names.split()]
    batch = ValueCheck(given_rules or rules(), columns, range(len(columns)))
    return batch(list(range(2, 2 + len(rows))), list(range(1, 1 + len(rows))), flat(rows), clean)


def said(checked: Checked) -> list[tuple[int, str, str]]:
    return [(finding.record, finding.column, finding.code) for finding in checked.findings]


def test_good_rows_come_back_as_they_are() -> None:
    rows = [["E1", "ada", "Ada", "L", "ada@acme.test"], ["E2", "bob", "Bob", "M", "bob@acme.test"]]
    checked = check("idnumber username firstname lastname email", *rows, clean=True)
    assert [list(row) for row in zip(*checked.columns, strict=True)] == rows
    assert checked[1:] == ([], [], [], True)


def test_an_empty_batch_has_every_column_and_nothing_in_it() -> None:
    assert check("idnumber city") == Checked([[], []], [], [], [], as_written=True)


def test_columns_are_taken_from_where_they_stand() -> None:
    batch = ValueCheck(rules(), [USER["city"], USER["idnumber"]], [3, 1])
    checked = batch([2], [1], ["?", "E1", "?", " Rome ", "?"], clean=False)
    assert checked.columns == [["Rome"], ["E1"]]


def test_rows_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="equally long"):
        check("idnumber city", ["E1", "Rome"], ["E2"])


def test_the_cells_given_stay_as_they_are() -> None:
    cells = [" E1 ", " 1 ", " ??? "]
    ValueCheck(rules(), [USER[name] for name in ("idnumber", "deleted", "username")], range(3))([2], [1], cells, False)
    assert cells == [" E1 ", " 1 ", " ??? "]


def test_a_finding_has_line_number_key_and_value() -> None:
    columns = [USER["city"], USER["idnumber"], USER["country"]]
    batch = ValueCheck(rules(), columns, [0, 1, 2])
    checked = batch([7, 9], [5, 6], ["a", "E5", "GB", "b", " E6 ", " xx "], clean=False)
    assert checked.findings == [Finding("value.country", Element.USER, 9, 6, "E6", "country", "xx")]
    assert checked.columns[2] == ["GB", DROPPED]
    assert checked.rejected == []


def test_a_warning_keeps_the_record_and_an_error_rejects_it() -> None:
    checked = check(
        "idnumber suspended emailstop",
        ["E1", "maybe", "1"],
        ["E2", "0", "maybe"],
        ["E3", "1", "0"],
        ["E4", "", ""],
    )
    assert said(checked) == [(1, "suspended", "value.boolean"), (2, "emailstop", "value.boolean")]
    assert checked.rejected == [0]
    assert checked.columns[1:] == [[DROPPED, "0", "1", ""], ["1", DROPPED, "0", ""]]


def test_records_without_a_readable_key_are_named() -> None:
    checked = check("idnumber city", ["  ", "Rome"], ["x" * 256, "Oslo"], ["E3", "y" * 256], ["x" * 255, "Bern"])
    assert said(checked) == [
        (1, "idnumber", "key.missing"),
        (2, "idnumber", "value.too_long"),
        (3, "city", "value.too_long"),
    ]
    assert [finding.idnumber for finding in checked.findings] == ["", "", "E3"]
    assert (checked.rejected, checked.unreadable_keys) == ([0, 1, 2], [0, 1])


def test_every_fault_of_a_record_is_told_and_it_is_rejected_once() -> None:
    checked = check("idnumber username firstname email", ["", "A B", "", "x"], ["E2", "ADA", "Ada", "a@b"])
    assert said(checked) == [
        (1, "idnumber", "key.missing"),
        (1, "username", "user.username.invalid"),
        (1, "firstname", "value.required"),
        (1, "email", "user.email.invalid"),
        (2, "username", "value.normalised"),
    ]
    assert checked.rejected == [0]
    assert checked.columns == [["", "E2"], [DROPPED, "ada"], ["", "Ada"], [DROPPED, "a@b"]]


def test_an_empty_address_is_missing_unless_addresses_may_be_shared() -> None:
    names, row = "idnumber email", ["E1", ""]
    assert said(check(names, row)) == [(1, "email", "user.email.missing")]
    shared = check(names, row, given_rules=rules(duplicates=True))
    assert (shared.columns[1], shared.findings) == ([""], [])


@pytest.mark.parametrize(
    "kind", [kind for kind in Kind if kind in sieves.PATTERNS or custom(kind).options] + [Kind.DATE]
)
def test_a_required_custom_field_must_not_be_empty(kind: Kind) -> None:
    assert code_of(custom(kind), "") == ("user.email.missing" if kind is Kind.EMAIL else "")
    assert code_of(custom(kind, required=True), " ") == (
        "user.email.missing" if kind is Kind.EMAIL else "value.required"
    )


def test_of_a_record_that_goes_only_the_key_counts() -> None:
    checked = check(
        "idnumber username deleted firstname email country",
        ["E1", "", "1", "", "??", "xx"],
        ["E2", "BOB", "YES", "x" * 101, "", "nz"],
        ["E3", "eve", "", "Eve", "eve@acme.test", "nz"],
        ["", "?", "true", "", "", ""],
    )
    assert said(checked) == [(3, "country", "value.normalised"), (4, "idnumber", "key.missing")]
    assert checked.columns[0] == ["E1", "E2", "E3", ""]
    assert checked.columns[2] == ["1", "1", "0", "1"]
    assert checked.columns[1] == [DROPPED, DROPPED, "eve", DROPPED]
    assert checked.columns[5] == [DROPPED, DROPPED, "NZ", DROPPED]
    assert (checked.rejected, checked.unreadable_keys) == ([3], [3])


def test_a_record_whose_deleted_cannot_be_read_is_rejected_and_does_not_go() -> None:
    checked = check("idnumber deleted city", ["E1", "perhaps", "Rome"], ["E2", "1", "Oslo"])
    assert said(checked) == [(1, "deleted", "value.boolean")]
    assert checked.columns[1:] == [["0", "1"], ["Rome", DROPPED]]
    assert checked.rejected == [0]


def test_a_file_without_the_column_deleted_has_nobody_who_goes() -> None:
    assert check("idnumber city", ["E1", "1"]).columns[1] == ["1"]


def test_units_have_the_rules_of_units() -> None:
    columns = [ORG["idnumber"], ORG["fullname"], ORG["parentidnumber"]]
    batch = ValueCheck(rules(element=Element.ORG), columns, [0, 1, 2])
    checked = batch([2, 3], [1, 2], ["a", "", "b", "b", "B", "c" * 101], clean=False)
    assert [(f.element, f.column, f.code) for f in checked.findings] == [
        (Element.ORG, "fullname", "value.required"),
        (Element.ORG, "parentidnumber", "value.too_long"),
    ]


def test_a_huge_cell_costs_its_record_and_little_time() -> None:
    fills = ["a", "a.", "a@", "a@a.-", "http://a.", "é", "9", "2026-01-31T", " x", "-a"]
    cells = [(fill * MEBIBYTE)[:MEBIBYTE] for fill in fills] + ["x@" + "a." * MEBIBYTE, "http://" + "a." * MEBIBYTE]
    names = "idnumber username email url country lang timezone jobassignmentstartdate suspended deleted manageridnumber"
    started = time.process_time()
    checked = check(names, *([f"E{n}"] + [cell] * 10 for n, cell in enumerate(cells)))
    with_breaks = check(names, ["E1"] + ["\nx" * MEBIBYTE] * 10)
    assert time.process_time() - started < 5
    assert (checked.rejected, with_breaks.rejected) == (list(range(len(cells))), [0])
    assert {len(finding.value) for finding in checked.findings} == {MAX_VALUE}
    for kind in (Kind.NUMBER, Kind.MULTISELECT, Kind.DATETIME, Kind.MENU, Kind.CHECKBOX):
        assert {normalise(custom(kind), cell, rules("%d %m %Y"))[0] for cell in cells} == {DROPPED}


def test_matching_a_huge_cell_takes_little_memory() -> None:
    rows = [["E1", "http://" + "a." * (MEBIBYTE // 2)], ["E2", "http://acme.test"]]
    check("idnumber url", rows[1])
    tracemalloc.start()
    check("idnumber url", *rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MEBIBYTE


def test_odd_cells_between_good_ones_are_found_in_their_places() -> None:
    emails = [
        "a@b.test",
        "bad",
        "",
        "jörg@b.test",
        "A@b.test",
        "bad again",
        "a--b@c--d.test",
        "x@" + "y" * 70 + ".z",
        "c@d",
    ]
    checked = check("idnumber email", *([f"E{n}", email] for n, email in enumerate(emails)))
    assert [(f.record, f.code.rpartition(".")[2]) for f in checked.findings] == [
        (2, "invalid"),
        (3, "missing"),
        (6, "invalid"),
        (8, "invalid"),
    ]
    assert checked.columns[1] == ["a@b.test", DROPPED, "", emails[3], "A@b.test", DROPPED, emails[6], DROPPED, "c@d"]


def test_memory_for_remembered_cells_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sieves, "MEMO", 8)
    batch = ValueCheck(rules(), [USER["idnumber"], USER["jobassignmentstartdate"]], [0, 1])
    for start in range(0, 200, 10):
        rows = [[f"E{n}", f"2{n:03}-01-01"] for n in range(start, start + 10)] + [["E", "z" * 100_000]]
        checked = batch(list(range(11)), list(range(11)), flat(rows), clean=True)
        assert checked.columns[1] == [row[1] for row in rows[:-1]] + [DROPPED]
        memo = batch._sieves[1]
        assert isinstance(memo, sieves.MemoSieve)
        assert len(memo) <= 8
        assert max(map(len, memo)) <= 64


# --- any batch is as good as its cells one by one -------------------------------------------------------------------

CUSTOM = [custom(kind) for kind in list(Kind)[list(Kind).index(Kind.TEXTAREA) :]] + [
    custom(Kind.TEXT, required=True),
    custom(Kind.URL, required=True),
]
ALL = [
    column for column in COLUMNS[Element.USER] if column.kind not in (Kind.IGNORED, Kind.REFUSED, Kind.DELETED)
] + CUSTOM
WORDS = sorted(
    {text for _, text, *_ in GOOD + TIDIED + BAD if len(text) < 300} | {"", " ", "\n", "a\nb", "x" * 101, "y" * 256}
)
CELLS = st.one_of(
    st.sampled_from(WORDS),
    st.text(st.sampled_from("aA1.@-_ \nä,+e0/:"), max_size=12),
    st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=6),
)
MIXED = rules("%d/%m/%Y", zone="America/New_York")
CHECK = ValueCheck(MIXED, ALL, range(len(ALL)))  # one for all examples: what it remembers must not change what it says


@st.composite
def batches(draw: st.DrawFn) -> list[list[str]]:
    """Rows of good cells with some other ones between."""
    good = {column.kind: [text for c, text, _ in GOOD if c.kind is column.kind] for column in ALL}
    rows = [[draw(st.sampled_from(good[column.kind])) for column in ALL] for _ in range(draw(st.integers(1, 4)))]
    for _ in range(draw(st.integers(0, 12))):
        draw(st.sampled_from(rows))[draw(st.integers(0, len(ALL) - 1))] = draw(CELLS)
    return rows


@given(batches())
@settings(max_examples=150, deadline=None)
def test_a_batch_says_what_its_cells_say_one_by_one(rows: list[list[str]]) -> None:
    numbers, cells = list(range(len(rows))), flat(rows)
    checked = CHECK(numbers, numbers, cells, clean=False, longest=max(map(len, cells)))
    one_by_one = [[normalise(column, text, MIXED) for column, text in zip(ALL, row, strict=True)] for row in rows]
    assert [list(row) for row in zip(*checked.columns, strict=True)] == [
        [text for text, _ in row] for row in one_by_one
    ]
    assert [(f.record, f.column, f.code, f.value, f.detail) for f in checked.findings] == [
        (at, f.column, f.code, f.value, f.detail) for at, row in enumerate(one_by_one) for _, f in row if f
    ]


@given(batches())
@settings(max_examples=50, deadline=None)
def test_normal_forms_are_read_as_themselves(rows: list[list[str]]) -> None:
    """Law 4: what was written once is not changed by being read again (JSON lists and `true` are no cells)."""
    once = CHECK(list(range(len(rows))), list(range(len(rows))), flat(rows), clean=False)
    again = CHECK(list(range(len(rows))), list(range(len(rows))), flat(zip(*once.columns, strict=True)), clean=False)
    for column, before, after in zip(ALL, once.columns, again.columns, strict=True):
        for text, same in zip(before, after, strict=True):
            if text != DROPPED and column.kind not in (Kind.MULTISELECT, Kind.CHECKBOX):
                assert same == text


@given(batches(), st.lists(st.sampled_from(["0", "1", "", "true", "?"]), min_size=4, max_size=4))
@settings(max_examples=50, deadline=None)
def test_records_that_go_change_nothing_for_the_others(rows: list[list[str]], marks: list[str]) -> None:
    columns = [*ALL, USER["deleted"]]
    batch = ValueCheck(MIXED, columns, range(len(columns)))
    numbers = list(range(len(rows)))
    marked = [[*row, mark] for row, mark in zip(rows, marks, strict=False)]
    checked = batch(numbers, numbers, flat(marked), clean=False)
    plain = CHECK(numbers, numbers, flat(rows), clean=False)
    going = {at for at, mark in zip(numbers, marks, strict=False) if mark in ("1", "true")}
    for name, texts, others in zip(ALL, checked.columns, plain.columns, strict=False):
        spoken = [DROPPED if at in going and name.kind is not Kind.KEY else text for at, text in enumerate(others)]
        assert texts == spoken
    told = [f for f in checked.findings if f.column != "deleted"]
    assert told == [f for f in plain.findings if f.record not in going or f.column == "idnumber"]


@given(st.text(st.sampled_from("ab1.-@_"), max_size=12))
@settings(max_examples=300, deadline=None)
def test_the_quick_look_at_addresses_agrees_with_the_standard(text: str) -> None:
    checked = check("idnumber email", ["E1", "a@b"], ["E2", text or "a@b"], ["E3", "c@d"], clean=True)
    assert [f.code for f in checked.findings] == ([code] if (code := code_of(USER["email"], text or "a@b")) else [])


@pytest.mark.parametrize(
    ("column", "text", "as_written"),
    [
        ("city", "Rome", True),
        ("city", " Rome", False),
        ("suspended", "0", True),
        ("suspended", "no", False),
        ("country", "GB", True),
        ("country", "gb", False),
        ("email", "ada.l@acme.test", True),
        ("email", "ädä@acme.test", True),
        ("username", "ADA", False),
    ],
)
def test_a_batch_knows_whether_its_cells_came_in_normal_form(column: str, text: str, *, as_written: bool) -> None:
    clean = text == text.strip()
    assert check(f"idnumber {column}", ["E1", text], clean=clean).as_written is as_written
    assert check(f"idnumber {column}", ["E1", text], ["E2", text], clean=clean).as_written is as_written
