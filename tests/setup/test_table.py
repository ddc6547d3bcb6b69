"""A site comes to the end of the configuration, which stays what it was and can always be used."""

import os
from pathlib import Path

import pytest

from lzsyncd.config import ConfigError, load
from lzsyncd.errors import Usage
from lzsyncd.setup.table import with_site

ENDINGS = {
    "nothing": "",
    "blank lines": "\n\n\n",
    "a comment": '[sites.globex] # "',
    "no line break": '[sites.globex]\ntimezone = "Europe/London"',
    "a text of several lines": '[sites.globex.user.customfields.x]\ntype = "text"\ndefault = """a\\\n b"""',
    "Windows line breaks": '[sites.globex]\r\ntimezone = "UTC"\r\n',
    "a table that another one follows": "[sites.globex.org]\nenabled = false\n[log]\n",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "lzsyncd.toml"


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("text", ENDINGS.values(), ids=ENDINGS)
def test_a_site_is_added_whatever_the_file_ends_with(config: Path, text: str):
    before = load(write(config, text))
    step = with_site(config, "acme")
    assert step.pending() == f"add [sites.acme] to {config}"
    step.do()
    assert config.read_bytes().startswith(text.encode())
    after = load(config)
    assert after == step.config
    assert {name: site for name, site in after.sites.items() if name != "acme"} == before.sites


def test_a_site_that_is_there_is_not_added_again(config: Path):
    write(config, "[sites.acme]\n")
    assert with_site(config, "acme").pending() == ""
    assert with_site(config, "acme", "").config.sites["acme"].database == "sqlite"


def test_the_address_of_a_database_is_written_as_toml_wants_it(config: Path):
    address = "postgresql://lzsyncd_acme@/learning?host=/run/postgresql"
    with_site(write(config, ""), "acme", address).do()
    assert load(config).sites["acme"].database == address


def test_a_site_that_is_there_with_another_database_is_told(config: Path):
    with pytest.raises(Usage, match="with another database"):
        with_site(write(config, "[sites.acme]\n"), "acme", "postgresql://u@h/d")


@pytest.mark.parametrize(
    "text",
    ["[sites.globex]\ntimezone = 1\n", "[sites\n", "sites = {}\n", "\xff"],
    ids=["value", "syntax", "inline", "bytes"],
)
def test_a_file_that_could_not_be_used_stays_as_it_is(config: Path, text: str):
    config.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError):
        with_site(config, "acme")
    assert config.read_bytes() == text.encode("latin-1")
    assert list(config.parent.iterdir()) == [config]


def test_where_there_is_no_configuration_install_is_named(config: Path):
    with pytest.raises(ConfigError, match="run lzsyncd install first"):
        with_site(config, "acme")


def test_what_somebody_else_has_just_written_is_not_written_over(config: Path):
    step = with_site(write(config, ""), "acme")
    write(config, "[sites.globex]\n")
    with pytest.raises(Usage, match="try again"):
        step.do()
    assert config.read_text() == "[sites.globex]\n"


def test_a_link_to_the_configuration_stays_one(config: Path, tmp_path: Path):
    config.symlink_to(write(tmp_path / "real.toml", ""))
    with_site(config, "acme").do()
    assert config.is_symlink()
    assert "acme" in load(tmp_path / "real.toml").sites


def test_the_mode_of_the_configuration_stays(config: Path):
    write(config, "").chmod(0o604)
    old = os.umask(0o077)
    try:
        with_site(config, "acme").do()
    finally:
        os.umask(old)
    assert config.stat().st_mode & 0o7777 == 0o604
