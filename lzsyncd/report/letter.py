"""What a mail says: facts of the ledger, asked for when it is sent, so that they are true then.

No value of a file is in a subject (law 8), nor in a text: where a finding's sentence has one, there is “…”. Only a hold
names units, since a person has to decide about them. The reject files that come with a mail have whole records: that is
what they are for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from lzsyncd.checks.catalogue import CATALOGUE
from lzsyncd.config import Site
from lzsyncd.config.values import duration_text
from lzsyncd.feed.elements import Element
from lzsyncd.intake.claim import order_in
from lzsyncd.ledger.mails import Waiting
from lzsyncd.ledger.queries import Cause, RunSummary, breaches, causes, summary
from lzsyncd.ledger.roots import CauseCount, cause_counts
from lzsyncd.report.outbox import links_lost
from lzsyncd.zone.database import Database

SHOWN = 20  # kinds of reasons in a mail, runs in a summary
PLACES = 3  # of each reason
GROUPS = 10  # of each limit
LOOKED_AT = 500  # causes among which the places are looked for
GAP = "…"
OWN_WORDS = (
    "set.incomplete",
    "set.removals_withheld",
    "set.checksum",
    "file.delimiter",
    "file.encoding",
    "file.too_large",
)
"""Findings whose stored sentence has nothing of a file's cells in it."""

SHORT = 8  # characters of a run's id that people say


@dataclass(frozen=True)
class Reason:
    """What is wrong, how often, and where first."""

    head: str
    text: str
    places: tuple[str, ...]


@dataclass(frozen=True)
class Breach:
    """A limit of a guard that a plan is over; `unnamed` says it without a unit."""

    text: str
    groups: tuple[str, ...]
    unnamed: str


@dataclass(frozen=True)
class Letter:
    """A mail's content.

    Attributes:
        subject: without the site.
        headline: the one sentence for who reads no further.
        texts: more sentences.
        facts: names and what they are.
        counts: what became of the records, a row a line, with a head.
        breaches: why a set is held.
        reasons: what is wrong.
        runs: of a summary, a line each.
        to_do: what there is to do, and the command that does it.
        attached: files that come with it.
    """

    subject: str
    headline: str
    texts: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    counts: tuple[tuple[str, ...], ...] = ()
    breaches: tuple[Breach, ...] = ()
    reasons: tuple[Reason, ...] = ()
    runs: tuple[str, ...] = ()
    to_do: tuple[tuple[str, str], ...] = ()
    attached: tuple[Path, ...] = field(default=())


def letter_of(database: Database, site: Site, mail: Waiting) -> Letter:
    """The letter of one mail."""
    if mail.kind == "late":
        return _late(site, mail)
    told = summary(database, mail.run)
    subject, headline = _words(told, mail)
    rejects = _rejects(site, mail.run)
    attached = rejects if sum(path.stat().st_size for path in rejects) <= site.notify.attach_up_to else ()
    return Letter(
        subject=f"{subject} (run {told.run[-SHORT:]})",
        headline=headline,
        texts=tuple(_texts(site, told, mail)),
        facts=(("Site", site.name), ("Run", told.run), ("Came", local(site, told.created_at))),
        counts=tuple(_counts(told)),
        breaches=tuple(_breach(found) for found in breaches(database, told.run)),
        reasons=tuple(_reasons(database, site, told.run)),
        to_do=tuple(_to_do(site, told, mail, rejects, attached)),
        attached=attached,
    )


def summary_of(database: Database, site: Site, mails: Sequence[Waiting]) -> Letter:
    """One letter for many mails of a kind."""
    first, last, number = mails[0], mails[-1], len(mails)
    lines = [_line(database, site, mail) for mail in islice(reversed(mails), SHOWN)]
    more = [f"… and {number - SHOWN:,} before these."] if number > SHOWN else []
    headline = f"{number:,} times since {local(site, first.created_at)}: {_OFTEN[first.kind]}."
    return Letter(
        subject=f"{number:,} times: {_OFTEN[first.kind]}",
        headline=headline,
        texts=("So many mails would help nobody, so here is one. The newest first:",),
        facts=(("Site", site.name), ("Until", local(site, last.created_at))),
        runs=(*lines, *more),
        to_do=(("See all runs:", f"lzsyncd runs --site {site.name}"),),
    )


