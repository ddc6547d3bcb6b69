"""Law 8: no value of a file reaches a log, the screen, a traceback, a mail, a metric, or what a run is said to be.

Every cell holds a canary, the broken ones, too. The findings may sing of it; nothing else may.
"""

import csv
import io
import json
import logging
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import structlog
from hypothesis import event, given
from hypothesis import strategies as st

from lzsyncd import __main__ as program
from lzsyncd.config import load
from lzsyncd.feed.elements import Column, Element, Kind
from lzsyncd.sync import apply, reporting, run
from tests.conftest import copies_of
from tests.laws.full import FULL, above, file_of, stored_columns
from tests.laws.ground import Ground, ask, look, moderate, tell
from tests.report.letterbox import HOST, Letterbox, served
from tests.service.test_daemon import Company

REPOSITORY = Path(__file__).parents[2]
SECRETS = ("canary", "kanarie", "1987-06-05", "87654.321")
"""What is in all cells, in one way or another."""

TEXT = "Canary \"7f3a\", 'it''s' <canary@leak.example> kanarie\nsecond line"


def canary(column: Column, number: int) -> str:
    """A good value."""
    values = {
        Kind.USERNAME: f"canary.{number}@leak.example",
        Kind.EMAIL: f"kanarie+{number}@leak.example",
        Kind.DATE: "1987-06-05",
        Kind.DATETIME: "1987-06-05T04:03:02Z",
        Kind.NUMBER: "87654.321",
        Kind.URL: f"https://canary:kanarie@leak.example/{number}",
        Kind.BOOLEAN: "0",
        Kind.LANG: "en-x-canary",
        Kind.REFERENCE: "" if number else "canary-2",
        Kind.MULTISELECT: "one",
        Kind.MENU: "one",
    }
    if column.kind in (Kind.TEXT, Kind.TEXTAREA):
        return f"{TEXT} {number}" if column.limit > 20 else f"canary {number}"
    return values.get(column.kind, "")


def broken(_column: Column, number: int) -> str:
    """A bad value, wherever a value can be bad."""
    return f"canary {number} kanarie@leak@example,{'canary' * 20}"


def records(site: Any, e: Element, keys: tuple[str, ...], value: Callable[[Column, int], str]) -> list[dict[str, str]]:
    columns = stored_columns(site, e)
    return [{"idnumber": key} | {c.name: value(c, number) for c in columns} for number, key in enumerate(keys)]


