"""`lzsyncd install` and `lzsyncd uninstall`: units, accounts, shared folders, a first configuration."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from lzsyncd.errors import NotPermitted
from lzsyncd.setup.accounts import PAGE, SERVICE, SFTP_GROUP, Accounts
from lzsyncd.setup.record import RECORD, Record, inside
from lzsyncd.setup.shipped import (
    CONFIGURATION,
    LOGROTATE,
    PAGE_UNIT,
    PROGRAM,
    ROOT_READS,
    SAMPLE,
    SERVICE_UNIT,
    SNIPPET,
    SYSUSERS,
    TMPFILES,
    UNIT,
    WEB_UNIT,
    Place,
    content,
    first_configuration,
    running_program,
)
from lzsyncd.setup.steps import ROOTS_FILE, Command, File, Folder, Owned, Plan, Removal, Step, planned

MACHINE = Path("/")
SYSTEMD_RUNS = Path("/run/systemd/system")  # sd_booted(3)
DATA_DIR = Path("/srv/lzsyncd")
LOG_DIR = Path("/var/log/lzsyncd")
SHARED_FOLDERS = {DATA_DIR: Owned("root", "root", 0o755), CONFIGURATION.parent: Owned("root", SERVICE, 0o750)}


@dataclass(frozen=True)
class Work:
    """What is to be done, and what is left alone.

    Attributes:
        plan: the steps.
        left: sentences about what is not touched.
    """

    plan: Plan
    left: list[str]


def require_root() -> None:
    """Refuse to go on as anybody else.

    Raises:
        NotPermitted: we are not root.
    """
    if os.geteuid():
        raise NotPermitted("Only root may change this machine; with --dry-run anybody can see what would be done.")


def to_install(root: Path) -> Work:
    """What is still to be done until lzsyncd is installed.

    Args:
        root: the machine's root folder: `/`, or that of an image which is being built.

    Raises:
        Usage: the service could not run the program from where it is.
    """
    program = running_program() if root == MACHINE else PROGRAM
    accounts, record = Accounts(root), Record(root)
    left: list[str] = []
    sysusers, tmpfiles, *others = (
        shipped_file(place, content(place, program), record, accounts, left)
        for place in (SYSUSERS, TMPFILES, SERVICE_UNIT, PAGE_UNIT, LOGROTATE, SAMPLE)
    )
    make_accounts = Command(
        _of("systemd-sysusers", root, SYSUSERS), needed=lambda: bool(planned(sysusers)) or not _has_accounts(accounts)
    )
    folders = [Folder(inside(root, path), owner, accounts) for path, owner in SHARED_FOLDERS.items()]
    make_folders = Command(
        _of("systemd-tmpfiles", root, TMPFILES, "--create"), needed=lambda: bool(planned(tmpfiles) or planned(folders))
    )
    reload_units = Command(
        ("systemctl", "daemon-reload"), needed=lambda: _runs(root) and bool(planned([*others[0], *others[1]]))
    )
    steps: list[Step] = [*sysusers, make_accounts, *tmpfiles, make_folders, *chain(*others), reload_units]
    steps += [*_first_configuration(root, accounts), File(record.path, record.text(), ROOTS_FILE, accounts)]
    return Work(planned(steps), left)


def shipped_file(place: Place, data: bytes, record: Record, accounts: Accounts, left: list[str]) -> list[File]:
    """A shipped file that is to be there, noted in the record; none where somebody has changed it, which is told."""
    path = inside(record.root, place.path)
    if path.exists() and path.read_bytes() != data and not record.is_untouched(place.path):
        left.append(
            f"{place.path} was changed by hand and stays as it is. Move it away to get the one that comes along."
        )
        return []
    record.add(place.path, data)
    return [File(path, data, place.owner, accounts)]


def _first_configuration(root: Path, accounts: Accounts) -> list[File]:
    """Only where there is none. It is people's own from then on, and in no record."""
    path = inside(root, CONFIGURATION)
    return [] if path.exists() else [File(path, first_configuration(), ROOT_READS, accounts)]


