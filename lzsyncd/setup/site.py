"""`lzsyncd site add`: what one more Learning Zone needs on this machine."""

import re
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_IWGRP, S_IWOTH

from lzsyncd.config import Site
from lzsyncd.config.values import SQLITE
from lzsyncd.errors import Usage
from lzsyncd.setup.accounts import PAGE, SERVICE, SFTP_GROUP, Accounts
from lzsyncd.setup.install import DATA_DIR, MACHINE, shipped_file
from lzsyncd.setup.record import Record
from lzsyncd.setup.server import Snippet, reload_server, require_shut_in, sshd
from lzsyncd.setup.shipped import SNIPPET, content
from lzsyncd.setup.steps import ROOTS_FILE, Command, CommandFailed, File, Folder, Link, Owned, Plan, Step, planned, run
from lzsyncd.setup.table import with_site

LONGEST_ACCOUNT = 32  # bytes: useradd(8)
ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]*")
NOLOGIN = "/usr/sbin/nologin"
PLAIN_SIGNS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that looks like another one
GROUPS_OF_SIGNS = (5, 5, 5, 5)  # 116 bits

ROOTS = Owned("root", "root", 0o755)  # sshd: a chroot and all its parents
PRIVATE = Owned(SERVICE, SERVICE, 0o700)
SHARED = Owned(SERVICE, PAGE, 0o2770)  # the page reads the database, and writes down what people ask for
PAGES = Owned(PAGE, PAGE, 0o700)
INBOX = Owned("root", SFTP_GROUP, 0o2770)  # no sticky bit: the service renames what is not its own
OUTBOX = Owned(SERVICE, SFTP_GROUP, 0o2750)


@dataclass(frozen=True)
class Addition:
    """What a new site needs.

    Attributes:
        site: how it will be configured.
        account: the name of its SFTP account.
        password: the step that gives it one.
        plan: every step that is still to be done.
        left: sentences about what is not touched.
    """

    site: Site
    account: str
    password: "FirstPassword"
    plan: Plan
    left: list[str]


def to_add(config: Path, name: str, *, database: str = "", account: str = "", new_password: bool = False) -> Addition:
    """What is still to be done for a site.

    Args:
        config: the configuration.
        name: the site's.
        database: the address of a PostgreSQL database; "" for SQLite, or for what the configuration says.
        account: what its SFTP account is to be called; "" for `sftp-NAME`, or for the one it has.
        new_password: the account gets another password, whether it has one or not.

    Raises:
        ConfigError: the configuration can't be used, or could not be with this site in it.
        Usage: something is in the way; the text says what.
    """
    sshd()
    accounts, record = Accounts(MACHINE), Record(MACHINE)
    left: list[str] = []
    table = with_site(config, name, database)
    site = table.config.sites[name]
    chroot = _chroot(site, table.config.daemon.data_dir, left)
    account = _account(accounts, account, chroot, site)
    password = FirstPassword(account, accounts, again=new_password)
    file = shipped_file(SNIPPET, content(SNIPPET), record, accounts, left)
    steps: list[Step] = [
        *folders(site, table.config.daemon.data_dir, accounts),
        table,
        Command(_useradd(account, chroot, name), needed=lambda: accounts.account(account) is None),
        *map(Snippet, file),
        File(record.path, record.text(), ROOTS_FILE, accounts),
        *([Tables(table.path, site, accounts)] if site.database == SQLITE else []),
        password,
    ]
    return Addition(site, account, password, planned(steps), left)


def folders(site: Site, data_dir: Path, accounts: Accounts) -> list[Step]:
    """A site's folders, as sshd and the service want them.

    sshd wants the site's own folder to be root's, and SQLite makes files beside the database: so the database is in a
    folder of the service's own, and a link is where people look for it.
    """
    sftp, is_sqlite = site.folder / "sftp", site.database == SQLITE
    private = ["spool", "archive", "quarantine"]
    return [
        *(Folder(path, ROOTS, accounts) for path in (data_dir, site.folder, sftp)),
        Folder(sftp / "inbox", INBOX, accounts),
        Folder(sftp / "outbox", OUTBOX, accounts),
        *(Folder(site.folder / name, PRIVATE, accounts) for name in private),
        *([Folder(site.folder / "zone", SHARED, accounts)] if is_sqlite else []),
        Folder(site.folder / "page", PAGES, accounts),
        *(Link(site.folder / name, f"zone/{name}") for name in ("zone.db", "zone.lock") if is_sqlite),
    ]


