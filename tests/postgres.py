"""A PostgreSQL server for tests and benchmarks, in a temporary folder, gone without a trace when its owner is.

    with Cluster() as cluster:
        url = cluster.create_database("acme")

PostgreSQL refuses to run as root: then the server runs as the account that the Debian package makes.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql

ROLE = "lzsyncd"  # owns the databases, and nothing else: no superuser comes in over TCP
PACKAGE = "postgresql-15"
START_ATTEMPTS = 5
START_SECONDS = 60
LONGEST_SOCKET_FOLDER = 80  # bytes; the path of a unix socket must fit into 107

# Runs the server as its child and waits on a pipe that only the owner holds: however the owner ends, kill -9 included,
# the pipe ends with it, and server and folder go.
KEEPER = 'folder=$1; shift; "$@" & server=$!; cat >/dev/null; kill -QUIT $server; wait $server; rm -rf "$folder"'

QUICK = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}  # a crash may lose it all: it is a test


class PostgresMissing(RuntimeError):
    """PostgreSQL's server is not installed; trying again does not help."""


class PostgresFailed(RuntimeError):
    """PostgreSQL's server could not be made or did not start; the text ends with what it said."""


class Cluster:
    """A running server with databases of its own.

    Args:
        durable: False (for tests): faster, and a crash of the machine loses everything. True: default configuration.
        tcp: also listen on the loopback address, for the role `lzsyncd` alone; otherwise only on the unix socket.
        network: also listen on all addresses, for the role `lzsyncd` of this network alone (CIDR).
        parent: the folder to make the temporary one in; default: the system's.

    Raises:
        PostgresMissing: no server is installed.
        PostgresFailed: the server does not start.
    """

    def __init__(
        self, *, durable: bool = False, tcp: bool = True, network: str = "", parent: Path | None = None
    ) -> None:
        self.binaries = find_binaries()
        self.tcp, self.network = tcp, network
        self._settings = {} if durable else QUICK
        self._account = account_of_server()
        self.folder = self._make_folder(parent)
        try:
            self._initialise()
            self._start()
            self._populate()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the server, whose children are its backends."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Make a database owned by `ROLE`, as a copy of another one that nobody is connected to; returns its URL.

        Its files are copied: through the server's log, as is the default, a small one takes three times as long.
        """
        names = map(sql.Identifier, (name, ROLE, template))
        self.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy").format(*names))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def execute(self, statement: Any, *, database: str = "postgres") -> None:
        """Run a statement as the superuser, outside a transaction."""
        with self.connect(database) as connection:
            connection.execute(statement)

    def url(self, name: str) -> str:
        """The URL of a database: over TCP where the cluster listens there, otherwise through the socket."""
        if self.tcp:
            return f"postgresql://{ROLE}@127.0.0.1:{self.port}/{name}"
        return f"postgresql://{ROLE}@/{name}?host={self.folder}&port={self.port}"

    def stop(self) -> None:
        """End the server at once and remove everything. Doing it twice does no harm."""
        if keeper := getattr(self, "_keeper", None):
            keeper.stdin.close()
            keeper.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- making and starting

    def _make_folder(self, parent: Path | None) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=parent))
        if len(bytes(folder)) > LONGEST_SOCKET_FOLDER:
            folder.rmdir()
            folder = Path(tempfile.mkdtemp(prefix="postgres-", dir="/tmp"))
        if self._account:
            shutil.chown(folder, self._account, pwd.getpwnam(self._account).pw_gid)
        return folder

    def _server_process(self) -> dict[str, Any]:
        """How server programs are run: in their folder, as an account that may, in a session of their own.

        (Ctrl-C goes to all processes of a terminal's session; the server must outlive the tests' own cleaning up.)
        """
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
        process: dict[str, Any] = {"cwd": self.folder, "start_new_session": True, "env": environment}
        if self._account:
            entry = pwd.getpwnam(self._account)
            process |= {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        return process

    def _initialise(self) -> None:
        how = ("--username=postgres", "--auth=reject", "--encoding=UTF8", "--locale=C.UTF-8")
        self._make_data("initdb", "--pgdata=data", "--no-sync", *how)
        # whoever may enter the folder may come in through the socket; TCP is open to every account of the machine
        rules = "local all,replication all trust\n" + f"host all {ROLE} 127.0.0.1/32 trust\n" * self.tcp
        rules += f"host all {ROLE} {self.network} trust\n" if self.network else ""
        (self.folder / "data" / "pg_hba.conf").write_text(rules)

    def _make_data(self, program: str, *options: str) -> None:
        command = [self.binaries / program, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._server_process())
        if done.returncode:
            raise PostgresFailed(f"{program} failed: {done.stderr.strip()}")

    def _populate(self) -> None:
        self.execute(f"CREATE ROLE {ROLE} LOGIN")

    def _start(self) -> None:
        for _ in range(START_ATTEMPTS):
            self.port = free_port()
            self._launch()
            if self._answers():
                return
            # the server has ended: another process may have taken the port meanwhile
            self._keeper.kill()
            self._keeper.wait()
        raise self._failed("ended")

    def _launch(self) -> None:
        settings = {
            "listen_addresses": "*" if self.network else "127.0.0.1" if self.tcp else "",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            **self._settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [
            "sh",
            "-c",
            KEEPER,
            "keeper",
            self.folder,
            self.binaries / "postgres",
            "-D",
            "data",
            *options,
        ]
        with (self.folder / "log").open("wb") as log:
            self._keeper = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, **self._server_process()
            )

    def _answers(self) -> bool:
        """Wait until the server takes connections. False when it ends instead."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                if self._has_ended():
                    return False
                time.sleep(0.02)
            else:
                return True
        raise self._failed(f"did not answer within {START_SECONDS} s")

    def _failed(self, what: str) -> PostgresFailed:
        return PostgresFailed(f"PostgreSQL {what} while it started: {(self.folder / 'log').read_text().strip()}")

    def _has_ended(self) -> bool:
        return b"FATAL" in (self.folder / "log").read_bytes() and not (self.folder / "data" / "postmaster.pid").exists()

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(host=str(self.folder), port=self.port, user="postgres", dbname=database, autocommit=True)


