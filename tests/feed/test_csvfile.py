"""Reading delivered files, case by case (CONTRACT section 3)."""

import tracemalloc

import pytest

from lzsyncd.feed.csvfile import LIMITS, CsvFile, Limits
from tests.feed.reading import MAX_SIZE, read, read_bytes

HEADER = b"idnumber,fullname,shortname\n"
MIB = 1 << 20


def thousand(damaged: bytes) -> bytes:
    """A thousand good rows but for physical line 500."""
    lines = [f"K{line},name {line},s".encode() for line in range(2, 1002)]
    lines[498] = damaged
    return HEADER + b"\n".join(lines) + b"\n"


# --- the table of FACTS.md, part C 3 ----------------------------------------------------------------------------------

ONLY_ITSELF = {
    "invalid UTF-8": (b"K500,na\xefme,s", ("record.encoding", 1, True)),
    "invalid UTF-8 in the key": (b"K\xff500,name,s", ("record.encoding", 0, False)),
    "invalid UTF-8 behind the key": (b"K500,name,\xc3", ("record.encoding", 2, True)),
    "a surrogate as UTF-8": (b"K500,\xed\xa0\x80,s", ("record.encoding", 1, True)),
    "short row": (b"K500,name", ("record.columns", -1, False)),
    "long row": (b"K500,name,s,more", ("record.columns", -1, False)),
    "unterminated quote": (b'K500,"name,s', ("record.columns", -1, False)),
    "unterminated quote with a good number of cells": (b'K500,name,"s', ("record.columns", -1, False)),
    "NUL": (b"K500,na\0me,s", ("record.control", 1, True)),
    "NUL in the key": (b"K500\0,name,s", ("record.control", 0, False)),
    "escape character": (b"K500,name,\x1b[31m", ("record.control", 2, True)),
    "unit separator": (b'K500,"na\x1fme, x",s', ("record.control", 1, True)),
    "delete character": (b"K500,\x7f,s", ("record.control", 1, True)),
    "both damages": (b"K500,\0,\xff", ("record.control", 1, True)),
    "a damaged key behind another damage": (b"\xff,\0,s", ("record.encoding", 0, False)),
    "damage without a key": (b" ,na\0me,s", ("record.control", 1, False)),
    "2 MB cell": (b"K500," + b"x" * 2_000_000 + b",s", ("value.too_long", 1, True)),
    "2 MB cell in quotes": (b'K500,"' + b"x," * 1_000_000 + b'",s', ("value.too_long", 1, True)),
    "10 MB cell": (b"K500," + b"x" * 10_000_000 + b",s", ("value.too_long", 1, True)),
    "10 MB cell in quotes": (b'K500,"' + b'x""' * 3_000_000 + b'",s', ("value.too_long", 1, True)),
    "10 MB key": (b"x" * 10_000_000 + b",name,s", ("value.too_long", 0, False)),
    "10 MB before the end of a long row": (b"K500,a,b,c," + b"x" * 10_000_000, ("record.columns", -1, False)),
    "10 MB in a short row": (b"K500," + b"x" * 10_000_000, ("record.columns", -1, False)),
    "10 MB with junk behind the quotes": (b'K500,"a"b,' + b"x" * 10_000_000, ("record.columns", -1, False)),
    "10 MB behind a quote that stays open": (b'K500,"' + b"x" * 10_000_000, ("record.columns", -1, False)),
    "junk behind a closing quote": (b'K500,"name"junk,s', ("record.columns", -1, False)),
    "junk behind a closing quote that hides a delimiter": (b'K500,"na,me"junk,s', ("record.columns", -1, False)),
    "a quote within quotes that was not doubled": (b'K500,"5" pipe",s', ("record.columns", -1, False)),
}


