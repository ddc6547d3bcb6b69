"""What completion markers do to the wait."""

from dataclasses import replace

import pytest

from lzsyncd.feed.elements import Element
from lzsyncd.intake.markers import Marker, Named
from lzsyncd.intake.settle import PAUSE

from .inbox import SET, Inbox, names

WHOLE = [list(SET)]
LIST = Marker(tuple(Named(name, "0" * 64, size=100) for name in SET))
LISTS = ("sha256sums", "manifest.json")


def closed(*files: str, marker: str = "set.done", said: Marker | None = None, **rules) -> Inbox:
    """An inbox in which files and then a marker have arrived."""
    inbox = Inbox(**rules)
    inbox.put(*files)
    inbox.now += 1
    inbox.put(marker, marker=said)
    inbox.look()
    return inbox


@pytest.mark.parametrize(("marker", "said"), [("set.done", None), *((name, LIST) for name in LISTS)])
def test_a_marker_replaces_the_quiet_time(marker, said):
    inbox = closed(*SET, marker=marker, said=said)
    inbox.learn(marker, writer=False)
    assert inbox.look(after=PAUSE - 0.1).look_again == pytest.approx(0.1)
    (delivery,) = inbox.look(after=0.1).ready
    assert names([delivery]) == WHOLE
    assert [entry.name for entry in delivery.markers] == [marker]


def test_a_client_may_look_at_its_files_after_the_marker():
    inbox = closed(*SET)
    inbox.now += PAUSE - 0.1
    inbox.touched("user.csv")
    assert not inbox.look(after=0.1).ready
    assert names(inbox.look(after=PAUSE).ready) == WHOLE


@pytest.mark.parametrize("name", ["user.csv", "set.done", "user.csv.part"])
def test_a_marker_does_not_close_what_is_open_for_writing(name):
    inbox = closed(*SET, "user.csv.part")
    inbox.learn(name, writer=True)
    for _ in range(5):
        assert not inbox.look(after=600).ready


def test_a_list_that_may_still_be_written_closes_nothing_before_it_was_quiet():
    """Where leases can't be had, nobody knows whether this is half a list."""
    inbox = closed("org.csv", marker="sha256sums", said=Marker((Named("org.csv"),)), incomplete="sync")
    assert not inbox.look(after=29).ready
    assert names(inbox.look(after=1).ready) == [["org.csv"]]


def test_a_file_that_goes_away_beside_a_marker_may_come_back_at_once():
    inbox = closed(*SET, incomplete="sync")
    inbox.look(after=1)
    inbox.remove("user.csv")
    assert not inbox.look(after=PAUSE).ready
    inbox.look(after=PAUSE - 0.1)
    assert names(inbox.look(after=0.1).ready) == [["org.csv", "pos.csv"]]


def test_a_marker_belongs_to_the_set_also_where_the_quiet_time_is_over_first():
    inbox = Inbox()
    inbox.put(*SET)
    inbox.look(after=29.5)
    inbox.put("manifest.json", marker=LIST)
    assert not inbox.look(after=0.5).ready
    (delivery,) = inbox.look(after=30).ready
    assert [entry.name for entry in delivery.markers] == ["manifest.json"]


def test_a_marker_under_a_temporary_name_is_waited_for():
    inbox = Inbox()
    inbox.put(*SET)
    inbox.look(after=29)
    inbox.put("set.done.part")
    assert not inbox.look(after=10).ready
    inbox.rename("set.done.part", "set.done")
    inbox.look()
    assert names(inbox.look(after=PAUSE).ready) == WHOLE


def test_several_markers_go_with_the_set():
    inbox = closed(*SET, "sha256sums", "manifest.json")
    inbox.learn("sha256sums", marker=LIST)
    inbox.learn("manifest.json", marker=Marker(problem="it is not JSON"))
    (delivery,) = inbox.look(after=PAUSE).ready
    assert [entry.name for entry in delivery.markers] == ["set.done", "sha256sums"]


# markers that don't count


@pytest.mark.parametrize(("marker", "said"), [("set.done", None), ("sha256sums", LIST)])
def test_a_marker_of_an_earlier_delivery_is_named_and_does_nothing(marker, said):
    inbox = Inbox()
    inbox.put(marker, marker=said, writer=False)
    inbox.now += 3600
    inbox.put(*SET)
    inbox.look()
    verdict = inbox.look(after=29)
    assert not verdict.ready
    assert verdict.waiting[-1] == f"{marker} is older than org.csv and counts for an earlier delivery"
    (delivery,) = inbox.look(after=1).ready
    assert not delivery.markers


def test_a_delivery_that_begins_after_the_marker_is_not_closed_by_it():
    inbox = closed(*SET)
    inbox.now += 1
    inbox.put("org.csv", size=200)
    inbox.look(after=1)
    assert not inbox.look(after=29).ready


def test_an_upload_that_begins_after_the_marker_is_waited_for():
    inbox = closed(*SET)
    inbox.now += 1
    inbox.put("org.csv.part")
    inbox.look()
    assert not inbox.look(after=60).ready
    inbox.change("set.done")
    inbox.look()
    verdict = inbox.look(after=PAUSE)
    assert names(verdict.ready) == WHOLE
    assert not any("org.csv.part" in text for text in verdict.waiting)


