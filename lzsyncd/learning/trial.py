"""What rules would do now, without a set: asked and written like in a run, then rolled back."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from lzsyncd.checks.findings import FindingStore
from lzsyncd.config import Site
from lzsyncd.feed.elements import Element
from lzsyncd.feed.stage import Stager
from lzsyncd.learning.writing import write_learning
from lzsyncd.ledger.learning import Move, Tally, moves_in
from lzsyncd.ledger.runs import iso, new_run_id
from lzsyncd.progress import Silent
from lzsyncd.sync.going import find_going
from lzsyncd.sync.match import match
from lzsyncd.sync.picture import Picture
from lzsyncd.sync.plan import make_plan
from lzsyncd.sync.rounds import settle
from lzsyncd.zone.database import Database, opened
from lzsyncd.zone.images import Images


@dataclass
class Trial:
    """What the rules would do.

    Attributes:
        tallies: what moves, an audience each.
        moves: who joins and leaves, and why.
        told: findings as (code, audience).
    """

    tallies: Sequence[Tally] = ()
    moves: Sequence[Move] = ()
    told: list[tuple[str, str]] = field(default_factory=list)


class _Enough(Exception):
    """Ends the transaction without a commit."""


def try_rules(site: Site, now: datetime) -> Trial:
    """Ask the rules of a site about everybody; nothing is changed.

    Raises:
        TryAgain: a run is under way, or the database is away.
    """
    trial = Trial()
    with opened(site) as database:
        run_id = new_run_id(now)
        database.lock(run_id)
        with suppress(_Enough), database.transaction():
            _ask(database, run_id, now, trial)
            raise _Enough
    return trial


def _ask(database: Database, run_id: str, now: datetime, trial: Trial) -> None:
    picture = _picture(database, run_id, now)
    match(picture)
    find_going(picture)
    settle(picture)
    learning = make_plan(picture, run_id, everybody=True).learning
    write_learning(picture, learning, run_id, Images(database, run_id))
    trial.tallies, trial.moves = learning.tallies, moves_in(database, run_id)
    trial.told += [(str(code), str(name)) for code, name in database.rows("SELECT code, detail FROM finding")]


def _picture(database: Database, run_id: str, now: datetime) -> Picture:
    """What stands, and no file."""
    findings = FindingStore(database)
    findings.create_table()
    site = database.site
    staged = {e: Stager(database, site, e, site.element(e), findings, Silent(), run_id).absent() for e in Element}
    return Picture(database, staged, findings, Silent(), iso(now), now.astimezone(site.timezone).date().isoformat())
