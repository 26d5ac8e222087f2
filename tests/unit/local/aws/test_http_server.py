"""Requests that end before they are whole, as those of a killed process do."""

from __future__ import annotations

import io
import socket

import pytest

from local.aws.http_server import Environ, _read_request

HEAD = b"POST / HTTP/1.1\r\nHost: here\r\n"
WHOLE = HEAD + b"Content-Length: 4\r\n\r\nbody"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"


def read(sent: bytes) -> Environ | None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        return _read_request(ours, io.BytesIO(sent), "here", 80)


@pytest.mark.parametrize("sent", [WHOLE, CHUNKED])
def test_a_whole_request_is_read(sent: bytes) -> None:
    environ = read(sent)
    assert environ is not None
    assert environ["wsgi.input"].read() == b"body"


@pytest.mark.parametrize(
    "sent", [WHOLE[:-1], WHOLE[:-4], CHUNKED[: CHUNKED.index(b"body") + 2], CHUNKED[: CHUNKED.index(b"body")]]
)
def test_a_request_whose_client_went_away_in_its_body_is_nobodys(sent: bytes) -> None:
    with pytest.raises(ConnectionError):
        read(sent)
