"""What a configuration must not say, and on which line it is told."""

import sys

import pytest

from lzsyncd.config import ConfigError, load, parse
from lzsyncd.errors import ExitCode


def problems(text: str) -> list[tuple[int, str, str]]:
    """What is wrong with a configuration; fails when nothing is."""
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return [tuple(problem) for problem in caught.value.problems]


def the_problem(text: str) -> tuple[int, str, str]:
    (only,) = problems(text)
    return only


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        ("\n[demon]\n", 2, "demon", 'unknown key; did you mean "daemon"?'),
        ("[pages]\n", 1, "pages", "unknown key; the keys here are daemon, log, sites, mail, metrics, web"),
        ("[daemon]\n\npoll = 2", 3, "daemon.poll", "unknown key; the keys here are data_dir, workers, runtime_dir"),
        ("[daemon]\nworker = 2", 2, "daemon.worker", 'unknown key; did you mean "workers"?'),
        ("[daemon]\nworkers = 0", 2, "daemon.workers", "must be a whole number from 1 to 64, without quotes"),
        ("[daemon]\nworkers = 65", 2, "daemon.workers", "must be a whole number from 1 to 64"),
        ("[daemon]\nworkers = 2.0", 2, "daemon.workers", "must be a whole number from 1 to 64"),
        ("[daemon]\nworkers = true", 2, "daemon.workers", "must be a whole number from 1 to 64"),
        ('[daemon]\nworkers = "2"', 2, "daemon.workers", "must be a whole number from 1 to 64, without quotes"),
        ("sites = 3", 1, "sites", "must be a table, [sites]"),
        ("[[sites]]\nname = 1", 1, "sites", "must be a table, [sites]"),
        ("[sites]\nacme = 3", 2, "sites.acme", "must be a table, [sites.acme]"),
        ("[sites.acme]\nuser = true", 2, "sites.acme.user", "must be a table, [sites.acme.user]"),
        ('[daemon]\ndata_dir = "data"', 2, "daemon.data_dir", "must be an absolute path"),
        ("[daemon]\ndata_dir = 1", 2, "daemon.data_dir", "must be text in quotes"),
        ('[daemon]\ndata_dir = "/a\\u0000"', 2, "daemon.data_dir", "must not have line breaks or other control"),
        ('[daemon]\ndata_dir = "/a\\u007F"', 2, "daemon.data_dir", "must not have line breaks or other control"),
        ('[daemon]\ndata_dir = " /a"', 2, "daemon.data_dir", "nor begin or end with a blank"),
        ('[log]\nlevel = "warn"', 2, "log.level", 'not "warn"; did you mean "warning"?'),
        ("[log]\nlevel = 3", 2, "log.level", 'must be "debug", "info", "warning" or "error"'),
        ("[sites.Acme]", 1, "sites.Acme", "a site's name has a-z, 0-9, _ and -"),
        (f"[sites.{'a' * 33}]", 1, f"sites.{'a' * 33}", "at most 32 characters"),
        ('[sites."a b"]', 1, 'sites."a b"', "a site's name has"),
    ],
)
def test_the_file_as_a_whole_is_checked(text, line, key, message):
    problem = the_problem(text)
    assert problem[:2] == (line, key)
    assert message in problem[2]


