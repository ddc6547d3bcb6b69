"""What a set that waits would do, record by record: kept until it is applied or given up, to be looked at and compared.

The history (`sync_change`) has only what was done.
"""

from typing import NamedTuple

from lzsyncd.ledger.status import Status
from lzsyncd.zone.database import Database

WAITS = (Status.CHECKED, Status.HELD)

COLUMNS = "run_id, element, idnumber, action, before, after, file, line"
SHOWN = 10  # keys of records that differ

# both remove somebody, or they do the same; a job may end on another day
_SAME = """
    p.run_id = c.run_id AND p.element = c.element AND p.idnumber = c.idnumber AND p.action = c.action
    AND (p.after = c.after OR c.action = 'removed')
"""
_DIFFERING = f"""
    SELECT element, idnumber FROM sync_change c
    WHERE run_id = ? AND NOT EXISTS (SELECT 1 FROM sync_planned p WHERE {_SAME})
    UNION
    SELECT element, idnumber FROM sync_planned p
    WHERE run_id = ? AND NOT EXISTS (SELECT 1 FROM sync_change c WHERE {_SAME})
"""


class Differing(NamedTuple):
    """Records with which two plans of one set do something else.

    Attributes:
        number: how many.
        some: element and key of the first.
    """

    number: int
    some: tuple[tuple[str, str], ...]


def differing(database: Database, run_id: str) -> Differing:
    """How the plan in the history differs from the one that was kept."""
    number = int(database.value(f"SELECT count(*) FROM ({_DIFFERING}) d", (run_id, run_id)))
    some = database.rows(f"{_DIFFERING} ORDER BY element, idnumber LIMIT {SHOWN}", (run_id, run_id))
    return Differing(number, tuple((str(element), str(key)) for element, key in some))


def put_by(database: Database, run_id: str, *, keep: bool) -> None:
    """Take a plan that is not carried out, or not now, off the history; keep it where the set waits."""
    forget(database, run_id)
    if keep:
        database.run(
            f"INSERT INTO sync_planned ({COLUMNS}) SELECT {COLUMNS} FROM sync_change WHERE run_id = ? ORDER BY id",
            (run_id,),
        )
    database.run("DELETE FROM sync_change WHERE run_id = ?", (run_id,))


def forget(database: Database, run_id: str) -> None:
    """The set does not wait any more."""
    database.run("DELETE FROM sync_planned WHERE run_id = ?", (run_id,))


def table_of(database: Database, run_id: str) -> str:
    """Where a run's changes are: in the plan as long as its set waits, in the history once it was applied."""
    status = database.value("SELECT status FROM sync_run WHERE id = ?", (run_id,))
    return "sync_planned" if status in WAITS else "sync_change"
