"""What is under way when the plug is pulled: what stands before, how it begins, and when it has come to its end."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lzsyncd.ledger import requests
from lzsyncd.ledger.requests import Kind
from lzsyncd.ledger.runs import iso
from lzsyncd.sync.run import Options, sync_folder
from lzsyncd.zone.database import opened
from tests.laws.company import DAY_ONE, DAY_TWO
from tests.laws.ground import tell
from tests.plug.installation import Installation

AT_ONCE = 'apply = "on-arrival"'
LONG_AGO = "2020-01-01T00:00:00.000Z"


@dataclass(frozen=True)
class Scenario:
    """One of them.

    Attributes:
        prepare: makes what stands before, once.
        begin: what starts the work; the daemon is started after it.
        has_ended: whether what was to come of it is there, leaving aside what is still to be told.
        command: an operator's command that does the work where no daemon runs, and is given again after a kill.
    """

    prepare: Callable[[Installation], None]
    begin: Callable[[Installation], None]
    has_ended: Callable[[Installation], bool]
    command: Callable[[Installation], tuple[str, ...]] | None = None


def _number(query: str) -> Callable[[Installation], int]:
    return lambda made: int(made.ask(f"SELECT count(*) AS n FROM {query}")[0]["n"])


def _applied(number: int) -> Callable[[Installation], bool]:
    count = _number("sync_run WHERE status = 'applied'")
    return lambda made: count(made) == number


def _sync(made: Installation, name: str, files: dict[str, bytes]) -> str:
    (result,) = sync_folder(made.place.site, made.place.deliver(name, files), Options())
    return result.run


def _first_day(made: Installation, more: str = AT_ONCE, guard: str = "") -> None:
    made.configure(more, guard)
    _sync(made, "one", DAY_ONE)
    tell(made.place.site, "DELETE FROM sync_mail")


def _both_days(made: Installation) -> None:
    _first_day(made)
    _sync(made, "two", DAY_TWO)
    tell(made.place.site, "DELETE FROM sync_mail")


def _by_the_daemon(made: Installation, status: str) -> None:
    """The second day comes by the inbox, and waits for something."""
    made.put(DAY_TWO)
    made.start()
    is_there = _number(f"sync_run WHERE status = '{status}'")
    made.wait(lambda: made.is_idle() and is_there(made) == 1)
    assert made.end() == [0]
    made.box.taken.clear()


def _ask_for(kind: Kind, query: str) -> Callable[[Installation], None]:
    def ask(made: Installation) -> None:
        (run,) = made.ask(f"SELECT id, plan_hash FROM sync_run WHERE {query}")
        with opened(made.place.site) as database:
            requests.ask(database, kind, run["id"], plan_hash=run["plan_hash"], by="ada", now=iso(datetime.now(UTC)))

    return ask


def _at(moment: datetime) -> str:
    return f'apply = "on-schedule"\ntimezone = "UTC"\nschedule = "daily at {moment:%H:%M}"'


def _waiting_for_its_slot(made: Installation) -> None:
    _first_day(made, _at(datetime.now(UTC) + timedelta(hours=2)))
    tell(made.place.site, "UPDATE lzsyncd_migration SET applied = '2020-01-01 00:00:00'")
    _by_the_daemon(made, "checked")


def _lay_out(made: Installation) -> None:
    made.place.deliver("two", DAY_TWO)


def _grow_old(made: Installation) -> None:
    (first,) = made.ask("SELECT min(id) AS id FROM sync_run")
    old = f"created_at = '{LONG_AGO}', started_at = '{LONG_AGO}', finished_at = '{LONG_AGO}'"
    tell(
        made.place.site,
        "DELETE FROM sync_mail",
        f"UPDATE sync_run SET {old} WHERE id = '{first['id']}'",
    )


def _slot_is_due(made: Installation) -> None:
    made.configure(_at(datetime.now(UTC) - timedelta(hours=1)))


def _held(made: Installation) -> None:
    _first_day(made, AT_ONCE, "max_removed = 0\nmin_records = 1")
    _by_the_daemon(made, "held")


def _aged(made: Installation) -> None:
    _both_days(made)
    _grow_old(made)


SCENARIOS = {
    "arrival": Scenario(_first_day, lambda made: made.put(DAY_TWO), _applied(2)),
    "slot": Scenario(_waiting_for_its_slot, _slot_is_due, _applied(2)),
    "approve": Scenario(_held, _ask_for(Kind.APPROVE, "status = 'held'"), _applied(2)),
    "undo": Scenario(
        _both_days,
        _ask_for(Kind.UNDO, "id = (SELECT max(id) FROM sync_run)"),
        lambda made: _number("sync_run WHERE status = 'undone'")(made) == 1,
    ),
    "new site": Scenario(lambda made: made.configure(AT_ONCE), lambda made: made.put(DAY_ONE), _applied(1)),
    "lzsyncd sync": Scenario(
        _first_day,
        _lay_out,
        _applied(2),
        lambda made: ("sync", "acme", "--from", str(made.place.folder / "two")),
    ),
    "lzsyncd prune": Scenario(
        _aged,
        lambda _made: None,
        lambda made: _number("sync_run WHERE pruned_at IS NOT NULL")(made) == 1,
        lambda _made: ("prune",),
    ),
}
