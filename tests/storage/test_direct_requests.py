"""Requests of DynamoDB that are sent without botocore: their signature, their responses, and what botocore repeats."""

from __future__ import annotations

import binascii
import io
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from boto3.session import Session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError

from shared.storage import aws
from shared.storage.direct_requests import Connections, DirectRequests, NoResponse, Signer, read_response
from tests.patience import PATIENCE
from tests.webhooks.receiver import Authority

KEYS = ReadOnlyCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None)
AT = time.strptime("2026-11-27T01:02:03", "%Y-%m-%dT%H:%M:%S")
NOTHING = b"{}"
FOUND = b'{"Item":{"PK":{"S":"\xc3\xa4"}}}'


def response(content: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\nx-amzn-RequestId: R1\r\n{headers}\r\n"
    return head.encode() + content


def refusal(kind: str, **more: Any) -> bytes:
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{kind}", "message": "no", **more}
    return response(json.dumps(body).encode(), status="400 Bad Request")


THROTTLED = refusal("ThrottlingException")
AT_FIRST_AND_LATER = pytest.mark.parametrize("before", [0, 1], ids=["the first request", "a later request"])
"""botocore prepares the first request of a client only."""


class Server:
    """Answers one request after the other with the next of `answers`; b"" closes the connection.

    `requests` has the number of each request's connection, its head and its body.
    """

    def __init__(self, answers: Sequence[bytes], tls: ssl.SSLContext | None) -> None:
        self._answers = list(answers)
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.port = int(self._listener.getsockname()[1])
        self.requests: list[tuple[int, bytes, bytes]] = []

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(len(self._connections), connection))
            self._threads.append(thread)
            thread.start()

    def _serve(self, number: int, plain: socket.socket) -> None:
        try:
            connection = plain if self._tls is None else self._tls.wrap_socket(plain, server_side=True)
        except OSError:
            plain.close()
            return
        with connection, connection.makefile("rb") as reader:
            while lines := list(iter(lambda: reader.readline().strip(), b"")):
                head = b"\r\n".join(lines) + b"\r\n"
                length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
                self.requests.append((number, head, reader.read(length)))
                answer = self._answers.pop(0)
                if not answer:
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                connection.sendall(answer)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()


