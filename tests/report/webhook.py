"""A real HTTP server in this process where a chat's would be: takes messages, or answers what a test wants."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "t0ps3cr3t0ps3cr3t0ps3cr3t"


@dataclass
class Webhook:
    """Takes messages, or not.

    Attributes:
        port: where it listens; it stays the same when it listens again.
        taken: the bodies of those that it took, in order.
        asked: the paths that were asked for, also where it refused.
        answers: HTTP codes, each its own from the front; then the last for ever.
    """

    port: int = 0
    taken: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=lambda: [200])

    @property
    def plain(self) -> str:
        """Its address as apprise calls it, for anything that takes JSON."""
        return f"json://127.0.0.1:{self.port}/{TOKEN}"

    @property
    def mattermost(self) -> str:
        """The same as a chat of the kind of Slack's webhooks."""
        return f"mmost://127.0.0.1:{self.port}/{TOKEN}"

    @property
    def titles(self) -> list[str]:
        return [str(message["title"]) for message in self.taken]

    @property
    def texts(self) -> list[str]:
        return [str(message["message"]) for message in self.taken]


@contextmanager
def hooked(hook: Webhook) -> Iterator[Webhook]:
    """Listen."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["content-length"]))
            hook.asked.append(self.path)
            code = hook.answers[0] if len(hook.answers) == 1 else hook.answers.pop(0)
            if code < 300:
                hook.taken.append(json.loads(data))
            self.send_response(code)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", hook.port), Answer)
    hook.port = server.server_port
    worker = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    worker.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        worker.join()
