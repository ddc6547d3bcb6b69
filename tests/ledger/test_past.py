"""A record as it was, rebuilt from its history."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lzsyncd.config import Site
from lzsyncd.errors import Usage
from lzsyncd.feed.elements import Element
from lzsyncd.ledger.past import moment_of, past_of
from lzsyncd.ledger.queries import history
from lzsyncd.ledger.runs import iso
from lzsyncd.sync import undo
from lzsyncd.sync.run import Options
from tests.laws.bridge import A_DAY
from tests.laws.company import DAY_ONE, DAY_TWO, DELETES
from tests.laws.ground import Ground, connected, csv_of, sync_at, tell

LONDON = ZoneInfo("Europe/London")
DAY = timedelta(days=1)


def as_of(site: Site, element: Element, key: str, moment: datetime) -> dict[str, Any] | None:
    with connected(site) as database:
        return past_of(history(database, element, key), iso(moment)).fields


@pytest.fixture
def ground(database: Any, tmp_path: Any) -> Ground:
    return Ground(database, tmp_path)


def test_a_record_is_known_as_it_was_on_each_day_also_after_an_undo(ground: Ground) -> None:
    site = ground.fresh(DELETES)
    sync_at(A_DAY, site, DAY_ONE)
    run = sync_at(A_DAY + DAY, site, DAY_TWO).run
    with connected(site) as database:
        database.lock("of a test")
        undo.take_back(database, site, run, Options(clock=lambda: A_DAY + 2 * DAY))
    hours = timedelta(hours=1)
    days = [A_DAY + number * DAY + hours for number in (-1, 0, 1, 2)]
    bob = [as_of(site, Element.USER, "2", day) for day in days]
    assert bob[0] is None
    assert [found and (found["username"], found["city"], found["manageridnumber"]) for found in bob[1:]] == [
        ("bob", "London", "1"),
        ("ann", "Leeds", "3"),
        ("bob", "London", "1"),
    ]
    assert bob[3] == bob[1]
    eve = [as_of(site, Element.USER, "5", day) for day in days]
    assert [found and found["city"] for found in eve] == [None, None, "York", None]
    east = [as_of(site, Element.ORG, "E", day) for day in days]
    there = {"fullname": "East", "parentidnumber": "S"}
    assert east == [None, there, None, there]
    dee = as_of(site, Element.USER, "4", days[2])
    assert dee is not None
    assert dee["deleted"] is True


def test_custom_fields_of_a_unit_that_went_and_came_back_have_their_names(ground: Ground) -> None:
    site = ground.fresh(DELETES)
    sync_at(A_DAY, site, DAY_ONE)
    tell(site, "UPDATE lz_org SET custom = '{\"colour\": \"red\"}' WHERE idnumber = 'E'")
    run = sync_at(A_DAY + DAY, site, DAY_TWO).run
    with connected(site) as database:
        database.lock("of a test")
        undo.take_back(database, site, run, Options(clock=lambda: A_DAY + 2 * DAY))
    found = as_of(site, Element.ORG, "E", A_DAY + 3 * DAY)
    assert found == {"fullname": "East", "parentidnumber": "S", "customfield_colour": "red"}


def test_what_is_missing_for_want_of_history_is_said(ground: Ground) -> None:
    site = ground.fresh(DELETES)
    sync_at(A_DAY, site, DAY_ONE)
    sync_at(A_DAY + DAY, site, {"org.csv": csv_of("idnumber,fullname", "A,Acme plc", "N,North", "S,South", "E,East")})
    tell(site, "DELETE FROM sync_change WHERE action = 'created'")
    with connected(site) as database:
        past = past_of(history(database, Element.ORG, "A"), "9999")
    assert (past.fields, past.is_whole) == ({"fullname": "Acme plc"}, False)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-07-01", "2026-07-01T23:00:00.000Z"),
        ("2026-12-01", "2026-12-02T00:00:00.000Z"),
        ("2026-07-01T12:30", "2026-07-01T11:30:00.000Z"),
        ("2026-07-01T12:30:00+02:00", "2026-07-01T10:30:00.000Z"),
    ],
)
def test_a_day_means_its_end_in_the_time_zone_of_the_site(text: str, moment: str) -> None:
    assert moment_of(text, LONDON) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30", "9999-12-31", "2026-07-01Tnoon"])
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(Usage):
        moment_of(text, LONDON)
