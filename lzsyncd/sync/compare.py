"""A resync's first question: which records of the file differ from what stands? Only they are staged in columns.

Every record is compared with its row in the database, joined to one text in the order of the file's columns. The text
selects candidates; it cannot tell NULL from '', so the comparison field by field (`sync/plan.py`) decides.
"""

from lzsyncd.feed.elements import Element, Home, has_custom
from lzsyncd.feed.stage import Staged, stage_columns
from lzsyncd.sync.picture import Picture, job_join, link_joins, may_have_copies, standing_text
from lzsyncd.zone.dialect import UNIT_SEPARATOR

BLOCK = 20_000  # candidates taken to columns at a time

# Whole, since looking them up would be going through all of `seen_E` for each block on PostgreSQL.
CANDIDATE = "s.line AS line, s.record AS record, s.fields AS fields"
"""SQL: what is taken down of a record that may differ."""


class Comparison:
    """The records of one file against what stands.

    Args:
        picture: what the run works on.
        staged: the file; its header has been read.
    """

    def __init__(self, picture: Picture, staged: Staged) -> None:
        self._picture, self._staged, self._database = picture, staged, picture.database
        self._differs = f"differs_{staged.element}"
        self._compared_to = 0

    def go_on(self) -> None:
        """Compare what was loaded since the last time, where the database does that as fast as all at once.

        SQLite works here, beside the process that reads; PostgreSQL compares the whole on several cores.
        """
        if not self._database.dialect.compares_by_the_way:
            return
        e, last = self._staged.element, self._compared_to
        if not last:
            self._database.table(self._differs, "line INTEGER, record INTEGER, fields TEXT")
        self._compared_to = int(self._database.value(f"SELECT max(line) FROM seen_{e}") or last)
        self._database.run(f"INSERT INTO {self._differs} {_differing(self._picture, self._staged, after=last)}")

    def finish(self) -> None:
        """Copy those records of `seen_E` that may change something into `stage_E`."""
        if not self._compared_to:
            found = _differing(self._picture, self._staged)
            self._database.table_of(self._differs, found, large=self._staged.large)
        _add_duplicates(self._picture, self._staged.element)
        _add_faulty(self._picture, self._staged.element)
        self._database.run(f"CREATE INDEX {self._differs}_line ON {self._differs} (line)")
        _stage(self._picture, self._staged)


def _stage(picture: Picture, staged: Staged) -> None:
    e, database = staged.element, picture.database
    names = [column.name for column in staged.columns]
    behind = 1 if has_custom(staged.columns) else 0  # `custom`, which is made anew
    after, seq = 0, 0
    query = f"SELECT d.line, d.record, d.fields FROM differs_{e} d WHERE d.line > ? ORDER BY d.line LIMIT {BLOCK}"
    while rows := database.rows(query, (after,)):
        goes, *columns = [*zip(*(fields.split(UNIT_SEPARATOR) for _, _, fields in rows), strict=True)][behind:]
        cells = dict(zip(names, columns, strict=True))
        new = staged.newcomers
        places = ((str(line), str(record), str(seq)) for seq, (line, record, _) in enumerate(rows, seq + 1))
        told = zip(goes, *columns, new.customs(cells, len(rows)), new.history(cells, len(rows)), strict=True)
        database.load(f"stage_{e}", stage_columns(staged), (a + b for a, b in zip(places, told, strict=True)))
        after, seq = rows[-1][0], seq + len(rows)


def _differing(picture: Picture, staged: Staged, after: int = 0) -> str:
    e = staged.element
    rest = f"s.line > {after} AND " if after else ""
    return (
        f"SELECT {CANDIDATE} FROM seen_{e} s LEFT JOIN lz_{e} u ON u.idnumber = s.idnumber"
        f"{job_join(e)}{link_joins(staged.columns)} WHERE {rest}(u.id IS NULL OR NOT u.managed OR {_away(e)} "
        f"OR {_odd(staged)} OR {_unlike(picture, staged)})"
    )


def _unlike(picture: Picture, staged: Staged) -> str:
    """SQL: the record's text is another than that of what stands.

    Usually `custom` is what a new record would get, text for text: then nothing in it is looked up (measured, a million
    people: 1.4 s less on PostgreSQL, 0.9 s on SQLite). It comes before the cells, so that both begin alike.
    """
    dialect = picture.database.dialect
    texts = ["'0'", *(standing_text(picture, column) for column in staged.columns)]
    if not has_custom(staged.columns):
        return f"s.fields <> {dialect.joined(texts)}"
    own = texts[: 1 + sum(column.home is not Home.CUSTOM for column in staged.columns)]  # custom fields are the last
    alike = dialect.begins("s.fields", dialect.joined(["u.custom", *own, "''"]))
    at = dialect.place("s.fields", f"'{UNIT_SEPARATOR}'")
    return f"CASE WHEN {alike} THEN FALSE ELSE substr(s.fields, {at} + 1) <> {dialect.joined(texts)} END"


def _away(element: Element) -> str:
    return "u.deleted OR u.suspended_by_feed" if element is Element.USER else "u.hidden_by_feed"


def _odd(staged: Staged) -> str:
    """What is wrong even where file and site agree: somebody edited the site by hand."""
    conditions = ["FALSE"]
    if staged.column("manageridnumber"):
        conditions.append("j.manager_id = u.id")
    if staged.column("appraiseridnumber"):
        conditions.append("j.appraiser_id = u.id")
    if staged.column("jobassignmentstartdate") or staged.column("jobassignmentenddate"):
        conditions.append("j.start_date > j.end_date")
    if staged.column("parentidnumber"):
        conditions.append("u.parent_id = u.id")
    return " OR ".join(conditions)


def _add_faulty(picture: Picture, e: Element) -> None:
    """A record with a value error is rejected even where what is left of it equals what stands."""
    picture.database.run(
        f"INSERT INTO differs_{e} SELECT {CANDIDATE} FROM seen_{e} s WHERE s.line IN (SELECT line FROM finding "
        f"WHERE element = '{e}' AND severity = 'error') AND s.line NOT IN (SELECT line FROM differs_{e})"
    )


def _add_duplicates(picture: Picture, e: Element) -> None:
    """Copies of a key may each equal what stands; all are rejected, so all are staged."""
    if not may_have_copies(picture, e):
        return
    picture.database.run(
        f"INSERT INTO differs_{e} SELECT {CANDIDATE} FROM seen_{e} s WHERE s.idnumber IN ("
        f"SELECT d.idnumber FROM seen_{e} d WHERE d.idnumber IN (SELECT value FROM suspect_{e}) "
        f"GROUP BY d.idnumber HAVING count(*) > 1 UNION SELECT idnumber FROM present_{e}) "
        f"AND s.line NOT IN (SELECT line FROM differs_{e})"
    )
