"""The sheet for whoever makes the export says what holds for their site."""

import pytest

from lzsyncd.config import parse
from lzsyncd.errors import Usage
from lzsyncd.setup.server import Door
from lzsyncd.setup.sheet import require_new, sheet_of, write_sheet

DOOR = Door(["2222"], ["SHA256:one (RSA)", "SHA256:two (ED25519)"])


def sheet(settings: str = "", password: str = "pass-word") -> str:
    site = parse(f"[sites.acme]\n{settings}").sites["acme"]
    return sheet_of(site, host="sftp.acme.test", door=DOOR, account="sftp-acme", password=password)


def test_it_says_where_and_how_to_come_in():
    lines = [line.split(maxsplit=1) for line in sheet().splitlines() if line]
    assert ["Host", "sftp.acme.test"] in lines
    assert ["Port", "2222"] in lines
    assert ["Account", "sftp-acme"] in lines
    assert ["First", "password    pass-word"] in lines
    told = sheet()
    assert told.index("/inbox") < told.index("/outbox")
    assert all(key in told for key in DOOR.fingerprints)


def test_a_password_that_was_handed_out_is_not_on_it():
    assert "First password    as handed out before (another one: lzsyncd site add acme --new-password)" in sheet(
        password=""
    )


def test_it_names_the_files_of_the_site_with_the_columns_as_the_site_calls_them():
    told = sheet('pos.enabled = false\n[sites.acme.user.columns]\n"Employee No" = "idnumber"')
    assert "  org.csv   idnumber, fullname\n" in told
    assert "  user.csv  employee no, username" in told
    assert "pos.csv" not in told


def test_it_says_when_files_are_applied():
    assert "applied daily at 02:00 (UTC)." in sheet()
    weekly = sheet('timezone = "Europe/London"\norg.schedule = "weekly on sunday at 03:00"')
    assert "applied daily at 02:00 (Europe/London).\norg.csv is applied weekly on sunday at 03:00." in weekly
    assert "applied when they have arrived" in sheet('apply = "on-arrival"')


def test_it_says_how_long_a_file_must_rest():
    assert "nothing has happened to it for 90 s" in sheet('settle = "90s"')


def test_it_is_written_to_a_new_file_that_nobody_else_reads(tmp_path):
    path = tmp_path / "acme.txt"
    require_new(path)
    write_sheet(path, "text")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("text\n", 0o600)
    with pytest.raises(Usage, match="there already"):
        require_new(path)
    with pytest.raises(Usage, match="There is no folder"):
        require_new(tmp_path / "nowhere" / "acme.txt")


def test_no_line_is_too_long_for_paper():
    assert max(map(len, sheet('org.schedule = "weekly on wednesday at 03:00"').splitlines())) <= 110
