"""The files that come with lzsyncd for the machine it runs on, and where they go."""

import sys
from pathlib import Path
from stat import S_IXOTH
from typing import NamedTuple

import lzsyncd
from lzsyncd.errors import LzsyncdError, Usage
from lzsyncd.setup.accounts import SERVICE
from lzsyncd.setup.steps import ROOTS_FILE, Owned

PROGRAM = Path("/opt/lzsyncd/venv/bin/lzsyncd")  # what the unit says
CONFIGURATION = Path("/etc/lzsyncd/lzsyncd.toml")
UNIT, WEB_UNIT = "lzsyncd.service", "lzsyncd-web.service"
ROOT_READS = Owned("root", SERVICE, 0o640)

# What the unit's ProtectHome= and PrivateTmp= take out of the service's sight.
HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))  # noqa: S108 nothing is written there


class Place(NamedTuple):
    """Where a shipped file goes.

    Attributes:
        name: what it is called in the package.
        path: where it goes.
        owner: whose it is then.
    """

    name: str
    path: Path
    owner: Owned = ROOTS_FILE


SYSUSERS = Place("lzsyncd.sysusers", Path("/etc/sysusers.d/lzsyncd.conf"))
TMPFILES = Place("lzsyncd.tmpfiles", Path("/etc/tmpfiles.d/lzsyncd.conf"))
SERVICE_UNIT = Place("lzsyncd.service", Path("/etc/systemd/system", UNIT))
PAGE_UNIT = Place(WEB_UNIT, Path("/etc/systemd/system", WEB_UNIT))
LOGROTATE = Place("lzsyncd.logrotate", Path("/etc/logrotate.d/lzsyncd"))
SAMPLE = Place("lzsyncd.toml", CONFIGURATION.with_name("lzsyncd.toml.sample"), ROOT_READS)
SNIPPET = Place("sshd_lzsyncd.conf", Path("/etc/ssh/sshd_config.d/lzsyncd.conf"))


def content(place: Place, program: Path = PROGRAM) -> bytes:
    """What is in a shipped file; `program` is what the unit is to start."""
    return (_folder(place.name) / place.name).read_bytes().replace(bytes(PROGRAM), bytes(program))


def _folder(name: str) -> Path:
    """In a wheel all of them are below the package; in a checkout they are where people look for them."""
    package = Path(lzsyncd.__file__).parent
    folders = (package / "_install", package.parent / "systemd", package.parent / "etc")
    found = next((folder for folder in folders if (folder / name).is_file()), None)
    if found is None:
        raise LzsyncdError(f"This installation of lzsyncd is not whole: {name} is missing.")
    return found


def first_configuration() -> bytes:
    """A configuration without any site: what the sample says before its first one."""
    general, _, _ = content(SAMPLE).partition(b"# One table a site.")
    return general + f"# Sites: `lzsyncd site add NAME` adds them here. Every key they take: {SAMPLE.path}\n".encode()


def running_program() -> Path:
    """The program as it runs now, where the service can run it too.

    Raises:
        Usage: the service could not see it, or not read it.
    """
    program = Path(sys.prefix, "bin", "lzsyncd")
    for path in (program, Path(lzsyncd.__file__), Path(sys.executable).resolve()):
        _require_visible(path.absolute())
    return program


def _require_visible(path: Path) -> None:
    remedy = f"Install lzsyncd as the README says: in {PROGRAM.parents[1]}."
    if not path.exists():
        raise Usage(f"There is no {path} that a service could start. {remedy}")
    if any(path.is_relative_to(hidden) for hidden in HIDDEN):
        raise Usage(f"A service can't see {path}: people's own folders and /tmp are hidden from it. {remedy}")
    closed = next((folder for folder in path.parents if not folder.stat().st_mode & S_IXOTH), None)
    if closed:
        raise Usage(f"The account {SERVICE} may not enter {closed}, where lzsyncd is. {remedy}")
