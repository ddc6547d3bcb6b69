"""Everything a run would change, computed before anything is written to the zone.

The plan is the run's history, row by row (`sync_change`), its totals and its digest. A dry run makes the same plan and
rolls it back.
"""

from dataclasses import dataclass, fields

from lzsyncd.errors import BooksDoNotBalance
from lzsyncd.feed.elements import COLUMNS, Element, Home
from lzsyncd.feed.stage import Staged
from lzsyncd.learning.audiences import Learning, plan_learning
from lzsyncd.sync.created import write_created
from lzsyncd.sync.fields import Field, changed_object, fields_of, standing_join
from lzsyncd.sync.picture import Picture, job_join, link_joins, standing_text, unstaged
from lzsyncd.zone.digest import NO_SUMS, Sums


@dataclass
class Counts:
    """What becomes of the records of one element (the columns of `sync_count`)."""

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    revived: int = 0
    removed: int = 0
    absent: int = 0
    rejected: int = 0
    warnings: int = 0

    def balanced(self) -> bool:
        """Law 1: every record read became something, and only one thing."""
        named = self.removed - self.absent
        return self.read == self.created + self.updated + self.unchanged + self.revived + self.rejected + named

    @property
    def changed(self) -> bool:
        """Whether the element changes at all."""
        return bool(self.created or self.updated or self.revived or self.removed)

    def as_dict(self) -> dict[str, int]:
        """By column."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass
class Plan:
    """A finished plan.

    Attributes:
        counts: by element, for the elements the set has a file for.
        digest: covers every (element, key, action, field, new value), and the learning that follows.
        learning: what becomes of audiences and assignments.
    """

    counts: dict[Element, Counts]
    digest: str
    learning: Learning

    @property
    def changed(self) -> bool:
        """Whether applying it changes a record."""
        return self.learning.changed or any(counts.changed for counts in self.counts.values())


def make_plan(picture: Picture, run_id: str, *, everybody: bool = False) -> Plan:
    """Write the run's history, count what it says, and find out what the rules make of it.

    Args:
        picture: what the run works on.
        run_id: the run.
        everybody: ask the rules about everybody, not only about whom the run touches.

    Raises:
        BooksDoNotBalance: records got lost between reading and the plan; nothing may be applied.
    """
    for e in Element:
        _find_changed(picture, picture.staged[e])
    written = {e: _write_history(picture, picture.staged[e], run_id) for e in Element}
    counts = {e: _count(picture, staged, written[e]) for e, staged in picture.staged.items() if staged.present}
    learning = plan_learning(picture, run_id, everybody=everybody)
    sums = _sums(picture, written, run_id)
    for query in learning.digested():
        sums = sums.plus(picture.database.sums(query, ()))
    return Plan(counts, sums.digest(), learning)


def _sums(picture: Picture, written: dict[Element, "Written"], run_id: str) -> Sums:
    """The sums of all changes. Those of a file that is staged wide were made while it was read."""
    wide = [staged for staged in picture.staged.values() if staged.wide and staged.usable]
    sums = NO_SUMS
    for staged in wide:
        sums = sums.plus(staged.sums)
    made = ", ".join(f"'{staged.element}'" for staged in wide) or "''"
    if not any(some.other_than(new=e in made) for e, some in written.items()):
        return sums
    # the day on which the jobs of deleted people end moves with the date alone: it is not part of the digest
    after = "CASE WHEN action = 'removed' AND after LIKE '{\"deleted\":true%' THEN 'deleted' ELSE after END"
    changes = f"SELECT element || ' ' || idnumber || ' ' || action || ' ' || {after} FROM sync_change WHERE run_id = ?"
    return sums.plus(
        picture.database.sums(f"{changes} AND NOT (action = 'created' AND element IN ({made}))", (run_id,))
    )


def returns(element: Element, staged_fields: list[Field]) -> str:
    """SQL: the accepted record brings somebody back."""
    if element is not Element.USER:
        return "u.hidden_by_feed"
    suspended = next(f.value for f in staged_fields if f.name == "suspended")
    return f"(u.deleted OR (u.suspended_by_feed AND NOT ({suspended})))"


def _find_changed(picture: Picture, staged: Staged) -> None:
    """Fill `change_E` with who stands and changes."""
    e, all_fields = staged.element, fields_of(picture, staged)
    picture.table(f"change_{e}", "line INTEGER PRIMARY KEY, action TEXT")
    if not picture.database.value(f"SELECT 1 FROM match_{e} WHERE sid IS NOT NULL LIMIT 1"):
        return
    changed = " OR ".join(field.changed for field in all_fields)
    picture.database.run(
        f"INSERT INTO change_{e} SELECT m.line, CASE WHEN {returns(e, all_fields)} THEN 'revived' ELSE 'updated' END "
        f"FROM {standing_join(staged)} WHERE NOT m.goes AND ({changed})"
    )


@dataclass(frozen=True)
class Written:
    """How many rows of history an element got."""

    created: int
    changed: int
    removed: int

    def other_than(self, *, new: bool) -> int:
        """How many of them; without the new records where `new`."""
        return self.changed + self.removed + (0 if new else self.created)


def _write_history(picture: Picture, staged: Staged, run_id: str) -> Written:
    e, all_fields = staged.element, fields_of(picture, staged)
    insert = "INSERT INTO sync_change (run_id, element, idnumber, action, before, after, file, line) "
    head = f"SELECT '{run_id}', '{e}', "
    where = f"'{staged.name}', m.line"
    created = write_created(picture, staged, run_id)
    changed = picture.database.run(
        f"{insert}{head}m.idnumber, c.action, {changed_object(all_fields, 'before')}, "
        f"{changed_object(all_fields, 'after')}, {where} FROM {standing_join(staged)} "
        f"JOIN change_{e} c ON c.line = m.line{link_joins(staged.columns)} ORDER BY m.line"
    )
    return Written(created, changed, _write_removals(picture, staged, insert + head))


def _write_removals(picture: Picture, staged: Staged, insert: str) -> int:
    e = staged.element
    source = f"going_{e} g JOIN lz_{e} u ON u.id = g.id"
    where = f"CASE WHEN g.line IS NOT NULL THEN '{staged.name}' END, g.line"
    if e is Element.USER:
        rows = (
            (
                "suspend",
                _object(suspended="false", suspended_by_feed="false"),
                _object(suspended="true", suspended_by_feed="true"),
            ),
            ("delete", _ending(picture, "j.end_date", "false"), _ending(picture, f"'{picture.today}'", "true")),
        )
        source += job_join(e)
    else:
        rows = (
            ("hide", _object(hidden="false", hidden_by_feed="false"), _object(hidden="true", hidden_by_feed="true")),
            ("delete", _whole_unit(picture, e), "'{}'"),
        )
    written = 0
    for how, before, after in rows:
        parent = f" LEFT JOIN lz_{e} l_parent_id ON l_parent_id.id = u.parent_id" if e is not Element.USER else ""
        written += picture.database.run(
            f"{insert}u.idnumber, 'removed', {before}, {after}, {where} FROM {source}{parent} "
            f"WHERE g.how = '{how}' ORDER BY g.id"
        )
    return written


def _object(**members: str) -> str:
    return "'{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}'"


def _ending(picture: Picture, end: str, deleted: str) -> str:
    """SQL: the fields of somebody who is deleted: the job ends, unless it has ended before."""
    ends = f"j.id IS NOT NULL AND (j.end_date IS NULL OR j.end_date > '{picture.today}')"
    quoted = picture.database.dialect.quoted(f"CAST({end} AS TEXT)")
    text = f"CASE WHEN {end} IS NULL THEN 'null' ELSE {quoted} END"
    return (
        f"'{{\"deleted\":{deleted}' || CASE WHEN {ends} THEN ',\"jobassignmentenddate\":' || {text} ELSE '' END || '}}'"
    )


def _whole_unit(picture: Picture, e: Element) -> str:
    """SQL: all that a unit has, as an object."""
    parts = []
    for column in COLUMNS[e]:
        if column.home is Home.OWN and column.name != "idnumber":
            text = standing_text(picture, column)
            parts.append(
                f"CASE WHEN {text} IS NOT NULL THEN ',\"{column.name}\":' || "
                f"{picture.database.dialect.quoted(text)} ELSE '' END"
            )
    parts.append("CASE WHEN u.custom <> '{}' THEN ',\"custom\":' || u.custom ELSE '' END")
    return f"'{{' || substr({' || '.join(parts)}, 2) || '}}'"


def _count(picture: Picture, staged: Staged, written: Written) -> Counts:
    e, database = staged.element, picture.database
    actions: dict[str, int] = dict(database.rows(f"SELECT action, count(*) FROM change_{e} GROUP BY action"))
    removed, absent = database.rows(f"SELECT count(*), count(*) - count(line) FROM going_{e}")[0]
    still = database.value(
        f"SELECT count(*) FROM match_{e} m WHERE (m.sid IS NOT NULL OR m.goes) "
        f"AND NOT EXISTS (SELECT 1 FROM change_{e} c WHERE c.line = m.line) "
        f"AND NOT EXISTS (SELECT 1 FROM going_{e} g WHERE g.line = m.line)"
    )
    left_out = database.value(f"SELECT count(*) FROM out_{e} WHERE round = 0")
    rejected = database.value(f"SELECT count(*) FROM out_{e} WHERE round > 0")
    counts = Counts(
        read=staged.records,
        created=written.created,
        updated=actions.get("updated", 0),
        unchanged=int(still) + int(left_out) + unstaged(picture, staged),
        revived=actions.get("revived", 0),
        removed=int(removed),
        absent=int(absent),
        rejected=int(rejected) + staged.spoiled,
        warnings=picture.findings.warnings(e),
    )
    if not counts.balanced() or (written.changed, written.removed) != (sum(actions.values()), removed):
        raise BooksDoNotBalance(f"The records of {e} do not add up: {counts.as_dict()}.")
    return counts
