"""Which files of a folder make up a set? Names are exact; near misses are named, never taken (CONTRACT section 5)."""

import re
from dataclasses import dataclass
from pathlib import Path

from lzsyncd.feed.elements import Element

IGNORED = re.compile(r"(?i)^\.|^~\$|\.(tmp|part|partial|filepart|crdownload|swp|bak)$")
NEAR_MISSES = {
    element: re.compile(rf"(?i)^(rejected[-_ ]*)?({stem})s?(\s*\(\d+\)|[-_ ]+\w+)?(\.csv)?(\.(csv|txt|gz|zip|xlsx?))?$")
    for element, stem in ((Element.ORG, "orgs?"), (Element.POS, "pos|positions?"), (Element.USER, "users?"))
}


@dataclass(frozen=True)
class FileSet:
    """The files of one delivery.

    Attributes:
        files: path of each file, by element.
        mended: the files are reject files that came back.
    """

    files: dict[Element, Path]
    mended: bool = False


@dataclass(frozen=True)
class Folder:
    """What lies in a folder: sets in the order in which they apply, and names that come close."""

    sets: tuple[FileSet, ...]
    near_misses: tuple[str, ...]


def look(folder: Path, elements: tuple[Element, ...]) -> Folder:
    """Find the sets in a folder.

    Args:
        folder: where to look; sub-folders are not entered.
        elements: the elements that are turned on.

    Raises:
        FileNotFoundError: there is no such folder.
        PermissionError: it may not be read.
    """
    names = sorted(entry.name for entry in folder.iterdir() if not IGNORED.search(entry.name))
    plain = {e: folder / e.file_name for e in elements if e.file_name in names}
    mended = {e: folder / e.mended_file_name for e in elements if e.mended_file_name in names}
    sets = [FileSet(files, is_mended) for files, is_mended in ((plain, False), (mended, True)) if files]
    wanted = {e.file_name for e in Element} | {e.mended_file_name for e in Element}
    near = [name for name in names if name not in wanted and any(p.match(name) for p in NEAR_MISSES.values())]
    return Folder(tuple(sets), tuple(near))
