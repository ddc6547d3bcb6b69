"""What the reference works on: configuration, the zone as dictionaries by key, findings and the outcome of a run."""

import copy
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

ELEMENTS = ("org", "pos", "user")
UNITS = ("org", "pos")
COUNTS = ("read", "created", "updated", "unchanged", "revived", "removed", "absent", "rejected", "warnings")

Row = dict[str, Any]


# --- configuration (section 6) ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class CustomField:
    """A custom field as the configuration declares it. `type` is one of the nine types of section 3."""

    type: str = "text"
    required: bool = False
    unique: bool = False
    options: tuple[str, ...] = ()
    default: str = ""


@dataclass(frozen=True)
class Policy:
    """The configuration of one element. `on_deleted` None: as `missing`, and "suspend"/"hide" where that is "keep"."""

    enabled: bool = True
    contains_all_records: bool = True
    create: bool = True
    update: bool = True
    unreadable: str = "withhold"
    missing: str = "suspend"
    on_deleted: str | None = None
    unknown_reference: str = "drop"
    allow_duplicate_emails: bool = False
    empty: str = "keep"
    delimiter: str = ","
    date_formats: tuple[str, ...] = ("%Y-%m-%d",)
    columns: dict[str, str] = field(default_factory=dict)
    customfields: dict[str, CustomField] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """What one run may change: shares like `10%`, numbers, or None."""

    max_removed: int | str | None = "10%"
    max_updated: int | str | None = "75%"
    max_created: int | str | None = None
    max_key_changes: int | str | None = "5%"
    max_moved: int | str | None = "25%"
    max_manager_changes: int | str | None = None
    max_rejected: int | str | None = "20%"
    min_records: int = 20
    on_exceed: str = "hold"

    def of(self, figure: str) -> int | str | None:
        limit: int | str | None = getattr(self, f"max_{figure}")
        return limit


@dataclass(frozen=True)
class Site:
    """The configuration of one site."""

    org: Policy = field(default_factory=lambda: Policy(missing="hide"))
    pos: Policy = field(default_factory=lambda: Policy(missing="hide"))
    user: Policy = field(default_factory=Policy)
    timezone: str = "Europe/London"
    incomplete: str = "hold"
    limits: Limits | None = None  # None: no history has as many records as the default asks for

    def __post_init__(self) -> None:
        for element in ELEMENTS:
            allowed = ("keep", "suspend", "delete") if element == "user" else ("keep", "hide", "delete")
            policy = self.policy(element)
            if policy.missing not in allowed or policy.on_deleted not in (None, *allowed[1:]):
                raise ValueError(f"{element}: records go by one of {allowed}")

    def policy(self, element: str) -> Policy:
        return {"org": self.org, "pos": self.pos, "user": self.user}[element]

    def way_of_the_deleted(self, element: str) -> str:
        """How a record with `deleted` true goes."""
        policy = self.policy(element)
        softest = "suspend" if element == "user" else "hide"
        return policy.on_deleted or (policy.missing if policy.missing != "keep" else softest)


# --- the zone (section 7), everything by key instead of id --------------------------------------------------------

UNIT_FIELDS = ("fullname", "shortname", "description", "framework", "type", "parent")
_PERSON = (
    "username email firstname lastname auth lang country timezone city phone1 phone2 address institution department "
    "url description middlename alternatename firstnamephonetic lastnamephonetic emailstop"
)
PERSON_FIELDS = tuple(_PERSON.split())
JOB_FIELDS = ("idnumber", "fullname", "start_date", "end_date", "org", "pos", "manager", "appraiser")


def unit(managed: bool = True, **given: Any) -> Row:
    """A row of `lz_org` or `lz_pos`; `parent` is a key."""
    row = dict.fromkeys(UNIT_FIELDS) | {"fullname": "", "custom": {}, "hidden": False, "hidden_by_feed": False}
    return _filled(row | {"managed": managed}, given)


def person(managed: bool = True, **given: Any) -> Row:
    """A row of `lz_user`."""
    row = dict.fromkeys(PERSON_FIELDS) | {"username": "", "firstname": "", "lastname": "", "custom": {}}
    flags = {"managed": managed, "suspended": False, "suspended_by_feed": False, "deleted": False}
    return _filled(row | flags, given)


def job(managed: bool = True, **given: Any) -> Row:
    """A row of `lz_job`, the one job of its person; `org`, `pos`, `manager`, `appraiser` are keys."""
    return _filled(dict.fromkeys(JOB_FIELDS) | {"managed": managed}, given)


