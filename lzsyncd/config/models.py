"""The configuration as the program sees it: complete, checked, and never changed (CONTRACT section 6)."""

from dataclasses import dataclass, field
from datetime import time
from pathlib import Path
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from lzsyncd.config.guards import Guard
from lzsyncd.config.remote import Remote
from lzsyncd.config.secrets import Secret
from lzsyncd.errors import ExitCode, LzsyncdError
from lzsyncd.feed.elements import COLUMNS, Column, Element
from lzsyncd.learning.rules import Audience
from lzsyncd.logkeys import LogLevel
from lzsyncd.service.slots import Schedule, SiteSchedule

Apply = Literal["on-schedule", "on-arrival"]
Incomplete = Literal["hold", "sync", "reject"]
Unreadable = Literal["withhold", "proceed"]
Leaving = Literal["keep", "suspend", "hide", "delete"]
UnknownReference = Literal["drop", "reject"]
Empty = Literal["keep", "erase"]
Security = Literal["starttls", "tls", "none"]
MailKind = Literal["error", "warning", "held", "late", "recovered", "success"]
Channel = Literal["mail", "chat"]
OnLeave = Literal["remove", "keep"]

WAYS_TO_LEAVE: dict[Element, tuple[Leaving, ...]] = {
    Element.ORG: ("keep", "hide", "delete"),
    Element.POS: ("keep", "hide", "delete"),
    Element.USER: ("keep", "suspend", "delete"),
}
DEFAULT_LEAVING: dict[Element, Leaving] = {Element.ORG: "hide", Element.POS: "hide", Element.USER: "suspend"}
DEFAULT_DATA_DIR = Path("/srv/lzsyncd")
DEFAULT_MAX_FILE_SIZE = 2 * 1024**3
DEFAULT_SCHEDULE = Schedule(time(2))
PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}


class Problem(NamedTuple):
    """One thing wrong in the configuration.

    Attributes:
        line: of the file, from 1; 0 when the file could not be read at all.
        key: the dotted key; "" where the text is no TOML.
        message: what is wrong and what to write instead.
    """

    line: int
    key: str
    message: str


class ConfigError(LzsyncdError):
    """The configuration can't be used; nothing was started.

    Attributes:
        problems: everything wrong with it, in the order of the lines.
    """

    exit_code = ExitCode.CONFIGURATION

    def __init__(self, problems: list[Problem], name: str) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(_told(problem, name) for problem in self.problems))


def _told(problem: Problem, name: str) -> str:
    place = f"{name}:{problem.line}" if problem.line else name
    return ": ".join(part for part in (place, problem.key, problem.message) if part)


@dataclass(frozen=True)
class Daemon:
    """`[daemon]`: what all sites share.

    Attributes:
        data_dir: the folder that holds one folder a site.
        workers: runs at the same time, at most one a site.
        runtime_dir: where the daemon's lock and status are; gone with a reboot.
    """

    data_dir: Path = DEFAULT_DATA_DIR
    workers: int = 2
    runtime_dir: Path = Path("/run/lzsyncd")


@dataclass(frozen=True)
class Log:
    """`[log]`.

    Attributes:
        level: what is less than this is not logged.
        file: where the log is written besides; None is nowhere.
    """

    level: LogLevel = "info"
    file: Path | None = None


@dataclass(frozen=True)
class Web:
    """`[web]`: the admin page.

    Attributes:
        listen: `HOST:PORT`, or `unix:PATH`.
        tls_cert: the certificate with its chain, PEM; None without TLS of its own.
        tls_key: its private key.
    """

    listen: str = "127.0.0.1:8470"
    tls_cert: Path | None = None
    tls_key: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Mail:
    """`[mail]`: the server that takes mails for all sites.

    Attributes:
        host: its name, to which its certificate must belong.
        sender: from whom mails are: `lzsyncd@acme.test` or `lzsyncd <lzsyncd@acme.test>`.
        port: where it listens.
        security: how the connection is kept from others.
        username: the account, "" for none.
        password: of the account.
    """

    host: str
    sender: str
    port: int = PORTS["starttls"]
    security: Security = "starttls"
    username: str = ""
    password: Secret | None = None


@dataclass(frozen=True)
class Notify:
    """`[sites.NAME.notify]`: who is told about a site, and about what.

    Attributes:
        to: addresses; none: no mails.
        on: the kinds of mails.
        attach_up_to: bytes of reject files that come with a mail at most; 0 for none ever.
        chat: the addresses of chats, in the words of apprise, one a line: they have passwords in them. None: no chats.
    """

    to: tuple[str, ...] = ()
    on: tuple[MailKind, ...] = ("error", "warning", "held", "late", "recovered")
    attach_up_to: int = 1024**2
    chat: Secret | None = None


@dataclass(frozen=True)
class Metrics:
    """`[metrics]`.

    Attributes:
        textfile: what the daemon writes for Prometheus's node exporter; None: nothing.
        token: what has to be shown at the page's `/metrics`; None: there is no such address.
    """

    textfile: Path | None = None
    token: Secret | None = None


