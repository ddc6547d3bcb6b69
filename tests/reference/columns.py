"""The columns of the three files (section 3), and where each value lives (section 7)."""

from typing import NamedTuple

from .model import CustomField, Policy


class Column(NamedTuple):
    """One known column: what its cells hold, the longest one, and which field of which row keeps them."""

    name: str
    kind: str
    limit: int = 0
    field: str = ""
    place: str = "row"  # "row", "job", "custom", or "" where nothing is kept
    required: bool = False
    refers_to: str = ""
    custom: CustomField = CustomField()


def _unit(element: str) -> list[Column]:
    return [
        Column("idnumber", "key", 100, "idnumber", required=True),
        Column("fullname", "text", 1000, "fullname", required=True),
        Column("shortname", "text", 100, "shortname"),
        Column("description", "text", 65_535, "description"),
        Column("frameworkidnumber", "text", 100, "framework"),
        Column("typeidnumber", "text", 100, "type"),
        Column("parentidnumber", "reference", 100, "parent", refers_to=element),
        Column("deleted", "deleted", place=""),
        Column("timemodified", "ignored", place=""),
    ]


_PERSON = [
    Column("idnumber", "key", 255, "idnumber", required=True),
    Column("username", "username", 100, "username", required=True),
    Column("firstname", "text", 100, "firstname", required=True),
    Column("lastname", "text", 100, "lastname", required=True),
    Column("email", "email", 100, "email", required=True),
    Column("orgidnumber", "reference", 100, "org", "job", refers_to="org"),
    Column("posidnumber", "reference", 100, "pos", "job", refers_to="pos"),
    Column("manageridnumber", "reference", 255, "manager", "job", refers_to="user"),
    Column("appraiseridnumber", "reference", 255, "appraiser", "job", refers_to="user"),
    Column("jobassignmentidnumber", "text", 255, "idnumber", "job"),
    Column("jobassignmentfullname", "text", 255, "fullname", "job"),
    Column("jobassignmentstartdate", "date", 0, "start_date", "job"),
    Column("jobassignmentenddate", "date", 0, "end_date", "job"),
    Column("suspended", "boolean", 0, "suspended"),
    Column("deleted", "deleted", place=""),
    Column("auth", "text", 20, "auth"),
    Column("lang", "lang", 0, "lang"),
    Column("country", "country", 0, "country"),
    Column("timezone", "timezone", 0, "timezone"),
    Column("url", "url", 255, "url"),
    Column("description", "text", 65_535, "description"),
    Column("emailstop", "boolean", 0, "emailstop"),
    Column("timemodified", "ignored", place=""),
    Column("password", "refused", place=""),
]
_PLAIN = "city phone1 phone2 address institution department middlename alternatename firstnamephonetic lastnamephonetic"

COLUMNS: dict[str, list[Column]] = {
    "org": _unit("org"),
    "pos": _unit("pos"),
    "user": _PERSON + [Column(name, "text", 255, name) for name in _PLAIN.split()],
}
LIMITS = {"text": 255, "textarea": 65_535, "url": 255}


def columns_of(element: str, policy: Policy) -> dict[str, Column]:
    """Every column that a file of the element may have, by its name in lower case."""
    custom = [
        Column(f"customfield_{name}", f.type, LIMITS.get(f.type, 0), name, "custom", f.required, "", f)
        for name, f in policy.customfields.items()
    ]
    return {column.name.lower(): column for column in COLUMNS[element] + custom}
