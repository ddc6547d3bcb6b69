"""The roles of `etc/postgresql/site.sql` on a real server: everything works with them, and nothing else does."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from lzsyncd.config import Site, load
from lzsyncd.errors import SiteIsBusy
from lzsyncd.sync.retention import prune
from lzsyncd.sync.run import Options
from lzsyncd.web.app import PAGES
from lzsyncd.web.store import Role, kept
from lzsyncd.zone import database as zone_database
from lzsyncd.zone.advisory import Lock
from lzsyncd.zone.database import opened
from tests.laws.bridge import A_DAY
from tests.laws.company import DAY_ONE
from tests.laws.ground import connected, sync_at
from tests.postgres import Cluster
from tests.web.conftest import NOW, PASSWORD, Page, csrf_of, hash_of
from tests.zone import dumps
from tests.zone.test_upgrade import next_day

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "etc" / "postgresql" / "site.sql"
SITES = ("acme", "globex")
KINDS = {"": "the daemon", "_page": "the page", "_report": "reports"}


@dataclass
class Server:
    """A server with two sites as the documents make them.

    Attributes:
        cluster: the server.
        sites: by name.
        folder: of the sites.
    """

    cluster: Cluster
    sites: dict[str, Site]
    folder: Path

    def url(self, role: str, database: str) -> str:
        return f"postgresql://{role}@/{database}?host={self.cluster.folder}&port={self.cluster.port}"

    def connect(self, role: str, database: str) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url(role, database), autocommit=True)

    def script(self, site: str) -> None:
        """Run the documented script as the superuser."""
        command = ["psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--set=site={site}"]
        where = [f"--host={self.cluster.folder}", f"--port={self.cluster.port}", "--username=postgres", "postgres"]
        done = subprocess.run([*command, *where], input=SCRIPT.read_text(), text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def server(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("roles")
    made = Server(cluster, {}, folder)
    for name in SITES:
        made.script(name)
        plain = dumps.site_at(folder / name, made.url(f"lzsyncd_{name}", f"lzsyncd_{name}"))
        site = made.sites[name] = replace(plain, name=name)
        with opened(site):
            dumps.live_through(site, folder / f"{name}-sets")
        made.script(name)
    yield made
    for name in SITES:
        cluster.drop_database(f"lzsyncd_{name}")
        for kind in KINDS:
            cluster.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(f"lzsyncd_{name}{kind}")))


def refused(connection: psycopg.Connection[Any], statement: str) -> bool:
    """Whether the server says that this role may not."""
    try:
        connection.execute(statement)  # type: ignore[call-overload]
    except (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction):
        return True
    return False


def tables(server: Server) -> list[str]:
    with connected(server.sites["acme"]) as database:
        return [str(name) for (name,) in database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]


def test_a_site_lives_with_the_rights_of_its_role(server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(zone_database, "MANY", 1)  # indexes are dropped and built last
    site = server.sites["acme"]
    assert next_day(site)["status"] == "applied"
    assert sync_at(A_DAY + timedelta(days=9), site, DAY_ONE).status == "applied"
    with opened(site) as database:
        database.lock("prune")
        prune(database, site, Options(clock=lambda: A_DAY + timedelta(days=900)))
    assert dumps.dump(site)


def test_the_script_may_be_run_again(server: Server):
    before = grants(server)
    server.script("acme")
    assert grants(server) == before


def grants(server: Server) -> dict[str, set[tuple[str, str]]]:
    """Who may do what to which table, without its owner."""
    with server.connect("lzsyncd_acme", "lzsyncd_acme") as connection:
        found = connection.execute(
            "SELECT grantee, table_name, privilege_type FROM information_schema.role_table_grants "
            "WHERE table_schema = 'public' AND grantee <> 'lzsyncd_acme'"
        ).fetchall()
    return {who: {(table, right) for one, table, right in found if one == who} for who in {row[0] for row in found}}


def test_the_page_reads_and_asks_and_reports_only_read(server: Server):
    reads = {(table, "SELECT") for table in tables(server)}
    assert grants(server) == {
        "lzsyncd_acme_page": reads | {("sync_request", "INSERT")},
        "lzsyncd_acme_report": reads,
    }


@pytest.mark.parametrize("kind", ["_page", "_report"])
def test_neither_of_them_writes_makes_or_drops_anything(server: Server, kind: str):
    with server.connect(f"lzsyncd_acme{kind}", "lzsyncd_acme") as connection:
        for table in tables(server):
            assert refused(connection, f"DELETE FROM {table}"), table
            assert refused(connection, f"TRUNCATE {table}"), table
            assert refused(connection, f"DROP TABLE {table}"), table
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # type: ignore[call-overload]
        assert refused(connection, "CREATE TEMP TABLE mine (id int)") == (kind == "_report")
        for statement in (
            "UPDATE lz_user SET lastname = 'x'",
            "INSERT INTO lz_user (idnumber) VALUES ('x')",
            "UPDATE sync_request SET requested_by = 'x'",
            "SELECT setval('lz_user_id_seq', 1)",
            "CREATE TABLE mine (id int)",
            "CREATE SCHEMA mine",
        ):
            assert refused(connection, statement), statement


@pytest.mark.parametrize("kind", KINDS)
def test_a_role_reaches_nothing_beyond_its_database(server: Server, kind: str):
    role = f"lzsyncd_acme{kind}"
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        server.connect(role, "lzsyncd_globex")
    with server.connect(role, "lzsyncd_acme") as connection:
        (rights,) = connection.execute(
            "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls "
            "OR EXISTS (SELECT FROM pg_auth_members WHERE member = oid) FROM pg_roles WHERE rolname = current_user"
        ).fetchone() or (True,)
        assert rights is False
        for statement in (
            "COPY (SELECT 1) TO '/tmp/x'",
            "COPY (SELECT 1) TO PROGRAM 'id'",
            "SELECT pg_read_file('/etc/passwd')",
            "SELECT pg_ls_dir('.')",
            "SELECT lo_import('/etc/passwd')",
            "CREATE EXTENSION dblink",
            "CREATE EXTENSION postgres_fdw",
            "CREATE EXTENSION pgcrypto",
            "CREATE SCHEMA mine",
            "CREATE DATABASE mine",
            "CREATE ROLE mine",
            "SET ROLE lzsyncd_globex",
            "ALTER ROLE lzsyncd_globex PASSWORD 'x'",
            "ALTER DATABASE lzsyncd_globex CONNECTION LIMIT 0",
            "GRANT CONNECT ON DATABASE lzsyncd_globex TO PUBLIC",
            "SELECT rolpassword FROM pg_authid",
            "SELECT pg_reload_conf()",
        ):
            assert refused(connection, statement), statement


def test_what_a_role_sees_of_another_site_on_the_server_is_that_it_is_there(server: Server):
    """Names of databases, roles and sessions are everybody's on one server, as is the size of nothing else."""
    with (
        server.connect("lzsyncd_globex", "lzsyncd_globex") as other,
        server.connect("lzsyncd_acme", "lzsyncd_acme") as connection,
    ):
        other.execute("SELECT 'a secret of globex'")
        sessions = connection.execute(
            "SELECT pid, query, state, client_addr, backend_xmin FROM pg_stat_activity WHERE usename = 'lzsyncd_globex'"
        ).fetchall()
        assert [row[1:] for row in sessions] == [("<insufficient privilege>", None, None, None)]
        assert refused(connection, f"SELECT pg_terminate_backend({sessions[0][0]})")
        assert refused(connection, f"SELECT pg_cancel_backend({sessions[0][0]})")
        assert refused(connection, "SELECT pg_database_size('lzsyncd_globex')")
        names = connection.execute("SELECT count(*) FROM pg_class WHERE relname = 'lz_user'").fetchone()
        assert names == (1,)
        assert connection.execute("SELECT datname FROM pg_database WHERE datname = 'lzsyncd_globex'").fetchone()


