"""Complete requests, and requests of a killed client, which end in the middle."""

from __future__ import annotations

import io
import socket

import pytest

from local.aws.http_server import Environ, _read_request

HEAD = b"POST / HTTP/1.1\r\nHost: here\r\n"
COMPLETE = HEAD + b"Content-Length: 4\r\n\r\nbody"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"


def read(sent: bytes) -> Environ | None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        return _read_request(ours, io.BytesIO(sent), "here", 80)


@pytest.mark.parametrize("sent", [COMPLETE, CHUNKED])
def test_a_complete_request_is_read(sent: bytes) -> None:
    environ = read(sent)
    assert environ is not None
    assert environ["wsgi.input"].read() == b"body"


@pytest.mark.parametrize(
    "sent", [COMPLETE[:-1], COMPLETE[:-4], CHUNKED[: CHUNKED.index(b"body") + 2], CHUNKED[: CHUNKED.index(b"body")]]
)
def test_a_request_whose_client_disconnects_in_its_body_is_dropped(sent: bytes) -> None:
    with pytest.raises(ConnectionError):
        read(sent)