@pytest.mark.parametrize(
    ("body", "line", "key", "message"),
    [
        ('databse = "sqlite"', 2, "databse", 'did you mean "database"?'),
        ('\n\ntimezone = "Europe/Londn"', 4, "timezone", 'not "Europe/Londn"; did you mean "Europe/London"?'),
        ('timezone = "Europe"', 2, "timezone", "must be an IANA name"),
        ('timezone = "../etc/passwd"', 2, "timezone", "must be an IANA name"),
        ("max_file_size = 2000", 2, "max_file_size", 'like "2GiB"'),
        ('max_file_size = "2 ib"', 2, "max_file_size", 'like "2GiB"'),
        ('max_file_size = "0B"', 2, "max_file_size", 'like "2GiB"'),
        ('max_file_size = "2"', 2, "max_file_size", 'like "2GiB"'),
        ('incomplete = "holds"', 2, "incomplete", 'did you mean "hold"?'),
        ('shedule = "daily at 02:00"', 2, "shedule", 'unknown key; did you mean "schedule"?'),
        ("schedule = 02:00:00", 2, "schedule", "must be text in quotes"),
        ('\nschedule = "hourly"', 3, "schedule", 'must be like "daily at 02:00" or "weekly on sunday at 02:00", not'),
        (
            'schedule = "weekly on mondey at 2:00"',
            2,
            "schedule",
            'not "weekly on mondey at 2:00"; did you mean "weekly on monday at 02:00"?',
        ),
        ('schedule = "daily at 24:00"', 2, "schedule", "from 00:00 to 23:59; midnight is 00:00"),
        ('apply = "on-arival"', 2, "apply", 'not "on-arival"; did you mean "on-arrival"?'),
        ("settle = 30", 2, "settle", 'must be a duration in quotes with its units (d, h, m, s), like "30s"'),
        ('settle = "30"', 2, "settle", "must be a duration in quotes"),
        ('settle = ""', 2, "settle", "must be a duration in quotes"),
        ('settle = "0s"', 2, "settle", "must be from 1s to 1d"),
        ('settle = "1d1s"', 2, "settle", "must be from 1s to 1d"),
        ('set_window = "10 minutes"', 2, "set_window", "must be a duration in quotes"),
        ('set_window = "30m1h"', 2, "set_window", "must be a duration in quotes"),
        ('set_window = "-1s"', 2, "set_window", "must be a duration in quotes"),
        ('set_window = "8d"', 2, "set_window", "must be from 0s to 7d"),
        ('retention = "23h"', 2, "retention", "must be from 1d to 36600d"),
        ('run_timeout = "0h"', 2, "run_timeout", "must be from 1s to 7d"),
        ('run_timeout = "999999999h"', 2, "run_timeout", "must be a duration in quotes"),
        ('run_timeout = "2H"', 2, "run_timeout", "must be a duration in quotes"),
        ('inbox = "~/in"', 2, "inbox", "must be an absolute path"),
        ('database = "sqllite"', 2, "database", 'did you mean "sqlite"?'),
        ('database = "mysql://me@h/d"', 2, "database", "must be SQLite or PostgreSQL"),
        ('database = "postgres://me@h/d"', 2, "database", 'did you mean "postgresql"?'),
        ('database = "postgresql://h/d"', 2, "database", "names no user; write"),
        ('database = "postgresql://me@h"', 2, "database", "names no database; write"),
        ('database = "postgresql://me@/"', 2, "database", "names no host and no database; write"),
        ('database = "postgresql://me@h:port/d"', 2, "database", "can't be read as an address"),
        ('database = "postgresql://me@h:5432,i:port/d"', 2, "database", "can't be read as an address"),
        ('database = "postgresql://me@h/d#x"', 2, "database", "can't be read as an address"),
        ('database = "postgresql://me@[h/d"', 2, "database", "can't be read as an address"),
        ('password = "x"', 2, "password", "must not be written here; keep it elsewhere"),
        ("password = {}", 2, "password", "must name one place"),
        ('password = {env = "A", file = "/a"}', 2, "password", "must name one place"),
        ('\npassword = {credentials = "A"}', 3, "password.credentials", 'did you mean "credential"?'),
        ('password = {file = "a"}', 2, "password.file", "must be an absolute path"),
        ('password = {env = "A-B"}', 2, "password.env", "must be a plain name"),
        ('password = {credential = "../shadow"}', 2, "password.credential", "must be a plain name"),
        ('password = {credential = ".."}', 2, "password.credential", "must be a plain name"),
        ("password.credential = 3", 2, "password.credential", "must be text in quotes"),
    ],
)
def test_a_site_is_checked(body, line, key, message):
    problem = the_problem(f"[sites.acme]\n{body}")
    assert problem[:2] == (line, f"sites.acme.{key}")
    assert message in problem[2]


