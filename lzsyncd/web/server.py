"""The server: one process, threads for the pages, TLS of its own or a reverse proxy in front."""

from socket import socket

import uvicorn

from lzsyncd.config import Config, Web
from lzsyncd.errors import LzsyncdError, NotPermitted, not_permitted
from lzsyncd.logs import logger
from lzsyncd.service.notify import Systemd
from lzsyncd.web.app import build
from lzsyncd.web.house import House

AT_ONCE = 200  # connections; more are told to come back
PROXIES = ["127.0.0.1", "::1"]  # whose word counts for where a request comes from, and whether it came over TLS
UNIX = "unix:"


class CanNotListen(LzsyncdError):
    """The address is taken or is not this machine's. Trying again helps once it is free."""


def serve(config: Config) -> None:
    """Serve the page until told to end.

    Raises:
        CanNotListen: the address can't be had.
        NotPermitted: certificate or key may not be read.
    """
    web = config.web
    _require_readable(web)
    server = Server(settings(config))
    logger().info(f"The page is served at {web.listen}.", **{"event.action": "page_started"})
    try:
        server.run()
    except SystemExit:
        raise CanNotListen(f"The page can't listen on {web.listen}: it is taken, or not this machine's.") from None
    if not server.started:
        raise CanNotListen(f"The page can't listen on {web.listen}: it is taken, or not this machine's.")


class Server(uvicorn.Server):
    """Says when it can be reached."""

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """See uvicorn."""
        await super().startup(sockets)
        if self.started:
            Systemd().ready("serving the page")


def settings(config: Config) -> uvicorn.Config:
    """How uvicorn is to serve: it logs nothing itself, since its lines would have addresses with their queries."""
    web = config.web
    host, _, port = web.listen.rpartition(":")
    path = web.listen.removeprefix(UNIX) if web.listen.startswith(UNIX) else None
    return uvicorn.Config(
        build(House(config.path, config)),
        host=host.strip("[]") or "127.0.0.1",
        port=0 if path else int(port),
        uds=path,
        ssl_certfile=web.tls_cert,
        ssl_keyfile=web.tls_key,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        limit_concurrency=AT_ONCE,
        timeout_graceful_shutdown=10,
        forwarded_allow_ips="*" if path else PROXIES,
    )


def _require_readable(web: Web) -> None:
    for path in filter(None, (web.tls_cert, web.tls_key)):
        try:
            path.read_bytes()
        except PermissionError:
            raise not_permitted(path, "read") from None
        except OSError as error:
            raise NotPermitted(f"{path} can't be read: {error.strerror}.") from None
