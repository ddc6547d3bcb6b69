"""What a configuration means."""

from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from lzsyncd.config import Config, ElementConfig, Site, effective, parse
from lzsyncd.config.values import duration_text
from lzsyncd.feed.elements import COLUMNS, Element, Home, Kind
from lzsyncd.service.slots import Schedule, SiteSchedule


def user(body: str) -> ElementConfig:
    return parse(f"[sites.acme.user]\n{body}").sites["acme"].element(Element.USER)


def test_a_site_needs_nothing_but_its_name():
    site = parse("[sites.acme]").sites["acme"]
    assert site == Site.standard("acme")
    assert site.database == "sqlite"
    assert site.password is None
    assert site.folder == Path("/srv/lzsyncd/acme")
    assert site.inbox == Path("/srv/lzsyncd/acme/sftp/inbox")
    assert site.outbox == Path("/srv/lzsyncd/acme/sftp/outbox")
    assert site.timezone == ZoneInfo("UTC")
    assert site.max_file_size == 2 * 1024**3
    assert site.incomplete == "hold"
    assert str(site.schedule) == "daily at 02:00"
    assert site.apply == "on-schedule"
    assert (site.settle, site.set_window, site.run_timeout) == (30.0, 600.0, 7200.0)


def test_an_empty_file_is_a_configuration_without_sites():
    assert parse("") == Config()


def test_two_runs_at_the_same_time_are_the_default_and_64_the_most():
    assert parse("").daemon.workers == 2
    assert parse("[daemon]\nworkers = 64").daemon.workers == 64


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("daily at 02:00", Schedule(time(2))),
        ("Weekly on SUN at 23:59", Schedule(time(23, 59), 6)),
        ("daily  at 7:05", Schedule(time(7, 5))),
    ],
)
def test_a_schedule_is_daily_or_weekly(written, meant):
    assert parse(f'[sites.a]\nschedule = "{written}"').sites["a"].schedule == meant


def test_the_timetable_has_the_enabled_files_and_their_own_schedules():
    site = parse(
        '[sites.a]\ntimezone = "Europe/London"\n[sites.a.user]\nschedule = "weekly on monday at 03:00"\n'
        '[sites.a.pos]\nenabled = false\nschedule = "daily at 04:00"'
    ).sites["a"]
    own = {Element.USER: Schedule(time(3), 0)}
    assert site.timetable == SiteSchedule(site.schedule, site.timezone, own, (Element.ORG, Element.USER))


@pytest.mark.parametrize("written", ["on-schedule", "on-arrival"])
def test_sets_are_applied_on_schedule_or_on_arrival(written):
    assert parse(f'[sites.a]\napply = "{written}"').sites["a"].apply == written


@pytest.mark.parametrize(
    ("written", "seconds", "shown"),
    [
        ("0s", 0.0, "0s"),
        ("30s", 30.0, "30s"),
        ("90s", 90.0, "1m30s"),
        ("10m", 600.0, "10m"),
        ("2h", 7200.0, "2h"),
        ("1h30m", 5400.0, "1h30m"),
        ("7d", 604_800.0, "7d"),
        ("1d0h1s", 86_401.0, "1d1s"),
    ],
)
def test_durations_have_units(written, seconds, shown):
    window = parse(f'[sites.a]\nset_window = "{written}"').sites["a"].set_window
    assert window == seconds
    assert duration_text(window) == shown


def test_folders_follow_the_data_folder_unless_they_are_set():
    config = parse('[daemon]\ndata_dir = "/data"\n[sites.a]\noutbox = "/elsewhere/out"')
    assert config.sites["a"].inbox == Path("/data/a/sftp/inbox")
    assert config.sites["a"].outbox == Path("/elsewhere/out")
    assert config.sites["a"].folder == Path("/data/a")


def test_people_are_suspended_and_units_hidden_by_default():
    site = parse("[sites.acme]").sites["acme"]
    assert [site.element(element).missing for element in Element] == ["hide", "hide", "suspend"]


@pytest.mark.parametrize(
    ("element", "written", "expected"),
    [
        ("user", "", ("suspend", "suspend")),
        ("user", 'missing = "delete"', ("delete", "delete")),
        ("user", 'missing = "keep"', ("keep", "suspend")),
        ("user", 'missing = "keep"\non_deleted = "delete"', ("keep", "delete")),
        ("user", 'on_deleted = "delete"', ("suspend", "delete")),
        ("org", 'missing = "keep"', ("keep", "hide")),
        ("pos", 'missing = "delete"', ("delete", "delete")),
    ],
)
def test_records_marked_deleted_go_as_missing_ones_do_unless_those_are_kept(element, written, expected):
    config = parse(f"[sites.acme.{element}]\n{written}").sites["acme"].element(Element(element))
    assert (config.missing, config.on_deleted) == expected


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("1B", 1),
        ("500 kB", 500_000),
        ("3MB", 3_000_000),
        ("1GB", 10**9),
        ("1KiB", 1024),
        ("1.5MiB", 1536 * 1024),
        ("2gib", 2 * 1024**3),
    ],
)
def test_sizes_have_units(written, size):
    assert parse(f'[sites.a]\nmax_file_size = "{written}"').sites["a"].max_file_size == size


@pytest.mark.parametrize(("written", "meant"), [(";", ";"), ("tab", "\t"), (r"\t", "\t"), ("|", "|"), (":", ":")])
def test_a_delimiter_is_a_sign_or_the_word_tab(written, meant):
    assert user(f'delimiter = "{written}"').delimiter == meant


