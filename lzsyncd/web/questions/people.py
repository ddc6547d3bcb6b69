"""People, their jobs, and who reports to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from lzsyncd.feed.elements import Element
from lzsyncd.web.questions.slices import COUNTED, LAST_SIGN, ROWS, Listing, Slice, Test, joined, look
from lzsyncd.zone.database import Database
from lzsyncd.zone.dialect import Row
from lzsyncd.zone.models import User

FEW = 2_000  # rows that are quicker to find by their index than by looking through all


class PersonLine(NamedTuple):
    """A person in a list."""

    id: int
    idnumber: str | None
    username: str
    email: str | None
    firstname: str
    lastname: str
    suspended: bool
    deleted: bool
    managed: bool
    org_id: int | None
    pos_id: int | None

    @property
    def state(self) -> str:
        """`active`, `suspended` or `deleted`."""
        return "deleted" if self.deleted else "suspended" if self.suspended else "active"


PERSON_COLUMNS = (
    "u.id AS id, u.idnumber AS idnumber, u.username AS username, u.email AS email, u.firstname AS firstname, "
    "u.lastname AS lastname, u.suspended AS suspended, u.deleted AS deleted, u.managed AS managed, "
    "j.org_id AS org_id, j.pos_id AS pos_id, u.custom AS custom"
)
# with the key after which it begins: PostgreSQL may merge, and would else begin with the very first job
PEOPLE = "FROM lz_user u LEFT JOIN lz_job j ON j.user_id = u.id AND j.user_id > ? AND j.managed WHERE TRUE"
STATES = {
    "active": "NOT suspended AND NOT deleted",
    "suspended": "suspended AND NOT deleted",
    "deleted": "deleted",
    "by-hand": "NOT managed",
}


@dataclass(frozen=True)
class PeopleFilter:
    """Who is wanted; "" and 0 for anybody.

    Attributes:
        text: occurs in their names, username or address, or is their key.
        state: a key of `STATES`.
        field: a declared custom field.
        field_value: what that field has to be.
        org: the id of a unit; whoever is below it counts, too.
        pos: the id of a position, likewise.
    """

    text: str = ""
    state: str = ""
    field: str = ""
    field_value: str = ""
    org: int = 0
    pos: int = 0


def people(database: Database, wanted: PeopleFilter, after: int = 0) -> Slice[PersonLine]:
    """People in the order in which they came; on the first page those whose key, username or address it is lead."""
    tests = _people_tests(database, wanted)
    source, given = PEOPLE, [after]
    for element, unit in ((Element.ORG, wanted.org), (Element.POS, wanted.pos)):
        if unit:
            below, parameters = _below(database, element, unit)
            if few := _few_in(database, element, below, parameters):
                source, given = f"{source} AND u.id IN ({', '.join('?' * len(few))})", [*given, *few]
            else:
                tests.append((f"{element}_id IN ({below})", parameters))
    found = look(database, Listing(PERSON_COLUMNS, source, given, "u.id", *joined(tests)), after)
    lines = [_person(row) for row in found.rows]
    if wanted == PeopleFilter(text=wanted.text) and wanted.text and not after:
        lines = list({line.id: line for line in [*known(database, wanted.text), *lines]}.values())
    return Slice(lines, found.after, found.whole)


def _person(row: Row) -> PersonLine:
    return PersonLine._make(row[: len(PersonLine._fields)])


def _people_tests(database: Database, wanted: PeopleFilter) -> list[Test]:
    tests: list[Test] = [(STATES[wanted.state], ())] if wanted.state in STATES else []
    if wanted.text:
        words = "lower(firstname || ' ' || lastname || ' ' || username || ' ' || coalesce(email, ''))"
        tests.append((f"({database.dialect.place(words, 'lower(?)')} > 0 OR idnumber = ?)", (wanted.text,) * 2))
    if wanted.field:
        tests.append((f"{database.dialect.member('custom', wanted.field, raw=False)} = ?", (wanted.field_value,)))
    return tests


def _below(database: Database, element: Element, unit: int) -> tuple[str, Sequence[Any]]:
    """A query for the ids of a unit and everything below it."""
    path = database.value(f"SELECT path FROM lz_{element} WHERE id = ?", (unit,)) or "-"
    return f"SELECT id FROM lz_{element} WHERE path >= ? AND path < ?", (path, f"{path}{LAST_SIGN}")


def _few_in(database: Database, element: Element, below: str, parameters: Sequence[Any]) -> list[int]:
    """The ids of people in a unit, where they are few; [0] for none, [] for many."""
    query = f"SELECT user_id FROM lz_job WHERE managed AND {element}_id IN ({below}) LIMIT ?"
    found = [int(row[0]) for row in database.rows(query, (*parameters, FEW + 1))]
    return [] if len(found) > FEW else found or [0]


def known(database: Database, text: str) -> list[PersonLine]:
    """Who has that key, username or address."""
    tests = {
        "u.idnumber = ?": (text,),
        "lower(u.username) = lower(?) AND NOT u.deleted": (text,),
        "lower(u.email) = lower(?) AND NOT u.deleted": (text,),
    }
    found: dict[int, PersonLine] = {}
    for test, parameters in tests.items():
        for row in database.rows(f"SELECT {PERSON_COLUMNS} {PEOPLE} AND {test} LIMIT {ROWS}", (0, *parameters)):
            found[int(row[0])] = _person(row)
    return list(found.values())


def person_row(database: Database, number: int) -> dict[str, Any]:
    """All of a person by column, {} where there is none."""
    columns = User._meta.sorted_field_names  # noqa: SLF001 Peewee's own way
    found = database.rows(f"SELECT {', '.join(columns)} FROM lz_user WHERE id = ?", (number,))
    return dict(zip(columns, found[0])) if found else {}


JOB_COLUMNS = (
    "idnumber",
    "fullname",
    "start_date",
    "end_date",
    "org_id",
    "pos_id",
    "manager_id",
    "appraiser_id",
    "managed",
)


def jobs(database: Database, number: int) -> list[dict[str, Any]]:
    """The jobs of a person, the feed's first."""
    columns = ", ".join(JOB_COLUMNS)  # an index for either half, none for both: asked for apart
    halves = (f"SELECT {columns} FROM lz_job WHERE user_id = ? AND {half}" for half in ("managed", "NOT managed"))
    return [dict(zip(JOB_COLUMNS, row)) for row in database.rows(" UNION ALL ".join(halves), (number, number))]


