"""Law 9: undoing the latest run restores every table but the ledger, ids included; what was edited since stays."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import event, given

from lzsyncd.config import Site
from lzsyncd.errors import Usage
from lzsyncd.progress import Silent
from lzsyncd.sync import undo
from lzsyncd.sync.obstacles import list_made, obstacles
from lzsyncd.sync.run import Options
from lzsyncd.sync.undo import Undo, possible
from lzsyncd.zone.images import ROWS
from tests.companies import History, histories
from tests.laws.bridge import A_DAY
from tests.laws.company import BROKEN, DAY_ONE, DAY_TWO, DELETES
from tests.laws.ground import Ground, Tables, ask, connected, days, look, moderate, sync_at, tell

_moments = (A_DAY + timedelta(minutes=number) for number in range(10_000))
"""No two runs at one moment: which one is the latest is told by when it ended."""


def clocked() -> Any:
    moment = next(_moments)
    return lambda: moment


def sync(site: Site, files: dict[str, bytes]) -> Any:
    return sync_at(next(_moments), site, files)


def in_history(site: Site, run: str) -> dict[tuple[str, str], int]:
    """How many records of which element a run did what to, counted one by one."""
    query = "SELECT element, action, count(*) AS n FROM sync_change WHERE run_id = ? GROUP BY element, action"
    return {(row["element"], row["action"]): row["n"] for row in ask(site, query, run)}


def in_all(counts: dict[str, dict[str, int]]) -> dict[tuple[str, str], int]:
    return {(e, action): number for e, row in counts.items() for action, number in row.items() if number}


def take_back(site: Site, run: str, *, dry_run: bool = False) -> Undo:
    options = Options(clock=clocked())
    with connected(site) as database:
        if dry_run:
            return possible(database, run, options)
        database.lock("of a test")
        return undo.take_back(database, site, run, options)


def status(site: Site, run: str) -> str:
    return str(ask(site, "SELECT status FROM sync_run WHERE id = ?", run)[0]["status"])


def next_ids(site: Site) -> dict[str, int]:
    with connected(site) as database:
        return {part.table: database.next_ids(part.table) for part in ROWS.values() if part.by_id}


def two_days(ground: Ground) -> tuple[Site, Tables, str]:
    """A site after both days, what it was after the first one, and the second run."""
    site = ground.fresh(DELETES)
    sync(site, DAY_ONE)
    before = look(site)
    return site, before, sync(site, DAY_TWO).run


@given(history=histories(days=1))
@moderate
def test_every_table_is_as_it_was_and_as_it_became(ground: Ground, history: History) -> None:
    site = ground.fresh(history.site, history.zone)
    for _, files in days(history):
        before = look(site)
        run = sync(site, files)
        event(str(run.status))
        if run.status != "applied":
            with pytest.raises(Usage):
                take_back(site, run.run)
            continue
        after, ids = look(site), next_ids(site)
        undone = take_back(site, run.run)
        assert undone.in_the_way == ()
        assert in_all(undone.counts) == in_history(site, run.run)
        assert look(site) == before
        assert status(site, run.run) == "undone"
        assert next_ids(site) == ids
        redone = take_back(site, undone.run)
        assert look(site) == after
        assert (status(site, undone.run), status(site, run.run)) == ("undone", "applied")
        assert in_all(redone.counts) == in_history(site, undone.run)
        undone_again = take_back(site, redone.run)
        assert in_all(undone_again.counts) == in_history(site, redone.run)
        assert look(site) == before
        assert [status(site, each) for each in (redone.run, undone.run, run.run)] == ["undone", "applied", "undone"]


def test_a_name_goes_back_to_whom_had_it_while_its_new_owner_was_deleted(ground: Ground) -> None:
    def people(*names: str) -> dict[str, bytes]:
        rows = [f"{key},{name},One,Person,{key}@acme.test" for key, name in zip(("A", "D"), names) if name]
        return {**DAY_ONE, "user.csv": "\n".join(["idnumber,username,firstname,lastname,email", *rows, ""]).encode()}

    site = ground.fresh(DELETES)
    sync(site, people("other", "wanted"))
    sync(site, people("wanted", ""))
    before = look(site)
    run = sync(site, people("third", "wanted"))
    after = look(site)
    undone = take_back(site, run.run)
    assert (undone.in_the_way, look(site)) == ((), before)
    take_back(site, undone.run)
    assert look(site) == after


def test_the_same_set_after_an_undo_does_what_it_did_with_new_ids(ground: Ground) -> None:
    site, before, run = two_days(ground)
    made = look(site)["lz_user"].keys() - before["lz_user"].keys()
    counts = ask(site, "SELECT * FROM sync_count WHERE run_id = ? ORDER BY element", run)
    take_back(site, run)
    assert look(site) == before
    again = sync(site, DAY_TWO)
    told = ask(site, "SELECT * FROM sync_count WHERE run_id = ? ORDER BY element", again.run)
    assert [row | {"run_id": ""} for row in told] == [row | {"run_id": ""} for row in counts]
    assert not made & look(site)["lz_user"].keys() - before["lz_user"].keys()


def refused(site: Site, run: str) -> set[tuple[str, ...]]:
    """Why an undo is refused; that nothing was done by it; and that a dry run says the same."""
    before, runs = look(site), ask(site, "SELECT * FROM sync_run ORDER BY id")
    undone = take_back(site, run)
    assert (undone.ending, undone.run, undone.exit_code) == ("refused", "", 2)
    assert (look(site), ask(site, "SELECT * FROM sync_run ORDER BY id")) == (before, runs)
    assert take_back(site, run, dry_run=True) == undone
    return {(o.why, o.element, o.idnumber, o.field) for o in undone.in_the_way}


EVE = "(SELECT id FROM lz_user WHERE idnumber = '5')"

CHANGED = {
    "a unit that was renamed": ("UPDATE lz_org SET shortname = 'x' WHERE idnumber = 'A'", "org", "A", "shortname"),
    "a unit that is new": ("UPDATE lz_org SET description = 'x' WHERE idnumber = 'W'", "org", "W", "description"),
    "a unit that moved": ("UPDATE lz_org SET hidden = TRUE WHERE idnumber = 'N'", "org", "N", "hidden"),
    "a person who is new": ("UPDATE lz_user SET city = 'x' WHERE idnumber = '5'", "user", "5", "city"),
    "a new person's custom field": ("UPDATE lz_user SET custom = '{\"a\": 1}' WHERE idnumber = '5'", "user", "5", "a"),
    "a new person is no longer managed": ("UPDATE lz_user SET managed = FALSE WHERE idnumber = '5'", "user", "5", ""),
    "a new person is gone": ("DELETE FROM lz_user WHERE idnumber = '5'", "user", "5", ""),
    "a new person has another key": ("UPDATE lz_user SET idnumber = 'x' WHERE idnumber = '5'", "user", "5", ""),
    "a new person's job": (
        "UPDATE lz_job SET fullname = 'x' WHERE user_id = {EVE}",
        "user",
        "5",
        "jobassignmentfullname",
    ),
    "a new person's job is gone": ("DELETE FROM lz_job WHERE user_id = {EVE}", "user", "5", ""),
    "a new person was only touched": ("UPDATE lz_user SET updated_at = 'x' WHERE idnumber = '5'", "user", "5", ""),
    "a person who changed": ("UPDATE lz_user SET lang = 'de' WHERE idnumber = '2'", "user", "2", "lang"),
    "the job of a person who changed": (
        "UPDATE lz_job SET start_date = 'x' WHERE user_id = 2",
        "user",
        "2",
        "start_date",
    ),
    "a person who went": ("UPDATE lz_user SET deleted = FALSE WHERE idnumber = '4'", "user", "4", "deleted"),
    "a person who changed is gone": ("DELETE FROM lz_user WHERE idnumber = '2'", "user", "2", ""),
}


def in_the_way(site: Site, run: str, statement: str) -> set[tuple[str, ...]]:
    """What would stand in the way of an undo after an edit, which is taken back again."""
    with connected(site) as database:
        database.run(database.dialect.begin())
        database.run(statement)
        list_made(database, run, "sync")
        found = obstacles(database, run, "sync")
        database.run("ROLLBACK")
    return {(o.why, o.element, o.idnumber, o.field) for o in found}


def test_a_record_of_the_run_that_was_changed_since_is_named(ground: Ground) -> None:
    site, _, run = two_days(ground)
    for case, (statement, element, idnumber, field) in CHANGED.items():
        found = {told for told in in_the_way(site, run, statement.replace("{EVE}", EVE)) if told[0] == "changed"}
        assert any(told[:3] == ("changed", element, idnumber) and field in told[3] for told in found), case


ODD = ('{"city": "x"}', '{"customfield_city": "x"}', "{}{}", "no object", "", "[1]", '{"a"')


def test_any_column_of_a_new_record_that_was_changed_since_is_named(ground: Ground) -> None:
    """Also one that no record of its file has, and what is no JSON: most new records are compared by the database."""
    site, _, run = two_days(ground)
    assert in_the_way(site, run, "UPDATE lz_user SET city = city WHERE idnumber = '5'") == set()
    derived = {"id", "idnumber", "path", "depth", "parent_id", "user_id", "org_id", "pos_id", "manager_id"}
    tables = {"lz_org": "idnumber = 'W'", "lz_user": "idnumber = '5'", "lz_job": f"user_id = {EVE}"}
    for table, which in tables.items():
        flags = {"managed", "suspended", "suspended_by_feed", "deleted", "hidden", "hidden_by_feed"}
        for column in set(ROWS[table].columns) - derived - {"appraiser_id", "created_at"}:
            value = f"NOT {column}" if column in flags else "TRUE" if column == "emailstop" else "'x'"
            found = in_the_way(site, run, f"UPDATE {table} SET {column} = {value} WHERE {which}")
            assert any(told[0] == "changed" for told in found), (table, column)
    for custom in ODD:
        found = in_the_way(site, run, f"UPDATE lz_user SET custom = '{custom}' WHERE idnumber = '5'")
        assert any(told[:3] == ("changed", "user", "5") for told in found), custom


REFERRING = {
    "a unit below a new one": (
        "INSERT INTO lz_org (idnumber, parent_id) VALUES ('hand', {W})",
        "org",
        "hand",
        "parent_id",
    ),
    "a unit that moved below a new one": (
        "UPDATE lz_org SET parent_id = {W} WHERE idnumber = 'S'",
        "org",
        "S",
        "parent_id",
    ),
    "a job of somebody made by hand": ("INSERT INTO lz_job (user_id, org_id) VALUES (1, {W})", "user", "1", "org_id"),
    "a second job of a new person": (
        "INSERT INTO lz_job (user_id, fullname) VALUES ({EVE}, 'x')",
        "user",
        "5",
        "user_id",
    ),
    "a report of a new person": (
        "INSERT INTO lz_job (user_id, manager_id) VALUES (1, {EVE})",
        "user",
        "1",
        "manager_id",
    ),
}


def test_whoever_refers_to_a_record_that_would_go_is_named(ground: Ground) -> None:
    site, before, run = two_days(ground)
    (west,) = look(site, "lz_org")["lz_org"].keys() - before["lz_org"].keys()
    for case, (statement, *who) in REFERRING.items():
        assert ("refers", *who) in in_the_way(site, run, statement.format(W=west, EVE=EVE)), case


TAKEN = {
    "a key of a unit": ("INSERT INTO lz_org (idnumber) VALUES ('E')", "org", "E", "idnumber"),
    "a username": ("INSERT INTO lz_user (idnumber, username) VALUES ('hand', 'DEE')", "user", "hand", "username"),
}


def test_whoever_has_a_name_that_would_be_given_back_is_named(ground: Ground) -> None:
    site, _, run = two_days(ground)
    for case, (statement, *who) in TAKEN.items():
        assert in_the_way(site, run, statement) == {("taken", *who)}, case


def test_where_something_stands_in_the_way_nothing_is_done(ground: Ground) -> None:
    site, _, run = two_days(ground)
    tell(
        site,
        "UPDATE lz_org SET shortname = 'x', parent_id = 1 WHERE idnumber = 'A'",
        "INSERT INTO lz_user (idnumber, username) VALUES ('hand', 'DEE')",
        f"INSERT INTO lz_job (user_id, manager_id) VALUES (1, {EVE})",
    )
    assert refused(site, run) == {
        ("changed", "org", "A", "shortname, parent_id"),
        ("taken", "user", "hand", "username"),
        ("refers", "user", "1", "manager_id"),
    }


def test_what_was_edited_since_elsewhere_stays(ground: Ground) -> None:
    site = ground.fresh(DELETES)
    sync(site, DAY_ONE)
    tell(site, "INSERT INTO lz_org (idnumber, fullname, parent_id, path) VALUES ('hand', 'Hand', 2, '')")
    before, run = look(site), sync(site, DAY_TWO).run
    (hand,) = (i for i, row in before["lz_org"].items() if row["idnumber"] == "hand")
    tell(
        site,
        "UPDATE lz_org SET fullname = 'Edited' WHERE idnumber IN ('hand', 'S')",  # it moved with its parent
        "UPDATE lz_job SET fullname = 'Edited' WHERE user_id = 3 AND NOT managed",
        "INSERT INTO lz_user (idnumber, username) VALUES ('new', 'new')",
        "INSERT INTO lz_job (user_id, manager_id) VALUES (1, 3)",
    )
    edited = look(site)
    assert take_back(site, run).in_the_way == ()
    after = look(site)
    assert after["lz_org"][hand] == before["lz_org"][hand] | {"fullname": "Edited"}
    assert [row["fullname"] for row in after["lz_org"].values() if row["idnumber"] == "S"] == ["Edited"]
    ours = {table: rows.keys() - edited[table].keys() for table, rows in before.items()}
    for table, name in (("lz_user", "idnumber"), ("lz_job", "user_id")):
        hands = {i for i, row in edited[table].items() if not row["managed"]}
        assert {i: after[table][i] for i in hands} == {i: edited[table][i] for i in hands}
        assert {i: row for i, row in after[table].items() if i not in hands} == before[table], name
    assert ours["lz_org"]


def test_who_looks_at_an_undo_keeps_nobody_from_writing(ground: Ground) -> None:
    site, _, run = two_days(ground)
    with connected(site) as looking:
        progress = Meanwhile(site)
        assert possible(looking, run, Options(progress=progress)).ending == "checked"
        assert progress.stages == ["check"]
    assert ask(site, "SELECT lang FROM lz_user WHERE idnumber = '2'")[0]["lang"] == "de"
    assert take_back(site, run, dry_run=True).ending == "refused", "that edit stands in the way of the next one"


class Meanwhile(Silent):
    """Somebody who edits a person while an undo is looked at."""

    def __init__(self, site: Site) -> None:
        self.site, self.stages = site, list[str]()

    def stage(self, name: str) -> None:
        self.stages.append(name)
        with connected(self.site) as database:
            if database.dialect.name == "sqlite":
                database.run("PRAGMA busy_timeout = 0")
            database.run("UPDATE lz_user SET lang = 'de' WHERE idnumber = '2'")


def test_only_the_latest_applied_run_can_be_taken_back(ground: Ground) -> None:
    site, before, second = two_days(ground)
    first = ask(site, "SELECT min(id) AS id FROM sync_run")[0]["id"]
    rejected, unchanged = sync(site, BROKEN).run, sync(site, DAY_TWO).run
    for run, why in (
        (first, f"First take back what came after it: {second}."),
        (rejected, "is rejected: it changed nothing"),
        (unchanged, "is unchanged: it changed nothing"),
        ("20200101", "has no run 20200101"),
    ):
        with pytest.raises(Usage, match=why):
            take_back(site, run)
    back = take_back(site, second)
    with pytest.raises(Usage, match=f"taken back already, by run {back.run}"):
        take_back(site, second)
    assert look(site) == before
    empty = take_back(site, first)
    assert not any(look(site)[table] for table in ("lz_org", "lz_pos", "lz_user", "lz_job"))
    with pytest.raises(Usage, match=f"First take back what came after it: {empty.run}"):
        take_back(site, back.run)
    take_back(site, empty.run)
    assert look(site) == before
    take_back(site, back.run)
    assert status(site, second) == "applied"


def test_an_undo_counts_what_it_took_back_and_is_in_the_history(ground: Ground) -> None:
    site, _, run = two_days(ground)
    back = take_back(site, run)
    query = "SELECT element, created, updated, revived, removed FROM sync_count WHERE run_id = ? ORDER BY element"
    assert ask(site, query, back.run) == ask(site, query, run)
    query = "SELECT element, idnumber, action, before, after FROM sync_change WHERE run_id = ? ORDER BY id"
    done, undone = ask(site, query, run), ask(site, query, back.run)
    assert [(row["before"], row["after"]) for row in undone] == [(row["after"], row["before"]) for row in done]
    actions = {(one["action"], other["action"]) for one, other in zip(done, undone, strict=True)}
    assert actions == {("created", "removed"), ("updated", "updated"), ("removed", "revived")}
    (row,) = ask(site, "SELECT * FROM sync_run WHERE id = ?", back.run)
    assert (row["kind"], row["status"], row["undoes"]) == ("undo", "applied", run)
    told = (site.outbox / back.run / "summary.txt").read_text()
    assert f"Run {run} was taken back." in told
    assert list((site.folder / "spool").iterdir()) == []


def test_members_and_learning_come_back_and_those_of_people_who_go_are_gone(ground: Ground) -> None:
    """Tables that follow from rules: whoever writes to them keeps images in the same way."""
    site, before, run = two_days(ground)
    (eve,) = look(site)["lz_user"].keys() - before["lz_user"].keys()
    tell(
        site,
        "INSERT INTO lz_audience (id, name) VALUES (1, 'All')",
        f"INSERT INTO lz_audience_member VALUES (1, {eve}, 'now'), (1, 1, 'now')",
        f"INSERT INTO lz_assignment (user_id, item, audience_id, assigned_at) VALUES ({eve}, 'x', 1, 'now')",
    )
    after = look(site)
    back = take_back(site, run)
    assert look(site)["lz_audience_member"].keys() == {(1, 1)}
    assert look(site)["lz_assignment"] == {}
    take_back(site, back.run)
    assert look(site) == after


def test_what_was_there_before_a_run_may_have_been_pruned(ground: Ground) -> None:
    site, _, run = two_days(ground)
    tell(site, *(f"DELETE FROM {table} WHERE run_id = '{run}'" for table in ("sync_image", "sync_made", "sync_change")))
    with pytest.raises(Usage, match="is not kept any more"):
        take_back(site, run)


def test_a_first_load_writes_no_images(ground: Ground) -> None:
    site = ground.fresh(DELETES)
    run = sync(site, DAY_ONE).run
    assert ask(site, "SELECT * FROM sync_image") == []
    made = ask(site, "SELECT table_name, first_id, last_id FROM sync_made WHERE run_id = ? ORDER BY table_name", run)
    assert [tuple(row.values()) for row in made] == [
        ("lz_job", 1, 4),
        ("lz_org", 1, 4),
        ("lz_pos", 1, 2),
        ("lz_user", 1, 4),
    ]