@pytest.mark.parametrize(("damaged", "expected"), ONLY_ITSELF.values(), ids=ONLY_ITSELF)
def test_a_damaged_record_costs_only_itself(tmp_path, damaged, expected):
    found = read_bytes(tmp_path, thousand(damaged))

    assert found.told == [(500, *expected)]
    assert [(s.line, s.number) for s in found.spoiled] == [(500, 499)]
    assert found.rows == [(line, [f"K{line}", f"name {line}", "s"]) for line in range(2, 1002) if line != 500]
    assert found.numbers == [number for number in range(1, 1001) if number != 499]
    assert found.rejected is None


HARMLESS = {
    "inch sign": (b'K500,5" pipe,s', '5" pipe'),
    "quote at the end": (b'K500,pipe 5",s', 'pipe 5"'),
    "doubled quotes": (b'K500,"5"" pipe",s', '5" pipe'),
    "only quotes": (b'K500,"""""",s', '""'),
    "empty quotes": (b'K500,"",s', ""),
    "blanks around quotes": (b'K500, \t"a, b" ,s', "a, b"),
    "blanks around a cell": (b"K500, a b ,s", " a b "),
    "tab": (b"K500,a\tb,s", "a\tb"),
    "delimiter in quotes": (b'K500,"a,b",s', "a,b"),
    "line separators that are text": ("K500,a\u2028b\x85c\u2029,s".encode(), "a\u2028b\x85c\u2029"),
    "no-break space": ("K500,\xa0a\xa0,s".encode(), "\xa0a\xa0"),
    "a megabyte": (b"K500," + b"x" * MIB + b",s", "x" * MIB),
}


@pytest.mark.parametrize(("line", "cell"), HARMLESS.values(), ids=HARMLESS)
def test_what_looks_odd_and_is_right_is_kept_as_it_came(tmp_path, line, cell):
    found = read_bytes(tmp_path, thousand(line))

    assert not found.spoiled
    assert found.rows[498] == (500, ["K500", cell, "s"])
    assert len(found.rows) == 1000


