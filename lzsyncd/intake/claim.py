"""Take a set out of the inbox: a rename for each file, into the run's spool, after the run is in the ledger.

What was to be claimed is written down beside it first, so that a claim that was killed is finished, not guessed.

The inbox is writable by somebody else. Names are used through open folders and never followed; what lies under a name
is compared with what was judged, before and after. Nothing is opened here, and nothing is ever deleted.
"""

import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lzsyncd.errors import LzsyncdError, writing
from lzsyncd.feed.elements import Element
from lzsyncd.intake.lease import is_written
from lzsyncd.intake.spool import sync_folder

ORDER = "claimed.json"
CLAIMED = "claimed"  # the folder in a run's spool with what was renamed, until it is copied
SWEPT = ".done"  # how the name of a run's spool ends that may be removed
PROBE = ".lzsyncd-probe"


class NotAsJudged(LzsyncdError):
    """A file was changed or taken away since the set was found complete. Nothing was claimed; a later look decides."""


class Judged(NamedTuple):
    """A name in the inbox as it was judged.

    Attributes:
        name: the bare file name.
        inode: of the file.
        size: bytes; 0 for what is no plain file.
        mtime_ns: when it was last written, in nanoseconds.
    """

    name: str
    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Order:
    """A set to claim.

    Attributes:
        files: of each element.
        markers: completion markers that go with them.
        mended: they are reject files that came back.
    """

    files: dict[Element, Judged]
    markers: tuple[Judged, ...] = ()
    mended: bool = False

    @property
    def names(self) -> tuple[Judged, ...]:
        """All that is to be renamed; markers go last, so that what they speak for is never without them."""
        return (*self.files.values(), *self.markers)

    def as_dict(self) -> dict[str, Any]:
        """For a file, or for another process."""
        files = {str(e): list(judged) for e, judged in self.files.items()}
        return {"files": files, "markers": [list(marker) for marker in self.markers], "mended": self.mended}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Order":
        """What `as_dict` gave."""
        files = {Element(e): Judged(*judged) for e, judged in data["files"].items()}
        return cls(files, tuple(Judged(*marker) for marker in data["markers"]), bool(data["mended"]))


def order_in(spool: Path) -> Order | None:
    """What was claimed into a run's spool; None for a spool that has copies only."""
    try:
        return Order.from_dict(json.loads((spool / ORDER).read_text()))
    except FileNotFoundError:
        return None


def still_there(inbox: Path, order: Order) -> None:
    """Look whether all files are still what was judged.

    Raises:
        NotAsJudged: one of them is not.
    """
    with _folder(inbox) as source:
        for judged in order.names:
            if _look(source, judged.name) != judged:
                raise NotAsJudged("A file of the set was changed or taken away while it was claimed.")


def refuse_writers(inbox: Path, order: Order) -> None:
    """Look whether somebody has begun to write to a file of the set again.

    Whoever has a file open goes on writing to it wherever it is renamed to.

    Raises:
        NotAsJudged: somebody has.
    """
    with _folder(inbox) as source:
        for judged in order.names:
            if is_written(judged.name, source):
                raise NotAsJudged("Somebody writes to a file of the set again.")


def claim(inbox: Path, spool: Path, order: Order) -> None:
    """Rename files from the inbox into `claimed/` of a run's spool; durable when it returns.

    Doing it again goes on where a killed attempt stopped. A file that is not what was judged stays where it is, and so
    does one that looks the same as one that was taken before: it is another delivery's, which got its inode.

    Raises:
        NotPermitted: a folder may not be written.
        DiskFull: there is no room for the folders.
    """
    folder = spool / CLAIMED
    with writing(folder):
        for part in (spool.parent, spool, folder):  # in one step only the last would get the mode
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_order(spool, order)
    if all(os.path.lexists(spool / judged.name) for judged in order.names):
        return  # and copied; perhaps it never was in the inbox
    with _folder(inbox) as source, _folder(folder) as target, writing(inbox):
        for judged in order.names:
            was_taken = os.path.lexists(spool / judged.name)
            if not was_taken and _look(target, judged.name) is None and _look(source, judged.name) == judged:
                _move(judged.name, source, target, spool.name)
        os.fsync(source)
        os.fsync(target)


def _move(name: str, source: int, target: int, run_id: str) -> None:
    try:
        os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
    except FileNotFoundError:  # NFS shows for a while what another host has taken
        return
    except PermissionError:
        if not stat.S_ISDIR(os.stat(name, dir_fd=source, follow_symlinks=False).st_mode):
            raise
        # A folder that is not ours can't change its parent. Left under its name it would be claimed for ever: it gets
        # another one (with a dot it would be an upload), and an empty folder stands for it in the run, to be refused.
        os.rename(name, f"{name}.{run_id}", src_dir_fd=source, dst_dir_fd=source)
        os.mkdir(name, 0o700, dir_fd=target)


def is_empty_handed(spool: Path, order: Order) -> bool:
    """Whether nothing of a set is in the spool of the run that was to claim it: somebody else took all of it."""
    places = (folder / judged.name for judged in order.names for folder in (spool, spool / CLAIMED))
    return not any(os.path.lexists(path) for path in places)


def write_order(spool: Path, order: Order) -> None:
    """Write down what belongs to a set, beside it; durable when it returns."""
    partial = spool / f".{ORDER}"
    with partial.open("w") as stream:
        json.dump(order.as_dict(), stream)
        stream.flush()
        os.fsync(stream.fileno())
    partial.rename(spool / ORDER)
    sync_folder(spool)
    sync_folder(spool.parent)


def refuse_other_file_system(inbox: Path, spool: Path) -> None:
    """Try whether a rename from the inbox to the spool works, as it must: a copy is neither quick nor whole.

    Raises:
        LzsyncdError: they are not on one file system and mount.
        NotPermitted: one of them may not be written.
    """
    name = f"{PROBE}-{secrets.token_hex(8)}"  # nobody can have put a link or a folder there
    with writing(spool):
        spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    with writing(inbox):
        _sweep_trials(inbox, spool)
        os.close(os.open(inbox / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        try:
            with suppress(FileNotFoundError):  # another host tries it, too, and has swept this one away
                (inbox / name).rename(spool / name)
        except OSError as error:
            (inbox / name).unlink(missing_ok=True)
            if isinstance(error, PermissionError):
                raise
            raise LzsyncdError(
                f"{inbox} and {spool} must be on one file system and mount; files can't be claimed by renaming them "
                f"({os.strerror(error.errno or 0)})."
            ) from None
        (spool / name).unlink(missing_ok=True)


def _sweep_trials(*folders: Path) -> None:
    """Remove what trials left that were killed; what somebody put there, and can't be removed, is in nobody's way."""
    for path in (path for folder in folders for path in folder.glob(f"{PROBE}-*")):
        with suppress(OSError):
            path.unlink()


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    with writing(path):
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _look(folder: int, name: str) -> Judged | None:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return Judged(name, status.st_ino, status.st_size if stat.S_ISREG(status.st_mode) else 0, status.st_mtime_ns)