@contextmanager
def serving(*answers: bytes, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(answers, tls)
    accepting = threading.Thread(target=server.accept)
    accepting.start()
    try:
        yield server
    finally:
        for connections in MADE:
            connections.close()
        MADE.clear()
        server.close()
        accepting.join()


MADE: list[Connections] = []
"""The connections of the running test. They are closed before the server waits for its clients to leave."""


def connections_to(url: str, *, tls: Callable[[], ssl.SSLContext] = ssl.create_default_context) -> Connections:
    made = Connections(url, tls=tls, connect_timeout=PATIENCE, read_timeout=PATIENCE)
    MADE.append(made)
    return made


class Direct:
    """A client of DynamoDB whose requests are sent directly. `pauses` counts the waits, `repeated` botocore's requests.

    botocore's requests are not sent: they get the response `{}`.
    """

    def __init__(self, server: Server, keys: ReadOnlyCredentials | None = KEYS, *, before: int = 0) -> None:
        self.pauses, self.repeated = 0, 0
        session = Session("AKIDEXAMPLE", "secret", region_name="eu-west-1")
        url = f"http://127.0.0.1:{server.port}"
        config = Config(retries={"mode": "standard", "total_max_attempts": 1}, parameter_validation=False)
        self.client: Any = session.client("dynamodb", endpoint_url=url, config=config)
        self.requests = DirectRequests(
            self.client, credentials=lambda: keys, connections=connections_to, pause=self._pause
        )
        self.client.meta.events.register("before-send.dynamodb", self._answer_botocore)
        for _ in range(before):
            self.get()

    def _pause(self) -> None:
        self.pauses += 1

    def _answer_botocore(self, request: Any, **_: Any) -> Any:
        self.repeated += 1
        return _Answer(request.url)

    def get(self) -> Any:
        return self.client.get_item(TableName="t", Key={"PK": {"S": "a"}})


class _Answer:
    status_code, content, headers = 200, NOTHING, {"x-amzn-requestid": "botocore"}

    def __init__(self, url: str) -> None:
        self.url = url


@pytest.mark.parametrize("token", [None, "a/token+of=STS"])
@pytest.mark.parametrize("body", [b"{}", '{"TableName":"ä"}'.encode()])
def test_a_request_is_signed_as_botocore_signs_it(
    token: str | None, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = ReadOnlyCredentials(KEYS.access_key, KEYS.secret_key, token)
    signer = Signer("eu-west-1", "dynamodb")
    target = "DynamoDB_20120810.GetItem"
    host = "dynamodb.eu-west-1.amazonaws.com"
    headers = signer.headers(keys, host=host, target=target, body=body, at=AT)
    assert signer.headers(keys, host=host, target=target, body=body, at=AT) == headers  # with the key that it keeps

    class Now:
        def strftime(self, form: str) -> str:
            return time.strftime(form, AT)

    monkeypatch.setattr("botocore.auth.get_current_datetime", Now)
    given = {name: headers[name] for name in ("X-Amz-Target", "Content-Type")}
    request = AWSRequest("POST", f"https://{host}/", headers=given, data=body)
    SigV4Auth(keys, "dynamodb", "eu-west-1").add_auth(request)
    assert {**dict(request.headers), "Host": host} == headers


def test_another_day_and_another_secret_have_another_key() -> None:
    signer = Signer("eu-west-1", "dynamodb")
    other = ReadOnlyCredentials(KEYS.access_key, "another", None)
    tomorrow = time.strptime("2026-11-28T01:02:03", "%Y-%m-%dT%H:%M:%S")
    asked = [(KEYS, AT), (other, AT), (KEYS, tomorrow), (KEYS, AT)]
    made = [signer.headers(keys, host="h", target="t", body=b"", at=at)["Authorization"] for keys, at in asked]
    assert made[0] == made[3]
    assert len(set(made)) == 3


def test_a_response_is_returned_as_botocore_parses_it_and_its_connection_is_used_again() -> None:
    checksum = f"x-amz-crc32: {binascii.crc32(FOUND)}\r\n"
    with serving(response(FOUND, headers=checksum), response(FOUND, headers=checksum), response(NOTHING)) as server:
        direct = Direct(server)
        found = direct.get()
        assert direct.get() == found
        assert direct.get()["ResponseMetadata"]["HTTPStatusCode"] == 200
    metadata = found["ResponseMetadata"]
    assert found["Item"] == {"PK": {"S": "ä"}}
    assert (metadata["RequestId"], metadata["HTTPStatusCode"], metadata["RetryAttempts"]) == ("R1", 200, 0)
    assert [number for number, _, _ in server.requests] == [1, 1, 1]
    for _, head, body in server.requests:
        assert b"X-Amz-Target: DynamoDB_20120810.GetItem\r\n" in head
        assert json.loads(body) == {"TableName": "t", "Key": {"PK": {"S": "a"}}}
    assert (direct.repeated, direct.pauses) == (0, 0)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("ConditionalCheckFailedException", {"Item": {"PK": {"S": "a"}}}),
        ("TransactionCanceledException", {"CancellationReasons": [{"Code": "None"}]}),
    ],
)
@AT_FIRST_AND_LATER
def test_a_refused_condition_is_raised_with_what_the_service_says_of_it(
    kind: str, more: dict[str, Any], before: int
) -> None:
    with serving(*[response(NOTHING)] * before, refusal(kind, **more)) as server:
        direct = Direct(server, before=before)
        with pytest.raises(ClientError) as raised:
            direct.get()
    assert type(raised.value).__name__ == kind
    assert raised.value.response["Error"] == {"Message": "no", "Code": kind}
    assert more.items() <= raised.value.response.items()
    assert direct.repeated == 0


@pytest.mark.parametrize(
    ("answer", "pauses"),
    [
        (THROTTLED, 1),
        (refusal("ProvisionedThroughputExceededException"), 1),
        (refusal("RequestLimitExceeded"), 1),
        (response(NOTHING, status="500 Internal Server Error"), 1),
        (response(b"<html>", status="503 Slow Down"), 1),
        (refusal("ExpiredTokenException"), 0),
        (response(b"[]"), 0),
        (response(b"not JSON"), 0),
        (response(NOTHING, headers="x-amz-crc32: 1\r\n"), 0),
        (b"", 1),
        (b"SMTP\r\n\r\n", 1),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{}\r\n\r\nHTTP/1.1", 0),
    ],
)
@AT_FIRST_AND_LATER
def test_botocore_sends_a_request_again_that_has_not_succeeded(answer: bytes, pauses: int, before: int) -> None:
    with serving(*[response(NOTHING, headers="Connection: close\r\n")] * before, answer) as server:
        direct = Direct(server, before=before)
        assert direct.get()["ResponseMetadata"]["RequestId"] == "botocore"
    assert (direct.repeated, direct.pauses) == (1, pauses)


def test_the_end_of_an_idle_connection_is_seen_and_another_one_is_opened() -> None:
    with serving(response(NOTHING, headers="Connection: close\r\n"), response(NOTHING), response(NOTHING)) as server:
        direct = Direct(server)
        direct.get()
        direct.get()
        direct.requests.close()
        direct.get()
    assert [number for number, _, _ in server.requests] == [1, 2, 3]
    assert direct.repeated == 0