def test_a_byte_order_mark_is_not_part_of_the_header(tmp_path):
    for mark in (b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf"):
        assert read_bytes(tmp_path, mark + b'"idnumber", fullname \nA,B\n').header == ["idnumber", "fullname"]


def test_lines_count_physically_also_inside_quotes(tmp_path):
    found = read_bytes(tmp_path, HEADER + b'A,"one\ntwo\r\nthree\rfour",s\nB,b,s\n')

    assert found.rows == [(2, ["A", "one\ntwo\r\nthree\rfour", "s"]), (6, ["B", "b", "s"])]


def test_line_ends_may_be_mixed(tmp_path):
    found = read_bytes(tmp_path, b"a,b\r\n1,1\n2,2\r3,3\r\n\r\n4,4")

    assert found.rows == [(2, ["1", "1"]), (3, ["2", "2"]), (4, ["3", "3"]), (6, ["4", "4"])]


def test_a_lone_carriage_return_ends_a_line(tmp_path):
    assert read_bytes(tmp_path, b"a,b\n1,x\ry\n2,2\n").told == [(3, "record.columns", -1, False)]


def test_blank_lines_count_as_lines_and_not_as_records(tmp_path):
    found = read_bytes(tmp_path, b"\n \r\na,b\n\n1,1\n \t \n\xc2\xa0\n2,2\n\n")

    assert found.header == ["a", "b"]
    assert found.rows == [(5, ["1", "1"]), (8, ["2", "2"])]
    assert found.numbers == [1, 2]


def test_a_line_of_delimiters_is_a_record(tmp_path):
    assert read_bytes(tmp_path, b"a\tb\n\t\n", "\t").rows == [(2, ["", ""])]
    assert read_bytes(tmp_path, b"a,b\n,\n").rows == [(2, ["", ""])]


@pytest.mark.parametrize("delimiter", [",", ";", ":", "\t", "|"])
def test_every_delimiter_splits_and_the_others_are_text(tmp_path, delimiter):
    others = "".join(set(",;:|") - {delimiter})
    data = delimiter.join(("a", "b", "c")) + "\n" + delimiter.join(("1", others, f'"{delimiter}"')) + "\n"

    assert read_bytes(tmp_path, data.encode(), delimiter).rows == [(2, ["1", others, delimiter])]


# --- quotes that do not close -----------------------------------------------------------------------------------------


def test_a_stray_quote_costs_its_own_line_also_before_records_with_quotes(tmp_path):
    after = b'C,"x, y",s\nD,"two\nlines",s\nE,e,s\n'
    found = read_bytes(tmp_path, HEADER + b'A,a,s\nB,"stray,s\n' + after)

    assert found.told == [(3, "record.columns", -1, False)]
    assert "swallowed" in found.spoiled[0].detail
    assert found.spoiled[0].cells == ["B", '"stray', "s"]
    assert [line for line, _ in found.rows] == [2, 4, 5, 7]


def test_a_stray_quote_just_before_a_record_with_line_breaks_costs_its_own_line(tmp_path):
    found = read_bytes(tmp_path, HEADER + b'B,"stray,s\nC,"two\nlines",s\nD,d,s\n')

    assert found.told == [(2, "record.columns", -1, False)]
    assert [line for line, _ in found.rows] == [3, 5]


def test_stray_quotes_one_after_the_other_cost_a_record_each(tmp_path):
    found = read_bytes(tmp_path, HEADER + b'A,"a,s\nB,"b,s\nC,"c,s\nD,d,s\n')

    assert [s.line for s in found.spoiled] == [2, 3, 4]
    assert found.rows == [(5, ["D", "d", "s"])]


def test_a_record_over_several_lines_with_too_many_columns_is_one_spoiled_record(tmp_path):
    found = read_bytes(tmp_path, HEADER + b'A,"first\nsecond",s,more\nB,b,s\n')

    assert found.told == [(2, "record.columns", -1, False)]
    assert found.spoiled[0].detail == "The record has 4 columns instead of 3."
    assert found.spoiled[0].cells == ["A", "first\nsecond", "s", "more"]
    assert found.rows == [(4, ["B", "b", "s"])]
    assert found.numbers == [2]


def test_a_record_over_several_lines_whose_quotes_do_not_match_is_one_spoiled_record(tmp_path):
    found = read_bytes(tmp_path, HEADER + b'A,"first\nsecond"x,s\nB,b,s\n')

    assert found.told == [(2, "record.columns", -1, False)]
    assert "do not match" in found.spoiled[0].detail
    assert found.rows == [(4, ["B", "b", "s"])]


def test_quoted_text_that_looks_like_records_is_text_when_the_record_is_right(tmp_path):
    text = "B,b,s\nC,c,s\n\nD,d,s"
    assert read_bytes(tmp_path, HEADER + f'A,"{text}",s\n'.encode()).rows == [(2, ["A", text, "s"])]


@pytest.mark.parametrize("end", [b"", b"\n", b" and so on\n\n", b"\r\nhalf a sentence, and"])
def test_a_file_that_ends_inside_a_quote_of_its_last_record_is_truncated(tmp_path, end):
    found = read_bytes(tmp_path, HEADER + b'A,"two\nlines",s\nB,"cut off' + end)

    assert found.rejected == ("file.truncated", 4)
    assert found.rows == [(2, ["A", "two\nlines", "s"])]
    assert not found.spoiled


def test_findings_before_the_cut_are_told_with_it(tmp_path):
    found = read_bytes(tmp_path, HEADER + b'A,a\nB,"cut off')

    assert found.told == [(2, "record.columns", -1, False)]
    assert found.rejected == ("file.truncated", 3)


def test_a_long_cell_with_line_breaks_costs_its_record(tmp_path):
    text = b"some line of text, yes\r\n" * 100_000
    found = read_bytes(tmp_path, HEADER + b'A,"' + text + b'",s\nB,b,s\n')

    assert found.told == [(2, "value.too_long", 1, True)]
    assert found.rows == [(100_003, ["B", "b", "s"])]


def test_a_long_cell_of_long_lines_costs_its_record(tmp_path):
    found = read_bytes(tmp_path, HEADER + b'A,"' + b"x" * 5 * MIB + b"\r\n" + b"y" * 5 * MIB + b'",s\nB,b,s\n')

    assert found.told == [(2, "value.too_long", 1, True)]
    assert found.rows == [(4, ["B", "b", "s"])]


def test_a_long_cell_behind_the_last_column_costs_its_record(tmp_path):
    found = read_bytes(tmp_path, HEADER + b'A,b,c,d,"' + b"some text\n" * 200_000 + b'"\nB,b,s\n')

    assert found.told == [(2, "record.columns", -1, False)]
    assert found.spoiled[0].detail == "The record has more than 3 columns."
    assert found.rows == [(200_003, ["B", "b", "s"])]


def test_a_stray_quote_before_long_text_and_good_records_spares_the_records(tmp_path):
    found = read_bytes(tmp_path, HEADER + b'A,"stray\n' + b"no record\n" * 200_000 + b"B,b,s\n")

    assert found.told == [(2, "record.columns", -1, False)]
    assert found.rows == [(200_003, ["B", "b", "s"])]


LONG = b"x" * 3 * MIB


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'A, "b|""c" ,' + LONG, ("value.too_long", 2, True)),
        (LONG + b',"",A', ("value.too_long", 0, False)),
        (b"  ,b," + LONG, ("value.too_long", 2, False)),
        (b"A\xff,b," + LONG, ("value.too_long", 2, False)),
        (b"," * 5 * MIB, ("record.columns", -1, False)),
        (b"A," + b"x" * MIB + b"," + b"y" * MIB, ("record.columns", -1, True)),
        (b'A,"b"' + b" " * 5 * MIB + b"c,d", ("record.columns", -1, False)),
        (b'A,"' + b'""' * 2 * MIB + b'",c', ("value.too_long", 1, True)),
        (b'A,"' + b'""' * 2 * MIB + b'x",c', ("value.too_long", 1, True)),
        (b" " * 5 * MIB + b'"A",b,c', ("value.too_long", 0, False)),
    ],
)
def test_a_line_too_long_to_be_held_is_split_by_the_same_rules(tmp_path, line, expected):
    found = read_bytes(tmp_path, HEADER + line + b"\nB,b,s\n")

    assert found.told == [(2, *expected)]
    assert found.rows == [(3, ["B", "b", "s"])]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_every_line_end_ends_a_line_too_long_to_be_held(tmp_path, end):
    for length in range(40, 80):
        found = read_bytes(tmp_path, HEADER + b"A,b," + b"x" * length + end + b"B,b,s" + end, limits=Limits(16, 24, 32))
        assert found.told == [(2, "value.too_long", 2, True)]
        assert found.rows == [(3, ["B", "b", "s"])]


