"""Which files of a remote server are fetched: the rules of an inbox, by what was seen and when."""

from datetime import UTC, datetime, timedelta

import pytest

from lzsyncd.config import Site, parse
from lzsyncd.intake.offers import choose
from lzsyncd.ledger.fetched import Known, Offered

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
SITE = parse('[sites.acme]\nsettle = "30s"\nset_window = "10m"\n').sites["acme"]
ORG, POS, USER = (Offered(name, 10, 1) for name in ("org.csv", "pos.csv", "user.csv"))
DONE, SUMS = Offered("set.done", 0, 1), Offered("sha256sums", 99, 1)
MENDED = Offered("rejected-user.csv", 10, 1)


def seen(ago: float, status: str = "seen") -> Known:
    return Known(status, (NOW - timedelta(seconds=ago)).isoformat())


def chosen(*offered: Offered, site: Site = SITE, **known: Known) -> list[tuple[list[str], str]]:
    names = {file.name.replace(".", "_").replace("-", "_"): file for file in offered}
    about = {names[name]: state for name, state in known.items()}
    return [([file.name for file in one.files], one.waiting) for one in choose(site, offered, about, NOW)]


ALL = ["org.csv", "pos.csv", "user.csv"]


def test_a_set_that_was_seen_the_same_for_the_quiet_time_is_taken():
    quiet = dict.fromkeys(("org_csv", "pos_csv", "user_csv"), seen(31))
    assert chosen(ORG, POS, USER, **quiet) == [(ALL, "")]
    assert chosen(ORG, POS, USER, **quiet | {"pos_csv": seen(29)}) == [([], "org.csv may still be written")]
    assert chosen(ORG, POS, USER) == [([], "org.csv may still be written")]


def test_an_incomplete_set_is_waited_for_as_long_as_the_window():
    assert chosen(ORG, USER, org_csv=seen(599), user_csv=seen(599)) == [([], "pos.csv is missing")]
    assert chosen(USER, user_csv=seen(31)) == [([], "org.csv, pos.csv are missing")]
    assert chosen(ORG, USER, org_csv=seen(700), user_csv=seen(601)) == [(["org.csv", "user.csv"], "")]


def test_a_marker_replaces_the_wait_and_one_that_was_fetched_before_says_that_another_will_come():
    assert chosen(ORG, POS, USER, DONE) == [([*ALL, "set.done"], "")]
    known = {"org_csv": seen(31), "pos_csv": seen(31), "user_csv": seen(31), "sha256sums": seen(9999, "fetched")}
    assert chosen(ORG, POS, USER, SUMS, **known) == [([], "sha256sums is missing")]
    assert chosen(ORG, POS, USER, SUMS, **known | dict.fromkeys(("org_csv", "pos_csv", "user_csv"), seen(601))) == [
        (ALL, "")
    ]


@pytest.mark.parametrize("status", ["arriving", "fetched", "done"])
def test_what_was_fetched_is_not_fetched_again_but_goes_with_what_is_new(status: str):
    known = dict.fromkeys(("org_csv", "pos_csv", "user_csv"), seen(9999, status))
    assert chosen(ORG, POS, USER, **known) == []
    assert chosen(ORG, POS, USER, **known | {"user_csv": seen(31)}) == [(ALL, "")]
    assert chosen() == []


def test_mended_files_are_a_set_of_their_own():
    assert chosen(MENDED, rejected_user_csv=seen(31)) == [(["rejected-user.csv"], "")]
    both = chosen(ORG, MENDED, org_csv=seen(31), rejected_user_csv=seen(31))
    assert both == [([], "pos.csv, user.csv are missing"), (["rejected-user.csv"], "")]


def test_only_enabled_elements_belong_to_a_set():
    site = parse("[sites.acme]\n[sites.acme.pos]\nenabled = false\n[sites.acme.org]\nenabled = false\n").sites["acme"]
    assert chosen(ORG, USER, site=site, user_csv=seen(31)) == [(["user.csv"], "")]
