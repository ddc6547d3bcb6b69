"""A listing tells what lies there and touches nothing else; events come again whatever happened to them."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from watchdog.events import FileOpenedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.inotify_c import InotifyFD

from lzsyncd.config import Site
from lzsyncd.intake.candidate import Entry
from lzsyncd.intake.mounts import Mounts
from lzsyncd.intake.touches import REMEMBERED, Touches
from lzsyncd.intake.watch import Inbox, Watch
from lzsyncd.service import sites
from lzsyncd.service.sites import Charge

REPOSITORY = Path(__file__).parents[2]
LONGEST = 60.0  # seconds in which an event must come
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may do that")


# -- a listing


def listed(folder: Path) -> dict[str, Entry]:
    return {entry.name: entry for entry in Inbox(folder).entries()}


def python(program: str, *words: str | Path, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """A Python process of its own, which can lose rights and be stopped."""
    command = [*prefix, sys.executable, "-c", program, *map(str, words)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    try:
        return process.communicate(timeout=30)[0]
    finally:
        process.kill()


def test_a_file_that_somebody_has_open_for_writing_is_seen_as_written_to(tmp_path):
    path = tmp_path / "user.csv"
    with path.open("w"):
        assert listed(tmp_path)["user.csv"].writer is True
    assert listed(tmp_path)["user.csv"].writer is False


def test_a_file_that_is_only_read_has_no_writer(tmp_path):
    path = tmp_path / "user.csv"
    path.write_text("idnumber\n")
    with path.open():
        assert listed(tmp_path)["user.csv"].writer is False


def test_nobody_asks_who_writes_a_file_that_does_not_matter(tmp_path):
    (tmp_path / "notes.txt").touch()
    assert listed(tmp_path)["notes.txt"].writer is None


@needs_root
def test_without_the_right_to_leases_it_is_not_known_who_writes(tmp_path):
    path = tmp_path / "user.csv"
    path.touch()
    os.chown(path, 12_345, 12_345)
    program = "import sys; from pathlib import Path; from lzsyncd.intake.watch import Inbox; "
    program += "print([entry.writer for entry in Inbox(Path(sys.argv[1])).entries()])"
    without_leases = ("setpriv", "--bounding-set=-lease", "--inh-caps=-all")
    assert said(python(program, tmp_path, prefix=without_leases)) == "[None]\n"


def test_a_writer_who_comes_while_it_is_asked_ends_nobody(tmp_path):
    """A broken lease sends a signal, by default one that ends the process: also `lzsyncd status` looks at inboxes."""
    path = tmp_path / "user.csv"
    path.touch()
    program = "import sys, time; from pathlib import Path; from lzsyncd.intake.watch import Inbox\n"
    program += "inbox, until = Inbox(Path(sys.argv[1])), time.monotonic() + 0.7\nprint('looking', flush=True)\n"
    program += "while time.monotonic() < until: inbox.entries()"
    process = python(program, tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    while process.poll() is None:
        with path.open("a"):
            pass
    assert process.returncode == 0


def test_a_marker_is_read_and_read_again_when_it_changes(tmp_path):
    (tmp_path / "sha256sums").write_text(f"{'0' * 64}  org.csv\n")
    inbox = Inbox(tmp_path)
    assert [file.name for file in inbox.entries()[0].named] == ["org.csv"]
    (tmp_path / "sha256sums").write_text(f"{'0' * 64}  org.csv\n{'1' * 64}  user.csv\n")
    assert [file.name for file in inbox.entries()[0].named] == ["org.csv", "user.csv"]


def test_a_look_at_its_header_tells_a_mended_file_until_it_changes(tmp_path):
    path = tmp_path / "user.csv"
    path.write_text("LZ_Line,idnumber\n3,U1\n")
    inbox = Inbox(tmp_path)
    assert inbox.entries()[0].mended is None
    inbox.peek(["user.csv"])
    assert inbox.entries()[0].mended is True
    path.write_text("idnumber,lastname\nU1,lz_line\n")
    assert inbox.entries()[0].mended is None
    inbox.peek(["user.csv"])
    assert inbox.entries()[0].mended is False


def test_a_file_that_goes_before_its_header_is_looked_at_is_no_trouble(tmp_path):
    Inbox(tmp_path).peek(["user.csv"])


@needs_root
def test_a_file_that_may_not_be_read_counts_as_looked_at(tmp_path):
    path = tmp_path / "user.csv"
    path.touch()
    path.chmod(0)
    program = "import sys; from pathlib import Path; from lzsyncd.intake.watch import Inbox\n"
    program += "inbox = Inbox(Path(sys.argv[1])); inbox.peek(['user.csv']); print(inbox.entries()[0].mended)"
    prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
    assert said(python(program, tmp_path, prefix=prefix)) == "False\n"


def test_names_made_to_hurt_are_listed_as_they_are(tmp_path):
    names = [b"\xff\xfe.csv", b"a\nb", b"\x1b[2J", b" ", b"-rf", b"x" * 255, "\u202evsc.resu".encode(), b"..."]
    for name in names:
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).touch()
    assert sorted(map(os.fsencode, listed(tmp_path))) == sorted(names)


def test_what_is_no_file_is_told_from_files_and_never_opened(tmp_path, monkeypatch):
    (tmp_path / "secret").write_text("LZ_Line\n")
    (tmp_path / "user.csv").symlink_to("secret")
    os.mkfifo(tmp_path / "org.csv")
    os.mkfifo(tmp_path / "manifest.json")
    (tmp_path / "pos.csv").mkdir()
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("set.done")
    with opens(tmp_path) as opened:
        found = listed(tmp_path)
    kinds = {"user.csv": "symlink", "org.csv": "other", "manifest.json": "other", "pos.csv": "directory"}
    assert {name: entry.kind for name, entry in found.items()} == {**kinds, "set.done": "other", "secret": "file"}
    assert all(entry.writer is None and entry.mended is None and entry.marker is None for entry in found.values())
    assert not opened


class opens(FileSystemEventHandler):  # noqa: N801 read as a word: with opens(folder)
    """The names in a folder that are opened during a block."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._names = folder, list[str]()

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._names.append(Path(str(event.src_path)).name)

    def __enter__(self) -> list[str]:
        self._observer = Observer()
        self._observer.schedule(self, str(self._folder), event_filter=[FileOpenedEvent])
        self._observer.start()
        return self._names

    def __exit__(self, *_: object) -> None:
        (self._folder / "last").touch()
        wait_for(lambda: "last" in self._names)
        self._names.remove("last")
        self._observer.stop()
        self._observer.join()


