"""When is a delivery complete, and what does one hear until it is?"""

import sys
import time
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from lzsyncd.feed.elements import Element
from lzsyncd.intake.settle import PAUSE, REMEMBERED, Settler

from .inbox import RULES, SET, Inbox, names

WHOLE = [list(SET)]
USERS_ONLY = {"elements": (Element.USER,)}


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def arrived(*files: str, **rules) -> Inbox:
    """An inbox in which files have just been seen."""
    inbox = Inbox(**rules)
    inbox.put(*files)
    inbox.look()
    return inbox


# a file


def test_a_set_is_complete_after_the_quiet_time_and_not_before():
    inbox = arrived(*SET)
    assert not inbox.look(after=29.9).ready
    assert names(inbox.look(after=0.1).ready) == WHOLE


def test_what_is_ready_stays_ready_until_it_is_claimed():
    inbox = arrived(*SET)
    inbox.look(after=30)
    verdict = inbox.look(after=100)
    assert names(verdict.ready) == WHOLE
    assert verdict.look_again is None
    inbox.remove(*SET)
    assert inbox.look() == Inbox().look()


@pytest.mark.parametrize("change", [{"inode": 99}, {"size": 101}, {"mtime_ns": 1}, {}, {"links": 2}])
def test_any_change_starts_the_quiet_time_again(change):
    inbox = arrived(*SET)
    inbox.look(after=29)
    inbox.change("user.csv", **change)
    assert not inbox.look(after=1).ready
    assert not inbox.look(after=29).ready
    assert names(inbox.look(after=1).ready) == WHOLE


@pytest.mark.parametrize("name", ["user.csv", None])
def test_an_event_that_changes_nothing_starts_the_quiet_time_again(name):
    inbox = arrived(*SET)
    inbox.now += 29
    inbox.touched(name)
    assert not inbox.look(after=29.9).ready
    assert names(inbox.look(after=0.1).ready) == WHOLE


def test_a_file_that_may_have_been_cut_off_is_waited_for_as_long_as_a_missing_one():
    inbox = arrived(*SET)
    inbox.look(after=30)
    inbox.learn("user.csv", cut=True)
    verdict = inbox.look()
    assert not verdict.ready
    assert verdict.waiting == ("user.csv: does not end with a line break: more of it is waited for until 08:10",)
    assert verdict.look_again == 570
    assert not inbox.look(after=569).ready
    assert names(inbox.look(after=1).ready) == WHOLE


def test_the_rest_of_a_file_that_was_cut_off_completes_it():
    inbox = arrived(*SET)
    inbox.look(after=30)
    inbox.learn("user.csv", cut=True)
    inbox.look(after=100)
    inbox.change("user.csv", size=200, cut=False)
    assert not inbox.look().ready
    assert names(inbox.look(after=30).ready) == WHOLE


def test_a_marker_says_that_a_file_without_a_line_break_at_its_end_is_whole():
    inbox = arrived(*SET)
    inbox.learn("user.csv", cut=True)
    inbox.put("set.done")
    inbox.look()
    assert names(inbox.look(after=2).ready) == WHOLE


def test_an_event_about_another_file_changes_nothing():
    inbox = arrived(*SET)
    for name in ("report.pdf", "User.csv", ".bashrc"):
        inbox.settler.touched(name, inbox.now + 29)
    assert names(inbox.look(after=30).ready) == WHOLE


def test_events_about_more_names_than_can_be_remembered_count_for_all():
    inbox = arrived(*SET)
    inbox.now += 29
    for number in range(REMEMBERED + 1):
        inbox.touched(f"user.csv.{number}.part")
    assert not inbox.look(after=29).ready
    assert names(inbox.look(after=1).ready) == WHOLE


def test_a_file_that_is_open_for_writing_is_never_complete():
    inbox = arrived(*SET)
    inbox.learn("user.csv", writer=True)
    assert inbox.look(after=30).look_again == 570  # then it is overdue
    for _ in range(20):
        assert not inbox.look(after=600).ready
    inbox.learn("user.csv", writer=False)
    assert names(inbox.look().ready) == WHOLE


def test_nothing_is_taken_on_the_word_of_two_looks_that_are_close_together():
    """Events are lost, and the last listing is old: what is seen for the first time has its quiet time before it."""
    inbox = arrived(*SET)
    inbox.now += 29.5
    inbox.change("user.csv")
    assert not inbox.look(after=30).ready
    assert not inbox.look(after=1).ready
    assert names(inbox.look(after=29).ready) == WHOLE