def sets(site: Any) -> dict[str, tuple[int, dict[str, bytes]]]:
    """For each end of a run: its exit code and a set full of canaries."""
    good = {e.file_name: file_of(site, e, *records(site, e, ("canary-1", "canary-2"), canary)) for e in Element}
    faulty = {
        e.file_name: file_of(site, e, *records(site, e, ("canary-3", "canary-4", "canary-4", "", "canary-5"), broken))
        for e in Element
    }
    user = good["user.csv"]
    ragged = b'canary-6,canary,"canary\ncanary-7,ca"nary\xff,\x00canary,canary\n'
    return {
        "success": (0, good),
        "findings": (10, faulty),
        "damage": (10, good | {"user.csv": user + ragged}),
        "unknown columns": (10, good | {"org.csv": b"idnumber,fullname,canary,kanarie\ncanary-1,canary,canary,\n"}),
        "header": (30, good | {"user.csv": b"canary,kanarie@leak.example,idnumber,idnumber\ncanary,,1,2\n"}),
        "delimiter": (30, good | {"user.csv": user.replace(b",", b";")}),
        "truncated": (30, good | {"user.csv": user + b'canary-6,"canary'}),
        "utf-16": (30, good | {"user.csv": user.decode().encode("utf-16")}),
        "held": (20, {"user.csv": user}),
    }


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def secrets(self) -> list[str]:
        return [word for word in SECRETS if word in f"{self.out}\n{self.err}".lower()]


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Commands set the log up for the whole process."""
    root, own = logging.getLogger(), logging.getLogger("lzsyncd")
    before = root.handlers[:], root.level, own.level, logging.raiseExceptions
    yield
    root.handlers[:], logging.raiseExceptions = before[0], before[3]
    root.setLevel(before[1])
    own.setLevel(before[2])
    structlog.reset_defaults()


class Aviary:
    """A site that is synced with canaries, by the command."""

    def __init__(self, ground: Ground, capsys: pytest.CaptureFixture[str], box: Letterbox) -> None:
        self.box = box
        self.site = ground.fresh(FULL)
        self.capsys = capsys
        self.folder = self.site.folder.parent
        self.folder.mkdir(exist_ok=True)
        text = (
            f'[daemon]\ndata_dir = "{self.folder}"\n[log]\nlevel = "debug"\n'
            f'{mail_to(box)}[sites.acme]\ndatabase = "{self.site.database}"\n'
        )
        self.config = self.folder / "lzsyncd.toml"
        self.config.write_text(text + tables(), encoding="utf-8")

    def deliver(self, files: dict[str, bytes]) -> Path:
        folder = self.folder / f"in{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)
        return folder

    def sync(self, files: dict[str, bytes], *more: str) -> Ended:
        self.capsys.readouterr()
        words = ["--config", str(self.config), "sync", "acme", "--from", str(self.deliver(files)), *more]
        return Ended(program.main(words), *self.capsys.readouterr())

    @property
    def told_of_the_run(self) -> str:
        """Everything that the ledger and mails say of the last run itself."""
        rows = ask(self.site, "SELECT * FROM sync_run ORDER BY created_at DESC, id DESC LIMIT 1")
        return json.dumps(rows, default=str).lower() + mailed(self.box)


def mail_to(box: Letterbox) -> str:
    return f'[mail]\nhost = "{HOST}"\nport = {box.port}\nsecurity = "none"\nfrom = "lzsyncd@acme.test"\n'


def tables() -> str:
    """Who is told, and the custom fields."""
    text = '[sites.acme.notify]\nto = ["it@acme.test"]\non = ["error", "warning", "held", "recovered", "success"]\n'
    for e in Element:
        for name, custom in FULL.policy(e).customfields.items():
            text += f'[sites.acme.{e}.customfields.{name}]\ntype = "{custom.type}"\n'
            text += f"options = {json.dumps(custom.options)}\n" if custom.options else ""
    return text


def mailed(box: Letterbox) -> str:
    """All that mails say, but for the files that come with them."""
    heads = [str(message.items()) for message in box.taken]
    texts = [box.text(number, kind) for number in range(len(box.taken)) for kind in ("plain", "html")]
    return "\n".join(heads + texts).lower()


@pytest.fixture
def box() -> Iterator[Letterbox]:
    with served(Letterbox()) as server:
        yield server


@pytest.fixture
def aviary(ground: Ground, capsys: pytest.CaptureFixture[str], box: Letterbox) -> Aviary:
    return Aviary(ground, capsys, box)


SILENCE = Path(os.devnull)
ENDS = ("success", "findings", "damage", "unknown columns", "header", "delimiter", "truncated", "utf-16", "held")


def test_however_a_run_ends_it_names_no_value(aviary: Aviary, request: pytest.FixtureRequest) -> None:
    server_log = SILENCE if aviary.site.database == "sqlite" else request.getfixturevalue("cluster").folder / "log"
    size = server_log.stat().st_size
    every = sets(aviary.site)
    assert set(every) == set(ENDS)
    for end, (code, files) in every.items():
        for more in ((), ("--dry-run", "--json")):
            ended = aviary.sync(files, *more)
            assert (end, ended.code, ended.secrets) == (end, code, [])
            assert not [word for word in SECRETS if word in aviary.told_of_the_run]
            if "--json" in more:
                assert json.loads(ended.out)["status"]
                for line in ended.err.splitlines():
                    json.loads(line)
    assert len(aviary.box.taken) > 3, "otherwise nothing was proved of mails"
    told = server_log.read_bytes()[size:].decode().lower()
    assert not [word for word in SECRETS if word in told]


def test_the_findings_may_name_it(aviary: Aviary) -> None:
    """Otherwise the canaries above prove nothing."""
    _, files = sets(aviary.site)["findings"]
    aviary.sync(files)
    told = json.dumps(ask(aviary.site, "SELECT * FROM sync_error"), default=str)
    assert told.count("canary") > 100
    summary = next(aviary.site.outbox.glob("*/summary.json")).read_text(encoding="utf-8")
    assert "canary" not in summary


DATABASE_ERRORS = {
    "postgresql": {
        "a check": "ALTER TABLE lz_user ADD CHECK (city NOT LIKE '%anary%')",
        "a unique index": "CREATE UNIQUE INDEX only_one ON lz_user (substr(city, 1, 20))",
        "a cast": "ALTER TABLE lz_user ADD COLUMN number INTEGER GENERATED ALWAYS AS (department::integer) STORED",
        "a limit": "ALTER TABLE lz_user ALTER COLUMN city TYPE VARCHAR(5)",
        "a trigger": "CREATE TRIGGER sings BEFORE INSERT ON lz_user FOR EACH ROW EXECUTE FUNCTION sing()",
        "json": "CREATE INDEX of_json ON lz_user ((department::jsonb))",
        "history": "ALTER TABLE sync_change ADD CHECK (after NOT LIKE '%anary%')",
        "findings": "ALTER TABLE sync_error ADD CHECK (line < 3)",
    },
    "sqlite": {
        "a unique index": "CREATE UNIQUE INDEX only_one ON lz_user (substr(city, 1, 20))",
        "a trigger": "CREATE TRIGGER sings BEFORE INSERT ON lz_user BEGIN SELECT RAISE(ABORT, 'no'); END",
        "json": "CREATE INDEX of_json ON lz_user (json(department))",
        "history": "CREATE UNIQUE INDEX only_one ON sync_change (substr(after, 1, 1))",
        "findings": "CREATE TRIGGER sings BEFORE INSERT ON sync_error BEGIN SELECT RAISE(ABORT, 'no'); END",
    },
}
SING = "CREATE FUNCTION sing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', NEW.city; END $$"


@pytest.mark.parametrize("name", DATABASE_ERRORS["postgresql"])
def test_an_error_of_the_database_names_no_value(aviary: Aviary, name: str) -> None:
    kind = "sqlite" if aviary.site.database == "sqlite" else "postgresql"
    if name not in DATABASE_ERRORS[kind]:
        return
    if kind == "postgresql":
        tell(aviary.site, SING)
    tell(aviary.site, DATABASE_ERRORS[kind][name])
    before = look(aviary.site)
    for more in ((), ("--json",)):
        ended = aviary.sync(sets(aviary.site)["damage"][1], *more)
        assert (ended.code, ended.secrets) == (1, [])
        (log,) = [json.loads(line) for line in ended.err.splitlines() if "error.stack_trace" in line]
        assert log["error.type"]
        assert '"failed"' in aviary.told_of_the_run
        assert not [word for word in SECRETS if word in aviary.told_of_the_run]
        assert look(aviary.site) == before


def wrong_value() -> None:
    """A fault of ours, with a value in the text of the error, in its cause, a note and the local variables."""
    secret = TEXT
    try:
        {}[secret]
    except KeyError as cause:
        cause.add_note(secret)
        raise ValueError(f"no such thing: {secret}") from cause


def wrong_bytes() -> None:
    """An error that holds what it could not read."""
    TEXT.encode("utf-16").decode("utf-8")


STEPS = [(run, "settle"), (run, "make_plan"), (apply, "_create"), (apply, "refresh_paths"), (reporting, "after_commit")]


@pytest.mark.parametrize(("module", "step"), STEPS, ids=[step for _, step in STEPS])
@pytest.mark.parametrize("fault", [wrong_value, wrong_bytes])
def test_a_fault_of_ours_names_no_value(
    aviary: Aviary, monkeypatch: pytest.MonkeyPatch, module: Any, step: str, fault: Callable[[], None]
) -> None:
    monkeypatch.setattr(module, step, lambda *_: fault())
    files = sets(aviary.site)["success"][1]
    for more in ((), ("--json",)):
        ended = aviary.sync(files, *more)
        assert (ended.code, ended.secrets) == (1, [])
        assert not [word for word in SECRETS if word in aviary.told_of_the_run]


def test_a_terminal_shows_no_value_either(aviary: Aviary) -> None:
    """Progress bar, summary, readable log: as a real program on a terminal of its own."""
    tell(aviary.site, DATABASE_ERRORS["sqlite"]["a unique index"])
    for end, code in (("success", 1), ("findings", 10), ("truncated", 30)):
        folder = aviary.deliver(sets(aviary.site)[end][1])
        words = [sys.executable, "-m", "lzsyncd", "--config", str(aviary.config), "sync", "acme", "--from", str(folder)]
        ours, theirs = pty.openpty()
        environment = os.environ | {"TERM": "xterm-256color", "PYTHONPATH": str(REPOSITORY)}
        child = subprocess.Popen(words, stdout=theirs, stderr=theirs, stdin=theirs, env=environment)
        os.close(theirs)
        ended = Ended(0, read_all(ours), "")
        assert (child.wait(), ended.secrets) == (code, []), ended.out
        assert ended.out


SONGS = (
    *(
        "canary",
        'Canary, "kanarie"',
        "kanarie@leak.example",
        "canary\n1987-06-05",
        "=canary()",
        "87654.321",
        "canary%s{}",
    ),
    *(
        "canary\x00",
        "canary" * 200,
        "canary;kanarie\tcanary",
        "\N{GRINNING FACE}canary",
        "x-canary",
        "1987-06-05T04:03",
    ),
)
PLAIN = ("", "1", "0", "K1", "K2", "U1", "GB", "one")
CELLS = st.sampled_from(SONGS) | st.sampled_from(PLAIN)
DAMAGE = (
    b"",
    b"",
    b"",
    b'canary,"canary\n',
    b"canary\xff,canary\n",
    b"kanarie,,,,,,,,,,,,,\n",
    b'ca"nary,"kanarie" canary\n',
)


@st.composite
def songs(draw: st.DrawFn, site: Any) -> dict[str, bytes]:
    """A set of which any cell and any name of a column may sing, good or broken."""
    files = {}
    for e in Element:
        required = [column.name for column in site.element(e).columns(e) if column.required]
        known = sorted({column.name for column in site.element(e).columns(e)} - set(required))
        names = [*required, *draw(st.lists(st.sampled_from(known), unique=True, max_size=12))]
        names += draw(st.lists(st.sampled_from(SONGS), unique=True, max_size=1))
        rows = draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), min_size=1, max_size=5))
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([names, *rows])
        files[e.file_name] = text.getvalue().encode() + draw(st.sampled_from(DAMAGE))
    return files


@moderate
@given(data=st.data())
def test_whatever_sings_in_a_set_nobody_hears_it(aviary: Aviary, data: st.DataObject) -> None:
    files = data.draw(songs(aviary.site))
    for more in ((), ("--dry-run", "--json")):
        ended = aviary.sync(files, *more)
        event(f"exit code {ended.code}")
        assert ended.code in (0, 10, 20, 30)
        assert ended.secrets == []
        assert not [word for word in SECRETS if word in aviary.told_of_the_run]


FASTER = "from lzsyncd.service import gauges; gauges.EVERY = 0.1"


def test_the_daemon_its_status_and_its_numbers_name_no_value(
    tmp_path: Path, migrated_sqlite: Path, box: Letterbox
) -> None:
    """All that is told while canaries come by the inbox, are found fault with, and make a database fail."""
    company = Company(tmp_path, copies_of(migrated_sqlite))
    site = company.site("acme", tables())
    numbers, log = tmp_path / "lzsyncd.prom", tmp_path / "lzsyncd.jsonl"
    company.configure(f'{mail_to(box)}[metrics]\ntextfile = "{numbers}"\n[log]\nlevel = "debug"\nfile = "{log}"')
    company.start(FASTER)
    heard = []
    try:
        every = sets(load(company.config).sites["acme"])
        for number, end in enumerate(("success", "findings", "header"), 1):
            for name, content in every[end][1].items():
                (site.inbox / name).write_bytes(content)
            company.wait_for(lambda wanted=number: len(company.statuses()) == wanted)
        tell(site, DATABASE_ERRORS["sqlite"]["findings"])
        for name, content in every["damage"][1].items():
            (site.inbox / name).write_bytes(content)
        company.wait_for(lambda: "failed" in str(company.asked()["sites"][0]["last_run"]))
        company.wait_for(lambda: 'status="failed"' in numbers.read_text())
        company.wait_for(lambda: len(box.taken) >= 4)
        heard = [json.dumps(company.asked()), (tmp_path / "run" / "status.json").read_text()]
        assert company.end() == 0
    finally:
        company.kill()
    heard += [numbers.read_text(), log.read_text(), company.log.read_text(), mailed(box)]
    assert [word for word in SECRETS for text in heard if word in text.lower()] == []
    assert len(log.read_text().splitlines()) > 15


def read_all(terminal: int) -> str:
    shown = b""
    while True:
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # the other end is closed
            part = b""
        if not part:
            os.close(terminal)
            return shown.decode(errors="replace")
        shown += part


def test_the_canaries_are_in_every_cell(aviary: Aviary) -> None:
    """But where a value has no room for one: `0`, `one`."""
    for e in Element:
        for row in records(aviary.site, e, ("canary-1",), canary):
            silent = {n for n, text in row.items() if not any(word in text.lower() for word in SECRETS)}
            kinds = {column.kind for column in stored_columns(aviary.site, e) if column.name in silent}
            assert kinds <= {Kind.BOOLEAN, Kind.CHECKBOX, Kind.MENU, Kind.MULTISELECT, Kind.COUNTRY, Kind.TIMEZONE}
    assert above(Element.ORG)
