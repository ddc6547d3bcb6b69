"""The documents say what is so: tables are held to the code, examples are run, links lead somewhere."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lzsyncd.checks.catalogue import CATALOGUE
from lzsyncd.config.fields import LIMITS as CUSTOM_TYPES
from lzsyncd.feed.csvfile import LIMITS
from lzsyncd.feed.elements import COLUMNS, SUBJECT, Column, Element, Kind
from lzsyncd.ledger.status import BACKOFF
from lzsyncd.logkeys import KEYS
from lzsyncd.report.rejects import OWN_COLUMNS
from lzsyncd.service import sites
from lzsyncd.service.slots import GRACE
from lzsyncd.sync import picture

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "tests/corpus/README.md")
]
PAGES += sorted((ROOT / "docs").glob("*.md"))
README, FILES, ARCHITECTURE = (
    (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/files.md", "docs/architecture.md")
)

HOLDS = {
    Kind.KEY: "key",
    Kind.TEXT: "text",
    Kind.USERNAME: "username",
    Kind.EMAIL: "e-mail address",
    Kind.BOOLEAN: "yes or no",
    Kind.DELETED: "yes or no",
    Kind.DATE: "date",
    Kind.LANG: "language",
    Kind.COUNTRY: "country",
    Kind.TIMEZONE: "time zone",
    Kind.URL: "web address",
    Kind.IGNORED: "anything",
    Kind.REFUSED: "nothing",
}
NEEDED_SOMETIMES = {
    Kind.EMAIL: "yes, unless addresses may be shared",
    Kind.DELETED: "the column, where the file does not name everybody",
}


def chapter(text: str, title: str) -> str:
    """What stands between a heading and the next one."""
    assert f"\n## {title}\n" in text
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of the tables in a text, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    heads = {place for place, line in enumerate(lines) if set(line) <= set("|- ")}
    found = [line for place, line in enumerate(lines) if not {place, place + 1} & heads]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in found]


def code(text: str) -> list[str]:
    return re.findall("`([^`]+)`", text)


# -- docs/faults.md


def test_each_fault_names_a_test_that_makes_it_happen():
    told = [row for row in rows((ROOT / "docs/faults.md").read_text(encoding="utf-8")) if row]
    assert len(told) > 40
    for it, *_, last in told:
        (named,) = code(last)
        file, _, test = named.partition("::")
        assert f"\ndef {test}(" in (ROOT / file).read_text(encoding="utf-8"), it


# -- docs/files.md


def holds(column: Column) -> str:
    return f"key of a {SUBJECT[column.refers_to]}" if column.refers_to else HOLDS[column.kind]


def row_of(column: Column) -> list[str]:
    return [
        f"`{column.name}`",
        NEEDED_SOMETIMES.get(column.kind, "yes" if column.required else ""),
        holds(column),
        f"{column.limit:,}" if column.limit else "",
        column.meaning,
        f"`{column.example}`" if column.example else "",
    ]


@pytest.mark.parametrize("element", Element)
def test_the_page_of_the_files_has_every_column_as_the_code_has_it(element: Element):
    assert rows(chapter(FILES, element.file_name)) == [row_of(column) for column in COLUMNS[element]]


def test_the_page_of_the_files_tells_what_every_kind_of_cell_may_hold():
    told = [part.strip() for row in rows(chapter(FILES, "What the cells hold")) for part in row[0].split(",")]
    assert set(told) == {holds(column) for columns in COLUMNS.values() for column in columns}


def test_the_page_of_the_files_has_every_type_of_a_custom_field():
    assert [code(row[0]) for row in rows(chapter(FILES, "Custom fields"))] == [[str(kind)] for kind in CUSTOM_TYPES]


def test_the_page_of_the_files_has_the_columns_of_reject_files():
    assert [code(row[0]) for row in rows(chapter(FILES, "Reject files"))] == [[name] for name in OWN_COLUMNS]


def test_the_page_of_the_files_knows_the_longest_cell():
    assert f"more than {LIMITS.cell:,} characters" in FILES


# -- every page


FAMILIES = "|".join(sorted({name.split(".")[0] for name in CATALOGUE}))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_findings_named_in_a_page_are_in_the_catalogue(page: Path):
    named = re.findall(rf"`((?:{FAMILIES})\.[a-z_.]+)`", page.read_text(encoding="utf-8"))
    wrong = [name for name in named if not any(f"{known}.".startswith(f"{name}.") for known in CATALOGUE)]
    assert [name for name in wrong if ".csv" not in name and name not in KEYS] == []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_every_page_can_be_reached_from_the_readme():
    reached, left = set(), [ROOT / "README.md"]
    while left:
        page = left.pop()
        reached.add(page)
        links = re.findall(r"\]\(([^)#\s:]+\.md)", page.read_text(encoding="utf-8"))
        left += {(page.parent / link).resolve() for link in links} - reached - {*left}
    assert set(PAGES) <= reached


# -- docs/architecture.md


def test_the_architecture_names_the_tables_of_the_picture():
    told = [row[0] for row in rows(chapter(ARCHITECTURE, "The picture"))]
    assert told == [row[0] for row in rows(picture.__doc__ or "")]


def test_the_architecture_names_every_folder():
    told = [code(row[0])[0].rstrip("/") for row in rows(chapter(ARCHITECTURE, "The folders"))]
    there = {path.parent.name for path in (ROOT / "lzsyncd").glob("*/__init__.py")}
    assert sorted(told) == sorted(there)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_files_that_the_pages_for_developers_name_are_there(page: str):
    named = set(re.findall(r"`((?:[\w.]+/)+[\w.]*)`", (ROOT / page).read_text(encoding="utf-8")))
    assert [
        name for name in sorted(named) if not (ROOT / name).exists() and not (ROOT / "lzsyncd" / name).exists()
    ] == []


def test_what_is_said_of_modules_and_times_is_so():
    longest = max((ROOT / "lzsyncd").rglob("*.py"), key=lambda path: len(path.read_text(encoding="utf-8").splitlines()))
    limit = int(re.search(r"modules under (\d+)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))[1])
    assert len(longest.read_text(encoding="utf-8").splitlines()) < limit, longest.name
    told = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    assert f"every {sites.RESCAN:.0f} seconds ({sites.POLL:.0f} where" in told
    assert "after {} and after {} minutes".format(*(wait.seconds // 60 for wait in BACKOFF)) in told
    assert f"less than {GRACE.seconds // 3600} hours late" in told


# -- README.md


def blocks(text: str, language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for name, block in found if name == language]


def in_shell(script: str, folder: Path, *, stop: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a piece of shell in which `lzsyncd` is this program."""
    prelude = f'{"set -e" if stop else "set +e"}\nlzsyncd() {{ "{sys.executable}" -m lzsyncd "$@"; }}\n'
    shell = shutil.which("bash")
    assert shell
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("LZSYNCD_CONFIG", None)
    return subprocess.run(
        [shell, "-c", prelude + script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_two_commands_set_everything_up_on_their_own():
    demo, tests, *_ = blocks(README, "sh")
    for command in (demo, tests):
        assert command.count("\n") == 1, "each is one line"
        assert command.startswith("$(command -v sudo) apt-get update && $(command -v sudo) apt-get install -y ")
        assert " && python3 -m venv .venv && .venv/bin/pip install " in command
    assert demo.endswith(".venv/bin/pip install . && .venv/bin/lzsyncd demo\n")
    assert tests.endswith(".venv/bin/pip install -e '.[test]' && .venv/bin/pytest -n auto\n")


def test_the_demo_of_the_readme_runs(tmp_path: Path):
    command = blocks(README, "sh")[0].rpartition(" && .venv/bin/")[2]
    done = in_shell(command, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "HR's export has 5,000 people" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_first_sync_of_the_readme_runs_and_prints_what_it_shows(tmp_path: Path):
    text = chapter(README, "A first sync")
    ((script,), (shown,)) = blocks(text, "sh"), blocks(text, "")
    for name in ("check", "sync"):
        script = re.sub(f"^(lzsyncd {name} .*)$", r"\1; test $? = 10 || exit 1", script, flags=re.MULTILINE)
    done = in_shell(script, tmp_path, stop=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(shown)
    assert len(list(tmp_path.glob("data/acme/sftp/outbox/*/rejected-user.csv"))) == 1


def test_the_commands_shown_to_whoever_makes_the_export_run(tmp_path: Path):
    (block,) = blocks(FILES, "console")
    script = "lzsyncd sample export/\n" + re.sub(r"^\$ ", "", block, flags=re.MULTILINE)
    done = in_shell(script, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "user.csv" in done.stdout


def test_the_decisions_name_findings_columns_and_settings_that_exist():
    named = set(code(chapter(README, "Decisions where the contract is silent")))
    columns = {column.name for columns in COLUMNS.values() for column in columns}
    likely = {name for name in named if name.endswith("idnumber") or re.fullmatch(r"user\.[a-z.]+", name)}
    assert likely <= columns | set(CATALOGUE)


# -- what must be in no file


def project_files() -> list[Path]:
    """The text files of the project, whether it is a clone or was unpacked from an archive."""
    tops = ["lzsyncd", "tests", "docs", "etc", "systemd", ".ci"]
    found = [path for top in tops for path in (ROOT / top).rglob("*") if path.is_file()]
    found += [path for path in ROOT.iterdir() if path.suffix in {".md", ".toml", ".lock"}]
    return [path for path in found if "__pycache__" not in path.parts and ".egg-info" not in str(path)]


def test_no_file_names_a_place_of_somebodys_machine_or_a_registry():
    places = re.compile(rb"(?<![\w.$}])/(?:root|home|work)/\w|/tmp/(?:venv|work)\b")
    hosts = re.compile(rb"py[p]i\.org|python[h]osted\.org|registry\.[n]pmjs|deb\.[d]ebian\.org")
    assert project_files()
    for path in project_files():
        found = places.search(path.read_bytes()) or hosts.search(path.read_bytes())
        assert not found, f"{path.relative_to(ROOT)}: {found and found[0]!r}"
