"""Steps tell what they would do, do it whole or not at all, and refuse what is in their way."""

import os
from pathlib import Path

import pytest

from lzsyncd.errors import Usage
from lzsyncd.setup.accounts import Accounts
from lzsyncd.setup.steps import Command, CommandFailed, File, Folder, Link, Owned, Removal, carry_out, planned, run


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    """A system on which we have an account, and nobody else."""
    etc = tmp_path / "system/etc"
    etc.mkdir(parents=True)
    (etc / "passwd").write_text(f"# ours\nme:x:{os.getuid()}:{os.getgid()}:Me:/home:/bin/sh\n+::::::\n")
    (etc / "group").write_text(f"us:x:{os.getgid()}:me,you\n")
    (etc / "shadow").write_text("me:$y$x:1::::::\nlocked:!$y$x:1::::::\nnew:!:1::::::\n")
    return Accounts(etc.parent)


def test_accounts_are_those_of_the_system(accounts: Accounts):
    assert (accounts.uid("me"), accounts.gid("us"), accounts.uid("root")) == (os.getuid(), os.getgid(), 0)
    assert (accounts.uid("you"), accounts.gid("them"), accounts.home("you")) == (None, None, None)
    assert (accounts.members("us"), accounts.others_in("us")) == (["me"], ["me", "you"])
    assert (accounts.user_name(4242), accounts.group_name(4242)) == ("4242", "4242")
    assert [accounts.has_password(name) for name in ("me", "locked", "new", "nobody")] == [True, True, False, False]


def mine(mode: int) -> Owned:
    return Owned("me", "us", mode)


def test_a_dry_run_only_tells(tmp_path: Path, accounts: Accounts):
    path, told = tmp_path / "file", []
    plan = planned([File(path, b"x", mine(0o640), accounts), Command(("false",))])
    carry_out(plan, told.append, dry_run=True)
    assert told == [f"write {path} (me:us 0640)", "run false"]
    assert not path.exists()


def test_a_file_is_written_then_replaced_then_mended_then_left_alone(tmp_path: Path, accounts: Accounts):
    path = tmp_path / "folder/file"
    for data, word in ((b"one", "write"), (b"two", "replace")):
        step = File(path, data, mine(0o640), accounts)
        assert step.pending().startswith(f"{word} {path}")
        step.do()
        assert (path.read_bytes(), path.stat().st_mode & 0o7777) == (data, 0o640)
        assert step.pending() == ""
    path.chmod(0o666)
    assert step.pending().startswith(f"change {path} to me:us 0640 (it was me:")
    step.do()
    assert path.stat().st_mode & 0o7777 == 0o640


def test_a_file_that_can_not_be_prepared_leaves_the_old_one(tmp_path: Path, accounts: Accounts):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(Usage, match="There is no account you or no group us"):
        File(path, b"new", Owned("you", "us", 0o640), accounts).do()
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()} == {"file": b"old"}


def test_a_folder_is_made_with_its_mode_and_what_is_in_its_way_is_told(tmp_path: Path, accounts: Accounts):
    step = Folder(tmp_path / "folder", mine(0o2770), accounts)
    step.do()
    assert (tmp_path / "folder").stat().st_mode & 0o7777 == 0o2770
    assert step.pending() == ""
    (tmp_path / "file").touch()
    with pytest.raises(Usage, match="is in the way: it is no folder"):
        Folder(tmp_path / "file", mine(0o700), accounts).pending()


def test_a_link_is_made_once_and_nothing_is_written_over(tmp_path: Path):
    step = Link(tmp_path / "link", "target")
    assert step.pending()
    step.do()
    assert step.pending() == ""
    with pytest.raises(Usage, match="is in the way"):
        Link(tmp_path / "link", "another").pending()


def test_what_is_removed_is_gone_and_a_folder_only_when_it_is_empty(tmp_path: Path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").touch()
    with pytest.raises(OSError, match="not empty"):
        Removal(folder).do()
    for path in (folder / "file", folder):
        assert Removal(path).pending() == f"remove {path}"
        Removal(path).do()
        assert Removal(path).pending() == ""


def test_a_command_that_fails_is_told_with_what_it_said():
    assert run("cat", stdin="text") == "text"
    with pytest.raises(CommandFailed, match=r"ls failed: .*nowhere"):
        run("ls", "/nowhere")
    with pytest.raises(CommandFailed, match="false failed: exit code 1"):
        run("false")
    with pytest.raises(CommandFailed, match="There is no program no-such-program here"):
        run("no-such-program")
