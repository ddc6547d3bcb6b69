"""What is fuzzed: from any bytes to a verdict. A target returns what became of them, and raises where that is wrong."""

import itertools
import random
import shutil
import tempfile
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lzsyncd.checks.catalogue import CATALOGUE
from lzsyncd.config import Config, ConfigError, Site, effective, parse
from lzsyncd.feed.csvfile import LIMITS, FileRejected, Limits
from lzsyncd.sync.run import Options, sync_folder
from tests.companies import History, histories
from tests.config.test_config_anything import KEYS, pieces, table, values
from tests.conftest import MEMORY
from tests.corpus import laws
from tests.corpus.case import CORPUS
from tests.feed.reading import Read, read_bytes
from tests.fuzz.wellformed import damage_of, is_wellformed, lines_in, rows_of
from tests.laws.bridge import expected_findings, findings_of, get_zone, normal, run_set, site_of
from tests.laws.company import DAY_ONE
from tests.laws.ground import ask, csv_of
from tests.laws.test_reference import agree
from tests.learning.world import FIELDS, ask_rules, audiences, fields_text, members_of, text_of, world_of
from tests.reference.audiences import is_broken, matched
from tests.reference.engine import sync
from tests.reference.model import CustomField, Policy
from tests.reference.model import Site as Wanted

REPOSITORY = Path(__file__).parents[2]
DELIMITERS = ",;:\t|"
LARGEST = 4096  # bytes of an input
TINY = Limits(chunk=16, cell=24, record=60)
PARTS = b"\n@@@\n"  # between the files of one input


@dataclass(frozen=True)
class Target:
    """Something that is fuzzed.

    Attributes:
        check: takes an input; says in a word what became of it, and raises where that is wrong.
        seeds: good and bad inputs to begin with.
        words: what inputs are made of.
        few: how many inputs of its own making a run of all tests takes.
    """

    check: Callable[[bytes], str]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...]
    few: int


# -- the reader


def check_reader(data: bytes) -> str:
    """A file is read as records, each once, on real lines, however much is read at a time, and as everybody would."""
    if len(data) < 2:
        return "too short"
    delimiter, chunk, body = DELIMITERS[data[0] % 5], data[1] % 61 + 1, data[2:]
    limits = TINY if data[0] & 0x80 else LIMITS
    found = _told(body, delimiter, limits)
    assert found == _told(body, delimiter, limits._replace(chunk=chunk)), "another chunk, another file"
    if isinstance(found, tuple) and not isinstance(found, Read):
        assert found[0] in CATALOGUE
        assert 0 <= found[1] <= lines_in(body), found
        return found[0]
    _counted_once(found, lines_in(body))
    if limits is LIMITS and is_wellformed(body, delimiter):
        _read_by_others(found, body, delimiter)
        return "compared"
    return "read"


def _told(data: bytes, delimiter: str, limits: Limits) -> object:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        try:
            found = read_bytes(Path(folder), data, delimiter, limits)
        except FileRejected as error:
            return error.code, error.line
    return Summary(found.header, found.rows, found.numbers, found.spoiled, found.rejected)


@dataclass(frozen=True)
class Summary:
    """What was read, without the batches in which it came."""

    header: list[str]
    rows: list[tuple[int, list[str]]]
    numbers: list[int]
    spoiled: list
    rejected: tuple[str, int] | None


def _counted_once(found: Summary, lines: int) -> None:
    records = [*zip(found.numbers, (line for line, _ in found.rows), strict=True)]
    records = sorted(records + [(one.number, one.line) for one in found.spoiled])
    assert [number for number, _ in records] == list(range(1, len(records) + 1)), "a record is counted once"
    at = [line for _, line in records]
    assert at == sorted(set(at)), "lines are in order"
    assert all(1 < line <= lines for line in at), "lines are real"
    assert all(len(row) == len(found.header) for _, row in found.rows)
    assert all(one.code in CATALOGUE for one in found.spoiled)
    if found.rejected:
        assert found.rejected[0] in CATALOGUE
        assert 1 <= found.rejected[1] <= lines


