"""A large file is read in a process of its own, while this one writes to the database what it has got.

The other process is a fresh interpreter that loads the reader and nothing else; it ends with its file, or when nobody
takes its chunks any more. Both trust each other: it is the same program under the same account.
"""

import fcntl
import marshal
import pickle
import signal
import struct
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from lzsyncd.errors import LzsyncdError
from lzsyncd.feed.csvfile import FileRejected
from lzsyncd.feed.preparing import Chunk, Recipe, prepare

WORTH_IT = 8 * 1024 * 1024  # bytes; starting an interpreter takes as long as reading half of that
PIPE_SIZE = 1024 * 1024  # what one side may be ahead, beyond the chunk in its hands; Linux allows no more by default
HEAD = struct.Struct(">cQ")
CHUNK, REJECTED, FAILED, END = b"c", b"r", b"f", b"e"
PROGRAM = "import sys; sys.path[:] = {path!r}; from lzsyncd.feed.apart import main; main()"


class ReadingFailed(LzsyncdError):
    """The process that reads a file has failed: a fault of lzsyncd, or it was killed. Nothing was applied."""


def chunks(recipe: Recipe) -> Iterator[Chunk]:
    """The chunks of a file; where it is large, from a process of its own.

    Raises:
        FileRejected: as `CsvFile` says.
        ReadingFailed: the other process broke off.
    """
    process = _started() if is_large(recipe.path) else None
    return prepare(recipe) if process is None else _from_apart(process, recipe)


def is_large(path: Path) -> bool:
    """Whether a file is worth more than one process."""
    try:
        return path.stat().st_size >= WORTH_IT
    except OSError:
        return False  # whoever reads it tells


def _started() -> "subprocess.Popen[bytes] | None":
    """The other process; None where the machine gives no more: then this one reads, which only takes longer."""
    command = [sys.executable, "-I", "-c", PROGRAM.format(path=sys.path)]
    try:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 ourselves
    except OSError:
        return None


def _from_apart(process: "subprocess.Popen[bytes]", recipe: Recipe) -> Iterator[Chunk]:
    with _at_work(process, recipe) as stream:
        while (message := _receive(stream))[0] != END:
            kind, data = message
            if kind == REJECTED:
                raise FileRejected(*marshal.loads(data))  # noqa: S302 our own process wrote it
            if kind == FAILED:
                error = ReadingFailed("The process that reads the file has failed; the log says where.")
                error.add_note(data.decode())
                raise error
            yield Chunk.from_bytes(data)


@contextmanager
def _at_work(process: "subprocess.Popen[bytes]", recipe: Recipe) -> Iterator[BinaryIO]:
    """Tell the process what to read; at the end of the block it is gone, whatever happened."""
    with process:
        try:
            fcntl.fcntl(_of(process.stdout), fcntl.F_SETPIPE_SZ, PIPE_SIZE)
            pickle.dump(recipe, _of(process.stdin))
            _of(process.stdin).close()
            yield _of(process.stdout)
        except BaseException:
            process.kill()
            raise


def _of(stream: Any) -> BinaryIO:
    """A pipe that was asked for."""
    if stream is None:
        raise TypeError("The process was started without pipes.")
    pipe: BinaryIO = stream
    return pipe


def _receive(stream: BinaryIO) -> tuple[bytes, bytes]:
    head = stream.read(HEAD.size)
    if len(head) == HEAD.size:
        kind, size = HEAD.unpack(head)
        data = stream.read(size)
        if len(data) == size:
            return kind, data
    raise ReadingFailed("The process that reads the file was killed.")


def main() -> None:
    """The other process: a recipe on standard input, messages on standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; the one that asked ends this one
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    recipe = pickle.load(sys.stdin.buffer)  # noqa: S301 our own process wrote it
    try:
        for chunk in prepare(recipe):
            _send(CHUNK, chunk.to_bytes())
    except FileRejected as rejected:
        fields = (rejected.code, rejected.line, rejected.detail, rejected.column, rejected.value)
        _send(REJECTED, marshal.dumps(fields))
    except Exception as error:  # noqa: BLE001 told at the other end, without the values in its text (law 8)
        frames = "".join(traceback.format_tb(error.__traceback__))
        _send(FAILED, f"{type(error).__name__}\n{frames}".encode())
    else:
        _send(END, b"")


def _send(kind: bytes, data: bytes) -> None:
    sys.stdout.buffer.write(HEAD.pack(kind, len(data)))
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
