"""The picture every stage reads: what the files say (staging) over what stands (the zone). SQL in one vocabulary.

Tables of a run, each for `org`, `pos` and `user`; all are gone with the run:

| table | a row is |
|---|---|
| `stage_E` | a record that may change something: `line, record, seq, copy, goes, c_COLUMN…` |
| `seen_E` | (resync) any record: `line, record, idnumber, fields` |
| `match_E` | a staged record and who it is: `id` (or the one it will get), `sid` (NULL: new), its links as ids |
| `stood_E`, `stood_job` | whoever of the records stands, and their job, as they were before the first write |
| `going_E` | a standing record that goes: `id, line` (NULL: the file does not name it), `how` |
| `out_E` | a record that is rejected, with the root cause, or left out by a switch |
| `gone_E` | an id to which nothing may refer in the next state, and why |
| `dropped_E` | a link that was dropped: `line, column_name` |

A link in `match_E` is NULL (the record says nothing), 0 (no link any more), -1 (a key nobody has), or an id.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from lzsyncd.checks.findings import FindingStore
from lzsyncd.checks.values import DROPPED
from lzsyncd.feed.elements import Column, Element, Home, Kind
from lzsyncd.feed.newcomers import is_raw
from lzsyncd.feed.stage import Staged, cell
from lzsyncd.progress import Progress
from lzsyncd.zone.database import Database

UNITS = (Element.ORG, Element.POS)
LINKS = {  # user links: column of the file -> column of match_user
    "orgidnumber": "org",
    "posidnumber": "pos",
    "manageridnumber": "manager",
    "appraiseridnumber": "appraiser",
}


@dataclass
class Picture:
    """What a run works on.

    Attributes:
        database: the site's database, inside the run's transaction.
        staged: the files, by element; elements without a file have empty tables.
        findings: where findings go.
        progress: who watches.
        now: the time of the run, UTC ISO 8601.
        today: the day of the run in the site's zone, ISO.
    """

    database: Database
    staged: dict[Element, Staged]
    findings: FindingStore
    progress: Progress
    now: str
    today: str

    def table(self, name: str, columns: str, *, large: bool = False) -> None:
        """Make a table of this run; `large`: several processes may read it at once."""
        self.database.table(name, columns, large=large)

    @contextmanager
    def small_tables(self) -> Iterator[None]:
        """A block in which little comes into tables that may be large: like the others they are kept in the session."""
        dialect = self.database.dialect
        usual, dialect.staging_is_private = dialect.staging_is_private, True
        try:
            yield
        finally:
            dialect.staging_is_private = usual


def accepted(element: Element, alias: str = "m") -> str:
    """SQL: the record is neither rejected nor left out."""
    return f"NOT EXISTS (SELECT 1 FROM out_{element} x WHERE x.line = {alias}.line)"


def may_have_copies(picture: Picture, e: Element) -> bool:
    """Whether reading suspects that any key, or other value of which there may be one, is there twice."""
    suspects = f"SELECT 1 FROM suspect_{e} UNION ALL SELECT 1 FROM present_{e} LIMIT 1"
    return bool(picture.database.value(suspects))


def unstaged(picture: Picture, staged: Staged) -> int:
    """How many readable records of a file equal what stands, so that they were not staged in columns."""
    if staged.wide:
        return 0
    number = int(picture.database.value(f"SELECT count(*) FROM stage_{staged.element}"))
    return staged.records - staged.spoiled - number


def new_records(staged: Staged) -> str:
    """SQL: from the accepted records (`s`) that are new, in the order of the file; `new_id` is what each gets.

    Of people in a file that is staged wide all are: nobody stands whom it could name. They need no join (measured on
    PostgreSQL, a million people: it sorts them, 4 s of 9).
    """
    e = staged.element
    if staged.wide and e is Element.USER:
        return f"FROM stage_user s WHERE s.goes = 0 AND {accepted(e, 's')}"
    return f"FROM match_{e} m JOIN stage_{e} s ON s.line = m.line WHERE m.sid IS NULL AND NOT m.goes ORDER BY m.line"


def new_id(staged: Staged) -> str:
    """SQL: the id that the record `s` gets when it is new."""
    return f"{staged.first_id} + s.seq"


def given(staged: Staged, column: Column, stage: str = "s", standing: str = "") -> str:
    """SQL: the record says something about a column.

    With `empty = "keep"` an empty cell says nothing; with `"erase"` it says "no value", and only a dropped one is mute.
    With `update = false` nothing is said about whoever stands (`standing`: SQL that is true for those).
    """
    mute = "" if staged.config.empty == "keep" else DROPPED
    condition = f"{stage}.{cell(column)} <> '{mute}'"
    if standing and not staged.config.update:
        condition = f"({condition} AND NOT ({standing}))"
    return condition


def staged_value(staged: Staged, column: Column, stage: str = "s") -> str:
    """SQL: a given cell as the database stores it; NULL where it erases."""
    name = f"{stage}.{cell(column)}"
    if column.kind is Kind.BOOLEAN:
        otherwise = "FALSE" if column.name == "suspended" else "NULL"
        return f"CASE {name} WHEN '1' THEN TRUE WHEN '0' THEN FALSE ELSE {otherwise} END"
    return name if staged.config.empty == "keep" else f"NULLIF({name}, '')"


def standing_value(column: Column) -> str:
    """SQL: what stands in a column that is no link and no custom field (`u`: the record, `j`: its job)."""
    return f"{'j' if column.home is Home.JOB else 'u'}.{column.stored}"


def document(alias: str = "u") -> str:
    """SQL: the custom fields of a record; what is no JSON object (edited by hand) counts as none."""
    return f"(CASE WHEN {alias}.custom LIKE '{{%}}' THEN {alias}.custom ELSE '{{}}' END)"


def standing_text(picture: Picture, column: Column) -> str:
    """SQL: what stands in a column, as the text that reading the same value from a file gives; NULL for none."""
    if column.home is Home.CUSTOM:
        return picture.database.dialect.member(document(), column.stored, raw=is_raw(column))
    if column.refers_to is not None:
        return f"{link_alias(column)}.idnumber"
    if column.kind is Kind.BOOLEAN:
        value = standing_value(column)
        return f"CASE WHEN {value} THEN '1' WHEN NOT {value} THEN '0' END"
    return standing_value(column)


def link_alias(column: Column) -> str:
    """The alias of the record a standing link points to, in joins made by `link_joins`."""
    return f"l_{column.stored}"


def link_joins(columns: Sequence[Column]) -> str:
    """SQL: joins from a record (`u`) and its job (`j`) to whom their links name."""
    return "".join(
        f" LEFT JOIN lz_{column.refers_to} {link_alias(column)} ON {link_alias(column)}.id = {standing_value(column)}"
        for column in columns
        if column.refers_to is not None
    )


def job_join(element: Element, jobs: str = "lz_job") -> str:
    """SQL: the job (`j`) the feed keeps of a person (`u`), of all jobs or some; units have none."""
    return f" LEFT JOIN {jobs} j ON j.user_id = u.id AND j.managed" if element is Element.USER else ""