def _read_by_others(found: Summary, data: bytes, delimiter: str) -> None:
    others = rows_of(data, delimiter)
    assert found.rejected is None, found.rejected
    assert found.header == [cell.strip() for cell in others[0][1]]
    good = {line: row for line, row in others[1:] if len(row) == len(found.header) and not damage_of(row)}
    assert dict(found.rows) == good
    assert {one.line for one in found.spoiled} == {line for line, _ in others[1:]} - good.keys()


def reader_seeds() -> list[bytes]:
    """Every file of the corpus that is not large."""
    files = sorted(path for path in CORPUS.rglob("*.csv") if path.stat().st_size < LARGEST)
    return [b"\0\x0f" + path.read_bytes() for path in files]


# -- the checks

CUSTOM = {
    "badge": CustomField("text", unique=True),
    "level": CustomField("menu", options=("junior", "senior"), default="junior"),
    "skills": CustomField("multiselect", options=("read", "write")),
    "since": CustomField("date"),
    "met": CustomField("datetime"),
    "fte": CustomField("number", required=True),
    "page": CustomField("url"),
}
POLICIES = (
    Wanted(incomplete="sync"),
    Wanted(
        org=Policy(missing="delete"), pos=Policy(missing="delete"), user=Policy(missing="delete"), incomplete="sync"
    ),
    Wanted(
        org=Policy(missing="hide", contains_all_records=False),
        user=Policy(contains_all_records=False, empty="erase", unknown_reference="reject", customfields=CUSTOM),
        incomplete="sync",
    ),
    Wanted(
        org=Policy(missing="hide", empty="erase"),
        user=Policy(missing="keep", allow_duplicate_emails=True, unreadable="proceed", customfields=CUSTOM),
        incomplete="sync",
    ),
    Wanted(user=Policy(create=False, columns={"Employee No": "idnumber"}), incomplete="sync"),
    Wanted(user=Policy(update=False, delimiter=";"), incomplete="sync"),
)

_numbers = itertools.count(1)


