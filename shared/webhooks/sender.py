"""Send one attempt to a receiver: the only module that opens connections to hosts that users name.

The connection goes to an address that `addresses` has checked; TLS and the Host header use the name. Redirects are not
followed and proxies are not used, whatever the environment says.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol
from urllib.parse import urlsplit

from shared.webhooks.addresses import Address, AddressRefused, Resolver, checked_addresses, resolve

CONNECT_SECONDS = 5.0
"""The longest time to resolve the name, to connect and for the TLS handshake together."""

TOTAL_SECONDS = 15.0
"""The longest time from the start to the head of the response, however slowly its bytes arrive."""

MOST_HEAD_BYTES = 16_384
"""The largest head of a response, of its status line and its headers."""

MOST_BODY_BYTES = 4_096
"""How much of the response's body is read, so that the receiver can send it. It is not kept."""

BODY_SECONDS = 1.0
"""How long the response's body is read. It cannot change the outcome."""

USER_AGENT = "Millrace-Webhooks/1"

_PATH = re.compile(r"[!-~]+")


class SendError(StrEnum):
    """Why an attempt got no response."""

    NO_ADDRESS = "NO_ADDRESS"
    ADDRESS_REFUSED = "ADDRESS_REFUSED"
    CONNECTION_FAILED = "CONNECTION_FAILED"
    CERTIFICATE_INVALID = "CERTIFICATE_INVALID"
    TLS_FAILED = "TLS_FAILED"
    TIMEOUT = "TIMEOUT"
    DISCONNECTED = "DISCONNECTED"
    RESPONSE_UNREADABLE = "RESPONSE_UNREADABLE"
    URL_REFUSED = "URL_REFUSED"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt led to: the status of the response, or why there was none, and the time in milliseconds.

    `retry_after` is the text of that header.
    """

    milliseconds: int
    status: int | None = None
    error: SendError | None = None
    retry_after: str | None = None

    @property
    def succeeded(self) -> bool:
        """Return whether the receiver has accepted the event."""
        return self.status is not None and 200 <= self.status < 300


class WebhookSender(Protocol):
    """Send requests to receivers."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Send the body once and return the outcome. Raise nothing for a receiver that cannot be reached."""


