"""What the page says at a glance: health, times, sizes, states; all without a browser."""

from zoneinfo import ZoneInfo

import pytest

from lzsyncd.checks.catalogue import Severity
from lzsyncd.cli.state import SiteState
from lzsyncd.ledger.status import Status
from lzsyncd.web import shown
from lzsyncd.web.chart import HALF, chart
from lzsyncd.web.overview import health_of
from lzsyncd.web.questions.runs import RunLine

ZONE = ZoneInfo("Europe/London")


def line(
    status: str = "applied", *, rejected: int = 0, changed: int = 0, findings: int = 0, kind: str = "sync"
) -> RunLine:
    at = "2026-07-01T12:00:00.000Z"
    return RunLine("r", kind, "arrival", status, at, at, at, "Why it was.", 10, changed, rejected, findings)


def site(**more) -> SiteState:
    known = {
        **{name: [] for name in ("trouble", "inbox", "waiting", "near_misses", "waiting_runs", "held")},
        "site": "acme",
        "working": False,
        "last_run": None,
        "next_slot": {},
        "feed_age": None,
    }
    names = SiteState.__dataclass_fields__
    return SiteState(**{name: ({**known, **more}).get(name) for name in names})


@pytest.mark.parametrize(
    ("state", "last", "daemon", "title"),
    [
        (site(trouble=["The disk is full."]), line(), True, "Something is wrong"),
        (site(), line(), False, "The service does not run"),
        (site(held=[{"run": "r", "why": ""}]), line("held"), True, "A set waits for a decision"),
        (site(), None, True, "Nothing has come yet"),
        (site(working=True), line(), True, "A run is under way"),
        (site(), line("checking"), True, "A run is under way"),
        (site(), line("rejected"), True, "The last set was not applied"),
        (site(), line("failed"), True, "The last set was not applied"),
        (site(), line(rejected=2), True, "In step, but for some records"),
        (site(), line(), True, "All is well"),
        (site(), line(status="checked", changed=8, rejected=1), True, "Checked files wait for their slot"),
        (site(), line(status="undone"), True, "The last set was taken back"),
        (site(), line(status="discarded"), True, "The last set was given up"),
    ],
)
def test_the_worst_is_told_first(state: SiteState, last: RunLine | None, daemon: bool, title: str):
    assert health_of(state, last, daemon=daemon).title == title


def test_every_state_has_a_sign_and_a_word_of_its_own():
    known = [shown.state(name) for name in (*Status, *Severity)]
    assert all(state.sign != "dot" and state.word for state in known)
    assert len({(state.tone, state.sign, state.word) for state in known}) == len(known)
    assert shown.state("new one") == ("plain", "dot", "new one")


def test_times_are_the_sites_and_the_utc_is_there_too():
    told = shown.moment("2026-07-01T23:30:00.000Z", ZONE)
    assert told == ('<time datetime="2026-07-01T23:30:00Z" title="2026-07-01 23:30:00 UTC">2 Jul 2026, 00:30</time>')
    assert "–" in shown.moment("", ZONE)


def test_numbers_spans_and_sizes_can_be_read():
    assert [shown.span(s) for s in (None, 5, 60, 7200, 86_400, 200_000)] == [
        *("never", "less than a minute", "1 minute", "2 hours", "1 day", "2 days")
    ]
    assert [shown.size(s) for s in (0, 999, 1500, 25_000, 2_000_000_000)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "25 kB",
        "2.0 GB",
    ]
    assert [shown.took("", "x"), shown.took("2026-07-01T00:00:00Z", "2026-07-01T00:00:02.5Z")] == ["", "2.5 s"]
    assert shown.took("2026-07-01T00:00:00Z", "2026-07-01T00:05:00Z") == "5 minutes"
    assert [str(shown.value(v)) for v in (None, True, False, ["a", "<b>"], "<i>", 0)] == [
        *('<span class="none">empty</span>', "yes", "no", "a, &lt;b&gt;", "&lt;i&gt;", "0")
    ]


def test_a_limit_is_told_in_words():
    breach = {"element": "user", "guard": "max_created", "figure": 5, "base": 0, "allowed": "3", "unit": "Ops"}
    assert shown.breach(breach) == "user.csv in Ops: 5 would be new. The limit is 3."
    assert shown.breach({**breach, "guard": "new_one", "unit": ""}) == "user.csv: 5 new_one. The limit is 3."


def test_the_chart_shows_the_least_and_is_not_overrun_by_the_most():
    drawn = chart([line(changed=1, findings=1), line(changed=1_000_000), line(kind="dry-run"), line()], ZONE)
    assert [(bar.up, bar.down) for bar in drawn.bars] == [(0, 0), (HALF - 3, 0), (2, HALF - 3)]
    assert "1,000,000 changed" in drawn.bars[1].label
