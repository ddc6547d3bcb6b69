"""An undo that is killed leaves the site as it was, or taken back; whoever comes next finishes it."""

import signal
from typing import Any

import pytest

from tests.laws.bridge import get_zone
from tests.laws.company import DAY_TWO
from tests.laws.ground import LZ, ask, look
from tests.system.aftermath import is_sound, leftovers, newest, wait_until_free
from tests.system.program import Place, Point, ended

BEFORE_THE_COMMIT = {
    "half of it is put back": Point("lzsyncd.sync.restore", "_put_back", call=3),
    "before the commit": Point("lzsyncd.zone.database", "Database.run", "before", text="COMMIT"),
}
AFTER_THE_COMMIT = {
    "after the commit": Point("lzsyncd.zone.database", "Database.run", text="COMMIT"),
    "the outbox is written, not renamed": Point("lzsyncd.report.outbox", "_make_durable"),
}


@pytest.mark.parametrize("point", [*BEFORE_THE_COMMIT, *AFTER_THE_COMMIT])
def test_killed_it_is_done_or_not_and_whoever_comes_next_finishes_it(place: Place, point: str) -> None:
    before = look(place.site, *LZ)
    assert place.sync(place.deliver("two", DAY_TWO)).code == 10
    after, run = look(place.site, *LZ), str(newest(place)["id"])
    where = (BEFORE_THE_COMMIT | AFTER_THE_COMMIT)[point]
    assert ended(place.start("undo", run, point=where)).code == -signal.SIGKILL
    wait_until_free(place)
    assert look(place.site, *LZ) == (after if point in BEFORE_THE_COMMIT else before)
    finish(place)
    assert look(place.site, *LZ) == before
    (undone,) = ask(place.site, "SELECT * FROM sync_run WHERE kind = 'undo'")
    assert (undone["status"], undone["undoes"]) == ("applied", run)
    assert (place.site.outbox / undone["id"] / "summary.txt").exists()
    (request,) = ask(place.site, "SELECT * FROM sync_request")
    assert (request["exit_code"], request["result_run_id"]) == (0, undone["id"])
    assert leftovers(place) == []
    assert is_sound(place)
    assert get_zone(place.site).people


def finish(place: Place) -> Any:
    """Somebody looks after the site; there is nothing to sync."""
    place.site.inbox.mkdir(parents=True, exist_ok=True)
    assert ended(place.start("sync", "acme")).code == 40
