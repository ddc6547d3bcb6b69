"""People: are their unit, position, manager and appraiser there, does the job end after it starts?"""

from lzsyncd.checks.catalogue import Severity, severity_of
from lzsyncd.checks.cycles import Links, check_cycles
from lzsyncd.checks.findings import KEPT
from lzsyncd.checks.told import told
from lzsyncd.checks.values import DROPPED
from lzsyncd.feed.elements import Column, Element
from lzsyncd.feed.stage import Staged, cell
from lzsyncd.sync.picture import LINKS, Picture, accepted, given, job_join

START, END = "jobassignmentstartdate", "jobassignmentenddate"
CODES = {
    "orgidnumber": "user.org.unknown",
    "posidnumber": "user.pos.unknown",
    "manageridnumber": "user.manager.unknown",
    "appraiseridnumber": "user.appraiser.unknown",
}
MANAGERS = Links(
    Element.USER,
    "manager",
    "manageridnumber",
    (
        "(SELECT user_id AS id, manager_id AS up FROM lz_job WHERE managed)",
        # of people made by hand any job counts: the way round may lead over them
        (
            "(SELECT j.user_id AS id, j.manager_id AS up FROM lz_job j CROSS JOIN lz_user u "
            "WHERE u.id = j.user_id AND NOT j.managed AND NOT u.managed)"
        ),
    ),
    "user.manager.cycle",
)


def check(picture: Picture, number: int) -> None:
    """The people of one round."""
    staged = picture.staged[Element.USER]
    if number == 1:
        _find_doubtful(picture)
    for name in LINKS:
        column = staged.column(name)
        if column is not None:
            _check_link(picture, staged, column, number)
    if staged.column("manageridnumber"):
        check_cycles(picture, MANAGERS, number, _severity(staged, "user.manager.cycle"))
    if staged.column(START) or staged.column(END):
        _check_dates(picture, staged, number)


def _severity(staged: Staged, code: str) -> Severity:
    return Severity.ERROR if staged.config.unknown_reference == "reject" else severity_of(code)


def _find_doubtful(picture: Picture) -> None:
    """Fill `doubtful` with all records one of whose links may name nobody or themselves: one look for many checks."""
    picture.table("doubtful", "line INTEGER PRIMARY KEY")
    nobody = " OR ".join(f"m.{link} = -1" for link in LINKS.values())
    picture.database.run(
        "INSERT INTO doubtful SELECT m.line FROM match_user m "
        f"WHERE {nobody} OR m.manager = m.id OR m.appraiser = m.id OR m.copy > 0"
    )


def _stands(column: str) -> str:
    """SQL: the record's link was not dropped in an earlier round."""
    return f"NOT EXISTS (SELECT 1 FROM dropped_user d WHERE d.line = m.line AND d.column_name = '{column}')"


def _check_link(picture: Picture, staged: Staged, column: Column, number: int) -> None:
    link, code = LINKS[column.name], CODES[column.name]
    if number == 1:
        _tell(picture, staged, column, code, number, f"m.{link} = -1")
        if column.refers_to is Element.USER:
            _tell(
                picture,
                staged,
                column,
                code.replace("unknown", "self"),
                number,
                f"(m.{link} = m.id OR m.copy > 0) AND m.{link} <> 0 AND s.{cell(column)} = m.idnumber",
            )
    gone = f"gone_{column.refers_to}"
    if not picture.database.value(f"SELECT 1 FROM {gone} WHERE round = {number - 1} LIMIT 1"):
        return
    other = f" AND s.{cell(column)} <> m.idnumber" if column.refers_to is Element.USER else ""
    picture.database.run(
        told(
            staged,
            code,
            number,
            column=column.name,
            value=f"s.{cell(column)}",
            severity=_severity(staged, code),
            root="g",
        )
        + f"FROM match_user m JOIN {gone} g ON g.id = m.{link} AND g.round = {number - 1} "
        f"JOIN stage_user s ON s.line = m.line WHERE m.{link} IS DISTINCT FROM m.old_{link}{other} "
        f"AND {accepted(Element.USER)} AND {_stands(column.name)}"
    )


def _tell(picture: Picture, staged: Staged, column: Column, code: str, number: int, condition: str) -> None:
    picture.database.run(
        told(staged, code, number, column=column.name, value=f"s.{cell(column)}", severity=_severity(staged, code))
        + "FROM doubtful d JOIN match_user m ON m.line = d.line JOIN stage_user s ON s.line = m.line "
        f"WHERE {condition} AND {accepted(Element.USER)}"
    )


def _date(staged: Staged, name: str, standing: str) -> str:
    """SQL: a date of the job as it would be."""
    column = staged.column(name)
    if column is None:
        return standing
    says = given(staged, column, standing="m.sid IS NOT NULL")
    return f"CASE WHEN {says} AND {_stands(name)} THEN NULLIF(s.{cell(column)}, '') ELSE {standing} END"


