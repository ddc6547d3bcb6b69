"""What `lzsyncd install` has put on a machine, so that it never takes away or writes over what somebody has changed.

A list as `sha256sum` writes and checks it: `sha256sum -c /etc/lzsyncd/installed.sha256` says what was changed since.
"""

from hashlib import sha256
from pathlib import Path

RECORD = Path("/etc/lzsyncd/installed.sha256")


class Record:
    """Files by path, with what was in them when we wrote them.

    Args:
        root: the machine's root folder; paths are written without it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = inside(root, RECORD)
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        self.digests = {Path(path): digest for digest, _, path in (line.partition("  ") for line in lines) if path}

    def is_untouched(self, path: Path) -> bool:
        """Whether a file is there and is what we wrote."""
        place = inside(self.root, path)
        return place.is_file() and sha256(place.read_bytes()).hexdigest() == self.digests.get(path)

    def add(self, path: Path, data: bytes) -> None:
        """Note what a file is about to hold."""
        self.digests[path] = sha256(data).hexdigest()

    def text(self) -> bytes:
        """The record as a file."""
        return "".join(f"{digest}  {path}\n" for path, digest in sorted(self.digests.items())).encode()


def inside(root: Path, path: Path) -> Path:
    """A path of the machine whose root folder is elsewhere."""
    return root / path.relative_to("/")