@pytest.mark.parametrize(
    ("fields", "trouble"),
    [
        ({"marker": Marker(problem="it is not JSON")}, "it is not JSON"),
        ({"marker": None}, "it was not read"),
        ({"kind": "symlink"}, "it is not a plain file"),
        ({"links": 2}, "it is not a plain file"),
    ],
)
def test_a_broken_marker_says_why_and_counts_as_not_there(fields, trouble):
    inbox = closed(*SET, marker="manifest.json")
    inbox.learn("manifest.json", **fields)
    inbox.look()
    verdict = inbox.look(after=29)
    assert not verdict.ready
    assert verdict.waiting[-1] == f"manifest.json counts as not there: {trouble}"
    (delivery,) = inbox.look(after=1).ready
    assert not delivery.markers


def test_a_marker_without_files_is_named():
    inbox = closed()
    verdict = inbox.look(after=3600)
    assert verdict.waiting == ("set.done has no file to close",)
    assert (verdict.ready, verdict.look_again) == ((), None)


def test_a_list_that_leaves_a_file_out_leaves_the_set_to_the_quiet_time():
    inbox = closed(*SET, marker="sha256sums", said=Marker(LIST.files[:2]))
    inbox.learn("sha256sums", writer=False)
    assert not inbox.look(after=29).ready
    (delivery,) = inbox.look(after=30).ready
    assert [entry.name for entry in delivery.markers] == ["sha256sums"]


# markers and missing files


def test_a_set_that_is_said_to_be_done_is_held_at_once_where_files_are_missing():
    inbox = closed("org.csv", "user.csv")
    verdict = inbox.look(after=PAUSE)
    assert verdict.held_is_new
    assert verdict.held.missing == (Element.POS,)
    assert [entry.name for entry in verdict.held.markers] == ["set.done"]
    assert verdict.look_again is not None  # the quiet time, which changes nothing here
    inbox.put("pos.csv")
    assert not inbox.look(after=29).ready
    assert names(inbox.look(after=30).ready) == WHOLE


@pytest.mark.parametrize("incomplete", ["sync", "reject"])
def test_a_set_that_is_said_to_be_done_goes_at_once_where_files_may_be_missing(incomplete):
    inbox = closed("user.csv", incomplete=incomplete)
    (delivery,) = inbox.look(after=PAUSE).ready
    assert delivery.missing == (Element.ORG, Element.POS)


def test_a_list_that_names_fewer_elements_closes_the_set_too():
    inbox = closed("user.csv", marker="sha256sums", said=Marker((Named("user.csv"),)), incomplete="sync")
    inbox.learn("sha256sums", writer=False)
    (delivery,) = inbox.look(after=PAUSE).ready
    assert delivery.missing == (Element.ORG, Element.POS)


def test_a_file_that_a_list_names_is_waited_for():
    inbox = closed("org.csv", "pos.csv", marker="sha256sums", said=LIST)
    inbox.learn("sha256sums", writer=False)
    assert inbox.look(after=30).waiting == (
        "org.csv and pos.csv are here since 08:00; user.csv is missing (waiting until 08:10)",
        "sha256sums names user.csv, which is missing (waiting until 08:10)",
    )


def test_a_file_shorter_than_its_list_says_is_waited_for_and_then_left_to_the_run():
    """An upload that was cut off: the run's check of the checksum refuses the set, with the reason."""
    inbox = closed("org.csv", "pos.csv", "user.csv", marker="manifest.json", said=LIST)
    inbox.learn("manifest.json", writer=False)
    inbox.change("user.csv", size=50)
    inbox.change("manifest.json")
    inbox.look()
    verdict = inbox.look(after=30)
    assert not verdict.ready
    assert verdict.waiting == ("user.csv has 50 bytes and manifest.json names 100 (waiting until 08:10)",)
    (delivery,) = inbox.look(after=570).ready
    assert [entry.name for entry in delivery.markers] == ["manifest.json"]


def test_a_list_may_leave_sizes_out():
    said = Marker(tuple(replace(file, size=None) for file in LIST.files))
    inbox = closed(*SET, marker="sha256sums", said=said)
    inbox.learn("sha256sums", writer=False)
    assert names(inbox.look(after=PAUSE).ready) == WHOLE


# markers and mended files


def test_a_marker_closes_mended_files_too_but_goes_with_the_first_set():
    inbox = closed(*SET, "rejected-user.csv")
    verdict = inbox.look(after=PAUSE)
    assert names(verdict.ready) == WHOLE
    assert names(inbox.look(after=30).ready) == [*WHOLE, ["rejected-user.csv"]]
    inbox = closed("rejected-user.csv")
    (delivery,) = inbox.look(after=PAUSE).ready
    assert [entry.name for entry in delivery.markers] == ["set.done"]


def test_a_mended_file_that_a_list_names_is_waited_for_within_the_window():
    said = Marker((Named("rejected-user.csv"), Named("rejected-org.csv"), Named("user.csv")))
    inbox = closed("rejected-user.csv", marker="sha256sums", said=said)
    inbox.learn("sha256sums", writer=False)
    assert inbox.look(after=30).waiting == (
        "sha256sums names rejected-org.csv, which is missing (waiting until 08:10)",
    )
    assert names(inbox.look(after=570).ready) == [["rejected-user.csv"]]


def test_a_file_to_be_looked_into_is_named_before_a_marker_lets_it_go():
    inbox = closed(*SET)
    verdict = inbox.look(after=PAUSE)
    assert verdict.ready
    assert verdict.peek == SET
