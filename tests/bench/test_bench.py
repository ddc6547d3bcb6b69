"""The benchmark itself: it measures what it says, and says so when there is nothing to measure."""

import subprocess
import sys

import pytest

from tests.bench import __main__ as bench
from tests.bench import rules
from tests.bench.memory import PeakMemory, memory_of_tree
from tests.bench.programs import ProgramFailed, make_site, run_sync

CHILD = "import time; block = b'x' * (70 << 20); time.sleep(0.3)"
PARENT = f"""
import subprocess, sys
block = b'x' * (60 << 20)
subprocess.run([sys.executable, "-c", {CHILD!r}], check=True)
"""


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_floor_runs_on_both_databases(open_folder, monkeypatch, capsys, database):
    options = ["--users", "300", "--database", database, "--floor-only", "--shuffled", "--folder", str(open_folder)]
    monkeypatch.setattr(sys, "argv", ["bench", *options])
    assert bench.main() == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    for line, work in zip(lines, bench.WORKS, strict=False):
        assert line.startswith(database)
        assert work.name in line
    assert len(list(filter(None, lines))) == len(bench.WORKS)
    assert not list(open_folder.iterdir())


def test_an_undo_of_both_runs_is_measured_where_it_is_asked_for(open_folder, monkeypatch, capsys):
    options = ["--users", "300", "--database", "sqlite", "--undo", "--folder", str(open_folder)]
    monkeypatch.setattr(sys, "argv", ["bench", *options])
    assert bench.main() == 0
    lines = [line for line in capsys.readouterr().out.splitlines()[1:] if line]
    assert [work.name for work in (*bench.WORKS, *bench.UNDOS) if not any(work.name in line for line in lines)] == []
    assert len(lines) == 5


def test_rules_are_measured_beside_the_floor_of_what_they_write(open_folder, monkeypatch, capsys):
    options = ["--users", "300", "--rules", "10", "--database", "sqlite", "--folder", str(open_folder)]
    monkeypatch.setattr(sys, "argv", ["rules", *options])
    assert rules.main() == 0
    works = [line[31:55].strip() for line in capsys.readouterr().out.splitlines()]
    assert works == ["work", "first", "its floor", "everybody, unchanged", "1 % changed"]
    assert not list(open_folder.iterdir())


def test_it_says_before_it_starts_that_the_disk_is_too_small(open_folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bench", "--users", "300", "9000000000000", "--folder", str(open_folder)])
    with pytest.raises(SystemExit):
        bench.main()
    assert "and it takes 36,864,000.0 GB" in capsys.readouterr().err
    assert not list(open_folder.iterdir())


def test_the_memory_of_a_process_includes_its_children():
    with subprocess.Popen([sys.executable, "-c", PARENT]) as process, PeakMemory(process.pid, 0.01) as watch:
        process.wait()
    assert 130 < watch.peak.pss < watch.peak.rss < 200
    assert memory_of_tree(process.pid) == (0, 0)


def test_a_command_that_fails_is_told_with_its_last_words(tmp_path):
    configuration = make_site(tmp_path, "no such database")
    with pytest.raises(ProgramFailed, match=r"(?s)sync bench .*ended with \d+:\n.+"):
        run_sync(configuration, tmp_path)
