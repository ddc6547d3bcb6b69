"""Learning: which items the next members are assigned, and which are taken from whom.

| table | a row is |
|---|---|
| `item` | an item that an audience assigns: `audience_id, item, due_at` |
| `assigning` | an assignment that is new, or comes back: `audience_id, user_id, item` |
| `unassigning` | an assignment that is taken away: `id, audience_id, user_id, item` |
| `unlearned` | learning that somebody who stays loses altogether, no other audience assigns it: `user_id, item` |
| `granting` | `assigning` while it is written: also the `id` of an assignment that comes back, and `due_at` |

Where everybody is asked, all that is assigned is compared with all that should be. Otherwise only who joins and who
leaves is looked at: who stays has what it takes, but for what was taken away by hand, and that is noticed within a day.

One row a person, item and audience is kept for ever: leaving marks it as removed, coming back makes it hold again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lzsyncd.learning.judged import analyze
from lzsyncd.learning.rules import Audience
from lzsyncd.ledger.runs import iso
from lzsyncd.sync.picture import Picture
from lzsyncd.zone.images import ROWS, Images

IS_ACTIVE = "NOT EXISTS (SELECT 1 FROM inactive x WHERE x.id = a.user_id)"
JOINING = "(SELECT v.audience_id, v.user_id FROM moving v WHERE v.action = 'joined')"


@dataclass
class Taught:
    """How many assignments come and go.

    Attributes:
        assigned: by audience.
        unassigned: by audience; somebody who has the item from another audience keeps it.
    """

    assigned: dict[int, int] = field(default_factory=dict)
    unassigned: dict[int, int] = field(default_factory=dict)


def plan_assignments(
    picture: Picture, teaching: Mapping[int, Audience], members: Mapping[int, int], *, everybody: bool
) -> Taught:
    """Compare what the next members should have with what is assigned.

    Args:
        picture: what the run works on, with `next_member`, `moving` and `inactive` made.
        teaching: the audiences whose rules are in force, by id.
        members: how many of those who are judged will be in each.
        everybody: whether everybody is judged.
    """
    picture.table("unlearned", "user_id BIGINT, item TEXT")
    picture.table("unassigning", "id BIGINT PRIMARY KEY, audience_id BIGINT, user_id BIGINT, item TEXT")
    _fill_items(picture, teaching)
    there = bool(picture.database.value("SELECT 1 FROM lz_assignment WHERE removed_at IS NULL LIMIT 1"))
    assigned = _assign(picture, "next_member" if everybody else JOINING, some_are_there=there)
    if not there:
        return Taught(assigned)
    _unassign_inactive(picture)
    removing = [number for number, audience in teaching.items() if audience.on_leave == "remove"]
    if everybody:
        wanted = {n: members[n] * len(teaching[n].assign) - assigned.get(n, 0) for n in removing}
        _unassign_unwanted(picture, [n for n, found in _active(picture).items() if n in wanted and found > wanted[n]])
    else:
        _unassign_leavers(picture, removing)
    _find_unlearned(picture)
    return Taught(assigned, _counted(picture, "unassigning"))


def _fill_items(picture: Picture, teaching: Mapping[int, Audience]) -> None:
    now = datetime.fromisoformat(picture.now)
    picture.table("item", "audience_id BIGINT, item TEXT, due_at TEXT, PRIMARY KEY (audience_id, item)", large=True)
    rows = [
        (str(number), item, None if audience.due is None else iso(now + timedelta(seconds=audience.due)))
        for number, audience in teaching.items()
        for item in audience.assign
    ]
    picture.database.load("item", ("audience_id", "item", "due_at"), rows)
    analyze(picture, "item")


def _assign(picture: Picture, members: str, *, some_are_there: bool) -> dict[int, int]:
    """What members lack.

    Args:
        picture: what the run works on.
        members: SQL for the members that are looked at.
        some_are_there: whether anything is assigned.
    """
    lacking = (
        "NOT EXISTS (SELECT 1 FROM lz_assignment a WHERE a.removed_at IS NULL AND a.audience_id = n.audience_id "
        "AND a.item = i.item AND a.user_id = n.user_id)"
    )
    picture.database.table_of(
        "assigning",
        f"SELECT n.audience_id, n.user_id, i.item FROM item i JOIN {members} n "
        f"ON n.audience_id = i.audience_id WHERE {lacking if some_are_there else 'TRUE'}",
        large=True,
    )
    return _counted(picture, "assigning")


def _counted(picture: Picture, table: str) -> dict[int, int]:
    rows = picture.database.rows(f"SELECT audience_id, count(*) FROM {table} GROUP BY audience_id")
    return {int(number): int(found) for number, found in rows}


def _active(picture: Picture) -> dict[int, int]:
    return _counted(picture, "lz_assignment WHERE removed_at IS NULL")


def _unassign_inactive(picture: Picture) -> None:
    """Who is deleted or suspended loses all, also what an audience left them that they are no member of."""
    picture.database.run(
        "INSERT INTO unassigning SELECT a.id, a.audience_id, a.user_id, a.item FROM inactive x "
        "CROSS JOIN lz_assignment a WHERE a.user_id = x.id AND a.removed_at IS NULL"
    )


def _unassign_leavers(picture: Picture, audiences: list[int]) -> None:
    """What those have who leave, where leaving takes learning away. CROSS: SQLite starts with them."""
    if not audiences:
        return
    picture.database.run(
        "INSERT INTO unassigning SELECT a.id, a.audience_id, a.user_id, a.item "
        "FROM moving v CROSS JOIN item i CROSS JOIN lz_assignment a "
        f"WHERE v.action = 'left' AND v.audience_id IN ({', '.join(map(str, audiences))}) "
        "AND i.audience_id = v.audience_id AND a.audience_id = v.audience_id AND a.item = i.item "
        f"AND a.user_id = v.user_id AND a.removed_at IS NULL AND {IS_ACTIVE}"
    )


def _unassign_unwanted(picture: Picture, audiences: list[int]) -> None:
    """What no member has, or these audiences do not assign any more."""
    if not audiences:
        return
    picture.database.run(
        "INSERT INTO unassigning SELECT a.id, a.audience_id, a.user_id, a.item FROM lz_assignment a "
        f"WHERE a.removed_at IS NULL AND a.audience_id IN ({', '.join(map(str, audiences))}) AND NOT EXISTS ("
        "SELECT 1 FROM next_member n JOIN item i ON i.audience_id = n.audience_id "
        "WHERE n.audience_id = a.audience_id AND n.user_id = a.user_id AND i.item = a.item) "
        f"AND {IS_ACTIVE}"
    )


def _find_unlearned(picture: Picture) -> None:
    """Who has an item from two audiences keeps it until the last one goes."""
    if not picture.database.value("SELECT 1 FROM unassigning LIMIT 1"):
        return
    # SQLite would look through all that is assigned for each that is taken away
    picture.database.run("CREATE INDEX assigning_of ON assigning (user_id, item)")
    picture.database.run(
        "INSERT INTO unlearned SELECT DISTINCT x.user_id, x.item FROM unassigning x "
        "WHERE NOT EXISTS (SELECT 1 FROM inactive o WHERE o.id = x.user_id) "
        "AND NOT EXISTS (SELECT 1 FROM lz_assignment a WHERE a.user_id = x.user_id AND a.item = x.item "
        "AND a.removed_at IS NULL AND NOT EXISTS (SELECT 1 FROM unassigning o WHERE o.id = a.id)) "
        "AND NOT EXISTS (SELECT 1 FROM assigning n WHERE n.user_id = x.user_id AND n.item = x.item)"
    )


def write_assignments(picture: Picture, number: int, images: Images) -> None:
    """Write what was planned.

    Args:
        picture: what the run works on.
        number: how many assignments are new or come back.
        images: keeps the rows that change as they were.
    """
    database, now = picture.database, picture.now
    columns = "n.user_id, n.item, n.audience_id, i.due_at"
    assigning = "assigning n JOIN item i ON i.audience_id = n.audience_id AND i.item = n.item"
    new = f"(SELECT {columns} FROM {assigning})"
    if database.value("SELECT 1 FROM lz_assignment LIMIT 1"):
        row = "a.user_id = n.user_id AND a.item = n.item AND a.audience_id = n.audience_id"
        database.table_of("granting", f"SELECT a.id, {columns} FROM {assigning} LEFT JOIN lz_assignment a ON {row}")
        back, new = "granting WHERE id IS NOT NULL", "(SELECT * FROM granting WHERE id IS NULL)"
        images.keep(ROWS["lz_assignment"], f"t.id IN (SELECT id FROM {back} UNION ALL SELECT id FROM unassigning)")
        database.run(
            f"UPDATE lz_assignment SET removed_at = NULL, assigned_at = '{now}', due_at = q.due_at "
            f"FROM (SELECT id, due_at FROM {back}) q WHERE lz_assignment.id = q.id"
        )
    database.run(f"UPDATE lz_assignment SET removed_at = '{now}' WHERE id IN (SELECT id FROM unassigning)")
    with database.indexes_last("lz_assignment", number):
        database.run(
            "INSERT INTO lz_assignment (user_id, item, audience_id, assigned_at, due_at) "
            f"SELECT n.user_id, n.item, n.audience_id, '{now}', n.due_at FROM {new} n "
            "ORDER BY n.audience_id, n.item, n.user_id"
        )