_OFTEN = {
    "error": "a set was rejected, failed or was put aside",
    "warning": "a set was good, with findings",
    "held": "a set waits for a decision",
    "late": "no good set came",
    "recovered": "a good set came again",
    "success": "a set was applied",
}


def _line(database: Database, site: Site, mail: Waiting) -> str:
    when = local(site, mail.created_at)
    if not mail.run:
        return when
    told = summary(database, mail.run)
    return f"{when}: run {mail.run} is {told.status}{_most(cause_counts(database, mail.run))}"


def _most(found: list[CauseCount]) -> str:
    return f", {found[0].code} ({found[0].number + found[0].behind:,})" if found else ""


def _late(site: Site, mail: Waiting) -> Letter:
    since = local(site, mail.about.partition(":")[2])
    every = duration_text(site.feed_expected_every or 0)
    text = "Sets that were rejected or are held count as not come. You are told when a good one has come."
    return Letter(
        subject="no good set has come",
        headline=f"No good set has come since {since}.",
        texts=(f"One is expected every {every}, and {duration_text(site.feed_grace)} later is not late yet. {text}",),
        facts=(("Site", site.name), ("Inbox", str(site.inbox))),
        to_do=(
            ("See what the inbox has, and what it waits for:", f"lzsyncd status {site.name}"),
            ("Ask whoever makes the export whether it ran, and whether its upload failed.", ""),
        ),
    )


# -- one run


def _words(told: RunSummary, mail: Waiting) -> tuple[str, str]:
    """Subject and headline. By now the run may have come further than the mail knew of."""
    rejected, read = (sum(row[name] for row in told.counts.values()) for name in ("rejected", "read"))
    amount = f"{rejected:,} of {read:,} records rejected" if rejected else f"{sum(told.findings.values()):,} findings"
    if mail.about.endswith(":put-aside"):
        return "a set was put aside", "The set was put aside: its run failed too often. Nothing was changed."
    if mail.kind == "recovered":
        return "a good set has come again", "A good set has come again."
    if told.status == "rejected" and not told.set_hash:
        return "the rules were not applied", "There was no set, and the rules alone were not applied."
    words = {
        "rejected": ("the set was rejected", "The set was rejected. Nothing was changed."),
        "failed": ("the run failed", "The run failed. Nothing was changed."),
        "held": ("a set waits for your decision", "The set waits for your decision. Nothing was changed yet."),
        "checked": (amount, f"The set is good: {amount}. It is applied at its slot."),
        "applied": (amount, f"The set was applied: {amount}."),
        "unchanged": (amount, f"The site was up to date already: {amount}."),
    }
    if mail.kind == "success":
        return "the set was applied", "The set was applied, and there is nothing to be said of it."
    return words.get(told.status, (f"the set is {told.status}", f"The set came to its end: it is {told.status}."))


def _texts(site: Site, told: RunSummary, mail: Waiting) -> Iterator[str]:
    if told.message:
        yield told.message
    if told.status == "failed" and order_in(site.folder / "spool" / told.run) is not None:
        yield "It is tried again by itself."
    if mail.kind == "recovered":
        where = "It is applied at its slot." if told.status == "checked" else "The site is up to date."
        yield f"What mails before this one told of is over. {where}"


def _counts(told: RunSummary) -> Iterator[tuple[str, ...]]:
    if told.counts:
        yield ("", *next(iter(told.counts.values())))
    for e, row in told.counts.items():
        yield (e, *(f"{number:,}" for number in row.values()))


def _breach(found: dict[str, Any]) -> Breach:
    """A limit, by how much the plan is over it, and who that would be: nobody can decide without their names."""
    where = f" in {found['unit']}" if found["unit"] else ""
    text = f"{found['element']}, {found['guard']}: {found['figure']:,} of {found['base']:,}"
    limit = f"; the limit is {found['allowed']}"
    groups = (f"{group['count']:,} in {group['name']}" for group in found["largest"][:GROUPS])
    return Breach(f"{text}{where}{limit}", tuple(groups), f"{text}{limit}")


