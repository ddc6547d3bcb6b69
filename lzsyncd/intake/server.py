"""The connection to a remote SFTP server: one that we know, in strong algorithms, and never waited for without end.

What a server says in its errors comes nowhere: texts are our own.
"""

import base64
import io
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import paramiko

from lzsyncd.config import Remote
from lzsyncd.errors import LzsyncdError, NotPermitted, TryAgain

CIPHERS = ("aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr", "aes192-ctr", "aes128-ctr")
DIGESTS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")
KEX = (
    *("mlkem768x25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384"),
    *("ecdh-sha2-nistp521", "diffie-hellman-group16-sha512", "diffie-hellman-group-exchange-sha256"),
)
HOST_KEYS = (
    *("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    *("rsa-sha2-512", "rsa-sha2-256"),
)


@contextmanager
def connected(remote: Remote) -> Iterator[paramiko.SFTPClient]:
    """A session with the server, for the length of a block.

    Raises:
        TryAgain: it can't be reached, or does not answer in time.
        NotPermitted: it is another server, or does not let us in.
        LzsyncdError: it knows no algorithm that is safe.
        SecretError: the password or key is not where it should be.
    """
    # what its threads would log, also later, in the server's own words, we are told by exceptions
    logging.getLogger("paramiko.transport").setLevel(logging.CRITICAL)
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    for line in remote.host_key:
        kind, data = line.split()
        for name in (remote.host, f"[{remote.host}]:{remote.port}"):
            client.get_host_keys().add(name, kind, paramiko.PKey.from_type_string(kind, base64.b64decode(data)))
    with client:
        _log_in(client, remote)
        with asking(remote, "opening a session"):
            session = client.open_sftp()
            session.get_channel().settimeout(remote.timeout)
        yield session


def _log_in(client: paramiko.SSHClient, remote: Remote) -> None:
    credentials: dict[str, Any] = {"password": remote.password.reveal()} if remote.password else {"pkey": _key(remote)}
    try:
        client.connect(
            remote.host,
            remote.port,
            username=remote.username,
            allow_agent=False,
            look_for_keys=False,
            timeout=remote.timeout,
            banner_timeout=remote.timeout,
            auth_timeout=remote.timeout,
            channel_timeout=remote.timeout,
            transport_factory=_transport,
            **credentials,
        )
    except paramiko.BadHostKeyException as error:
        shown, changed = _fingerprint(error.key), "it was given a new key, or somebody is in between"
        raise NotPermitted(
            f"{remote.server} does not show its host_key but {shown}: {changed}. Nothing was sent."
        ) from None
    except paramiko.AuthenticationException as error:
        if "timeout" in str(error).lower():
            raise TryAgain(f"{remote.server} did not answer in time.") from None
        what = "password" if remote.password else "key"
        raise NotPermitted(f"{remote.server} does not let {remote.username} in with this {what}.") from None
    except paramiko.ssh_exception.IncompatiblePeer:
        raise LzsyncdError(f"{remote.server} speaks only algorithms that are not safe any more.") from None
    except TimeoutError:
        raise TryAgain(f"{remote.server} does not answer.") from None
    except OSError as error:
        first = next(iter(getattr(error, "errors", {}).values()), error)  # of one for each address
        raise TryAgain(f"{remote.server} can't be reached: {first.strerror or type(first).__name__}.") from None
    except (paramiko.SSHException, EOFError):
        raise TryAgain(f"{remote.server} broke the connection off before it was set up.") from None


def _transport(connection: Any, **more: Any) -> paramiko.Transport:
    # otherwise each small request waits until the server has acknowledged the one before it, which it puts off:
    # 44 ms a block, 6 MB/s instead of 245
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(connection, **more)
    options = transport.get_security_options()
    options.ciphers = [name for name in CIPHERS if name in options.ciphers]
    options.digests = [name for name in DIGESTS if name in options.digests]
    options.kex = [name for name in KEX if name in options.kex]
    options.key_types = [name for name in HOST_KEYS if name in options.key_types]
    return transport


def _key(remote: Remote) -> paramiko.PKey:
    text = remote.key.reveal() if remote.key else ""
    try:
        return paramiko.Ed25519Key.from_private_key(io.StringIO(f"{text}\n"))
    except (paramiko.SSHException, ValueError, IndexError, UnicodeError):
        reason = "is no Ed25519 private key in OpenSSH's format without a passphrase"
    raise NotPermitted(f"The key for {remote.host} {reason}: ssh-keygen -t ed25519 -N ''.")


def _fingerprint(key: paramiko.PKey) -> str:
    digest = base64.b64encode(sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"


@contextmanager
def asking(remote: Remote, doing: str) -> Iterator[None]:
    """Say what a server has against something in a sentence.

    Args:
        remote: the server.
        doing: what is done, as it follows on "while".

    Raises:
        TryAgain: it does not answer, or the connection broke.
        NotPermitted: it does not allow it.
        LzsyncdError: what is named is not there.
    """
    try:
        yield
    except FileNotFoundError:
        raise LzsyncdError(f"{remote.server} says while {doing}: there is no such file or folder.") from None
    except PermissionError:
        raise NotPermitted(f"{remote.server} does not allow us {doing}.") from None
    except TimeoutError:
        raise TryAgain(f"{remote.server} said nothing for {remote.timeout:.0f} seconds while {doing}.") from None
    except (OSError, EOFError, paramiko.SSHException):
        raise TryAgain(f"{remote.server} failed, or the connection broke off, while {doing}.") from None
