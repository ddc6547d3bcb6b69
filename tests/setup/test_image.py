"""`lzsyncd install --root DIR`: everything goes into another system's root folder, and nothing outside of it."""

import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lzsyncd.__main__ import main
from lzsyncd.config import load
from lzsyncd.errors import ExitCode
from lzsyncd.setup.accounts import Accounts
from tests.system.installation import REPOSITORY, build_wheel

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may install")

INSTALLED = {
    "etc/systemd/system/lzsyncd.service": "systemd/lzsyncd.service",
    "etc/systemd/system/lzsyncd-web.service": "systemd/lzsyncd-web.service",
    "etc/sysusers.d/lzsyncd.conf": "systemd/lzsyncd.sysusers",
    "etc/tmpfiles.d/lzsyncd.conf": "systemd/lzsyncd.tmpfiles",
    "etc/logrotate.d/lzsyncd": "systemd/lzsyncd.logrotate",
    "etc/lzsyncd/lzsyncd.toml.sample": "etc/lzsyncd.toml",
}

Lzsyncd = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lzsyncd(capsys: pytest.CaptureFixture[str]) -> Lzsyncd:
    def run(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*map(str, arguments)])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root folder of a system with nothing in it but root's account."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    (tmp_path / "etc/group").write_text("root:x:0:\n")
    return tmp_path


def files(root: Path) -> dict[str, tuple[int, int, int]]:
    """Every path below a folder with owner, group and mode."""
    found = {str(path.relative_to(root)): path.lstat() for path in root.rglob("*")}
    return {name: (about.st_uid, about.st_gid, stat.S_IMODE(about.st_mode)) for name, about in found.items()}


def test_what_is_shipped_is_installed_with_its_owners(root: Path, lzsyncd: Lzsyncd):
    code, out, err = lzsyncd("install", "--root", root)
    assert (code, err) == (0, "")
    assert {name: (root / name).read_bytes() for name in INSTALLED} == {
        name: (REPOSITORY / shipped).read_bytes() for name, shipped in INSTALLED.items()
    }
    accounts = Accounts(root)
    group = accounts.gid("lzsyncd")
    assert accounts.others_in("lzsyncd-in") == ["lzsyncd"]
    assert accounts.others_in("lzsyncd-web") == ["lzsyncd"]
    there = files(root)
    assert there["srv/lzsyncd"] == (0, 0, 0o755)
    assert there["etc/lzsyncd"] == (0, group, 0o750)
    assert there["etc/lzsyncd/lzsyncd.toml"] == (0, group, 0o640)
    assert load(root / "etc/lzsyncd/lzsyncd.toml").sites == {}
    assert "daemon-reload" not in out


def test_doing_it_again_does_nothing_and_taking_it_back_leaves_nothing(root: Path, lzsyncd: Lzsyncd):
    lzsyncd("install", "--root", root)
    there = files(root)
    assert lzsyncd("install", "--root", root)[1].startswith("Nothing is left to do.\n")
    assert files(root) == there
    code, _, err = lzsyncd("uninstall", "--root", root)
    assert (code, err) == (0, "")
    assert [name for name in files(root) if "lzsyncd" in name] == []
    assert [Accounts(root).uid(name) for name in ("lzsyncd", "lzsyncd-web")] == [None, None]
    assert Accounts(root).gid("lzsyncd-in") is None
    assert lzsyncd("uninstall", "--root", root)[1] == "Nothing is left to do.\n"


def test_a_dry_run_changes_nothing(root: Path, lzsyncd: Lzsyncd):
    before = files(root)
    shown = lzsyncd("install", "--root", root, "--dry-run")[1].splitlines()
    assert files(root) == before
    assert lzsyncd("install", "--root", root)[1].splitlines()[:-1] == shown


def test_data_stay_and_with_them_the_accounts(root: Path, lzsyncd: Lzsyncd):
    lzsyncd("install", "--root", root)
    (root / "srv/lzsyncd/acme").mkdir()
    _, _, err = lzsyncd("uninstall", "--root", root)
    assert "/srv/lzsyncd stays, with what is in it." in err
    assert "The account lzsyncd and the group lzsyncd-in stay" in err
    assert Accounts(root).uid("lzsyncd") is not None


def test_a_configuration_that_is_there_is_neither_replaced_nor_removed(root: Path, lzsyncd: Lzsyncd):
    path = root / "etc/lzsyncd/lzsyncd.toml"
    path.parent.mkdir()
    path.write_text("[sites.acme]\n")
    lzsyncd("install", "--root", root)
    assert path.read_text() == "[sites.acme]\n"
    assert "/etc/lzsyncd/lzsyncd.toml stays" in lzsyncd("uninstall", "--root", root)[2]
    assert path.read_text() == "[sites.acme]\n"


def test_a_folder_in_the_place_of_a_file_is_told(root: Path, lzsyncd: Lzsyncd):
    (root / "etc/logrotate.d/lzsyncd").mkdir(parents=True)
    code, _, err = lzsyncd("install", "--root", root)
    assert code == ExitCode.FAILED, err
    assert "etc/logrotate.d/lzsyncd" in err


def test_the_wheel_brings_all_that_is_installed(tmp_path: Path):
    with zipfile.ZipFile(build_wheel(tmp_path)) as wheel:
        for shipped in [*INSTALLED.values(), "systemd/sshd_lzsyncd.conf"]:
            there = wheel.read(f"lzsyncd/_install/{Path(shipped).name}")
            assert there == (REPOSITORY / shipped).read_bytes()
