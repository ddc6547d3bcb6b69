"""Secrets: kept elsewhere, fetched late, never shown."""

import pytest

from lzsyncd.config import ConfigError, Secret, SecretError, parse
from lzsyncd.errors import ExitCode


def secret_of(written: str) -> Secret:
    secret = parse(f"[sites.a]\npassword = {written}").sites["a"].password
    assert secret is not None
    return secret


def test_a_secret_comes_from_the_environment_when_it_is_asked_for(monkeypatch):
    secret = secret_of('{env = "LZ_TEST_SECRET"}')
    monkeypatch.setenv("LZ_TEST_SECRET", "tr0ub4dor")
    assert secret.reveal() == "tr0ub4dor"
    assert "tr0ub4dor" not in repr(secret) + str(secret)


def test_a_secret_comes_from_a_file_without_its_line_break(tmp_path):
    path = tmp_path / "secret"
    path.write_text("tr0ub4dor \r\n")
    path.chmod(0o640)
    assert secret_of(f'{{file = "{path}"}}').reveal() == "tr0ub4dor "


def test_a_secret_comes_from_a_systemd_credential(tmp_path, monkeypatch):
    (tmp_path / "acme_db").write_text("tr0ub4dor\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert secret_of('{credential = "acme_db"}').reveal() == "tr0ub4dor"


def test_a_secret_file_open_to_everybody_is_refused(tmp_path):
    path = tmp_path / "secret"
    path.write_text("tr0ub4dor")
    path.chmod(0o644)
    with pytest.raises(SecretError, match="is open to every account") as caught:
        secret_of(f'{{file = "{path}"}}').reveal()
    assert caught.value.exit_code is ExitCode.CONFIGURATION


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ('{env = "LZ_NOT_THERE"}', 'The environment variable "LZ_NOT_THERE" is missing or empty.'),
        ('{file = "/nowhere/x"}', 'The secret file "/nowhere/x" can\'t be read: No such file or directory.'),
        ('{credential = "x"}', 'The credential "x" can\'t be found: systemd hands credentials to its services only.'),
    ],
)
def test_a_secret_that_is_not_there_says_so_in_one_sentence(written, complaint, monkeypatch):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(SecretError) as caught:
        secret_of(written).reveal()
    assert str(caught.value) == complaint


def test_a_secret_that_is_no_text_or_empty_is_refused(tmp_path):
    for content, complaint in ((b"\xff\xfe", "is not UTF-8 text"), (b"\n", "is missing or empty")):
        path = tmp_path / "secret"
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(SecretError, match=complaint):
            secret_of(f'{{file = "{path}"}}').reveal()


@pytest.mark.parametrize(
    "written",
    [
        'password = "tr0ub4dor"',
        'password = ["tr0ub4dor"]',
        'password = {value = "tr0ub4dor"}',
        'password = {env = "tr0ub4dor-"}',
        'database = "postgresql://me:tr0ub4dor@h/d"',
        'database = "postgresql://me@h/d?password=tr0ub4dor"',
        'database = "postgresql://me@h/d?sslmode=require&sslpassword=tr0ub4dor"',
        'database = "postgres://me:tr0ub4dor@h/d"',
        'database = "postgresql://me:tr0ub4dor#x@h/d"',
        'database = "postgresql://me:tr0ub4dor/x@h/d"',
        'database = "me:tr0ub4dor@h/d"',
    ],
)
def test_no_message_repeats_a_password(written):
    with pytest.raises(ConfigError) as caught:
        parse(f"[sites.a]\n{written}")
    assert "tr0ub4dor" not in str(caught.value)