class Bench:
    """Sites that have seen their first day, one for each policy, made once and copied for each input."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lzsyncd-fuzz-", dir=MEMORY)
        self.place = Path(self._folder.name)
        self._first: dict[int, Path] = {}

    def site(self, number: int) -> Site:
        """A fresh copy."""
        shutil.rmtree(self.place / "site", ignore_errors=True)
        if number not in self._first:
            made = self.place / f"first{number}"
            wanted = replace(
                POLICIES[number], user=replace(POLICIES[number].user, create=True, columns={}, delimiter=",")
            )
            run_set(site_of(_without_demands(wanted), made, "sqlite"), self.place / f"one{number}", DAY_ONE)
            self._first[number] = made
        shutil.copytree(self._first[number], self.place / "site")
        return site_of(POLICIES[number], self.place / "site", "sqlite")


def _without_demands(wanted: Wanted) -> Wanted:
    everybody = {
        e: replace(wanted.policy(e), contains_all_records=True, customfields={}) for e in ("org", "pos", "user")
    }
    return replace(wanted, **everybody)


_BENCH: list[Bench] = []


def bench() -> Bench:
    """One for the process."""
    if not _BENCH:
        _BENCH.append(Bench())
    return _BENCH[0]


def check_checks(data: bytes) -> str:
    """A set is synced with books that balance and reasons for all; twice is once; and as the reference would do it."""
    if not data:
        return "too short"
    number = data[0] % len(POLICIES)
    parts = data[1:].split(PARTS)
    files = dict(zip(("user.csv", "org.csv", "pos.csv"), parts))
    site = bench().site(number)
    before = get_zone(site)
    folder = bench().place / f"set{next(_numbers)}"
    result = run_set(site, folder, files)
    _is_lawful(site, result.run, files)
    comparable = all(is_wellformed(text, POLICIES[number].policy(name[:-4]).delimiter) for name, text in files.items())
    if comparable:
        expected = sync(before, files, POLICIES[number])
        got, wanted = findings_of(site, result.run), expected_findings(expected.findings)
        # which other delimiter is meant is a guess, to help; both must have come to one, or refused the header
        assert got == wanted or "file.delimiter" in {one.code for one in got + wanted}, (got, wanted)
        assert (result.status, result.counts) == (expected.status, expected.counts)
        assert get_zone(site) == normal(expected.zone)
    if result.status in ("applied", "unchanged"):
        (again,) = sync_folder(site, folder, Options())
        assert again.status == "unchanged", again
    shutil.rmtree(folder)
    return f"{result.status}, compared" if comparable else result.status


def _is_lawful(site: Site, run: str, files: dict[str, bytes]) -> None:
    findings = ask(site, "SELECT * FROM sync_error WHERE run_id = ?", run)
    for finding in findings:
        if finding["file"]:
            assert 1 <= finding["line"] <= lines_in(files[finding["file"]]), finding["code"]
    (row,) = ask(site, "SELECT status FROM sync_run WHERE id = ?", run)
    if row["status"] not in ("applied", "unchanged"):
        return
    changes = ask(site, "SELECT * FROM sync_change WHERE run_id = ?", run)
    wrong = list(laws.causes(findings))
    for count in ask(site, "SELECT * FROM sync_count WHERE run_id = ?", run):
        wrong += [*laws.books(count), *laws.reasons(count, findings), *laws.history(count, changes)]
    assert not wrong, wrong


def check_seeds() -> list[bytes]:
    """The small sets of the corpus, each under every policy that has an idea of its own about it."""
    folders = sorted({path.parent for path in CORPUS.rglob("*.csv")})
    sets = []
    for folder in folders:
        texts = [
            (folder / name).read_bytes() if (folder / name).is_file() else None
            for name in ("user.csv", "org.csv", "pos.csv")
        ]
        while texts and texts[-1] is None:
            texts.pop()
        if texts and all(text is not None for text in texts) and sum(map(len, texts)) < LARGEST:
            sets.append(PARTS.join(texts))
    return [bytes([number]) + one for at, one in enumerate(sets) for number in (0, at % len(POLICIES))]


def drawn_seeds() -> list[bytes]:
    """Bytes enough to draw something of."""
    return [random.Random(number).randbytes(LARGEST) for number in range(25)]


# -- companies: sets that mean something, drawn by hypothesis from the fuzzer's bytes


@given(history=histories())
@settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
def _companies(history: History) -> None:
    folder = bench().place / f"company{next(_numbers)}"
    try:
        agree(history, folder, "sqlite")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_companies(data: bytes) -> str:
    """Day after day the engine does what the reference does."""
    return "drawn" if _companies.hypothesis.fuzz_one_input(data) is not None else "not drawn"


@given(written=audiences())
@settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
def _audiences(written: list[dict]) -> None:
    assert check_rules(text_of(written).encode()) == "compared"


def check_audiences(data: bytes) -> str:
    """Rules of every kind have the members that they have by the reference."""
    return "drawn" if _audiences.hypothesis.fuzz_one_input(data) is not None else "not drawn"


# -- the configuration

settings_texts = st.lists(pieces, max_size=15).map("".join) | st.dictionaries(
    st.sampled_from([*KEYS, "guard", "audiences", "notify", "remote"]), values, max_size=6
).map(lambda members: f"[sites]\na = {table(members)}\n")


def check_config(data: bytes) -> str:
    """Any text is a configuration that reads back as itself, or is refused, each problem with its line."""
    text = data.decode("utf-8", "replace")
    try:
        config = parse(text)
    except ConfigError as error:
        _is_told_well(error, text)
        return "refused" if error.problems[0].key else "no TOML"
    assert parse(effective(config)) == config, "what takes effect is another configuration"
    return "taken"


def _is_told_well(error: ConfigError, text: str) -> None:
    assert error.problems
    assert all(1 <= problem.line <= text.count("\n") + 1 for problem in error.problems), "lines are real"
    assert len(str(error).splitlines()) == len(error.problems), "a problem is one line"


def config_seeds() -> list[bytes]:
    """The shipped sample, and what the corpus configures."""
    sample = (REPOSITORY / "etc" / "lzsyncd.toml").read_text()
    lines = [line.removeprefix("# ").removeprefix("#") for line in sample.splitlines()]
    tables = [part for part in sample.split("\n\n") if part.strip()]
    cases = [tomllib.loads(path.read_text()).get("config", "") for path in sorted(CORPUS.glob("*/case.toml"))]
    return [one.encode() for one in (sample, "\n".join(lines), *tables, *(f"[sites.a]\n{c}" for c in cases if c))]


@given(text=settings_texts)
@settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
def _settings(text: str) -> None:
    check_config(text.encode())


def check_settings(data: bytes) -> str:
    """What comes near a configuration is one, or is refused with its lines: any value in any place."""
    return "drawn" if _settings.hypothesis.fuzz_one_input(data) is not None else "not drawn"


# -- the rules


def check_rules(data: bytes) -> str:
    """Any rule is refused with its lines, or has the members that it has by the reference."""
    text = data.decode("utf-8", "replace")
    try:
        config: Config = parse(f"{RULES_HEAD}{text}")
    except ConfigError as error:
        _is_told_well(error, f"{RULES_HEAD}{text}")
        return "refused"
    if set(config.sites) != {"acme"} or not config.sites["acme"].audiences:
        return "no audience"
    written = tomllib.loads(f"{RULES_HEAD}{text}")["sites"]["acme"]["audiences"]
    site = replace(_taught_site(), audiences=config.sites["acme"].audiences)
    result = ask_rules(site)
    assert result.status in ("applied", "unchanged"), result.status
    got, wanted = members_of(site), _expected(site, written)
    assert got == wanted, (got, wanted)
    return "compared"


RULES_HEAD = f"[sites.acme]\n{fields_text()}\n"


def _taught_site() -> Site:
    place = bench().place
    shutil.rmtree(place / "ruled", ignore_errors=True)
    if not (place / "taught").exists():
        site = replace(
            parse(f'{RULES_HEAD}[daemon]\ndata_dir = "{place / "taught"}"\n').sites["acme"], incomplete="sync"
        )
        run_set(site, place / "lesson", STAFF)
    shutil.copytree(place / "taught", place / "ruled")
    text = f'{RULES_HEAD}[daemon]\ndata_dir = "{place / "ruled"}"\n'
    return replace(parse(text).sites["acme"], incomplete="sync")


PEOPLE = (
    "idnumber,username,firstname,lastname,email,orgidnumber,posidnumber,manageridnumber,city,country,"
    "jobassignmentfullname,jobassignmentstartdate,customfield_badge,customfield_level,customfield_skills,"
    "customfield_fte,customfield_since,customfield_union,customfield_met,customfield_page,customfield_notes"
)
STAFF = DAY_ONE | {
    "user.csv": csv_of(
        PEOPLE,
        '1,ann,Ann,Lee,ann@a.test,A,D,,London,GB,Driver,2026-11-01,k1,junior,"read,write",1,2026-11-22,1,'
        "2026-11-22T08:00:00Z,https://a.test/,notes",
        "2,bob,Bob,O'Neil,bob@a.test,N,D,1,london,NZ,Night driver,2026-11-22,K1,senior,read,0.5,2020-02-29,0,"
        "2026-03-29T01:30:00Z,,%",
        "3,cyd,Cyd,Lee,cyd@a.test,S,L,1,,,,,k,,count,-1,,,,,_",
        "4,dee,Dee,é,dee@a.test,E,L,3,L?ondon,GB,Driver,2027-01-01,,,,1.25,2026-11-23,1,,,",
    )
}


def _expected(site: Site, written: list[dict]) -> dict[str, set[int]]:
    world = world_of(site)
    names = [audience["name"] for audience in written]
    found: dict[str, set[int]] = {}
    left = list(written)
    while left:  # those that ask for others come after them
        ready = [a for a in left if not _asked(a["rules"]) & {b["name"] for b in left}]
        for audience in ready:
            broken = is_broken(world, audience["rules"], names)
            found[audience["name"]] = set() if broken else matched(world, audience, found)
        left = [a for a in left if a not in ready]
    return found


def _asked(rules: list[dict]) -> set[str]:
    found: set[str] = set()
    for rule in rules:
        if inner := rule.get("any") or rule.get("all"):
            found |= _asked(inner)
        elif rule.get("field") == "audience":
            value = next(v for k, v in rule.items() if k != "field")
            found |= {value} if isinstance(value, str) else set(value)
    return found


def rules_seeds() -> list[bytes]:
    """One of each kind of condition, and groups of them."""
    lines = [
        '{ field = "org", under = "A" }',
        '{ field = "org", not_in = ["N", "S"] }',
        '{ field = "pos", in = ["D", "L"] }',
        '{ field = "start_date", within_last = "90d" }',
        '{ field = "customfield_since", within_next = "2d" }',
        '{ field = "customfield_met", before = "2026-11-22" }',
        '{ field = "customfield_fte", after = 0.5 }',
        '{ field = "customfield_skills", contains = "read" }',
        '{ field = "customfield_skills", in = ["read", "count"] }',
        '{ field = "customfield_badge", starts_with = "k" }',
        '{ field = "lastname", ends_with = "Neil" }',
        '{ field = "city", empty = true }',
        '{ field = "manager", reports_to = "1" }',
        '{ field = "manager", has_reports = true }',
        '{ field = "customfield_union", is = true }',
        '{ any = [ { field = "country", is = "GB" }, { field = "customfield_level", is = "senior" } ] }',
    ]
    one = '[[sites.acme.audiences]]\nname = "One"\nmatch = "{}"\nrules = [{}]\nassign = ["course:1"]\n'
    two = '[[sites.acme.audiences]]\nname = "Two"\nrules = [{{ field = "audience", is = "One" }}, {}]\n'
    made = [one.format("all", line) for line in lines]
    made += [one.format("any", f"{a}, {b}") + two.format(c) for a, b, c in zip(lines, lines[1:], lines[2:])]
    return [text.encode() for text in made]


CSV_WORDS = (
    b'"',
    b'""',
    b",",
    b";",
    b"\r\n",
    b"\r",
    b"\n",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\0",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
)
SET_WORDS = (
    *CSV_WORDS,
    PARTS,
    *(name.encode() for name in ("idnumber", "username", "email", "deleted", "suspended", "parentidnumber", "lz_line")),
    *(name.encode() for name in ("manageridnumber", "orgidnumber", "customfield_fte", "jobassignmentstartdate")),
    *(b"2026-02-30", b"1", b"0", b"yes", b"ann@a.test", b"ANN", b"A,Acme,N", b"N,North,A"),
)
CONFIG_WORDS = (
    b"[sites.a]\n",
    b"[sites.a.user]\n",
    b" = ",
    b'"',
    b"'''",
    b"true",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\\u0000",
    b"1e999",
)
RULE_WORDS = tuple(
    f"{word} = ".encode() for word in ("is", "in", "not_in", "under", "contains", "starts_with", "ends_with", "empty")
) + tuple(f'"{name}"'.encode() for name in (*FIELDS, "One", "Two", "30d", "2026-11-22", "A", "1"))

TARGETS = {
    "reader": Target(check_reader, reader_seeds, CSV_WORDS, 1500),
    "checks": Target(check_checks, check_seeds, SET_WORDS, 25),
    "companies": Target(check_companies, drawn_seeds, (), 12),
    "audiences": Target(check_audiences, drawn_seeds, (), 25),
    "config": Target(check_config, config_seeds, CONFIG_WORDS, 150),
    "settings": Target(check_settings, drawn_seeds, (), 60),
    "rules": Target(check_rules, rules_seeds, RULE_WORDS, 40),
}
