"""Fetch sets from a remote SFTP server into the inbox, through the same door as any upload.

A file is fetched under a temporary name, which the inbox ignores; when all files of a set are whole and the server
lists them as before, they are renamed, markers last. From then on it is a delivery like any other. What was fetched is
remembered before the rename, and a visit that was killed in between is finished by the next one: no set is lost or
fetched twice. Nothing here takes the site's lock: a server that hangs keeps nobody from working.
"""

import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import paramiko

from lzsyncd.config import Remote, Site
from lzsyncd.errors import DiskFull, LzsyncdError, TryAgain, writing
from lzsyncd.feed.elements import Element
from lzsyncd.intake.markers import MARKERS, SET_FILES
from lzsyncd.intake.offers import Choice, choose
from lzsyncd.intake.server import asking, connected
from lzsyncd.intake.spool import sync_folder
from lzsyncd.ledger.fetched import Memory, Offered
from lzsyncd.ledger.runs import iso
from lzsyncd.report.put import put_reports
from lzsyncd.zone.advisory import Lock
from lzsyncd.zone.database import Database

TEMPORARY = ".lzsyncd-fetch-"  # no name of a set in it: the inbox does not wait for it as for an upload of that file
# Bytes asked for at once: what OpenSSH gives; others give less. Asking ahead in a thread, as paramiko can, took
# 313 MiB for a file of 500 MB instead of 59, and that thread dies alone where a connection breaks.
BLOCK = 255 * 1024
# what somebody else may have put there is neither followed nor waited for: a pipe that nobody reads is an error at once
WRITE_ON = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
UNDER_WAY = "Another visit of this server is under way."


