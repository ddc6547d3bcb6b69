"""The checks of the final state, round by round (CONTRACT section 2a).

Round 1 starts with every staged record accepted. Each round looks at the state the site would have, rejects all at once
whatever breaks a rule in it, and the next looks at what changed by that. It ends, because rounds only take away. Then
removals that are refused (`in_use`) become part of the state, and planning starts again with them.
"""

from collections.abc import Callable

from lzsyncd.checks import hierarchy, keys, people
from lzsyncd.feed.elements import Element
from lzsyncd.sync.picture import UNITS, Picture

_DROPPABLE = {  # finding -> the link it drops
    "user.org.unknown": "orgidnumber",
    "user.pos.unknown": "posidnumber",
    "user.manager.unknown": "manageridnumber",
    "user.manager.self": "manageridnumber",
    "user.manager.cycle": "manageridnumber",
    "user.appraiser.unknown": "appraiseridnumber",
    "user.appraiser.self": "appraiseridnumber",
}


def settle(picture: Picture, withhold: Callable[[], bool] = lambda: False) -> None:
    """Find what is rejected, dropped and refused, until the state breaks no rule.

    Args:
        picture: what the run works on.
        withhold: the guard: withholds removals that are too many, and says whether it did.
    """
    _tables(picture)
    while True:
        _start(picture)
        number = 1
        while _round(picture, number):
            number += 1
        if not (_refuse_removals(picture) or _release_removals(picture) or withhold()):
            break
    people.warn_of_inactive_managers(picture)
    _leave_only_accepted(picture)


def _tables(picture: Picture) -> None:
    for e in Element:
        picture.table(f"out_{e}", "line INTEGER PRIMARY KEY, round INTEGER, root TEXT")
        picture.table(f"gone_{e}", "id BIGINT, how TEXT, round INTEGER, root TEXT")
    for e in UNITS:
        picture.table(f"kept_{e}", "id BIGINT PRIMARY KEY, line INTEGER, how TEXT, released INTEGER DEFAULT 0")
    picture.table("dropped_user", "line INTEGER, column_name TEXT, round INTEGER, PRIMARY KEY (line, column_name)")


def _start(picture: Picture) -> None:
    """Everything readable is accepted, but for what a switch leaves out."""
    picture.findings.take_back_rounds()
    database = picture.database
    database.run("DELETE FROM dropped_user")
    for e in Element:
        database.run(f"DELETE FROM out_{e}")
        database.run(f"DELETE FROM gone_{e}")
        if not picture.staged[e].config.create:
            database.run(
                f"INSERT INTO out_{e} SELECT line, 0, '' FROM match_{e} WHERE NOT goes AND (sid IS NULL OR returns)"
            )
        if not picture.staged[e].config.create or picture.staged[e].has_deleted:
            database.run(
                f"INSERT INTO gone_{e} SELECT m.id, 'unknown', 0, '' FROM match_{e} m WHERE m.sid IS NULL "
                f"AND (m.goes OR EXISTS (SELECT 1 FROM out_{e} x WHERE x.line = m.line))"
            )
    for e in UNITS:
        database.run(f"INSERT INTO gone_{e} SELECT id, 'removed', 0, '' FROM going_{e}")
        database.run(
            f"INSERT INTO gone_{e} SELECT u.id, 'removed', 0, '' FROM lz_{e} u WHERE u.hidden_by_feed "
            f"AND NOT EXISTS (SELECT 1 FROM going_{e} g WHERE g.id = u.id) AND NOT EXISTS (SELECT 1 FROM match_{e} m "
            f"WHERE m.id = u.id AND NOT m.goes AND NOT EXISTS (SELECT 1 FROM out_{e} x WHERE x.line = m.line))"
        )


def _round(picture: Picture, number: int) -> bool:
    """One round; returns whether it took anything away."""
    for e in Element:
        keys.check(picture, e, number)
    for e in UNITS:
        hierarchy.check(picture, e, number)
    people.check(picture, number)
    return _take_away(picture, number)


def _take_away(picture: Picture, number: int) -> bool:
    database = picture.database
    taken = 0
    static = " OR f.round = 0" if number == 1 else ""
    for e in Element:
        # a record that a switch leaves out is rejected all the same when it is wrong in itself
        database.run(
            f"UPDATE out_{e} SET round = {number}, root = '{e}:' || line WHERE round = 0 AND line IN (SELECT f.line "
            f"FROM finding f WHERE f.element = '{e}' AND f.severity = 'error' AND (f.round = {number}{static}))"
        )
        taken += database.run(
            f"INSERT INTO out_{e} SELECT f.line, {number}, "
            f"ltrim(min(CASE WHEN f.root = '' THEN ' {e}:' || f.line ELSE f.root END)) FROM finding f "
            f"WHERE f.element = '{e}' AND f.severity = 'error' AND (f.round = {number}{static}) "
            f"AND EXISTS (SELECT 1 FROM match_{e} m WHERE m.line = f.line) "
            f"AND NOT EXISTS (SELECT 1 FROM out_{e} x WHERE x.line = f.line) GROUP BY f.line"
        )
        database.run(
            f"INSERT INTO gone_{e} SELECT m.id, CASE WHEN m.sid IS NULL THEN 'unknown' ELSE 'removed' END, {number}, "
            f"o.root FROM out_{e} o JOIN match_{e} m ON m.line = o.line "
            f"WHERE o.round = {number} AND NOT m.goes AND (m.sid IS NULL OR (m.returns AND '{e}' <> 'user'))"
        )
    for code, column in _DROPPABLE.items():
        taken += database.run(
            f"INSERT INTO dropped_user SELECT f.line, '{column}', {number} FROM finding f WHERE f.code = '{code}' "
            f"AND f.round = {number} AND f.severity = 'warning' AND NOT EXISTS (SELECT 1 FROM dropped_user d "
            f"WHERE d.line = f.line AND d.column_name = '{column}') GROUP BY f.line"
        )
    return bool(taken + people.drop_dates(picture, number))


def _refuse_removals(picture: Picture) -> bool:
    """Units that somebody who stays still holds do not go; returns whether there were any."""
    refused = [hierarchy.refuse_held(picture, e) for e in UNITS]
    return any(refused)


def _release_removals(picture: Picture) -> bool:
    """A refusal may take away its own reason: somebody moves who could not move before. Then the unit goes after all.

    Without this the next run of the same set would remove it (law 4). Each is released once, so that it ends.
    """
    released = [hierarchy.release_free(picture, e) for e in UNITS]
    return any(released)


def _leave_only_accepted(picture: Picture) -> None:
    """From here on `match_E` holds accepted records, and only links that hold."""
    database = picture.database
    for name, link in (("orgidnumber", "org"), ("posidnumber", "pos")):
        _unlink(picture, name, link)
    for name, link in (("manageridnumber", "manager"), ("appraiseridnumber", "appraiser")):
        _unlink(picture, name, link)
    people.unstage_dropped_dates(picture)
    for e in Element:
        database.run(f"DELETE FROM match_{e} WHERE line IN (SELECT line FROM out_{e})")


def _unlink(picture: Picture, name: str, link: str) -> None:
    picture.database.run(
        f"UPDATE match_user SET {link} = NULL WHERE line IN "
        f"(SELECT line FROM dropped_user WHERE column_name = '{name}')"
    )
