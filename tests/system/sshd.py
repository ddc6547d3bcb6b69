"""A real OpenSSH server in a booted machine, and its clients: OpenSSH's own sftp, inside, and paramiko, from here.

    server = Server(machine)
    server.sftp("sftp-acme", password, "put /tmp/user.csv /inbox/user.csv")
    with server.paramiko("sftp-acme", password) as client: ...

It is the server that the distribution sets up, with what `lzsyncd site add` has added to it. A machine has a network of
its own: the port is 22, and nobody else's.
"""

import itertools
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko

from tests.system.booted import Machine, MachineMissing

PORT = 22
PACKAGES = {"/usr/sbin/sshd": "openssh-server", "/usr/bin/sshpass": "sshpass", "/usr/bin/sftp": "openssh-client"}
OPTIONS = (
    "-oStrictHostKeyChecking=no",
    "-oUserKnownHostsFile=/dev/null",
    "-oLogLevel=ERROR",
    "-oPubkeyAuthentication=no",
)

_numbers = itertools.count(1)


class Server:
    """The machine's SFTP server, running.

    Raises:
        MachineMissing: it is not installed.
    """

    def __init__(self, machine: Machine) -> None:
        missing = [package for program, package in PACKAGES.items() if not (machine.root / program[1:]).exists()]
        if missing:
            raise MachineMissing(f"There is no SFTP server: apt-get install {' '.join(missing)}.")
        self.machine = machine
        machine.run("systemctl", "start", "ssh.service")

    def sftp(
        self, account: str, password: str, *commands: str, check: bool = True, options: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run commands of sftp(1) in one session; the first that fails ends it. Files are those of the machine."""
        words = self._words(account, password, "-", options)
        return self.machine.run(*words, stdin="\n".join(commands) + "\n", check=check)

    def begin(self, account: str, password: str, *commands: str, options: tuple[str, ...] = ()) -> "Client":
        """Start such a session and leave it running; `options=("-l800",)` makes it slow: 100 kB a second."""
        name = f"sftp-client-{next(_numbers)}"
        self.machine.write(f"/run/{name}", "\n".join(commands) + "\n")
        words = self._words(account, password, f"/run/{name}", options)
        self.machine.run("systemd-run", "--quiet", f"--unit={name}", "--remain-after-exit", "--", *words)
        return Client(self.machine, f"{name}.service")

    @contextmanager
    def paramiko(self, account: str, password: str) -> Iterator[paramiko.SSHClient]:
        """A client that runs here."""
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        with self.machine.connect(PORT) as connection, client:
            client.connect(
                self.machine.name,
                PORT,
                username=account,
                password=password,
                sock=connection,
                look_for_keys=False,
                allow_agent=False,
                timeout=10,
            )
            yield client

    def _words(self, account: str, password: str, batch: str, options: tuple[str, ...]) -> list[str]:
        """The command; a batch forbids passwords, unless that is decided before it is named."""
        sftp = ["sftp", *OPTIONS, *options, f"-P{PORT}", "-oBatchMode=no", "-b", batch, f"{account}@127.0.0.1"]
        return ["env", f"SSHPASS={password}", "sshpass", "-e", *sftp]


class Client:
    """A session of sftp(1) that runs on its own."""

    def __init__(self, machine: Machine, unit: str) -> None:
        self.machine, self.unit = machine, unit

    @property
    def is_running(self) -> bool:
        """Whether it still goes on; an end that was no success is one, too."""
        return self.machine.show(self.unit, "SubState") == "running"

    @property
    def has_succeeded(self) -> bool:
        """Whether all its commands went well."""
        return self.machine.show(self.unit, "SubState") == "exited" and not int(
            self.machine.show(self.unit, "ExecMainStatus")
        )

    def signal(self, name: str) -> None:
        """Send a signal to all its processes: KILL cuts it off, STOP stalls it, CONT lets it go on."""
        self.machine.run("systemctl", "kill", f"--signal={name}", self.unit)
