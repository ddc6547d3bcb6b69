"""Files of which everybody knows how they are read: with quotes as RFC 4180 has them, and no doubt which ones are."""

import re

from tests.reference import reader

ENDS = rb"(?:\r\n|\n|\r)"
LONE_EMPTY = re.compile(rb'(?:^|[\r\n])""(?:$|[\r\n])')
MARK = b"\xef\xbb\xbf"


def is_wellformed(data: bytes, delimiter: str) -> bool:
    """Whether each cell is wholly in quotes, or has none, and nothing says that a quote is a stray one."""
    sign = re.escape(delimiter.encode())
    cell = rb'(?:"(?:[^"]|"")*+"|[^"\r\n' + sign + rb"]*+)"
    record = cell + rb"(?:" + sign + cell + rb")*+"
    whole = re.compile(record + rb"(?:" + ENDS + record + rb")*+")
    text = data.removeprefix(MARK)
    if text.startswith(MARK) or b"\0" in text.partition(b"\n")[0] or whole.fullmatch(text) is None:
        return False  # a second mark only we pass over; text of two bytes a character has zeros
    rows = [row for _, row in rows_of(data, delimiter)]
    if not rows or not all(name.isprintable() for name in rows[0]) or LONE_EMPTY.search(text):
        return False  # names are shown without what can't be printed; "" alone is a record to us, and blank to others
    return not any(_is_doubtful(row, len(rows[0])) for row in rows)


def _is_doubtful(row: list[str], width: int) -> bool:
    """A record over several lines that is wrong: we take its quote for a stray one, and read its lines as records."""
    return any("\n" in cell or "\r" in cell for cell in row) and (len(row) != width or damage_of(row))


def lines_in(data: bytes) -> int:
    """How many physical lines there are; an empty file has one, on which that can be said."""
    return len(re.findall(ENDS, data)) + 1


def rows_of(data: bytes, delimiter: str) -> list[tuple[int, list[str]]]:
    """Every record by the tests' own reader, with the line on which it starts."""
    text = data.removeprefix(MARK).decode("utf-8", "surrogateescape")
    rows = list(reader._rows(text, delimiter))
    own = {at for at, name in enumerate(rows[0][1]) if name.strip().lower().startswith("lz_")} if rows else set()
    return rows[:1] + [(line, _without_own_damage(row, own)) for line, row in rows[1:]]


def _without_own_damage(row: list[str], own: set[int]) -> list[str]:
    """Our own columns are empty where they are damaged."""
    return ["" if at in own and reader._damage(cell) else cell for at, cell in enumerate(row)]


def damage_of(row: list[str]) -> bool:
    """Whether the reference says that a record is damaged."""
    return any(reader._damage(cell) for cell in row)


__all__ = ["damage_of", "is_wellformed", "lines_in", "rows_of"]
