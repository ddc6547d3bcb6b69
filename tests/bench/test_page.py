"""The benchmark of the page asks what is there, on both databases; a company this small says nothing about speed."""

import sys

import pytest

from tests.bench import page


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_every_page_and_list_is_asked_for_beside_the_cheapest(open_folder, monkeypatch, capsys, database):
    options = ["--users", "300", "--database", database, "--times", "1", "--folder", str(open_folder)]
    monkeypatch.setattr(sys, "argv", ["page", *options])
    assert page.main() == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert "SELECT 1" in lines[0]
    assert sum(" API " in line for line in lines) == 7
    assert len(lines) > 40
    assert not list(open_folder.iterdir())