def test_of_a_line_with_many_long_cells_the_first_are_kept(tmp_path):
    cells = b",".join([b"A", *[b"x" * 60_000] * 49])
    found = read_bytes(tmp_path, b",".join(b"c%d" % n for n in range(50)) + b"\n" + cells + b"\n")

    assert found.told == [(2, "record.columns", -1, True)]
    assert [len(cell) for cell in found.spoiled[0].cells] == [1, *[60_000] * 17, *[0] * 32]


def test_a_stray_quote_far_from_the_next_one_costs_its_own_line(tmp_path):
    rows = [f"K{line},name {line},s" for line in range(3, 100_003)]
    found = read_bytes(tmp_path, HEADER + b'A,"stray,s\n' + "\n".join(rows).encode())

    assert found.told == [(2, "record.columns", -1, False)]
    assert found.rows == [(line, row.split(",")) for line, row in enumerate(rows, 3)]


def test_a_cut_cell_is_kept_longer_than_any_column_takes(tmp_path):
    """So that a reject file that comes back unmended is refused again, instead of storing half a text."""
    found = read_bytes(tmp_path, HEADER + b"A," + b"x" * 50 * MIB + b",s\n")

    assert found.spoiled[0].cells == ["A", "x" * 65_536, "s"]


# --- what the reader says about its batches ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    [" a", "a ", "\ta", "\xa0a", "a\u3000", "\u2009a", '" a"', '"a "', '"\na"', '"a\r\n"', '"a\x85"', ' "a"', '"a" '],
)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_batch_with_blanks_around_a_cell_is_not_called_clean(tmp_path, cell, position):
    cells = ["a", "b", "c"]
    cells[position] = cell
    found = read_bytes(tmp_path, HEADER + ",".join(cells).encode() + b"\n")

    [(_, row)] = found.rows
    assert not (found.batches[0].clean and any(text != text.strip() for text in row))


