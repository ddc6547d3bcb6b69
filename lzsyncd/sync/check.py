"""The sanity check of files alone: the run's own pipeline against an empty site that is thrown away.

What the site would know is not known here, so nothing is said about it: references to an element whose file is not
there, or does not name everybody, are left unread.
"""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from lzsyncd.config import ElementConfig, Site
from lzsyncd.feed.elements import MENDED_MARK, Column, Element, Kind
from lzsyncd.intake.sets import FileSet, look
from lzsyncd.ledger.runs import new_run_id
from lzsyncd.progress import Progress
from lzsyncd.sync.ending import Result
from lzsyncd.sync.folder import find_sets
from lzsyncd.sync.run import Options, Run
from lzsyncd.zone.database import Database, opened

HEADER_AT_MOST = 1 << 16  # bytes


@dataclass(frozen=True)
class Checked:
    """What the check found, as long as its site is there.

    Attributes:
        database: the ledger with the findings.
        results: a result for each set, in the order in which they would apply.
        near_misses: names of files that come close to those of a set.
    """

    database: Database
    results: list[Result]
    near_misses: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Alone(ElementConfig):
    """The configuration of an element that is judged without what the site knows."""

    unknown: frozenset[Element]

    def columns(self, element: Element) -> tuple[Column, ...]:
        columns = super().columns(element)
        return tuple(replace(c, kind=Kind.IGNORED) if c.refers_to in self.unknown else c for c in columns)


@contextmanager
def checked(folder: Path, site: Site | None, progress: Progress) -> Iterator[Checked]:
    """Check the sets of a folder, which stays as it is. What was found is there until the block ends.

    Args:
        folder: where the files are.
        site: whose settings hold; without one the default settings, and missing files are no fault.
        progress: who watches.

    Raises:
        Usage: there is no such folder.
        NoSet: it has no set.
    """
    with TemporaryDirectory(prefix="lzsyncd-check-") as temporary:
        sets = find_sets(site or Site.standard("check"), folder)
        empty = _empty_site(site, sets, Path(temporary))
        with opened(empty) as database:
            results = []
            for number, file_set in enumerate(sets, start=1):
                # the full set is applied where a mended file comes after it, to be judged on top of it
                options = Options(dry_run=number == len(sets), progress=progress)
                run = Run(database, empty, new_run_id(options.clock()), options)
                results.append(run.sync(file_set))
            yield Checked(database, results, look(folder, ()).near_misses)


def _empty_site(site: Site | None, sets: tuple[FileSet, ...], folder: Path) -> Site:
    """The site's settings with a database and folders of its own. An incomplete set is told or refused, never held."""
    settings = site or Site.standard("check")
    given = {e for file_set in sets for e in file_set.files}
    whole = {e for file_set in sets for e, path in file_set.files.items() if not file_set.mended and not _mended(path)}
    unknown = frozenset(e for e in Element if e not in whole or not settings.element(e).contains_all_records)
    elements: dict[Element, ElementConfig] = {}
    for e, config in settings.elements.items():
        enabled = config.enabled and (site is not None or e in given)
        elements[e] = _Alone(**{**vars(config), "enabled": enabled, "unknown": unknown})
    return replace(
        settings,
        database="sqlite",
        password=None,
        folder=folder,
        inbox=folder / "inbox",
        outbox=folder / "outbox",
        incomplete="reject" if settings.incomplete == "reject" else "sync",
        elements=elements,
    )


def _mended(path: Path) -> bool:
    """Whether a file is a mended reject file under the name of a full one; what is no plain file is refused later."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return False
        with path.open("rb") as stream:
            return MENDED_MARK.encode() in stream.readline(HEADER_AT_MOST).lower()
    except OSError:
        return False
