"""The fields of a record as SQL: does it change, what was it, what will it be? Plan, history and apply all ask here.

Aliases: `s` the staged record, `m` its match (accepted, links that hold), `u` who stands, `j` their job.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lzsyncd.checks.values import DROPPED
from lzsyncd.feed.elements import Column, Element, Home, Kind
from lzsyncd.feed.newcomers import END_DATE, is_raw
from lzsyncd.feed.stage import Staged, cell
from lzsyncd.sync.picture import (
    LINKS,
    Picture,
    document,
    given,
    job_join,
    link_alias,
    staged_value,
    standing_text,
    standing_value,
)

STANDS = "m.sid IS NOT NULL"
STANDING_END = "CASE WHEN u.deleted THEN NULL ELSE j.end_date END"  # who comes back has an open job again


@dataclass(frozen=True)
class Field:
    """One field of a record.

    Attributes:
        name: as in the file, or the database's name of a state (`suspended_by_feed`).
        column: where it is stored; "" for members of `custom`.
        home: which table that is in.
        changed: SQL: the next value differs from what stands.
        value: SQL of the next value, as stored; of a custom field its text.
        before: SQL of what stands, as JSON text; NULL for nothing.
        after: SQL of the next value, as JSON text; NULL for nothing.
        created_value: SQL of a new record's value, as stored; a custom field is in the record's `custom`.
    """

    name: str
    column: str
    home: Home
    changed: str
    value: str
    before: str
    after: str
    created_value: str


def standing_join(staged: Staged) -> str:
    """SQL: accepted records and who they are, with job."""
    e = staged.element
    return f"match_{e} m JOIN stage_{e} s ON s.line = m.line JOIN stood_{e} u ON u.id = m.sid{job_join(e, 'stood_job')}"


def fields_of(picture: Picture, staged: Staged) -> list[Field]:
    """The fields that records of a file may change, the key apart; custom fields by themselves."""
    return list(_fields(picture, staged))


def _fields(picture: Picture, staged: Staged) -> Iterator[Field]:
    for column in staged.columns:
        if column.kind is Kind.KEY or column.name in ("suspended", END_DATE):
            continue
        if column.refers_to is not None:
            yield _link(picture, column)
        elif column.home is Home.CUSTOM:
            yield _custom(picture, staged, column)
        else:
            yield _plain(picture, staged, column)
    yield from _user_state(picture, staged) if staged.element is Element.USER else _unit_state()


def _json(picture: Picture, column: Column, value: str) -> str:
    if column.kind is Kind.BOOLEAN:
        return f"CASE WHEN {value} THEN 'true' WHEN NOT ({value}) THEN 'false' END"
    return picture.database.dialect.quoted(f"({value})") if value != "NULL" else "NULL"


def _quoted(picture: Picture, value: str) -> str:
    """SQL: a text as JSON; NULL stays NULL (SQLite's json_quote would make it `null`)."""
    return f"CASE WHEN {value} IS NOT NULL THEN {picture.database.dialect.quoted(value)} END"


def _plain(picture: Picture, staged: Staged, column: Column) -> Field:
    says, stands = given(staged, column, standing=STANDS), standing_value(column)
    value = staged_value(staged, column)
    there = says_something(staged, column)
    if column.kind is Kind.BOOLEAN:
        created_value = f"CASE s.{cell(column)} WHEN '1' THEN TRUE WHEN '0' THEN FALSE END"
        before, after = (_json(picture, column, v) for v in (stands, value))
    else:
        created_value = f"s.{cell(column)}" if there == "TRUE" else f"CASE WHEN {there} THEN s.{cell(column)} END"
        before, after = (_quoted(picture, v) for v in (stands, value))
    return Field(
        column.name,
        column.stored,
        column.home,
        f"({says} AND {stands} IS DISTINCT FROM {value})",
        f"CASE WHEN {says} THEN {value} ELSE {stands} END",
        before,
        after,
        created_value,
    )


def says_something(staged: Staged, column: Column) -> str:
    """SQL: the cell has a value: it is neither empty nor dropped."""
    if staged.wide and staged.usable and column.name not in staged.sparse and column.kind is not Kind.DATE:
        return "TRUE"  # not for dates: they may be dropped later (`user.job.dates`)
    name = f"s.{cell(column)}"
    return f"{name} <> ''" if staged.config.empty == "keep" else f"{name} NOT IN ('', '{DROPPED}')"


def _link(picture: Picture, column: Column) -> Field:
    link = LINKS.get(column.name, "parent")
    stands = standing_value(column)
    key = f"CASE WHEN m.{link} > 0 THEN s.{cell(column)} END"
    return Field(
        column.name,
        column.stored,
        column.home,
        f"(m.{link} IS NOT NULL AND {stands} IS DISTINCT FROM NULLIF(m.{link}, 0))",
        f"CASE WHEN m.{link} IS NOT NULL THEN NULLIF(m.{link}, 0) ELSE {stands} END",
        _quoted(picture, f"{link_alias(column)}.idnumber"),
        _quoted(picture, f"({key})"),
        f"NULLIF(m.{link}, 0)",
    )


def _custom(picture: Picture, staged: Staged, column: Column) -> Field:
    says = given(staged, column, standing=STANDS)
    stands = standing_text(picture, column)
    text = f"NULLIF(s.{cell(column)}, '')"
    before, after = stands, text
    if not is_raw(column):
        before, after = (_quoted(picture, v) for v in (stands, text))
    changed = f"({says} AND {stands} IS DISTINCT FROM {text})"
    value = f"CASE WHEN {says} THEN {text} ELSE {stands} END"
    return Field(column.name, "", Home.CUSTOM, changed, value, before, after, "")


def says_suspended(staged: Staged, column: Column) -> str:
    """SQL: the record says whether the person is suspended. Who comes back may say so under `update = false`, too."""
    return given(staged, column, standing="m.sid IS NOT NULL AND NOT m.returns")


def _user_state(picture: Picture, staged: Staged) -> Iterator[Field]:
    suspended = "(u.suspended AND NOT u.suspended_by_feed)"
    fresh = "FALSE"
    if column := staged.column("suspended"):
        says = says_suspended(staged, column)
        suspended = f"CASE WHEN {says} THEN s.{cell(column)} = '1' ELSE {suspended} END"
        fresh = f"(s.{cell(column)} = '1')"
    end, new_end = STANDING_END, "NULL"
    if column := staged.column(END_DATE):
        says = given(staged, column, standing=STANDS)
        end = f"CASE WHEN {says} THEN {staged_value(staged, column)} ELSE {STANDING_END} END"
        new_end = f"CASE WHEN {says_something(staged, column)} THEN s.{cell(column)} END"
    yield Field(
        END_DATE,
        "end_date",
        Home.JOB,
        f"(j.end_date IS DISTINCT FROM {end})",
        end,
        _quoted(picture, "j.end_date"),
        _quoted(picture, f"({end})"),
        new_end,
    )
    yield _state("suspended", f"(u.suspended IS DISTINCT FROM ({suspended}))", suspended, fresh)
    yield _state("suspended_by_feed", "u.suspended_by_feed", "FALSE", "FALSE")
    yield _state("deleted", "u.deleted", "FALSE", "FALSE")


def _unit_state() -> Iterator[Field]:
    yield _state("hidden", "u.hidden_by_feed", "(u.hidden AND NOT u.hidden_by_feed)", "FALSE")
    yield _state("hidden_by_feed", "u.hidden_by_feed", "FALSE", "FALSE")


def _state(name: str, changed: str, value: str, fresh: str) -> Field:
    before = f"CASE WHEN u.{name} THEN 'true' ELSE 'false' END"
    after = f"CASE WHEN {value} THEN 'true' ELSE 'false' END"
    return Field(name, name, Home.OWN, changed, value, before, after, fresh)


def json_object(parts: list[tuple[str, str, str]]) -> str:
    """SQL: a JSON object of the members (name, SQL of whether it is there, SQL of its JSON text)."""
    if not parts:
        return "'{}'"
    members = (f"CASE WHEN {there} THEN ',\"{name}\":' || {text} ELSE '' END" for name, there, text in parts)
    return f"'{{' || substr({' || '.join(members)}, 2) || '}}'"


def changed_object(fields: list[Field], side: str) -> str:
    """SQL: the changed fields as they were (`before`) or will be (`after`)."""
    return json_object([(f.name, f.changed, f"coalesce({getattr(f, side)}, 'null')") for f in fields])


def custom_patch(fields: list[Field]) -> str:
    """SQL: the changed custom fields as an object for `Dialect.merged`; "" when the file has none."""
    custom = [
        (_member(f), f.changed, f"coalesce({f.after}, 'null')")
        for f in fields
        if f.home is Home.CUSTOM and f.changed != "FALSE"
    ]
    return json_object(custom) if custom else ""


def _member(field: Field) -> str:
    return field.name.removeprefix("customfield_")


def merged_custom(picture: Picture, patch: str) -> str:
    """SQL: the next `custom` of who stands."""
    return picture.database.dialect.merged(document(), patch)