def _chroot(site: Site, data_dir: Path, left: list[str]) -> Path:
    """The folder that the account will see as `/`."""
    chroot = site.folder / "sftp"
    if (site.inbox, site.outbox) != (chroot / "inbox", chroot / "outbox"):
        raise Usage(f"Site {site.name} has its inbox or outbox outside {chroot}, where an SFTP account can't reach it.")
    for folder in data_dir.parents:
        found = folder.stat() if folder.exists() else None
        if found and (found.st_uid or found.st_mode & (S_IWGRP | S_IWOTH)):
            raise Usage(
                f"sshd refuses folders below {folder}, which others than root can change: "
                f"chown root {folder} && chmod go-w {folder}"
            )
    if not data_dir.is_relative_to(DATA_DIR):
        left.append(
            f"The unit lets the service write to {DATA_DIR} only: systemctl edit lzsyncd, ReadWritePaths={data_dir}"
        )
    return chroot


def _account(accounts: Accounts, wanted: str, chroot: Path, site: Site) -> str:
    """The name of the site's account: the one it has, or the one it will have."""
    if accounts.uid(SERVICE) is None or accounts.gid(SFTP_GROUP) is None:
        raise Usage("lzsyncd is not installed here: run lzsyncd install first.")
    its_own = [name for name in accounts.members(SFTP_GROUP) if accounts.home(name) == chroot]
    name = wanted or next(iter(its_own), f"sftp-{site.name}")
    if its_own and name not in its_own:
        raise Usage(f"Site {site.name} has the account {its_own[0]} already.")
    if not its_own and accounts.account(name):
        raise Usage(f"There is an account {name}, and it is not that of site {site.name}: name another with --account.")
    if len(name) > LONGEST_ACCOUNT or not ACCOUNT.fullmatch(name):
        raise Usage(
            f"{name} can't be an account: at most {LONGEST_ACCOUNT} of a-z, 0-9, _ and -. Name one with --account."
        )
    return name


def _useradd(account: str, chroot: Path, name: str) -> tuple[str, ...]:
    """No shell, and no home but the chroot: sshd's `%h`. Without a password nobody gets in yet."""
    options = ("--system", "--no-create-home", "--home-dir", str(chroot), "--gid", SFTP_GROUP, "--shell", NOLOGIN)
    return ("useradd", *options, "--comment", f"SFTP of lzsyncd site {name}", account)


@dataclass
class FirstPassword:
    """The step that gives an account a password.

    Attributes:
        account: the account, which may not be there yet.
        accounts: of the machine.
        again: also where it has one.
        secret: the password, once it is set.
    """

    account: str
    accounts: Accounts
    again: bool
    secret: str = field(default="", repr=False)

    def pending(self) -> str:
        """See `Step`."""
        if self.accounts.has_password(self.account) and not self.again:
            return ""
        return f"set a new password for {self.account}"

    def do(self) -> None:
        """See `Step`. Only for an account that sshd shuts in: before it has a password it is no danger."""
        require_shut_in(self.account)
        reload_server()  # what the files say is not what the server does until it has read them
        secret = new_password()
        run("chpasswd", stdin=f"{self.account}:{secret}\n")
        self.secret = secret


def new_password() -> str:
    """A password that can be read out on the telephone."""
    return "-".join("".join(secrets.choice(PLAIN_SIGNS) for _ in range(length)) for length in GROUPS_OF_SIGNS)


@dataclass(frozen=True)
class Tables:
    """The step that makes the tables of a site's SQLite database, as the service: the files must be its own."""

    config: Path
    site: Site
    accounts: Accounts

    def pending(self) -> str:
        """See `Step`."""
        there = (self.site.folder / "zone.db").exists()
        return "" if there else f"make the database of site {self.site.name} (as {SERVICE}: lzsyncd migrate)"

    def do(self) -> None:
        """See `Step`."""
        account = self.accounts.account(SERVICE)
        if account is None:
            raise Usage("lzsyncd is not installed here: run lzsyncd install first.")
        command = [sys.executable, "-m", "lzsyncd", "--config", str(self.config), "migrate", self.site.name]
        done = subprocess.run(  # noqa: S603 our own words
            command,
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            umask=0o077,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CommandFailed(f"The database of site {self.site.name} could not be made: {done.stderr.strip()}")
