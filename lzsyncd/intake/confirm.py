"""Are the files of a set what was judged in the inbox, and do they fit what its completion markers say of them?"""

import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lzsyncd.checks.catalogue import Finding
from lzsyncd.intake.claim import Order
from lzsyncd.intake.markers import LIMIT, Named, read_marker
from lzsyncd.intake.spool import Taken


def confirmed(taken: Sequence[Taken], markers: Sequence[Path]) -> list[Taken]:
    """The files, those with the finding `set.checksum` that a marker contradicts; records are counted when read.

    Args:
        taken: the files of a set.
        markers: its markers, claimed with it.
    """
    said = [(path.name, named) for path in markers if is_plain(path) for named in _read(path)]
    return [_confirmed(file, [(marker, named) for marker, named in said if named.name == file.name]) for file in taken]


def as_judged(taken: Sequence[Taken], order: Order) -> list[Taken]:
    """The files, those with the finding `file.changed` that have another size than when the set was found complete.

    An SFTP server syncs nothing: a power cut may leave half of what was claimed and not copied yet, and whoever is in
    the other half would be taken for gone.
    """
    return [_as_judged(file, order.files[file.element].size) for file in taken]


def _as_judged(file: Taken, size: int) -> Taken:
    if file.finding is not None or file.size == size:
        return file
    return replace(file, finding=Finding("file.changed", file.element, 1, file=file.name))


def not_as_counted(file: Taken, records: int) -> Finding | None:
    """The finding for a file that has not as many records as a marker says."""
    if file.rows is None or file.rows == records:
        return None
    return Finding("set.checksum", file.element, 1, detail=file.marker, file=file.name)


def is_plain(path: Path) -> bool:
    """Whether it is a file: a link is none, wherever it leads, and a pipe would keep us waiting."""
    return os.path.lexists(path) and stat.S_ISREG(path.lstat().st_mode)


def _read(path: Path) -> tuple[Named, ...]:
    with path.open("rb") as stream:
        return read_marker(path.name, stream.read(LIMIT + 1)).files


def _confirmed(file: Taken, said: Sequence[tuple[str, Named]]) -> Taken:
    for marker, named in said:
        if file.finding is None and not _fits(file, named):
            file = replace(file, finding=Finding("set.checksum", file.element, 1, detail=marker, file=file.name))
        if named.rows is not None:
            file = replace(file, rows=named.rows, marker=marker)
    return file


def _fits(file: Taken, named: Named) -> bool:
    return named.sha256 in ("", file.sha256) and named.size in (None, file.size)
