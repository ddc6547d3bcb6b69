"""What `status` shows: the daemon's word for what it watches, the ledger's for what was done."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from peewee import PeeweeException

from lzsyncd.checks.catalogue import shorten
from lzsyncd.cli.choice import has_ledger
from lzsyncd.cli.output import say
from lzsyncd.config import Config, Site
from lzsyncd.errors import LzsyncdError, Usage
from lzsyncd.intake.candidate import SHOWN, capped
from lzsyncd.intake.watch import Inbox
from lzsyncd.ledger import waiting
from lzsyncd.ledger.feed import Silence
from lzsyncd.ledger.fetched import Visited, last_visit
from lzsyncd.ledger.mails import left
from lzsyncd.ledger.queries import last_run, summary
from lzsyncd.ledger.runs import iso
from lzsyncd.ledger.status import Status
from lzsyncd.report.notices import silence_of
from lzsyncd.service.instance import published
from lzsyncd.sync.ending import describe
from lzsyncd.zone.database import Database, fault, opened


@dataclass(frozen=True)
class SiteState:
    """One site.

    Attributes:
        site: its name.
        trouble: what is wrong, in sentences.
        working: a run is under way.
        worker: who works for it, where the database tells: a command, or the daemon of a host; "" otherwise.
        inbox: the names that lie there.
        waiting: what is waited for, and why; only the daemon knows.
        near_misses: names that come close and are not taken.
        last_run: the last run and how it ended, None before the first.
        waiting_runs: checked sets that wait for their slot.
        held: runs that wait for a person or a file.
        remote: how the visits of the remote server go, None where there is none.
        next_slot: the next slot's name and time, UTC.
        feed_age: seconds since the last good set came to its end; None before the first.
        feed_late: no good set has come for longer than the configuration expects.
        feed_due_at: when the site becomes, or became, late; "" where nothing is expected.
        mails_waiting: mails that are yet to be sent.
        mails_given_up: mails that nobody will get.
    """

    site: str
    trouble: list[str]
    working: bool
    worker: str
    inbox: list[str]
    waiting: list[str]
    near_misses: list[str]
    last_run: dict[str, Any] | None
    waiting_runs: list[str]
    held: list[dict[str, str]]
    remote: dict[str, str] | None
    next_slot: dict[str, str]
    feed_age: int | None
    feed_late: bool
    feed_due_at: str
    mails_waiting: int
    mails_given_up: int


@dataclass(frozen=True)
class State:
    """All that was asked for.

    Attributes:
        daemon: it runs.
        sites: the sites.
    """

    daemon: bool
    sites: list[SiteState]


def state_of(config: Config, sites: list[Site]) -> State:
    """Ask the daemon, the ledgers and the folders."""
    report = published(config.daemon.runtime_dir)
    known = report["sites"] if report else {}
    return State(report is not None, [_site(site, known.get(site.name, {})) for site in sites])


@dataclass(frozen=True)
class _Told:
    """What the ledger says."""

    last: dict[str, Any] | None = None
    checked: list[str] = field(default_factory=list)
    held: list[dict[str, str]] = field(default_factory=list)
    good_at: str = ""
    quiet: Silence | None = None
    mails: tuple[int, int] = (0, 0)
    visited: Visited | None = None
    worker: str = ""


def _ledger(database: Database) -> _Told:
    quiet, mails, remote = silence_of(database, database.site), left(database), database.site.remote
    visited = last_visit(database, remote.place) if remote else None
    try:
        last = summary(database, last_run(database, ("sync",)))
    except Usage:
        return _Told(quiet=quiet, mails=mails, visited=visited, worker=database.worker())
    states = [(run.run, run.status) for run in waiting.pending(database, (Status.CHECKED, Status.HELD))]
    held = [{"run": run, "why": summary(database, run).message} for run, status in states if status == "held"]
    good = database.value(
        "SELECT max(finished_at) FROM sync_run WHERE kind = 'sync' AND status IN ('applied', 'unchanged') "
        "AND set_hash IS NOT NULL"  # rules alone bring no set
    )
    counts = {name: sum(of[name] for of in last.counts.values()) for name in ("read", "rejected")}
    return _Told(
        {"run": last.run, "status": last.status, "at": last.started_at, **counts, "learning": last.learning},
        [run for run, status in states if status == "checked"],
        held,
        str(good or ""),
        quiet,
        mails,
        visited,
        database.worker(),
    )


def _site(site: Site, known: dict[str, Any]) -> SiteState:
    trouble = list(known.get("trouble", {}).values())
    told = _Told()
    try:
        if has_ledger(site):
            with opened(site) as database:
                told = _ledger(database)
    except (LzsyncdError, PeeweeException, sqlite3.Error, OSError) as error:  # the other sites are shown all the same
        why = fault(site, error) or error
        trouble = trouble or [str(why) if isinstance(why, LzsyncdError) else f"The database: {describe(why)}"]
    if told.visited and told.visited.trouble:
        trouble.append(told.visited.trouble)
    now = datetime.now(UTC)
    slot = site.timetable.next(now)
    return SiteState(
        site=site.name,
        trouble=trouble,
        working=bool(known.get("working") or told.worker),
        worker=told.worker,
        inbox=_names(site, trouble),
        waiting=[*known.get("waiting", []), *known.get("overdue", [])],
        near_misses=known.get("near_misses", []),
        last_run=told.last,
        waiting_runs=told.checked,
        held=told.held,
        remote=asdict(told.visited or Visited()) if site.remote else None,
        next_slot=known.get("next_slot") or {"name": slot.name, "due_at": slot.due_at.isoformat()},
        feed_age=_age(told.good_at, now),
        feed_late=told.quiet is not None and told.quiet.is_late(now),
        feed_due_at=iso(told.quiet.late_at) if told.quiet and told.quiet.late_at else "",
        mails_waiting=told.mails[0],
        mails_given_up=told.mails[1],
    )


def _age(moment: str, now: datetime) -> int | None:
    """Seconds; none below zero, where the clock was put back."""
    return max(round((now - datetime.fromisoformat(moment)).total_seconds()), 0) if moment else None


def _names(site: Site, trouble: list[str]) -> list[str]:
    try:
        return sorted(shorten(entry.name) for entry in Inbox(site.inbox).entries() if not entry.name.startswith("."))
    except OSError as error:
        if not trouble:
            trouble.append(f"The inbox {site.inbox} can't be read: {error.strerror}.")
        return []


def show_state(state: State, *, as_json: bool) -> None:
    """For people, or as one JSON document."""
    if as_json:
        say(json.dumps(asdict(state), ensure_ascii=False, indent=2))
        return
    say("The daemon runs." if state.daemon else "The daemon does not run: nothing is watched. Start it: lzsyncd run")
    for site in state.sites:
        say("")
        for line in _lines(site):
            say(line)


def _lines(site: SiteState) -> list[str]:
    last = site.last_run
    rows = [("WRONG", text) for text in site.trouble]
    rows += [("LATE", f"no good set came until {site.feed_due_at[:16]}Z")] if site.feed_late else []
    rows.append(("inbox", ", ".join(capped(site.inbox[:SHOWN], len(site.inbox))) or "empty"))
    rows += [("", text) for text in site.waiting]
    if site.near_misses:
        rows.append(("", f"close, but not the right name: {', '.join(site.near_misses)}"))
    if site.remote is not None:
        rows += _remote(site.remote)
    if site.working:
        rows.append(("now", f"a run is under way{f' ({site.worker})' if site.worker else ''}"))
    rows.append(("last run", f"{last['run']}, {last['status']}, {last['at'][:16]}Z" if last else "none yet"))
    if last and last["rejected"]:
        rows.append(("", f"{last['rejected']:,} of {last['read']:,} records rejected: lzsyncd errors {last['run']}"))
    if last and any(last["learning"].values()):
        rows.append(("", ", ".join(f"{number:,} {what}" for what, number in last["learning"].items() if number)))
    rows += [("waits", f"run {run} is checked and waits for its slot") for run in site.waiting_runs]
    rows += [("held", f"run {held['run']}: {held['why']}") for held in site.held]
    rows.append(("next slot", f"{site.next_slot['name']}, {site.next_slot['due_at'][:16]}Z"))
    rows.append(("last good", "never" if site.feed_age is None else f"{_span(site.feed_age)} ago"))
    rows += [("mail", text) for text in _mails(site)]
    return [site.site, *(f"  {name:<10} {text}" for name, text in rows)]


def _mails(site: SiteState) -> Iterator[str]:
    if site.mails_waiting:
        yield f"{site.mails_waiting:,} {'waits' if site.mails_waiting == 1 else 'wait'} to be sent"
    if site.mails_given_up:
        yield f"{site.mails_given_up:,} given up: nobody will get them"


def _remote(told: dict[str, str]) -> list[tuple[str, str]]:
    """When the server was visited and gave something."""
    if not told["visited_at"]:
        return [("remote", "not visited yet")]
    times = {"visited": told["visited_at"], "well": told["well_at"], "fetched": told["fetched_at"]}
    rows = [("remote", ", ".join(f"{what} {at[:16] + 'Z' if at else 'never'}" for what, at in times.items()))]
    return rows + ([("", told["waiting"])] if told["waiting"] else [])


def _span(seconds: int) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"
