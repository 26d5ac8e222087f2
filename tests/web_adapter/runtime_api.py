"""Serve Lambda's Runtime and Extensions API to one sandbox, and read streamed responses as Lambda does.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
"""

from __future__ import annotations

import json
import queue
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

import httpx

from tests.patience import PATIENCE

_RUNTIME = "/2018-06-01/runtime/"
_EXTENSION = "/2020-01-01/extension/"
_END_OF_PRELUDE = b"\0" * 8


class Answer:
    """A function's response to one invocation while it arrives; `headers` are those of the runtime's own request.

    `error_type` says why it failed, once it has; `trailers` what followed the body.
    """

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.trailers: dict[str, str] = {}
        self.error_type: str | None = None
        self._pieces: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._ended = threading.Event()

    def write(self, piece: bytes) -> None:
        self._pieces.put(piece)

    def end(self, *, error_type: str | None = None) -> None:
        """Store the first end only, because what a killed runtime sends later is not the reason of its failure."""
        if not self._ended.is_set():
            self.error_type = error_type
            self._ended.set()
            self._pieces.put(None)

    def wait(self) -> None:
        """Wait until the whole response has arrived."""
        assert self._ended.wait(PATIENCE), "the function's answer does not end"

    def response(self) -> httpx.Response:
        """Return the response that a client of a function URL gets, when its headers have arrived; stream its body."""
        received = b""
        while _END_OF_PRELUDE not in received:
            piece = self._next()
            if piece is None:
                # The response of a function URL if the invocation failed before its response.
                return httpx.Response(502, content=b"Internal Server Error")
            received += piece
        head, _, rest = received.partition(_END_OF_PRELUDE)
        prelude = json.loads(head)
        assert prelude["cookies"] == []
        headers = [(name, value) for name, values in prelude["headers"].items() for value in _each(values)]
        return httpx.Response(prelude["statusCode"], headers=headers, content=self._body(rest))

    def _body(self, begun: bytes) -> Iterator[bytes]:
        piece: bytes | None = begun
        while piece is not None:
            if piece:
                yield piece
            piece = self._next()

    def _next(self) -> bytes | None:
        try:
            return self._pieces.get(timeout=PATIENCE)
        except queue.Empty:
            raise AssertionError("the function has fallen silent") from None


class RuntimeApi:
    """Serves one sandbox, one invocation at a time."""

    def __init__(self) -> None:
        self.extensions: list[str] = []
        self._waiting: queue.SimpleQueue[tuple[str, bytes] | None] = queue.SimpleQueue()
        self._answers: dict[str, Answer] = {}
        self._has_asked = False
        self._closed = False
        self._changed = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _Conversation)
        self._server.api = self
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def invoke(self, event: dict[str, Any], *, request_id: str | None = None) -> Answer:
        """Send the event after the response of the previous invocation."""
        request_id = request_id or str(uuid.uuid4())
        answer = self._answers[request_id] = Answer()
        self._waiting.put((request_id, json.dumps(event).encode()))
        return answer

    def wait_until_asked(self, timeout: float) -> bool:
        """Wait `timeout` seconds or until the sandbox ends; return whether the runtime asked for an invocation."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_asked or self._closed, timeout)
            return self._has_asked

    def close(self, *, error_type: str | None = None) -> None:
        """End the sandbox, and fail invocations without a response for this reason."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._waiting.put(None)
        for answer in tuple(self._answers.values()):
            answer.end(error_type=error_type)

    def shut_down(self) -> None:
        self.close()
        self._server.shutdown()
        self._server.server_close()

    # ---- for the conversation --------------------------------------------------------------------------------------

    def next_invocation(self) -> tuple[str, bytes] | None:
        with self._changed:
            self._has_asked = True
            self._changed.notify_all()
        return self._waiting.get()

    def answer(self, request_id: str) -> Answer:
        return self._answers[request_id]

    def wait_for_shutdown(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    api: RuntimeApi


class _Input(Protocol):
    def readline(self) -> bytes: ...

    def read(self, size: int, /) -> bytes: ...


class _Conversation(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        if self.path == f"{_RUNTIME}invocation/next":
            self._hand_over()
        elif self.path == f"{_EXTENSION}event/next":
            # The adapter registers for no events, so it gets none.
            self.server.api.wait_for_shutdown()
            self.close_connection = True
        else:
            self._say(404, b"")

    def do_POST(self) -> None:
        if self.path == f"{_EXTENSION}register":
            self.server.api.extensions.append(self.headers["Lambda-Extension-Name"])
            self._body_of_known_length()
            self._say(200, b"{}", {"Lambda-Extension-Identifier": str(uuid.uuid4())})
            return
        _, request_id, verdict = self.path.removeprefix(_RUNTIME).split("/")
        answer = self.server.api.answer(request_id)
        if verdict == "error":
            error = json.loads(self._body_of_known_length())
            answer.end(error_type=error["errorType"])
        elif not self._receive(answer):
            self.close_connection = True
            return
        self._say(202, b'{"status":"OK"}')

    def log_message(self, *_: Any) -> None:
        """Log nothing."""

    def _hand_over(self) -> None:
        invocation = self.server.api.next_invocation()
        if invocation is None:
            self.close_connection = True
            return
        request_id, event = invocation
        self._say(
            200,
            event,
            {
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Deadline-Ms": "4102444800000",
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:stream_job",
                "Lambda-Runtime-Trace-Id": f"Root=1-6740f0a8-{request_id.replace('-', '')[:24]};Sampled=1",
            },
        )

    def _receive(self, answer: Answer) -> bool:
        """Read a chunked body and its trailers; return false if the connection breaks before the end."""
        answer.headers = {name.lower(): value for name, value in self.headers.items()}
        source: _Input = self.rfile
        while size := int(source.readline().split(b";")[0] or b"-1", 16):
            if size < 0:
                answer.end(error_type="Runtime.TruncatedResponse")
                return False
            answer.write(source.read(size))
            source.readline()
        while line := source.readline().strip():
            name, _, value = line.decode().partition(":")
            answer.trailers[name.lower()] = value.strip()
        answer.end(error_type=answer.trailers.get("lambda-runtime-function-error-type"))
        return True

    def _body_of_known_length(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _each(values: Any) -> list[str]:
    return values if isinstance(values, list) else [values]
