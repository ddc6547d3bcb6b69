"""Take a set into the spool, untouched and whole; keep it in the archive, byte for byte (law 10).

Files are copied, hashed on the way, and looked at again afterwards: one that changed meanwhile is refused. Links and
devices are refused before they are opened: the folder may be writable by somebody else.
"""

import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from isal import igzip

from lzsyncd.checks.catalogue import Finding
from lzsyncd.errors import writing
from lzsyncd.feed.elements import Element
from lzsyncd.intake.lease import is_written
from lzsyncd.intake.sets import FileSet

CHUNK = 1 << 20
LARGE = 8 * 1024 * 1024  # bytes of a set from which a first load is worth its own way of writing
COMPRESSION = 2  # of 0 to 3; smaller than zlib's 1


@dataclass(frozen=True)
class Taken:
    """One file of a set, in the spool.

    Attributes:
        element: what it holds.
        name: its bare name as it was delivered.
        path: where the copy is.
        size: bytes.
        sha256: of its bytes.
        finding: what is wrong with the file itself, None when it could be taken.
        rows: how many records a completion marker says it has, None where none does.
        marker: the name of that marker.
    """

    element: Element
    name: str
    path: Path
    size: int
    sha256: str
    finding: Finding | None = None
    rows: int | None = None
    marker: str = ""


def take(file_set: FileSet, spool: Path, max_size: int) -> list[Taken]:
    """Copy the files of a set into a folder of the spool.

    Raises:
        DiskFull: there is no room for them; what was copied is gone again, and the room with it.
        NotPermitted: the spool may not be written.
    """
    with writing(spool):
        make_folder(spool)
        try:
            taken = [_take(e, source, spool / source.name, max_size) for e, source in file_set.files.items()]
            sync_folder(spool)
        except OSError:
            shutil.rmtree(spool, ignore_errors=True)
            raise
    return taken


def take_claimed(
    file_set: FileSet, spool: Path, max_size: int, fence: Callable[[], None] = lambda: None
) -> list[Taken]:
    """Copy the files of a claimed set.

    Nobody can open one of them any more, but somebody may have had one open for writing before it was claimed: what is
    there may then be half of what is meant, so it is refused. A file that was copied whole before is not copied again.
    What could not be taken stays in `claimed/`.

    Args:
        file_set: where the claimed files are.
        spool: where the copies go.
        max_size: bytes.
        fence: raises where it is not for us any more to remove what was copied.

    Raises:
        DiskFull: there is no room for them; what was claimed is still there.
        NotPermitted: the spool may not be written.
    """
    taken = []
    with writing(spool):
        for e, source in file_set.files.items():
            if is_written(source):
                taken.append(_changed(e, spool / source.name))
            elif os.path.lexists(source):
                taken.append(_take(e, source, spool / source.name, max_size))
            else:
                taken.append(_taken_before(e, spool / source.name))
        sync_folder(spool)
        fence()
        for e, source in file_set.files.items():
            if any(file.element is e and file.finding is None for file in taken):
                source.unlink(missing_ok=True)
    return taken


def _taken_before(e: Element, path: Path) -> Taken:
    if not path.is_file():
        return _changed(e, path)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Taken(e, path.name, path, path.stat().st_size, digest)


def _changed(e: Element, path: Path) -> Taken:
    return Taken(e, path.name, path, 0, "", Finding("file.changed", e, 1, file=path.name))


def is_large(taken: list[Taken]) -> bool:
    """Whether a first load of these files is worth its own way of writing."""
    return sum(file.size for file in taken) >= LARGE


