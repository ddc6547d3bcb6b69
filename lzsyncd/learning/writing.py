"""Writing what was planned: audiences, members with the reason why, assignments."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from lzsyncd.learning.assignments import write_assignments
from lzsyncd.learning.audiences import Learning
from lzsyncd.learning.conditions import Meaning, explained, holds, words
from lzsyncd.learning.judged import analyze
from lzsyncd.learning.planned import Planned
from lzsyncd.learning.rules import Group
from lzsyncd.sync.picture import Picture
from lzsyncd.zone.images import ROWS, Images

MOVERS = "k CROSS JOIN moving v"  # CROSS: SQLite starts with the audiences
NO_RULE = Group("all", ())
THEIRS = "v.audience_id = k.audience_id AND v.action ="


def write_learning(picture: Picture, learning: Learning, run_id: str, images: Images) -> None:
    """Write what was planned, after the people: audiences, members with the reason why, assignments."""
    _write_audiences(picture, learning.planned, images)
    if not learning.tallies or learning.meaning is None:
        return
    database = picture.database
    database.run("CREATE INDEX moving_of ON moving (audience_id, action, user_id)")
    database.run("CREATE INDEX judged_user ON judged (user_id)")
    number = sum(tally.joined + tally.left for tally in learning.tallies)
    with database.indexes_last("sync_member", number):
        _write_reasons(picture, learning, learning.meaning, run_id)
    members, moving = ROWS["lz_audience_member"], "SELECT v.audience_id, v.user_id FROM moving v WHERE v.action ="
    images.keep(members, f"(t.audience_id, t.user_id) IN ({moving} 'left')")
    with database.indexes_last("lz_audience_member", number):
        database.run(
            f"INSERT INTO lz_audience_member (audience_id, user_id, since) SELECT v.audience_id, v.user_id, "
            f"'{picture.now}' FROM moving v WHERE v.action = 'joined' ORDER BY v.audience_id, v.user_id"
        )
    # members of an audience that the run has made go with it: of a million nothing has to be noted
    stood = {p.id for p in learning.planned if p.stored is not None}
    if joined := [str(tally.audience_id) for tally in learning.tallies if tally.joined and tally.audience_id in stood]:
        theirs = f"AND v.audience_id IN ({', '.join(joined)})"
        images.made_with(members, f"{moving} 'joined' {theirs}")
    database.run(f"DELETE FROM lz_audience_member WHERE (audience_id, user_id) IN ({moving} 'left')")
    write_assignments(picture, sum(tally.assigned for tally in learning.tallies), images)


def _write_audiences(picture: Picture, planned: Sequence[Planned], images: Images) -> None:
    database = picture.database
    changed = ", ".join(str(p.id) for p in planned if p.stored not in (None, p.row))
    if changed:
        images.keep(ROWS["lz_audience"], f"t.id IN ({changed})")
    for p in planned:
        if p.stored is None:
            database.run("INSERT INTO lz_audience (id, name, rule, frozen) VALUES (?, ?, ?, ?)", (p.id, *p.row))
        elif p.stored != p.row:
            database.run("UPDATE lz_audience SET name = ?, rule = ?, frozen = ? WHERE id = ?", (*p.row, p.id))
    if any(p.stored is None for p in planned):
        database.advance_ids("lz_audience")


def _write_reasons(picture: Picture, learning: Learning, meaning: Meaning, run_id: str) -> None:
    """Why: who joins is told what matched, who leaves what does not match any more; of several jobs one is told of.

    Audiences whose reasons are made by the same SQL are written at once: most rules differ in their words only
    (measured on PostgreSQL, 200 rules: half of the time went into planning a statement for each).
    """
    planned = {p.id: p for p in learning.planned}
    several = bool(picture.database.value("SELECT 1 FROM lz_job WHERE NOT managed LIMIT 1"))
    groups = defaultdict[str, list[tuple[str, ...]]](list)
    for tally in learning.tallies:
        p = planned[tally.audience_id]
        rule = p.audience.rule if p.audience else NO_RULE
        if tally.joined:
            groups[_joined(rule, meaning, several=several)].append((str(p.id), *words(rule, kept=True)))
        if tally.left:
            lost = NO_RULE if p.frozen else rule
            groups[_left(lost, meaning, several=several)].append((str(p.id), *words(lost, kept=False)))
    _fill_reasons(picture, groups.values())
    for number, query in enumerate(groups):
        picture.database.run(
            f"WITH k AS (SELECT * FROM reason WHERE number = {number}) "
            f"INSERT INTO sync_member SELECT '{run_id}', k.audience_id, {query}"
        )


def _fill_reasons(picture: Picture, groups: Iterable[list[tuple[str, ...]]]) -> None:
    """Fill `reason`: the words that the reasons of an audience have, by the number of the query that needs them."""
    rows = [(str(number), *row) for number, group in enumerate(groups) for row in group]
    most = max(map(len, rows), default=0) - 2
    columns = [f"word_{number}" for number in range(most)]
    texts = (f"{name} TEXT" for name in columns)
    picture.table("reason", ", ".join(("number INTEGER", "audience_id BIGINT", *texts)))
    filled = (row + ("",) * (most + 2 - len(row)) for row in rows)
    picture.database.load("reason", ("number", "audience_id", *columns), filled)
    analyze(picture, "reason")


def _joined(rule: Group, meaning: Meaning, *, several: bool) -> str:
    """SQL, after the audience: who joins, and why. All of it is in `judged`."""
    why = explained(rule, meaning, kept=True)
    source = f"FROM {MOVERS} JOIN judged p ON p.user_id = v.user_id WHERE {THEIRS} 'joined'"
    if not several:
        return f"coalesce(p.f_idnumber, ''), 'joined', {why} {source}"
    # CASE: an index on what the rule asks for would be looked through for each person again
    matches = f"CASE WHEN {holds(rule, meaning)} THEN 1 ELSE 0 END = 1"
    return (
        f"coalesce(p.f_idnumber, ''), 'joined', min({why}) {source} AND {matches} "
        "GROUP BY k.audience_id, v.user_id, p.f_idnumber"
    )


def _left(rule: Group, meaning: Meaning, *, several: bool) -> str:
    """SQL, after the audience: who leaves, and why. Who is deleted or suspended is not in `judged`, all others are.

    So of those alone the record is looked up, which may lie anywhere on the disk.
    """
    why, key, join, not_judged, group = "'gone'", "u.idnumber", "", "v.user_id", ""
    if rule.rules:
        told = explained(rule, meaning, kept=False)
        why = f"coalesce({f'min({told})' if several else told}, 'gone')"
        key = "coalesce(p.f_idnumber, u.idnumber)"
        join = "LEFT JOIN judged p ON p.user_id = v.user_id"
        not_judged = "CASE WHEN p.user_id IS NULL THEN v.user_id END"
        group = f"GROUP BY k.audience_id, v.user_id, {key}, u.deleted, u.suspended" if several else ""
    return (
        f"coalesce({key}, ''), 'left', "
        f"CASE WHEN u.deleted THEN 'deleted' WHEN u.suspended THEN 'suspended' ELSE {why} END "
        f"FROM {MOVERS} {join} LEFT JOIN lz_user u ON u.id = {not_judged} WHERE {THEIRS} 'left' {group}"
    )
