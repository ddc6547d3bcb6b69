"""`web-user` and `web-token`: who may use the page of a site, and with what."""

import io
import json

import pytest

from lzsyncd.web.passwords import fits
from lzsyncd.web.store import database_path, kept


def test_a_first_password_is_made_printed_once_and_kept_as_a_hash(after, lzsyncd):
    outcome = lzsyncd("web-user", "add", "ada", "--role", "admin")
    password = outcome.out.strip()
    assert (outcome.code, len(password) > 20) == (0, True)
    with kept(after.site) as store:
        account = store.account("ada")
        assert (account.role, account.hash.startswith("$argon2id$")) == ("admin", True)
        assert fits(account.hash, password)
    assert password.encode() not in database_path(after.site).read_bytes()


def test_a_password_may_come_from_standard_input(after, lzsyncd, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    assert lzsyncd("web-user", "add", "ada", "--password-stdin").out == ""
    monkeypatch.setattr("sys.stdin", io.StringIO("another good one\r\n"))
    assert lzsyncd("web-user", "password", "ada", "--password-stdin").code == 0
    with kept(after.site) as store:
        assert fits(store.account("ada").hash, "another good one")


@pytest.mark.usefixtures("after")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("web-user", "add", "-ada"), "No such option"),
        (("web-user", "add", "a b"), "A name has letters, digits and"),
        (("web-user", "add", "ada"), "There is an account ada already"),
        (("web-user", "add", "eve", "--site", "nosuch"), "There is no site"),
        (("web-user", "disable", "eve"), "There is no account eve."),
        (("web-user", "password", "eve"), "There is no account eve."),
        (("web-token", "revoke", "eve"), "There is no token eve."),
        (("web-token", "add", "export"), "There is, or was, a token export"),
    ],
)
def test_what_can_not_be_done_is_told(lzsyncd, arguments, told):
    lzsyncd("web-user", "add", "ada")
    lzsyncd("web-token", "add", "export")
    outcome = lzsyncd(*arguments)
    assert (outcome.code, told in outcome.err) == (2, True), outcome.err


@pytest.mark.usefixtures("after")
def test_a_short_password_is_refused(lzsyncd, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    outcome = lzsyncd("web-user", "add", "ada", "--password-stdin")
    assert (outcome.code, "from 12 to 512 characters" in outcome.err) == (2, True)


@pytest.mark.usefixtures("after")
def test_the_lists_tell_who_may_and_what_was_used(lzsyncd):
    assert "no account yet" in lzsyncd("web-user", "list").out
    assert "no token yet" in lzsyncd("web-token", "list").out
    lzsyncd("web-user", "add", "ada")
    lzsyncd("web-user", "disable", "ada")
    token = lzsyncd("web-token", "add", "export").out.strip()
    assert token.startswith("acme.")
    lzsyncd("web-token", "revoke", "export")
    (account,) = json.loads(lzsyncd("web-user", "list", "--json").out)
    assert (account["name"], account["role"], account["disabled"]) == ("ada", "viewer", True)
    (told,) = json.loads(lzsyncd("web-token", "list", "--json").out)
    assert (told["name"], told["used_at"], bool(told["revoked_at"])) == ("export", "", True)
    assert " no " in lzsyncd("web-user", "list").out
    assert token not in lzsyncd("web-token", "list").out


@pytest.mark.parametrize("key", ["tls_cert", "tls_key"])
def test_a_certificate_that_can_not_be_read_is_told(after, lzsyncd, tmp_path, key):
    there = tmp_path / "there.pem"
    there.write_text("x")
    files = {"tls_cert": there, "tls_key": there, key: tmp_path / "missing.pem"}
    lines = "".join(f'{name} = "{path}"\n' for name, path in files.items())
    after.config.write_text(after.config.read_text() + f"[web]\n{lines}")
    outcome = lzsyncd("web")
    assert (outcome.code, "missing.pem can't be read" in outcome.err) == (77, True), outcome.err
