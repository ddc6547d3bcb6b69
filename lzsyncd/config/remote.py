"""`[sites.NAME.remote]`: somebody else's SFTP server, from which sets are fetched and to which reports are put."""

from dataclasses import dataclass
from typing import Literal

from lzsyncd.config.secrets import Secret
from lzsyncd.service.slots import Schedule

After = Literal["keep", "move", "delete"]


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A remote SFTP server.

    Attributes:
        host: its name or address.
        port: of its SSH.
        username: of our account there.
        password: of the account; None where a key is used.
        key: an Ed25519 private key as OpenSSH writes it, without a passphrase; None where a password is used.
        host_key: its public keys, `TYPE BASE64`: no other server is spoken to.
        folder: where sets are, as the account sees it.
        reports: the folder to which reports are put; "" puts none.
        after: what is done with a file that was fetched.
        move_to: the folder below `folder` to which it is moved.
        every: seconds between two visits, where there is no schedule.
        schedule: when it is visited.
        timeout: seconds for which the server may say nothing.
        time_limit: seconds that a visit may take; the next one goes on where it stopped.
    """

    host: str
    username: str
    port: int = 22
    password: Secret | None = None
    key: Secret | None = None
    host_key: tuple[str, ...] = ()
    folder: str = "."
    reports: str = ""
    after: After = "keep"
    move_to: str = "processed"
    every: float = 900.0
    schedule: Schedule | None = None
    timeout: float = 30.0
    time_limit: float = 3600.0

    @property
    def place(self) -> str:
        """What is remembered of a file is remembered of this place."""
        return f"{self.username}@{self.host}:{self.port}/{self.folder}"

    @property
    def server(self) -> str:
        """What messages call it."""
        return f"The server {self.host}" if self.port == Remote.port else f"The server {self.host}:{self.port}"
