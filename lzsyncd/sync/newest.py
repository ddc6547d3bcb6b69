"""The newest good file of an element with a schedule of its own: in the archive, or in the spool of a waiting set."""

import gzip
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from lzsyncd.config import Site
from lzsyncd.errors import writing
from lzsyncd.feed.elements import MENDED_MARK, Element
from lzsyncd.intake.sets import FileSet
from lzsyncd.ledger import waiting
from lzsyncd.ledger.status import Status
from lzsyncd.report.after import archive_folder
from lzsyncd.sync.ending import Result
from lzsyncd.sync.run import Run
from lzsyncd.zone.database import Database

HEADER = 65_536  # bytes in which the header ends


@dataclass(frozen=True)
class Newest:
    """A file, and whose it is.

    Attributes:
        element: what it holds.
        path: where it is, packed or not.
        run: of its set.
        slot: at which that was applied, "" for none.
    """

    element: Element
    path: Path
    run: str
    slot: str

    def sync(self, run: Run) -> Result:
        """Sync it, as a run of its own."""
        folder = run.spool.with_name(f".{run.run_id}.from")
        copy = folder / self.element.file_name
        try:
            with writing(folder):
                folder.mkdir(mode=0o700, parents=True)
                with self._opened() as source, copy.open("wb") as target:
                    shutil.copyfileobj(source, target)
            return run.sync(FileSet({self.element: copy}))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _opened(self) -> IO[bytes]:
        return cast("IO[bytes]", gzip.open(self.path)) if self.path.suffix == ".gz" else self.path.open("rb")

    def is_mended(self) -> bool:
        """Whether it is a reject file that came back: it names a few, not everybody."""
        try:
            with self._opened() as stream:
                return MENDED_MARK.encode() in stream.read(HEADER).split(b"\n", 1)[0].lower()
        except (OSError, EOFError, zlib.error):
            return False  # syncing it will say why


def newest_file(database: Database, site: Site, e: Element, is_behind: Callable[[str], bool]) -> Newest | None:
    """The newest file of an element that names everybody; not of a set that has to wait for an older one."""
    for run_id, status, slot in waiting.newest_with(database, e):
        found = _file_of(site, e, run_id, slot)
        if found is not None and not (status == Status.CHECKED and is_behind(run_id)):
            return found
    return None


def files_left(database: Database, site: Site, e: Element) -> list[Newest]:
    """The files of an element of which each names some: all that were not applied, in the order of their arrival."""
    found = (_file_of(site, e, run_id, slot) for run_id, _, slot in waiting.left_with(database, e))
    return [file for file in found if file is not None]


def _file_of(site: Site, e: Element, run_id: str, slot: str) -> Newest | None:
    """The file of a set; None where it is gone, or is a mended one, which has its turn by itself."""
    packed = archive_folder(site, run_id) / f"{e.file_name}.gz"
    plain = site.folder / "spool" / run_id / e.file_name
    found = Newest(e, packed if packed.is_file() else plain, run_id, slot)
    return found if found.path.is_file() and not found.is_mended() else None