@dataclass(frozen=True, kw_only=True)
class ElementConfig:
    """`[sites.NAME.org]`, `.pos` and `.user`: how one file is read and what it may do.

    Attributes:
        enabled: the element's file belongs to a set.
        schedule: its own; None is the site's.
        contains_all_records: whom the file does not name is gone; otherwise the column `deleted` says who goes.
        create: new records are added.
        update: records that are there are changed.
        unreadable: whether removals wait when a key could not be read (law 3).
        missing: what happens to a record that the file does not name.
        on_deleted: what happens to a record whose `deleted` is true.
        unknown_reference: (people) what an unknown unit, position or person costs.
        allow_duplicate_emails: (people) addresses may be shared or empty.
        empty: what an empty cell does.
        delimiter: one character.
        date_formats: strptime formats read besides ISO 8601.
        column_map: the header's name, trimmed and case folded, to our name.
        custom: the declared custom fields.
    """

    enabled: bool = True
    schedule: Schedule | None = None
    contains_all_records: bool = True
    create: bool = True
    update: bool = True
    unreadable: Unreadable = "withhold"
    missing: Leaving = "suspend"
    on_deleted: Leaving = "suspend"
    unknown_reference: UnknownReference = "drop"
    allow_duplicate_emails: bool = False
    empty: Empty = "keep"
    delimiter: str = ","
    date_formats: tuple[str, ...] = ("%Y-%m-%d",)
    column_map: dict[str, str] = field(default_factory=dict)
    custom: tuple[Column, ...] = ()

    @classmethod
    def standard(cls, element: Element) -> "ElementConfig":
        """What holds for an element about which the file says nothing."""
        return cls(missing=DEFAULT_LEAVING[element], on_deleted=DEFAULT_LEAVING[element])

    def columns(self, element: Element) -> tuple[Column, ...]:
        """Every column the element's file may have."""
        return COLUMNS[element] + self.custom


@dataclass(frozen=True, kw_only=True)
class Site:
    """`[sites.NAME]`: one Learning Zone.

    Attributes:
        name: as in the table's header.
        folder: everything of the site on disk: spool, archive, quarantine, and the database where it is SQLite.
        inbox: where sets arrive.
        outbox: where reports are left.
        database: `sqlite`, or a `postgresql://` URL without a password.
        password: of the PostgreSQL role.
        page_role: the PostgreSQL role of the admin page, "" where it has none of its own.
        page_password: of that role.
        timezone: decides what "today" is and how local times are read.
        max_file_size: in bytes; larger files are refused unread.
        schedule: of the elements that have none of their own.
        apply: whether a good set waits for its slot.
        settle: seconds in which nothing may happen to a file before it counts as complete.
        set_window: seconds for which the missing files of a set are waited for.
        run_timeout: seconds after which a run is stopped.
        incomplete: what happens to a set of which files are missing once the window has passed.
        guard: what one run may change at most.
        feed_expected_every: seconds in which a good set is expected to come; None: there is no such thing.
        feed_grace: seconds beyond that before somebody is told.
        retention: seconds for which files, reports, findings and history are kept.
        notify: who gets mails.
        mail: how they are sent, the same for all sites; None: there are none.
        elements: the configuration of org, pos and user.
        remote: a server from which sets are fetched, too.
        audiences: groups whose members follow from rules, in the order of the file.
    """

    name: str
    folder: Path
    inbox: Path
    outbox: Path
    database: str = "sqlite"
    password: Secret | None = None
    page_role: str = ""
    page_password: Secret | None = None
    timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    max_file_size: int = DEFAULT_MAX_FILE_SIZE
    schedule: Schedule = DEFAULT_SCHEDULE
    apply: Apply = "on-schedule"
    settle: float = 30.0
    set_window: float = 600.0
    run_timeout: float = 7200.0
    incomplete: Incomplete = "hold"
    guard: Guard = field(default_factory=Guard)
    feed_expected_every: float | None = None
    feed_grace: float = 10_800.0
    retention: float = 90 * 86_400.0
    notify: Notify = Notify()
    mail: Mail | None = None
    elements: dict[Element, ElementConfig] = field(
        default_factory=lambda: {element: ElementConfig.standard(element) for element in Element}
    )
    remote: Remote | None = None
    audiences: tuple[Audience, ...] = ()

    @classmethod
    def standard(cls, name: str, data_dir: Path = DEFAULT_DATA_DIR) -> "Site":
        """A site about which the file says nothing but its name."""
        folder = data_dir / name
        return cls(name=name, folder=folder, inbox=folder / "sftp" / "inbox", outbox=folder / "sftp" / "outbox")

    def element(self, element: Element) -> ElementConfig:
        """The configuration of one element."""
        return self.elements[element]

    @property
    def channels(self) -> dict[Channel, tuple[str, ...]]:
        """In which ways somebody is told about it, and who; which chats there are, only the secret says."""
        found: dict[Channel, tuple[str, ...]] = {}
        if self.mail is not None and self.notify.to:
            found["mail"] = self.notify.to
        if self.notify.chat is not None:
            found["chat"] = ()
        return found

    @property
    def is_told(self) -> bool:
        """Whether anybody is told about it."""
        return bool(self.channels)

    @property
    def timetable(self) -> SiteSchedule:
        """When the site and its enabled elements are due."""
        enabled = {element: config for element, config in self.elements.items() if config.enabled}
        own = {element: config.schedule for element, config in enabled.items() if config.schedule}
        by_date = any(audience.moves_with_the_day for audience in self.audiences)
        return SiteSchedule(self.schedule, self.timezone, own, tuple(enabled), by_date)


@dataclass(frozen=True)
class Config:
    """The whole file.

    Attributes:
        daemon: what all sites share.
        log: the log.
        mail: the mail server, None for none.
        metrics: numbers for dashboards.
        web: the admin page.
        sites: by name, in the order of the file.
        path: where it was read from; two configurations that differ in nothing else are equal.
    """

    daemon: Daemon = Daemon()
    log: Log = Log()
    mail: Mail | None = None
    metrics: Metrics = Metrics()
    web: Web = Web()
    sites: dict[str, Site] = field(default_factory=dict)
    path: Path = field(default=Path("lzsyncd.toml"), compare=False)
