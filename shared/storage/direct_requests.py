"""Send DynamoDB's requests with an eighth of botocore's CPU time, and leave to botocore all that do not succeed.

A method of botocore's client calls `_make_api_call` with an operation and its parameters, which are the request's JSON.
This module responds there with a success, or with a condition that does not hold. After anything else botocore makes
the request itself, with its retries and its faults, so this module knows none of them.
docs/decisions/0063-requests-of-dynamodb-sent-directly.md says why.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
import os
import random
import select
import socket
import ssl
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote, urlsplit

from shared.storage import capacity

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

MAX_IDLE = 50
"""How many connections are kept while no request uses them."""

MAX_LINE = 65_536
"""The longest line of a response's head, in bytes."""

MAX_HEADERS = 100
"""The most headers of a response."""

UNREADABLE = (OSError, ValueError, LookupError, RecursionError)
"""What a connection raises that breaks, and what reading a response raises that is none."""

PREFIX = "DynamoDB_20120810."
"""What is before the name of an operation in the header `X-Amz-Target`."""

_CONTENT_TYPE = "application/x-amz-json-1.0"
_REFUSED_CONDITIONS = frozenset({"ConditionalCheckFailedException", "TransactionCanceledException"})
"""Error codes that the callers handle. No repetition helps against them."""