def test_headers_are_mapped_trimmed_and_without_case():
    config = user('columns = {" Employee No " = "idnumber", "STRASSE" = "address"}')
    assert config.column_map == {"employee no": "idnumber", "strasse": "address"}


def test_a_header_may_be_mapped_to_a_declared_custom_field():
    config = user('columns = {"Cost Centre" = "customfield_cc"}\ncustomfields.cc.type = "text"')
    assert config.column_map == {"cost centre": "customfield_cc"}


def test_a_custom_field_is_a_column_like_the_others():
    config = user(
        '[sites.acme.user.customfields.region]\ntype = "menu"\nrequired = true\noptions = ["N", "S"]\ndefault = "S"'
    )
    (column,) = config.custom
    assert config.columns(Element.USER) == (*COLUMNS[Element.USER], column)
    assert (column.name, column.stored, column.custom_name) == ("customfield_region", "region", "region")
    assert (column.kind, column.limit, column.home) == (Kind.MENU, 255, Home.CUSTOM)
    assert (column.required, column.unique, column.options, column.default) == (True, False, ("N", "S"), "S")


@pytest.mark.parametrize(
    ("kind", "limit"), [("text", 255), ("textarea", 65_535), ("url", 255), ("number", 0), ("date", 0)]
)
def test_the_type_of_a_custom_field_limits_it(kind, limit):
    (column,) = user(f'customfields.x.type = "{kind}"').custom
    assert column.limit == limit


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        ('type = "text", default = "a"', "a"),
        ('type = "textarea", default = "one\\ntwo"', "one\ntwo"),
        ('type = "checkbox", default = true', "1"),
        ('type = "checkbox", default = "No"', "0"),
        ('type = "multiselect", options = ["a", "b"], default = ["b", "a"]', "b,a"),
        ('type = "multiselect", options = ["a", "b"], default = "a,b"', "a,b"),
        ('type = "date", default = 2026-01-31', "2026-01-31"),
        ('type = "date", default = "2026-01-31"', "2026-01-31"),
        ('type = "datetime", default = 2026-01-31T09:30:00', "2026-01-31T09:30:00"),
        ('type = "number", default = -42', "-42"),
        ('type = "number", default = 0.25', "0.25"),
        ('type = "url", default = "https://acme.test/a"', "https://acme.test/a"),
    ],
)
def test_a_default_is_the_text_of_a_cell_that_says_the_same(declared, text):
    (column,) = user(f"customfields.x = {{{declared}}}").custom
    assert column.default == text


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me@db.acme.test/zone",
        "postgresql://me@db.acme.test:5433/zone?sslmode=require",
        "postgresql://me@/zone?host=/run/postgresql&port=5433",
        "postgresql://me@[::1]/zone",
        "postgresql://me@left:5432,right:5433/zone?target_session_attrs=read-write",
    ],
)
def test_a_site_may_live_in_postgresql(url):
    assert parse(f'[sites.a]\ndatabase = "{url}"').sites["a"].database == url


def test_dates_may_have_times_where_a_custom_field_keeps_them():
    config = user('date_formats = ["%d.%m.%y", "%d/%m/%Y %I:%M %p"]\ncustomfields.x.type = "datetime"')
    assert config.date_formats == ("%d.%m.%y", "%d/%m/%Y %I:%M %p")


FULL = """
[daemon]
data_dir = "/data"
workers = 5
[log]
level = "debug"
[sites.acme]
database = "postgresql://me@db/zone?sslmode=require"
password = {credential = "acme_db"}
inbox = "/in"
outbox = "/out"
timezone = "Europe/London"
max_file_size = "1.5kB"
schedule = "weekly on fri at 23:05"
apply = "on-arrival"
settle = "90s"
set_window = "0s"
incomplete = "sync"
run_timeout = "1d2h3m4s"
[sites.acme.org]
schedule = "daily at 1:00"
missing = "keep"
on_deleted = "delete"
[sites.acme.user]
enabled = false
contains_all_records = false
create = false
update = false
unreadable = "proceed"
missing = "delete"
on_deleted = "suspend"
unknown_reference = "reject"
allow_duplicate_emails = true
empty = "erase"
delimiter = "tab"
date_formats = ["%d/%m/%Y", "%d %b %Y %H:%M"]
[sites.acme.user.columns]
"name" = "firstname"
'the "No"' = "idnumber"
[sites.acme.user.customfields]
a = {type = "multiselect", options = ["x", "y\\\\z"], default = ["x"]}
b = {type = "checkbox", required = true, default = true}
c = {type = "number", unique = true}
d = {type = "datetime", default = 2026-01-31T09:30:00.5+01:00}
e = {type = "textarea", default = "one\\ntwo"}
[sites.beta]
"""


@pytest.mark.parametrize("text", ["", "[sites.acme]", FULL])
def test_what_takes_effect_reads_back_as_the_same_configuration(text):
    config = parse(text)
    assert parse(effective(config)) == config


def test_what_takes_effect_shows_where_a_secret_is_kept_and_never_the_secret(monkeypatch):
    monkeypatch.setenv("LZ_TEST_SECRET", "tr0ub4dor")
    shown = effective(parse('[sites.a]\npassword = {env = "LZ_TEST_SECRET"}'))
    assert 'password = {env = "LZ_TEST_SECRET"}' in shown
    assert "tr0ub4dor" not in shown
