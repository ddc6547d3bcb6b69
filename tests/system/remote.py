"""A customer's SFTP server: OpenSSH's own, on a port of this machine, with a folder for an account of its own.

Root's sshd, without a chroot: what a folder is called is as the account sees it. It can be slowed down and cut off by a
relay that stands between it and us.
"""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ACCOUNT, PASSWORD = "root", "not the one"
CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile {folder}/pid
AuthorizedKeysFile {folder}/authorized
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
PermitRootLogin yes
UsePAM no
LogLevel ERROR
Subsystem sftp internal-sftp -d {folder}/home
{more}
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> str:
    """A key pair; returns the public half."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "", "-f", path], check=True)
    return path.with_suffix(".pub").read_text().strip()


class Customer:
    """The server, running.

    Attributes:
        home: the folder of the account.
        key: the file with our private key.
        host_key: the server's public key.
    """

    def __init__(self, folder: Path, more: str = "", host_kind: str = "ed25519") -> None:
        self.folder, self.home, self.port = folder, folder / "home", free_port()
        self.home.mkdir(parents=True)
        self.host_key = make_key(folder / "host", host_kind)
        (folder / "authorized").write_text(make_key(folder / "client") + "\n")
        self.key = folder / "client"
        Path("/run/sshd").mkdir(exist_ok=True)
        config = folder / "sshd_config"
        config.write_text(CONFIG.format(port=self.port, folder=folder, more=more))
        sshd = shutil.which("sshd", path="/usr/sbin") or "sshd"
        self._process = subprocess.Popen([sshd, "-D", "-e", "-f", config], stderr=subprocess.DEVNULL)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            assert time.monotonic() < deadline
            assert self._process.poll() is None
            time.sleep(0.02)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def lay_out(self, files: dict[str, bytes], folder: str = "out") -> Path:
        """Put files where the customer's export puts them."""
        place = self.home / folder
        place.mkdir(exist_ok=True)
        for name, data in files.items():
            (place / name).write_bytes(data)
        return place

    def settings(self, **more: object) -> str:
        """The table of the configuration, for the end of a site's."""
        known = {
            "host": "127.0.0.1",
            "port": self.port,
            "username": ACCOUNT,
            "host_key": self.host_key,
            "key": {"file": str(self.key)},
            "folder": "out",
        } | more
        lines = [f"{name} = {_toml(value)}" for name, value in known.items() if value is not None]
        return "\n".join(["[sites.acme.remote]", *lines, ""])


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'{name} = "{text}"' for name, text in value.items()) + "}"
    return str(value) if isinstance(value, int) else f'"{value}"'


@contextmanager
def customer(folder: Path, more: str = "", host_kind: str = "ed25519") -> Iterator[Customer]:
    made = Customer(folder, more, host_kind)
    try:
        yield made
    finally:
        made.stop()


class Relay:
    """Stands between us and a server, and lets through what it is told to.

    Attributes:
        port: where it listens.
        left: bytes from the server that are still let through; then the connection is cut, or goes silent.
        connections: how many there were.
    """

    def __init__(self, port: int, left: int = 1 << 60, *, silent: bool = False) -> None:
        self.left, self.connections, self._silent, self._to = left, 0, silent, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self._listener.accept()
                self.connections += 1
                theirs = socket.create_connection(("127.0.0.1", self._to))
                for end in (ours, theirs):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pass_on, args=(ours, theirs), daemon=True).start()
                threading.Thread(target=self._let_through, args=(theirs, ours), daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)

    def _let_through(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data[: self.left])
                self.left -= len(data)
                if self.left <= 0:
                    break
        if not self._silent:
            for end in (source, target):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


def is_possible() -> bool:
    """Whether an sshd can be started that lets its own account in."""
    return os.geteuid() == 0