@dataclass(frozen=True, slots=True)
class Response:
    """The status, the headers (names in lower case) and the body of an HTTP response."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


class Signer:
    """Sign requests to one region's service with AWS's Signature Version 4.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """

    def __init__(self, region: str, service: str) -> None:
        self._scope = f"{region}/{service}/aws4_request"
        self._steps = (region, service, "aws4_request")
        self._key: tuple[tuple[str, str], bytes] = (("", ""), b"")

    def headers(
        self, credentials: ReadOnlyCredentials, *, host: str, target: str, body: bytes, at: time.struct_time
    ) -> dict[str, str]:
        """Return the headers of a POST of `body` to the path `/`, with its signature; `at` is the time in UTC."""
        day = f"{at.tm_year:04}{at.tm_mon:02}{at.tm_mday:02}"
        moment = f"{day}T{at.tm_hour:02}{at.tm_min:02}{at.tm_sec:02}Z"
        headers = {"Content-Type": _CONTENT_TYPE, "Host": host, "X-Amz-Date": moment}
        if credentials.token:
            headers["X-Amz-Security-Token"] = credentials.token
        headers["X-Amz-Target"] = target
        names = ";".join(headers).lower()
        lines = "".join(f"{name.lower()}:{value}\n" for name, value in headers.items())
        request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{day}/{self._scope}"
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(self._key_of(str(credentials.secret_key), day), text.encode(), "sha256").hex()
        by = f"Credential={credentials.access_key}/{scope}"
        headers["Authorization"] = f"AWS4-HMAC-SHA256 {by}, SignedHeaders={names}, Signature={signature}"
        return headers

    def _key_of(self, secret: str, day: str) -> bytes:
        """Return the signing key of a day, which is the same for all its requests."""
        known, key = self._key
        if known == (secret, day):
            return key
        key = f"AWS4{secret}".encode()
        for step in (day, *self._steps):
            key = hmac.digest(key, step.encode(), "sha256")
        self._key = ((secret, day), key)
        return key


class NoResponse(Exception):
    """There is no response that can be used. `at_once` is true if the server had closed an idle connection."""

    def __init__(self, *, at_once: bool) -> None:
        super().__init__("no response")
        self.at_once = at_once


class Connections:
    """The connections to the host of one URL, which threads share: each is used for one request at a time.

    Timeouts are in seconds. `tls` makes the context of the connections, once.
    """

    def __init__(
        self, url: str, *, tls: Callable[[], ssl.SSLContext], connect_timeout: float, read_timeout: float
    ) -> None:
        self._url = urlsplit(url)
        self._new_context = tls
        self._context: ssl.SSLContext | None = None
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._idle: deque[socket.socket] = deque()
        weakref.finalize(self, _close_all, self._idle)
        self.host = self._url.netloc
        """The value of the header `Host`."""

    def post(self, headers: Mapping[str, str], body: bytes) -> Response:
        """Send a request to the path `/` and return its response. Raises NoResponse."""
        idle = self._fresh_one()
        connection = idle
        try:
            connection = connection or self._open()
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            connection.sendall(f"POST / HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)
            # A reader for each response: what the server has sent behind it is dropped, and is no other response.
            with connection.makefile("rb") as reader:
                response, is_last = read_response(reader)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if not isinstance(error, UNREADABLE):
                raise
            raise NoResponse(at_once=idle is not None and not isinstance(error, TimeoutError)) from error
        if is_last or len(self._idle) >= MAX_IDLE:
            connection.close()
        else:
            self._idle.append(connection)
        return response

    def close(self) -> None:
        """Close the idle connections."""
        _close_all(self._idle)

    def _fresh_one(self) -> socket.socket | None:
        """Return an idle connection on which the server has sent nothing, not even its end."""
        while (connection := _pop(self._idle)) is not None:
            poll = select.poll()
            poll.register(connection, select.POLLIN)
            if not poll.poll(0):
                return connection
            connection.close()
        return None

    def _open(self) -> socket.socket:
        host, is_tls = str(self._url.hostname), self._url.scheme == "https"
        opened = socket.create_connection((host, self._url.port or (443 if is_tls else 80)), self._connect_timeout)
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if is_tls:
                opened = self._tls().wrap_socket(opened, server_hostname=host)
            opened.settimeout(self._read_timeout)
        except BaseException:
            opened.close()
            raise
        return opened

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = self._new_context()
        return self._context


def _pop(idle: deque[socket.socket]) -> socket.socket | None:
    try:
        return idle.pop()
    except IndexError:  # perhaps another thread took the last one
        return None


def _close_all(idle: deque[socket.socket]) -> None:
    while (connection := _pop(idle)) is not None:
        connection.close()


def read_response(reader: BinaryIO) -> tuple[Response, bool]:
    """Read one HTTP/1.1 response, and whether the connection ends behind it.

    Raises OSError or ValueError if the connection breaks, or if that is no such response.
    """
    version, status, headers = _read_head(reader)
    while 100 <= status < 200:
        version, status, headers = _read_head(reader)
    is_last = version != b"HTTP/1.1" or headers.get("connection", "").lower() == "close"
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return Response(status, headers, _read_chunks(reader)), is_last
    if "content-length" not in headers:
        return Response(status, headers, reader.read()), True
    return Response(status, headers, _read_exactly(reader, int(headers["content-length"]))), is_last


def _read_head(reader: BinaryIO) -> tuple[bytes, int, dict[str, str]]:
    version, _, rest = _read_line(reader).partition(b" ")
    if not version.startswith(b"HTTP/1."):
        raise ValueError("not an HTTP response")
    headers: dict[str, str] = {}
    while line := _read_line(reader):
        name, colon, value = line.partition(b":")
        if not colon or len(headers) >= MAX_HEADERS:
            raise ValueError("not a header")
        headers[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
    return version, int(rest[:3]), headers


def _read_line(reader: BinaryIO) -> bytes:
    line = reader.readline(MAX_LINE)
    if not line.endswith(b"\n"):
        raise ValueError("the connection ended, or the line is too long")
    return line.rstrip(b"\r\n")


def _read_exactly(reader: BinaryIO, length: int) -> bytes:
    content = reader.read(length)
    if len(content) != length:
        raise ValueError("the connection ended inside a response")
    return content


def _read_chunks(reader: BinaryIO) -> bytes:
    chunks = []
    while size := int(_read_line(reader).partition(b";")[0], 16):
        chunks.append(_read_exactly(reader, size))
        _read_line(reader)
    while _read_line(reader):  # trailers
        pass
    return b"".join(chunks)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The URL to which a client's requests are sent, and what signs them."""

    url: str
    signer: Signer


