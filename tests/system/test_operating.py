"""The page for whoever keeps the server, word for word, on a machine that has never seen lzsyncd."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.booted import Machine, booted

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
LOCKS = [ROOT / "requirements-build.lock", ROOT / "requirements.lock"]
# what pip would fetch is on the machine already: it has no network
OFFLINE = (
    "export PIP_NO_INDEX=1 PIP_FIND_LINKS=/opt/wheels PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 "
    "PIP_NO_COMPILE=1"  # takes longer than all the rest
)

PATIENCE = 300  # seconds: pip installs all the program depends on, perhaps on a busy machine


def blocks(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything the program depends on, and what builds it, as the index has it: pip compares the digests."""
    folder = tmp_path_factory.mktemp("wheels")
    for lock in LOCKS:
        download = ("-m", "pip", "download", "--quiet", "--require-hashes", "--dest", folder, "--requirement", lock)
        done = subprocess.run([sys.executable, *download], capture_output=True, text=True, check=False, timeout=300)
        assert not done.returncode, done.stderr
    return folder


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the repository, without what was built beside them."""
    folder = tmp_path_factory.mktemp("clone") / "lzsyncd"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    return folder


def as_told(machine: Machine, block: str) -> str:
    command = f"cd /opt/clone; {OFFLINE}\n{block}"
    return str(machine.run("sh", "-ec", command, timeout=PATIENCE).stdout)


@pytest.mark.parametrize("text", [PAGE, README[README.index("## A server") :]], ids=["operating", "README"])
def test_the_page_works_word_for_word(text: str, wheels: Path, clone: Path) -> None:
    with booted() as machine:
        machine.push(wheels, "/opt/wheels")
        machine.push(clone, "/opt/clone")
        said = "".join(as_told(machine, block) for block in blocks(text))
        assert machine.run("systemctl", "is-active", "lzsyncd").stdout == "active\n"
        assert "First password" in said
        status = machine.run("/usr/local/bin/lzsyncd", "status", "acme").stdout
        assert status.startswith("The daemon runs.\n\nacme\n  inbox      empty\n")
