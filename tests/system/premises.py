"""What tests of an installed lzsyncd ask a machine, and the sites they add to it."""

import re

from tests.system.booted import Machine
from tests.system.installation import LZSYNCD

UNIT = "/etc/systemd/system/lzsyncd.service"
CONFIG = "/etc/lzsyncd/lzsyncd.toml"
RECORD = "/etc/lzsyncd/installed.sha256"
SRV = "/srv/lzsyncd"
HOME = "/root"

# For lzsyncd.service.d/: another program in the service's place, with all that the unit allows and forbids.
INSTEAD = "[Service]\nType={kind}\nWatchdogSec=0\nRestart=no\nExecStart=\nExecStart={command}\n"


def put_instead(machine: Machine, kind: str, command: str) -> None:
    """Let the unit start another command."""
    machine.write("/etc/systemd/system/lzsyncd.service.d/instead.conf", INSTEAD.format(kind=kind, command=command))
    machine.run("systemctl", "daemon-reload")


def add_site(machine: Machine, name: str, *more: str) -> str:
    """Add a site; returns the password that the sheet tells."""
    return password_of(machine.run(LZSYNCD, "site", "add", name, *more).stdout)


def password_of(sheet: str) -> str:
    (password,) = re.findall(r"^First password +(\S+)$", sheet, re.MULTILINE)
    return str(password)


def owner(machine: Machine, path: str) -> str:
    return machine.run("stat", "-Lc", "%U:%G %a", path).stdout.strip()


def everything(machine: Machine) -> set[str]:
    """What is on the machine where lzsyncd could have changed something: paths with owner and mode, and digests."""
    look = r"find /etc /srv -printf '%p %U:%G %m %l\n'; find /etc /srv -type f -exec sha256sum {} +; ls /var/log"
    backups = re.compile(r"/etc/(?:(?:passwd|group|shadow|gshadow|subuid|subgid)-|\.pwd\.lock)")
    return {line for line in machine.run("sh", "-c", look).stdout.splitlines() if not backups.search(line)}
