"""Claiming: what was judged and nothing else goes into the spool, by renaming, and can be gone on with."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lzsyncd.errors import LzsyncdError, NotPermitted
from lzsyncd.feed.elements import Element
from lzsyncd.intake import claim as claiming
from lzsyncd.intake.claim import (
    PROBE,
    Judged,
    NotAsJudged,
    Order,
    claim,
    is_empty_handed,
    order_in,
    refuse_other_file_system,
    still_there,
)
from tests.system.program import REPOSITORY, unprivileged

FILES = {"org.csv": b"org", "pos.csv": b"pos", "user.csv": b"user"}


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    for name, data in (FILES | {"set.done": b""}).items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool" / "RUN"


def judged(inbox: Path, name: str) -> Judged:
    status = (inbox / name).lstat()
    size = status.st_size if stat.S_ISREG(status.st_mode) else 0
    return Judged(name, status.st_ino, size, status.st_mtime_ns)


def order_of(inbox: Path) -> Order:
    files = {e: judged(inbox, e.file_name) for e in Element if os.path.lexists(inbox / e.file_name)}
    return Order(files, (judged(inbox, "set.done"),))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_set_is_moved_whole_and_stays_the_same_files(inbox: Path, spool: Path) -> None:
    order = order_of(inbox)
    claim(inbox, spool, order)
    assert names(inbox) == []
    assert names(spool / "claimed") == sorted([*FILES, "set.done"])
    assert [(spool / "claimed" / one.name).stat().st_ino for one in order.names] == [one.inode for one in order.names]
    assert order_in(spool) == order
    assert spool.stat().st_mode & 0o777 == 0o700 == (spool / "claimed").stat().st_mode & 0o777


def test_what_does_not_belong_to_it_stays(inbox: Path, spool: Path) -> None:
    order = order_of(inbox)
    (inbox / "rejected-user.csv").write_bytes(b"another set's")
    claim(inbox, spool, order)
    assert names(inbox) == ["rejected-user.csv"]


def test_the_order_is_written_down_before_anything_is_moved(
    inbox: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def move(*_: object) -> None:
        raise InterruptedError

    order = order_of(inbox)
    monkeypatch.setattr(claiming, "_move", move)
    with pytest.raises(InterruptedError):
        claim(inbox, spool, order)
    assert order_in(spool) == order
    assert len(names(inbox)) == 4


@pytest.mark.parametrize("moved", range(4))
def test_a_claim_that_was_killed_is_gone_on_with(inbox: Path, spool: Path, moved: int) -> None:
    order = order_of(inbox)
    (spool / "claimed").mkdir(parents=True)
    for one in order.names[:moved]:
        (inbox / one.name).rename(spool / "claimed" / one.name)
    claim(inbox, spool, order)
    claim(inbox, spool, order)
    assert names(inbox) == []
    assert len(names(spool / "claimed")) == 4


def rewrite(path: Path) -> None:
    path.write_bytes(b"longer than before")


def replace(path: Path) -> None:
    path.with_name("new").write_bytes(path.read_bytes())
    path.with_name("new").rename(path)


def touch(path: Path) -> None:
    os.utime(path, (1, 1))


def swap_for_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("change", [rewrite, replace, touch, swap_for_a_link, Path.unlink])
def test_what_changed_since_it_was_judged_is_seen_and_left(
    inbox: Path, spool: Path, change: Callable[[Path], None]
) -> None:
    order = order_of(inbox)
    still_there(inbox, order)
    change(inbox / "pos.csv")
    there = os.path.lexists(inbox / "pos.csv")
    with pytest.raises(NotAsJudged):
        still_there(inbox, order)
    claim(inbox, spool, order)
    assert names(inbox) == (["pos.csv"] if there else [])
    assert names(spool / "claimed") == ["org.csv", "set.done", "user.csv"]


def test_a_marker_that_changed_is_seen(inbox: Path) -> None:
    order = order_of(inbox)
    rewrite(inbox / "set.done")
    with pytest.raises(NotAsJudged):
        still_there(inbox, order)


def test_what_was_taken_is_not_claimed_again(inbox: Path, spool: Path) -> None:
    """A file system gives the inode of a file that is gone to the next; the client may set the time to the same."""
    order = order_of(inbox)
    (spool / "claimed").mkdir(parents=True)
    (spool / "user.csv").write_bytes(b"taken before")
    claim(inbox, spool, order)
    assert names(inbox) == ["user.csv"]
    assert (spool / "user.csv").read_bytes() == b"taken before"


def test_links_and_pipes_are_moved_and_never_followed(inbox: Path, spool: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    for name, make in (
        ("org.csv", lambda path: path.symlink_to(tmp_path / "secret")),
        ("pos.csv", os.mkfifo),
        ("user.csv", Path.mkdir),
    ):
        (inbox / name).unlink()
        make(inbox / name)
    claim(inbox, spool, order_of(inbox))
    assert (spool / "claimed" / "org.csv").is_symlink()
    assert (spool / "claimed" / "pos.csv").is_fifo()
    assert (spool / "claimed" / "user.csv").is_dir()
    assert (tmp_path / "secret").read_bytes() == b"secret"


CLAIMING = """
import json, sys
from pathlib import Path
from lzsyncd.intake.claim import Order, claim
claim(Path(sys.argv[1]), Path(sys.argv[2]), Order.from_dict(json.loads(sys.argv[3])))
"""


def claim_without_privileges(inbox: Path, spool: Path, order: Order) -> subprocess.CompletedProcess[str]:
    words = [*unprivileged(), sys.executable, "-c", CLAIMING, str(inbox), str(spool), json.dumps(order.as_dict())]
    return subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.skipif(not os.geteuid() and not shutil.which("setpriv"), reason="root may do everything")
def test_a_folder_of_somebody_else_makes_way(inbox: Path, spool: Path) -> None:
    """It can't be moved to another parent; left there it would stop the site for ever."""
    (inbox / "user.csv").unlink()
    (inbox / "user.csv").mkdir()
    (inbox / "user.csv" / "kept").touch()
    (inbox / "user.csv").chmod(0o555)
    ended = claim_without_privileges(inbox, spool, order_of(inbox))
    (aside,) = inbox.iterdir()
    aside.chmod(0o755)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert aside.name == "user.csv.RUN"
    assert names(aside) == ["kept"]
    assert names(spool / "claimed") == ["org.csv", "pos.csv", "set.done", "user.csv"]
    assert (spool / "claimed" / "user.csv").is_dir()


