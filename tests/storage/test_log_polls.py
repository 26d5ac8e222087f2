"""Reads of a log from an event loop: what succeeds at once, and what is repeated in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import Iterator, Sequence

import pytest
from botocore.credentials import ReadOnlyCredentials

from local.aws.credentials import aws_environment
from shared.jobs.ids import new_job_id
from shared.log.claim import claim
from shared.log.event_log import LogEntry
from shared.log.events import Delta
from shared.log.fence import Fence
from shared.log.polls import ThreadPolls
from shared.observability import metering
from shared.observability.metering import Count, Meter
from shared.storage import aws, log_polls
from shared.storage.direct_requests import Endpoint, Signer
from shared.storage.log_polls import DynamoLogPolls
from shared.storage.loop_requests import LoopRequests, NotSent
from tests.fakes.clock import EXPIRES_AT
from tests.fakes.event_log import FakeEventLog
from tests.patience import PATIENCE
from tests.storage.ports import AwsServer, adapters
from tests.storage.test_direct_requests import KEYS, THROTTLED, refusal, response, serving

PAGE = b'{"Items":[],"ConsumedCapacity":{"TableName":"jobs","CapacityUnits":0.5}}'
MORE = b'{"Items":[],"LastEvaluatedKey":{"PK":{"S":"x"}}}'


def requests_to(port: int, keys: ReadOnlyCredentials | None = KEYS) -> LoopRequests:
    return LoopRequests(
        endpoint=lambda: Endpoint(f"http://127.0.0.1:{port}", Signer("eu-west-1", "dynamodb")),
        credentials=lambda: keys,
        tls=ssl.create_default_context,
        connect_timeout=PATIENCE,
        read_timeout=PATIENCE,
    )


def test_requests_share_a_connection_and_are_signed() -> None:
    with serving(response(PAGE), response(PAGE)) as server:

        async def send() -> None:
            sender = requests_to(server.port)
            for _ in range(2):
                assert (await sender.send("Query", {"TableName": "jobs"}))["Items"] == []
            sender.close()

        asyncio.run(asyncio.wait_for(send(), PATIENCE))
        assert [number for number, _, _ in server.requests] == [1, 1]
        _, head, body = server.requests[0]
        assert json.loads(body) == {"TableName": "jobs"}
        assert b"X-Amz-Target: DynamoDB_20120810.Query\r\n" in head
        assert b"Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/" in head


@pytest.mark.parametrize(
    ("answer", "passing"),
    [
        (THROTTLED, True),
        (response(b"{}", status="500 Internal Server Error"), True),
        (refusal("ValidationException"), False),
        (refusal("ConditionalCheckFailedException"), False),
        (response(b"no json"), False),
        (response(PAGE, headers="x-amz-crc32: 1\r\n"), False),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", False),
        (b"no HTTP\r\n\r\n", False),
        (b"", False),
    ],
    ids=["throttled", "500", "invalid", "condition", "no json", "checksum", "no length", "too long", "no HTTP", "end"],
)
def test_what_is_no_success_is_not_sent(answer: bytes, *, passing: bool) -> None:
    with serving(answer) as server:

        async def send() -> bool:
            sender = requests_to(server.port)
            try:
                with pytest.raises(NotSent) as caught:
                    await sender.send("Query", {})
            finally:
                sender.close()
                await asyncio.sleep(0)
            return caught.value.passing

        assert asyncio.run(asyncio.wait_for(send(), PATIENCE)) is passing


def test_without_credentials_and_without_a_server_nothing_is_sent() -> None:
    async def send(keys: ReadOnlyCredentials | None) -> None:
        with pytest.raises(NotSent):
            await requests_to(1, keys).send("Query", {})

    asyncio.run(send(None))
    asyncio.run(send(KEYS))


def test_a_connection_is_not_used_again_if_the_server_closes_it_or_in_another_loop() -> None:
    closing = response(PAGE, headers="Connection: close\r\n")
    with serving(closing, response(PAGE), response(PAGE)) as server:
        sender = requests_to(server.port)

        async def send(times: int) -> None:
            for _ in range(times):
                await sender.send("Query", {})
            for connection in sender._idle:
                connection.close()
            await asyncio.sleep(0)

        asyncio.run(asyncio.wait_for(send(2), PATIENCE))
        asyncio.run(asyncio.wait_for(send(1), PATIENCE))
        assert [number for number, _, _ in server.requests] == [1, 2, 3]


class Pauses:
    def __init__(self) -> None:
        self.count = 0

    async def __call__(self) -> None:
        self.count += 1


@pytest.mark.parametrize(
    ("answer", "repeated", "pauses"),
    [(response(PAGE), 0, 0), (response(MORE), 1, 0), (THROTTLED, 1, 1), (refusal("ValidationException"), 1, 0)],
    ids=["success", "another page", "throttled", "invalid"],
)
def test_a_thread_repeats_a_read_that_did_not_succeed(answer: bytes, repeated: int, pauses: int) -> None:
    class Log(FakeEventLog):
        reads = 0

        def read(self, job_id: str, *, after: int, consistent: bool = False) -> Sequence[LogEntry]:
            self.reads += 1
            return super().read(job_id, after=after, consistent=consistent)

    log, waits = Log(), Pauses()
    with serving(answer) as server:

        async def read() -> Sequence[LogEntry]:
            sender = requests_to(server.port)
            entries = await DynamoLogPolls("jobs", log, sender, waits).read("job_1", after=0)
            sender.close()
            await asyncio.sleep(0)
            return entries

        assert asyncio.run(asyncio.wait_for(read(), PATIENCE)) == []
    assert (log.reads, waits.count) == (repeated, pauses)


@contextlib.contextmanager
def environment_of(server: AwsServer) -> Iterator[None]:
    url = str(aws.client("dynamodb").meta.endpoint_url)
    with pytest.MonkeyPatch.context() as variables:
        for name, value in aws_environment(url).items():
            variables.setenv(name, value)
        variables.setattr(aws, "_credentials", lambda: ReadOnlyCredentials("testing", "testing", None))
        yield


def test_a_poll_returns_what_a_read_returns_and_counts_its_units(server: AwsServer) -> None:
    ports = adapters(server)
    job_id = new_job_id(0)
    for text in ("a", "b", "c"):
        claim(ports.log, job_id, Fence(1, 0, 0, "aaaaaaaa"), (Delta(text=text),), at=ports.clock, expires_at=EXPIRES_AT)
    ports.log.mark_watched(job_id, expires_at=EXPIRES_AT)
    meter = Meter(megabytes=512)
    with environment_of(server):
        polls = log_polls.log_polls(server.table, ports.log)
        assert isinstance(polls, DynamoLogPolls)
        assert polls._requests._endpoint() is not None

        async def read(after: int) -> Sequence[LogEntry]:
            with metering.metered(meter):
                entries = await polls.read(job_id, after=after)
            polls._requests.close()
            await asyncio.sleep(0)
            return entries

        for after in (0, 2, 3):
            assert asyncio.run(read(after)) == ports.log.read(job_id, after=after)
    assert meter.take(write_units=0)[Count.READ_UNITS] == 1.5


def test_with_a_proxy_a_poll_is_a_read_in_a_thread(moto: AwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert isinstance(log_polls.log_polls(moto.table, FakeEventLog()), ThreadPolls)
