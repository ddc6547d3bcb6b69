"""`[mail]`, `[sites.NAME.notify]`, `[metrics]`, and the feed that is expected."""

from pathlib import Path

import pytest

from lzsyncd.config import ConfigError, Mail, Metrics, Notify, Secret, effective, parse

MAIL = '[mail]\nhost = "mail.acme.test"\nfrom = "lzsyncd@acme.test"\n'


def problems(text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return [tuple(problem) for problem in caught.value.problems]


def test_the_shortest_mail_server_is_encrypted():
    config = parse(f'{MAIL}[sites.acme.notify]\nto = ["it@acme.test"]')
    assert config.mail == Mail(host="mail.acme.test", sender="lzsyncd@acme.test", port=587, security="starttls")
    site = config.sites["acme"]
    assert (site.mail, site.is_told) == (config.mail, True)
    assert site.notify == Notify(("it@acme.test",))
    assert "success" not in site.notify.on


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_is_that_of_the_encryption(security, port):
    assert parse(f'{MAIL}security = "{security}"').mail.port == port


def test_all_that_can_be_said_is_read_and_written_back():
    text = (
        f'{MAIL.replace("lzsyncd@acme.test", "The feed <lzsyncd@acme.test>")}port = 2525\nusername = "lzsyncd"\n'
        'password = {credential = "mail"}\n[metrics]\ntextfile = "/var/lib/lzsyncd.prom"\ntoken = {env = "TOKEN"}\n'
        '[sites.acme]\nfeed_expected_every = "7d"\nfeed_grace = "12h"\n'
        '[sites.acme.notify]\nto = ["it@acme.test"]\non = ["error", "success"]\nattach_up_to = "0B"\n'
    )
    config = parse(text)
    assert config.mail.password == Secret("credential", "mail")
    assert config.mail.sender == "The feed <lzsyncd@acme.test>"
    assert config.metrics == Metrics(Path("/var/lib/lzsyncd.prom"), Secret("env", "TOKEN"))
    site = config.sites["acme"]
    assert (site.feed_expected_every, site.feed_grace) == (7 * 86_400, 12 * 3_600)
    assert site.notify == Notify(("it@acme.test",), ("error", "success"), 0)
    assert parse(effective(config)) == config


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        ('[mail]\nhost = "mail.acme.test"', 1, "mail", "needs from, like"),
        ('[mail]\nfrom = "lzsyncd@acme.test"', 1, "mail", "needs host, like"),
        (f'{MAIL}username = "lzsyncd"', 4, "mail.username", "needs password, too"),
        (f'{MAIL}password = {{env = "P"}}', 4, "mail.password", "needs username, too"),
        (f'{MAIL}password = "secret"\nusername = "l"', 4, "mail.password", "must not be written here"),
        (f'{MAIL}username = "l"\npassword = {{env = "P"}}\nsecurity = "none"', 5, "mail.password", "could read it"),
        (f'{MAIL}security = "ssl"', 4, "mail.security", 'must be "starttls", "tls" or "none"'),
        (f"{MAIL}port = 0", 4, "mail.port", "from 1 to 65535"),
        (MAIL.replace("mail.acme.test", "mail.acme.test:25"), 2, "mail.host", "the port has a key of its own"),
        (MAIL.replace("lzsyncd@acme.test", "lzsyncd"), 3, "mail.from", "must be one address"),
        (MAIL.replace("lzsyncd@", "it@acme.test, lzsyncd@"), 3, "mail.from", "must be one address"),
        (MAIL.replace("lzsyncd@", "a\\nBcc: b@"), 3, "mail.from", "line breaks"),
        (f"{MAIL}tls = true", 4, "mail.tls", "unknown key"),
        ('[sites.a.notify]\nto = ["it@acme.test"]', 2, "sites.a.notify.to", "needs a mail server: [mail]"),
        (f'{MAIL}[sites.a.notify]\nto = "it@acme.test"', 5, "sites.a.notify.to", "must be a list"),
        (f'{MAIL}[sites.a.notify]\nto = ["it@acme"," "]', 5, "sites.a.notify.to[1]", "must not be empty"),
        (f'{MAIL}[sites.a.notify]\nto = ["a@b.test, c@d.test"]', 5, "sites.a.notify.to[0]", "must be one address"),
        (f'{MAIL}[sites.a.notify]\non = ["errors"]', 5, "sites.a.notify.on[0]", 'did you mean "error"?'),
        (f"{MAIL}[sites.a.notify]\nattach_up_to = 0", 5, "sites.a.notify.attach_up_to", "must be a size in quotes"),
        ('[sites.a]\nfeed_expected_every = "1s"', 2, "sites.a.feed_expected_every", "must be from 1m to 366d"),
        ('[metrics]\ntextfile = "/var/lib/lzsyncd.txt"', 2, "metrics.textfile", "must end with .prom"),
        ('[metrics]\ntoken = "0123456789abcdef"', 2, "metrics.token", "must not be written here"),
        ('[metrics]\ntextfile = "lzsyncd.prom"', 2, "metrics.textfile", "must be an absolute path"),
    ],
)
def test_what_can_not_be_is_told_with_its_place(text, line, key, message):
    (problem,) = problems(text)
    assert problem[:2] == (line, key)
    assert message in problem[2]


def test_a_secret_that_stands_in_the_file_is_not_repeated():
    assert "hunter2" not in str(problems(f'{MAIL}username = "l"\npassword = "hunter2"'))


def test_all_mistakes_are_told_at_once():
    assert len(problems('[mail]\nport = "25"\n[metrics]\nfile = 1\n[sites.a.notify]\non = ["x", "late"]')) == 5
