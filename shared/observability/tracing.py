"""Traces as AWS X-Ray draws them: what a request or an attempt did and for how long, under the trace id of its job.

Lambda and Step Functions record their own parts; the spans made here say what went on inside, and join the stream to
the trace of the job it shows. A span carries names, ids, codes and counts, never a word of a prompt or an answer.
docs/decisions/0011-tracing.md says why this is the standard library and X-Ray's documented wire format.
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


@dataclass(frozen=True, slots=True)
class TraceHeader:
    """A place in a trace, as services tell each other: `Root=1-…;Parent=…;Sampled=1`."""

    trace_id: str
    parent_id: str | None = None
    sampled: bool = False

    @staticmethod
    def parse(text: str | None) -> TraceHeader | None:
        """None for what is no trace header; whoever sends a request may write anything there."""
        parts = dict(part.strip().partition("=")[::2] for part in (text or "")[:512].split(";"))
        root, parent = parts.get("Root", ""), parts.get("Parent", "")
        if not _TRACE_ID.fullmatch(root):
            return None
        return TraceHeader(root, parent if _SPAN_ID.fullmatch(parent) else None, parts.get("Sampled") == "1")

    @staticmethod
    def new() -> TraceHeader:
        """The beginning of a trace that nobody else records."""
        return TraceHeader(f"1-{int(time.time()):08x}-{secrets.token_hex(12)}")

    def __str__(self) -> str:
        parent = "" if self.parent_id is None else f";Parent={self.parent_id}"
        return f"Root={self.trace_id}{parent};Sampled={int(self.sampled)}"


invocation_header: ContextVar[str | None] = ContextVar("invocation_header", default=None)
"""The header of this invocation where the environment cannot say it, because several share a process: locally."""

_current: ContextVar[Span | None] = ContextVar("current", default=None)


def header_of_invocation(received: str | None = None) -> TraceHeader:
    """Where this invocation stands: by Lambda's word, else by the header `received` with a request, else nowhere yet.

    Lambda's comes first, because it is also what every call to an AWS service is recorded under.
    """
    for text in (invocation_header.get(), os.environ.get("_X_AMZN_TRACE_ID"), received):
        found = TraceHeader.parse(text)
        if found is not None:
            return found
    return TraceHeader.new()


@dataclass(slots=True)
class Span:
    """Something that takes time. Nothing is sent before it has ended, and nothing that is not sampled."""

    name: str
    at: TraceHeader
    began: float
    namespace: str | None = None
    annotations: dict[str, Annotation] = field(default_factory=dict)
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    _error: BaseException | None = None
    _status: int | None = None

    @property
    def header(self) -> TraceHeader:
        """What to hand on to whoever does a part of this."""
        return TraceHeader(self.at.trace_id, self.id if self.at.sampled else self.at.parent_id, self.at.sampled)

    def annotate(self, **annotations: Annotation | None) -> None:
        """What the trace can be found by; None is left out."""
        self.annotations |= {name: value for name, value in annotations.items() if value is not None}

    def failed(self, error: BaseException) -> None:
        """Mark the span; of the error only its type and code are kept, its text may quote a prompt."""
        self._error = error
        code = getattr(error, "code", None)
        self.annotate(error_code=None if code is None else str(code))

    def responded(self, status: int) -> None:
        """The HTTP status this request was answered with."""
        self._status = status

    def end(self) -> None:
        if self.at.sampled:
            _send(self._document(time.time()))

    def _document(self, ended: float) -> dict[str, object]:
        """https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html"""
        document: dict[str, object] = {
            "name": _NOT_IN_A_NAME.sub("_", self.name)[:200],
            "id": self.id,
            "trace_id": self.at.trace_id,
            "start_time": self.began,
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
        """`error`: whoever asked is to blame, or nobody; `fault`: we are."""
        status = self._status or 0
        if self._error is None:
            return {"fault": True} if status >= 500 else {"error": True} if status >= 400 else {}
        cause = {"exceptions": [{"id": secrets.token_hex(8), "type": type(self._error).__name__}]}
        kind = "error" if isinstance(self._error, (RequestRefused, AttemptStopped)) else "fault"
        return {kind: True, "cause": cause}


def start_span(
    name: str, *, at: TraceHeader | None = None, namespace: str | None = None, **about: Annotation | None
) -> Span:
    """A span for its maker to end, part of what is going on; or `at` another place: the trace of a job, for one."""
    now = _current.get()
    place = at or (now.header if now is not None else header_of_invocation())
    made = Span(name, place, time.time(), namespace)
    made.annotate(**about)
    return made


@contextlib.contextmanager
def span(
    name: str, *, at: TraceHeader | None = None, namespace: str | None = None, **about: Annotation | None
) -> Iterator[Span]:
    """A span around the block, of which whatever begins there is a part; an exception marks it."""
    made = start_span(name, at=at, namespace=namespace, **about)
    token = _current.set(made)
    try:
        yield made
    except BaseException as error:
        made.failed(error)
        raise
    finally:
        _current.reset(token)
        made.end()


def annotate(**annotations: Annotation | None) -> None:
    """Annotate what is going on, if anything is."""
    now = _current.get()
    if now is not None:
        now.annotate(**annotations)


def header_for(trace_id: str | None) -> TraceHeader | None:
    """A place in this trace: where we are if we are in it, else its root; None for what is no trace id."""
    now = _current.get()
    if now is not None and now.at.trace_id == trace_id:
        return now.header
    found = TraceHeader.parse(f"Root={trace_id}")
    return None if found is None else TraceHeader(found.trace_id, None, now is None or now.at.sampled)


def _send(document: dict[str, object]) -> None:
    """One datagram to the X-Ray daemon that Lambda runs beside each function; whether it arrives is not our concern."""
    host, _, port = os.environ.get("AWS_XRAY_DAEMON_ADDRESS", "").rpartition(":")
    if not host:
        return
    with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.setblocking(False)
        daemon.sendto(_PREAMBLE + json.dumps(document).encode(), (host, int(port)))
