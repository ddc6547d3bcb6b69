"""A disk that loses what was not synced when its power fails."""

import os
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

FIRST_BLOCKS = 65_536  # bytes of a disk that are left when it breaks


class Disk:
    """A file system of its own on a file; a copy of that file is what a power cut leaves: unsynced writes are lost.

    Its blocks are as large as a page of memory, as on any disk that isn't tiny: SQLite makes sure that what it maps has
    a last byte in each page, and with smaller blocks a full disk ends whoever writes there by SIGBUS.
    """

    def __init__(self, folder: Path, megabytes: int = 64) -> None:
        self.image, self.mounted = folder / "image", folder / "disk"
        self.mounted.mkdir()
        with self.image.open("wb") as image:
            image.truncate(megabytes << 20)
        _run("mkfs.ext4", "-q", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        self._mount()

    def _mount(self) -> None:
        _run("mount", "-o", "loop", self.image, self.mounted)

    def cut_power(self) -> None:
        """Whatever was not synced is gone."""
        self._copy()
        self.replace()

    def break_down(self, forget: Iterable[Path] = ()) -> None:
        """What is on it stays; from now on whatever is written, or read anew, is an input/output error.

        Args:
            forget: files of which nothing is in memory: it would be given from there.
        """
        self.sync()
        self._copy()
        for path in forget:
            # SQLite's own files go with the last who has the database open
            with suppress(FileNotFoundError), path.open("rb") as stream:
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        device = _run("findmnt", "--noheadings", "--output=SOURCE", self.mounted).strip()
        os.truncate(self.image, FIRST_BLOCKS)
        _run("losetup", "--set-capacity", device)

    def replace(self) -> None:
        """Another one with what was on it, when its power failed or it broke."""
        self.unmount()
        self.image.unlink()  # whoever still has it open goes on writing to what nobody sees
        self._remains.rename(self.image)
        self._mount()

    @property
    def _remains(self) -> Path:
        return self.image.with_name("remains")

    def _copy(self) -> None:
        _run("cp", "--sparse=always", self.image, self._remains)

    def sync(self) -> None:
        """Whatever is on it stays."""
        _run("sync", "-f", self.mounted)

    def unmount(self) -> None:
        """Nobody sees it any more."""
        _run("umount", "--lazy", self.mounted)


def _run(*words: str | Path) -> str:
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stdout