class DirectRequests:
    """Send the requests of one client of DynamoDB. Threads may share it.

    botocore prepares the first request, because only it knows the endpoint, which depends on region, FIPS and account.
    The requests after it are sent there without botocore.

    `credentials` is called for each request, and returns None if there are none. `connections` makes the connections
    to the host of a URL. `pause` waits before botocore repeats a request, as botocore does before its first retry.
    """

    def __init__(
        self,
        client: Any,
        *,
        credentials: Callable[[], ReadOnlyCredentials | None],
        connections: Callable[[str], Connections],
        pause: Callable[[], None] = lambda: time.sleep(random.random()),  # noqa: S311 - spreads retries, no secret
    ) -> None:
        self.client = client
        self._credentials = credentials
        self._new_connections = connections
        self._connections: Connections | None = None
        self._pause = pause
        self._repeats = threading.local()
        self.endpoint: Endpoint | None = None
        """Where the requests go; None until botocore has prepared the first one."""
        client.meta.events.register_last("before-call", self._send_prepared)
        self._call_botocore: Callable[[str, Mapping[str, Any]], dict[str, Any]] = client._make_api_call
        client._make_api_call = self.call  # botocore has no public way; tests cover this one

    def call(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the response to an operation, or raise the error that it names, as botocore does."""
        if self.endpoint is None:
            return self._call_botocore(operation, parameters)
        began = time.perf_counter()
        try:
            body = json.dumps(capacity.asking(operation, parameters)).encode()
        except TypeError:  # bytes, which botocore encodes
            return self._repeat(operation, parameters)
        found = self._send(self.endpoint, PREFIX + operation, body)
        if found is None:
            return self._repeat(operation, parameters)
        _, parsed = found
        capacity.count(operation, parsed, began, transaction_items=capacity.items_of(parameters))
        error = parsed.get("Error")
        if error is not None:
            raise self.client.exceptions.from_code(error["Code"])(parsed, operation)
        return parsed

    def close(self) -> None:
        """Close the connections that no request uses. The next request opens another one."""
        if self._connections is not None:
            self._connections.close()

    def _repeat(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self._repeats.now = True
        try:
            return self._call_botocore(operation, parameters)
        finally:
            self._repeats.now = False

    def _send_prepared(
        self, params: Mapping[str, Any], context: Mapping[str, Any], **_: Any
    ) -> tuple[Response, dict[str, Any]] | None:
        """Learn the endpoint from a request that botocore has prepared, and send the request.

        Return the response and its parsed body, as botocore does; None if botocore has to send the request.
        """
        if getattr(self._repeats, "now", False) or context.get("auth_type") not in {None, "v4"}:
            return None
        if self.endpoint is None:
            signing = context.get("signing", {})
            region = signing.get("region", self.client.meta.region_name)
            self._connections = self._new_connections(params["url"])
            self.endpoint = Endpoint(params["url"], Signer(region, signing.get("signing_name", "dynamodb")))
        return self._send(self.endpoint, params["headers"]["X-Amz-Target"], params["body"])

    def _send(self, endpoint: Endpoint, target: str, body: bytes) -> tuple[Response, dict[str, Any]] | None:
        """Return the response and its parsed body; None if botocore has to send the request."""
        connections, credentials = self._connections, self._credentials()
        if connections is None or credentials is None:
            return None
        headers = endpoint.signer.headers(
            credentials, host=connections.host, target=target, body=body, at=time.gmtime()
        )
        headers |= headers_of(body) | _trace_header()
        try:
            response = connections.post(headers, body)
        except NoResponse as missing:
            if not missing.at_once:
                self._pause()
            return None
        parsed = parsed_body(response)
        if parsed is None:
            if is_passing(response):
                self._pause()
            return None
        return response, parsed


def _trace_header() -> dict[str, str]:
    """Return the header by which AWS follows a trace, and sees functions that call each other endlessly."""
    trace_id = os.environ.get("_X_AMZN_TRACE_ID")
    if not trace_id or "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
        return {}
    return {"X-Amzn-Trace-Id": quote(trace_id, safe="-=;:+&[]{}\"',")}


def headers_of(body: bytes) -> dict[str, str]:
    """Return the headers of a request that are not signed."""
    return {"Accept-Encoding": "identity", "Content-Length": str(len(body)), "User-Agent": "millrace"}


def is_passing(response: Response) -> bool:
    """Return whether the server is busy or broken, so that a pause before the next request may help."""
    return response.status_code >= 500 or _is_throttled(response)


def parsed_body(response: Response) -> dict[str, Any] | None:
    """Return what botocore makes of a response: a success or a refused condition. None for every other one.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
    """
    checksum = response.headers.get("x-amz-crc32")
    if response.status_code not in {200, 400} or (
        checksum is not None and checksum != str(binascii.crc32(response.content))
    ):
        return None
    try:
        parsed = json.loads(response.content)
    except UNREADABLE:
        return None
    if not isinstance(parsed, dict):
        return None
    if response.status_code == 400:
        code = _code_of(parsed)
        if code not in _REFUSED_CONDITIONS:
            return None
        message = parsed.get("message", parsed.get("Message", ""))
        parsed = {**parsed, "Error": {"Message": message, "Code": code}}
    parsed["ResponseMetadata"] = {
        "RequestId": response.headers.get("x-amzn-requestid", ""),
        "HTTPStatusCode": response.status_code,
        "HTTPHeaders": dict(response.headers),
        "RetryAttempts": 0,
    }
    return parsed


def _code_of(parsed: Mapping[str, Any]) -> str:
    return str(parsed.get("__type", "")).rpartition("#")[2].partition(":")[0]


def _is_throttled(response: Response) -> bool:
    return any(word in response.content for word in (b"Throttl", b"ExceededException", b"LimitExceeded"))