def _reasons(database: Database, site: Site, run_id: str) -> Iterator[Reason]:
    """By code, the dearest and most frequent first; of each the places with most behind them."""
    counted = [count for count in cause_counts(database, run_id) if count.code != "guard.exceeded"]  # see `breaches`
    found = causes(database, run_id, LOOKED_AT)
    for count in counted[:SHOWN]:
        places = [cause for cause in found if (cause.code, cause.severity) == (count.code, count.severity)]
        behind = (
            f", and {count.behind:,} more because of {'it' if count.number == 1 else 'them'}" if count.behind else ""
        )
        yield Reason(
            f"{count.number:,} × {count.code} ({count.severity}){behind}",
            _sentence(site, places[0]) if places else CATALOGUE[count.code].remedy,
            tuple(_place(site, cause) for cause in places[:PLACES]),
        )
    if len(counted) > SHOWN:
        yield Reason(f"… and {len(counted) - SHOWN} more kinds of findings", "The command below lists them.", ())


def _sentence(site: Site, cause: Cause) -> str:
    if cause.code in OWN_WORDS:
        return cause.message
    entry = CATALOGUE[cause.code]
    if entry.sentence == "{detail}":
        return entry.remedy
    column = cause.column if _is_ours(site, cause) else GAP
    return f"{entry.sentence.format(column=column, value=GAP, detail=GAP, idnumber=GAP)} {entry.remedy}"


def _place(site: Site, cause: Cause) -> str:
    if not cause.file:
        return cause.element or "the set as a whole"
    column = f", column {cause.column}" if cause.column and _is_ours(site, cause) else ""
    behind = f": {cause.behind:,} more because of it" if cause.behind else ""
    return f"{cause.file}, line {cause.line}{column}{behind}"


def _is_ours(site: Site, cause: Cause) -> bool:
    """Whether a column has a name of ours, not one that the file made up."""
    if cause.element not in tuple(Element):
        return False
    element = Element(cause.element)
    return cause.column in {column.name for column in site.element(element).columns(element)}


def _rejects(site: Site, run_id: str) -> tuple[Path, ...]:
    return tuple(sorted((site.outbox / run_id).glob("rejected-*.csv")))


def _to_do(
    site: Site, told: RunSummary, mail: Waiting, rejects: Sequence[Path], attached: Sequence[Path]
) -> Iterator[tuple[str, str]]:
    if told.status == "held":
        yield "Look at it:", f"lzsyncd show {told.run}"
        yield "Apply it:", f"lzsyncd approve {told.run}"
        yield "Throw it away:", f"lzsyncd discard {told.run}"
    if mail.about.endswith(":put-aside"):
        yield f"The files are in {site.folder / 'quarantine' / told.run}. Put them into the inbox to try again.", ""
    if rejects:
        where = "attached" if attached else f"in {rejects[0].parent}"
        names = ", ".join(path.name for path in rejects)
        yield f"Mend the rejected records ({names}, {where}) and put these files into the inbox.", ""
        yield from ((text, "") for text in links_lost(told))
    if told.findings:
        yield "List every finding:", f"lzsyncd errors {told.run}"
    elif told.status == "failed":
        yield "See what happened:", f"lzsyncd show {told.run}"


def trial_letter(site: Site) -> Letter:
    """What `mail-test` sends."""
    return Letter(
        subject="this is a test",
        headline=f"This is a test: mails about {site.name} come here.",
        texts=("Somebody has run lzsyncd mail-test. There is nothing to be done.",),
        facts=(("Site", site.name), ("Told of", ", ".join(site.notify.on))),
    )


def local(site: Site, moment: str) -> str:
    """A time as the people of a site read it."""
    return f"{datetime.fromisoformat(moment).astimezone(site.timezone):%-d %B %Y, %H:%M} ({site.timezone.key})"