def test_files_that_lie_there_at_the_start_need_no_second_quiet_time():
    inbox = Inbox()
    inbox.put(*SET)
    verdict = inbox.look(after=31)
    assert not verdict.ready
    assert verdict.look_again == PAUSE
    assert names(inbox.look(after=PAUSE).ready) == WHOLE


def test_a_part_of_the_quiet_time_before_the_start_counts():
    inbox = Inbox()
    inbox.put(*SET)
    assert inbox.look(after=20).look_again == PAUSE
    assert not inbox.look(after=9).ready
    assert names(inbox.look(after=1).ready) == WHOLE


def test_a_time_that_the_client_sets_proves_nothing():
    """`put -p` sets mtime to that of the local file."""
    for year in (1999, 2099):
        inbox = Inbox()
        inbox.put(*SET, mtime_ns=int(datetime(year, 1, 1, tzinfo=ZoneInfo("UTC")).timestamp() * 1e9))
        inbox.look()
        assert not inbox.look(after=29).ready
        assert names(inbox.look(after=1).ready) == WHOLE


def test_a_ctime_in_the_future_counts_from_the_first_sight():
    inbox = Inbox()
    inbox.jumped = 3600
    inbox.put(*SET)
    inbox.jumped = 0
    inbox.look()
    assert not inbox.look(after=29).ready
    assert names(inbox.look(after=1).ready) == WHOLE


@pytest.mark.parametrize("jump", [86_400, -86_400])
def test_a_clock_that_jumps_makes_no_file_old(jump):
    inbox = Inbox()
    inbox.look()
    inbox.put(*SET)
    inbox.jumped = jump
    inbox.look(after=1)
    assert not inbox.look(after=29).ready
    assert names(inbox.look(after=1).ready) == WHOLE


def test_after_a_jump_the_time_since_then_counts():
    inbox = Inbox()
    inbox.look()
    inbox.jumped = 86_400
    inbox.look(after=10)
    inbox.now += 10
    inbox.put(*SET)
    inbox.look(after=20)
    assert names(inbox.look(after=10).ready) == WHOLE


def test_an_upload_that_is_seen_at_work_is_not_believed_to_be_old():
    """The clock of a file server may be slow, so that new files have old times."""
    inbox = Inbox()
    inbox.put(*SET)
    inbox.now += 3600
    inbox.look()
    inbox.learn("user.csv", size=200)
    assert not inbox.look(after=PAUSE).ready
    assert names(inbox.look(after=30).ready) == WHOLE


def test_an_event_counts_more_than_an_old_ctime():
    """A client that was stalled closes its file: nothing was written, but it was there."""
    inbox = Inbox()
    inbox.put(*SET)
    inbox.now += 3600
    inbox.touched("user.csv")
    inbox.look()
    assert not inbox.look(after=29).ready
    assert names(inbox.look(after=1).ready) == WHOLE


def test_where_no_quiet_time_is_wanted_none_is_taken():
    inbox = Inbox(settle=0.0)
    inbox.put(*SET)
    assert names(inbox.look().ready) == WHOLE


# a set


def test_a_set_is_quiet_when_all_its_files_are():
    inbox = arrived("org.csv", "pos.csv")
    inbox.now += 25
    inbox.put("user.csv")
    inbox.look()
    verdict = inbox.look(after=6)
    assert not verdict.ready
    assert verdict.waiting == ("user.csv: changed 6 s ago, complete after 30 s of quiet",)


def test_a_delivery_during_the_wait_is_not_mixed_with_the_one_before():
    inbox = arrived(*SET)
    for name in SET:
        inbox.put(name, size=200)
        assert not inbox.look(after=29).ready
    assert [e.size for e in inbox.look(after=30).ready[0].files.values()] == [200, 200, 200]


def test_a_file_that_is_removed_to_be_sent_again_starts_the_quiet_time_again():
    inbox = arrived(*SET, incomplete="sync", set_window=60)
    inbox.look(after=25)
    inbox.remove("user.csv")
    verdict = inbox.look(after=1)
    assert not verdict.ready
    assert not inbox.look(after=10).ready
    inbox.put("user.csv")
    assert not inbox.look(after=29).ready
    assert names(inbox.look(after=30).ready) == WHOLE


