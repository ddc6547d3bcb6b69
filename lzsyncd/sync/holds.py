"""Does a set wait for a person, and what is the person told? Pure. No value of a file is in it (law 8)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lzsyncd.config import Guard
from lzsyncd.feed.elements import Element
from lzsyncd.sync.ending import they_are
from lzsyncd.sync.guard import Breach, sentence
from lzsyncd.sync.plan import Counts


@dataclass(frozen=True)
class Approval:
    """What a person has approved of.

    Attributes:
        set_hash: the set, "" where nobody had read it yet: then only that it is incomplete was known.
        plan_hash: the plan, "" for none.
        is_old: it came after the time for which the hold could be approved.
        counts: what the plan came to that the person saw, by element.
    """

    set_hash: str = ""
    plan_hash: str = ""
    is_old: bool = False
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def covers(self, set_hash: str, plan_hash: str) -> bool:
        """Whether it is this plan of this set that was approved."""
        return not self.is_old and (self.set_hash, self.plan_hash) == (set_hash, plan_hash)

    @property
    def is_of_a_plan(self) -> bool:
        """Whether a plan was seen, and not only that files are missing."""
        return bool(self.plan_hash) or self.is_old


@dataclass(frozen=True)
class Question:
    """What decides whether a set is held.

    Attributes:
        set_hash: of the set.
        plan_hash: of the plan as it is now.
        changes: the plan changes something.
        missing: files are missing, and the site holds such sets.
        over: the plan is over a limit.
    """

    set_hash: str
    plan_hash: str
    changes: bool
    missing: bool
    over: bool


def is_held(question: Question, approval: Approval | None) -> bool:
    """Whether the set waits. An approval of another plan than the one that would be applied is none."""
    if approval is None:
        return question.missing or question.over
    if approval.covers(question.set_hash, question.plan_hash):
        return False
    if approval.is_of_a_plan:
        return question.changes
    return question.over


@dataclass(frozen=True)
class Hold:
    """Why a set waits.

    Attributes:
        missing: files that are missing.
        breaches: limits that the plan exceeds.
        approval: what was approved, and is not what would be applied now; None for nothing.
        counts: what the plan comes to.
        differing: how many records have another plan than the approved one.
    """

    missing: Sequence[str]
    breaches: Sequence[Breach]
    approval: Approval | None
    counts: Mapping[Element, Counts]
    differing: int = 0

    def told(self, run_id: str, guard: Guard, now: str, *, is_held: bool) -> str:
        """What a person is told: why and, once the set is held, what to do until when."""
        if not is_held:
            return " ".join([*self._why(), "When its turn comes it is held."])
        until = approvable_until(now, guard.approval_valid)
        what_to_do = f"To apply it all the same, until {until:%Y-%m-%d %H:%M} UTC: lzsyncd approve {run_id}"
        return " ".join([*self._why(), f"{what_to_do}. To give it up: lzsyncd discard {run_id}."])

    def _why(self) -> Iterator[str]:
        if self.approval is not None and self.approval.is_of_a_plan:
            yield from _not_approved(self.approval, self.counts, self.differing)
        if self.missing:
            yield why_incomplete(self.missing)
        if self.breaches:
            limits = "1 limit is" if len(self.breaches) == 1 else f"{len(self.breaches)} limits are"
            yield f"{limits} exceeded: {'. '.join(map(sentence, self.breaches))}."


def why_incomplete(missing: Sequence[str]) -> str:
    """What a person is told of a set of which files are missing."""
    return f'{they_are(missing)} missing. Deliver what is missing, or set incomplete = "sync".'


def approvable_until(held_at: str, seconds: float) -> datetime:
    """The last moment at which a hold can be approved."""
    return datetime.fromisoformat(held_at) + timedelta(seconds=seconds)


def _not_approved(approval: Approval, counts: Mapping[Element, Counts], differing: int) -> Iterator[str]:
    """How the plan differs from the one that was approved, in figures."""
    if approval.is_old:
        yield "The approval came too late, and the plan was made anew."
    else:
        yield "The plan is no longer the one that was approved."
    changed = [f"{differing:,} {'record' if differing == 1 else 'records'}"] if differing else []
    for e, numbers in counts.items():
        before = approval.counts.get(str(e), {})
        for name, number in numbers.as_dict().items():
            if name in before and before[name] != number:
                changed.append(f"{e}: {number:,} {name}, before {before[name]:,}")
    if changed:
        yield f"What differs: {'; '.join(changed)}."
