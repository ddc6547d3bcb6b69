"""A throw-away copy of this machine, booted under a real systemd as PID 1, gone without a trace when its owner is.

    with booted() as machine:
        machine.run("systemctl", "is-system-running")

systemd-nspawn over an overlay of `/` whose upper layer is in memory: nothing that is done inside is seen outside.
`/tmp`, `/run`, `/dev` and the network are the machine's own; it starts only what the distribution itself wants at boot.
"""

import itertools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

PACKAGES = {"systemd-nspawn": "systemd-container", "unshare": "util-linux", "nsenter": "util-linux"}
START_SECONDS = 60
LONGEST = 60  # seconds that a command may take; a test must not hang
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "TERM": "dumb",
    "LANG": "C.UTF-8",
}

# Runs the machine as its child and waits on a pipe that only the owner holds: however the owner ends, kill -9 included,
# the pipe ends with it, and so does the machine. It has a pid namespace, whose death kills all that is in it, and a
# mount namespace, with which its mounts go. Control groups must be removed by name, when the last process has left.
KEEPER = """
roots=
for root in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do  # version 2; 1, or both
    if [ -f "$root/cgroup.procs" ]; then roots="$roots $root"; mkdir "$root/$NAME"; fi
done
ROOTS=$roots unshare --mount --pid --mount-proc --fork --kill-child sh -euc "$BOOT" </dev/null &
machine=$!
exec 3<&0
(cat <&3 >/dev/null; kill -KILL $machine) &
wait $machine
tries=0
for root in $roots; do
    until find "$root/$NAME" -depth -type d -exec rmdir {} + 2>/dev/null || [ $tries = 200 ]; do
        tries=$((tries + 1)); sleep 0.05
    done
done
rmdir "$FOLDER"
"""

# The copy: units that this machine has enabled are not started, and its journal begins empty. In a control group of its
# own, or nspawn would make some in its caller's. Without CAP_BPF the addresses that a unit forbids would be allowed.
BOOT = """
for root in $ROOTS; do echo 0 >"$root/$NAME/cgroup.procs"; done
mount -t tmpfs -o mode=0755,size=50% tmpfs "$FOLDER"
cd "$FOLDER"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=$LAYERS/,upperdir=upper,workdir=work" root
rm -rf root/etc/systemd/system/*.wants root/etc/machine-id root/etc/hostname root/var/log/journal
tr -d - </proc/sys/kernel/random/uuid >root/etc/machine-id
ln -sf /dev/null root/etc/systemd/system/console-getty.service
ln -sf /dev/null root/etc/systemd/system/getty.target
export UNIFIED_CGROUP_HIERARCHY=1
systemd-nspawn --quiet --directory=root --machine="$NAME" --register=no --keep-unit --private-network \\
    --link-journal=no --resolv-conf=off --timezone=off --console=pipe \\
    --capability=CAP_BPF,CAP_NET_ADMIN --system-call-filter=bpf --boot systemd.unit=multi-user.target
"""

# Run in the machine's network: connects and hands the connection out.
CONNECT = """
import socket, sys
made = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10)
socket.send_fds(socket.socket(fileno=0), [b"."], [made.fileno()])
"""

_numbers = itertools.count(1)


class MachineMissing(RuntimeError):
    """What a machine needs is not here: a program, or root's rights. Trying again does not help."""


class MachineFailed(RuntimeError):
    """The machine did not boot; the text ends with what its console said."""