def test_it_says_that_a_file_went_away():
    inbox = arrived("org.csv", "pos.csv", "user.csv")
    inbox.look(after=60)
    inbox.remove("user.csv")
    assert inbox.look().look_again == PAUSE  # with a marker, that would do
    assert inbox.look(after=PAUSE).look_again == 30 - PAUSE
    assert inbox.look(after=3).waiting == ("a file went away 5 s ago, complete after 30 s of quiet",)


@pytest.mark.parametrize(
    "temporary", ["user.csv.filepart", ".user.csv.part", "user.csv.tmp", ".in.user.csv.", "user.part"]
)
def test_a_set_of_which_a_file_is_being_uploaded_is_not_taken(temporary):
    inbox = arrived(*SET)
    inbox.look(after=29)
    for size in range(100, 2000, 100):
        inbox.put(temporary, size=size)
        assert not inbox.look(after=29).ready
    assert not inbox.look(after=31).ready
    inbox.rename(temporary, "user.csv")
    assert not inbox.look().ready
    assert names(inbox.look(after=30).ready) == WHOLE


def test_small_files_in_place_and_large_ones_by_rename_are_one_set():
    """WinSCP does so, at 100 KB."""
    inbox = arrived("org.csv")
    inbox.put("pos.csv")
    inbox.put("user.csv.filepart", size=1)
    assert inbox.look(after=10).waiting == (
        "org.csv: changed 10 s ago, complete after 30 s of quiet",
        "pos.csv: changed 10 s ago, complete after 30 s of quiet",
        "user.csv.filepart: still being uploaded, changed 10 s ago, complete after 30 s of quiet",
    )
    inbox.put("user.csv.filepart", size=200_000)
    inbox.look(after=50)
    inbox.rename("user.csv.filepart", "user.csv")
    inbox.look(after=1)
    assert names(inbox.look(after=30).ready) == WHOLE


@pytest.mark.parametrize(
    "name", ["user.csv.bak", ".user.csv.swp", "~$user.csv", "new-user.csv.part", "report.part", "User.csv"]
)
def test_names_that_become_no_file_of_the_set_hold_nothing_up(name):
    inbox = arrived(*SET)
    inbox.look(after=29)
    inbox.put(name)
    assert names(inbox.look(after=1).ready) == WHOLE


def test_an_upload_that_stopped_long_ago_holds_nothing_up_but_is_named():
    inbox = arrived("user.csv.part")
    inbox.look(after=595)
    inbox.put(*SET)
    verdict = inbox.look(after=1)
    assert not verdict.ready
    verdict = inbox.look(after=30)
    assert names(verdict.ready) == WHOLE
    assert verdict.waiting == ("user.csv.part: untouched since 08:00, no longer waited for",)


def test_a_set_waits_for_an_upload_that_stopped_no_longer_than_the_window():
    inbox = arrived(*SET, "user.csv.part")
    assert inbox.look(after=30).look_again == 570
    assert names(inbox.look(after=570).ready) == WHOLE


def test_a_set_waits_for_an_upload_from_the_upload_on():
    inbox = arrived(*SET)
    inbox.now += 10
    inbox.put("user.csv.part")
    inbox.look()
    assert inbox.look(after=590).look_again == 10
    assert names(inbox.look(after=10).ready) == WHOLE


def test_an_upload_is_waited_for_as_long_as_a_file_at_least():
    inbox = arrived(*SET, set_window=10.0)
    inbox.look(after=25)
    inbox.put("user.csv.part")
    inbox.look()
    assert not inbox.look(after=29).ready
    assert names(inbox.look(after=1).ready) == WHOLE


def test_an_upload_with_an_old_time_is_watched_before_it_is_given_up():
    inbox = arrived(*SET)
    inbox.look(after=29)
    inbox.put("user.csv.part", ctime_ns=inbox.stamp - 3600 * 10**9)
    inbox.now += 1
    assert not inbox.look().ready
    assert names(inbox.look(after=PAUSE).ready) == WHOLE


def test_an_upload_that_is_open_is_waited_for_however_long_it_stalls():
    inbox = arrived(*SET)
    inbox.put("user.csv.part", writer=True)
    for _ in range(20):
        verdict = inbox.look(after=600)
        assert not verdict.ready
    assert verdict.overdue == ("user.csv.part: not complete for longer than 10 min, still waiting",)


def test_an_upload_that_stopped_is_named_also_where_there_is_nothing_else():
    verdict = arrived("user.csv.part").look(after=86_400)
    assert verdict.waiting == ("user.csv.part: untouched since 2026-11-23 08:00, no longer waited for",)
    assert (verdict.ready, verdict.look_again) == ((), None)


