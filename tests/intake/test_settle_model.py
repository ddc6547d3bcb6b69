"""A client that does whatever clients do, against a settler that looks whenever it looks.

Each delivery has a number, and each file remembers which delivery it is of. Two things no settler can know are left
out: that a delivery of which nothing is open or under a temporary name will go on after the quiet time, and that a
client which was cut off while it replaced the files of a set that nobody had claimed yet will not come back.
"""

import itertools

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from lzsyncd.intake.settle import PAUSE, Verdict

from .inbox import SET, Inbox

SETTLE, WINDOW = 30.0, 300.0
TICK = 0.01  # seconds that anything takes
ROUNDING = 1e-5  # seconds; wall clocks have microseconds
STYLES = {"in place": "{}", "winscp": "{}.filepart", "hidden": ".{}.part"}


class Clients(RuleBasedStateMachine):
    """One client after the other delivers sets; the daemon looks, claims what is ready, and is restarted."""

    @initialize(incomplete=st.sampled_from(["hold", "sync", "reject"]))
    def start(self, incomplete):
        self.inbox = Inbox(settle=SETTLE, set_window=WINDOW, incomplete=incomplete)
        self.number = 0
        self.of: dict[str, int] = {}  # name: its delivery
        self.todo: list[str] = []  # files of the delivery that are still to come
        self.open: str | None = None
        self.closing = False
        self.said_done: set[int] = set()
        self.changed = dict.fromkeys(SET, 0.0)  # monotonic
        self.sizes = itertools.count(1)

    def change(self, name: str, *, writer: bool, size: int | None = None) -> None:
        self.inbox.now += TICK
        size = next(self.sizes) if size is None else size
        self.inbox.put(name, size=size, writer=writer)
        self.of[name] = self.number
        self.changed[name] = self.inbox.now

    def finish(self, name: str) -> None:
        self.change(name, writer=False)
        self.open = None
        final = next(final for final in SET if final in name)
        if final != name:
            self.inbox.rename(name, final)
            self.of[final] = self.of.pop(name)
            self.changed[final] = self.inbox.now
        self.todo.remove(final)

    # the client

    @precondition(lambda self: not self.todo and not self.closing)
    @rule(order=st.permutations(SET), style=st.sampled_from(sorted(STYLES)), marker=st.booleans())
    def deliver(self, order, style, marker):
        self.number += 1
        self.todo, self.style, self.closing = list(order), style, marker
        self.upload()

    @precondition(lambda self: self.todo and not self.open)
    @rule()
    def upload(self):
        style = "in place" if self.style == "winscp" and self.todo[0] != "user.csv" else self.style
        self.open = STYLES[style].format(self.todo[0])
        self.change(self.open, writer=True, size=0)

    @precondition(lambda self: self.open)
    @rule()
    def write(self):
        self.change(self.open, writer=True)

    @precondition(lambda self: self.open)
    @rule()
    def finish_file(self):
        self.finish(self.open)

    @precondition(lambda self: self.todo and not self.open)
    @rule()
    def upload_the_rest(self):
        while self.todo:
            self.upload()
            self.finish(self.open)

    @precondition(lambda self: self.closing and not self.todo)
    @rule()
    def say_done(self):
        self.change("set.done", writer=False)
        self.said_done.add(self.number)
        self.closing = False

    @precondition(lambda self: self.open)
    @rule(again=st.booleans())
    def kill(self, again):
        """The connection is cut. The client comes back at once, or gives up where that harms no earlier set."""
        self.change(self.open, writer=False)
        self.open = None
        if again:
            self.todo = list(SET)
            self.upload()
        elif all(self.of[name] == self.number for name in self.inbox.files if name in SET):
            self.todo, self.closing = [], False
        else:
            self.upload()

    @rule(name=st.sampled_from(["report.pdf", "User.csv", "rejected.txt"]))
    def drop_something_else(self, name):
        self.inbox.put(name)

    # time, events and the daemon

    @rule(seconds=st.floats(0, SETTLE - 2))
    def wait(self, seconds):
        """Less than the quiet time in all, as long as the client is at work between two files."""
        idle = self.inbox.now - max(self.changed.values())
        busy = (self.todo or self.closing) and not self.open
        self.inbox.now += min(seconds, max(SETTLE - 1 - idle, 0.0)) if busy else seconds

    @precondition(lambda self: self.open or not (self.todo or self.closing))
    @rule(seconds=st.sampled_from([SETTLE, WINDOW, 3 * WINDOW]))
    def stall(self, seconds):
        self.inbox.now += seconds

    @rule(name=st.sampled_from([*SET, "user.csv.filepart", "set.done", None]))
    def event(self, name):
        self.inbox.touched(name)

    @precondition(lambda self: not (self.todo or self.closing))
    @rule()
    def restart(self):
        self.inbox.restart()

    @rule()
    def look(self):
        self.judge(self.inbox.look())

    def judge(self, verdict: Verdict) -> None:
        inbox = self.inbox
        for delivery in verdict.ready:
            files = [entry.name for entry in delivery.files.values()]
            assert not any(entry.writer for entry in inbox.files.values() if self.target(entry.name))
            numbers = {self.of[name] for name in files}
            assert len(numbers) == 1, f"two deliveries in one set: {files}"
            quiet = inbox.now - max(self.changed[name] for name in files)
            assert quiet >= (PAUSE if numbers <= self.said_done and delivery.markers else SETTLE) - ROUNDING
            assert not delivery.missing or inbox.settler.rules.incomplete != "hold"
            for name in [*files, *(marker.name for marker in delivery.markers)]:
                inbox.remove(name)

    @staticmethod
    def target(name: str) -> bool:
        return any(final in name for final in SET)

    def teardown(self):
        """When the last client is done, all is claimed or told, by looks at the times that were asked for alone."""
        if self.open:
            self.finish(self.open)
        self.upload_the_rest()
        for _ in range(30):
            verdict = self.inbox.look()
            self.judge(verdict)
            if verdict.look_again is None and not verdict.ready:
                break
            self.inbox.now += verdict.look_again or 0.0
        assert verdict.look_again is None
        held = {entry.name for entry in verdict.held.files.values()} if verdict.held else set()
        said = "\n".join(verdict.waiting)
        assert all(name in held or f"{name}: untouched" in said for name in self.inbox.files if self.target(name))


Clients.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_whatever_clients_do_sets_are_whole_and_all_is_claimed_or_told = Clients.TestCase
