"""The log read back: from its file or from the journal, whole lines, only those that are asked for."""

import gzip
import json
import os
import re
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

from lzsyncd.config.values import BadValueError, duration
from lzsyncd.errors import LzsyncdError, NotPermitted, Usage, not_permitted

UNIT = "lzsyncd.service"
LEVELS = ("debug", "info", "warning", "error", "critical")
PAUSE = 0.3  # seconds between two looks at a file that is followed
LONGEST = 3650 * 86_400


@dataclass(frozen=True)
class Line:
    """A line of the log.

    Attributes:
        text: as it stands there.
        event: what it says; None where it is no event, as when a program died with a word of its own.
    """

    text: str
    event: dict[str, Any] | None

    @classmethod
    def of(cls, text: str) -> "Line":
        """Read a line."""
        with suppress(ValueError, RecursionError):
            found = json.loads(text)
            if isinstance(found, dict) and isinstance(found.get("@timestamp"), str):
                return cls(text, found)
        return cls(text, None)


@dataclass(frozen=True)
class Wanted:
    """Which lines are asked for.

    Attributes:
        site: only of this one.
        run: only of runs whose id begins or ends like this.
        level: only those that are at least as bad.
        since: only those from this moment on.
        events: only what is an event.
    """

    site: str = ""
    run: str = ""
    level: str = "debug"
    since: datetime | None = None
    events: bool = False

    def has(self, line: Line) -> bool:
        """Whether a line is asked for. What is no event is, where nothing but a time is asked for."""
        if line.event is None:
            return not (self.events or self.site or self.run or self.level != "debug" or self.since)
        level, run = line.event.get("log.level"), str(line.event.get("run.id", ""))
        return (
            self.site in ("", line.event.get("site"))
            and (run.startswith(self.run) or run.endswith(self.run))
            and (level not in LEVELS or LEVELS.index(level) >= LEVELS.index(self.level))
            and (self.since is None or str(line.event["@timestamp"]) >= _iso(self.since))
        )


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str, now: datetime) -> datetime:
    """A time as people write it: `2h` ago, `today`, a date, a date and time of this machine's zone.

    Raises:
        Usage: it is none.
    """
    local = now.astimezone()
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if text in ("today", "yesterday"):
        return midnight - timedelta(days=text == "yesterday")
    with suppress(BadValueError):
        return now - timedelta(seconds=duration(0, LONGEST)(text))
    with suppress(ValueError, OverflowError):
        return datetime.fromisoformat(text).astimezone()
    raise Usage(f"--since must be like 2h, 30m, today, 2026-11-28 or “2026-11-28 09:00”, not “{text[:40]}”.")


def lines(file: Path | None, wanted: Wanted, limit: int, *, follow: bool) -> Iterator[Line]:
    """What is asked for, oldest first, the last so many; then what comes, where it is followed.

    Args:
        file: the log's file; None: the journal.
        wanted: which lines.
        limit: how many at most, 0 for all.
        follow: go on with what is written from now on, without end.

    Raises:
        Usage: there is neither file nor journal.
        NotPermitted: they may not be read by this account.
    """
    if file is None:
        source: Iterator[str] = _journal(wanted, limit, follow=follow)
        yield from _last((line for line in map(Line.of, source) if wanted.has(line)), 0 if follow else limit)
        return
    with _opened(file) as stream:
        told = (line for path in _rotated(file, wanted.since) for line in _read(path))
        before = (Line.of(text) for part in (told, _whole(stream)) for text in part)
        yield from _last((line for line in before if wanted.has(line)), limit)
        if follow:
            yield from (line for line in map(Line.of, _follow(file, stream)) if wanted.has(line))


def _last(found: Iterable[Line], limit: int) -> Iterable[Line]:
    return deque(found, limit) if limit else found


# -- the file


def _opened(path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise Usage(f"There is no log in {path} yet.") from None
    except PermissionError:
        raise not_permitted(path, "read") from None


def _rotated(file: Path, since: datetime | None) -> list[Path]:
    """What logrotate has put aside, oldest first, as far as it can have lines of that time."""
    aged = [(path.stat().st_mtime, path) for path in file.parent.glob(f"{file.name}[.-]*")]
    return [path for changed, path in sorted(aged) if since is None or changed >= since.timestamp()]


def _read(path: Path) -> Iterator[str]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", errors="replace") as stream:
        yield from _whole(stream)


def _whole(stream: TextIO) -> Iterator[str]:
    for line in stream:
        yield line.rstrip("\n")


def _follow(path: Path, stream: TextIO) -> Iterator[str]:
    """What is appended, also to the file that takes its place; a line that is not whole yet is waited for."""
    part = ""
    while True:
        has_moved = _is_another(path, stream)  # asked before it is read to its end
        for line in stream:
            part += line
            if part.endswith("\n"):
                yield part[:-1]
                part = ""
        if has_moved:
            stream.close()
            stream = _opened(path)
        else:
            time.sleep(PAUSE)


def _is_another(path: Path, stream: TextIO) -> bool:
    try:
        there, ours = path.stat(), os.fstat(stream.fileno())
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)


# -- the journal


def _journal(wanted: Wanted, limit: int, *, follow: bool) -> Iterator[str]:
    """The service's lines as it wrote them; asked by `--unit`, systemd's own words about it would be among them."""
    program = shutil.which("journalctl")
    if program is None:
        raise Usage('There is no journal on this machine; write [log] file = "PATH" to have the log in a file.')
    words = [program, f"_SYSTEMD_UNIT={UNIT}", "--output=cat", "--all", "--no-pager", "--quiet"]
    words += [f"--since=@{int(wanted.since.timestamp())}"] if wanted.since else []
    words += ["--follow", f"--lines={limit or 'all'}"] if follow else []
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace") as child:  # noqa: S603
        try:
            yield from _whole(child.stdout)  # type: ignore[arg-type]
        finally:
            child.terminate()
        said = child.stderr.read() if child.stderr else ""
    if child.returncode > 0:
        if re.search("permission", said, re.IGNORECASE):
            raise NotPermitted("The journal may not be read by this account: add it to the group systemd-journal.")
        raise LzsyncdError(f"The journal can't be read: {said.strip().splitlines()[-1] if said.strip() else 'no word'}")
