"""Files that are not what they should be: links, pipes, devices, files that change, files that are too large."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from lzsyncd.feed.elements import Element
from lzsyncd.intake.sets import FileSet
from lzsyncd.intake.spool import take
from lzsyncd.sync.run import Options, sync_folder
from tests.laws.bridge import get_zone
from tests.laws.company import DAY_TWO
from tests.system.aftermath import leftovers
from tests.system.program import Place

AT_ONCE = 5.0  # seconds of work, in which nobody reads five gigabytes


def make_link(path: Path) -> None:
    (path.parent.parent / "elsewhere.csv").write_bytes(DAY_TWO["user.csv"])
    path.symlink_to(path.parent.parent / "elsewhere.csv")


def make_hard_link(path: Path) -> None:
    other = path.parent.parent / "elsewhere.csv"
    other.write_bytes(DAY_TWO["user.csv"])
    path.hardlink_to(other)


def make_socket(path: Path) -> None:
    with chdir(path.parent), socket.socket(socket.AF_UNIX) as listener:  # its path must be short
        listener.bind(path.name)


UNSAFE: dict[str, Callable[[Path], object]] = {
    "a symbolic link": make_link,
    "a link into nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a hard link": make_hard_link,
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a link to a folder": lambda path: path.symlink_to("/"),
}


def test_what_is_no_plain_file_is_refused_and_never_waited_for(place: Place) -> None:
    before = get_zone(place.site)
    for what, make in UNSAFE.items():
        folder = place.deliver(what, {name: data for name, data in DAY_TWO.items() if name != "user.csv"})
        make(folder / "user.csv")
        (result,) = sync_folder(place.site, folder, Options())
        assert (int(result.exit_code), result.findings) == (30, {"set.unsafe": 1}), what
        assert get_zone(place.site) == before, what
        shutil.rmtree(folder)
        (place.folder / "elsewhere.csv").unlink(missing_ok=True)


def test_sockets_and_devices_are_refused(place: Place) -> None:
    folder = place.deliver("two", {})
    make_socket(folder / "user.csv")
    if not os.geteuid():
        os.mknod(folder / "org.csv", 0o20666, os.makedev(1, 5))  # /dev/zero
    (result,) = sync_folder(place.site, folder, Options())
    assert int(result.exit_code) == 30
    assert sum(result.findings.get(code, 0) for code in ("set.unsafe", "file.unreadable")) == (1 if os.geteuid() else 2)


def test_a_pipe_does_not_hang_the_program(place: Place) -> None:
    folder = place.deliver("two", DAY_TWO)
    for name in DAY_TWO:
        (folder / name).unlink()
        os.mkfifo(folder / name)
    assert place.sync(folder).code == 30


@contextmanager
def while_it_changes(change: Callable[[], None]) -> Iterator[None]:
    """Somebody changes a file again and again, from before the block until after it."""
    begun, over = threading.Event(), threading.Event()

    def go_on() -> None:
        while not over.is_set():
            change()
            begun.set()

    writer = threading.Thread(target=go_on)
    writer.start()
    begun.wait()
    try:
        yield
    finally:
        over.set()
        writer.join()


def code_of(path: Path, spool: Path) -> str:
    """What is found against a file when it is taken into a spool; "" for nothing."""
    shutil.rmtree(spool, ignore_errors=True)
    (taken,) = take(FileSet({Element.USER: path}), spool, 1 << 30)
    return taken.finding.code if taken.finding else ""


def test_a_file_that_changes_while_it_is_copied_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "user.csv"

    def grow() -> None:
        with path.open("ab") as stream:
            stream.write(b"x")

    def write_over() -> None:
        with path.open("r+b") as stream:
            stream.seek(100)
            stream.write(os.urandom(1))

    def cut() -> None:
        size = path.stat().st_size
        os.truncate(path, size - 1 if size > 1 else 1 << 20)

    for number, change in enumerate((grow, write_over, cut)):
        path.write_bytes(b"x" * (8 << 20))
        os.utime(path, (1_767_225_600, 1_767_225_600))  # a clock tick is 4 ms: two writes in one look the same
        with while_it_changes(change):
            # on a busy machine it may not come to a change while the file is copied
            codes = (code_of(path, tmp_path / f"spool{number}") for _ in range(100))
            code = next(filter(None, codes), None)
        assert code == "file.changed", change.__name__


def test_a_file_that_is_replaced_is_taken_as_it_was(tmp_path: Path) -> None:
    """Renaming another file over it is no change: what was opened is whole."""
    path, other = tmp_path / "user.csv", tmp_path / "other"

    def replace() -> None:
        other.write_bytes(b"new")
        other.rename(path)

    path.write_bytes(b"x" * (8 << 20))
    with while_it_changes(replace):
        (taken,) = take(FileSet({Element.USER: path}), tmp_path / "spool", 1 << 30)
    assert taken.finding is None
    assert taken.path.read_bytes() in (b"x" * (8 << 20), b"new")


def test_a_changed_file_rejects_the_set(place: Place) -> None:
    before, folder = get_zone(place.site), place.deliver("two", DAY_TWO)
    path = folder / "user.csv"
    path.write_bytes(path.read_bytes() + b"\n" * (16 << 20))  # long enough to be met while it is copied

    def grow() -> None:
        with path.open("ab") as stream:
            stream.write(b"\n")

    with while_it_changes(grow):
        (result,) = sync_folder(place.site, folder, Options())
    assert (int(result.exit_code), result.findings["file.changed"]) == (30, 1)
    assert get_zone(place.site) == before


def test_a_file_over_the_limit_is_refused_at_once(place: Place) -> None:
    before, folder = get_zone(place.site), place.deliver("two", DAY_TWO)
    os.truncate(folder / "user.csv", 5 << 30)
    started = time.process_time()
    (result,) = sync_folder(place.site, folder, Options())
    assert time.process_time() - started < AT_ONCE
    assert (int(result.exit_code), result.findings) == (30, {"file.too_large": 1})
    assert get_zone(place.site) == before
    assert leftovers(place) == []
