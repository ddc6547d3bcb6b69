"""`prune`: what it shows, and where it waits."""

import json
from contextlib import closing

from lzsyncd.zone.database import Database, opened


def test_prune_shows_what_would_go_and_deletes_it(after, lzsyncd):
    with opened(after.site) as database:
        database.run("UPDATE sync_run SET finished_at = '2020-01-01T00:00:00.000Z'")
        first = str(database.value("SELECT min(id) FROM sync_run WHERE kind = 'sync'"))
    (would,) = json.loads(lzsyncd("prune", "--dry-run", "--json").out)
    assert (would["site"], would["dry_run"]) == ("acme", True)
    assert would["archives"]
    assert would["rows"]["changes"]
    assert "Would go, of runs" in lzsyncd("prune", "acme", "--dry-run").out
    with closing(Database(after.site)) as other:
        other.lock("THE-OTHER-RUN")
        assert lzsyncd("prune").code == 75
        assert lzsyncd("prune", "--dry-run").code == 0
    outcome = lzsyncd("prune")
    assert (outcome.code, outcome.out.startswith("acme: "), "Gone, of runs" in outcome.out) == (0, True, True)
    assert lzsyncd("prune").out.startswith("acme: nothing is older than ")
    for command in ("show", "errors", "changes"):
        assert "files, report, findings and changes, since " in lzsyncd(command, first).out
    assert lzsyncd("undo", first).code == 2


def test_prune_of_a_site_without_a_run_makes_no_database(tmp_path, lzsyncd):
    (tmp_path / "lzsyncd.toml").write_text(f'[daemon]\ndata_dir = "{tmp_path}/data"\n[sites.acme]')
    where = ("--config", str(tmp_path / "lzsyncd.toml"))
    assert lzsyncd(*where, "prune").out == "There is no run yet.\n"
    assert lzsyncd(*where, "prune", "--json").out == "[]\n"
    assert not (tmp_path / "data").exists()
