"""What servers are set up from, `requirements.lock`, has all that the program asks for, each file by its digest.

That pip takes it, from the index and nothing else, is a test of the page for whoever runs the server
(`tests/system/test_operating.py`).
"""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = [name for name in PROJECT["project"]["optional-dependencies"] if name != "test"]
ASKED = {
    "requirements.lock": [
        *PROJECT["project"]["dependencies"],
        *(line for name in EXTRAS for line in PROJECT["project"]["optional-dependencies"][name]),
    ],
    "requirements-build.lock": PROJECT["build-system"]["requires"],
}
PIN = re.compile(r"([\w.-]+)==([\w.]+)(?: ; ([^\\]+?))?((?: \\\n +--hash=sha256:[0-9a-f]{64})+)")


def pins(name: str) -> dict[str, tuple[Version, str]]:
    """What a lock file pins: the version, and where it is needed."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = list(PIN.finditer(text))
    assert "\n".join(pin[0] for pin in found) + "\n" == text, "there is something else in it"
    return {normal(pin[1]): (Version(pin[2]), pin[3] or "") for pin in found}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("lock", ASKED)
def test_every_dependency_is_pinned_to_a_version_that_is_asked_for(lock: str):
    assert ASKED[lock]
    for requirement in map(Requirement, ASKED[lock]):
        version, only_where = pins(lock)[normal(requirement.name)]
        assert version in requirement.specifier, requirement.name
        assert not only_where, requirement.name
        for extra in requirement.extras:
            assert f"{normal(requirement.name)}-{extra}" in pins(lock), extra


def test_what_is_built_on_the_way_is_built_by_what_is_pinned():
    assert {"hatchling", "setuptools"} <= pins("requirements-build.lock").keys()


@pytest.mark.parametrize("lock", ASKED)
def test_a_lock_file_names_no_place_to_fetch_from(lock: str):
    assert not re.search(r"://|index|find-links|trusted", (ROOT / lock).read_text(encoding="utf-8"))


def test_the_extras_are_in_it_and_what_only_tests_need_is_not():
    assert EXTRAS == ["apprise", "postgres"]
    assert not {"pytest", "mypy", "ruff", "playwright"} & pins("requirements.lock").keys()
