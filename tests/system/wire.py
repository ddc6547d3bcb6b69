"""A line to a server that breaks in the middle of a commit."""

import contextlib
import socket
import threading
from typing import Self

BLOCK = 65_536


class Wire:
    """Passes everything on, until a client says COMMIT: then every line breaks, for this client and all others.

    Args:
        port: of the server, on this machine.
        hears: whether the server still hears it; the client hears no answer in either case.
    """

    def __init__(self, port: int, *, hears: bool) -> None:
        self._server, self._hears = port, hears
        self._broken = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def port(self) -> int:
        """Where it begins."""
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    @property
    def is_broken(self) -> bool:
        """Whether somebody has said COMMIT."""
        return self._broken.is_set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server))
                for words in ((client, server, self._say), (server, client, self._answer)):
                    self._threads.append(threading.Thread(target=self._pass, args=words, daemon=True))
                    self._threads[-1].start()

    def _pass(self, source: socket.socket, target: socket.socket, on: object) -> None:
        with contextlib.suppress(OSError):
            while (data := source.recv(BLOCK)) and on(target, data):  # type: ignore[operator]
                pass
        for line in (source, target):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def _say(self, server: socket.socket, data: bytes) -> bool:
        if b"COMMIT" in data:
            self._broken.set()
            if not self._hears:
                return False
        server.sendall(data)
        return True

    def _answer(self, client: socket.socket, data: bytes) -> bool:
        if self._broken.is_set():
            return False
        client.sendall(data)
        return True