def set_hash(taken: list[Taken]) -> str:
    """The digest of a set: which elements, which bytes."""
    lines = sorted(f"{file.element} {file.sha256}" for file in taken)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _take(element: Element, source: Path, target: Path, max_size: int) -> Taken:
    def refused(code: str, detail: str = "", value: str = "") -> Taken:
        finding = Finding(code, element, 1, value=value, detail=detail, file=source.name)
        return Taken(element, source.name, target, 0, "", finding)

    try:
        handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        link = source.is_symlink()
        return refused(*(("set.unsafe", "it is a symbolic link") if link else ("file.unreadable", _words(error))))
    before = os.fstat(handle)
    if reason := _unsafe(before):
        os.close(handle)
        return refused("set.unsafe", reason)
    with os.fdopen(handle, "rb") as stream:
        if before.st_size > max_size:
            return refused("file.too_large", f"{max_size:,}", f"{before.st_size:,}")
        try:
            size, digest = _copy(stream, target)
        except OSError as error:
            if error.errno is None or not _is_reading(error):
                raise
            return refused("file.unreadable", _words(error))
        after = os.fstat(handle)
    if _identity(before) != _identity(after) or size != before.st_size:
        return refused("file.changed")
    return Taken(element, source.name, target, size, digest)


def _words(error: OSError) -> str:
    return os.strerror(error.errno or 0)


def _is_reading(error: OSError) -> bool:
    """Whether a copy failed at its source; a full disk is our trouble, not the file's."""
    return error.filename is None and error.errno in (5, 21)  # EIO, EISDIR


def _unsafe(status: os.stat_result) -> str:
    if stat.S_ISDIR(status.st_mode):
        return "it is a folder"
    if not stat.S_ISREG(status.st_mode):
        return "it is a device, pipe or socket"
    return "it has more than one name (hard link)" if status.st_nlink > 1 else ""


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _copy(stream: object, target: Path) -> tuple[int, str]:
    """Copy and hash; the copy has its name when it is whole.

    Its name until then is nobody else's: somebody who was stopped while he copied, and comes back after another host
    has taken over, must not write into what that one reads.
    """
    digest, size = hashlib.sha256(), 0
    partial = partial_name(target)
    try:
        with partial.open("wb") as copy:
            while chunk := stream.read(CHUNK):  # type: ignore[attr-defined]
                digest.update(chunk)
                copy.write(chunk)
                size += len(chunk)
            copy.flush()
            os.fsync(copy.fileno())
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    partial.rename(target)
    return size, digest.hexdigest()


def partial_name(path: Path) -> Path:
    """What a file is called while it is written: a name that nobody else uses, also on another host."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


def pack(path: Path) -> Path:
    """Write a file's gzip beside it; durable when this returns, and safe to do again."""
    packed, partial = packed_name(path), partial_name(packed_name(path))
    try:
        with path.open("rb") as source, partial.open("wb") as raw:
            # a third of zlib's time (35 MB: 0.06 s, not 0.22 s), which counts beside the database on few cores
            with igzip.IGzipFile("", "wb", COMPRESSION, raw, 0) as stream:  # type: ignore[no-untyped-call]
                shutil.copyfileobj(source, stream, CHUNK)
            raw.flush()
            os.fsync(raw.fileno())
    except OSError:
        partial.unlink(missing_ok=True)  # the run beside it may need the room
        raise
    partial.rename(packed)
    return packed


def packed_name(path: Path) -> Path:
    """Where `pack` puts the gzip of a file."""
    return path.with_name(f"{path.name}.gz")


@contextmanager
def packing(paths: list[Path]) -> Iterator[None]:
    """Pack files beside the work of the block: compressing leaves the interpreter free, and gives way to all else.

    What could not be packed here is packed by `archive`, where a full disk is told.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="pack") as worker:
        started = [worker.submit(pack, path) for path in paths]
        try:
            yield
        finally:
            for future in started:
                future.cancel()


def archive(paths: list[Path], folder: Path) -> None:
    """Keep files as gzip of their bytes; durable when this returns, and safe to do again."""
    make_folder(folder)
    for path in paths:
        packed = packed_name(path)
        (packed if packed.is_file() else pack(path)).rename(folder / packed.name)
    sync_folder(folder)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing; durable when this returns. It may be there."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in reversed(missing):
        sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Make what is in a file durable."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
