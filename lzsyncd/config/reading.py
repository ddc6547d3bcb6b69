"""`lzsyncd.toml` → `Config`, or a `ConfigError` that names everything wrong with it at once."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from posixpath import normpath
from tomllib import loads
from typing import Any, get_args

from lzsyncd.config.audiences import read_audiences
from lzsyncd.config.fields import custom_columns
from lzsyncd.config.guards import guard
from lzsyncd.config.mail import mail, notify
from lzsyncd.config.models import (
    DEFAULT_DATA_DIR,
    WAYS_TO_LEAVE,
    Apply,
    Config,
    ConfigError,
    Daemon,
    ElementConfig,
    Empty,
    Incomplete,
    Leaving,
    Log,
    Mail,
    Metrics,
    Problem,
    Site,
    UnknownReference,
    Unreadable,
)
from lzsyncd.config.page import web
from lzsyncd.config.places import Key, dotted, key_places
from lzsyncd.config.reading_remote import remote
from lzsyncd.config.secrets import secret
from lzsyncd.config.table import Complaints, Table
from lzsyncd.config.values import (
    SECONDS,
    SQLITE,
    BadValueError,
    Check,
    absolute_path,
    boolean,
    byte_size,
    database,
    date_format,
    delimiter,
    did_you_mean,
    duration,
    line_of_text,
    list_of,
    one_of,
    prom_file,
    schedule,
    time_zone,
    whole_number,
)
from lzsyncd.feed.elements import COLUMNS, OWN_PREFIX, Column, Element, Kind
from lzsyncd.learning.rules import Audience
from lzsyncd.logkeys import LogLevel

SITE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
USER_ONLY = ("unknown_reference", "allow_duplicate_emails")
MAX_WORKERS = 64
DAY = SECONDS["d"]
MAX_RETENTION = 36_600 * DAY  # a hundred years: for ever

_SYNTAX_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def load(path: Path) -> Config:
    """Read the configuration.

    Raises:
        ConfigError: the file can't be read, is no TOML, or says something lzsyncd does not understand.
    """
    return parse(_text(path), str(path))


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError([Problem(0, "", f"can't be read: {error.strerror}")], str(path)) from None
    try:
        return data.decode().removeprefix("\N{BYTE ORDER MARK}")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(line, "", "is not UTF-8 text")], str(path)) from None


def read_rules(path: Path, site: Site) -> tuple[Audience, ...]:
    """Read the audiences of a file, of a site by its name or at the top, to try them.

    Raises:
        ConfigError: the file can't be read, is no TOML, or its audiences are not understood.
    """
    values, places = _toml(_text(path), str(path))
    complaints = Complaints(places)
    root = Table(values, (), complaints)
    table = root if "audiences" in root else root.table("sites").table(site.name)
    audiences = read_audiences(table, site.element(Element.USER))
    if not audiences and not complaints.problems:
        table.complain(f"there is no audience: add [[sites.{site.name}.audiences]]")
    if complaints.problems:
        raise ConfigError(complaints.problems, str(path))
    return audiences


def parse(text: str, name: str = "lzsyncd.toml") -> Config:
    """Read the configuration from text; `name` is what messages call it.

    Raises:
        ConfigError: it is no TOML, or says something lzsyncd does not understand.
    """
    values, places = _toml(text.removeprefix("\N{BYTE ORDER MARK}"), name)
    complaints = Complaints(places)
    config = _config(Table(values, (), complaints), Path(name))
    _refuse_shared(config, complaints)
    if complaints.problems:
        raise ConfigError(complaints.problems, name)
    return config


def _toml(text: str, name: str) -> tuple[dict[str, Any], dict[Key, int]]:
    try:
        return loads(text), key_places(text)
    except RecursionError:
        problem = Problem(1, "", "lists or tables are nested too deeply")
    except ValueError as error:
        problem = _syntax_problem(str(error), text)
    raise ConfigError([problem], name)


def _syntax_problem(message: str, text: str) -> Problem:
    match = _SYNTAX_PLACE.search(message)
    if not match:
        return Problem(1, "", "is no TOML: a number has too many digits")
    message = message[: match.start()]
    if match[1]:
        return Problem(int(match[1]), "", f"is no TOML: {message} at column {match[2]}")
    return Problem(text.rstrip().count("\n") + 1, "", f"is no TOML: {message} at the end of the file")


def _config(root: Table, path: Path) -> Config:
    daemon, log, sites = root.table("daemon"), root.table("log"), root.table("sites")
    data_dir = daemon.take("data_dir", absolute_path, DEFAULT_DATA_DIR)
    workers = daemon.take("workers", whole_number(1, MAX_WORKERS), Daemon.workers)
    runtime_dir = daemon.take("runtime_dir", absolute_path, Daemon.runtime_dir)
    level: LogLevel = log.take("level", one_of(*get_args(LogLevel)), "info")
    file = log.take("file", absolute_path, None)
    server, metrics = mail(root.table("mail")), root.table("metrics")
    numbers = Metrics(metrics.take("textfile", prom_file, None), metrics.take("token", secret, None))
    page = web(root.table("web"))
    by_name = {name: _site(name, site, data_dir, server) for name, site in sites.tables()}
    config = Config(Daemon(data_dir, workers, runtime_dir), Log(level, file), server, numbers, page, by_name, path)
    for table in (daemon, log, metrics, root):
        table.finish()
    return config


def _site(name: str, table: Table, data_dir: Path, server: Mail | None) -> Site:
    if not SITE_NAME.fullmatch(name):
        table.complain("a site's name has a-z, 0-9, _ and -, begins with a letter, and is at most 32 characters long")
    plain = Site.standard(name, data_dir)
    elements = {element: _element(element, table.table(element.value)) for element in Element}
    site = Site(
        name=name,
        folder=plain.folder,
        inbox=table.take("inbox", absolute_path, plain.inbox),
        outbox=table.take("outbox", absolute_path, plain.outbox),
        database=table.take("database", database, plain.database),
        password=table.take("password", secret, None),
        page_role=table.take("page_role", line_of_text, plain.page_role),
        page_password=table.take("page_password", secret, None),
        timezone=table.take("timezone", time_zone, plain.timezone),
        max_file_size=table.take("max_file_size", byte_size, plain.max_file_size),
        schedule=table.take("schedule", schedule, plain.schedule),
        apply=table.take("apply", one_of(*get_args(Apply)), plain.apply),
        settle=table.take("settle", duration(1, DAY), plain.settle),
        set_window=table.take("set_window", duration(0, 7 * DAY), plain.set_window),
        incomplete=table.take("incomplete", one_of(*get_args(Incomplete)), plain.incomplete),
        run_timeout=table.take("run_timeout", duration(1, 7 * DAY), plain.run_timeout),
        guard=guard(table.table("guard")),
        feed_expected_every=table.take("feed_expected_every", duration(60, 366 * DAY), None),
        feed_grace=table.take("feed_grace", duration(0, 31 * DAY), plain.feed_grace),
        retention=table.take("retention", duration(DAY, MAX_RETENTION), plain.retention),
        notify=notify(table.table("notify"), server),
        mail=server,
        elements=elements,
        remote=remote(table.table("remote")),
        audiences=read_audiences(table, elements[Element.USER]),
    )
    table.finish()
    return site


def _element(element: Element, table: Table) -> ElementConfig:
    plain = ElementConfig.standard(element)
    custom = custom_columns(table.table("customfields"))
    with_time = any(column.kind is Kind.DATETIME for column in custom)
    missing, on_deleted = _leaving(element, table)
    for_people = _for_people(table, plain) if element is Element.USER else {}
    config = ElementConfig(
        enabled=table.take("enabled", boolean, plain.enabled),
        schedule=table.take("schedule", schedule, plain.schedule),
        contains_all_records=table.take("contains_all_records", boolean, plain.contains_all_records),
        create=table.take("create", boolean, plain.create),
        update=table.take("update", boolean, plain.update),
        unreadable=table.take("unreadable", one_of(*get_args(Unreadable)), plain.unreadable),
        missing=missing,
        on_deleted=on_deleted,
        empty=table.take("empty", one_of(*get_args(Empty)), plain.empty),
        delimiter=table.take("delimiter", delimiter, plain.delimiter),
        date_formats=table.take("date_formats", list_of(date_format(with_time=with_time)), plain.date_formats),
        column_map=_column_map(element, table.table("columns"), COLUMNS[element] + custom),
        custom=custom,
        **for_people,
    )
    table.finish({} if for_people else dict.fromkeys(USER_ONLY, dotted((*table.key[:-1], Element.USER.value))))
    return config


def _for_people(table: Table, plain: ElementConfig) -> dict[str, Any]:
    words = one_of(*get_args(UnknownReference))
    return {
        "unknown_reference": table.take("unknown_reference", words, plain.unknown_reference),
        "allow_duplicate_emails": table.take("allow_duplicate_emails", boolean, plain.allow_duplicate_emails),
    }


def _leaving(element: Element, table: Table) -> tuple[Leaving, Leaving]:
    """How a record goes that is missing, and one that the file deletes: as `missing`, unless that keeps it."""
    ways = WAYS_TO_LEAVE[element]
    plain = ElementConfig.standard(element)
    missing: Leaving = table.take("missing", one_of(*ways), plain.missing)
    otherwise = plain.on_deleted if missing == "keep" else missing
    on_deleted: Leaving = table.take("on_deleted", one_of(*ways[1:]), otherwise)
    return missing, on_deleted


def _column_map(element: Element, table: Table, columns: tuple[Column, ...]) -> dict[str, str]:
    target_of = _column_name(element, [column.name for column in columns])
    column_map: dict[str, str] = {}
    for header in table.values:
        folded = header.strip().casefold()
        target = table.take(header, target_of, "")
        if not folded or folded.startswith(OWN_PREFIX):
            table.complain(f"can't be mapped: a header has a name, and those with {OWN_PREFIX} are lzsyncd's", header)
        elif folded in column_map:
            table.complain("is mapped already: headers are compared trimmed and without case", header)
        elif target in column_map.values():
            table.complain(f"can't be {target} too: another header is mapped to it", header)
        elif target:
            column_map[folded] = target
    return column_map


def _column_name(element: Element, names: Sequence[str]) -> Check[str]:
    def check(value: Any) -> str:
        if value not in names:
            near = did_you_mean(value, names) if isinstance(value, str) else ""
            raise BadValueError(f"must be a column of {element.file_name} or a declared custom field{near}")
        return str(value)

    return check


def _refuse_shared(config: Config, complaints: Complaints) -> None:
    """Sites must have nothing in common. Of two that do, the one written later is at fault, and never a default."""
    owners: dict[str, str] = {}
    for key, value, noun in sorted(_claims(config), key=lambda claim: complaints.places.get(claim[0], 0)):
        if owners.setdefault(value, noun) != noun:
            complaints.add(key, f"is {owners[value]} already")


def _claims(config: Config) -> Iterator[tuple[Key, str, str]]:
    for name, site in config.sites.items():
        for place in ("folder", "inbox", "outbox"):
            path = "/" + normpath(getattr(site, place)).lstrip("/")
            yield ("sites", name, place), path, f"the {place} of site {name}"
        if site.database != SQLITE:
            yield ("sites", name, "database"), site.database, f"the database of site {name}"
