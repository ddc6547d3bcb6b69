"""Which sets are in a folder?"""

from pathlib import Path

from lzsyncd.config import Site
from lzsyncd.errors import NoSet, Usage, not_permitted
from lzsyncd.feed.elements import Element
from lzsyncd.intake.sets import FileSet, look


def find_sets(site: Site, folder: Path) -> tuple[FileSet, ...]:
    """The sets in a folder, in the order in which they apply.

    Raises:
        Usage: there is no such folder.
        NoSet: it has no set.
        NotPermitted: it may not be read.
    """
    enabled = tuple(e for e in Element if site.element(e).enabled)
    try:
        found = look(folder, enabled)
    except (FileNotFoundError, NotADirectoryError):
        raise Usage(f"There is no folder {folder}.") from None
    except PermissionError:
        raise not_permitted(folder, "read") from None
    if not found.sets:
        near = f" Close, but not the right name: {', '.join(found.near_misses)}." if found.near_misses else ""
        wanted = ", ".join(e.file_name for e in enabled)
        raise NoSet(f"There is no set in {folder}: none of {wanted}.{near}")
    return found.sets
