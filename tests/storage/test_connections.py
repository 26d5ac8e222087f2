"""AWS clients keep their connections until `forget_connections` closes them."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket

import pytest

from shared.storage import aws


class Counting(ThreadingHTTPServer):
    """Responds with `{}` to every POST, and keeps connections open."""

    connections = 0

    def process_request(self, request: socket | tuple[bytes, socket], client_address: object) -> None:
        self.connections += 1
        super().process_request(request, client_address)


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counting]:
    with Counting(("127.0.0.1", 0), Answering) as started:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{started.server_port}")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
        # Clients of this test only: the session of all others has credentials that a new one would not find.
        monkeypatch.setattr(aws, "client", functools.cache(aws.client.__wrapped__))
        monkeypatch.setattr(aws, "_session", functools.cache(aws._session.__wrapped__))
        threading.Thread(target=started.serve_forever, daemon=True).start()
        yield started
        aws.forget_connections()
        started.shutdown()


def ask() -> None:
    aws.dynamodb().get_item(TableName="table", Key={"PK": {"S": "-"}})


def test_a_client_keeps_its_connection_until_it_is_forgotten(server: Counting) -> None:
    aws.make_clients()
    assert server.connections == 0
    ask()
    ask()
    assert server.connections == 1

    aws.forget_connections()
    ask()

    assert server.connections == 2