@pytest.mark.parametrize(
    ("body", "line", "key", "message"),
    [
        ('mising = "keep"', 2, "mising", 'unknown key; did you mean "missing"?'),
        ('missing = "hide"', 2, "missing", 'must be "keep", "suspend" or "delete", not "hide"'),
        ('on_deleted = "keep"', 2, "on_deleted", 'must be "suspend" or "delete", not "keep"'),
        ('enabled = "yes"', 2, "enabled", "must be true or false, without quotes"),
        ('schedule = "weekly on sunday"', 2, "schedule", 'must be like "daily at 02:00"'),
        ('schedule = " daily at 02:00"', 2, "schedule", "nor begin or end with a blank"),
        ('settle = "5s"', 2, "settle", "unknown key"),
        ('unreadable = "withold"', 2, "unreadable", 'did you mean "withhold"?'),
        ('unknown_reference = "rejects"', 2, "unknown_reference", 'did you mean "reject"?'),
        ('empty = "clear"', 2, "empty", 'must be "keep" or "erase", not "clear"'),
        ('delimiter = "  "', 2, "delimiter", 'must be one of "," ";" ":" "|" and "tab"'),
        ("delimiter = [1]", 2, "delimiter", "must be one of"),
        ('date_formats = "%d/%m/%Y"', 2, "date_formats", "must be a list"),
        ('date_formats = [\n"%d/%m/%Y",\n"%d/%m"]', 4, "date_formats[1]", "does not give day, month and year"),
        ('date_formats = ["%d %d %m %Y"]', 2, "date_formats[0]", "has the same directive twice"),
        ('date_formats = ["%A %d %m %Y"]', 2, "date_formats[0]", 'has "%A"'),
        ('date_formats = ["%d/%m/%Y%"]', 2, "date_formats[0]", 'has "%"'),
        ('date_formats = ["\ud800%d/%m/%Y"]', 2, "date_formats[0]", "does not give day, month and year"),
        ('date_formats = ["%d/%m/%Y %H:%M"]', 2, "date_formats[0]", "has a time of day"),
        (
            'customfields.x.type = "datetime"\ndate_formats = ["%d/%m/%Y %I:%M"]',
            3,
            "date_formats[0]",
            "%I without %p",
        ),
        ('columns = {"No" = "idnumer"}', 2, "columns.No", 'did you mean "idnumber"?'),
        ('columns = {"No" = 1}', 2, "columns.No", "must be a column of user.csv"),
        ('columns = {"No" = "customfield_x"}', 2, "columns.No", "or a declared custom field"),
        ('columns."" = "idnumber"', 2, 'columns.""', "a header has a name"),
        ('columns.LZ_Line = "idnumber"', 2, "columns.LZ_Line", "those with lz_ are lzsyncd's"),
        (
            '[sites.acme.user.columns]\n"No" = "idnumber"\n"Number" = "idnumber"',
            4,
            "columns.Number",
            "another header is mapped to it",
        ),
        ('[sites.acme.user.columns]\n"No" = "idnumber"\n" nO " = "city"', 4, 'columns." nO "', "is mapped already"),
    ],
)
def test_an_element_is_checked(body, line, key, message):
    problem = the_problem(f"[sites.acme.user]\n{body}")
    assert problem[:2] == (line, f"sites.acme.user.{key}")
    assert message in problem[2]


@pytest.mark.parametrize("key", ["unknown_reference", "allow_duplicate_emails"])
def test_keys_of_people_are_refused_for_units_and_say_where_they_belong(key):
    assert the_problem(f"[sites.acme.org]\n{key} = 1") == (
        2,
        f"sites.acme.org.{key}",
        "unknown key here; it belongs to sites.acme.user",
    )