def _copied(rows: dict[str, Row]) -> dict[str, Row]:
    """Rows of one's own: only custom fields have anything inside that could be shared."""
    return {
        key: row | ({"custom": copy.deepcopy(row["custom"])} if "custom" in row else {}) for key, row in rows.items()
    }


def _filled(row: Row, given: Row) -> Row:
    if strange := set(given) - set(row):
        raise ValueError(f"no such field: {sorted(strange)}")
    return row | given


@dataclass
class Zone:
    """All tables but the ledger. `jobs` is by the person's key: the feed's, or that of a person made by hand."""

    org: dict[str, Row] = field(default_factory=dict)
    pos: dict[str, Row] = field(default_factory=dict)
    people: dict[str, Row] = field(default_factory=dict)
    jobs: dict[str, Row] = field(default_factory=dict)

    def copy(self) -> "Zone":
        return Zone(*(_copied(rows) for rows in (self.org, self.pos, self.people, self.jobs)))

    def rows(self, element: str) -> dict[str, Row]:
        return {"org": self.org, "pos": self.pos, "user": self.people}[element]

    def path(self, element: str, key: str) -> tuple[str, ...]:
        """The keys from the root to this unit: what `path` says in ids; its length is `depth`."""
        rows, path = self.rows(element), [key]
        while (above := rows[path[0]]["parent"]) is not None:
            path.insert(0, above)
        return tuple(path)


# --- findings (section 4) -----------------------------------------------------------------------------------------


class Finding(NamedTuple):
    """One thing wrong. `element` "" and `line` 0 where it is about the whole set."""

    element: str
    line: int
    column: str
    code: str
    idnumber: str = ""


_FATAL = "file.empty file.no_records file.encoding file.delimiter file.header.missing file.header.duplicate"
_DROPS_LINK = (
    "user.org.unknown user.pos.unknown user.manager.unknown user.manager.self user.manager.cycle "
    "user.appraiser.unknown user.appraiser.self user.job.dates"
)
_WARNING = (
    "set.incomplete set.removals_withheld guard.exceeded file.column.unknown "
    "value.date value.number value.option value.country "
    "value.timezone value.lang value.url value.normalised org.in_use pos.in_use user.manager.inactive "
    "user.password.refused"
)
_ERROR = (
    "record.columns record.encoding record.control key.missing key.duplicate key.unmanaged value.required "
    "value.too_long value.unique org.parent.unknown org.parent.self org.parent.cycle org.parent.removed "
    "pos.parent.unknown pos.parent.self pos.parent.cycle pos.parent.removed user.username.invalid "
    "user.username.duplicate user.username.taken user.email.missing user.email.invalid user.email.duplicate "
    "user.email.taken"
)
SEVERITIES = {
    **dict.fromkeys(_FATAL.split(), "fatal"),
    **dict.fromkeys(_ERROR.split(), "error"),
    **dict.fromkeys((_WARNING + " " + _DROPS_LINK).split(), "warning"),
}


def severity(finding: Finding, site: Site) -> str:
    """What a finding costs: "fatal", "error" or "warning"."""
    if finding.code == "value.boolean":
        return "error" if finding.column in ("deleted", "suspended") else "warning"
    if finding.code == "set.incomplete" and site.incomplete == "reject":
        return "fatal"
    if finding.code in _DROPS_LINK.split() and site.user.unknown_reference == "reject":
        return "error"
    return SEVERITIES[finding.code]


# --- the outcome --------------------------------------------------------------------------------------------------


@dataclass
class Outcome:
    """What a run did.

    Attributes:
        status: "applied", "unchanged", "held" (an incomplete set) or "rejected".
        zone: the zone after the run; the one before it where nothing was applied.
        counts: the columns of `sync_count` by element, for the elements that the set has a file of.
        findings: all of them, sorted.
        withheld: the elements in which somebody would have gone, had every key been readable (law 3).
        protected: units (element, key) whose removal was refused because something holds them.
        rounds: how many rounds (2a) the plan that counts took; 1 when nothing broke a rule.
        plannings: how often planning started, 1 without refused removals.
    """

    status: str
    zone: Zone
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    withheld: set[str] = field(default_factory=set)
    protected: set[tuple[str, str]] = field(default_factory=set)
    rounds: int = 0
    plannings: int = 0

    @property
    def codes(self) -> Counter[str]:
        return codes(self.findings)


def codes(findings: Iterable[Finding]) -> Counter[str]:
    return Counter(finding.code for finding in findings)
