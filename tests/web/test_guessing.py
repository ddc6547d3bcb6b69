"""Guessing takes long, whoever guesses, from wherever."""

from lzsyncd.web.passwords import fits
from lzsyncd.web.throttle import PER_ACCOUNT, PER_ADDRESS, REMEMBERED, WINDOW, Throttle

from .conftest import PASSWORD, hash_of


def test_guessing_names_from_one_address_ends_too_also_at_sites_that_are_not_there():
    throttle = Throttle()
    for number in range(PER_ADDRESS):
        assert throttle.wait("nosuch", f"name {number}", "10.0.0.1", 0) == 0
        throttle.failed("nosuch", f"name {number}", "10.0.0.1", 0)
    assert throttle.wait("acme", "ada", "10.0.0.1", 1) == WINDOW - 1
    assert throttle.wait("acme", "ada", "10.0.0.2", 1) == 0
    assert throttle.wait("acme", "ada", "10.0.0.1", WINDOW) == 0


def test_guessing_one_name_from_many_addresses_ends_and_what_is_remembered_is_bounded():
    throttle = Throttle()
    for number in range(PER_ACCOUNT):
        throttle.failed("acme", "ada", f"10.0.0.{number}", 0)
    assert throttle.wait("acme", "ada", "10.9.9.9", 0) == WINDOW
    throttle.succeeded("acme", "ada", "10.0.0.1")
    assert throttle.wait("acme", "ada", "10.9.9.9", 0) == WINDOW
    for number in range(REMEMBERED):
        throttle.failed("acme", f"name {number}", f"{number}", 0)
    assert len(throttle._failures) <= REMEMBERED


def test_nobodys_password_takes_as_long_as_somebodys_and_a_broken_hash_fits_none():
    assert not fits(None, "nobody's")
    assert not fits("no hash at all", "x")
    assert fits(hash_of(PASSWORD), PASSWORD)
