"""The sender on real sockets: where it connects, what it accepts as a receiver, and how long it waits."""

from __future__ import annotations

import itertools
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from shared.webhooks.addresses import Resolver, resolve
from shared.webhooks.sender import HttpSender, Outcome, SendError
from tests.webhooks.receiver import OK, Answer, Authority, Receiver, answering

BODY = b'{"type":"job.completed"}'
HEADERS = {"webhook-id": "evt_1"}
UNHURRIED = 1000.0
"""A time limit in seconds that no test reaches."""


def to_loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def sender(
    *, resolver: Resolver = to_loopback, trust: Path | None = None, monotonic: Callable[[], float] | None = None
) -> HttpSender:
    return HttpSender(
        loopback=True,
        trust=str(trust) if trust is not None else None,
        resolver=resolver,
        monotonic=monotonic or (lambda: 0.0),
        connect_seconds=UNHURRIED,
        total_seconds=UNHURRIED,
    )


def sent_to(answer: Answer, path: str = "/hook") -> tuple[Outcome, Receiver]:
    with Receiver(answer).serving() as receiver:
        return sender().post(f"http://hook.example:{receiver.port}{path}", HEADERS, BODY), receiver


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority; contexts load its certificate, which tests/conftest.py keeps them from doing elsewhere."""
    original = ssl.SSLContext.__mro__[1].load_verify_locations  # type: ignore[attr-defined]
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", original)
    return Authority(tmp_path)


def test_a_request_carries_the_body_the_headers_and_the_name() -> None:
    outcome, receiver = sent_to(answering(OK), "/hook?key=1")
    assert outcome.succeeded
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    assert body == BODY
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hook?key=1 HTTP/1.1"
    assert {f"Host: hook.example:{receiver.port}", "webhook-id: evt_1", "Content-Type: application/json"} < set(lines)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_a_success(status: int) -> None:
    outcome, _ = sent_to(answering(f"HTTP/1.1 {status} Fine\r\nContent-Length: 0\r\n\r\n".encode()))
    assert outcome == Outcome(0, status)
    assert outcome.succeeded


@pytest.mark.parametrize("status", [103, 301, 302, 307, 308, 400, 404, 410, 429, 500, 503])
def test_everything_else_is_a_failure_and_a_redirect_is_not_followed(status: int) -> None:
    with Receiver(answering(OK)).serving() as inner:
        target = f"http://127.0.0.1:{inner.port}/latest/meta-data"
        answer = f"HTTP/1.1 {status} No\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
        outcome, receiver = sent_to(answering(answer.encode()))
    assert (outcome.status, outcome.succeeded) == (status, False)
    assert (receiver.connections, inner.connections) == (1, 0)


def test_retry_after_is_passed_on() -> None:
    outcome, _ = sent_to(answering(b"HTTP/1.1 429 Slow\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n"))
    assert (outcome.status, outcome.retry_after) == (429, "120")


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ((), SendError.DISCONNECTED),
        ((b"SSH-2.0-OpenSSH_9.9\r\n",), SendError.RESPONSE_UNREADABLE),
        ((b"HTTP/1.1 two hundred\r\n\r\n",), SendError.RESPONSE_UNREADABLE),
        ((b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000,), SendError.RESPONSE_UNREADABLE),
        ((b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",), SendError.RESPONSE_UNREADABLE),
        (tuple(itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n", 1000)), SendError.RESPONSE_UNREADABLE),
    ],
)
def test_what_is_no_response_is_a_failure_that_is_told(parts: tuple[bytes, ...], error: SendError) -> None:
    outcome, _ = sent_to(answering(*parts))
    assert (outcome.status, outcome.error) == (None, error)


def test_an_endless_body_is_not_read_to_its_end() -> None:
    left = Event()

    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                connection.sendall(b"x" * 1024)
        except OSError:
            left.set()
            raise

    outcome, _ = sent_to(endless)
    assert outcome.succeeded
    assert left.is_set()


def test_a_receiver_that_drips_is_left_at_the_deadline() -> None:
    seconds = itertools.chain([0.0] * 6, itertools.repeat(UNHURRIED))  # the time is over after the first bytes

    def dripping(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"H")

    with Receiver(dripping).serving() as receiver:
        slow = sender(monotonic=lambda: next(seconds))
        outcome = slow.post(f"http://hook.example:{receiver.port}/", HEADERS, BODY)
    assert (outcome.status, outcome.error) == (None, SendError.TIMEOUT)


def test_a_receiver_that_never_answers_is_left_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # the system accepts, and nothing ever answers
        hasty = HttpSender(loopback=True, resolver=to_loopback, connect_seconds=UNHURRIED, total_seconds=0.05)
        outcome = hasty.post(f"http://hook.example:{listener.getsockname()[1]}/", HEADERS, BODY)
    assert (outcome.status, outcome.error) == (None, SendError.TIMEOUT)


def test_a_port_where_nothing_listens_is_a_failure() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # so that no other process takes the port
        outcome = sender().post(f"http://hook.example:{bound.getsockname()[1]}/", HEADERS, BODY)
    assert outcome.error is SendError.CONNECTION_FAILED


def test_a_name_is_resolved_once_and_the_connection_goes_to_the_address_that_was_checked() -> None:
    """A rebinding name server answers with a public address first and with an inner one afterwards."""
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.2"] if len(asked) == 1 else ["127.0.0.1"]

    with Receiver(answering(OK)).serving() as inner:  # listens on 127.0.0.1 only
        outcome = sender(resolver=rebinding).post(f"http://hook.example:{inner.port}/", HEADERS, BODY)
    assert outcome.error is SendError.CONNECTION_FAILED
    assert (asked, inner.connections) == (["hook.example"], 0)


@pytest.mark.parametrize("inner", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["10.0.0.7"], ["169.254.169.254"]])
def test_a_name_with_an_inner_address_gets_no_connection(inner: list[str]) -> None:
    with Receiver(answering(OK)).serving() as receiver:
        guarded = HttpSender(resolver=lambda *_: inner, connect_seconds=UNHURRIED, total_seconds=UNHURRIED)
        outcome = guarded.post(f"https://hook.example:{receiver.port}/", HEADERS, BODY)
    assert (outcome.error, receiver.connections) == (SendError.ADDRESS_REFUSED, 0)


def test_the_second_address_is_tried_if_the_first_does_not_accept() -> None:
    with Receiver(answering(OK)).serving() as receiver:
        both = sender(resolver=lambda *_: ["127.0.0.2", "127.0.0.1"])
        assert both.post(f"http://hook.example:{receiver.port}/", HEADERS, BODY).succeeded


@pytest.mark.parametrize(
    "url",
    [
        "http://hook.example/",
        "ftp://hook.example/",
        "https:///path",
        "https://user:pass@hook.example/",
        "https://hook.example:99999/",
        "https://hook.example/a b",
        "https://hook.example/\u00e9",
        "https://[::1/",
        f"https://{'x' * 70}.example/",
    ],
)
def test_a_url_that_no_endpoint_can_have_is_refused_without_a_look_at_it(url: str) -> None:
    def nobody(host: str, port: int) -> list[str]:
        raise AssertionError("the name was resolved")

    assert HttpSender(resolver=nobody).post(url, HEADERS, BODY).error is SendError.URL_REFUSED


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver(answering(OK)).serving() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        outcome, receiver = sent_to(answering(OK))
    assert outcome.succeeded
    assert (receiver.connections, proxy.connections) == (1, 0)


def test_a_valid_certificate_is_accepted(authority: Authority) -> None:
    with Receiver(answering(OK), authority.context_for("hook.example")).serving() as receiver:
        outcome = sender(trust=authority.file).post(f"https://hook.example:{receiver.port}/", HEADERS, BODY)
    assert outcome.succeeded
    assert receiver.requests[0].endswith(BODY)


@pytest.fixture(params=["another host", "expired", "unknown authority"])
def wrong(
    request: pytest.FixtureRequest, authority: Authority, tmp_path: Path
) -> Iterator[tuple[ssl.SSLContext, Path]]:
    if request.param == "another host":
        yield authority.context_for("other.example"), authority.file
    elif request.param == "expired":
        yield authority.context_for("hook.example", days=-1), authority.file
    else:
        (tmp_path / "other").mkdir()
        yield authority.context_for("hook.example"), Authority(tmp_path / "other").file


def test_an_invalid_certificate_is_refused_before_anything_is_sent(wrong: tuple[ssl.SSLContext, Path]) -> None:
    context, trust = wrong
    with Receiver(answering(OK), context).serving() as receiver:
        outcome = sender(trust=trust).post(f"https://hook.example:{receiver.port}/", HEADERS, BODY)
    assert (outcome.error, receiver.requests) == (SendError.CERTIFICATE_INVALID, [])


def test_a_receiver_without_tls_is_refused(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def plainly() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(OK)

        thread = Thread(target=plainly)
        thread.start()
        outcome = sender(trust=authority.file).post(f"https://hook.example:{listener.getsockname()[1]}/", HEADERS, BODY)
        thread.join()
    assert outcome.error is SendError.TLS_FAILED


def test_the_resolver_of_the_system_returns_each_ipv4_address_once() -> None:
    assert resolve("127.0.0.1", 443) == ("127.0.0.1",)
