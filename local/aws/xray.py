"""X-Ray for the local stack: the daemon that receives spans, and the segments that AWS's own services record."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.observability import tracing
from shared.observability.tracing import Span, TraceHeader

LARGEST_DOCUMENT = 64 * 1024
_KEPT = 50_000


class XRayDaemon:
    """Receives segment documents on a free loopback port and keeps the latest."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        self._socket.bind(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self._socket.getsockname())
        self._received: deque[bytes] = deque(maxlen=_KEPT)
        self._thread = threading.Thread(target=self._listen, name="x-ray", daemon=True)
        self._thread.start()

    def close(self) -> None:
        # An empty datagram wakes the thread; closing the socket would not. It is lost if the socket's buffer is full.
        while self._thread.is_alive():
            self._socket.sendto(b"", self._socket.getsockname())
            self._thread.join(0.1)
        self._socket.close()

    def trace(self, trace_id: str) -> list[dict[str, Any]]:
        """Return the trace's segments and subsegments so far, in the order of their start."""
        wanted = trace_id.encode()
        documents = [json.loads(each) for each in tuple(self._received) if wanted in each]
        found = (each for each in documents if each["trace_id"] == trace_id)
        return sorted(found, key=lambda each: float(each["start_time"]))

    def text(self) -> str:
        """Return all received documents, one in each line."""
        return b"\n".join(tuple(self._received)).decode()

    def _listen(self) -> None:
        while datagram := self._socket.recv(LARGEST_DOCUMENT):
            preamble, _, document = datagram.partition(b"\n")
            if json.loads(preamble) == {"format": "json", "version": 1}:
                self._received.append(document)


@dataclass(slots=True)
class ServiceSegment:
    """The part of a trace that one service records."""

    span: Span
    fault: bool = False

    @property
    def header(self) -> TraceHeader:
        return self.span.header


@contextlib.contextmanager
def service_segment(name: str, origin: str, received: str | None) -> Iterator[ServiceSegment]:
    """Record the block as a segment of a service, in the trace and under the parent that the received header names.

    Every trace is sampled here, unless the header says `Sampled=0`.
    """
    before = TraceHeader.parse(received) or TraceHeader.new()
    sampled = "Sampled=0" not in (received or "")
    at = TraceHeader(before.trace_id, before.parent_id, sampled)
    segment = ServiceSegment(tracing.start_span(name, at=at, origin=origin))
    try:
        yield segment
    finally:
        if segment.fault:
            segment.span.responded(500)
        segment.span.end()


class TracedFunction:
    """Gives each request to the streaming function a trace and a segment, as Lambda does."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        self._app = app
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == "/healthz":
            await self._app(scope, receive, send)
            return
        received = dict(scope["headers"]).get(b"x-amzn-trace-id", b"").decode("latin-1")
        with service_segment(self._name, "AWS::Lambda::Function", received) as segment:

            async def watching(message: Message) -> None:
                if message["type"] == "http.response.start":
                    segment.fault = message["status"] >= 500
                await send(message)

            others = [header for header in scope["headers"] if header[0] != b"x-amzn-trace-id"]
            headers = [*others, (b"x-amzn-trace-id", str(segment.header).encode())]
            await self._app({**scope, "headers": headers}, receive, watching)