@pytest.mark.skipif(not os.geteuid() and not shutil.which("setpriv"), reason="root may do everything")
def test_an_inbox_that_may_not_be_written_is_told(inbox: Path, spool: Path) -> None:
    order = order_of(inbox)
    inbox.chmod(0o555)
    ended = claim_without_privileges(inbox, spool, order)
    inbox.chmod(0o755)
    assert NotPermitted.__name__ in ended.stderr
    assert f"{inbox} may not be written by the account" in ended.stderr
    assert len(names(inbox)) == 4


def test_an_inbox_behind_a_link_is_refused(inbox: Path, spool: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(inbox)
    with pytest.raises(OSError, match="link"):
        claim(tmp_path / "link", spool, order_of(inbox))
    assert len(names(inbox)) == 4


def test_an_order_is_read_as_it_was_written(inbox: Path) -> None:
    order = order_of(inbox)
    assert Order.from_dict(json.loads(json.dumps(order.as_dict()))) == order


def test_a_spool_that_has_copies_only_has_no_order(spool: Path) -> None:
    assert order_in(spool) is None


def test_the_spool_must_be_on_the_inboxs_file_system(inbox: Path, tmp_path: Path) -> None:
    memory = Path("/dev/shm")
    refuse_other_file_system(inbox, tmp_path / "spool")
    assert names(inbox) == sorted([*FILES, "set.done"])
    assert names(tmp_path / "spool") == []
    if not memory.is_dir() or memory.stat().st_dev == inbox.stat().st_dev:
        pytest.skip("there is no other file system")
    other = memory / f"lzsyncd-{os.getpid()}"
    try:
        with pytest.raises(LzsyncdError, match="must be on one file system"):
            refuse_other_file_system(inbox, other)
        assert names(inbox) == sorted([*FILES, "set.done"])
    finally:
        shutil.rmtree(other)


# -- with another host that shares the folders


def test_what_another_host_takes_in_the_last_moment_is_not_missed(
    inbox: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS shows a name for a while after it was renamed: what was looked at a moment before is gone."""
    order, real = order_of(inbox), os.rename

    def overtaken(name: str, *others: str, **folders: int) -> None:
        real(inbox / name, inbox.parent / name)
        real(name, *others, **folders)

    monkeypatch.setattr(os, "rename", overtaken)
    claim(inbox, spool, order)
    monkeypatch.undo()
    assert is_empty_handed(spool, order)


def test_a_claim_that_has_something_is_not_empty_handed(inbox: Path, spool: Path) -> None:
    order = order_of(inbox)
    claim(inbox, spool, order)
    assert not is_empty_handed(spool, order)


def test_two_hosts_may_try_the_spool_at_the_same_time(
    inbox: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.rename

    def overtaken(path: Path, target: Path) -> Path:
        monkeypatch.undo()
        refuse_other_file_system(inbox, spool)  # it sweeps away what was tried with
        return real(path, target)

    monkeypatch.setattr(Path, "rename", overtaken)
    refuse_other_file_system(inbox, spool)
    assert not any(name.startswith(PROBE) for name in names(inbox) + names(spool))


# -- with somebody who means harm


def put_link(path: Path) -> None:
    path.symlink_to(path.parent.parent / "elsewhere")


def put_folder(path: Path) -> None:
    path.mkdir()
    (path / "more").write_bytes(b"more")


@pytest.mark.parametrize("put", [put_link, put_folder, os.mkfifo, Path.touch])
def test_what_somebody_puts_under_the_name_of_the_trial_is_not_followed_and_stops_nothing(
    inbox: Path, tmp_path: Path, put: Callable[[Path], object]
) -> None:
    put(inbox / PROBE)
    for folder in (inbox, tmp_path / "spool"):
        folder.mkdir(exist_ok=True)
        (folder / f"{PROBE}-0f").touch()  # a trial that was killed
    for _ in range(2):
        refuse_other_file_system(inbox, tmp_path / "spool")
    assert not (tmp_path / "elsewhere").exists()
    assert names(tmp_path / "spool") == []
    assert set(names(inbox)) - {PROBE} == {*FILES, "set.done"}
    assert put is not put_folder or (inbox / PROBE / "more").exists()
