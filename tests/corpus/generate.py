"""Deliveries that no repository can hold: links, pipes, forbidden and growing files, cells of 50 MB."""

import contextlib
import ctypes
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

HUGE = 50 * 1024 * 1024
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
CAPABILITY_VERSION_3 = 0x20080522


@contextlib.contextmanager
def delivered(folder: Path, target: Path, generate: dict[str, str]) -> Iterator[None]:
    """The files of a day in `target`, made as `generate` says, for the time of a run."""
    if not target.exists():
        _copy(folder, target)
        for name, what in generate.items():
            MAKERS[what](target / name)
    with contextlib.ExitStack() as stack:
        for name, what in generate.items():
            if what == "unreadable":
                stack.enter_context(_without_privileges())
            if what == "growing":
                stack.enter_context(_touched(target / name))
        yield


def _copy(folder: Path, target: Path) -> None:
    target.mkdir()
    for path in folder.iterdir():
        if path.is_file() and path.name != "case.toml":
            shutil.copyfile(path, target / path.name)


def _aside(path: Path) -> Path:
    elsewhere = path.parent.with_name(path.parent.name + "-elsewhere")
    elsewhere.mkdir()
    return path.rename(elsewhere / path.name)


def _grow(path: Path) -> None:
    """Blank lines are skipped; sixteen million of them take a while to copy."""
    with path.open("ab") as file:
        file.write(b"\n" * (16 << 20))


def _fill(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"HUGE", b"x" * HUGE))


MAKERS = {
    "symlink": lambda path: path.symlink_to(_aside(path)),
    "hard-link": lambda path: path.hardlink_to(_aside(path)),
    "folder": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "unreadable": lambda path: path.chmod(0),
    "growing": _grow,
    "huge-cell": _fill,
}


@contextlib.contextmanager
def _touched(path: Path) -> Iterator[None]:
    """Somebody is still writing: the file's time moves on and on."""
    done = threading.Event()

    def touch() -> None:
        while not done.wait(0.0005):
            os.utime(path)

    writer = threading.Thread(target=touch)
    writer.start()
    try:
        yield
    finally:
        done.set()
        writer.join()


@contextlib.contextmanager
def _without_privileges() -> Iterator[None]:
    """As root, file modes mean nothing: this thread gives that up for a while. Others have nothing to give up."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, data = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    libc.capget(header, data)
    effective = data[0]
    data[0] &= ~(1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH)
    libc.capset(header, data)
    try:
        yield
    finally:
        data[0] = effective
        libc.capset(header, data)