class Replica(Cluster):
    """A server that follows another one, until it is promoted.

    Args:
        primary: the one it follows.
    """

    def __init__(self, primary: Cluster) -> None:
        self._primary = primary
        super().__init__()

    def _initialise(self) -> None:
        primary = ("--host", str(self._primary.folder), "--port", str(self._primary.port), "--username=postgres")
        how = ("--checkpoint=fast", "--no-sync", "--write-recovery-conf")
        self._make_data("pg_basebackup", "--pgdata=data", *primary, *how)

    def _populate(self) -> None:
        """It has what the other one has."""

    def follow_no_more(self) -> None:
        """Stay as far behind as it is, as if the line between both were cut."""
        self.execute("ALTER SYSTEM SET primary_conninfo = ''")
        self.execute("SELECT pg_reload_conf()")

    def promote(self) -> None:
        """From now on it is the one that is written to."""
        self.execute("SELECT pg_promote()")


def find_binaries() -> Path:
    """The folder of the newest server's programs: where Debian puts them, otherwise where PATH finds them.

    Raises:
        PostgresMissing: there are none.
    """
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    found = packaged[-1] if packaged else shutil.which("initdb")
    if not found:
        raise PostgresMissing(f"PostgreSQL's server is not installed: apt-get install {PACKAGE}.")
    return Path(found).parent


def account_of_server() -> str:
    """The account that the server runs as, "" for our own.

    Raises:
        PostgresMissing: we are root, and there is no such account.
    """
    if os.geteuid():
        return ""
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise PostgresMissing(
            f"PostgreSQL does not run as root, and there is no account postgres: apt-get install {PACKAGE}."
        ) from None


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