@pytest.mark.parametrize(
    ("body", "line", "key", "message"),
    [
        ("", 1, "", "needs a type: text, textarea, checkbox"),
        ('type = "string"', 2, ".type", "must be"),
        ('type = "txet"', 2, ".type", 'did you mean "text"?'),
        ('type = "text"\nlabel = "X"', 3, ".label", "unknown key"),
        ('type = "text"\nrequired = 1', 3, ".required", "must be true or false"),
        ('type = "menu"', 1, "", "needs options"),
        ('type = "text"\noptions = ["a"]', 3, ".options", "only fields of type menu and multiselect"),
        ('type = "menu"\noptions = []', 3, ".options", "must name one value at least"),
        ('type = "menu"\noptions = [\n"a",\n\n"a"]', 6, ".options[1]", "is in the list twice"),
        ('type = "multiselect"\noptions = ["b", "a,b"]', 3, ".options[1]", "must have no comma"),
        ('type = "menu"\noptions = [" a"]', 3, ".options[0]", "nor begin or end with a blank"),
        ('type = "menu"\noptions = ["North"]\ndefault = "Nort"', 4, ".default", 'did you mean "North"?'),
        ('type = "multiselect"\noptions = ["a", "b"]\ndefault = "a,c"', 4, ".default", '"c" is none of the options'),
        ('type = "multiselect"\noptions = ["a"]\ndefault = [\n"a",\n"c"]', 6, ".default[1]", "is none of the options"),
        (f'type = "text"\ndefault = "{"x" * 256}"', 3, ".default", "is longer than 255 characters"),
        ('type = "textarea"\ndefault = 3', 3, ".default", "must be text in quotes"),
        ('type = "textarea"\ndefault = ""', 3, ".default", "must not be empty"),
        ('type = "textarea"\ndefault = "a\\u0000"', 3, ".default", "control characters"),
        ('type = "checkbox"\ndefault = "maybe"', 3, ".default", "must be true or false"),
        ('type = "date"\ndefault = "2026-02-30"', 3, ".default", "must be a date like"),
        ('type = "date"\ndefault = 2026-01-01T10:00:00', 3, ".default", "must be a date like"),
        ('type = "datetime"\ndefault = "noon"', 3, ".default", "must be a date and time like"),
        ('type = "number"\ndefault = nan', 3, ".default", "must be a number"),
        ('type = "number"\ndefault = true', 3, ".default", "must be a number"),
        (f'type = "number"\ndefault = 0x{"f" * 5000}', 3, ".default", "must be a number"),
        ('type = "url"\ndefault = "javascript:alert(1)"', 3, ".default", "must be a web address"),
        ('type = "url"\ndefault = "http://[x"', 3, ".default", "must be a web address"),
        ('type = "text"\nunique = true\ndefault = "x"', 4, ".default", "can't go with unique"),
    ],
)
def test_a_custom_field_is_checked(body, line, key, message):
    problem = the_problem(f"[sites.acme.user.customfields.x]\n{body}")
    assert problem[:2] == (line, f"sites.acme.user.customfields.x{key}")
    assert message in problem[2]


@pytest.mark.parametrize("name", ["X", "_x", "1x", '"a-b"', f"{'a' * 65}", '"x\\n"'])
def test_a_custom_field_has_a_plain_name(name):
    line, _, message = the_problem(f'[sites.acme.user.customfields]\n{name} = {{type = "text"}}')
    assert line == 2
    assert message.startswith("a field's name has")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[daemon]\n\ndata_dir = /srv\n", 3, "is no TOML: Invalid value at column 12"),
        ("[daemon]\n[daemon]\n", 2, "is no TOML: Cannot declare ('daemon',) twice at column 8"),
        ('[daemon]\ndata_dir = """\n\n', 2, "is no TOML: Unterminated string at the end of the file"),
        ("a = 1\na = 2", 2, "is no TOML: Cannot overwrite a value at the end of the file"),
        ("a = " + "9" * 5000, 1, "is no TOML: a number has too many digits"),
        ("a = " + "[" * 5000, 1, "lists or tables are nested too deeply"),
    ],
)
def test_text_that_is_no_toml_is_told_with_its_line(text, line, message):
    problem = the_problem(text)
    assert problem[:2] == (line, "")
    assert problem[2].startswith(message)


