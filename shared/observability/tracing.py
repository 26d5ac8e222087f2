"""Record spans for AWS X-Ray: what a request or an attempt did, for how long, in the trace of its job.

Lambda and Step Functions record their own parts of a trace. The spans recorded here add what happens inside a function,
and put a stream into the trace of its job. A span contains names, ids, codes and counts, never a text of a prompt or an
output. docs/decisions/0011-tracing.md explains why this uses the standard library and X-Ray's documented format.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

from shared.errors import AttemptStopped, RequestRefused

_TRACE_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
_SPAN_ID = re.compile(r"[0-9a-f]{16}")
_PREAMBLE = b'{"format":"json","version":1}\n'
_NOT_IN_A_NAME = re.compile(r"[^\w\s.:/%&#=+\\\-@]")

Annotation = str | int | float | bool
"""A value that X-Ray can find a trace by."""


@dataclass(frozen=True, slots=True)
class TraceHeader:
    """A position in a trace, in the form that services send to each other: `Root=1-…;Parent=…;Sampled=1`."""

    trace_id: str
    parent_id: str | None = None
    sampled: bool = False

    @staticmethod
    def parse(text: str | None) -> TraceHeader | None:
        """Return the header, or None if `text` is not a trace header: a client may send any text."""
        parts = dict(part.strip().partition("=")[::2] for part in (text or "")[:512].split(";"))
        root, parent = parts.get("Root", ""), parts.get("Parent", "")
        if not _TRACE_ID.fullmatch(root):
            return None
        return TraceHeader(root, parent if _SPAN_ID.fullmatch(parent) else None, parts.get("Sampled") == "1")

    @staticmethod
    def new() -> TraceHeader:
        """Return the start of a new trace, which is not sampled."""
        return TraceHeader(f"1-{int(time.time()):08x}-{secrets.token_hex(12)}")

    def __str__(self) -> str:
        parent = "" if self.parent_id is None else f";Parent={self.parent_id}"
        return f"Root={self.trace_id}{parent};Sampled={int(self.sampled)}"


invocation_header: ContextVar[str | None] = ContextVar("invocation_header", default=None)
"""The trace header of this invocation, for the local stack: there, several invocations share one environment."""

_current: ContextVar[Span | None] = ContextVar("current", default=None)


def header_of_invocation(received: str | None = None) -> TraceHeader:
    """Return the position of this invocation: from Lambda, else from the `received` header, else in a new trace.

    Lambda's header comes first, because X-Ray records the calls to AWS services under it.
    """
    for text in (invocation_header.get(), os.environ.get("_X_AMZN_TRACE_ID"), received):
        header = TraceHeader.parse(text)
        if header is not None:
            return header
    return TraceHeader.new()


@dataclass(slots=True)
class Span:
    """A timed part of a trace, sent when it ends if it is sampled. `at` is the position of its parent."""

    name: str
    at: TraceHeader
    started_at: float
    namespace: str | None = None
    annotations: dict[str, Annotation] = field(default_factory=dict)
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    _error: BaseException | None = None
    _status: int | None = None

    @property
    def header(self) -> TraceHeader:
        """Return the position of this span's children."""
        return TraceHeader(self.at.trace_id, self.id if self.at.sampled else self.at.parent_id, self.at.sampled)

    def annotate(self, **annotations: Annotation | None) -> None:
        """Add values to find the trace by. None values are left out."""
        self.annotations |= {name: value for name, value in annotations.items() if value is not None}

    def failed(self, error: BaseException) -> None:
        """Mark the span as failed. Keep only the type and code of the error, because its text may quote a prompt."""
        self._error = error
        code = getattr(error, "code", None)
        self.annotate(error_code=None if code is None else str(code))

    def responded(self, status: int) -> None:
        """Set the HTTP status of the response to this request."""
        self._status = status

    def end(self) -> None:
        """End the span and send it."""
        if self.at.sampled:
            _send(self._document(time.time()))

    def _document(self, ended: float) -> dict[str, object]:
        """Return the segment document: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html"""
        document: dict[str, object] = {
            "name": _NOT_IN_A_NAME.sub("_", self.name)[:200],
            "id": self.id,
            "trace_id": self.at.trace_id,
            "start_time": self.started_at,
            "end_time": ended,
            "annotations": self.annotations,
        }
        if self.at.parent_id is not None:
            document |= {"type": "subsegment", "parent_id": self.at.parent_id}
        if self.namespace is not None:
            document["namespace"] = self.namespace
        if self._status is not None:
            document["http"] = {"response": {"status": self._status}}
        return document | self._outcome()

    def _outcome(self) -> dict[str, object]:
        """Return `error` for a refusal or a stopped attempt, `fault` for a failure of ours; empty after success."""
        status = self._status or 0
        if self._error is None:
            return {"fault": True} if status >= 500 else {"error": True} if status >= 400 else {}
        cause = {"exceptions": [{"id": secrets.token_hex(8), "type": type(self._error).__name__}]}
        kind = "error" if isinstance(self._error, (RequestRefused, AttemptStopped)) else "fault"
        return {kind: True, "cause": cause}


def start_span(
    name: str, *, at: TraceHeader | None = None, namespace: str | None = None, **annotations: Annotation | None
) -> Span:
    """Start a span, which the caller has to end.

    Its parent is `at`, else the current span, else the invocation. `annotations` are values to find the trace by.
    """
    current = _current.get()
    parent = at or (current.header if current is not None else header_of_invocation())
    started = Span(name, parent, time.time(), namespace)
    started.annotate(**annotations)
    return started


@contextlib.contextmanager
def span(
    name: str, *, at: TraceHeader | None = None, namespace: str | None = None, **annotations: Annotation | None
) -> Iterator[Span]:
    """Run the block in a new current span. An exception marks the span as failed."""
    started = start_span(name, at=at, namespace=namespace, **annotations)
    token = _current.set(started)
    try:
        yield started
    except BaseException as error:
        started.failed(error)
        raise
    finally:
        _current.reset(token)
        started.end()


def annotate(**annotations: Annotation | None) -> None:
    """Annotate the current span, if there is one."""
    current = _current.get()
    if current is not None:
        current.annotate(**annotations)


def header_for(trace_id: str | None) -> TraceHeader | None:
    """Return a position in the trace with this id, or None if it is not a trace id.

    That is the current span if it belongs to the trace, else the root of the trace.
    """
    current = _current.get()
    if current is not None and current.at.trace_id == trace_id:
        return current.header
    root = TraceHeader.parse(f"Root={trace_id}")
    return None if root is None else TraceHeader(root.trace_id, None, current is None or current.at.sampled)


def _send(document: dict[str, object]) -> None:
    """Send one datagram to the X-Ray daemon that Lambda runs beside each function. Ignore a failure."""
    host, _, port = os.environ.get("AWS_XRAY_DAEMON_ADDRESS", "").rpartition(":")
    if not host:
        return
    with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.setblocking(False)
        daemon.sendto(_PREAMBLE + json.dumps(document).encode(), (host, int(port)))