def _may_have(picture: Picture, staged: Staged, name: str, stored: str) -> bool:
    """Whether any job may have such a date: most sites never use one of the two."""
    standing = f"SELECT 1 FROM lz_job WHERE {stored} IS NOT NULL LIMIT 1"
    return staged.column(name) is not None or bool(picture.database.value(standing))


def _check_dates(picture: Picture, staged: Staged, number: int) -> None:
    """The end that the record brings is dropped; where it brings none, or one round later, the start."""
    if not all(_may_have(picture, staged, name, stored) for name, stored in ((START, "start_date"), (END, "end_date"))):
        return
    start = _date(staged, START, "j.start_date")
    end = _date(staged, END, "CASE WHEN u.deleted THEN NULL ELSE j.end_date END")
    for name in (END, START):
        column = staged.column(name)
        if column is None:
            continue
        other = staged.column(END) if name == START else None
        ends = f" AND NOT ({given(staged, other)} AND {_stands(END)})" if other else ""
        picture.database.run(
            told(
                staged,
                "user.job.dates",
                number,
                column=name,
                value=f"s.{cell(column)}",
                detail=f"{start} || ' – ' || {end}",
                severity=_severity(staged, "user.job.dates"),
            )
            + "FROM match_user m JOIN stage_user s ON s.line = m.line LEFT JOIN stood_user u ON u.id = m.sid"
            f"{job_join(Element.USER, 'stood_job')} WHERE NOT m.goes AND {start} > {end} AND {accepted(Element.USER)} "
            f"AND {given(staged, column, standing='m.sid IS NOT NULL')} AND {_stands(name)}{ends}"
        )


def drop_dates(picture: Picture, number: int) -> int:
    """Drop the dates of which a round complained; returns how many."""
    return picture.database.run(
        "INSERT INTO dropped_user SELECT f.line, f.column_name, f.round FROM finding f "
        f"WHERE f.code = 'user.job.dates' AND f.round = {number} AND f.severity = 'warning'"
    )


def unstage_dropped_dates(picture: Picture) -> None:
    """Make dropped dates say nothing."""
    staged = picture.staged[Element.USER]
    mute = "" if staged.config.empty == "keep" else DROPPED
    for name in (START, END):
        if column := staged.column(name):
            picture.database.run(
                f"UPDATE stage_user SET {cell(column)} = '{mute}' "
                f"WHERE line IN (SELECT line FROM dropped_user WHERE column_name = '{name}')"
            )


def warn_of_inactive_managers(picture: Picture) -> None:
    """Tell every accepted record that names a manager who is, or will be, suspended or gone; the link stays."""
    staged = picture.staged[Element.USER]
    if staged.column("manageridnumber") is None:
        return
    database = picture.database
    picture.table("inactive", "id BIGINT PRIMARY KEY")
    database.run(f"INSERT INTO inactive {_inactive()}")
    if not database.value("SELECT 1 FROM inactive LIMIT 1"):
        return
    code, value = "user.manager.inactive", "s.c_manageridnumber"
    database.run(
        told(staged, code, KEPT, column="manageridnumber", value=value)
        + "FROM inactive i JOIN match_user m ON m.manager = i.id JOIN stage_user s ON s.line = m.line "
        f"WHERE m.manager <> m.id AND NOT m.goes AND {accepted(Element.USER)} AND {_stands('manageridnumber')}"
    )
    if staged.wide or not staged.config.update:  # without updates the fields of whoever stands say nothing
        return
    picture.table("led", "idnumber TEXT PRIMARY KEY, manager TEXT")
    led = database.run(
        # CROSS: SQLite keeps the order; it would start with all jobs, or all people
        "INSERT INTO led SELECT u.idnumber, k.idnumber FROM inactive i CROSS JOIN lz_job j CROSS JOIN lz_user k "
        "CROSS JOIN lz_user u WHERE j.manager_id = i.id AND j.managed AND k.id = i.id AND u.id = j.user_id "
        "AND u.managed AND u.idnumber IS NOT NULL"
    )
    if led:
        database.run(
            told(staged, code, KEPT, column="manageridnumber", value="l.manager", record="r")
            + "FROM seen_user r CROSS JOIN led l WHERE l.idnumber = r.idnumber "
            "AND NOT EXISTS (SELECT 1 FROM stage_user s WHERE s.line = r.line)"
        )


def _inactive() -> str:
    """SQL: ids of people who are deleted or suspended in the next state."""
    accepted_record = f"SELECT 1 FROM match_user m WHERE m.id = u.id AND NOT m.goes AND {accepted(Element.USER)}"
    return (
        f"SELECT u.id FROM lz_user u WHERE (u.deleted OR u.suspended) AND NOT EXISTS ({accepted_record}) UNION "
        "SELECT id FROM going_user UNION "
        f"SELECT m.id FROM match_user m WHERE m.suspended AND NOT m.goes AND {accepted(Element.USER)}"
    )
