"""The columns of `org.csv`, `pos.csv` and `user.csv`: one table drives headers, checks, staging, samples and documents.

Names and meaning follow Totara HR Import; limits are those of CONTRACT section 3.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Element(StrEnum):
    """One kind of record; its value is the name used in files, configuration and tables."""

    ORG = "org"
    POS = "pos"
    USER = "user"

    @property
    def file_name(self) -> str:
        """The file an export is delivered in."""
        return f"{self.value}.csv"

    @property
    def mended_file_name(self) -> str:
        """The reject file in the outbox, which may be mended and dropped again."""
        return f"rejected-{self.value}.csv"


class Kind(StrEnum):
    """What a cell holds, and therefore how it is checked and normalised."""

    KEY = "key"
    TEXT = "text"
    USERNAME = "username"
    EMAIL = "email"
    BOOLEAN = "boolean"
    DATE = "date"
    LANG = "lang"
    COUNTRY = "country"
    TIMEZONE = "timezone"
    URL = "url"
    REFERENCE = "reference"
    DELETED = "deleted"
    IGNORED = "ignored"
    REFUSED = "refused"
    # only as custom fields
    TEXTAREA = "textarea"
    CHECKBOX = "checkbox"
    MENU = "menu"
    MULTISELECT = "multiselect"
    DATETIME = "datetime"
    NUMBER = "number"


class Home(StrEnum):
    """Where a column's value lives."""

    OWN = "own"  # the element's own table
    JOB = "job"  # lz_job
    CUSTOM = "custom"  # a member of the JSON object `custom`
    NOWHERE = "nowhere"  # read, not stored


@dataclass(frozen=True)
class Column:
    """One column of a file.

    Attributes:
        name: as in the header, lower case.
        kind: how cells are checked.
        limit: the longest value, in characters; 0 where a kind has its own limits.
        stored: the database column that holds it ("" where it is not stored).
        home: which table `stored` is a column of.
        required: the header must have it and cells must not be empty.
        meaning: one phrase for documents and sample files.
        example: a value for sample files.
        refers_to: the element a reference names.
        unique: (custom fields) no two people, or units, may share a value.
        options: (custom fields) the values a menu or multiselect takes.
        default: (custom fields) the value of a new record that brings none, as text.
    """

    name: str
    kind: Kind
    limit: int
    stored: str
    meaning: str
    example: str = ""
    home: Home = Home.OWN
    required: bool = False
    refers_to: Element | None = None
    unique: bool = False
    options: tuple[str, ...] = ()
    default: str = ""

    @property
    def custom_name(self) -> str:
        """The member of `custom` that holds it ("" for columns that are not custom fields)."""
        return self.stored if self.home is Home.CUSTOM else ""


def has_custom(columns: Iterable[Column]) -> bool:
    """Whether there are custom fields among the columns."""
    return any(column.home is Home.CUSTOM for column in columns)


CUSTOM_PREFIX = "customfield_"
OWN_PREFIX = "lz_"  # columns of reject files; ignored when they come back
MENDED_MARK = "lz_line"

LIMIT_TEXT = 255
LIMIT_DESCRIPTION = 65_535


_DELETED = Column("deleted", Kind.DELETED, 0, "deleted", "true: this record goes", "0", home=Home.NOWHERE)
_TIMEMODIFIED = Column(
    "timemodified",
    Kind.IGNORED,
    0,
    "",
    "accepted and ignored: values are compared, not times",
    "1767225600",
    home=Home.NOWHERE,
)


def _unit(element: Element, noun: str, keys: tuple[str, str], name: str) -> tuple[Column, ...]:
    return (
        Column("idnumber", Kind.KEY, 100, "idnumber", f"the key of the {noun}", keys[1], required=True),
        Column("fullname", Kind.TEXT, 1000, "fullname", f"the name of the {noun}", name, required=True),
        Column("shortname", Kind.TEXT, 100, "shortname", "a short name", name[:12]),
        Column("description", Kind.TEXT, LIMIT_DESCRIPTION, "description", "a description", "As of 2026"),
        Column("frameworkidnumber", Kind.TEXT, 100, "framework", "the framework it belongs to", "MAIN"),
        Column("typeidnumber", Kind.TEXT, 100, "type", f"the type of {noun}", "STD"),
        Column(
            "parentidnumber",
            Kind.REFERENCE,
            100,
            "parent_id",
            f"the key of the {noun} above",
            keys[0],
            refers_to=element,
        ),
        _DELETED,
        _TIMEMODIFIED,
    )


