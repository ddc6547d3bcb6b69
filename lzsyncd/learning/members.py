"""Who will be in which audience, and who moves.

| table | a row is |
|---|---|
| `member` | somebody (of those who are judged) who is in an audience as it stands; not made where all are judged |
| `next_member` | somebody (of those who are judged) who will be in an audience: `audience_id, user_id` |
| `moving` | somebody who joins or leaves: `audience_id, user_id, action` |
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lzsyncd.learning.anchors import anchored_members, anchors_of
from lzsyncd.learning.conditions import Meaning, holds
from lzsyncd.learning.judged import WORTH_AN_INDEX, analyze, index_judged
from lzsyncd.learning.planned import Planned
from lzsyncd.sync.picture import Picture

NOBODY = "SELECT CAST(0 AS BIGINT) AS audience_id, CAST(0 AS BIGINT) AS user_id WHERE FALSE"


@dataclass
class Members:
    """Fills `next_member` and `moving`.

    Attributes:
        picture: what the run works on.
        planned: every audience.
        everybody: whether everybody is judged.
        next: how many will be in an audience, of those who are judged.
        joined: how many of them are new.
        left: how many leave.
    """

    picture: Picture
    planned: Sequence[Planned]
    everybody: bool
    next: dict[int, int] = field(default_factory=dict)
    joined: dict[int, int] = field(default_factory=dict)
    left: dict[int, int] = field(default_factory=dict)
    _indexed: bool = False

    @property
    def _standing(self) -> str:
        """The table of memberships, as they stand, of those who are judged."""
        return "lz_audience_member" if self.everybody else "member"

    def ask(self, meaning: Meaning) -> None:
        """Who will be in: of anchored rules all at once, then audience by audience, each after those it names."""
        database = self.picture.database
        if not self.everybody:
            self._find_standing()
        # somebody with two jobs that match is one member
        several = database.value("SELECT 1 FROM lz_job WHERE NOT managed LIMIT 1")
        distinct = "DISTINCT " if several else ""
        # an index costs as much as asking a few rules of everybody; a hash join no more than one
        anchors = anchors_of(self.planned, WORTH_AN_INDEX if database.dialect.seeks_by_index else 1)
        anchored = anchored_members(self.picture, anchors, meaning) or NOBODY
        database.table_of("next_member", f"SELECT {distinct}q.* FROM ({anchored}) q", large=True)
        seeks = database.dialect.seeks_by_index
        if (seeks and not self.everybody) or any(_keeps(p) or (p.audience and p.audience.others) for p in self.planned):
            self._index()
        done = {anchor.audience_id for anchor in anchors}
        alone = {p.id: p.audience for p in self.planned if p.audience and not p.frozen and p.id not in done}
        index_judged(self.picture, [c for audience in alone.values() for c in audience.rule.conditions()])
        for p in self.planned:
            if p.id in alone:
                self._match(p.id, holds(alone[p.id].rule, meaning), distinct)
            if _keeps(p):
                self._keep(p.id)
        analyze(self.picture, "next_member")  # without statistics PostgreSQL compares each with each (504 s, measured)
        self.next = dict.fromkeys((p.id for p in self.planned), 0) | self._counted("next_member v")

    def _find_standing(self) -> None:
        """Looked up once, person by person. CROSS: SQLite starts with the touched."""
        database = self.picture.database
        database.table_of(
            "member",
            "SELECT m.audience_id, m.user_id FROM touched t CROSS JOIN lz_audience_member m WHERE m.user_id = t.id",
        )
        if database.dialect.seeks_by_index or any(map(_keeps, self.planned)):
            database.run("CREATE INDEX member_of ON member (audience_id, user_id)")
        analyze(self.picture, "member")

    def _index(self) -> None:
        if not self._indexed:
            self.picture.database.run("CREATE INDEX next_member_of ON next_member (audience_id, user_id)")
            self._indexed = True

    def _match(self, audience_id: int, condition: str, distinct: str) -> None:
        self.picture.database.run(
            f"INSERT INTO next_member SELECT {distinct}{audience_id}, p.user_id FROM judged p WHERE {condition}"
        )

    def _keep(self, audience_id: int) -> None:
        """Members who stay, whatever the rule says."""
        self.picture.database.run(
            f"INSERT INTO next_member SELECT m.audience_id, m.user_id FROM {self._standing} m "
            f"WHERE m.audience_id = {audience_id} AND NOT EXISTS (SELECT 1 FROM inactive i WHERE i.id = m.user_id) AND "
            f"NOT EXISTS (SELECT 1 FROM next_member n WHERE n.audience_id = {audience_id} AND n.user_id = m.user_id)"
        )

    def compare(self) -> None:
        """Who joins and who leaves."""
        database = self.picture.database
        known = (
            f"NOT EXISTS (SELECT 1 FROM {self._standing} m "
            "WHERE m.audience_id = n.audience_id AND m.user_id = n.user_id)"
        )
        is_first = not database.value("SELECT 1 FROM lz_audience_member LIMIT 1")
        database.table_of(
            "moving",
            "SELECT n.audience_id, n.user_id, CAST('joined' AS TEXT) AS action FROM next_member n "
            f"WHERE {'TRUE' if is_first else known}",
            large=True,
        )
        self.joined = self._counted("moving v WHERE v.action = 'joined'")
        if not is_first:
            self._leave()
            analyze(self.picture, "moving")
            self.left = self._counted("moving v WHERE v.action = 'left'")

    def _leave(self) -> None:
        """Who is in and will not be. As a rule all stay: where the numbers say so, nobody is looked up.

        Exact: whoever will be in and does not join is in.
        """
        audiences = "TRUE"
        if self.everybody:
            standing = self._counted("lz_audience_member v")
            some = [n for n in standing if standing[n] > self.next.get(n, 0) - self.joined.get(n, 0) and n in self.next]
            audiences = f"m.audience_id IN ({', '.join(map(str, some))})"
            if not some:
                return
        if self.picture.database.dialect.seeks_by_index:
            self._index()
        self.picture.database.run(
            f"INSERT INTO moving SELECT m.audience_id, m.user_id, 'left' FROM {self._standing} m WHERE {audiences} "
            "AND NOT EXISTS (SELECT 1 FROM next_member n WHERE n.audience_id = m.audience_id AND n.user_id = m.user_id)"
        )

    def _counted(self, source: str) -> dict[int, int]:
        rows = self.picture.database.rows(f"SELECT v.audience_id, count(*) FROM {source} GROUP BY v.audience_id")
        return {int(number): int(found) for number, found in rows}

    def empty(self) -> set[int]:
        """The audiences that will have no member at all; asked of all at once, since there may be thousands."""
        # a subquery with LIMIT is looked up in the index; PostgreSQL may answer an EXISTS by reading all members
        stand = self.picture.database.rows(
            "SELECT a.id FROM audience a "
            "WHERE (SELECT 1 FROM lz_audience_member m WHERE m.audience_id = a.id LIMIT 1) = 1"
        )
        some = {int(number) for (number,) in stand} - {
            number for number in self.left if not self.next.get(number) and self._all_leave(number)
        }
        return {p.id for p in self.planned} - some - set(self.joined)

    def _all_leave(self, audience_id: int) -> bool:
        # not a count of all: of an audience of a million people only as many are read as leave
        more = f"LIMIT 1 OFFSET {self.left[audience_id]}"
        return not self.picture.database.value(
            f"SELECT 1 FROM lz_audience_member WHERE audience_id = {audience_id} {more}"
        )


def _keeps(planned: Planned) -> bool:
    """Whether members stay whom the rule does not match."""
    return planned.frozen or (planned.audience is not None and planned.audience.never_remove_members)