def test_everything_wrong_is_told_at_once_in_the_order_of_the_lines():
    text = """\
[log]
level = "loud"
[sites.acme]
timezone = "Mars"
shedule = "daily"
[sites.acme.user]
missing = "remove"
date_formats = ["%d",
  "%m"]
[sites.acme.user.customfields.x]
type = "menu"
options = ["a", "a", 3]
[daemon]
data_dir = "srv"
"""
    assert [(line, key) for line, key, _ in problems(text)] == [
        (2, "log.level"),
        (4, "sites.acme.timezone"),
        (5, "sites.acme.shedule"),
        (7, "sites.acme.user.missing"),
        (8, "sites.acme.user.date_formats[0]"),
        (9, "sites.acme.user.date_formats[1]"),
        (12, "sites.acme.user.customfields.x.options[1]"),
        (12, "sites.acme.user.customfields.x.options[2]"),
        (14, "daemon.data_dir"),
    ]


def test_the_error_is_one_line_a_problem_with_file_line_and_key():
    with pytest.raises(ConfigError) as caught:
        parse('[log]\nlevel = "warn"\n[daemon]\n"a\\nb" = 1', "etc/my.toml")
    assert str(caught.value).splitlines() == [
        'etc/my.toml:2: log.level: must be "debug", "info", "warning" or "error", not "warn"; did you mean "warning"?',
        'etc/my.toml:4: daemon."a\\nb": unknown key; the keys here are data_dir, workers, runtime_dir',
    ]
    assert caught.value.exit_code is ExitCode.CONFIGURATION


@pytest.mark.parametrize(
    ("first", "second", "key", "message"),
    [
        ('inbox = "/in"', 'inbox = "/x/../in/"', "inbox", "is the inbox of site a already"),
        ('outbox = "/out"', 'inbox = "/out"', "inbox", "is the outbox of site a already"),
        ("", 'inbox = "/srv/lzsyncd/a/sftp/inbox"', "inbox", "is the inbox of site a already"),
        ("", 'outbox = "/srv/lzsyncd/a"', "outbox", "is the folder of site a already"),
        ("", 'inbox = "/b"\noutbox = "/b"', "outbox", "is the inbox of site b already"),
        (
            'database = "postgresql://me@h/d"',
            'database = "postgresql://me@h/d"',
            "database",
            "is the database of site a already",
        ),
    ],
)
def test_two_sites_share_nothing(first, second, key, message):
    text = f"[sites.a]\n{first}\n[sites.b]\n{second}\n"
    line = 1 + text.splitlines().index(second.splitlines()[-1], 3)
    assert the_problem(text) == (line, f"sites.b.{key}", message)


def test_a_folder_that_is_written_down_is_at_fault_not_a_default_that_comes_later():
    text = '[sites.a]\ninbox = "/srv/lzsyncd/b/sftp/inbox"\n[sites.b]\n'
    assert the_problem(text) == (2, "sites.a.inbox", "is the inbox of site b already")


def test_postgresql_without_its_driver_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert the_problem('[sites.a]\ndatabase = "postgresql://me@h/d"') == (
        2,
        "sites.a.database",
        "needs the PostgreSQL driver: pip install 'lzsyncd[postgres]'",
    )


def test_a_file_is_read_with_or_without_byte_order_mark(tmp_path):
    for text in ("[sites.acme]\n", "\N{BYTE ORDER MARK}[sites.acme]\n"):
        path = tmp_path / "lzsyncd.toml"
        path.write_text(text, encoding="utf-8")
        config = load(path)
        assert list(config.sites) == ["acme"]
        assert config.path == path


def test_windows_line_breaks_keep_the_count_of_lines():
    assert the_problem('[log]\r\n\r\nlevel = "x"\r\n')[0] == 3


def test_a_file_that_can_not_be_read_is_a_configuration_error(tmp_path):
    for path, reason in ((tmp_path / "none.toml", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert str(caught.value) == f"{path}: can't be read: {reason}"


def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path):
    path = tmp_path / "lzsyncd.toml"
    path.write_bytes(b"[log]\n# caf\xe9\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == f"{path}:2: is not UTF-8 text"
