"""One connection to a job's stream: how long it lasts, and how long it has its slot."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import MutableMapping
from typing import Any

import pytest

from shared.errors import StreamLimitExceeded
from shared.jobs.job import Job, JobStatus
from shared.jobs.store import JobGuard
from shared.jobs.watcher import Watched
from shared.limits.stream_slots import StreamSlots
from shared.log.claim import claim
from shared.log.events import Cancelled, Delta
from shared.log.fence import Fence
from shared.observability.metrics import metrics
from shared.web import stream as streaming
from shared.web.stream import Connection, End, JobStream, JobStreamResponse, StreamTimes
from tests.fakes.clock import EXPIRES_AT
from tests.fakes.core import FakeCore, until
from tests.patience import PATIENCE

WINDOW = 60.0
SHORT = 0.05
"""A window for connections that end with it."""


class Client:
    """The server's side of a client that reads at most `reads` messages."""

    def __init__(self, reads: int = 1_000) -> None:
        self._reads = reads
        self.got: list[MutableMapping[str, Any]] = []

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if len(self.got) == self._reads:
            await asyncio.Event().wait()
        self.got.append(message)

    async def receive(self) -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def open(self, stream: JobStream, job: Job, connection: Connection) -> None:
        response = JobStreamResponse(stream, Watched(job), connection)
        async with asyncio.timeout(PATIENCE):
            await response({"type": "http"}, self.receive, self.send)

    @property
    def ended(self) -> bool:
        return self.got[-1].get("more_body") is False


@pytest.fixture
def core() -> FakeCore:
    return FakeCore()


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The reasons for which connections have ended."""
    found: list[str] = []
    monkeypatch.setattr(metrics, "stream_ended", lambda *_, reason, **__: found.append(reason))
    # Only a client that does not read is cut: a busy machine may notice the end of a window late.
    monkeypatch.setattr(streaming, "OVERTIME_SECONDS", PATIENCE)
    return found


def a_stream(core: FakeCore, *, window: float = WINDOW, lease: float = 30) -> JobStream:
    slots = StreamSlots(core.records, limit=1, lease_seconds=lease, clock=core.clock)
    return JobStream(core.job_watcher, slots, StreamTimes(window, heartbeat=15))


def a_running_job(core: FakeCore) -> Job:
    job = core.new_job()
    claim(core.log, job.id, Fence(1, 0, 0, "aaaaaaaa"), (Delta(text="x"),), at=core.clock, expires_at=EXPIRES_AT)
    return job


def end(core: FakeCore, job: Job) -> None:
    core.jobs.update(job.id, {"status": JobStatus.CANCELLED}, when=JobGuard())
    claim(core.log, job.id, Fence(1, 999, 0, "aaaaaaaa"), (Cancelled(),), at=core.clock, expires_at=EXPIRES_AT)


def test_a_connection_ends_with_the_job(core: FakeCore, ends: list[str]) -> None:
    stream, job, client = a_stream(core), a_running_job(core), Client()
    end(core, job)
    asyncio.run(client.open(stream, job, Connection.of_tab("ada", None, after=0)))
    assert [line for line in _body(client).split("\n") if line.startswith("id: ")] == ["id: 1", "id: 2"]
    assert client.ended
    assert ends == [End.FINISHED]


def test_a_connection_ends_with_its_window_and_keeps_the_slot_for_its_tab(core: FakeCore, ends: list[str]) -> None:
    stream, job, client = a_stream(core, window=SHORT), a_running_job(core), Client()
    connection = Connection.of_tab("ada", "mine", after=0)
    stream.take_slot(connection)
    asyncio.run(client.open(stream, job, connection))
    assert client.ended
    assert ends == [End.WINDOW]
    with pytest.raises(StreamLimitExceeded):
        stream.take_slot(Connection.of_tab("ada", "another", after=0))
    stream.take_slot(Connection.of_tab("ada", "mine", after=0))


def test_a_client_that_does_not_read_is_cut_after_its_window(
    core: FakeCore, ends: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "OVERTIME_SECONDS", 0.1)
    stream, job, client = a_stream(core, window=SHORT), a_running_job(core), Client(reads=1)
    connection = Connection.of_tab("ada", None, after=0)
    stream.take_slot(connection)

    asyncio.run(client.open(stream, job, connection))

    assert not client.ended
    assert ends == [End.UNREAD]
    stream.take_slot(Connection.of_tab("ada", None, after=0))


def test_a_connection_ends_properly_after_its_window_while_the_database_does_not_respond(
    core: FakeCore, ends: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "OVERTIME_SECONDS", 0)
    stream, job, client = a_stream(core, window=SHORT), a_running_job(core), Client()
    responds = threading.Event()
    read = core.log.read

    def read_late(*args: Any, **options: Any) -> Any:
        responds.wait(PATIENCE)
        return read(*args, **options)

    monkeypatch.setattr(core.log, "read", read_late)

    async def watched() -> None:
        await client.open(stream, job, Connection.of_tab("ada", None, after=0))
        responds.set()  # asyncio.run waits for the thread

    asyncio.run(watched())
    assert client.ended
    assert ends == [End.WINDOW]


def test_a_client_that_does_not_read_is_cut_when_its_tab_opens_another_connection(
    core: FakeCore, ends: list[str]
) -> None:
    stream, job, client = a_stream(core, lease=0.03), a_running_job(core), Client(reads=1)
    connection = Connection.of_tab("ada", "mine", after=0)
    stream.take_slot(connection)
    with pytest.raises(StreamLimitExceeded):
        stream.take_slot(Connection.of_tab("ada", "mine", after=0))
    asyncio.run(client.open(stream, job, connection))
    assert not client.ended
    assert ends == [End.TAKEN_OVER]


def test_a_client_that_does_not_read_has_its_slot_until_it_is_cut(core: FakeCore, ends: list[str]) -> None:
    stream, job, client = a_stream(core, lease=0.03), a_running_job(core), Client(reads=1)
    connection = Connection.of_tab("ada", None, after=0)
    stream.take_slot(connection)
    swaps = core.records.swaps

    async def watched() -> None:
        opening = asyncio.ensure_future(client.open(stream, job, connection))
        await until(lambda: core.records.swaps > swaps + 2)  # renewed, although nothing can be sent
        with pytest.raises(StreamLimitExceeded):
            stream.take_slot(Connection.of_tab("ada", None, after=0))
        opening.cancel()
        await asyncio.wait([opening])

    asyncio.run(watched())
    assert ends == [End.DISCONNECTED]


def test_a_connection_whose_tab_opens_another_ends_at_its_next_renewal(core: FakeCore, ends: list[str]) -> None:
    stream, job, client = a_stream(core, lease=0.03), a_running_job(core), Client()
    connection = Connection.of_tab("ada", "mine", after=0)
    stream.take_slot(connection)
    with pytest.raises(StreamLimitExceeded):
        stream.take_slot(Connection.of_tab("ada", "mine", after=0))
    asyncio.run(client.open(stream, job, connection))
    assert client.ended
    assert ends == [End.TAKEN_OVER]
    stream.take_slot(Connection.of_tab("ada", "mine", after=0))


def _body(client: Client) -> str:
    return b"".join(message.get("body", b"") for message in client.got).decode()
