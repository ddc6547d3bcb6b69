"""Whatever is written, it is a configuration or a ConfigError with lines."""

from hypothesis import event, given
from hypothesis import strategies as st

from lzsyncd.config import Config, ConfigError, effective, parse

KEYS = [
    *("database", "password", "inbox", "timezone", "max_file_size", "incomplete", "user", "org", "enabled"),
    *("schedule", "apply", "settle", "set_window", "run_timeout"),
    *("missing", "on_deleted", "delimiter", "date_formats", "columns", "customfields", "idnumber"),
    *("type", "options", "default", "unique", "x", "env", "file"),
]
HEADERS = ["sites.a", "sites.b.user", "sites.b.org.customfields.x", "sites.b.user.columns", "[sites.a]", "log"]
VALUES = [
    *('"sqlite"', '"postgresql://a:b@[c/d"', '{env = "A"}', '"/a"', '"UTC"', '"2GiB"', '"keep"', '"tab"', "[[[]]]"),
    *('["%d%m%Y"]', '["%", "%d %d", 3]', '"menu"', '"number"', '"date"', '["a", "b"]', "2026-01-01", "{a.b = 1}"),
    *('"daily at 2:00"', '"weekly on x at 25:61"', '"on-arrival"', '"30s"', '"h"', "02:00:00"),
    *("inf", "0xfffffffffffffffffff", "true", "3", '"idnumber"', '"""\n"""', "[\n3,\n\n4]"),
]
SENSIBLE = ["sqlite", "/a", "UTC", "1MB", "keep", "menu", "date", "number", "%d%m%Y", "idnumber", "10m"]
SENSIBLE += ["daily at 9:00", "on-arrival"]

headers = st.sampled_from(HEADERS).map(lambda name: f"[{name}]\n")
assignments = st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)).map(lambda pair: f"{pair[0]} = {pair[1]}\n")
pieces = headers | assignments | st.sampled_from([*"[]{}=.,\"'#\n"])

GOOD_SITE = {
    "database": ['"sqlite"', '"postgresql://me@h/d"'],
    "password": ['{env = "A"}', '{file = "/a"}', '{credential = "c"}'],
    "inbox": ['"/a/in"', '"/b\u00e9 \u2028x"'],
    "timezone": ['"Europe/London"', '"UTC"'],
    "max_file_size": ['"3B"', '"1.7MB"', '"5 GiB"'],
    "incomplete": ['"sync"', '"reject"'],
    "schedule": ['"weekly on wed at 0:59"', '"DAILY at 23:59"'],
    "apply": ['"on-arrival"', '"on-schedule"'],
    "settle": ['"61s"', '"1d"'],
    "set_window": ['"0m"', '"6d23h59m59s"'],
    "run_timeout": ['"1s"', '"120m"'],
}
GOOD_PEOPLE = {
    "enabled": ["true", "false"],
    "schedule": ['"weekly on sunday at 12:00"', '"daily at 00:00"'],
    "missing": ['"keep"', '"delete"', '"suspend"'],
    "on_deleted": ['"delete"', '"suspend"'],
    "delimiter": ['"tab"', '";"'],
    "date_formats": ["[]", '["%d.%m.%y", "%%%d%b%Y"]'],
    "columns": ['{"self" = "city", "name" = "idnumber"}', '{"\\" \\\\" = "deleted"}'],
    "customfields": ['{a = {type = "menu", options = ["\u00e9, \\""]}}', "{}"],
}


def outcome(text: str) -> Config | ConfigError:
    try:
        return parse(text)
    except ConfigError as error:
        return error


def told_well(error: ConfigError, lines: int) -> bool:
    """Whether every problem is one line of the message and has a line of the file."""
    on_lines = all(1 <= problem.line <= lines for problem in error.problems)
    return bool(error.problems) and on_lines and len(str(error).splitlines()) == len(error.problems)


@given(st.text(max_size=40) | st.lists(pieces, max_size=9).map("".join))
def test_any_text_is_a_configuration_or_a_configuration_error(text):
    config = outcome(text)
    if isinstance(config, ConfigError):
        event("refused" if config.problems[0].key else "no TOML")
        assert told_well(config, text.count("\n") + 1)
    else:
        event("a configuration with sites" if config.sites else "a configuration")
        assert parse(effective(config)) == config


def quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(character):08X}" for character in text) + '"'


def table(members: dict[str, str]) -> str:
    return "{" + ", ".join(f"{name} = {member}" for name, member in members.items()) + "}"


scalars = st.sampled_from([quoted(word) for word in SENSIBLE] + ["true", "0", "-1.5", "nan", "2026-01-31"])
values = st.recursive(
    scalars | st.text(alphabet="a/%:@ \0\n\u2028\U000e0001é", max_size=5).map(quoted),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda members: f"[{', '.join(members)}]")
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4).map(table)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=4).map(table))
def test_any_value_in_any_place_is_taken_or_refused(site):
    config = outcome(f"[sites]\na = {site}")
    if isinstance(config, ConfigError):
        event("refused")
        assert told_well(config, 2)
        assert all(problem.key.startswith("sites.a.") for problem in config.problems)
    else:
        event("taken")
        assert parse(effective(config)) == config


def choices(good: dict[str, list[str]]) -> st.SearchStrategy[str]:
    """Some of the keys, each with a good value, as lines."""
    optional = {key: st.sampled_from(good[key]) for key in good}
    chosen = st.fixed_dictionaries({}, optional=optional)
    return chosen.map(lambda members: "".join(f"{key} = {value}\n" for key, value in members.items()))


@given(choices(GOOD_SITE), choices(GOOD_PEOPLE))
def test_what_takes_effect_reads_back_as_the_same_configuration(site, people):
    config = parse(f"[sites.a]\n{site}[sites.a.user]\n{people}")
    assert parse(effective(config)) == config
