"""The sample and the document say what the code does."""

import re
import tomllib
from pathlib import Path

import pytest

from lzsyncd.config import ConfigError, effective, load, parse
from lzsyncd.feed.elements import Element

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "etc" / "lzsyncd.toml"
DOCUMENT = ROOT / "docs" / "configuration.md"


def test_the_sample_is_a_site_with_every_default():
    assert load(SAMPLE) == parse("[sites.acme]")


def test_the_defaults_that_the_sample_shows_are_the_defaults():
    uncommented = re.sub(r"^#(?=[a-z])", "", SAMPLE.read_text(), flags=re.MULTILINE)
    assert uncommented.count("\n#") < SAMPLE.read_text().count("\n#")
    assert parse(uncommented) == parse("[sites.acme]")


def test_every_example_of_the_sample_may_be_used():
    examples = re.findall(r"^#   (.*)", SAMPLE.read_text(), flags=re.MULTILINE)
    inner = re.split(r"^(?=\[)", "\n".join(examples), flags=re.MULTILINE)
    of_the_page = [key for key in inner[0].splitlines() if key.startswith(("listen", "tls_"))]
    assert parse("\n".join(["[web]", *of_the_page])).web.tls_key
    elsewhere = {"date_formats": "sites.acme.user", "file": "log"}
    for key in set(inner[0].splitlines()) - set(of_the_page):
        table = elsewhere.get(key.partition(" ")[0], "sites.acme")
        parse(f"[{table}]\n{key}")
    site = parse("\n".join(inner[1:])).sites["acme"]
    assert [column.custom_name for column in site.element(Element.USER).custom] == ["costcentre", "site"]


def keys_the_code_takes(table: str) -> set[str]:
    """The keys of a table, as the program lists them to somebody who wrote an unknown one."""
    with pytest.raises(ConfigError) as caught:
        parse(f"{table}\n'?' = 1")
    (listed,) = re.findall("unknown key; the keys here are (.*)", str(caught.value))
    return set(listed.split(", "))


TABLES = {
    "`[daemon]`": ["[daemon]"],
    "`[log]`": ["[log]"],
    "`[mail]`": ["[mail]"],
    "`[metrics]`": ["[metrics]"],
    "`[web]`": ["[web]"],
    "`[sites.NAME]`": ["[sites.acme]"],
    "`[sites.NAME.notify]`": ["[sites.acme.notify]"],
    "`[sites.NAME.org]`, `[sites.NAME.pos]`, `[sites.NAME.user]`": [
        "[sites.acme.user]",
        "[sites.acme.org]",
        "[sites.acme.pos]",
    ],
    "`[sites.NAME.guard]`": ["[sites.acme.guard]"],
    "`[sites.NAME.remote]`": ["[sites.acme.remote]"],
    "`[sites.NAME.ELEMENT.customfields.FIELD]`": ["[sites.acme.user.customfields.x]"],
}


def documented(title: str) -> dict[str, str]:
    """Key → what the column "default" of the document says, of one chapter."""
    chapter = DOCUMENT.read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", chapter, flags=re.MULTILINE))


@pytest.mark.parametrize("title", TABLES)
def test_every_key_is_documented(title):
    known = set().union(*map(keys_the_code_takes, TABLES[title]))
    assert set(documented(title)) == known - {"org", "pos", "user", "guard", "notify", "remote"}


@pytest.mark.parametrize("title", TABLES)
def test_every_key_is_in_the_sample(title):
    assert [key for key in documented(title) if not re.search(rf"\b{key}\b", SAMPLE.read_text())] == []


MAIL = '[mail]\nhost = "mail.acme.test"\nfrom = "lzsyncd@acme.test"\n'


def test_every_documented_default_is_the_default():
    shown = tomllib.loads(effective(parse(f'{MAIL}[sites.acme.user]\ncustomfields.x.type = "text"')))
    site = shown["sites"]["acme"]
    tables = {
        "`[daemon]`": [shown["daemon"]],
        "`[log]`": [shown["log"]],
        "`[mail]`": [shown["mail"]],
        "`[web]`": [shown["web"]],
        "`[sites.NAME]`": [site],
        "`[sites.NAME.notify]`": [site["notify"]],
        "`[sites.NAME.org]`, `[sites.NAME.pos]`, `[sites.NAME.user]`": [site["user"], site["org"], site["pos"]],
        "`[sites.NAME.guard]`": [site["guard"]],
        "`[sites.NAME.ELEMENT.customfields.FIELD]`": [site["user"]["customfields"]["x"]],
    }
    checked = 0
    for title, values in tables.items():
        for key, cell in documented(title).items():
            written = re.findall("`(.*?)`", cell) if cell.startswith("`") else []
            for table in values if written else []:
                if key in table:
                    text = written[0] if table is values[0] else written[-1]
                    assert tomllib.loads(f"x = {text.replace('NAME', 'acme')}")["x"] == table[key], key
                    checked += 1
    assert checked > 30