@dataclass(frozen=True)
class Clock:
    """Time for whoever waits; tests have their own."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep


@dataclass
class Visited:
    """What a visit did.

    Attributes:
        fetched: the names that are in the inbox now.
        size: bytes that were fetched.
        put: runs whose reports were put.
        waiting: what is waited for on the server.
        trouble: what went wrong that did not end the visit.
    """

    fetched: list[str] = field(default_factory=list)
    size: int = 0
    put: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)


def visit(database: Database, site: Site, remote: Remote, clock: Clock | None = None) -> Visited:
    """Visit the server once: fetch what is new, put reports, and remember how it went.

    Raises:
        TryAgain: the server or the database does not answer, or another visit is under way.
        NotPermitted: it is another server, or it does not let us in.
        DiskFull: there is no room; what was fetched so far is kept, unless there is no room at all.
        LzsyncdError: something is not as the configuration says.
    """
    time_of = clock or Clock()
    memory = Memory(database, remote.place)
    with _alone(database, site):
        first_at = memory.began(iso(time_of.now()))
        made = _Visit(site, remote, memory, time_of)
        try:
            made.finish_arrivals()
            with connected(remote) as server:
                made.fetch(server)
                made.done.put = put_reports(server, site, remote, memory, first_at)
        except LzsyncdError as error:
            memory.ended(iso(time_of.now()), str(error), has_fetched=bool(made.done.fetched))
            raise
        done = made.done
        memory.ended(
            iso(time_of.now()), " ".join(done.trouble), "; ".join(done.waiting), has_fetched=bool(done.fetched)
        )
        return done


@contextmanager
def _alone(database: Database, site: Site) -> Iterator[None]:
    """One connection at a time, whoever makes it.

    The inbox itself is locked: that needs no file, and ends with us. Where several hosts share it the database says who
    visits: on NFS a folder can't be locked (flock(2), a lock there needs a file that is open for writing).
    """
    if not database.is_alone(Lock.VISIT):
        raise TryAgain(UNDER_WAY)
    if site.database != "sqlite":
        yield
        return
    with writing(site.inbox):
        handle = os.open(site.inbox, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise TryAgain(UNDER_WAY) from None
    finally:
        os.close(handle)


@dataclass
class _Visit:
    site: Site
    remote: Remote
    memory: Memory
    clock: Clock
    done: Visited = field(default_factory=Visited)

    # -- into the inbox

    def finish_arrivals(self) -> None:
        """What a visit that was killed had whole: rename what it had not renamed."""
        left = [file for file, about in self.memory.files().items() if about.status == "arriving"]
        self._enter(left)

    def _enter(self, files: Iterable[Offered]) -> None:
        """Rename whole files to their names, markers last; durable when it returns."""
        entering = sorted(files, key=lambda file: (file.name in MARKERS, file.name))
        with writing(self.site.inbox):
            for file in entering:
                with suppress(FileNotFoundError):  # it was renamed before
                    self._temporary(file).rename(self.site.inbox / file.name)
                    self.done.fetched.append(file.name)
            if entering:
                sync_folder(self.site.inbox)
        self.memory.move(entering, "fetched")

    def _temporary(self, file: Offered) -> Path:
        """Where a file is until it is whole; the name says which one it is, so that only the same is gone on with."""
        digest = sha256(repr((self.memory.place, *file)).encode()).hexdigest()[:20]
        return self.site.inbox / f"{TEMPORARY}{digest}.part"

    # -- fetching

    def fetch(self, server: paramiko.SFTPClient) -> None:
        """Fetch what is new, set by set; then tidy up what was fetched before."""
        offered, choices = self._choices(server)
        if any(choice.is_soon for choice in choices):
            self.clock.sleep(self.site.settle)
            offered, choices = self._choices(server)
        self._sweep(offered)
        for choice in choices:
            if choice.waiting:
                self.done.waiting.append(f"{choice.waiting} on the server")
            else:
                self._fetch_set(server, choice)
        self._tidy(server, offered)

    def _choices(self, server: paramiko.SFTPClient) -> tuple[set[Offered], list[Choice]]:
        offered = self._offered(server)
        now = self.clock.now()
        self.memory.see(offered, iso(now))
        return offered, choose(self.site, offered, self.memory.files(), now)

    def _offered(self, server: paramiko.SFTPClient) -> set[Offered]:
        """What the server has of sets: plain files by their exact names, no links."""
        names = {*MARKERS, *(name for name, e in SET_FILES.items() if self.site.element(Element(e)).enabled)}
        with asking(self.remote, "listing the folder"):
            listed = server.listdir_attr(self.remote.folder)
        found = set()
        for entry in listed:
            if entry.filename in names and stat.S_ISREG(entry.st_mode or 0):
                found.add(Offered(entry.filename, int(entry.st_size or 0), int(entry.st_mtime or 0)))
        return found

    def _fetch_set(self, server: paramiko.SFTPClient, choice: Choice) -> None:
        if reason := self._not_now(choice.files):
            self.done.waiting.append(reason)
            return
        for file in choice.files:
            self._download(server, file)
        now_there = self._offered(server)
        if changed := [file.name for file in choice.files if file not in now_there]:
            self.done.waiting.append(f"{', '.join(changed)} changed on the server while it was fetched")
            return
        self.memory.see(now_there, iso(self.clock.now()))
        self.memory.move(choice.files, "arriving")
        self._enter(choice.files)

    def _not_now(self, files: Iterable[Offered]) -> str:
        """Why a set can't be taken at the moment: the inbox still has one that is waited for, or it is too large."""
        patience = self.site.settle + self.site.set_window
        for file in files:
            if file.size > self.site.max_file_size:
                self.done.trouble.append(f"{file.name} on the server is larger than max_file_size; it is not fetched.")
                return f"{file.name} is too large"
            with suppress(FileNotFoundError):
                if time.time() - (self.site.inbox / file.name).lstat().st_ctime < patience:
                    return f"the inbox still has {file.name}"
        return ""

    def _download(self, server: paramiko.SFTPClient, file: Offered) -> None:
        """Fetch a file, or what is missing of it, to its temporary name; whole and durable when it returns."""
        path = self._temporary(file)
        with writing(path):
            _make_way(path)
            handle = os.open(path, WRITE_ON, 0o640)
        try:
            have = os.fstat(handle).st_size
            if have > file.size:
                os.ftruncate(handle, have := 0)
            self._refuse_without_room(path, file.size - have)
            self._receive(server, file, handle, have)
            if os.fstat(handle).st_size != file.size:
                raise TryAgain(f"{self.remote.server} sent less of {file.name} than it lists.")
        finally:
            with writing(path):
                os.fsync(handle)
                os.close(handle)

    def _receive(self, server: paramiko.SFTPClient, file: Offered, handle: int, have: int) -> None:
        fetching = f"sending {file.name}"
        with asking(self.remote, fetching):
            stream = server.open(f"{self.remote.folder}/{file.name}", "rb")  # never closed after a failure: that waits
            stream.MAX_REQUEST_SIZE = BLOCK
            stream.seek(have)
        while have < file.size:
            with asking(self.remote, fetching):
                block = stream.read(min(BLOCK, file.size - have))
            if not block:
                return
            with writing(self._temporary(file)):
                self._write(handle, block, file)
            have += len(block)
            self.done.size += len(block)
        with asking(self.remote, fetching):
            stream.close()

    def _write(self, handle: int, block: bytes, file: Offered) -> None:
        try:
            while block:
                block = block[os.write(handle, block) :]
        except OSError:  # the disk is full: whoever works for the site needs the room more than a half file does
            self._temporary(file).unlink(missing_ok=True)
            raise

    def _refuse_without_room(self, path: Path, size: int) -> None:
        free = os.statvfs(path.parent)
        if size > free.f_bavail * free.f_frsize:
            path.unlink(missing_ok=True)
            raise DiskFull(f"The disk has no room for what {self.remote.server[4:]} has, {path.parent} can't take it.")

    def _sweep(self, offered: Iterable[Offered]) -> None:
        """Remove halves of files that are not there any more."""
        wanted = {self._temporary(file).name for file in offered}
        for path in self.site.inbox.glob(f"{TEMPORARY}*.part"):
            if path.name not in wanted:
                with suppress(IsADirectoryError):  # whoever may write here has made it; it hinders nobody
                    path.unlink(missing_ok=True)

    # -- what was fetched

    def _tidy(self, server: paramiko.SFTPClient, offered: set[Offered]) -> None:
        """Move or delete on the server what is in the inbox or further; it is tried again at each visit."""
        if self.remote.after == "keep":
            return
        fetched = [file for file, about in self.memory.files().items() if about.status == "fetched"]
        for file in fetched:
            try:
                if file in offered:
                    self._take_away(server, file)
            except LzsyncdError as error:
                self.done.trouble.append(str(error))
            else:
                self.memory.move([file], "done")

    def _take_away(self, server: paramiko.SFTPClient, file: Offered) -> None:
        path = f"{self.remote.folder}/{file.name}"
        if self.remote.after == "delete":
            with asking(self.remote, f"deleting {file.name}"):
                server.remove(path)
            return
        folder = f"{self.remote.folder}/{self.remote.move_to}"
        with asking(self.remote, f"moving {file.name}"):
            with suppress(OSError):  # it is there; if not, the rename says so
                server.mkdir(folder)
            server.rename(path, f"{folder}/{self.clock.now():%Y%m%dT%H%M%S}-{file.name}")


def _make_way(path: Path) -> None:
    """Remove what is no file: whoever may write to the inbox can guess the name."""
    with suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            path.unlink()