def test_a_dripping_upload_is_told_and_taken_when_it_is_done():
    inbox = arrived("org.csv", "pos.csv")
    told = set()
    for second in range(0, 1200, 10):
        inbox.put("user.csv", size=second)
        verdict = inbox.look(after=10)
        assert not verdict.ready
        assert bool(verdict.overdue) == (second >= 590)
        told.update(verdict.overdue)
    assert told == {"user.csv: not complete for longer than 10 min, still waiting"}
    verdict = inbox.look(after=30)
    assert names(verdict.ready) == WHOLE
    assert not verdict.overdue


def test_a_change_after_a_long_quiet_time_is_not_overdue():
    inbox = arrived("user.csv")
    inbox.look(after=600)
    inbox.change("user.csv")
    assert not inbox.look().overdue
    inbox = arrived("user.csv.part")
    inbox.remove("user.csv.part")
    inbox.look(after=1)
    inbox.now += 3600
    inbox.put("user.csv.part")
    assert not inbox.look().overdue


def test_an_overdue_upload_may_be_given_up():
    inbox = arrived(*SET)
    for second in range(0, 700, 10):
        inbox.put("user.csv.part", size=second)
        verdict = inbox.look(after=10)
    assert verdict.overdue
    inbox.remove("user.csv.part")
    verdict = inbox.look()
    assert not verdict.overdue
    assert verdict.waiting == ("a file went away 0 s ago, complete after 30 s of quiet",)
    assert names(inbox.look(after=30).ready) == WHOLE


def test_two_deliveries_one_after_the_other_are_two_sets():
    inbox = arrived(*SET)
    inbox.look(after=30)
    inbox.remove(*SET)
    inbox.put(*SET, size=200)
    assert not inbox.look(after=1).ready
    assert [e.size for e in inbox.look(after=30).ready[0].files.values()] == [200, 200, 200]


# missing files


def test_an_incomplete_set_is_waited_for_and_says_so():
    inbox = arrived("user.csv", "org.csv")
    verdict = inbox.look(after=30)
    assert verdict.waiting == ("org.csv and user.csv are here since 08:00; pos.csv is missing (waiting until 08:10)",)
    assert verdict.look_again == 570
    assert not inbox.look(after=569).held


def test_a_held_set_is_told_once_and_completed_by_a_late_file():
    inbox = arrived("user.csv")
    verdict = inbox.look(after=600)
    assert verdict.held_is_new
    assert names([verdict.held]) == [["user.csv"]]
    assert verdict.held.missing == (Element.ORG, Element.POS)
    assert verdict.waiting == ("user.csv is here since 08:00; org.csv and pos.csv are missing (held)",)
    assert verdict.look_again is None
    again = inbox.look(after=3600)
    assert (again.held, again.held_is_new) == (verdict.held, False)
    inbox.put("org.csv", "pos.csv")
    assert not inbox.look().held
    assert names(inbox.look(after=30).ready) == WHOLE


def test_a_held_set_that_changes_is_told_again():
    inbox = arrived("user.csv")
    assert inbox.look(after=600).held_is_new
    inbox.change("user.csv")  # a mode, not the content
    assert not inbox.look().held
    verdict = inbox.look(after=600)
    assert verdict.held
    assert not verdict.held_is_new
    inbox.put("user.csv", size=200)
    inbox.look()
    assert inbox.look(after=600).held_is_new


@pytest.mark.parametrize("incomplete", ["sync", "reject"])
def test_an_incomplete_set_goes_on_its_way_after_the_window(incomplete):
    inbox = arrived("user.csv", incomplete=incomplete)
    assert not inbox.look(after=599).ready
    (delivery,) = inbox.look(after=1).ready
    assert (list(delivery.files), delivery.missing) == ([Element.USER], (Element.ORG, Element.POS))


def test_the_window_starts_again_with_each_file():
    inbox = arrived("org.csv", incomplete="sync")
    inbox.look(after=590)
    inbox.put("pos.csv")
    inbox.look()
    assert not inbox.look(after=599).ready
    assert names(inbox.look(after=1).ready) == [["org.csv", "pos.csv"]]


def test_the_window_starts_again_when_a_file_goes_away():
    inbox = arrived("org.csv", "pos.csv", incomplete="sync")
    inbox.look(after=590)
    inbox.remove("pos.csv")
    inbox.look()
    assert not inbox.look(after=599).ready
    assert names(inbox.look(after=1).ready) == [["org.csv"]]