class _Failed(Exception):
    """The attempt got no response."""

    def __init__(self, error: SendError) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a URL points to. `authority` is the value of the Host header."""

    tls: bool
    host: str
    port: int
    authority: str
    path: str


class HttpSender:
    """Send requests by HTTP/1.1, each on its own connection.

    With `loopback`, which only the local stack has, receivers on this machine are allowed, also without TLS. `trust` is
    the PEM file of the certificate authorities to trust; None: the system's. `monotonic` returns seconds.
    """

    def __init__(
        self,
        *,
        loopback: bool = False,
        trust: str | None = None,
        resolver: Resolver = resolve,
        monotonic: Callable[[], float] = time.monotonic,
        connect_seconds: float = CONNECT_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._loopback = loopback
        self._trust = trust
        self._resolver = resolver
        self._monotonic = monotonic
        self._connect_seconds = connect_seconds
        self._total_seconds = total_seconds

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        began = self._monotonic()
        status: int | None = None
        error: SendError | None = None
        retry_after: str | None = None
        try:
            status, retry_after = self._exchange(_target(url, self._loopback), headers, body, began)
        except _Failed as failed:
            error = failed.error
        return Outcome(round((self._monotonic() - began) * 1000), status, error, retry_after)

    def _exchange(
        self, target: _Target, headers: Mapping[str, str], body: bytes, began: float
    ) -> tuple[int, str | None]:
        """Return the status of the response and its header Retry-After. Raises _Failed if there is no response."""
        connection = self._connected(target, began + self._connect_seconds)
        try:
            wire = _BoundedSocket(connection, began + self._total_seconds, self._monotonic)
            client = http.client.HTTPConnection(target.host, target.port)
            client.sock = wire  # it has what the client uses of a socket
            sent = {"Host": target.authority, "User-Agent": USER_AGENT, "Content-Type": "application/json", **headers}
            client.request("POST", target.path, body, {**sent, "Connection": "close"})
            response = client.getresponse()
            wire.skip_body(response)
            return response.status, response.headers.get("Retry-After")
        except TimeoutError:
            raise _Failed(SendError.TIMEOUT) from None
        except OSError:
            raise _Failed(SendError.DISCONNECTED) from None
        except (http.client.HTTPException, ValueError):
            raise _Failed(SendError.RESPONSE_UNREADABLE) from None
        finally:
            connection.close()

    def _connected(self, target: _Target, until: float) -> socket.socket:
        """Return a connection to one of the host's addresses, with TLS. Raises _Failed."""
        left = until - self._monotonic()
        try:
            addresses = checked_addresses(
                target.host, target.port, seconds=left, resolver=self._resolver, loopback=self._loopback
            )
        except AddressRefused:
            raise _Failed(SendError.ADDRESS_REFUSED) from None
        except TimeoutError:
            raise _Failed(SendError.TIMEOUT) from None
        except (OSError, ValueError):  # a UnicodeError, which is a ValueError: the resolver cannot encode the name
            raise _Failed(SendError.NO_ADDRESS) from None
        plain = self._open(addresses, target.port, until)
        return self._with_tls(plain, target.host, until) if target.tls else plain

    def _open(self, addresses: Sequence[Address], port: int, until: float) -> socket.socket:
        """Connect to the first of the addresses that accepts. Raises _Failed if none does in time."""
        error = SendError.TIMEOUT
        for address in addresses:
            left = until - self._monotonic()
            if left <= 0:
                break
            try:
                return socket.create_connection((str(address), port), timeout=left)
            except TimeoutError:
                error = SendError.TIMEOUT
            except OSError:
                error = SendError.CONNECTION_FAILED
        raise _Failed(error)

    def _with_tls(self, plain: socket.socket, host: str, until: float) -> socket.socket:
        """Return the connection with TLS, whose certificate is valid for the host. Raises _Failed."""
        try:
            plain.settimeout(max(until - self._monotonic(), 0.001))
            return self._tls.wrap_socket(plain, server_hostname=host)
        except ssl.SSLCertVerificationError:
            error = SendError.CERTIFICATE_INVALID
        except TimeoutError:
            error = SendError.TIMEOUT
        except (OSError, ValueError):
            error = SendError.TLS_FAILED
        plain.close()
        raise _Failed(error)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._trust)  # reads all root certificates: once per process


class _BoundedSocket(io.RawIOBase):
    """The part of a socket that `http.client` uses, with one deadline for everything and a bound on what is read."""

    def __init__(self, connection: socket.socket, until: float, monotonic: Callable[[], float]) -> None:
        self._connection = connection
        self._until = until
        self._monotonic = monotonic
        self._left = MOST_HEAD_BYTES

    def close(self) -> None:
        """Do nothing: `http.client` closes it before it has read the body, and the sender closes the connection."""

    def sendall(self, data: bytes) -> None:
        """Send all of the data, as a socket does. Raises TimeoutError at the deadline."""
        view = memoryview(data)
        while view:
            self._wait()
            view = view[self._connection.send(view) :]

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        """Return a reader of what the receiver sends."""
        return io.BufferedReader(self, buffer_size=1024)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has arrived. Raises ValueError if it is more than is read of a response."""
        if self._left <= 0:
            raise ValueError("the response is too long")
        self._wait()
        read = self._connection.recv_into(memoryview(buffer)[: self._left])
        self._left -= read
        return read

    def skip_body(self, response: http.client.HTTPResponse) -> None:
        """Read some of the response's body and forget it. Do nothing if the body breaks off or is too slow."""
        self._left = MOST_BODY_BYTES
        self._until = min(self._until, self._monotonic() + BODY_SECONDS)
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            while response.read(1024):
                pass

    def _wait(self) -> None:
        """Let the next call on the connection take what is left of the time. Raises TimeoutError if nothing is."""
        left = self._until - self._monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)


def _target(url: str, loopback: bool) -> _Target:
    """Return where the URL points to. Raises _Failed for a URL that no endpoint can have."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise _Failed(SendError.URL_REFUSED) from None
    schemes = ("https", "http") if loopback else ("https",)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.scheme not in schemes or not host or "@" in parts.netloc or not _PATH.fullmatch(path):
        raise _Failed(SendError.URL_REFUSED)
    authority = host if parts.port in {None, 443} else f"{host}:{port}"
    return _Target(parts.scheme == "https", host, port, authority, path)