def _of(program: str, root: Path, place: Place, *options: str) -> tuple[str, ...]:
    """A command that works on a shipped file, in another root folder where one is given."""
    elsewhere = () if root == MACHINE else (f"--root={root}",)
    return (program, *elsewhere, *options, str(inside(root, place.path)))


def _runs(root: Path) -> bool:
    return root == MACHINE and SYSTEMD_RUNS.is_dir()


def _has_accounts(accounts: Accounts) -> bool:
    there = accounts.uid(SERVICE) is not None and accounts.uid(PAGE) is not None
    return there and all(SERVICE in accounts.others_in(group) for group in (SFTP_GROUP, PAGE))


# -- the way back


def to_uninstall(root: Path) -> Work:
    """What is to be done until only data, accounts that own some, and people's own changes are left."""
    accounts, record = Accounts(root), Record(root)
    left: list[str] = []
    unit = _runs(root) and SERVICE_UNIT.path in record.digests
    page = _runs(root) and PAGE_UNIT.path in record.digests
    files = list(_files_that_go(record, accounts, left))
    folders = list(_folders_that_go(root, files, left))
    steps: list[Step] = [
        Command(("systemctl", "disable", "--now", UNIT), needed=lambda: unit),
        Command(("systemctl", "disable", "--now", WEB_UNIT), needed=lambda: page),
        *(Removal(inside(root, path)) for path in files),
        Command(("systemctl", "daemon-reload"), needed=lambda: unit or page),
        *_record_that_stays(record, accounts),
        *(Removal(inside(root, path)) for path in folders),
    ]
    if set(SHARED_FOLDERS) <= set(folders) | set(_missing(root)):
        steps += _accounts_that_go(root, accounts)
    elif accounts.uid(SERVICE) is not None:
        left.append(f"The account {SERVICE} and the group {SFTP_GROUP} stay as long as something of theirs does.")
    return Work(planned(steps), left)


def _files_that_go(record: Record, accounts: Accounts, left: list[str]) -> Iterator[Path]:
    """Files that are as we wrote them; what the record says of others stays in it."""
    sftp = accounts.members(SFTP_GROUP)
    for path in list(record.digests):
        there = inside(record.root, path).exists()
        if there and path == SNIPPET.path and sftp:
            left.append(f"{path} stays: without it {', '.join(sftp)} would no longer be shut into their folders.")
        elif there and not record.is_untouched(path):
            left.append(f"{path} was changed by hand and stays.")
        else:
            del record.digests[path]
            yield path
    configuration = inside(record.root, CONFIGURATION)
    if configuration.exists() and configuration.read_bytes() == first_configuration():
        yield CONFIGURATION
    elif configuration.exists():
        left.append(f"{CONFIGURATION} stays: it is yours.")
    if not record.digests:
        yield RECORD


def _record_that_stays(record: Record, accounts: Accounts) -> list[Step]:
    return [File(record.path, record.text(), ROOTS_FILE, accounts)] if record.digests else []


def _folders_that_go(root: Path, files: list[Path], left: list[str]) -> Iterator[Path]:
    """Folders in which nothing is left."""
    for folder in (*SHARED_FOLDERS, LOG_DIR):
        place = inside(root, folder)
        if not place.is_dir():
            continue
        if {folder / path.name for path in place.iterdir()} <= set(files):
            yield folder
        else:
            left.append(f"{folder} stays, with what is in it.")


def _missing(root: Path) -> list[Path]:
    return [folder for folder in SHARED_FOLDERS if not inside(root, folder).exists()]


def _accounts_that_go(root: Path, accounts: Accounts) -> list[Step]:
    """The service's account takes its own group along."""
    elsewhere = () if root == MACHINE else (f"--prefix={root}",)
    return [
        Command(("userdel", *elsewhere, SERVICE), needed=lambda: accounts.uid(SERVICE) is not None),
        Command(("userdel", *elsewhere, PAGE), needed=lambda: accounts.uid(PAGE) is not None),
        Command(("groupdel", *elsewhere, SFTP_GROUP), needed=lambda: accounts.gid(SFTP_GROUP) is not None),
    ]
