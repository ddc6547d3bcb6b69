"""What is mounted where: file systems that tell of no events, mounts that come and go, watches that go with them."""

import contextlib
import os
import re
import select
from pathlib import Path

TABLE = Path("/proc/self/mountinfo")  # proc(5)
WATCHES = Path("/proc/self/fdinfo")  # proc_pid_fdinfo(5)
SILENT = (
    *("nfs", "cifs", "smb", "fuse", "9p", "afs", "ceph", "glusterfs", "lustre", "gfs2", "ocfs2", "beegfs"),
    *("virtiofs", "vboxsf", "vmhgfs", "prl_fs"),  # folders that a virtual machine shares with its host
)

_ESCAPED = re.compile(rb"\\([0-7]{3})")
_WATCH = re.compile(r"^inotify wd:\d+ ino:([0-9a-f]+) sdev:([0-9a-f]+) ", re.MULTILINE)
_MINOR = 20  # bits of a device's number inside the kernel


class Mounts:
    """The mounts this process sees; they are read again when the kernel says that they changed.

    Args:
        table: where they are listed.
    """

    def __init__(self, table: Path = TABLE) -> None:
        self._table = table
        self._handle = table.open("rb")
        self._poll = select.poll()
        self._poll.register(self._handle, select.POLLPRI)  # POLLERR comes unasked
        self._points: list[tuple[Path, str]] = []

    def have_changed(self) -> bool:
        """Whether anything was mounted or unmounted since this was asked last."""
        if not self._poll.poll(0):
            return False
        self._points = []
        return True

    def send_events(self, path: Path) -> bool:
        """Whether the kernel hears of all changes in a folder: on a network file system others make them, too."""
        return not self.kind(path).startswith(SILENT)

    def kind(self, path: Path) -> str:
        """The type of the file system that an absolute path is on; "" if that is not to be found."""
        if not self._points:
            self._points = [_point(line) for line in self._table.read_bytes().splitlines()]
        best, kind = 0, ""
        for point, fstype in self._points:
            if len(point.parts) >= best and path.is_relative_to(point):  # of several at one place the last is on top
                best, kind = len(point.parts), fstype
        return kind


def watched() -> set[tuple[int, int]]:
    """The folders whose events the kernel has for this process: device and inode.

    File systems that show programs other numbers than their own (Btrfs, some overlays) are not found again here.
    """
    found: set[tuple[int, int]] = set()
    for path in WATCHES.iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            for inode, device in _WATCH.findall(path.read_text()):
                major, minor = divmod(int(device, 16), 1 << _MINOR)
                found.add((os.makedev(major, minor), int(inode, 16)))
    return found


def _point(line: bytes) -> tuple[Path, str]:
    """Where something is mounted, and its type; blanks in the path are octal."""
    fields, _, rest = line.partition(b" - ")
    point = _ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), fields.split(b" ")[4])
    return Path(point.decode(errors="surrogateescape")), rest.split(b" ")[0].decode()
