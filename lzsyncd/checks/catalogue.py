"""Every finding lzsyncd can make: its code, what it costs, the sentence people read, and how to mend it.

Logs, error table, outbox, documents and tests take their words from here (CONTRACT section 4).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from lzsyncd.feed.elements import Element


class Severity(StrEnum):
    """What a finding costs: the set, the record, or a value."""

    FATAL = "fatal"
    ERROR = "error"
    WARNING = "warning"


class Finding(NamedTuple):
    """One thing wrong, before it has a number in the error table.

    Attributes:
        code: a code of `CATALOGUE`.
        element: None for findings of the whole set.
        line: physical line on which the record starts; 1 for findings about a file or column; 0 without file.
        record: the record's number, from 1; 0 where there is none.
        idnumber: the record's key, as far as it could be read.
        column: the column's name.
        value: the cell, shortened.
        detail: what the sentence needs beyond the value: a limit, a cycle's path, the other record.
        file: the bare file name ("" for findings of the set).
    """

    code: str
    element: Element | None = None
    line: int = 0
    record: int = 0
    idnumber: str = ""
    column: str = ""
    value: str = ""
    detail: str = ""
    file: str = ""


@dataclass(frozen=True)
class Entry:
    """One code of the catalogue.

    Attributes:
        code: stable name.
        severity: what it costs by default.
        sentence: what is wrong; may use `{column}`, `{value}`, `{detail}`, `{idnumber}`.
        remedy: how to mend it.
    """

    code: str
    severity: Severity
    sentence: str
    remedy: str


MAX_VALUE = 200  # characters of a cell that a finding keeps


def _fatal(code: str, sentence: str, remedy: str) -> Entry:
    return Entry(code, Severity.FATAL, sentence, remedy)


def _error(code: str, sentence: str, remedy: str) -> Entry:
    return Entry(code, Severity.ERROR, sentence, remedy)


def _warning(code: str, sentence: str, remedy: str) -> Entry:
    return Entry(code, Severity.WARNING, sentence, remedy)


def _unit(prefix: str, noun: str) -> tuple[Entry, ...]:
    return (
        _error(
            f"{prefix}.parent.unknown",
            "The parent “{value}” is neither in the file nor in the site.",
            "Add the parent's record, or correct parentidnumber.",
        ),
        _error(
            f"{prefix}.parent.self",
            f"The {noun} names itself as its parent.",
            "Leave parentidnumber empty for a root, or name another one.",
        ),
        _error(
            f"{prefix}.parent.cycle",
            "Following the parents leads back to this record: {detail}.",
            "Correct parentidnumber of one record on this path.",
        ),
        _error(
            f"{prefix}.parent.removed",
            "The parent “{value}” goes in this very set.",
            "Keep the parent in the file, or give this record another parent.",
        ),
        _warning(
            f"{prefix}.in_use",
            f"The {noun} “{{idnumber}}” stays: {{detail}} still there.",
            "Move what it holds elsewhere first; then it goes with the next set.",
        ),
    )


_KEEP_COLUMN = "The old value stays. Correct the cell."

ENTRIES: tuple[Entry, ...] = (
    _warning(
        "set.incomplete",
        "The set is incomplete: {detail} missing.",
        "Deliver all files of the set together, or turn the element off in the configuration.",
    ),
    _warning(
        "set.removals_withheld",
        "Nobody was removed, though {detail}.",
        "Look at the other findings of the file, mend what they say, and deliver it again.",
    ),
    _fatal(
        "set.checksum",
        "The file does not match its checksum in “{detail}”.",
        "Upload the file again, then the marker.",
    ),
    _fatal(
        "file.changed",
        "The file changed while it was read.",
        "Upload to a temporary name and rename when it is done.",
    ),
    _warning("guard.exceeded", "{detail}", "Look at the plan, then approve or discard it."),
    _fatal(
        "set.unsafe",
        "This is no plain file: {detail}.",
        "Deliver a plain file; links and devices are refused.",
    ),
    _fatal("file.empty", "The file is empty.", "Export it again: the first line holds the names of the columns."),
    _fatal(
        "file.no_records",
        "The file has a header and no record, and this source names everybody it keeps.",
        "Export it again; an empty export would remove everybody.",
    ),
    _fatal(
        "file.encoding",
        "The file is not UTF-8 text: {detail}.",
        "Export it as UTF-8, with or without byte order mark.",
    ),
    _fatal(
        "file.delimiter",
        "The columns are separated by {detail}.",
        "Set `delimiter` of this element in the configuration, or export with the configured one.",
    ),
    _fatal(
        "file.header.missing",
        "The column “{column}” is missing.",
        "Add it, or map another name to it in the configuration.",
    ),
    _fatal("file.header.duplicate", "The column “{column}” is there more than once.", "Keep one of them."),
    _fatal(
        "file.truncated",
        "The file ends in the middle of a quoted cell that opens on this line.",
        "The upload or the export was cut off: deliver the whole file.",
    ),
    _fatal(
        "file.too_large",
        "The file has {value} bytes; the limit is {detail}.",
        "Raise `max_file_size` if this is right.",
    ),
    _fatal(
        "file.unreadable",
        "The file can't be read: {detail}.",
        "Check its permissions, then deliver it again.",
    ),
    _warning(
        "file.column.unknown",
        "The column “{column}” is unknown and was ignored.",
        "Remove it, map it, or declare it as a custom field.",
    ),
    _error("record.columns", "{detail}", "Check quotes and separators of this record."),
    _error("record.encoding", "The record has bytes that are not UTF-8.", "Export the file as UTF-8."),
    _error(
        "record.control",
        "The record has a control character.",
        "Remove it; NUL and control characters have no place in text.",
    ),
    _error("key.missing", "The record has no idnumber.", "Give it the key by which it is known."),
    _error(
        "key.duplicate",
        "The idnumber “{value}” is there {detail} times; none of the copies was taken.",
        "Keep one of them.",
    ),
    _error("value.required", "“{column}” is empty.", "Fill it in: it is never erased."),
    _error("value.too_long", "“{column}” has {detail}.", "Shorten it."),
    _error("value.boolean", "“{value}” is neither true nor false.", "Write 1, true, yes, y or 0, false, no, n."),
    _warning("value.date", "“{value}” is not a date this site reads ({detail}).", _KEEP_COLUMN),
    _warning("value.number", "“{value}” is not a number.", _KEEP_COLUMN),
    _warning("value.option", "“{value}” is none of the options of “{column}”.", _KEEP_COLUMN),
    _warning("value.country", "“{value}” is not a country code (ISO 3166-1 alpha-2, like GB).", _KEEP_COLUMN),
    _warning("value.timezone", "“{value}” is not a time zone (IANA name, like Europe/London).", _KEEP_COLUMN),
    _warning("value.lang", "“{value}” is not a language (BCP 47, like en or pt-BR).", _KEEP_COLUMN),
    _warning("value.url", "“{value}” is not a web address.", _KEEP_COLUMN),
    _warning(
        "value.normalised",
        "“{value}” was read as “{detail}”.",
        "Nothing has to be done; writing it so avoids this line.",
    ),
    _error(
        "value.unique",
        "“{value}” in “{column}” belongs to more than one record: {detail}.",
        "Give each its own.",
    ),
    *_unit("org", "unit"),
    *_unit("pos", "position"),
    _error(
        "user.username.invalid",
        "The username “{value}” has characters it must not have.",
        "Use a–z, 0–9 and . _ - @ only.",
    ),
    _error(
        "user.username.duplicate",
        "The username “{value}” is there {detail} times for different people.",
        "Give each their own.",
    ),
    _error(
        "user.username.taken",
        "The username “{value}” belongs to {detail}, who keeps it.",
        "Give this person another one.",
    ),
    _error(
        "user.email.missing",
        "The e-mail address is empty.",
        "Fill it in, or allow shared addresses in the configuration.",
    ),
    _error("user.email.invalid", "“{value}” is not an e-mail address.", "Correct it."),
    _error(
        "user.email.duplicate",
        "The e-mail address “{value}” is there {detail} times for different people.",
        "Give each their own.",
    ),
    _error(
        "user.email.taken",
        "The e-mail address “{value}” belongs to {detail}, who keeps it.",
        "Give this person another one.",
    ),
    _warning(
        "user.org.unknown",
        "The unit “{value}” is neither in the site nor in a good record of the set.",
        "The old unit stays. Correct orgidnumber, or add or mend the unit; then send this record again.",
    ),
    _warning(
        "user.pos.unknown",
        "The position “{value}” is neither in the site nor in a good record of the set.",
        "The old position stays. Correct posidnumber, or add or mend the position; then send this record again.",
    ),
    _warning(
        "user.manager.unknown",
        "The manager “{value}” is neither in the site nor in a good record of the set.",
        "The old manager stays. Correct manageridnumber, or add or mend the person; then send this record again.",
    ),
    _warning(
        "user.manager.self",
        "The person is their own manager.",
        "The old manager stays. Leave the cell empty, or name another person.",
    ),
    _warning(
        "user.manager.cycle",
        "Following the managers leads back to this person: {detail}.",
        "The old manager stays. Correct manageridnumber of one person on this path.",
    ),
    _warning(
        "user.appraiser.unknown",
        "The appraiser “{value}” is neither in the site nor in a good record of the set.",
        "The old appraiser stays. Correct appraiseridnumber, or add or mend the person; then send this record again.",
    ),
    _warning(
        "user.appraiser.self",
        "The person is their own appraiser.",
        "The old appraiser stays. Leave the cell empty, or name another person.",
    ),
    _warning(
        "user.job.dates",
        "The job would end before it starts ({detail}).",
        "The old date stays. Correct the start or the end.",
    ),
    _warning(
        "user.manager.inactive",
        "The manager “{value}” is suspended or gone; the link stays.",
        "Name the person who took over.",
    ),
    _warning(
        "user.password.refused",
        "The file brings passwords; they were neither read nor stored.",
        "Remove the column from the export.",
    ),
    _error(
        "key.unmanaged",
        "The idnumber “{value}” belongs to a record that was made by hand in the site.",
        "Hand the record over to the feed in the site, or use another key.",
    ),
    _warning("audience.empty", "The audience “{detail}” has no members.", "Check its rule."),
    _warning(
        "audience.broken",
        "The rule of the audience “{detail}” names what is not there: {value}. It is frozen.",
        "Correct the rule, or bring it back.",
    ),
)

CATALOGUE: dict[str, Entry] = {entry.code: entry for entry in ENTRIES}


def severity_of(code: str, column: str = "") -> Severity:
    """What a finding costs, before configuration: `value.boolean` is an error only in `deleted` and `suspended`."""
    if code == "value.boolean" and column not in ("deleted", "suspended"):
        return Severity.WARNING
    return CATALOGUE[code].severity


def shorten(value: str) -> str:
    """A cell as a finding keeps it: at most `MAX_VALUE` characters, control characters made visible."""
    value = value[: MAX_VALUE + 1]
    if len(value) > MAX_VALUE:
        value = value[: MAX_VALUE - 1] + "…"
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)


def sentence(finding: Finding) -> str:
    """What is wrong and how to mend it, for people."""
    entry = CATALOGUE[finding.code]
    text = entry.sentence.format(
        column=finding.column, value=finding.value, detail=finding.detail, idnumber=finding.idnumber
    )
    return f"{text} {entry.remedy}"
