"""Reading random files: good ones as the csv module does, any with every chunk size alike, damage where it is."""

import csv
import io
import re
import tempfile
from pathlib import Path

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from lzsyncd.feed.csvfile import LIMITS, FileRejected, Limits
from tests.feed.reading import Read, read_bytes

LINE_END = re.compile("\r\n|\n|\r")
DELIMITERS = st.sampled_from(",;:\t|")
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
TINY = Limits(chunk=16, cell=24, record=60)


def read_data(data: bytes, delimiter: str = ",", limits: Limits = LIMITS) -> Read:
    with tempfile.TemporaryDirectory() as folder:
        return read_bytes(Path(folder), data, delimiter, limits)


SIGNS = ["a", " ", '"', ",", ";", "\t", "\n", "\r\n", "\r", "é", "\x85", "\u2028", "𝄞"]
cells = st.one_of(st.text("ab", max_size=3), st.lists(st.sampled_from(SIGNS), max_size=6).map("".join))


def tables(*, least: int = 1):
    return st.integers(2, 5).flatmap(
        lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=least, max_size=12)
    )


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def needs_quotes(cell: str, delimiter: str) -> bool:
    return any(sign in cell for sign in (delimiter, "\n", "\r", '"'))


def starts_of(records: list[str], first: int) -> list[int]:
    """The physical line on which each written record starts."""
    lines = []
    for record in records:
        lines.append(first)
        first += len(LINE_END.findall(record))
    return lines


def expect(found: Read, rows: list[list[str]], lines: list[int]) -> None:
    assert found.rows == list(zip(lines, rows, strict=True))
    assert found.numbers == list(range(1, len(rows) + 1))
    assert not found.spoiled
    assert found.rejected is None
    for batch in found.batches:
        assert not batch.clean or all(cell == cell.strip() for row in batch.rows for cell in row)


def header_of(rows: list[list[str]], delimiter: str) -> str:
    return delimiter.join(f"c{number}" for number in range(len(rows[0]))) + "\n"


@settings(deadline=None)
@given(
    rows=tables(),
    delimiter=DELIMITERS,
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=LINE_ENDS,
    chunk=st.integers(1, 200),
)
def test_what_the_csv_module_writes_is_read_back_as_it_was(rows, delimiter, quoting, end, chunk):
    records = []
    for row in rows:
        out = io.StringIO(newline="")
        # with other line ends, some versions leave a lone CR or LF in a cell without quotes
        csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\r\n").writerow(row)
        records.append(out.getvalue().removesuffix("\r\n") + end)
    data = header_of(rows, delimiter) + "".join(records)

    expect(read_data(data.encode(), delimiter, LIMITS._replace(chunk=chunk)), rows, starts_of(records, 2))


@settings(deadline=None)
@given(rows=tables(), delimiter=DELIMITERS, data=st.data())
def test_every_mixture_of_quotes_and_line_ends_is_read_back_as_it_was(rows, delimiter, data):
    records = []
    for row in rows:
        written = [quoted(cell) if needs_quotes(cell, delimiter) or data.draw(st.booleans()) else cell for cell in row]
        records.append(delimiter.join(written) + data.draw(LINE_ENDS))
    if data.draw(st.booleans()):
        records[-1] = records[-1].rstrip("\r\n")
    blank = data.draw(st.sampled_from(["", "\n", " \r\n"]))
    mark = data.draw(st.sampled_from(["", "\ufeff"]))
    text = mark + blank + header_of(rows, delimiter) + "".join(records)

    found = read_data(text.encode(), delimiter)
    expect(found, rows, starts_of(records, 3 if blank else 2))


def told(data: bytes, limits: Limits) -> object:
    try:
        found = read_data(data, ",", limits)
    except FileRejected as error:
        return error.code, error.line
    return found.header, found.rows, found.numbers, found.spoiled, found.rejected


PIECES = [b"a", b"b,", b",", b'"', b'""', b'"a', b'a"', b' "', b"\n", b"\r", b"\r\n", b"a,b\n", b'a,"b', b'x","']
ODD_PIECES = [b"\xff", b"\0", b" ", b"\t", b"\xc3\xa9", b"aaaaaaaaaaaaaaaa", b"b,c\nb,c\nb,c\n"]
nasty = st.lists(st.sampled_from(PIECES + ODD_PIECES), max_size=40).map(b"".join)


@settings(deadline=None, max_examples=300)
@given(body=nasty, chunk=st.integers(1, 60))
@example(body=b'a,"b\r\n' + b"c,d\r\n" * 8, chunk=6)
@example(body=b'a,"' + b"x" * 200 + b'",b\nc,d\n', chunk=7)
@example(body=b"y" * 63 + b'\n"\n' + b"x" * 75 + b'\n"\n', chunk=1)
def test_the_size_of_a_chunk_changes_nothing(body, chunk):
    data = b"a,b\n" + body
    for limits in (TINY, TINY._replace(record=400), LIMITS):
        whole = told(data, limits._replace(chunk=limits.record))
        assert told(data, limits._replace(chunk=chunk)) == whole


