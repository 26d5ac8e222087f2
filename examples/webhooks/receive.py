"""Receive webhooks: verify each request, and handle each event once. Needs `pip install standardwebhooks`.

WEBHOOK_SECRET=whsec_… python receive.py 9000
"""

from __future__ import annotations

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

seen: set[str] = set()
"""The ids of the events that were handled. Keep them in your database."""


def receive(secret: str, body: bytes, headers: dict[str, str]) -> int:
    """Handle a request and return the status of the response."""
    try:
        event = Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return 400
    event_id = headers["webhook-id"]
    if event_id not in seen:  # an event is sent again until it was answered
        seen.add(event_id)
        handle(event)
    return 204


def handle(event: Any) -> None:
    """Do what the event is for."""
    print(event["type"], event["data"], flush=True)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.send_response(receive(os.environ["WEBHOOK_SECRET"], body, headers))
        self.end_headers()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
