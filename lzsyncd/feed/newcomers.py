"""What the history and `custom` say of records that are new, as JSON texts, column by column.

It is made while a file is read, beside the database: in SQL it was the longest step of a first load (measured, a
million people on PostgreSQL: 9 s of the server). Who makes it knows nothing of the site: the links of a record are
taken to hold. For those that do not it is made once more (`sync/rounds.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from json.encoder import encode_basestring
from typing import NamedTuple

from lzsyncd.checks.cells import DROPPED, Rules, normalise
from lzsyncd.config import ElementConfig
from lzsyncd.feed.elements import Column, Home, Kind

END_DATE = "jobassignmentenddate"
_ESCAPED = ('"', "\\", "\n", "\r", "\t")  # no other control character comes through (`record.control`)
Cells = Mapping[str, Sequence[str]]  # by column; "" and `DROPPED` say nothing


class Member(NamedTuple):
    """One field of a new record.

    Attributes:
        name: as in the file.
        column: whose cells hold it; "" where the file has no such column.
        quoted: its JSON is a string.
        kind: what its cells hold.
        default: the normal form of the value where a cell says nothing.
        erased: an empty cell says "no value", so that no default stands for it.
    """

    name: str
    column: str
    quoted: bool
    kind: str
    default: str = ""
    erased: bool = False

    @property
    def custom_name(self) -> str:
        """How `custom` calls it."""
        return self.name.removeprefix("customfield_")


class Newcomers(NamedTuple):
    """How new records of one file are told; plain data that can be sent to another process.

    Attributes:
        fields: of the history.
        custom: those of them that `custom` holds.
    """

    fields: tuple[Member, ...]
    custom: tuple[Member, ...]

    def history(self, cells: Cells, number: int) -> list[str]:
        """For each of the records an object of all fields that have a value."""
        return _objects([(f.name, f) for f in self.fields], cells, number)

    def customs(self, cells: Cells, number: int) -> list[str]:
        """For each of the records its `custom`."""
        return _objects([(f.custom_name, f) for f in self.custom], cells, number)


NOTHING_TOLD = Newcomers((), ())


def is_raw(column: Column) -> bool:
    """Whether a custom field's value is JSON other than a string."""
    return column.home is Home.CUSTOM and column.kind in (Kind.CHECKBOX, Kind.MULTISELECT, Kind.NUMBER)


def newcomers(columns: Sequence[Column], config: ElementConfig, rules: Rules) -> Newcomers:
    """How new records are told.

    Args:
        columns: the known columns of the file.
        config: of the element.
        rules: for its cells.
    """
    last = ("suspended", END_DATE)
    there = [c for c in columns if c.kind not in (Kind.KEY, Kind.DELETED) and c.name not in last]
    names = {column.name for column in columns}
    absent = [c for c in config.custom if c.default and c.name not in names]
    state = [c for name in reversed(last) for c in columns if c.name == name]
    fields = tuple(_member(c, c.name if c.name in names else "", config, rules) for c in (*there, *absent, *state))
    in_custom = {column.name for column in config.custom}
    return Newcomers(fields, tuple(f for f in fields if f.name in in_custom))


def _member(column: Column, cells: str, config: ElementConfig, rules: Rules) -> Member:
    default = normalise(column, column.default, rules)[0] if column.default else ""
    quoted = not is_raw(column) and column.kind is not Kind.BOOLEAN
    return Member(column.name, cells, quoted, str(column.kind), default, erased=config.empty == "erase")


def told(element: str, keys: Iterable[str], objects: Iterable[str]) -> Iterable[str]:
    """What the digest of a plan covers of new records (`sync/plan.py` says the same of all changes in SQL)."""
    return map("".join, zip(repeat(f"{element} "), keys, repeat(" created "), objects, strict=False))


def _objects(named: Sequence[tuple[str, Member]], cells: Cells, number: int) -> list[str]:
    """A JSON object a record. Neighbours that every record has are put together by one call for all records."""
    pieces: list[Iterable[str]] = []
    text = ""
    begun = False  # by a member that every record has, so that no object is touched again
    for at, (name, member) in enumerate(named):
        values, everywhere = _values(member, cells, number)
        begun = begun or (everywhere and not at)
        head = f"{',' if at or not begun else '{'}{encode_basestring(name)}:"
        if everywhere:
            quote = '"' if member.quoted else ""
            pieces += [repeat(f"{text}{head}{quote}"), values]
            text = quote
        else:
            if text:
                pieces.append(repeat(text))
                text = ""
            pieces.append(_members(head, member, values))
    pieces.append(repeat(f"{text}}}", number))
    objects = map("".join, zip(*pieces, strict=False))
    return [*objects] if begun else ["{" + joined[1:] if len(joined) > 1 else "{}" for joined in objects]


def _values(member: Member, cells: Cells, number: int) -> tuple[Sequence[str], bool]:
    """What a member is in each record ("": it has none), and whether all have one."""
    column = cells.get(member.column, ()) or [DROPPED] * number
    if member.kind == Kind.BOOLEAN:
        return _truths(member, column)
    everywhere = all(column)
    if member.default and (not everywhere or DROPPED in column):
        mute = (DROPPED,) if member.erased else ("", DROPPED)
        column = [member.default if text in mute else text for text in column]
        everywhere = all(column)
    elif DROPPED in column:
        column = ["" if text == DROPPED else text for text in column]
        everywhere = False
    return (_escaped(column) if member.quoted else column), everywhere


def _truths(member: Member, column: Sequence[str]) -> tuple[Sequence[str], bool]:
    """Of `suspended` only that somebody is: a new record that does not say so is not."""
    said = {"1": "true"} if member.name == "suspended" else {"1": "true", "0": "false"}
    values = [said.get(text, "") for text in column]
    return values, all(values)


def _escaped(column: Sequence[str]) -> Sequence[str]:
    text = "".join(column)
    if any(map(text.__contains__, _ESCAPED)):
        return [encode_basestring(one)[1:-1] for one in column]
    return column


def _members(head: str, member: Member, values: Sequence[str]) -> Iterable[str]:
    """The member with the comma before it, where it is there."""
    quote = '"' if member.quoted else ""
    return [f"{head}{quote}{value}{quote}" if value else "" for value in values]