def _job(
    name: str, kind: Kind, limit: int, stored: str, meaning: str, example: str, to: Element | None = None
) -> Column:
    return Column(name, kind, limit, stored, meaning, example, home=Home.JOB, refers_to=to)


def _plain(name: str, meaning: str, example: str, limit: int = LIMIT_TEXT) -> Column:
    return Column(name, Kind.TEXT, limit, name, meaning, example)


ORG_COLUMNS = _unit(Element.ORG, "unit", ("ACME", "OPS"), "Operations")
POS_COLUMNS = _unit(Element.POS, "position", ("STAFF", "DRIVER"), "Driver")
USER_COLUMNS: tuple[Column, ...] = (
    Column("idnumber", Kind.KEY, 255, "idnumber", "the key of the person", "E1001", required=True),
    Column("username", Kind.USERNAME, 100, "username", "the name to sign in with", "ada.lovelace", required=True),
    Column("firstname", Kind.TEXT, 100, "firstname", "first name", "Ada", required=True),
    Column("lastname", Kind.TEXT, 100, "lastname", "last name", "Lovelace", required=True),
    Column("email", Kind.EMAIL, 100, "email", "e-mail address", "ada@acme.test", required=True),
    _job("orgidnumber", Kind.REFERENCE, 100, "org_id", "the key of the person's unit", "OPS", Element.ORG),
    _job("posidnumber", Kind.REFERENCE, 100, "pos_id", "the key of the position", "DRIVER", Element.POS),
    _job("manageridnumber", Kind.REFERENCE, 255, "manager_id", "the manager's idnumber", "E1000", Element.USER),
    _job(
        "appraiseridnumber",
        Kind.REFERENCE,
        255,
        "appraiser_id",
        "the appraiser's idnumber",
        "E1000",
        Element.USER,
    ),
    _job("jobassignmentidnumber", Kind.TEXT, LIMIT_TEXT, "idnumber", "the key of the job", "J1"),
    _job("jobassignmentfullname", Kind.TEXT, LIMIT_TEXT, "fullname", "the name of the job", "Night driver"),
    _job("jobassignmentstartdate", Kind.DATE, 0, "start_date", "the day the job starts", "2026-01-01"),
    _job("jobassignmentenddate", Kind.DATE, 0, "end_date", "the day the job ends", "2027-12-31"),
    Column("suspended", Kind.BOOLEAN, 0, "suspended", "true: may not sign in", "0"),
    _DELETED,
    Column("auth", Kind.TEXT, 20, "auth", "the way of signing in", "manual"),
    Column("lang", Kind.LANG, 0, "lang", "language, BCP 47", "en-GB"),
    Column("country", Kind.COUNTRY, 0, "country", "country, ISO 3166-1 alpha-2", "GB"),
    Column("timezone", Kind.TIMEZONE, 0, "timezone", "time zone, IANA name", "Europe/London"),
    _plain("city", "city", "London"),
    _plain("phone1", "telephone", "+44 20 7946 0000"),
    _plain("phone2", "second telephone", "+44 7700 900000"),
    _plain("address", "postal address", "1 Example Street"),
    _plain("institution", "institution", "ACME Ltd"),
    _plain("department", "department", "Logistics"),
    Column("url", Kind.URL, LIMIT_TEXT, "url", "web page", "https://acme.test/"),
    _plain("description", "about the person", "Joined in 2026", LIMIT_DESCRIPTION),
    _plain("middlename", "middle name", "King"),
    _plain("alternatename", "alternate name", "Countess"),
    _plain("firstnamephonetic", "first name as spoken", "AY-da"),
    _plain("lastnamephonetic", "last name as spoken", "LUV-layss"),
    Column("emailstop", Kind.BOOLEAN, 0, "emailstop", "true: send no mail", "0"),
    _TIMEMODIFIED,
    Column("password", Kind.REFUSED, 0, "", "refused: never read, never stored", home=Home.NOWHERE),
)

COLUMNS: dict[Element, tuple[Column, ...]] = {
    Element.ORG: ORG_COLUMNS,
    Element.POS: POS_COLUMNS,
    Element.USER: USER_COLUMNS,
}

SUBJECT = {Element.ORG: "unit", Element.POS: "position", Element.USER: "person"}
