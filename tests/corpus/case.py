"""A case of the corpus: what `case.toml` says, checked for misspelt keys so that no expectation is lost."""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent
ELEMENTS = ("org", "pos", "user")

State = dict[str, dict[str, dict[str, Any]]]


@dataclass(frozen=True)
class Day:
    """One delivery and what comes of it.

    Attributes:
        folder: holds the files.
        exit: the command's exit code.
        status: of the run; of each run where a folder holds two sets; none where there is no set.
        findings: `file:line:column:code` each, no more and no fewer; `*` stands for what the contract leaves open.
        counts: columns of `sync_count` by element; only those named are checked.
        messages: words that the message of every finding of a code must have.
        causes: the finding that caused a finding.
        people, units, positions: the keys that stand afterwards (people: those not deleted).
        state: fields of records afterwards; only those named are checked.
        before: SQL that somebody else ran in the site's database before.
        generate: what no repository can hold, by file name (see `generate.py`).
    """

    folder: Path
    exit: int
    status: list[str]
    findings: list[str] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    messages: dict[str, list[str]] = field(default_factory=dict)
    causes: dict[str, str] = field(default_factory=dict)
    people: list[str] | None = None
    units: list[str] | None = None
    positions: list[str] | None = None
    state: State = field(default_factory=dict)
    before: list[str] = field(default_factory=list)
    generate: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One folder of the corpus.

    Attributes:
        name: of the folder.
        title: what it shows, as a sentence.
        why: the reason, with the contract's section.
        config: options of the site, as TOML.
        elements: those that are turned on; by default those of which there is a file.
        days: deliveries, in their order.
    """

    name: str
    title: str
    why: str
    config: str
    elements: tuple[str, ...]
    days: tuple[Day, ...]

    @property
    def codes(self) -> set[str]:
        """The codes of the findings it expects."""
        return {finding.rpartition(":")[2] for day in self.days for finding in day.findings}


def load(folder: Path) -> Case:
    """Read one case.

    Raises:
        ValueError: it has a key that means nothing.
    """
    text = tomllib.loads((folder / "case.toml").read_text("utf-8"))
    head = {key: text.pop(key) for key in ("title", "why")}
    config, elements = text.pop("config", ""), text.pop("elements", None)
    days = text.pop("days", None)
    if days is None:
        days, text, folders = [text], {}, [folder]
    else:
        folders = [folder / str(number) for number in range(1, len(days) + 1)]
    _refuse(folder, text, ())
    read = tuple(_day(where, day) for where, day in zip(folders, days, strict=True))
    return Case(folder.name, **head, config=config, elements=tuple(elements or _seen(read)), days=read)


def all_cases() -> list[Case]:
    """The whole corpus, by name."""
    return [load(path.parent) for path in sorted(CORPUS.glob("*/case.toml"))]


def _day(folder: Path, text: dict[str, Any]) -> Day:
    _refuse(folder, text, [known.name for known in fields(Day) if known.name != "folder"])
    status = text.pop("status", [])
    return Day(folder=folder, status=[status] if isinstance(status, str) else status, **text)


def _refuse(folder: Path, text: dict[str, Any], known: Any) -> None:
    if unknown := text.keys() - set(known):
        raise ValueError(f"{folder}: unknown keys {sorted(unknown)}.")


def _seen(days: tuple[Day, ...]) -> list[str]:
    names = [path.name for day in days for path in day.folder.glob("*.csv")]
    names += [name for day in days for name in day.generate]
    return [element for element in ELEMENTS if any(element in name.lower() for name in names)]
