"""The server the tests start for themselves."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests import postgres
from tests.postgres import Cluster, PostgresMissing

START_AND_WAIT = """
import time
from tests.postgres import Cluster
cluster = Cluster()
print(cluster.folder, cluster.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as cluster:
        yield cluster


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_a_database_is_owned_by_an_ordinary_role(cluster):
    with psycopg.connect(cluster.create_database("ordinary")) as connection:
        connection.execute("CREATE TABLE t (x text)")
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
        assert connection.execute("SELECT upper('ä')").fetchone() == ("Ä",)


def test_a_database_can_be_copied_from_a_template(cluster):
    with psycopg.connect(cluster.create_database("original")) as connection:
        connection.execute("CREATE TABLE t AS SELECT 42 AS x")
    with psycopg.connect(cluster.create_database("copy", template="original")) as connection:
        assert connection.execute("SELECT x FROM t").fetchone() == (42,)


def test_a_database_in_use_can_be_dropped(cluster):
    with psycopg.connect(cluster.create_database("in_use")):
        cluster.drop_database("in_use")
    assert psycopg.connect(cluster.create_database("in_use"))


def test_no_superuser_comes_in_over_the_network(cluster):
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        psycopg.connect(cluster.url("postgres").replace("lzsyncd@", "postgres@"))


def test_two_servers_run_side_by_side_and_leave_nothing_behind():
    with Cluster(tcp=False, durable=True) as one, Cluster() as two:
        assert one.folder != two.folder
        psycopg.connect(one.create_database("a")).close()
        psycopg.connect(two.create_database("a")).close()
        pids = one.pid, two.pid
    assert not one.folder.exists()
    assert not two.folder.exists()
    assert all(map(gone, pids))


def test_a_server_goes_with_its_owner_even_when_that_is_killed():
    with subprocess.Popen([sys.executable, "-c", START_AND_WAIT], stdout=subprocess.PIPE, text=True) as owner:
        folder, pid = owner.stdout.readline().split()
        assert not gone(int(pid))
        os.kill(owner.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while Path(folder).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(folder).exists()
    assert gone(int(pid))


def test_a_missing_server_names_the_package(monkeypatch):
    monkeypatch.setattr(postgres.Path, "glob", lambda *_: [])
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PostgresMissing, match="apt-get install postgresql"):
        postgres.find_binaries()
