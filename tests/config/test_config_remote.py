"""`[sites.NAME.remote]`: what must be there, and what is refused."""

import pytest

from lzsyncd.config import ConfigError, Secret, effective, parse

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBNjMZ2KCWvjnmBJXUdhRYsAwqFbKQeQOG3mN2ItnGHY"
GOOD = f'host = "sftp.acme.test"\nusername = "us"\nkey = {{credential = "acme_key"}}\nhost_key = "{KEY} root@there"\n'


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(f"[sites.acme.remote]\n{text}")
    return str(caught.value)


def test_a_server_with_what_is_needed_has_defaults_for_the_rest():
    config = parse(f"[sites.acme.remote]\n{GOOD}")
    remote = config.sites["acme"].remote
    assert remote
    assert (remote.host_key, remote.key) == ((KEY,), Secret("credential", "acme_key"))
    assert (remote.port, remote.folder, remote.reports, remote.after, remote.every) == (22, ".", "", "keep", 900.0)
    assert parse(effective(config)) == config


def test_all_of_it_is_written_down_as_it_takes_effect():
    more = 'reports = "in"\nafter = "move"\nmove_to = "old"\nschedule = "daily at 1:00"\nport = 2222\ntimeout = "5s"\n'
    text = (
        GOOD.replace("host_key = ", "host_key = [")
        .replace('there"\n', f'there", "{KEY}"]\n')
        .replace("key = {", "password = {")
    )
    config = parse(f"[sites.acme.remote]\n{text}{more}")
    assert parse(effective(config)) == config
    assert parse("[sites.acme]\n").sites["acme"].remote is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('host = "h"\n', "needs username, host_key"),
        (GOOD + 'password = {env = "P"}\n', "needs either password"),
        (GOOD.replace('key = {credential = "acme_key"}\n', ""), "needs either password"),
        (GOOD + 'every = "5m"\nschedule = "daily at 1:00"\n', "visits have one rhythm"),
        (GOOD.replace("sftp.acme.test", "sftp://acme.test"), "without a scheme"),
        (GOOD.replace("ssh-ed25519 AAAA", "ssh-dss AAAA"), "must be a public key like"),
        (GOOD.replace(KEY, "SHA256:abc"), "must be a public key like"),
        (GOOD.replace("AAAAC3", "AAAAC4"), "is not whole"),
        (GOOD.replace("AAAAC3", "*"), "is not whole"),
        (GOOD + 'after = "remove"\n', '"keep", "move" or "delete"'),
        (GOOD + 'every = "5s"\n', "must be from 1m to 7d"),
        (GOOD + 'folders = "x"\n', 'did you mean "folder"'),
        ('password = "plain"\n', "must not be written here"),
    ],
)
def test_what_can_not_be_is_told(text: str, said: str):
    assert said in refused(text)
