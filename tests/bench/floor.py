"""The floor: the least a database must do to take the files in. Written once; not to be tuned.

    python -m tests.bench.floor first|unchanged DATABASE FOLDER SINCE

DATABASE is a path (SQLite) or a postgresql:// URL, with the final schema, empty for `first`. FOLDER holds the made-up
company's three files. SINCE is the monotonic clock when the process was started. Prints the seconds from then to the
end of the work, as a JSON number.

`first`      all three files into temporary staging tables, then INSERT .. SELECT into the empty final tables, whose
             indexes are live. Nothing is checked, nobody is looked up, no history is written. Links are the numbers
             within the keys of the made-up company, so that the indexes on links get their entries without any lookup.
`unchanged`  all three files into temporary staging tables, then one comparing join of the people with the full
             tables: every column of the file that is stored as text in a column of its own.

PostgreSQL gets the bytes of the files through COPY. SQLite gets tuples through executemany; parsing them is not
counted. Both are durable: SQLite in WAL mode with synchronous=FULL, PostgreSQL with synchronous_commit=on. SQLite has
the cache of 16 MiB that lzsyncd gives it; all else is as it comes. Temporary files lie beside the database.
"""

import csv
import gc
import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psycopg

ELEMENTS = ("org", "pos", "user")
COPY_BYTES = 1 << 18

Table = list[tuple[str, ...]]


def number_of(column: str) -> str:
    return f"CAST(NULLIF(substr({column}, 2), '') AS BIGINT)"


NOW = "'2026-11-22T02:00:00.000Z'"

INSERT_ORG = f"""
INSERT INTO lz_org (id, idnumber, fullname, shortname, type, parent_id, managed, created_at, updated_at)
SELECT {number_of("idnumber")}, idnumber, fullname, shortname, typeidnumber, {number_of("parentidnumber")},
       TRUE, {NOW}, {NOW}
FROM stage_org
"""

INSERT_POS = f"""
INSERT INTO lz_pos (id, idnumber, fullname, shortname, parent_id, managed, created_at, updated_at)
SELECT {number_of("idnumber")}, idnumber, fullname, shortname, {number_of("parentidnumber")}, TRUE, {NOW}, {NOW}
FROM stage_pos
"""

INSERT_USER = f"""
INSERT INTO lz_user (id, idnumber, username, email, firstname, lastname, lang, country, city, phone1, department,
                     custom, managed, suspended, created_at, updated_at)
SELECT {number_of("idnumber")}, idnumber, username, email, firstname, lastname, lang, country, city, phone1, department,
       '{{"costcentre": "' || customfield_costcentre || '", "fte": ' || customfield_fte
           || ', "grade": "' || customfield_grade || '"}}',
       TRUE, suspended = '1', {NOW}, {NOW}
FROM stage_user
"""

INSERT_JOB = f"""
INSERT INTO lz_job (user_id, fullname, start_date, org_id, pos_id, manager_id, appraiser_id, managed)
SELECT {number_of("idnumber")}, jobassignmentfullname, jobassignmentstartdate, {number_of("orgidnumber")},
       {number_of("posidnumber")}, {number_of("manageridnumber")}, {number_of("appraiseridnumber")}, TRUE
FROM stage_user
"""

# returns the number of people who differ: none
COMPARE = """
SELECT count(*)
FROM stage_user s
LEFT JOIN lz_user u ON u.idnumber = s.idnumber
LEFT JOIN lz_job j ON j.user_id = u.id AND j.managed
WHERE u.username IS DISTINCT FROM s.username
   OR u.email IS DISTINCT FROM s.email
   OR u.firstname IS DISTINCT FROM s.firstname
   OR u.lastname IS DISTINCT FROM s.lastname
   OR u.lang IS DISTINCT FROM s.lang
   OR u.country IS DISTINCT FROM s.country
   OR u.city IS DISTINCT FROM s.city
   OR u.phone1 IS DISTINCT FROM s.phone1
   OR u.department IS DISTINCT FROM s.department
   OR j.fullname IS DISTINCT FROM s.jobassignmentfullname
   OR j.start_date IS DISTINCT FROM s.jobassignmentstartdate
"""

WORKS = {"first": (INSERT_ORG, INSERT_POS, INSERT_USER, INSERT_JOB), "unchanged": (COMPARE,)}


def header_of(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


def staging(element: str, header: Iterable[str]) -> str:
    return f"CREATE TEMP TABLE stage_{element} ({', '.join(f'{name} TEXT' for name in header)})"


def tuples_of(path: Path) -> Table:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        return list(map(tuple, rows))


def run_sqlite(work: str, database: str, folder: Path) -> float:
    """Do the work; returns the seconds that only made the tuples ready."""
    start = time.monotonic()
    tables = {element: tuples_of(folder / f"{element}.csv") for element in ELEMENTS}
    prepared = time.monotonic() - start
    os.environ["SQLITE_TMPDIR"] = str(Path(database).parent)
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cache_size = -16384")
    connection.execute("BEGIN IMMEDIATE")
    for element, rows in tables.items():
        header = header_of(folder / f"{element}.csv")
        connection.execute(staging(element, header))
        connection.executemany(f"INSERT INTO stage_{element} VALUES ({', '.join('?' * len(header))})", rows)
    for statement in WORKS[work]:
        expect_no_difference(connection.execute(statement).fetchone())
    connection.execute("COMMIT")
    connection.close()
    return prepared


def run_postgresql(work: str, database: str, folder: Path) -> None:
    """Do the work."""
    with psycopg.connect(database) as connection, connection.cursor() as cursor:
        for element in ELEMENTS:
            copy_in(cursor, element, folder / f"{element}.csv")
        for statement in WORKS[work]:
            cursor.execute(statement)
            expect_no_difference(cursor.fetchone() if cursor.description else None)


def copy_in(cursor: psycopg.Cursor, element: str, path: Path) -> None:
    header = header_of(path)
    cursor.execute(staging(element, header))
    with (
        path.open("rb") as file,
        cursor.copy(f"COPY stage_{element} ({', '.join(header)}) FROM STDIN (FORMAT csv, HEADER)") as copy,
    ):
        while chunk := file.read(COPY_BYTES):
            copy.write(chunk)


def expect_no_difference(row: tuple[int, ...] | None) -> None:
    if row and row[0]:
        sys.exit(f"The floor found {row[0]} people who differ: it compares with another company.")


def main(work: str, database: str, folder: str, since: str) -> None:
    gc.disable()  # walking millions of tuples is none of the database's work
    prepared = 0.0
    if database.startswith("postgresql:"):
        run_postgresql(work, database, Path(folder))
    else:
        prepared = run_sqlite(work, database, Path(folder))
    print(json.dumps(time.monotonic() - float(since) - prepared), flush=True)
    os._exit(0)  # nor is giving the tuples back, one by one


if __name__ == "__main__":
    main(*sys.argv[1:])
