"""Which column of a file is which: names trimmed and without case, mapped names first (CONTRACT section 3)."""

from collections.abc import Sequence
from dataclasses import dataclass

from lzsyncd.checks.catalogue import Finding, shorten
from lzsyncd.config import ElementConfig
from lzsyncd.feed.elements import MENDED_MARK, OWN_PREFIX, Column, Element, Home, Kind


@dataclass(frozen=True)
class Header:
    """The columns of one file.

    Attributes:
        names: the header's cells as they came, trimmed.
        columns: the known columns whose cells are read, in the file's order, custom fields last.
        positions: where each of them stands in a row.
        mended: the file is a reject file that comes back.
        findings: missing, repeated, unknown and refused columns.
    """

    names: tuple[str, ...]
    columns: tuple[Column, ...]
    positions: tuple[int, ...]
    mended: bool
    findings: tuple[Finding, ...]

    @property
    def key_position(self) -> int:
        """Where the key stands, -1 when the file has none."""
        for column, position in zip(self.columns, self.positions, strict=True):
            if column.kind is Kind.KEY:
                return position
        return -1


def read_header(element: Element, names: Sequence[str], config: ElementConfig) -> Header:
    """Find the known columns of a header, and what is wrong with it."""
    known = {column.name: column for column in config.columns(element)}
    folded = [name.strip().casefold() for name in names]
    mapped = {config.column_map[name] for name in folded if name in config.column_map}
    columns: list[Column] = []
    positions: list[int] = []
    findings: list[Finding] = []
    taken: set[str] = set()
    for position, name in enumerate(folded):
        target = config.column_map.get(name) or ("" if name in mapped else name)
        if target in taken:
            findings.append(Finding("file.header.duplicate", element, 1, column=shorten(names[position])))
        elif target in known:
            taken.add(target)
            columns.append(known[target])
            positions.append(position)
        elif not name.startswith(OWN_PREFIX):
            findings.append(Finding("file.column.unknown", element, 1, column=shorten(names[position])))
    findings += _refused(element, columns) + _missing(element, taken, config, known, mended=MENDED_MARK in folded)
    read = [(c, p) for c, p in zip(columns, positions, strict=True) if c.kind not in (Kind.IGNORED, Kind.REFUSED)]
    read.sort(key=lambda pair: pair[0].home is Home.CUSTOM)
    return Header(
        tuple(names),
        tuple(column for column, _ in read),
        tuple(position for _, position in read),
        MENDED_MARK in folded,
        tuple(findings),
    )


def _refused(element: Element, columns: Sequence[Column]) -> list[Finding]:
    return [
        Finding("user.password.refused", element, 1, column=column.name)
        for column in columns
        if column.kind is Kind.REFUSED
    ]


def _missing(
    element: Element, taken: set[str], config: ElementConfig, known: dict[str, Column], *, mended: bool
) -> list[Finding]:
    needed = [name for name, column in known.items() if column.required]
    if element is Element.USER and config.allow_duplicate_emails:
        needed.remove("email")
    if not config.contains_all_records and not mended:
        needed.append("deleted")
    return [Finding("file.header.missing", element, 1, column=name) for name in needed if name not in taken]
