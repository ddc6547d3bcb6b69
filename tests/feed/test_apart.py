"""A large file is read in a process of its own: what comes from there is what reading it here gives."""

import os
import signal
import subprocess
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from lzsyncd.checks.values import Rules
from lzsyncd.config import ElementConfig
from lzsyncd.feed import apart
from lzsyncd.feed.csvfile import FileRejected
from lzsyncd.feed.elements import COLUMNS, Element
from lzsyncd.feed.newcomers import newcomers
from lzsyncd.feed.preparing import Chunk, Recipe, prepare
from lzsyncd.zone.packing import rows_of

NAMES = ("idnumber", "username", "firstname", "lastname", "email", "city", "suspended", "deleted")
COLUMNS_BY_NAME = {column.name: column for column in COLUMNS[Element.USER]}


def recipe(path: Path, names: tuple[str, ...] = NAMES[:-1], *, wide: bool = True, dialect: str = "sqlite") -> Recipe:
    columns = tuple(COLUMNS_BY_NAME[name] for name in names)
    rules = Rules(Element.USER, ("%Y-%m-%d",), ZoneInfo("UTC"), allow_duplicate_emails=False)
    return Recipe(
        path=path,
        delimiter=",",
        max_size=1 << 30,
        names=names,
        columns=columns,
        positions=tuple(range(len(names))),
        key_position=0,
        rules=rules,
        keeps_empty=True,
        mended=False,
        wide=wide,
        watched=("idnumber", "email"),
        newcomers=newcomers(columns, ElementConfig(), rules),
        dialect=dialect,
    )


def people(number: int) -> str:
    return "".join(
        f'E{n},u{n},"Ann, {n}",Lee,u{n}@a.test,Rome,0\n'
        if n % 7 == 0
        else f"E{n},u{n},Ann,Lee{',' * (n % 100 == 3)},u{n % 5000}@a.test,{' ' * (n % 50 == 1)}Rome,{n % 2}\n"
        for n in range(number)
    )


@pytest.fixture
def every_file_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "WORTH_IT", 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "user.csv"
    path.write_text(",".join(NAMES[:-1]) + "\n" + people(60_000))
    return path


@pytest.mark.usefixtures("every_file_is_large")
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
@pytest.mark.parametrize("wide", [True, False])
def test_the_other_process_sends_what_reading_here_gives(path: Path, dialect: str, *, wide: bool) -> None:
    wanted = recipe(path, wide=wide, dialect=dialect)
    here, there = list(prepare(wanted)), list(apart.chunks(wanted))
    assert sum(chunk.records for chunk in here) == 60_000
    assert sum(chunk.spoiled for chunk in here) > 100  # a column too many
    assert [chunk._replace(suspects=[]) for chunk in here] == [chunk._replace(suspects=[]) for chunk in there]
    # hashes name suspects, and each process has its own: innocents differ, what is there twice is found by both
    assert all({("email", f"u{n}@a.test") for n in (1, 2, 4999)} <= suspected(chunks) for chunks in (here, there))
    assert len(there) > 1


def suspected(chunks: list[Chunk]) -> set[tuple[str, str]]:
    return {suspect for chunk in chunks for suspect in chunk.suspects}


def test_a_small_file_is_read_here(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    assert sum(chunk.records for chunk in apart.chunks(recipe(path))) == 60_000


def joined(recipe_: Recipe) -> list[str]:
    return [row[-1] for chunk in prepare(recipe_) for packed in chunk.packed for row in rows_of(packed)]


def test_lines_in_normal_form_are_joined_as_cells_are(tmp_path: Path) -> None:
    """Fast and slow way say the same: one odd cell sends its whole batch the slow way."""
    rows = ['E1,a,"Ann, B",Lee,a@a.test,Rome,0', "E2,b,,Lee,b@a.test,,1"]
    path = tmp_path / "user.csv"
    texts = {}
    for name, odd in (("fast", "E3,c,C,C,c@a.test,Rome,1"), ("slow", "E3,c,C,C,c@a.test, Rome,yes")):
        path.write_text("\n".join([",".join(NAMES[:-1]), *rows, odd]))
        texts[name] = joined(recipe(path, wide=False))
    assert texts["fast"] == texts["slow"]
    assert texts["fast"][0] == "0|E1|a|Ann, B|Lee|a@a.test|Rome|0".replace("|", "\x1f")


@pytest.mark.usefixtures("every_file_is_large")
def test_a_file_that_ends_inside_a_quote_is_rejected_there_as_here(tmp_path: Path) -> None:
    path = tmp_path / "user.csv"
    path.write_text(",".join(NAMES[:-1]) + '\nE1,u1,Ann,Lee,u1@a.test,Rome,0\nE2,u2,"Ann')
    told = []
    for read in (prepare, apart.chunks):
        with pytest.raises(FileRejected) as caught:
            list(read(recipe(path)))
        told.append((caught.value.code, caught.value.line, caught.value.detail, caught.value.column))
    assert told == [("file.truncated", 3, "", "")] * 2


@pytest.mark.usefixtures("every_file_is_large")
def test_a_process_that_is_killed_is_told_of(path: Path) -> None:
    path.write_text(path.read_text() + people(200_000))  # more than the pipe holds
    chunks = apart.chunks(recipe(path))
    next(chunks)
    child = int(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()[-1])
    os.kill(child, signal.SIGKILL)
    with pytest.raises(apart.ReadingFailed, match="killed"):
        list(chunks)


@pytest.mark.usefixtures("every_file_is_large")
def test_a_process_that_fails_says_where_and_no_value(path: Path) -> None:
    broken = recipe(path)
    object.__setattr__(broken, "watched", ("no such column",))
    with pytest.raises(apart.ReadingFailed) as caught:
        list(apart.chunks(broken))
    (note,) = caught.value.__notes__
    assert note.startswith("KeyError\n")
    assert "preparing.py" in note
    assert "@a.test" not in note


@pytest.mark.usefixtures("every_file_is_large")
def test_who_wants_no_more_leaves_no_process_behind(path: Path) -> None:
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = children.read_text()
    chunks = apart.chunks(recipe(path))
    assert isinstance(next(chunks), Chunk)
    assert children.read_text() != before
    chunks.close()  # type: ignore[attr-defined]
    assert children.read_text() == before