def test_only_elements_that_are_turned_on_are_waited_for():
    inbox = arrived("user.csv", "pos.csv", "org.csv.part", elements=(Element.USER,))
    verdict = inbox.look(after=30)
    assert names(verdict.ready) == [["user.csv"]]
    assert verdict.near_misses == ("pos.csv (pos is turned off)",)
    assert verdict.ignored == ("org.csv.part",)


def test_rules_may_change_while_a_set_waits():
    inbox = arrived("user.csv")
    inbox.look(after=60)
    inbox.settler.rules = replace(RULES, **USERS_ONLY)
    assert names(inbox.look().ready) == [["user.csv"]]


# mended files


def test_mended_files_need_no_companions():
    inbox = arrived("rejected-user.csv", "rejected-org.csv")
    (delivery,) = inbox.look(after=30).ready
    assert delivery.mended
    assert not delivery.missing
    assert names([delivery]) == [["rejected-org.csv", "rejected-user.csv"]]


def test_the_full_set_applies_before_the_mended_one():
    inbox = arrived(*SET, "rejected-user.csv")
    verdict = inbox.look(after=30)
    assert names(verdict.ready) == [*WHOLE, ["rejected-user.csv"]]
    assert [delivery.mended for delivery in verdict.ready] == [False, True]


def test_mended_files_settle_by_themselves():
    inbox = arrived("rejected-user.csv")
    inbox.put(*SET)
    inbox.put("pos.csv.part")
    inbox.look(after=15)
    assert names(inbox.look(after=15).ready) == [["rejected-user.csv"]]
    inbox.put("rejected-user.csv.part")
    assert not inbox.look(after=30).ready


def test_a_quiet_file_is_named_to_be_looked_into():
    inbox = arrived("org.csv")
    inbox.put("user.csv", kind="directory")
    inbox.put("pos.csv", mended=False)
    assert inbox.look(after=29).peek == ()
    assert inbox.look(after=30).peek == ("org.csv",)


def test_a_plain_file_that_is_known_to_be_mended_is_a_set_of_its_own():
    inbox = arrived("org.csv", "user.csv", "rejected-user.csv")
    assert inbox.look(after=30).peek == ("org.csv", "user.csv")
    inbox.learn("org.csv", mended=False)
    inbox.learn("user.csv", mended=True)
    verdict = inbox.look()
    assert names(verdict.ready) == [["user.csv"], ["rejected-user.csv"]]
    assert all(delivery.mended for delivery in verdict.ready)
    assert verdict.peek == ()
    assert verdict.waiting == ("org.csv is here since 08:00; pos.csv and user.csv are missing (waiting until 08:10)",)


def test_a_mended_file_under_a_plain_name_waits_for_its_own_upload():
    inbox = arrived("user.csv", "user.csv.part", "org.csv.part")
    inbox.learn("user.csv", mended=True)
    assert not inbox.look(after=30).ready
    inbox.remove("user.csv.part")
    inbox.look()
    assert names(inbox.look(after=30).ready) == [["user.csv"]]


def test_a_set_that_is_looked_into_at_the_end_of_its_window_is_still_told():
    inbox = arrived("user.csv")
    assert inbox.look(after=600).peek == ("user.csv",)
    inbox.learn("user.csv", mended=False)
    assert inbox.look().held_is_new


# what is no file


@pytest.mark.parametrize("kind", ["directory", "symlink", "other"])
def test_what_is_no_file_is_delivered_like_one(kind):
    inbox = arrived("org.csv", "pos.csv")
    inbox.put("user.csv", kind=kind)
    assert not inbox.look(after=29).ready
    (delivery,) = inbox.look(after=30).ready
    assert delivery.files[Element.USER].kind == kind


def test_a_hard_link_is_delivered_like_a_file():
    inbox = Inbox()
    inbox.put(*SET, links=2)
    inbox.look()
    assert names(inbox.look(after=30).ready) == WHOLE


def test_a_rename_by_link_and_unlink_is_a_rename():
    inbox = arrived("org.csv", "pos.csv")
    inbox.put("user.csv.part")
    inbox.look(after=1)
    inbox.files["user.csv"] = replace(inbox.files["user.csv.part"], name="user.csv", links=2, ctime_ns=inbox.stamp)
    inbox.change("user.csv.part", links=2)
    inbox.look(after=1)
    inbox.remove("user.csv.part")
    inbox.change("user.csv", links=1)
    assert not inbox.look(after=29).ready
    (delivery,) = inbox.look(after=30).ready
    assert delivery.files[Element.USER].links == 1


