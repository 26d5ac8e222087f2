"""A stand-in for Sentry's ingest, which keeps envelopes, refuses them or never responds."""

from __future__ import annotations

import gzip
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

from local.stack import ROOT
from tests.serving import serving

Event = dict[str, Any]


class SentryIngest:
    """https://develop.sentry.dev/sdk/data-model/envelopes/; `how` may be changed while it runs."""

    def __init__(self) -> None:
        self.how: Literal["takes", "refuses", "hangs"] = "takes"
        self.envelopes: list[str] = []
        self.unanswered = 0
        """Requests that hang until this server is stopped."""
        self._released = threading.Event()
        ingest = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                body = _unpacked(body, self.headers.get("Content-Encoding"))
                if ingest.how == "hangs":
                    ingest.unanswered += 1
                    ingest._released.wait()
                    return
                status = 200 if ingest.how == "takes" else 500
                if status == 200:  # before the response: a test may look as soon as the client has it
                    ingest.envelopes.append(f"{self.headers}\n{body.decode()}")
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        host, port = self._server.server_address[:2]
        self.dsn = f"http://public-key@{host!s}:{port}/42"
        self._serving = serving(self._server)

    def __enter__(self) -> Self:
        self._serving.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._serving.__exit__(kind, error, trace)

    @property
    def events(self) -> list[Event]:
        """Return the events of all envelopes, which have a line of headers and two lines for each item."""
        found = []
        for envelope in tuple(self.envelopes):
            lines = [json.loads(line) for line in envelope.splitlines() if line.startswith("{")]
            found += [item for header, item in zip(lines[1::2], lines[2::2], strict=True) if header["type"] == "event"]
        return found


def _unpacked(body: bytes, encoding: str | None) -> bytes:
    """Return the body as it was before the SDK packed it: with brotli where it finds that, else with gzip."""
    if encoding == "br":
        sys.path.append(str(ROOT / ".venv-render"))  # the functions that share a process have it from there
        import brotli  # noqa: PLC0415 - see above

        return bytes(brotli.decompress(body))
    return gzip.decompress(body) if encoding == "gzip" else body