def test_a_connection_that_ends_while_it_is_used_again_is_no_reason_to_wait() -> None:
    with serving(response(NOTHING), b"") as server:
        direct = Direct(server)
        direct.get()
        direct.get()
    assert (direct.repeated, direct.pauses) == (1, 0)


def test_bytes_behind_a_response_are_not_the_response_to_the_next_request() -> None:
    with serving(response(NOTHING) + response(b'{"Item":{}}'), response(FOUND)) as server:
        direct = Direct(server)
        direct.get()
        assert direct.get()["Item"] == {"PK": {"S": "ä"}}


def test_the_trace_that_botocore_adds_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "get_job")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-2-3")
    with serving(response(NOTHING), response(NOTHING)) as server:
        Direct(server, before=1).get()
    assert all(b"\r\nX-Amzn-Trace-Id: Root=1-2-3\r\n" in head for _, head, _ in server.requests)


def test_botocore_sends_what_cannot_be_signed_here() -> None:
    with serving() as server:
        direct = Direct(server, keys=None)
        assert direct.get()["ResponseMetadata"]["RequestId"] == "botocore"
        other = Direct(server)
        assert other.requests._send_prepared({"url": "http://127.0.0.1:1"}, {"auth_type": "v4a"}) is None
        assert other.requests.endpoint is None
    assert (direct.repeated, direct.pauses) == (1, 0)


def test_botocore_sends_bytes_because_json_has_none() -> None:
    with serving(response(NOTHING)) as server:
        direct = Direct(server)
        direct.get()
        written = direct.client.put_item(TableName="t", Item={"PK": {"S": "a"}, "content": {"B": b"\xff"}})
        assert written["ResponseMetadata"]["RequestId"] == "botocore"
    assert (direct.repeated, direct.pauses) == (1, 0)


def test_threads_send_at_once_and_each_gets_its_own_response() -> None:
    numbers = range(8)
    with serving(*(response(NOTHING) for _ in numbers)) as server:
        direct = Direct(server)
        threads = [threading.Thread(target=direct.get) for _ in numbers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(server.requests) == len(numbers)
    assert direct.repeated == 0


def read(data: bytes) -> tuple[int, bytes, bool]:
    found, is_last = read_response(io.BytesIO(data))
    return found.status_code, found.content, is_last


def test_every_form_of_a_response_is_read() -> None:
    assert read(b"HTTP/1.1 100 Continue\r\n\r\n" + response(b"{}")) == (200, b"{}", False)
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\n{\r\n1\r\n}\r\n0\r\nTrailer: 1\r\n\r\n"
    assert read(chunks) == (200, b"{}", False)
    assert read(b"HTTP/1.1 200 OK\r\n\r\n{}") == (200, b"{}", True)
    assert read(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}") == (200, b"{}", True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"A: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"A%d: x\r\n" % number for number in range(200)) + b"\r\n",
    ],
)
def test_what_is_no_response_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - nobody reads the messages
        read(data)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Load certificates, which tests do not do otherwise."""
    original = ssl.SSLContext.__mro__[1].load_verify_locations  # type: ignore[attr-defined]
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", original)
    return Authority(tmp_path)


def test_a_connection_is_secure_and_its_certificate_is_checked(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.file))
    trusted = (
        authority.context_for("localhost"),
        authority.context_for("another.host"),
        stranger.context_for("localhost"),
    )
    outcomes = []
    for context in trusted:
        with serving(response(FOUND), tls=context) as server:
            connections = connections_to(f"https://localhost:{server.port}", tls=aws._tls)
            try:
                outcomes.append(connections.post({"Content-Length": "2"}, b"{}").content)
            except NoResponse as error:
                outcomes.append(type(error.__cause__).__name__.encode())
    assert outcomes == [FOUND, b"SSLCertVerificationError", b"SSLCertVerificationError"]


@pytest.mark.parametrize(
    ("environment", "attempts"),
    [({}, 2), ({"HTTPS_PROXY": "http://127.0.0.1:1"}, 3), ({"NO_PROXY": "169.254.169.254"}, 2)],
)
def test_with_a_proxy_botocore_makes_all_attempts(
    environment: dict[str, str], attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in {"AWS_DEFAULT_REGION": "eu-west-1", **environment}.items():
        monkeypatch.setenv(name, value)
    aws.client.cache_clear()
    try:
        config: Any = aws.dynamodb().meta.config
    finally:
        aws.client.cache_clear()
    assert config.retries["total_max_attempts"] == attempts