def test_locks_of_one_site_keep_no_other_from_its_work(server: Server):
    with server.connect("lzsyncd_acme_report", "lzsyncd_acme") as thief, opened(server.sites["globex"]) as database:
        for lock in Lock:
            thief.execute("SELECT pg_advisory_lock(%s, hashtext('public'))", (int(lock),))
        database.lock("a run of globex")
        assert all(database.is_alone(lock) for lock in Lock)
        with pytest.raises(SiteIsBusy), opened(server.sites["acme"]) as own:
            own.lock("a run of acme")


def test_where_two_sites_share_a_database_in_schemas_of_their_own_so_are_their_locks(server: Server):
    """Not what the documents advise: whoever is in a database can take any advisory lock of it."""
    cluster = server.cluster
    url = cluster.create_database("shared")
    try:
        for name in SITES:
            cluster.execute(f"CREATE SCHEMA {name} AUTHORIZATION lzsyncd", database="shared")
        sites = [replace(server.sites[name], database=f"{url}?options=-csearch_path%3D{name}") for name in SITES]
        with opened(sites[0]) as one, opened(sites[1]) as other:
            one.lock("of acme")
            other.lock("of globex")
            with pytest.raises(SiteIsBusy, match="of globex"), opened(sites[1]) as second:
                second.lock("again")
    finally:
        cluster.drop_database("shared")


def test_the_page_does_all_it_can_do_with_a_role_that_reads_and_asks(server: Server, tmp_path: Path):
    """Every page, the preview of an undo, asking for it, and the numbers; as the role that the configuration names."""
    globex = server.sites["globex"]
    (tmp_path / "lzsyncd.toml").write_text(
        f'[daemon]\ndata_dir = "{tmp_path}"\nruntime_dir = "{tmp_path}"\n'
        f'[sites.globex]\ndatabase = "{globex.database}"\npage_role = "lzsyncd_globex_page"\n'
        f'[sites.plain]\npage_role = "nobody"\n[metrics]\ntoken = {{file = "{tmp_path}/token"}}\n'
    )
    (tmp_path / "token").touch(0o600)
    (tmp_path / "token").write_text("0123456789abcdef")
    site = load(tmp_path / "lzsyncd.toml").sites["globex"]
    with kept(site) as store:
        store.add_account("ada", Role.ADMIN, hash_of(PASSWORD), NOW)
    page = Page(tmp_path, site)
    assert page.house.config().sites["plain"].database == "sqlite"
    with page.house.requests(page.house.config().sites["globex"]) as database:
        assert database.value("SELECT current_user") == "lzsyncd_globex_page"
        run = str(database.value("SELECT max(id) FROM sync_run WHERE status = 'applied'"))
    browser = page.browser("ada", "globex")
    places = {"run": run, "person": "1", "element": "org", "unit": "1", "audience": "1"}
    answers = {path: browser.get(f"/sites/globex{path.format(**places)}") for path in PAGES}
    assert {path: answer.status_code for path, answer in answers.items() if answer.status_code != 200} == {}
    numbers = browser.get("/metrics", headers={"authorization": "Bearer 0123456789abcdef"}).text
    assert 'lzsyncd_last_success_timestamp_seconds{site="globex"}' in numbers
    asked = browser.post(f"/sites/globex/runs/{run}/undo", data={"csrf": csrf_of(answers["/runs/{run}/undo"].text)})
    assert asked.status_code == 200
    with connected(globex) as database:
        assert database.rows("SELECT kind, run_id FROM sync_request") == [("undo", run)]