@settings(deadline=None, max_examples=300)
@given(body=nasty, limits=st.sampled_from([TINY, LIMITS]))
def test_whatever_comes_is_numbered_in_order_and_rows_fit_the_header(body, limits):
    found = read_data(b"a,b\n" + body, ",", limits)
    records = sorted(
        [*zip(found.numbers, (line for line, _ in found.rows), strict=True)]
        + [(s.number, s.line) for s in found.spoiled]
    )

    assert [number for number, _ in records] == list(range(1, len(records) + 1))
    lines = [line for _, line in records]
    assert lines == sorted(set(lines))
    assert all(len(row) == 2 for _, row in found.rows)
    assert all(len(cell) <= batch.longest for batch in found.batches for cell in batch.cells)
    assert all(s.key_readable <= (len(s.cells) > 0 and s.cells[0].strip() != "") for s in found.spoiled)
    event("spoiled" if found.spoiled else "all good")
    event(str(found.rejected and found.rejected[0]))


@settings(deadline=None, max_examples=200)
@given(body=nasty)
@example(body=b'  ""x",""')
def test_where_nothing_is_spoiled_the_csv_module_agrees(body):
    """Blanks before an opening quote apart, which we take as Totara does."""
    # all blanks at once: of two before a quote the other would be left before the next one
    text = re.sub(r'[ \t]+"', "", (b"a,b\n" + body).decode(errors="replace").replace("\0", ""))
    found = read_data(text.encode())
    if found.spoiled or found.rejected:
        event("not comparable")
        return
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if len(row) > 1 or any(map(str.strip, row))]
    # lenient where we are strict: "a" b is the cell `a b` there and `a` here, only when b is nothing but blanks
    assert [[cell.rstrip(" \t") for cell in row] for _, row in found.rows] == [
        [cell.rstrip(" \t") for cell in row] for row in rows[1:]
    ]


# Cells that leave no doubt which quote is which: text in quotes never begins or ends with a delimiter.
plain = st.text("abc é", min_size=1, max_size=4).filter(str.strip)
good_cells = st.one_of(plain, st.tuples(plain, st.sampled_from([", ", '"', "\n", "\r\n"]), plain).map("".join))
good_tables = st.integers(2, 5).flatmap(
    lambda width: st.lists(st.lists(good_cells, min_size=width, max_size=width), min_size=3, max_size=12)
)
DAMAGES = {
    "byte": lambda row: [*map(written, [*row[:-1], f"{row[-1]}\udcff"])],
    "control": lambda row: [*map(written, ["\0", *row[1:]])],
    "short": lambda row: [*map(written, row[:-1])],
    "long": lambda row: [*map(written, row), "more"],
    "stray": lambda row: [*map(written, row[:-1]), '"stray'],
    "stray first": lambda row: ['"stray', *map(written, row[1:])],
    "junk": lambda row: [*map(written, row[:-1]), '"junk"behind'],
}


def written(cell: str) -> str:
    return quoted(cell) if needs_quotes(cell, ",") else cell


def one_line(row: list[str]) -> list[str]:
    return [LINE_END.sub("-", cell) for cell in row]


@settings(deadline=None, max_examples=150)
@given(rows=good_tables, chunk=st.sampled_from([7, 50, LIMITS.chunk]), data=st.data())
def test_damage_costs_only_the_damaged_records(rows, chunk, data):
    damaged = data.draw(st.sets(st.integers(0, len(rows) - 2), max_size=4))  # not the last: see file.truncated
    records = []
    for number, row in enumerate(rows):
        damage = DAMAGES[data.draw(st.sampled_from(sorted(DAMAGES)))] if number in damaged else None
        out = damage(one_line(row)) if damage else map(written, row)
        records.append(",".join(out) + data.draw(LINE_ENDS))
    text = header_of(rows, ",") + "".join(records)

    found = read_data(text.encode(errors="surrogateescape"), ",", LIMITS._replace(chunk=chunk))

    lines = starts_of(records, 2)
    assert found.rows == [(lines[n], row) for n, row in enumerate(rows) if n not in damaged]
    assert [(s.line, s.number) for s in found.spoiled] == [(lines[n], n + 1) for n in sorted(damaged)]
    assert found.rejected is None


@settings(deadline=None)
@given(rows=good_tables, keep=st.floats(0, 1))
def test_a_cut_off_file_never_yields_a_record_that_was_not_there(rows, keep):
    """But for the last one, whose last cell may be shorter than it was."""
    text = header_of(rows, ",") + "".join(",".join(map(written, row)) + "\n" for row in rows)
    data = text.encode()
    start = len(header_of(rows, ","))
    found = read_data(data[: start + int((len(data) - start) * keep)])

    whole = [row for _, row in found.rows]
    assert whole[:-1] == rows[: len(whole)][:-1]
    assert len(found.spoiled) <= 1
