"""Does a set wait for a person? Pure: what is wrong with it and what was approved go in, a verdict comes out."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Approval:
    """What a person has approved of.

    Attributes:
        set_hash: the set, "" where nobody had read it yet: then only that it is incomplete was known.
        plan_hash: the plan, "" for none.
        is_old: it came after the time for which the hold could be approved.
    """

    set_hash: str = ""
    plan_hash: str = ""
    is_old: bool = False

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
