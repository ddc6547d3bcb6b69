"""Accounts and groups of the machine, or of another root folder: names ↔ numbers."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SERVICE = "lzsyncd"
SFTP_GROUP = "lzsyncd-in"
PAGE = "lzsyncd-web"  # account and group
NEVER_SET = ("", "!", "!!", "*", "!*")  # what /etc/shadow says of an account that never had a password


class Account(NamedTuple):
    """A line of passwd(5)."""

    name: str
    uid: int
    gid: int
    home: Path


ROOT = Account("root", 0, 0, Path("/root"))  # also where a system has no files yet


class Accounts:
    """Who there is on a machine, as its own files say: `lzsyncd install` makes its accounts there and nowhere else.

    They are read anew for each question: the steps in between make accounts.
    """

    def __init__(self, root: Path) -> None:
        self._etc = root / "etc"

    def uid(self, name: str) -> int | None:
        """The number of an account, None where there is none."""
        account = self.account(name)
        return account.uid if account else None

    def gid(self, name: str) -> int | None:
        """The number of a group, None where there is none."""
        return next(
            (int(fields[2]) for fields in self._lines("group") if fields[0] == name), 0 if name == "root" else None
        )

    def account(self, name: str) -> Account | None:
        """The account of that name."""
        known = (account for account in self._accounts() if account.name == name)
        return next(known, ROOT if name == ROOT.name else None)

    def home(self, name: str) -> Path | None:
        """The home of an account, None where there is none."""
        account = self.account(name)
        return account.home if account else None

    def members(self, group: str) -> list[str]:
        """The accounts whose own group it is."""
        gid = self.gid(group)
        return [account.name for account in self._accounts() if account.gid == gid]

    def others_in(self, group: str) -> list[str]:
        """The accounts that are in a group besides their own."""
        return next((line[3].split(",") for line in self._lines("group") if line[0] == group), [])

    def user_name(self, uid: int) -> str:
        """The name of an account, or its number where it has none."""
        return next((account.name for account in self._accounts() if account.uid == uid), str(uid))

    def group_name(self, gid: int) -> str:
        """The name of a group, or its number where it has none."""
        return next((fields[0] for fields in self._lines("group") if int(fields[2]) == gid), str(gid))

    def has_password(self, name: str) -> bool:
        """Whether an account ever had a password, also one that is locked now."""
        return next((fields[1] not in NEVER_SET for fields in self._lines("shadow") if fields[0] == name), False)

    def _accounts(self) -> Iterator[Account]:
        for name, _, uid, gid, _, home, *_ in self._lines("passwd"):
            yield Account(name, int(uid), int(gid), Path(home))

    def _lines(self, name: str) -> Iterator[list[str]]:
        path = self._etc / name
        if path.exists():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                if ":" in line and not line.startswith(("#", "+", "-")):
                    yield line.split(":")
