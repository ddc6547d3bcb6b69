"""How long the admin page takes: `python -m tests.bench.page`. Every page and list of the API, on a large site.

A company is synced twice: once as it is, then with 1 % changed and one value wrong in every record of a person, so that
the site has as many findings as people. Then the page is served as always, by a process of its own, and asked over a
connection that stays. `SELECT 1` goes the same way: sign-in, session, the site's database, a template.
"""

import argparse
import csv
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlencode

from starlette.responses import Response

from lzsyncd.config import Config, Site, load
from lzsyncd.demo.company import CONFIG_SNIPPET, write_company
from lzsyncd.web import app, server
from lzsyncd.web.passwords import hashed
from lzsyncd.web.store import Role, kept
from lzsyncd.web.visit import Visit
from lzsyncd.zone.database import Database, opened
from tests.bench.cpu import cpu_of_tree
from tests.bench.databases import BENCHES, Bench
from tests.bench.programs import GOOD_EXITS, ROOT, ProgramFailed
from tests.postgres import free_port

GOAL = 100.0  # milliseconds, for any page
LONGEST = 60.0  # seconds until the page is served
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
PASSWORD, TOKEN = "correct horse battery", "bench.a-token-of-the-benchmark"
AUDIENCE = (
    '[[sites.bench.audiences]]\nname = "Upper grades"\nrules = [ { field = "customfield_grade", in = ["G1", "G2"] } ]\n'
)
AUDIENCES, MEMBERS = 200, 10_000
NOTHING_ASKED = "/select-1"
POLL = 0.02  # seconds
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Answered:
    """How often something was asked for, and what that took: milliseconds by the clock, and of the processor's time."""

    name: str
    median: float
    worst: float
    cpu: float

    def told(self, database: str) -> str:
        slow = "  over the goal" if self.median > GOAL else "  once over the goal" if self.worst > GOAL else ""
        return f"{database:12}{self.name:44}{self.median:>10.1f}{self.worst:>9.1f}{self.cpu:>9.1f}{slow}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.page", description=__doc__)
    parser.add_argument("--users", type=int, default=100_000, metavar="N", help="people, and findings")
    parser.add_argument("--database", nargs="+", choices=BENCHES, default=list(BENCHES))
    parser.add_argument("--times", type=int, default=15, metavar="N", help="how often each page is asked for")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="where to work; a disk")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve)
    folder = Path(tempfile.mkdtemp(prefix="bench-page-", dir=options.folder))
    folder.chmod(0o755)
    try:
        write_sets(folder, options.users)
        print(f"{'database':12}{'page':44}{'median ms':>10}{'worst':>9}{'cpu ms':>9}")
        for name in options.database:
            for answered in measure(folder, BENCHES[name](folder), options.times):
                print(answered.told(name), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def write_sets(folder: Path, users: int) -> None:
    """The company as it is, and a day later with one wrong value in every record of a person."""
    write_company(folder / "today", users=users, numbered=True)
    write_company(folder / "tomorrow", users=users, numbered=True, change=0.01)
    plain, wrong = folder / "tomorrow/user.csv", folder / "tomorrow/wrong.csv"
    with plain.open(encoding="utf-8", newline="") as source, wrong.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        for number, row in enumerate(csv.reader(source)):
            writer.writerow([*row, "no address" if number else "url"])
    wrong.rename(plain)


def measure(folder: Path, bench: Bench, times: int) -> Iterator[Answered]:
    """Sync, serve, ask."""
    try:
        config = make_site(folder, bench.fresh("page"))
        for day in ("today", "tomorrow"):
            sync(config.path, folder / day)
        add_audiences(config.sites["bench"])
        bench.settle()
        with served(config.path) as pid:
            visitor = Visitor(config.web.listen)
            for name, path in paths(config.sites["bench"]).items():
                yield visitor.ask(name, path, times, lambda: cpu_of_tree(pid) + bench.server_cpu())
            yield from looked(config.sites["bench"], visitor, times, lambda: cpu_of_tree(pid) + bench.server_cpu())
    finally:
        bench.close()


def looked(site: Site, visitor: "Visitor", times: int, cpu: Callable[[], float]) -> Iterator[Answered]:
    """What no page waits for: all of the look at an undo; and its floor, the run's rows beside what stands, no more."""
    with opened(site) as database:
        last = str(database.value("SELECT max(id) FROM sync_run"))
        path = f"/sites/bench/runs/{last}/undo"
        yield timed("undo, the look that goes on beside the page", times, lambda: visitor.wait_for(path), cpu)

        def join() -> None:
            for part in ("lz_org", "lz_pos", "lz_user", "lz_job"):
                query = f"SELECT count(*) FROM sync_image i LEFT JOIN {part} t ON t.id = i.row_id WHERE i.run_id = ?"
                database.value(f"{query} AND i.part = ? AND i.after <> CAST(t.id AS TEXT)", (last, part))

        yield timed("its floor: the images beside the tables", times, join, lambda: cpu() + time.process_time())


def timed(name: str, times: int, work: Callable[[], object], cpu: Callable[[], float]) -> Answered:
    """Do something, first once without measuring."""
    work()
    took, before = [], cpu()
    for _ in range(times):
        start = time.perf_counter()
        work()
        took.append((time.perf_counter() - start) * 1000)
    return Answered(name, statistics.median(took), max(took), (cpu() - before) / times * 1000)


def make_site(folder: Path, database: str) -> Config:
    """The site, empty, with an admin and a token."""
    shutil.rmtree(folder / "data", ignore_errors=True)
    path = folder / "lzsyncd.toml"
    path.write_text(
        f'[daemon]\ndata_dir = "{folder}/data"\nruntime_dir = "{folder}/run"\n'
        f'[web]\nlisten = "127.0.0.1:{free_port()}"\n[sites.bench]\ndatabase = "{database}"\n'
        f'[sites.bench.guard]\nmax_rejected = "100%"\n{CONFIG_SNIPPET.format(site="bench")}{AUDIENCE}'
    )
    config = load(path)
    site = config.sites["bench"]
    site.inbox.mkdir(parents=True)
    with kept(site) as store:
        store.add_account("ada", Role.ADMIN, hashed(PASSWORD), NOW)
        store.add_token("bench", Role.ADMIN, TOKEN, NOW)
    return config


def add_audiences(site: Site) -> None:
    """As many as a large site has, each with some thousand members: a page lists and counts them all."""
    with opened(site) as database, database.transaction():
        numbers = range(2, AUDIENCES + 1)
        database.load("lz_audience", ("id", "name"), ((number, f"Audience {number}") for number in numbers))
        database.run(
            "INSERT INTO lz_audience_member (audience_id, user_id, since) SELECT a.id, u.id, '2026-11-28' "
            f"FROM lz_audience a JOIN lz_user u ON u.id <= {MEMBERS} WHERE a.id > 1"
        )


def sync(path: Path, files: Path) -> None:
    command = [sys.executable, "-m", "lzsyncd", "--config", str(path), "sync", "bench", "--from", str(files), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in GOOD_EXITS:
        raise ProgramFailed(f"sync ended with {done.returncode}:\n{done.stderr[-2000:]}")


# -- the page, as a process of its own


def serve(path: Path) -> int:
    """The page as always, and one more address below the site's, which asks for nothing."""
    app.PAGES[NOTHING_ASKED] = nothing_asked
    server.serve(load(path))
    return 0


def nothing_asked(visit: Visit) -> Response:
    with visit.ledger() as database:
        assert database.value("SELECT 1") == 1
    return visit.page("sorry.html", title="1", text="1", back=visit.path())


@contextmanager
def served(path: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "tests.bench.page", "--serve", str(path)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


class Visitor:
    """Somebody who is signed in, on a connection that stays."""

    def __init__(self, listen: str) -> None:
        host, _, port = listen.rpartition(":")
        self._connection = HTTPConnection(host, int(port), timeout=LONGEST)
        self._headers = {"Origin": f"http://{listen}", "Authorization": f"Bearer {TOKEN}"}
        until = time.monotonic() + LONGEST
        while True:
            try:
                self._connection.connect()
                break
            except ConnectionRefusedError:
                assert time.monotonic() < until
                time.sleep(0.1)
        self._sign_in()

    def _sign_in(self) -> None:
        form = urlencode({"site": "bench", "name": "ada", "password": PASSWORD})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request("POST", "/sign-in", form, {**self._headers, **kind})
        answer = self._connection.getresponse()
        answer.read()
        cookie = re.match(r"[^;]+", answer.headers["set-cookie"])
        assert cookie, answer.status
        self._headers["Cookie"] = cookie[0]

    def ask(self, name: str, path: str, times: int, cpu: Callable[[], float]) -> Answered:
        """Ask for one address."""
        return timed(name, times, lambda: self._get(path), cpu)

    def wait_for(self, path: str) -> None:
        """Open the page of an undo, and ask as it does, but more often, until the look is over."""
        self._get(path)
        while not self._get(path, {"HX-Request": "true"}):
            time.sleep(POLL)

    def _get(self, path: str, more: Mapping[str, str] = NOTHING) -> bytes:
        self._connection.request("GET", path, headers={**self._headers, **more})
        answer = self._connection.getresponse()
        body = answer.read()
        assert answer.status in (200, 204), (path, answer.status, body[:500])
        return body


# -- what is asked for


def paths(site: Site) -> dict[str, str]:
    """Every page and list, the long ones at their beginning, in their midst, and filtered, by what is asked."""
    with opened(site) as database:
        return _pages(database) | _lists(database)


def _pages(database: Database) -> dict[str, str]:
    first, last = (str(database.value(f"SELECT {f}(id) FROM sync_run")) for f in ("min", "max"))
    known = _known(database, first, last)
    key, boss, org, pos = known["key"], known["boss"], known["org"], known["pos"]
    found = {
        "SELECT 1": NOTHING_ASKED,
        "overview": "/",
        "overview, what is followed": "/now",
        "runs": "/runs",
        "run": f"/runs/{last}",
        "undo": f"/runs/{last}/undo",
        "undo, with what is known by then": f"/runs/{last}/undo?known=1",
        "findings": f"/runs/{last}/findings",
        "findings, in their midst": f"/runs/{last}/findings?after={known['error']}",
        "findings of a code": f"/runs/{last}/findings?code=value.url&after={known['error']}",
        "findings, a key": f"/runs/{last}/findings?text={key}",
        "findings, one letter": f"/runs/{last}/findings?text=e",
        "findings, a line": f"/runs/{last}/findings?text=77",
        "findings of another file": f"/runs/{last}/findings?element=org",
        "findings of a severity that none has": f"/runs/{last}/findings?severity=fatal",
        "findings, words that nobody finds": f"/runs/{last}/findings?text=nowhere&severity=warning",
        "findings, the last page": f"/runs/{last}/findings?after={known['last error']}",
        "changes": f"/runs/{first}/changes",
        "changes, in their midst": f"/runs/{first}/changes?after={known['change']}",
        "changes of a key": f"/runs/{first}/changes?key={key}",
        "changes, the last page": f"/runs/{first}/changes?after={known['last change']}",
        "changes that nobody finds": f"/runs/{first}/changes?action=removed",
        "holds": "/holds",
        "upload": "/upload",
        "people": "/people",
        "people, in their midst": f"/people?after={known['person']}",
        "people, a key": f"/people?text={key}",
        "people, one letter": "/people?text=q",
        "people, the last page": f"/people?after={known['last person']}",
        "people, words that nobody finds": "/people?text=nobody+has+this",
        "people who are gone": "/people?state=deleted",
        "people of the whole company": f"/people?org={org}",
        "people of a position": f"/people?pos={pos}",
        "people by a custom field": "/people?field=grade&field_value=G9",
        "people by a field that nobody has": "/people?field=costcentre&field_value=none",
        "person": f"/people/{known['person']}",
        "the head of the company": f"/people/{boss}",
        "their reports": f"/people/{boss}/reports",
        "units": "/units",
        "positions": "/units/pos",
        "unit": f"/units/org/{org}",
        "below a unit": f"/units/org/{org}/below",
        "audiences": "/audiences",
        "audience": "/audiences/1",
        "settings": "/settings",
        "account": "/account",
    }
    return {name: f"/sites/bench{path}" for name, path in found.items()}


def _lists(database: Database) -> dict[str, str]:
    first, last = (str(database.value(f"SELECT {f}(id) FROM sync_run")) for f in ("min", "max"))
    known = _known(database, first, last)
    return {
        f"API {path.format(run='RUN').partition('?')[0]}{', in its midst' if 'after' in path else ''}": (
            f"/api/{path.format(run=run)}"
        )
        for path, run in (
            ("status", ""),
            ("runs", ""),
            ("runs/{run}", last),
            ("runs/{run}/errors", last),
            (f"runs/{{run}}/errors?after={known['error']}", last),
            ("runs/{run}/changes", first),
            (f"runs/{{run}}/changes?after={known['change']}", first),
        )
    }


def _known(database: Database, first: str, last: str) -> dict[str, object]:
    """Somebody and something in the midst, and at the top."""
    return {
        "error": database.value("SELECT (min(id) + max(id)) / 2 FROM sync_error WHERE run_id = ?", (last,)),
        "last error": database.value("SELECT max(id) - 20 FROM sync_error WHERE run_id = ?", (last,)),
        "last change": database.value("SELECT max(id) - 20 FROM sync_change WHERE run_id = ?", (first,)),
        "last person": database.value("SELECT max(id) - 20 FROM lz_user"),
        "change": database.value("SELECT (min(id) + max(id)) / 2 FROM sync_change WHERE run_id = ?", (first,)),
        "person": (person := database.value("SELECT (min(id) + max(id)) / 2 FROM lz_user")),
        "key": database.value("SELECT idnumber FROM lz_user WHERE id = ?", (person,)),
        "boss": database.value("SELECT user_id FROM lz_job WHERE manager_id IS NULL ORDER BY user_id LIMIT 1"),
        "org": database.value("SELECT id FROM lz_org ORDER BY depth, id LIMIT 1"),
        "pos": database.value("SELECT id FROM lz_pos ORDER BY depth, id LIMIT 1"),
    }


if __name__ == "__main__":
    sys.exit(main())
