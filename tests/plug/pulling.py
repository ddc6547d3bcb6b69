"""Pull the plug before each step of some work, start again, and see whether all is as if nothing had happened."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.plug.installation import Installation, Stuck, Workshop
from tests.plug.judge import End, differences, end_of, sent_again
from tests.plug.scenarios import SCENARIOS, Scenario

TAKEN_NOT_MARKED = ("to the mail server, QUIT", "ledger.mails.sent: ")
"""Between a mail server's "taken" and our note of it: who is killed there sends that mail again (docs/operating.md)."""


@dataclass(frozen=True)
class Step:
    """A step that was seen: its place, and how often one process came to it."""

    place: str
    calls: int


@dataclass(frozen=True)
class Pulled:
    """What came of one kill.

    Attributes:
        step: before which it hit.
        call: the how manieth of that place.
        hit: whether it was met before the work ended.
        found: what was not as it should be.
        again: mails that came twice with the same Message-ID.
    """

    step: Step
    call: int
    hit: bool
    found: tuple[str, ...] = ()
    again: int = 0


@dataclass
class Rehearsal:
    """A scenario as it goes when nothing happens.

    Attributes:
        template: what stands before.
        steps: all that were seen, in their order.
        end: how it stands in the end.
    """

    workshop: Workshop
    scenario: Scenario
    template: Installation = field(init=False)
    steps: list[Step] = field(init=False)
    end: End = field(init=False)

    def __post_init__(self) -> None:
        self.template = self.workshop.bare()
        self.scenario.prepare(self.template)
        record = self.template.place.folder.parent / "steps"
        with self.workshop.lent(self.template) as made:
            go(made, self.scenario, {"record": str(record)})
            assert made.wait(lambda: has_ended(made, self.scenario)) == 0
            stop(made)
            assert differences(made, end_of(made)) == []
            self.end = end_of(made)
        self.steps = seen(record)
        record.unlink()

    def cases(self, calls: str) -> Iterator[tuple[Step, int]]:
        """Each place at its `first` call, at the first and the last of them (`ends`), or at `every` one."""
        for step in self.steps:
            numbers = {"first": [1], "ends": sorted({1, step.calls}), "every": range(1, step.calls + 1)}
            for call in numbers[calls]:
                yield step, call

    def pull(self, step: Step, call: int, *, power: bool = False) -> Pulled:
        """Pull the plug before a step, start again and look."""
        scenario = self.scenario
        with self.workshop.lent(self.template) as made:
            go(made, scenario, {"place": step.place, "call": call})
            if made.wait(made.has_stopped, lambda: has_ended(made, scenario)):
                return Pulled(step, call, hit=False)
            made.pull_the_plug(power=power)
            made.a_minute_goes_by()
            try:
                go_on(made, scenario)
                stop(made)
            except Stuck as error:
                return Pulled(step, call, hit=True, found=("does not end", str(error)))
            found, again = differences(made, self.end), sent_again(made)
            found += [f"{again} mails doubled"] * (again > step.place.endswith(TAKEN_NOT_MARKED[0]) + _is_marking(step))
            return Pulled(step, call, hit=True, found=tuple(found), again=again)

    def forget(self) -> None:
        """Remove what stands before."""
        self.workshop.remove(self.template)


def _is_marking(step: Step) -> bool:
    return step.place.startswith(TAKEN_NOT_MARKED[1])


def seen(record: Path) -> list[Step]:
    """The steps of a record: a line each, with the process that took it."""
    lines = [line.split(" ", 1) for line in record.read_text().splitlines()]
    calls = Counter((place, pid) for pid, place in lines)
    places = dict.fromkeys(place for _, place in lines)
    return [Step(place, max(n for (other, _), n in calls.items() if other == place)) for place in places]


def go(made: Installation, scenario: Scenario, steps: dict[str, object] | None = None) -> None:
    """Begin, and start whoever does the work."""
    scenario.begin(made)
    if made.disk is not None:
        made.disk.sync()  # what was uploaded is there; all else is our own to keep
    _start(made, scenario, steps)


def _start(made: Installation, scenario: Scenario, steps: dict[str, object] | None = None) -> None:
    if scenario.command:
        made.command(*scenario.command(made), steps=steps)
    else:
        made.start(steps)


def go_on(made: Installation, scenario: Scenario) -> None:
    """After the plug: whoever did the work is started again."""
    _start(made, scenario)
    made.wait(lambda: has_ended(made, scenario))


def has_ended(made: Installation, scenario: Scenario) -> bool:
    """Whether all is done that was to be done."""
    if scenario.command and not made.have_ended():
        return False
    return made.nobody_works() and made.is_idle() and scenario.has_ended(made)


def stop(made: Installation) -> None:
    """In good order."""
    codes = made.end()
    assert set(codes) <= {0, 10}, (codes, made.log.read_text()[-2000:])


def rehearse(workshop: Workshop, name: str) -> Rehearsal:
    """A scenario by its name."""
    return Rehearsal(workshop, SCENARIOS[name])
