"""A site with a past, as SQL text: what an upgrade finds. `python -m tests.zone.dumps` freezes it, as it is today.

Run that when a version is released: from then on its schema never changes, and later ones are tested with this data.
"""

import sqlite3
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from lzsyncd.config import Site, parse
from lzsyncd.zone import schema
from lzsyncd.zone.database import opened
from tests.laws.bridge import run_set
from tests.laws.company import BROKEN, DAY_ONE
from tests.laws.ground import tell
from tests.postgres import Cluster

FROZEN = Path(__file__).parent / "schemas"
KINDS = ("sqlite", "postgresql")
AUDIENCE = """
[[sites.acme.audiences]]
name = "Loaders"
rules = [{ field = "pos", is = "L" }]
assign = ["course:SAFE-101"]
"""
BY_HAND = (
    "INSERT INTO lz_user (idnumber, username, email, firstname, lastname) VALUES ('H', 'hal', 'hal@a.test', 'Hal', '')"
)


def schemas() -> list[str]:
    """The names of all migrations, oldest first."""
    return sorted(path.stem for path in schema.MIGRATIONS.glob("[0-9]*.py"))


def site_at(folder: Path, url: str) -> Site:
    """A site whose sets may change everything, with an audience."""
    text = f'[daemon]\ndata_dir = "{folder}"\n[sites.acme]\ndatabase = "{url}"\nincomplete = "sync"\n'
    guard = '[sites.acme.guard]\nmin_records = 1000\nlost_column = false\nmax_rejected = "none"\n'
    return parse(text + guard + AUDIENCE).sites["acme"]


def live_through(site: Site, folder: Path) -> None:
    """A set that is applied, somebody made by hand, a dry run, a set that is rejected."""
    run_set(site, folder / "one", DAY_ONE)
    tell(site, BY_HAND)
    run_set(site, folder / "dry", {"org.csv": DAY_ONE["org.csv"]}, dry_run=True)
    run_set(site, folder / "broken", BROKEN)


def dump(site: Site) -> str:
    """All that is in a site's database, as SQL."""
    if site.database == "sqlite":
        with closing(sqlite3.connect(site.folder / "zone.db")) as connection:
            return "\n".join(connection.iterdump()) + "\n"
    command = ["pg_dump", "--no-owner", "--no-privileges", "--inserts", site.database]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = (line for line in told.splitlines() if line.strip() and not line.startswith(("--", "\\")))
    return "\n".join(lines) + "\n"


def load(text: str, site: Site) -> None:
    """Make an empty database what the text says."""
    if site.database == "sqlite":
        site.folder.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(site.folder / "zone.db")) as connection:
            connection.executescript(text)
        return
    command = ["psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--output=/dev/null", site.database]
    subprocess.run(command, input=text, text=True, check=True)


def made(kind: str, folder: Path, url: str) -> str:
    """The past of a site, with the newest schema."""
    site = site_at(folder / kind, url)
    with opened(site):
        live_through(site, folder / f"sets-{kind}")
    return dump(site)


def freeze() -> None:
    """Write the dumps of the newest schema, for good."""
    FROZEN.mkdir(exist_ok=True)
    with Cluster() as cluster, tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            url = cluster.create_database("frozen") if kind == "postgresql" else "sqlite"
            text = made(kind, Path(folder), url)
            (FROZEN / f"{schemas()[-1]}.{kind}.sql").write_text(text, encoding="utf-8")


def of_schema(name: str, kind: str, make: Callable[[], str]) -> str:
    """The dump with that schema; that of the newest one, which may still change before it is released, is made anew."""
    path = FROZEN / f"{name}.{kind}.sql"
    if name == schemas()[-1]:
        return make()
    assert path.exists(), f"{path.name} is missing: at the release of {name} run python -m tests.zone.dumps"
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    freeze()
