"""Writing what was planned: audiences, members with the reason why, assignments."""

from collections.abc import Sequence

from lzsyncd.learning.assignments import write_assignments
from lzsyncd.learning.audiences import Learning
from lzsyncd.learning.conditions import Meaning, explained, holds
from lzsyncd.learning.planned import Planned
from lzsyncd.sync.picture import Picture
from lzsyncd.zone.images import ROWS, Images


def write_learning(picture: Picture, learning: Learning, run_id: str, images: Images) -> None:
    """Write what was planned, after the people: audiences, members with the reason why, assignments."""
    _write_audiences(picture, learning.planned, images)
    if not learning.tallies or learning.meaning is None:
        return
    database = picture.database
    database.run("CREATE INDEX moving_of ON moving (audience_id, action, user_id)")
    database.run("CREATE INDEX judged_user ON judged (user_id)")
    moved = {tally.audience_id for tally in learning.tallies if tally.joined or tally.left}
    number = sum(tally.joined + tally.left for tally in learning.tallies)
    with database.indexes_last("sync_member", number):
        for p in learning.planned:
            if p.id in moved:
                _write_reasons(picture, p, learning.meaning, run_id)
    members, moving = ROWS["lz_audience_member"], "SELECT v.audience_id, v.user_id FROM moving v WHERE v.action ="
    images.keep(members, f"(t.audience_id, t.user_id) IN ({moving} 'left')")
    with database.indexes_last("lz_audience_member", number):
        database.run(
            f"INSERT INTO lz_audience_member (audience_id, user_id, since) SELECT v.audience_id, v.user_id, "
            f"'{picture.now}' FROM moving v WHERE v.action = 'joined' ORDER BY v.audience_id, v.user_id"
        )
    images.made(members, f"(t.audience_id, t.user_id) IN ({moving} 'joined')")
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


def _write_reasons(picture: Picture, planned: Planned, meaning: Meaning, run_id: str) -> None:
    """Why: who joins is told what matched, who leaves what does not match any more; of several jobs one is told of."""
    head = f"INSERT INTO sync_member SELECT '{run_id}', v.audience_id, coalesce(u.idnumber, ''), v.action"
    gone = "CASE WHEN u.deleted THEN 'deleted' WHEN u.suspended THEN 'suspended'"
    source = "FROM moving v LEFT JOIN lz_user u ON u.id = v.user_id"
    where = f"WHERE v.audience_id = {planned.id} AND v.action ="
    group = "GROUP BY v.audience_id, v.user_id, v.action, u.idnumber, u.deleted, u.suspended ORDER BY v.user_id"
    if planned.audience is None or planned.frozen:
        picture.database.run(f"{head}, {gone} ELSE 'gone' END {source} {where} 'left' ORDER BY v.user_id")
        return
    rule = planned.audience.rule
    # CASE: an index on what the rule asks for would be looked through for each person again
    matches = f"CASE WHEN {holds(rule, meaning)} THEN 1 ELSE 0 END = 1"
    picture.database.run(
        f"{head}, min({explained(rule, meaning, kept=True)}) {source} JOIN judged p ON p.user_id = v.user_id "
        f"{where} 'joined' AND {matches} {group}"
    )
    picture.database.run(
        f"{head}, {gone} ELSE coalesce(min({explained(rule, meaning, kept=False)}), 'gone') END "
        f"{source} LEFT JOIN judged p ON p.user_id = v.user_id {where} 'left' {group}"
    )
