"""How a check of the final state writes its findings: one INSERT..SELECT, in the words of the staging table."""

from lzsyncd.checks.catalogue import Severity, severity_of
from lzsyncd.feed.elements import Element
from lzsyncd.feed.stage import Staged


def told(
    staged: Staged,
    code: str,
    round_number: int,
    *,
    column: str = "",
    value: str = "''",
    detail: str = "''",
    severity: Severity | None = None,
    root: str = "",
    record: str = "m",
) -> str:
    """SQL: the start of an INSERT of findings; a FROM clause follows.

    Args:
        staged: the file the records are in.
        code: of the catalogue.
        round_number: the round that found it.
        column: the column's name.
        value: SQL of the cell.
        detail: SQL of the detail.
        severity: where configuration changes the catalogue's.
        root: alias of a row with `root`, "" where the finding has no cause.
        record: alias of a row with `line`, `record`, `idnumber`.
    """
    e: Element = staged.element
    cause = f"{root}.root" if root else "''"
    return (
        "INSERT INTO finding (element, file, line, record, idnumber, column_name, code, severity, value, detail, "
        f"root, round) SELECT '{e}', '{staged.name}', {record}.line, {record}.record, "
        f"{record}.idnumber, '{column}', '{code}', '{severity or severity_of(code, column)}', "
        f"substr({value}, 1, 200), {detail}, {cause}, {round_number} "
    )
