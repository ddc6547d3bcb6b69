"""What the tables of a run cost on PostgreSQL: one that several processes may read takes the disk up to four syncs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lzsyncd.config import Site, parse
from lzsyncd.demo.company import CONFIG_SNIPPET, write_company
from lzsyncd.progress import Silent
from lzsyncd.sync.run import Options, sync_folder
from lzsyncd.zone.database import opened
from tests.postgres import Cluster

LEADERS = """
[[sites.acme.audiences]]
name = "Leaders"
rules = [{ field = "manager", has_reports = true }]
assign = ["course:LEAD"]
"""


@dataclass
class Looking(Silent):
    """Counts, while a run is under way, the forks on the server's disk that are synced as soon as they are made."""

    cluster: Cluster
    most: int = field(default=0, init=False)

    def stage(self, name: str) -> None:  # noqa: ARG002 at each of them
        self.most = max(self.most, forks(self.cluster))


def forks(cluster: Cluster) -> int:
    return len([*(cluster.folder / "data" / "base").glob("*/*_init")])


@pytest.fixture
def site(cluster: Cluster, tmp_path: Path) -> Iterator[Site]:
    text = f'[daemon]\ndata_dir = "{tmp_path}"\n[sites.acme]\ndatabase = "{cluster.create_database("staging")}"\n'
    yield parse(text + CONFIG_SNIPPET.format(site="acme") + LEADERS).sites["acme"]
    cluster.drop_database("staging")


def test_a_small_set_costs_the_disk_no_syncs_but_those_of_its_commits(
    site: Site, cluster: Cluster, tmp_path: Path
) -> None:
    looking = Looking(cluster)
    for day in range(2):
        write_company(tmp_path / f"day{day}", users=200, change=day / 10)
        (result,) = sync_folder(site, tmp_path / f"day{day}", Options(progress=looking))
        assert result.counts["user"]["updated" if day else "created"]
        assert day or result.learning["assigned"]
    assert looking.most == 0


def test_a_table_that_several_processes_may_read_costs_them(site: Site, cluster: Cluster) -> None:
    with opened(site) as database, database.transaction():
        database.table("crowd", "id BIGINT PRIMARY KEY", large=True)
        assert forks(cluster) == 2  # the table's and its index's
