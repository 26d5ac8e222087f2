"""A receiver of webhooks on a loopback port, which refuses, hangs and closes as its endpoints say."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from standardwebhooks import Webhook

Answer = Literal[200, 410, 429, 500, "close", "hang"]
"""The status of the response, or what the receiver does instead of responding."""

_LONGEST_HANG = 30.0
"""Seconds: longer than a sender waits."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request: the event's id, its body, the answer, and why its signature is not valid."""

    event_id: str
    body: bytes
    answer: Answer
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`answer` is given to the first `times` requests, and later to one of `every`; 0 means to no later one."""

    answer: Answer
    times: int = 0
    every: int = 0

    def to(self, number: int, name: str) -> Answer:
        """Return the answer to a request of the endpoint with this name; requests are counted from 1."""
        again = bool(self.every) and zlib.crc32(f"{name} {number}".encode()) % self.every == 0
        return self.answer if number <= self.times or again else 200


@dataclass(slots=True)
class Inbox:
    """What one endpoint has received. `secret` verifies it, and is known before the first event is."""

    behaviour: Behaviour
    secret: str = ""
    requests: list[Request] = field(default_factory=list)


class WebhookReceiver:
    """Serves `POST /<name>` for each inbox, every connection in a thread. It notes a request before it answers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inboxes: dict[str, Inbox] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    def open(self, name: str, behaviour: Behaviour) -> str:
        """Open an inbox and return its URL."""
        with self._lock:
            self._inboxes[name] = Inbox(behaviour)
        return f"http://127.0.0.1:{self._server.server_address[1]}/{name}"

    def verify_with(self, name: str, secret: str) -> None:
        """Verify what the inbox receives with this secret."""
        self._inboxes[name].secret = secret

    def requests_to(self, name: str) -> list[Request]:
        """Return the requests that the inbox has received until now, in order."""
        with self._lock:
            return list(self._inboxes[name].requests)

    def receive(self, name: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Note a request, and return how it is answered."""
        with self._lock:
            inbox = self._inboxes[name]
            answer = inbox.behaviour.to(len(inbox.requests) + 1, name)
            problem = _problem(inbox.secret, headers, body)
            inbox.requests.append(Request(headers.get("webhook-id", ""), body, answer, problem))
        return answer

    @contextmanager
    def serving(self) -> Iterator[WebhookReceiver]:
        """Serve until the end of the block."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="webhooks", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _handler(self) -> Callable[..., BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = receiver.receive(self.path.strip("/"), headers, body)
                self.close_connection = True
                match answer:
                    case "close":
                        return
                    case "hang":
                        self.connection.settimeout(_LONGEST_HANG)
                        self.connection.recv(1)  # nothing comes: it returns when the sender has left
                    case status:
                        self.send_response(status)
                        if status == 429:
                            self.send_header("Retry-After", "1")
                        self.send_header("Content-Length", "0")
                        self.end_headers()

            def log_message(self, *_arguments: Any) -> None:
                """Print nothing."""

        class QuietHandler(Handler):
            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:  # the sender was killed
                    self.close_connection = True

        return QuietHandler


def _problem(secret: str, headers: Mapping[str, str], body: bytes) -> str | None:
    try:
        Webhook(secret).verify(body, dict(headers))
    except Exception as error:  # noqa: BLE001 - whatever the library raises, the request is not valid
        return f"{type(error).__name__}: {error}"
    return None