def test_what_was_noted_of_an_inbox_is_taken_once():
    touches = Touches()
    assert touches.note("acme", "user.csv")
    assert not touches.note("acme", "org.csv")
    assert touches.fresh(["acme", "other"]) == ["acme"]
    assert touches.fresh(["acme", "other"]) == []
    assert touches.take("acme").keys() == {"user.csv", "org.csv"}
    assert not touches.take("acme")
    touches.note_lost()
    assert sorted(touches.fresh(["acme", "other"])) == ["acme", "other"]
    assert touches.take("other").keys() == {None}


def test_a_hundred_thousand_names_between_two_looks_count_as_any_name():
    touches = Touches()
    for number in range(REMEMBERED + 50):
        touches.note("acme", str(number))
    taken = touches.take("acme")
    assert len(taken) == REMEMBERED + 1
    assert None in taken


# -- events


def wait_for(come: Callable[[], object]) -> None:
    until = time.monotonic() + LONGEST
    while not come():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.005)


class Heard:
    """What the watch tells, from its threads."""

    def __init__(self) -> None:
        self.names, self.lost, self.raises = list[str](), 0, False

    def wake(self, _site: str, name: str) -> None:
        if self.raises:
            raise RuntimeError("an event that nobody foresaw")
        self.names.append(name)

    def lose(self) -> None:
        self.lost += 1

    def hears_of(self, folder: Path, name: str) -> bool:
        """Put a file there, and hear of it: an old event under the same name does not count."""
        self.names.clear()
        (folder / name).touch()
        wait_for(lambda: name in self.names)
        return True


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def watch(heard) -> Iterator[Watch]:
    made = Watch(heard.wake, heard.lose)
    yield made
    made.stop()