def test_a_batch_without_blanks_around_cells_is_called_clean(tmp_path):
    found = read_bytes(tmp_path, HEADER + 'A,"x, y z",é\nB,"two\nlines", "quoted" \n'.encode())
    assert [batch.clean for batch in found.batches] == [True]


def test_bytes_that_are_not_utf_8_are_shown_as_replacement_characters(tmp_path):
    found = read_bytes(tmp_path, HEADER + b"A,na\xefme,s\n")
    assert found.spoiled[0].cells == ["A", "na\N{REPLACEMENT CHARACTER}me", "s"]


def test_the_records_can_be_read_again(tmp_path):
    path = tmp_path / "user.csv"
    path.write_bytes(thousand(b"K500,\0,s"))
    source = CsvFile(path, max_size=MAX_SIZE)

    assert list(source.batches()) == list(source.batches())


def test_no_key_counts_as_readable_before_its_place_is_known(tmp_path):
    path = tmp_path / "user.csv"
    path.write_bytes(thousand(b"K500,\0,s"))

    assert [s.key_readable for b in CsvFile(path, max_size=MAX_SIZE).batches() for s in b.spoiled] == [False]


def test_memory_does_not_grow_with_the_file_or_a_cell(tmp_path):
    path = tmp_path / "user.csv"
    with path.open("wb") as stream:
        stream.write(HEADER)
        for number in range(10):
            stream.write(b"K,name,s\n" * 20_000)
            stream.write(b'"' * (number % 2) + b"x" * 3 * MIB + b'"' * (number % 2) + b",name,s\n")
    tracemalloc.start()
    try:
        for _ in CsvFile(path, max_size=MAX_SIZE).batches():
            pass
        assert tracemalloc.get_traced_memory()[1] < 12 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("line", [b'x","', b'"x', b'"""', b'K,"abc,s', b'",'])
def test_a_file_full_of_stray_quotes_is_read_in_linear_time(tmp_path, line):
    """Without a bound on what is looked at in vain, the first of these would take a quarter of an hour."""
    header = b",".join(b"c%d" % number for number in range(10_000)) + b"\n"
    found = read_bytes(tmp_path, header + (line + b"\n") * 40_000)
    assert len(found.spoiled) <= 40_000


def test_a_hundred_thousand_columns_are_read(tmp_path):
    header = b",".join(b"c%d" % number for number in range(100_000)) + b"\n"
    found = read_bytes(tmp_path, header + header + b'"' + header.replace(b",", b'","', 1))

    assert len(found.header) == 100_000
    assert [line for line, _ in found.rows] == [2]
    assert len(found.rows[0][1]) == 100_000


def test_a_chunk_larger_than_a_line_may_be_is_no_trouble(tmp_path):
    limits = LIMITS._replace(chunk=16 * MIB)
    path = tmp_path / "user.csv"
    path.write_bytes(thousand(b"K500," + b"x" * 3 * MIB + b",s"))

    assert read(path, limits=limits).told == [(500, "value.too_long", 1, True)]
