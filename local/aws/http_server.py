"""A small threaded WSGI server behind the web guard, which keeps connections open, unlike werkzeug's.

Every boto3 call of the stack passes through it. With a connection for each call, and with the e-mail parser that
`http.server` uses for headers, these would be most of the cost of a call.
"""

from __future__ import annotations

import io
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, BinaryIO, cast
from urllib.parse import unquote_to_bytes

from local.web_guard import WebGuard

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

_LONGEST_LINE = 65536
_UNPREFIXED = {"CONTENT_TYPE", "CONTENT_LENGTH"}


def serve(
    listener: socket.socket, application: Application, *, origins: Iterable[str] = (), pages_at: Iterable[str] = ()
) -> None:
    """Serve the connections of a listening socket until it is closed, each in its own thread.

    Web pages are refused, except pages of `origins` at paths that begin with one of `pages_at`.
    """
    host, port = listener.getsockname()[:2]
    guarded = _guarded(application, WebGuard(port, frozenset(origins), pages_at=tuple(pages_at)))
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve_connection, args=(connection, guarded, host, port), daemon=True).start()


def _guarded(application: Application, guard: WebGuard) -> Application:
    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        def header(name: str) -> str:
            return str(environ.get(f"HTTP_{name.upper().replace('-', '_')}", ""))

        refusal = guard.refusal(environ["REQUEST_METHOD"], environ["PATH_INFO"], header)
        if refusal is None:
            return application(environ, start_response)
        start_response(status_line(403), [("Content-Type", "text/plain")])
        return [refusal.encode()]

    return answer


def _serve_connection(connection: socket.socket, application: Application, host: str, port: int) -> None:
    with connection, cast("BinaryIO", connection.makefile("rb", 65536)) as stream:
        try:
            while (environ := _read_request(connection, stream, host, port)) is not None:
                keep = _respond(connection, application, environ)
                if not keep:
                    return
        except (ConnectionError, TimeoutError):
            return  # the client has closed the connection, so nothing can be sent


def _read_request(connection: socket.socket, stream: BinaryIO, host: str, port: int) -> Environ | None:
    """Return the next request as a WSGI environ, or None if the client has closed the connection."""
    line = stream.readline(_LONGEST_LINE)
    if not line.strip():
        return None
    method, target, version = line.decode("latin-1").split()
    path, _, query = target.partition("?")
    environ: Environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        # WSGI carries bytes as latin-1 text (PEP 3333).
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": target,
        "REQUEST_URI": target,
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": version,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    while (line := stream.readline(_LONGEST_LINE)) not in {b"\r\n", b"\n", b""}:
        name, _, value = line.decode("latin-1").partition(":")
        key = name.upper().replace("-", "_")
        if key not in _UNPREFIXED:
            key = f"HTTP_{key}"
        value = value.strip()
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    if environ.get("HTTP_EXPECT", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = _read_body(stream, environ)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ["wsgi.input"] = io.BytesIO(body)
    return environ


def _read_body(stream: BinaryIO, environ: Environ) -> bytes:
    if environ.get("HTTP_TRANSFER_ENCODING", "").lower() != "chunked":
        return _read_all(stream, int(environ.get("CONTENT_LENGTH") or 0))
    chunks = []
    while size := int(stream.readline(_LONGEST_LINE).split(b";")[0], 16):
        chunks.append(_read_all(stream, size))
        stream.readline(_LONGEST_LINE)
    while stream.readline(_LONGEST_LINE).strip():
        pass  # trailers
    del environ["HTTP_TRANSFER_ENCODING"]
    return b"".join(chunks)


def _read_all(stream: BinaryIO, size: int) -> bytes:
    body = stream.read(size)
    if len(body) < size:
        raise ConnectionError("the client closed the connection before its request was complete")
    return body


def _respond(connection: socket.socket, application: Application, environ: Environ) -> bool:
    """Run the application and send its response; return whether the connection stays open."""
    head: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
        head[:] = [status, headers]

    chunks = application(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    status, headers = head
    lines = [f"HTTP/1.1 {status}"]
    lines += [f"{name}: {value}" for name, value in headers if name.lower() != "connection"]
    bodyless = environ["REQUEST_METHOD"] == "HEAD" or status[:3] in {"204", "304"}
    if not bodyless and not any(name.lower() == "content-length" for name, _ in headers):
        lines.append(f"Content-Length: {len(body)}")
    keep: bool = environ["SERVER_PROTOCOL"] == "HTTP/1.1" and environ.get("HTTP_CONNECTION", "").lower() != "close"
    if not keep:
        lines.append("Connection: close")
    payload = b"" if bodyless else body
    connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + payload)
    return keep


def status_line(code: int) -> str:
    """Return the status in WSGI's form, as in `404 Not Found`."""
    return f"{code} {HTTPStatus(code).phrase}"
