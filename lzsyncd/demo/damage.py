"""Ways to break a record, each named by the finding it is meant to earn."""

from typing import NamedTuple

from lzsyncd.demo.records import COLUMN, USER_COLUMNS

_NEW = "D"  # begins the keys of records that are only there to collide with another one


class Way(NamedTuple):
    """One way to break a person's record.

    Attributes:
        code: the finding meant.
        column: the cell that gets `value`.
        value: as it stands in the file, quotes included; `{}` is the person's own key.
    """

    code: str
    column: str = ""
    value: str = ""


CYCLE = "user.manager.cycle"
SELF = "user.manager.self"

WAYS = (
    Way("user.email.invalid", "email", "ask at reception"),
    Way("key.duplicate"),
    Way("user.org.unknown", "orgidnumber", "U99999999"),
    Way("record.columns", "department", "Field, service"),
    Way("record.encoding", "lastname", "M\udcfcller"),  # ISO 8859-1
    Way("value.too_long", "firstname", "Maximiliana" * 10),
    Way("value.date", "jobassignmentstartdate", "2026-02-31"),
    Way("value.required", "lastname", ""),
    Way("user.manager.unknown", "manageridnumber", "E99999999"),
    Way("user.username.duplicate"),
    Way("value.boolean", "suspended", "perhaps"),
    Way("value.country", "country", "Narnia"),
    Way("user.email.missing", "email", ""),
    Way("record.control", "city", "Ber\0gen"),
    Way("value.option", "customfield_grade", "G77"),
    Way("user.username.invalid", "username", "jörg müller"),
    Way(SELF, "manageridnumber", "{}"),
    Way("user.email.duplicate"),
    Way("value.number", "customfield_fte", "full time"),
    Way("value.lang", "lang", "plain english"),
    Way("key.missing", "idnumber", ""),
    Way("user.pos.unknown", "posidnumber", "P99999999"),
    Way("record.columns", "customfield_fte", "1,"),
    Way("user.appraiser.unknown", "appraiseridnumber", "E99999998"),
    Way("record.columns", "city", '"Bergen'),  # a quote that nobody closes
    Way("user.appraiser.self", "appraiseridnumber", "{}"),
    Way("value.normalised", "country", "nz"),
)

_KEPT_BY_TWIN = {
    "key.duplicate": USER_COLUMNS,
    "user.username.duplicate": ("username",),
    "user.email.duplicate": ("email",),
}


def damaged(cells: list[str], way: Way) -> list[list[str]]:
    """The records to write in place of a good one: a broken one, or two that collide."""
    if way.code in _KEPT_BY_TWIN:
        return [cells, _twin(cells, _KEPT_BY_TWIN[way.code])]
    broken = list(cells)
    broken[COLUMN[way.column]] = way.value.format(cells[0])
    return [broken]


def _twin(cells: list[str], kept: tuple[str, ...]) -> list[str]:
    """Another person who shares only these columns with the first."""
    twin = list(cells)
    for column, prefix in (("idnumber", _NEW), ("username", "d."), ("email", "d.")):
        if column not in kept:
            twin[COLUMN[column]] = prefix + twin[COLUMN[column]]
    return twin


def damaged_unit(cells: list[str], element: str, place: int) -> tuple[str, list[str]]:
    """A unit's record broken in the way its place asks for: the finding meant, and the record.

    Args:
        cells: idnumber, fullname, then others; the parent's key last.
        element: `org` or `pos`.
        place: a number; ways take turns.
    """
    ways = (
        (f"{element}.parent.unknown", 0, len(cells) - 1, "NOWHERE"),
        (f"{element}.parent.self", 0, len(cells) - 1, cells[0]),
        ("value.required", 0, 1, ""),
    )
    code, _, index, value = ways[place % len(ways)]
    return code, [*cells[:index], value, *cells[index + 1 :]]
