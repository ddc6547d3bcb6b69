"""How a sender says what is whole: completion markers for a set, temporary names for what is not (CONTRACT section 5).

`set.done` says so by being there; `sha256sums` and `manifest.json` name the files and what they must be like. Reading
is generous about forms and strict about sense: what can't be understood counts as not there, never as complete.
"""

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lzsyncd.checks.catalogue import shorten
from lzsyncd.feed.elements import Element
from lzsyncd.intake.sets import IGNORED

SET_DONE = "set.done"
SHA256SUMS = "sha256sums"
MANIFEST = "manifest.json"
MARKERS = (SET_DONE, SHA256SUMS, MANIFEST)
LIMIT = 1 << 20  # bytes of a marker; a real one has some hundred

SET_FILES = {e.file_name: e for e in Element} | {e.mended_file_name: e for e in Element}
# .user.csv.Xa81 (rsync), .in.user.csv. (lftp), user.csv.filepart (WinSCP), user.csv.a7.partial (rclone), user.tmp
_UPLOAD = re.compile(
    r"(?:\..{0,64}?)?"
    r"(?:((?:rejected-)?(?:org|pos|user))(?:\.csv(?![a-z0-9])|(?=\.(?:tmp|part|partial|filepart|crdownload)\Z))"
    r"|(set\.done|sha256sums|manifest\.json)(?![a-z0-9]))",
    re.IGNORECASE | re.DOTALL,
)
_WORDS = ("org.", "pos.", "user.", *MARKERS)  # one of which every such name has; thousands of others must cost little
_LEFT_BEHIND = re.compile(r"(?i)\.(swp|bak)$")  # an editor's; they never become the file
_GNU = re.compile(r"(\\?)([0-9a-fA-F]{64})[ \t][ *\t]?(.+)", re.DOTALL)  # sha256sum
_BSD = re.compile(r"(\\?)SHA(?:2-)?256 ?\((.+)\) ?= ?([0-9a-fA-F]{64})", re.DOTALL)  # sha256sum --tag, openssl dgst
_SHA256 = re.compile(r"(?:sha-?256:)?([0-9a-f]{64})", re.IGNORECASE)
_ESCAPES = {r"\\": "\\", r"\n": "\n", r"\r": "\r"}
_NAMES = ("name", "file", "filename", "path")
_SUMS = ("sha256", "checksum", "hash", "digest")
_SIZES = ("size", "bytes")
_ROWS = ("rows", "records")


@dataclass(frozen=True)
class Named:
    """What a marker says of one file.

    Attributes:
        name: the bare file name.
        sha256: of its bytes, 64 small hexadecimal digits; "" where the marker does not say.
        size: in bytes; None where the marker does not say.
        rows: its records without the header; None where the marker does not say.
    """

    name: str
    sha256: str = ""
    size: int | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Marker:
    """A marker that was read.

    Attributes:
        files: the files it names, as far as a set can have them; none for `set.done`, which names nothing.
        problem: why it can't be used, "" where it can.
    """

    files: tuple[Named, ...] = ()
    problem: str = ""


class _BrokenError(ValueError):
    """The marker can't be used, for the reason given."""


def target_of(name: str) -> str | None:
    """The file of a set, or the marker, that a name is, or becomes when its upload is over."""
    if name in SET_FILES or name in MARKERS:
        return name
    folded = name.lower()
    found = _UPLOAD.match(name) if any(word in folded for word in _WORDS) else None
    if not found or not IGNORED.search(name) or _LEFT_BEHIND.search(name):
        return None
    stem, marker = found.groups()
    return f"{stem.lower()}.csv" if stem else str(marker).lower()


def read_marker(name: str, data: bytes) -> Marker:
    """Read a marker.

    Args:
        name: one of `MARKERS`.
        data: its bytes; of one larger than `LIMIT` the first `LIMIT + 1` will do.
    """
    if name == SET_DONE:
        return Marker()
    try:
        text = _text(data)
        named = _sums(text) if name == SHA256SUMS else _manifest(text)
        return Marker(_of_sets(named))
    except _BrokenError as error:
        return Marker(problem=str(error))


def _text(data: bytes) -> str:
    if len(data) > LIMIT:
        raise _BrokenError(f"it is larger than {LIMIT:,} bytes")
    # PowerShell's > writes UTF-16
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise _BrokenError("it is not text in UTF-8") from None


def _of_sets(named: Iterable[Named]) -> tuple[Named, ...]:
    """The files that a set can have; each once."""
    found: dict[str, Named] = {}
    for file in named:
        if file.name in SET_FILES and found.setdefault(file.name, file) != file:
            raise _BrokenError(f"it names {file.name} twice and differently")
    if not found:
        raise _BrokenError("it names no file of a set")
    return tuple(found.values())


def _sums(text: str) -> Iterator[Named]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.startswith("#"):
            yield _sum(line.rstrip(), number)


def _sum(line: str, number: int) -> Named:
    if found := _GNU.fullmatch(line):
        escaped, digest, name = found.groups()
    elif found := _BSD.fullmatch(line):
        escaped, name, digest = found.groups()
    else:
        raise _BrokenError(f"line {number} is not a SHA-256 checksum and a name")
    if escaped:
        name = re.sub(r"\\[\\nr]", lambda escape: _ESCAPES[escape[0]], name)
    return Named(_bare(name), digest.lower())


def _bare(name: str) -> str:
    """The name without its folder: `sha256sum /export/*.csv` writes whole paths."""
    return re.split(r"[/\\]", name)[-1]


def _manifest(text: str) -> Iterator[Named]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):  # 100,000 brackets are a few bytes to send
        raise _BrokenError("it is not JSON") from None
    files = document.get("files", document) if isinstance(document, dict) else document
    if isinstance(files, list):
        yield from (_listed(item) for item in files)
    elif isinstance(files, dict):
        # beside the files there may be a date, a version, the sender's name
        yield from (_named(name, said) for name, said in files.items() if name.lower().endswith(".csv"))


def _listed(item: Any) -> Named:
    name = item if isinstance(item, str) else _first(item, _NAMES) if isinstance(item, dict) else None
    if not isinstance(name, str):
        raise _BrokenError("it lists something that has no name")
    return _named(name, item if isinstance(item, dict) else {})


def _named(name: str, said: Any) -> Named:
    said = said if isinstance(said, dict) else {"sha256": said}
    return Named(_bare(name), _digest(name, _first(said, _SUMS)), _count(name, said, _SIZES), _count(name, said, _ROWS))


def _first(said: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((said[key] for key in keys if said.get(key) is not None), None)


def _digest(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str) and (found := _SHA256.fullmatch(value.strip())):
        return found[1].lower()
    raise _BrokenError(f"its checksum of {shorten(name)} is not SHA-256 in hexadecimal digits")


def _count(name: str, said: dict[str, Any], keys: tuple[str, ...]) -> int | None:
    value = _first(said, keys)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise _BrokenError(f"its {keys[0]} of {shorten(name)} is not a number")