class Machine:
    """A machine that has booted.

    Args:
        layers: folders that lie over `/`, the uppermost first, and are not changed either. An overlay wants them on
            another file system: it refuses one that is inside the other.

    Attributes:
        name: its host name, different from that of any other.
        leader: the process here that is PID 1 there.
        environment: of the commands that are run inside.

    Raises:
        MachineMissing: a program is not installed, or we are not root.
        MachineFailed: it does not boot.
    """

    def __init__(self, *layers: Path) -> None:
        _require()
        self.environment = dict(ENVIRONMENT)
        self.name = f"lzsyncd-{os.getpid()}-{next(_numbers)}"
        folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir="/run"))
        self._console = tempfile.TemporaryFile()  # noqa: SIM115 it lives as long as the machine
        self._keeper = subprocess.Popen(
            ["sh", "-c", KEEPER],
            env={**ENVIRONMENT, "NAME": self.name, "FOLDER": str(folder), "LAYERS": _listed(layers), "BOOT": BOOT},
            stdin=subprocess.PIPE,
            stdout=self._console,
            stderr=self._console,
            start_new_session=True,  # Ctrl-C goes to the tests alone; they end it
        )
        try:
            self.leader = self._wait_for_leader()
            self._wait_until_running()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the machine at once and remove everything. Doing it twice does no harm."""
        if self._keeper.stdin and not self._keeper.stdin.closed:
            self._keeper.stdin.close()
            self._keeper.wait()
            self._console.close()

    # -- what is done in it

    @property
    def root(self) -> Path:
        """Its root folder as seen from here. (Absolute symbolic links in there lead out of it.)"""
        return Path(f"/proc/{self.leader}/root")

    def command(self, *words: str | Path) -> list[str]:
        """The command that runs another one inside, as root, with nothing of our environment."""
        enter = ["nsenter", f"--target={self.leader}", "--all", "--root", "--wd", "--", "env", "-i"]
        return [*enter, *(f"{name}={value}" for name, value in self.environment.items()), *map(str, words)]

    def start(self, *words: str | Path, **how: Any) -> subprocess.Popen[str]:
        """Start a command inside and leave it running; `how` is for Popen. Its pid is nsenter's."""
        return subprocess.Popen(self.command(*words), text=True, **how)

    def run(
        self,
        *words: str | Path,
        check: bool = True,
        stdin: str = "",
        timeout: float = LONGEST,
        user: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside and wait for its end.

        Args:
            words: the command.
            check: a failure is an AssertionError that tells what the command said.
            stdin: what it reads.
            timeout: in seconds.
            user: the account it runs as, with its groups; root when empty.
        """
        if user:
            words = ("runuser", "-u", user, "--", *words)
        done = subprocess.run(
            self.command(*words), input=stdin, capture_output=True, text=True, check=False, timeout=timeout
        )
        said = f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        assert not (check and done.returncode), said
        return done

    def push(self, source: Path, target: str) -> None:
        """Copy a file or folder from here into it, with its times."""
        place = self.root / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(source, place)

    def write(self, path: str, data: str | bytes, mode: int = 0o644) -> None:
        """Write a file inside, owned by root."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data.encode() if isinstance(data, str) else data)
        place.chmod(mode)

    def read(self, path: str) -> str:
        """The text of a file inside."""
        return (self.root / path.lstrip("/")).read_text(encoding="utf-8")

    def show(self, unit: str, name: str) -> str:
        """A property of a unit, as `systemctl show` tells it: MainPID, StatusText, NRestarts…"""
        return self.run("systemctl", "show", f"--property={name}", "--value", unit).stdout.strip()

    def journal(self, unit: str) -> list[dict[str, Any]]:
        """What the journal has from a unit, oldest first, long messages whole."""
        self.run("journalctl", "--sync")
        told = self.run("journalctl", f"--unit={unit}", "--output=json", "--all", "--no-pager").stdout
        return [json.loads(line) for line in told.splitlines()]

    def connect(self, port: int) -> socket.socket:
        """A connection to a port of its loopback address, for use from here."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            python = ["/usr/bin/python3", "-c", CONNECT, str(port)]
            enter = ["nsenter", f"--target={self.leader}", "--net", "--", *python]
            subprocess.run(enter, stdin=theirs, check=True, timeout=LONGEST)
            _, (handle,), _, _ = socket.recv_fds(ours, 1, 1)
        return socket.socket(fileno=handle)

    # -- booting

    def _wait_for_leader(self) -> int:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._keeper.poll() is None:
            if found := next((pid for pid in _below(self._keeper.pid) if _is_init(pid)), 0):
                return found
            time.sleep(0.02)
        raise self._failed("has no systemd")

    def _wait_until_running(self) -> None:
        state = self.run("systemctl", "is-system-running", "--wait", check=False, timeout=START_SECONDS).stdout.strip()
        if state != "running":
            failed = self.run("systemctl", "--failed", "--no-legend", "--plain", check=False).stdout
            raise self._failed(f"is {state}: {failed}")

    def _failed(self, what: str) -> MachineFailed:
        self._console.seek(0)
        return MachineFailed(f"The machine {what}\n{self._console.read().decode(errors='replace')}")


def _require() -> None:
    missing = {package for program, package in PACKAGES.items() if not shutil.which(program)}
    if missing:
        raise MachineMissing(f"A machine can't be booted: apt-get install {' '.join(sorted(missing))}.")
    if os.geteuid():
        raise MachineMissing("A machine can't be booted: that takes root's rights.")


def _listed(layers: Sequence[Path]) -> str:
    return "".join(f"{layer}:" for layer in layers)


def _below(pid: int) -> Iterator[int]:
    """The processes below one."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has just ended
        return
    for child in map(int, children):
        yield child
        yield from _below(child)


def _is_init(pid: int) -> bool:
    """Whether a process is a systemd that takes commands."""
    try:
        is_first = Path(f"/proc/{pid}/status").read_text().rpartition("NSpid:")[2].split("\n")[0].split()[-1] == "1"
        return is_first and Path(f"/proc/{pid}/root/run/systemd/private").exists()
    except OSError:
        return False


@contextmanager
def booted(*layers: Path) -> Iterator[Machine]:
    """A machine for the length of a block."""
    with Machine(*layers) as machine:
        yield machine
