"""What is to be done on a machine: each step knows whether it is needed, says what it does, and does it."""

import os
import shlex
import stat
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lzsyncd.errors import LzsyncdError, Usage
from lzsyncd.setup.accounts import Accounts

Tell = Callable[[str], None]


class CommandFailed(LzsyncdError):
    """A program of the system failed; the text ends with what it said."""


class Step(Protocol):
    """One thing to do."""

    def pending(self) -> str:
        """What is to be done, in words; "" where it is done already. Nothing is changed by asking."""

    def do(self) -> None:
        """Do it."""


Plan = list[tuple[Step, str]]


def planned(steps: Sequence[Step]) -> Plan:
    """What of these steps is still to be done."""
    return [(step, text) for step in steps if (text := step.pending())]


def carry_out(plan: Plan, tell: Tell, *, dry_run: bool) -> None:
    """Tell each step, then do it; a dry run only tells."""
    for step, text in plan:
        tell(text)
        if not dry_run:
            step.do()


@dataclass(frozen=True)
class Owned:
    """Who owns a file or folder, and its mode.

    Attributes:
        user: a name of the machine it is on.
        group: likewise.
        mode: all bits of chmod.
    """

    user: str
    group: str
    mode: int

    def __str__(self) -> str:
        return f"{self.user}:{self.group} {self.mode:04o}"

    def holds(self, path: Path, accounts: Accounts) -> bool:
        """Whether a path is owned like that."""
        found = path.stat()
        there = (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))
        return there == (accounts.uid(self.user), accounts.gid(self.group), self.mode)

    def give(self, path: Path, accounts: Accounts) -> None:
        """Make it so.

        Raises:
            Usage: there is no such account or group.
        """
        uid, gid = accounts.uid(self.user), accounts.gid(self.group)
        if uid is None or gid is None:
            raise Usage(f"There is no account {self.user} or no group {self.group}: run lzsyncd install first.")
        os.chown(path, uid, gid)
        path.chmod(self.mode)  # after chown, which takes setgid away


def owned(path: Path, accounts: Accounts) -> Owned:
    """Who owns a path now."""
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    return Owned(accounts.user_name(found.st_uid), accounts.group_name(found.st_gid), mode)


ROOTS_FILE = Owned("root", "root", 0o644)


@dataclass(frozen=True)
class Folder:
    """A folder with its owner and mode. Where it is there already and somebody else's, that is told and mended."""

    path: Path
    owner: Owned
    accounts: Accounts

    def pending(self) -> str:
        """See `Step`."""
        if not self.path.exists():
            return f"make folder {self.path} ({self.owner})"
        if not self.path.is_dir():
            raise Usage(f"{self.path} is in the way: it is no folder.")
        if self.owner.holds(self.path, self.accounts):
            return ""
        return f"change folder {self.path} to {self.owner} (it was {owned(self.path, self.accounts)})"

    def do(self) -> None:
        """See `Step`."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.owner.give(self.path, self.accounts)


@dataclass(frozen=True)
class File:
    """A file with what is in it, its owner and mode. It is there whole, or as it was before."""

    path: Path
    data: bytes
    owner: Owned
    accounts: Accounts

    def pending(self) -> str:
        """See `Step`."""
        if not self.path.exists():
            return f"write {self.path} ({self.owner})"
        if self.path.read_bytes() != self.data:
            return f"replace {self.path} ({self.owner})"
        if self.owner.holds(self.path, self.accounts):
            return ""
        return f"change {self.path} to {self.owner} (it was {owned(self.path, self.accounts)})"

    def do(self) -> None:
        """See `Step`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, self.data, lambda path: self.owner.give(path, self.accounts))


def write_whole(path: Path, data: bytes, prepare: Callable[[Path], None]) -> None:
    """Write a file beside its place, prepare it there (its owner), and move it in: nobody sees a half one."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        prepare(beside)
        beside.rename(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    path: Path
    target: str

    def pending(self) -> str:
        """See `Step`."""
        if self.path.is_symlink() and str(self.path.readlink()) == self.target:
            return ""
        if self.path.is_symlink() or self.path.exists():
            raise Usage(
                f"{self.path} is in the way: it should be a link to {self.target}. Stop lzsyncd and move it there."
            )
        return f"link {self.path} to {self.target}"

    def do(self) -> None:
        """See `Step`."""
        self.path.symlink_to(self.target)


@dataclass(frozen=True)
class Removal:
    """A file, or an empty folder, that goes."""

    path: Path

    def pending(self) -> str:
        """See `Step`."""
        return f"remove {self.path}" if self.path.is_symlink() or self.path.exists() else ""

    def do(self) -> None:
        """See `Step`."""
        if self.path.is_dir():
            self.path.rmdir()
        else:
            self.path.unlink()


@dataclass(frozen=True)
class Command:
    """A program of the system.

    Attributes:
        words: the command.
        needed: whether it is to be run; asked when the plan is made.
    """

    words: tuple[str, ...]
    needed: Callable[[], bool] = lambda: True

    def pending(self) -> str:
        """See `Step`."""
        return f"run {shlex.join(self.words)}" if self.needed() else ""

    def do(self) -> None:
        """See `Step`."""
        run(*self.words)


def run(*words: str, stdin: str = "") -> str:
    """Run a program of the system; returns what it printed.

    Raises:
        CommandFailed: it is not there, or it failed.
    """
    try:
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, check=False)  # noqa: S603 our own words
    except FileNotFoundError:
        raise CommandFailed(f"There is no program {words[0]} here.") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        raise CommandFailed(f"{words[0]} failed: {said}")
    return done.stdout
