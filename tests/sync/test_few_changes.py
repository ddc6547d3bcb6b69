"""What a run costs in which few people change: it must not go through everybody for them.

Without statistics SQLite plans for a thousand people as for a million, so its plans tell it at any size.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lzsyncd.config import parse
from lzsyncd.demo.company import CONFIG_SNIPPET, write_company
from lzsyncd.sync.run import Options, sync_folder
from lzsyncd.zone.database import Database

FOR_FEW = ("lz_user_away", "lz_user_folded", "lz_job_other")  # indexes that have only a few people
ALLOWED = (
    "CREATE TEMP TABLE absent_user",  # the keys that stand beside those of the file, once somebody is missing
    "INSERT INTO inactive",
    "SELECT 1 FROM lz_job WHERE end_date IS NOT NULL LIMIT 1",
    "SELECT org_id, count(*) FROM lz_job WHERE org_id IS NOT NULL",  # the guard's units, by an index
    "SELECT (SELECT count(*) FROM lz_user)",  # counts the pages of an index
    "SELECT 1 FROM lz_user WHERE managed LIMIT 1",  # the first one will do
    "SELECT 1 FROM lz_user LIMIT 1",
)


def walks(text: str, plan: list[str]) -> bool:
    """Whether a plan goes through all people or all jobs."""
    names = {
        alias or table: table for table, alias in re.findall(r"\b(lz_(?:user|job))\b(?: (?!WHERE|ON)(\w+))?", text)
    }
    scanned = [step.split() for step in plan if step.startswith("SCAN ") and not step.endswith(FOR_FEW)]
    return any(words[1] in names or words[1] in names.values() for words in scanned)


def test_who_changes_is_found_without_going_through_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = parse(f'[daemon]\ndata_dir = "{tmp_path}"\n[sites.acme]\n' + CONFIG_SNIPPET.format(site="acme")).sites[
        "acme"
    ]
    for day in range(2):
        write_company(tmp_path / f"day{day}", users=1000, change=day / 50)
    sync_folder(site, tmp_path / "day0", Options())
    execute, walked = Database._execute, []

    def explained(self: Database, text: str, parameters: Sequence[Any]) -> Any:
        plan = [row[3] for row in self.connection.execute(f"EXPLAIN QUERY PLAN {text}", tuple(parameters))]
        if walks(text, plan) and not text.startswith(ALLOWED):
            walked.append((text, plan))
        return execute(self, text, parameters)

    monkeypatch.setattr(Database, "_execute", explained)
    (result,) = sync_folder(site, tmp_path / "day1", Options())
    assert all(result.counts["user"][moved] for moved in ("created", "updated", "removed"))
    assert not walked