class Report(NamedTuple):
    """Somebody who reports to another; `reports` is how many report to them in turn, `COUNTED` for that or more."""

    id: int
    name: str
    reports: int


def reports_of(database: Database, manager: int, after: int = 0) -> Slice[Report]:
    """Who reports to somebody directly."""
    theirs = f"SELECT 1 FROM lz_job r WHERE r.manager_id = u.id LIMIT {COUNTED}"
    listing = Listing(
        f"u.id AS id, u.firstname || ' ' || u.lastname, (SELECT count(*) FROM ({theirs}) AS few)",
        "FROM lz_job j JOIN lz_user u ON u.id = j.user_id WHERE j.manager_id = ? AND NOT u.deleted",
        [manager],
        "u.id",
    )
    found = look(database, listing, after)
    return Slice([Report(*row) for row in found.rows], found.after)


def all_reports(database: Database, manager: int) -> int:
    """How many people are below somebody, directly or not; `COUNTED` for that many or more.

    Level by level: a recursive query would go on to the last of a million before it counts.
    """
    found: set[int] = set()
    level = {manager}
    while level and len(found) < COUNTED:
        marks = ", ".join("?" * len(level))
        query = f"SELECT user_id FROM lz_job WHERE manager_id IN ({marks}) LIMIT ?"
        below = {int(row[0]) for row in database.rows(query, (*level, COUNTED))}
        level = below - found - {manager}
        found |= level
    return min(len(found), COUNTED)
