"""What the drop folder answers: a summary for people, the same for programs, and files to mend.

Everything is written to a hidden folder and renamed, so that nobody reads half of it; doing it again changes nothing.
"""

import json
import shutil
from pathlib import Path
from typing import Any

from lzsyncd.checks.catalogue import CATALOGUE
from lzsyncd.config import Site
from lzsyncd.feed.elements import Element
from lzsyncd.intake.spool import partial_name, sync_file, sync_folder
from lzsyncd.ledger.queries import Cause, RunSummary, breaches, causes, summary
from lzsyncd.report.rejects import write_rejects
from lzsyncd.zone.database import Database

SHOWN = 20  # root causes in the summary for people

_WORDS = {
    "applied": "The set was applied.",
    "unchanged": "The set was read; the site was up to date already.",
    "rejected": "The set was rejected. Nothing was changed.",
    "checked": "The set was checked. Nothing was changed yet: it waits for its turn.",
    "superseded": "A newer set came before this one was applied. Nothing was changed.",
    "held": "The set waits for a person. Nothing was changed.",
    "discarded": "The set was discarded by a person. Nothing was changed.",
    "failed": "The run failed. Nothing was changed.",
}


LINKS_COME_BACK = (
    "Records that lost a unit, position, manager or appraiser get it when they come again, as in the next full export."
)
_TAKEN_BACK = (
    "",
    "These records are as they were before that run: what it created is gone, what it updated has its old values,",
    "what it removed is back. Its set stays in the archive and is not applied again by itself.",
)


def write_outbox(database: Database, site: Site, run_id: str, files: dict[Element, Path]) -> Path:
    """Write the folder of a run.

    Args:
        database: the site's, with the run in its ledger.
        site: whose outbox.
        run_id: the run.
        files: the files as they came, by element.

    Returns:
        The folder.
    """
    site.outbox.mkdir(mode=0o750, parents=True, exist_ok=True)
    folder = site.outbox / run_id
    for left in site.outbox.glob(f".{run_id}.*.part"):
        shutil.rmtree(left, ignore_errors=True)
    partial = partial_name(folder)
    partial.mkdir(mode=0o750)
    rejects = {}
    told = summary(database, run_id)
    for element, path in files.items():
        name = element.mended_file_name
        if told.status != "rejected" and write_rejects(database, site, run_id, element, path, partial / name):
            rejects[element] = name
    found = causes(database, run_id, SHOWN)
    document = {
        "site": site.name,
        **told.as_dict(),
        "breaches": breaches(database, run_id),
        "rejects": {str(e): name for e, name in rejects.items()},
    }
    (partial / "summary.json").write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    (partial / "summary.txt").write_text(_text(site, told, found, list(rejects.values())), encoding="utf-8")
    _make_durable(partial)
    database.fence()
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    sync_folder(site.outbox)
    return folder


def _make_durable(folder: Path) -> None:
    for path in folder.iterdir():
        path.chmod(0o640)
        sync_file(path)
    sync_folder(folder)


def _text(site: Site, told: RunSummary, found: list[Cause], rejects: list[str]) -> str:
    lines = [
        f"{site.name}: run {told.run}",
        *([_WORDS.get(told.status, f"The run is {told.status}.")] if told.kind == "sync" else []),
        *([told.message] if told.message else []),
        "",
        *_table(told.counts),
        *_learning(told.audiences),
        *(_causes(found, sum(told.findings.values())) if told.kind == "sync" else _TAKEN_BACK),
    ]
    if rejects:
        lines += [
            "",
            f"What to do: mend the records in {', '.join(rejects)} and put these files into the inbox.",
            "Each holds the rejected records as they came; the columns lz_… say what is wrong and are ignored when",
            "they come back. A mended file corrects records and never removes anybody.",
            *links_lost(told),
        ]
    return "\n".join(lines) + "\n"


def _table(counts: dict[str, dict[str, int]]) -> list[str]:
    if not counts:
        return []
    names = list(next(iter(counts.values())))
    lines = ["".join([f"{'':8}", *(f"{name:>11}" for name in names)])]
    lines += ["".join([f"{e:8}", *(f"{row[name]:>11,}" for name in names)]) for e, row in counts.items()]
    return lines


def _learning(audiences: list[dict[str, Any]]) -> list[str]:
    """What moved in audiences."""
    lines = ["", "Audiences:"] if audiences else []
    for row in audiences:
        moved = [f"{number:,} {what}" for what, number in row.items() if what != "audience" and number]
        lines.append(f"- {row['audience']}: {', '.join(moved)}")
    return lines


def _causes(found: list[Cause], number: int) -> list[str]:
    if not found:
        return ["", "No findings."]
    lines = ["", "1 finding:" if number == 1 else f"{number:,} findings, causes first:"]
    for cause in found:
        place = f"{cause.file}, line {cause.line}" if cause.file else "the set"
        behind = f" (and {cause.behind:,} more because of it)" if cause.behind else ""
        lines.append(f"- {place}{f', {cause.column}' if cause.column else ''}: {cause.message} [{cause.code}]{behind}")
    return lines


def links_lost(told: RunSummary) -> list[str]:
    """What becomes of records that were taken without whom they name: mending that one does not bring them again."""
    unknown = any(code.startswith("user.") and code.endswith(".unknown") for code in told.findings)
    return [LINKS_COME_BACK] if unknown else []


def remedy(code: str) -> str:
    """How to mend what a finding says."""
    return CATALOGUE[code].remedy


def as_json(document: Any) -> str:
    """JSON for people and programs alike."""
    return json.dumps(document, ensure_ascii=False, indent=2)