@pytest.fixture
def inbox(tmp_path) -> Path:
    path = tmp_path / "acme" / "sftp" / "inbox"
    path.mkdir(parents=True)
    (tmp_path / "acme" / "spool").mkdir()
    return path


@pytest.fixture
def charge(tmp_path, inbox, watch) -> Charge:
    """A site in the daemon's care, looked at once."""
    made = Charge(replace(Site.standard("acme", tmp_path), inbox=inbox), watch)
    made.look()
    assert made.is_watched
    return made


def test_what_happens_in_an_inbox_is_told_by_name(heard, watch, inbox):
    assert watch.arm("acme", inbox)
    assert heard.hears_of(inbox, "user.csv")
    (inbox / "user.csv").rename(inbox / "org.csv")
    wait_for(lambda: "org.csv" in heard.names)


def test_our_own_looking_is_not_told(heard, watch, inbox):
    (inbox / "user.csv").write_text("idnumber\n")
    watch.arm("acme", inbox)
    ours = Inbox(inbox)
    ours.entries()
    ours.peek(["user.csv"])
    assert heard.hears_of(inbox, "last")
    assert "user.csv" not in heard.names


def test_an_inbox_behind_a_link_is_watched(heard, watch, inbox, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(inbox)
    assert watch.arm("acme", link)
    assert heard.hears_of(inbox, "user.csv")


def test_an_inbox_that_is_not_armed_any_more_tells_nothing(heard, watch, inbox, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    watch.arm("acme", inbox)
    watch.arm("other", other)
    watch.disarm("acme")
    (inbox / "user.csv").touch()
    assert heard.hears_of(other, "last")
    assert heard.names.count("user.csv") == 0
    assert not watch.is_well("acme")


# -- what ends events, and that they come again by the next look


def replaced(inbox: Path) -> None:
    inbox.rename(inbox.with_name("old"))
    inbox.mkdir()


def removed_and_made_again(inbox: Path) -> None:
    inbox.rmdir()
    inbox.mkdir()


def dead_reader(_inbox: Path) -> None:
    for thread in threading.enumerate():
        if isinstance(thread, InotifyFD):
            thread.stop()
            thread.join()


@pytest.mark.parametrize("fault", [replaced, removed_and_made_again, dead_reader])
def test_events_come_again_with_the_next_look(fault, charge, heard, inbox):
    fault(inbox)
    wait_for(lambda: not charge.is_watched)
    charge.look()
    assert charge.is_watched
    assert heard.hears_of(inbox, "user.csv")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_observer_is_replaced_for_all_sites_and_its_threads_end(charge, heard, watch, inbox, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    watch.arm("other", other)
    threads = threading.active_count()
    heard.raises = True
    (inbox / "pos.csv").touch()
    wait_for(lambda: not charge.is_watched)
    heard.raises = False
    charge.look()
    assert heard.hears_of(inbox, "user.csv")
    assert not watch.is_well("other")  # its next look arms it
    watch.arm("other", other)
    assert heard.hears_of(other, "org.csv")
    assert threading.active_count() == threads


def test_an_inbox_that_is_gone_is_told_and_watched_when_it_is_back(charge, heard, inbox):
    inbox.rmdir()
    charge.look()
    assert "inbox" in charge.trouble
    inbox.mkdir()
    charge.look()
    assert not charge.trouble
    assert heard.hears_of(inbox, "user.csv")


def mount(folder: Path) -> None:
    done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=False, capture_output=True)
    if done.returncode:
        pytest.skip("nothing can be mounted here")


def unmount(folder: Path) -> int:
    return subprocess.run(["umount", folder], check=False, capture_output=True).returncode


@pytest.fixture
def mounted(charge, inbox) -> Iterator[Path]:
    """Something is mounted over the site's folder, with inbox and spool in it, and the site looked at again."""
    folder = inbox.parents[1]
    mount(folder)
    inbox.mkdir(parents=True)
    (folder / "spool").mkdir()
    charge.look()
    yield folder
    while not unmount(folder):
        pass


@needs_root
@pytest.mark.usefixtures("mounted")
def test_an_inbox_that_something_is_mounted_over_is_watched_there(charge, heard, inbox):
    assert charge.is_watched
    assert heard.hears_of(inbox, "user.csv")


@needs_root
def test_an_inbox_that_was_unmounted_is_watched_below(charge, heard, inbox, mounted):
    assert unmount(mounted) == 0
    charge.look()
    assert charge.is_watched
    assert heard.hears_of(inbox, "user.csv")


@needs_root
def test_an_inbox_that_was_unmounted_and_mounted_again_is_watched_though_it_looks_the_same(tmp_path, heard, watch):
    """As after `umount /srv; mount /srv` between two looks: device and inode are the same, the watch is gone."""
    folder = tmp_path / "folder"
    folder.mkdir()
    mount(folder)
    try:
        before: tuple[int, int] | None = None
        while identity(folder) != before:  # it has another number where somebody else took the old one meanwhile
            watch.arm("acme", folder)
            before = identity(folder)
            unmount(folder)
            mount(folder)
        assert watch.is_well("acme")  # so it seems
        watch.give_up_if_ended("acme")
        assert not watch.is_well("acme")
        watch.arm("acme", folder)
        assert heard.hears_of(folder, "user.csv")
    finally:
        watch.stop()
        unmount(folder)


def identity(folder: Path) -> tuple[int, int]:
    return folder.stat().st_dev, folder.stat().st_ino


@needs_root
def test_a_watch_that_was_dead_when_something_was_mounted_is_told_as_any_other(charge, heard, inbox, tmp_path):
    """Events were lost meanwhile: nobody knows what became of a file."""
    (inbox / "user.csv").touch()
    charge.look()
    charge.watch._observer.stop()
    charge.watch._observer.join()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    mount(elsewhere)
    try:
        since = charge.settler._tracks["user.csv"].since
        charge.look()
        assert charge.settler._tracks["user.csv"].since > since
    finally:
        unmount(elsewhere)
    assert heard.hears_of(inbox, "org.csv")


@needs_root
def test_a_mount_elsewhere_arms_nothing_anew(charge, heard, inbox, tmp_path):
    """On a machine with containers there is one every few seconds; a hundred inboxes are a hundred threads."""
    watching = set(threading.enumerate())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    mount(elsewhere)
    try:
        charge.look()
        assert set(threading.enumerate()) == watching
    finally:
        unmount(elsewhere)
    assert charge.is_watched
    assert heard.hears_of(inbox, "user.csv")


@needs_root
def test_a_mount_elsewhere_starts_no_quiet_time_again(charge, inbox, tmp_path):
    """On a machine that mounts something every second a file would else never be complete."""
    (inbox / "user.csv").touch()
    charge.look()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    mount(elsewhere)
    try:
        since = charge.settler._tracks["user.csv"].since
        charge.look()
        assert charge.settler._tracks["user.csv"].since == since
    finally:
        unmount(elsewhere)


def test_what_the_library_says_of_lost_events_is_heard(heard, watch):
    logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed; filesystem events were lost")
    assert heard.lost == 1
    watch.stop()
    logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed; filesystem events were lost")
    assert heard.lost == 1


def test_a_queue_that_really_overflows_is_noticed(inbox):
    program = "import sys, threading; from pathlib import Path; from lzsyncd.intake.watch import Watch\n"
    program += "lost = threading.Event(); watch = Watch(lambda *_: None, lost.set)\n"
    program += "print(watch.arm('acme', Path(sys.argv[1])), flush=True); print(lost.wait(20))"
    process = python(program, inbox)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)  # it has stopped
        limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        one, two = inbox / "one", inbox / "two"
        one.touch()
        for _ in range(limit // 3):  # each rename is two events
            one.rename(two)
            two.rename(one)
        process.send_signal(signal.SIGCONT)
        assert said(process) == "True\n"
    finally:
        process.kill()


@pytest.mark.parametrize("limit", ["max_inotify_watches", "max_inotify_instances"])
def test_where_the_kernel_has_no_more_watches_events_are_not_to_be_had(limit, inbox):
    program = "import sys; from pathlib import Path; from lzsyncd.intake.watch import Watch\n"
    program += "print(Watch(lambda *_: None, lambda: None).arm('acme', Path(sys.argv[1])))"
    shell = f'echo 0 > /proc/sys/user/{limit} || exit; exec "$@"'
    out = said(python(program, inbox, prefix=("unshare", "-U", "-r", "sh", "-c", shell, "sh")))
    if not out:
        pytest.skip("no user namespace can be had here")
    assert out == "False\n"


# -- file systems that tell nothing

TABLE = r"""
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:5 / /proc rw - proc proc rw
30 21 0:40 / /srv/lzsyncd rw,relatime - nfs4 server:/export rw,vers=4.2
31 21 0:41 / /srv/with\040blank rw - fuse.sshfs host: rw
32 21 0:42 / /srv/größe rw shared:9 master:2 - cifs //server/share rw
33 21 0:43 / /mnt rw - autofs systemd-1 rw
34 33 0:44 / /mnt rw - nfs server:/mnt rw
35 21 8:2 / /srv/lzsyncd/local rw - xfs /dev/sdb rw
36 21 0:46 / /shared rw - virtiofs host rw
""".strip()


@pytest.mark.parametrize(
    ("path", "sends"),
    [
        ("/", True),
        ("/srv/other", True),
        ("/srv/lzsyncdata", True),
        ("/srv/lzsyncd/acme/sftp/inbox", False),
        ("/srv/lzsyncd/local/inbox", True),
        ("/srv/with blank/inbox", False),
        ("/srv/größe/inbox", False),
        ("/mnt/inbox", False),
        ("/shared", False),
    ],
)
def test_network_file_systems_are_known_by_the_table_of_mounts(path, sends, tmp_path):
    (tmp_path / "mountinfo").write_text(TABLE)
    assert Mounts(tmp_path / "mountinfo").send_events(Path(path)) is sends


def table_with(folder: Path, kind: str) -> Mounts:
    (folder / "mountinfo").write_text(f"1 0 8:1 / / rw - {kind} source rw\n")
    return Mounts(folder / "mountinfo")


def test_an_inbox_on_a_network_file_system_is_polled_and_watched_once_it_is_local(inbox, heard, tmp_path, monkeypatch):
    monkeypatch.setattr(sites, "RESCAN", 1e-6)
    watch = Watch(heard.wake, heard.lose, table_with(tmp_path, "nfs4"))
    charge = Charge(replace(Site.standard("acme", tmp_path), inbox=inbox), watch)
    try:
        charge.look()
        assert charge.is_watched
        assert not watch.is_well("acme")
        monkeypatch.setattr(watch, "_mounts", table_with(tmp_path, "ext4"))
        charge.look()
        assert heard.hears_of(inbox, "user.csv")
    finally:
        watch.stop()


def test_a_polled_inbox_is_looked_at_every_few_seconds(inbox, heard, tmp_path):
    watch = Watch(heard.wake, heard.lose, table_with(tmp_path, "nfs4"))
    charge = Charge(replace(Site.standard("acme", tmp_path), inbox=inbox), watch)
    try:
        charge.look()
        assert charge.scan_at <= time.monotonic() + sites.POLL
    finally:
        watch.stop()


def test_a_thousand_events_are_one_look(charge):
    begun = time.monotonic()
    charge.look()
    looked = time.monotonic()
    charge.stirred()
    first = charge.scan_at
    assert begun + sites.GLIMPSE <= first <= max(looked + sites.GLIMPSE, time.monotonic())
    charge.stirred()
    assert charge.scan_at <= max(first, time.monotonic())


@pytest.mark.parametrize(
    ("content", "cut"),
    [(b"idnumber\n1\n", False), (b"idnumber\r1\r", False), (b"idnumber\n1", True), (b"", False)],
)
def test_a_file_that_does_not_end_with_a_line_break_may_have_been_cut_off(content, cut, tmp_path):
    (tmp_path / "user.csv").write_bytes(content)
    inbox = Inbox(tmp_path)
    assert [entry.cut for entry in inbox.entries()] == [False]
    inbox.peek(["user.csv"])
    assert [entry.cut for entry in inbox.entries()] == [cut]
