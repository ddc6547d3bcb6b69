"""Audiences and learning as part of the plan: who joins, who leaves, and what that assigns and takes away.

A run asks about those whom it touches. It asks about everybody where something else may have moved somebody: the day,
a rule, a hand. Both come to the same (a test holds them to it).
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime

from lzsyncd.checks.catalogue import Finding
from lzsyncd.feed.elements import Element
from lzsyncd.learning.assignments import Taught, plan_assignments
from lzsyncd.learning.conditions import Meaning
from lzsyncd.learning.judged import asks, find_judged, find_leaders, find_reporting, find_touched
from lzsyncd.learning.members import Members
from lzsyncd.learning.planned import Planned, find_broken, meaning_of, names, planned_audiences
from lzsyncd.learning.rules import Condition, Operator
from lzsyncd.learning.units import find_below, find_next_units
from lzsyncd.ledger.learning import Tally
from lzsyncd.sync.picture import UNITS, Picture

FEW = 20_000  # people about whom asking takes no time: with fewer, each run sees what was changed by hand, too


@dataclass
class Learning:
    """What a plan does to audiences and assignments.

    Attributes:
        planned: every audience, those of the configuration in the order in which they can be asked.
        tallies: what moves, an audience each; those in which nothing moves are left out.
        meaning: what the rules' words stand for.
        unlearned: people who stay and lose an item altogether, by the unit of their job (None: without).
    """

    planned: list[Planned] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    meaning: Meaning | None = None
    unlearned: dict[int | None, int] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether writing it changes anything."""
        return bool(self.tallies) or any(p.stored != p.row for p in self.planned)

    def digested(self) -> tuple[str, ...]:
        """Queries for what the plan's digest covers.

        That is what follows from the plan, and what follows from another rule. What the date alone moves, or what was
        changed by hand and is only seen when everybody is asked, is not part of it.
        """
        if not self.planned:
            return ()
        return (
            "SELECT 'audience ' || a.name || ' ' || a.\"row\" FROM audience a WHERE a.is_new = 1",
            (
                "SELECT 'member ' || a.name || ' ' || v.action || ' ' || coalesce("
                "(SELECT u.idnumber FROM lz_user u WHERE u.id = v.user_id), "
                "(SELECT m.idnumber FROM match_user m WHERE m.id = v.user_id), 'by hand') "
                "FROM moving v JOIN audience a ON a.id = v.audience_id WHERE a.is_steady = 1 "
                "AND (a.is_new = 1 OR EXISTS (SELECT 1 FROM touched t WHERE t.id = v.user_id))"
            ),
        )


def plan_learning(picture: Picture, run_id: str, *, everybody: bool) -> Learning:
    """Find out who joins and leaves, and which learning that assigns and takes away; nothing is written to the zone.

    Args:
        picture: what the run works on, with `change_user` made; planning may be done again.
        run_id: the run.
        everybody: ask about everybody, as at a slot.
    """
    database = picture.database
    planned = planned_audiences(picture)
    if not planned:
        return Learning()
    database.run("DELETE FROM finding WHERE code LIKE 'audience.%'")  # of planning before
    audiences = [p.audience for p in planned if p.audience]
    conditions = [condition for audience in audiences for condition in audience.rule.conditions()]
    find_next_units(picture, conditions)
    meaning = meaning_of(picture, planned, conditions)
    find_broken(planned, meaning)
    small = _is_small(picture)
    everybody = everybody or small or _is_new(planned) or _is_another_day(picture, run_id)
    few = small and picture.staged[Element.USER].records <= FEW
    with picture.small_tables() if few or not everybody else nullcontext():
        return _plan(picture, planned, meaning, everybody=everybody)


def _plan(picture: Picture, planned: list[Planned], meaning: Meaning, *, everybody: bool) -> Learning:
    _note(picture, planned)
    asked = [c for p in planned if p.audience and not p.frozen for c in p.audience.rule.conditions()]
    find_touched(picture, asked)
    find_judged(picture, asked, everybody=everybody)
    _find_named(picture, asked, meaning, everybody=everybody)
    members = Members(picture, planned, everybody)
    members.ask(meaning)
    members.compare()
    teaching = {p.id: p.audience for p in planned if p.audience and not p.frozen}
    taught = plan_assignments(picture, teaching, members.next, everybody=everybody)
    _tell(picture, members)
    return Learning(planned, list(_tallies(members, taught)), meaning, _unlearned(picture))


def _find_named(picture: Picture, conditions: Sequence[Condition], meaning: Meaning, *, everybody: bool) -> None:
    """What lies below the units that rules name, who reports to the people they name, and who leads anybody."""
    for e in UNITS:
        under = (c for c in conditions if c.field.name == e.value and c.operator is Operator.UNDER)
        find_below(picture, e, {meaning.ids[e.value, key] for c in under for key in c.names})
    if asks(conditions, Operator.REPORTS_TO):
        find_reporting(picture, {meaning.ids["manager", key] for key in names(conditions, "manager")})
    if asks(conditions, Operator.HAS_REPORTS):
        find_leaders(picture, everybody=everybody)


def _note(picture: Picture, planned: Sequence[Planned]) -> None:
    """The audiences as a table, for the digest."""
    picture.table("audience", 'id BIGINT, name TEXT, "row" TEXT, is_new INTEGER, is_steady INTEGER')
    rows = [
        (str(p.id), p.name, json.dumps(p.row), str(int(p.stored != p.row)), str(int(not p.by_day))) for p in planned
    ]
    picture.database.load("audience", ("id", "name", '"row"', "is_new", "is_steady"), rows)


# -- whom to ask


def _is_new(planned: Sequence[Planned]) -> bool:
    """Whether a rule is another one than the database knows, or broke, or holds again."""
    return any(p.stored is None or p.stored[1:] != p.row[1:] for p in planned)


def _is_small(picture: Picture) -> bool:
    return not picture.database.value(f"SELECT 1 FROM lz_user LIMIT 1 OFFSET {FEW}")


def _is_another_day(picture: Picture, run_id: str) -> bool:
    """Whether nothing was applied on this day of the site before: once a day everybody is asked."""
    last = picture.database.value(
        "SELECT max(started_at) FROM sync_run WHERE kind = 'sync' AND status IN ('applied', 'unchanged') AND id <> ?",
        (run_id,),
    )
    zone = picture.database.site.timezone
    return last is None or datetime.fromisoformat(last).astimezone(zone).date().isoformat() != picture.today


def _unlearned(picture: Picture) -> dict[int | None, int]:
    rows = picture.database.rows(
        "SELECT j.org_id, count(*) FROM (SELECT DISTINCT user_id FROM unlearned) x "
        "LEFT JOIN lz_job j ON j.user_id = x.user_id AND j.managed GROUP BY j.org_id"
    )
    return {unit: int(number) for unit, number in rows}


def _tell(picture: Picture, members: Members) -> None:
    """Findings of audiences have no file, and name no value of one."""
    empty = members.empty()
    for p in members.planned:
        if p.broken:
            picture.findings.add(Finding("audience.broken", value=p.broken, detail=p.name))
        elif not p.frozen and p.id in empty:
            picture.findings.add(Finding("audience.empty", detail=p.name))
    picture.findings.flush()


def _tallies(members: Members, taught: Taught) -> Iterator[Tally]:
    for p in members.planned:
        moved = (members.joined, members.left, taught.assigned, taught.unassigned)
        numbers = [counted.get(p.id, 0) for counted in moved]
        if any(numbers):
            yield Tally(p.id, p.name, *numbers)
