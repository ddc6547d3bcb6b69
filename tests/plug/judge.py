"""How an installation stands at the end, so that two ways to it can be compared, and what nobody should find there."""

import re
from collections import Counter
from typing import Any, NamedTuple

from tests.laws.bridge import get_zone
from tests.laws.ground import LEDGER, LZ
from tests.plug.installation import Installation
from tests.reference.model import Zone
from tests.system.aftermath import archive, is_sound, tables, without_run

COUNTS = 'element, "read", created, updated, unchanged, revived, removed, absent, rejected, warnings'
WHAT = {
    "changes": ("sync_change", "element, idnumber, action, before, after, file, line"),
    "counts": ("sync_count", COUNTS),
    "findings": ("sync_error", "element, file, line, code, severity, message, value"),
    "mails": ("sync_mail", "kind, channel, attempts > 0 AS was_tried"),
}
PASSING = ("interrupted", "unchanged")
"""What a kill may leave in the books: an attempt that came to nothing, and a command given twice."""


class End(NamedTuple):
    """All that does not depend on chance."""

    zone: Zone
    runs: list[tuple[Any, ...]]
    rows: dict[str, list[tuple[Any, ...]]]
    archived: list[dict[str, bytes]]
    reported: list[dict[str, bytes]]
    slots: int
    requests: list[tuple[Any, ...]]
    mails: Counter[str]


def end_of(made: Installation) -> End:
    """How it stands."""
    runs = [row for row in made.ask("SELECT * FROM sync_run ORDER BY id") if row["status"] not in PASSING]
    ids = [str(run["id"]) for run in runs]
    listed = ", ".join(f"'{one}'" for one in ids)
    return End(
        get_zone(made.place.site),
        [(run["kind"], run["trigger"], run["status"], bool(run["slot"]), run["plan_hash"]) for run in runs],
        {
            name: _rows(made, f"SELECT {of} FROM {table} WHERE run_id IN ({listed})")
            for name, (table, of) in WHAT.items()
        },
        [_files(made, archive(made.place, one)) for one in ids],
        [_files(made, made.place.site.outbox / one) for one in ids],
        len(made.ask("SELECT * FROM sync_slot WHERE finished_at IS NOT NULL")),
        _rows(made, "SELECT kind, exit_code FROM sync_request"),
        _subjects(made, ids),
    )


def _rows(made: Installation, query: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(row.values()) for row in made.ask(query)), key=repr)


def _files(made: Installation, folder: Any) -> dict[str, bytes]:
    if not folder.is_dir():
        return {}
    runs = re.compile(rb"\d{8}T\d{9}-[0-9a-f]{8}")
    read = {path.name: path.read_bytes() if path.suffix == ".gz" else without_run(path) for path in folder.iterdir()}
    folder_name = str(made.place.folder).encode()
    return {name: runs.sub(b"RUN", data).replace(folder_name, b"") for name, data in read.items()}


def _subjects(made: Installation, runs: list[str]) -> Counter[str]:
    """What people got, each mail once however often it came: mail programs know it by its Message-ID."""
    mine = {str(mail["Message-ID"]): str(mail["Subject"]) for mail in made.box.taken}
    about = [one for one in mine.values() if any(run[-8:] in one for run in runs)]
    return Counter(re.sub(r"\(run \w+\)", "", subject) for subject in about)


def sent_again(made: Installation) -> int:
    """How many mails came more than once, with the same Message-ID."""
    seen = Counter(str(mail["Message-ID"]) for mail in made.box.taken)
    return sum(seen.values()) - len(seen)


def left_over(made: Installation) -> list[str]:
    """What nobody should find: half files, spools, tables of a run, a database that is damaged."""
    site = made.place.site
    waits = {row["id"] for row in made.ask("SELECT id FROM sync_run WHERE status IN ('held', 'checked')")}
    found = [path for part in ("spool", "archive", "sftp") for path in (site.folder / part).rglob("*")]
    odd = [path for path in found if path.name.startswith(".") or path.name.endswith((".part", ".tmp", ".gone"))]
    odd += [path for path in (site.folder / "spool").iterdir() if path.name not in waits]
    odd += [*site.inbox.iterdir(), *(site.folder / "quarantine").glob("*")]
    extra = sorted(tables(made.place) - {*LZ, *LEDGER, "lzsyncd_migration", "sqlite_sequence"})
    return [str(path.relative_to(site.folder)) for path in odd] + extra + ["zone.db"] * (not is_sound(made.place))


def differences(made: Installation, expected: End) -> list[str]:
    """What is not as it would be had nobody pulled the plug."""
    found = end_of(made)
    told = [name for name in End._fields if getattr(found, name) != getattr(expected, name)]
    attempts = made.ask("SELECT max(attempt) AS n FROM sync_run")[0]["n"]
    told += [f"{attempts} attempts"] if attempts > 2 else []
    return told + [f"left: {what}" for what in left_over(made)]