# what is shown


COPIES = ("rejected-user (1).csv", "rejected-users.csv", "user - Copy.csv")


def test_near_misses_and_other_names_are_told():
    inbox = arrived(
        "User.csv",
        "users.csv",
        "user (1).csv",
        "user.csv.txt",
        "SHA256SUMS",
        "~$user.csv",
        ".bashrc",
        "cv.pdf",
        *COPIES,
    )
    verdict = inbox.look()
    found = ["SHA256SUMS", "User.csv", "user (1).csv", "user.csv.txt", "users.csv", *COPIES]
    assert verdict.near_misses == tuple(sorted(found))
    assert verdict.ignored == (".bashrc", "cv.pdf", "~$user.csv")
    assert (verdict.waiting, verdict.look_again) == ((), None)


def test_ten_thousand_names_are_cheap_and_ten_are_shown():
    inbox = Inbox()
    inbox.put(
        *(f"{number:05}{'x' * 240}.csv" for number in range(5000)), *(f".{n:05}{'.u' * 120}" for n in range(5000))
    )
    entries = list(inbox.files.values())
    best = min(timed(inbox.settler, entries, inbox) for _ in range(3))
    verdict = inbox.look()
    assert best < (0.05 if sys.gettrace() is None else 0.5)  # measuring coverage takes its time
    assert len(verdict.ignored) == 11
    assert verdict.ignored[-1] == "and 9,990 more"
    assert all(len(name) <= 200 for name in verdict.ignored)


def timed(settler: Settler, entries, inbox: Inbox) -> float:
    started = time.process_time()
    settler.look(entries, inbox.now, inbox.wall)
    return time.process_time() - started


def test_a_thousand_uploads_do_not_fill_the_status():
    inbox = arrived("user.csv", *(f"user.csv.{number:04}.part" for number in range(1000)))
    waiting = inbox.look().waiting
    assert len(waiting) == 11
    assert waiting[-1] == "and 991 more"
    verdict = inbox.look(after=595)
    assert verdict.overdue == ()
    inbox.change("user.csv")
    inbox.look(after=1)
    for _ in range(60):
        inbox.change("user.csv.0000.part")
        verdict = inbox.look(after=10)
    assert len(verdict.waiting) == 12
    assert verdict.waiting[-1] == "and 989 more"
    for number in range(1000):
        inbox.change(f"user.csv.{number:04}.part")
    (overdue,) = inbox.look(after=1).overdue
    assert overdue.endswith("user.csv.0009.part and 990 more: not complete for longer than 10 min, still waiting")


def test_names_made_to_hurt_are_shown_safely():
    nasty = [
        "user\n.csv.part",
        "user_\x1b[2J.csv",
        "user.csv.\udcff\u202e.part",
        "\x00.csv",
        "user.csv." + "y" * 240 + ".part",
    ]
    inbox = arrived(*nasty)
    verdict = inbox.look()
    shown = [*verdict.waiting, *verdict.near_misses, *verdict.ignored]
    assert len(shown) == len(nasty)
    assert all(text.isprintable() and len(text) < 300 for text in shown)


def test_durations_and_times_are_short_to_read():
    inbox = arrived(*SET, settle=7200.0, set_window=90_000.0)
    (first, *_) = inbox.look(after=300).waiting
    assert first == "org.csv: changed 5 min ago, complete after 2 h of quiet"
    inbox = arrived("user.csv", settle=0.5, set_window=90_000.0)
    assert inbox.look(after=0.2).waiting == ("user.csv: changed 0.2 s ago, complete after 0.5 s of quiet",)
    assert "(waiting until 2026-11-24 09:00)" in inbox.look(after=1).waiting[0]


def test_names_that_are_gone_are_forgotten():
    inbox = arrived(*SET, "user.csv.part", "set.done")
    inbox.files.clear()
    inbox.look()
    assert not inbox.settler._tracks
    assert not any(history.names for history in inbox.settler._histories.values())


def test_a_look_at_the_time_that_was_named_finds_what_it_promised():
    for settle in (0.1, 0.3, 1 / 3, 30.0):
        inbox = Inbox(settle=settle)
        inbox.now = 1e6 + 1 / 3
        inbox.put(*SET)
        for _ in range(5):
            verdict = inbox.look()
            if verdict.look_again is None:
                break
            inbox.now += verdict.look_again
        assert names(verdict.ready) == WHOLE
