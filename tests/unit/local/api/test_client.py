"""The Python client against a scripted API, with a stream that is interrupted at any byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from local.api.client import JobsClient, Received, Refused, Unreachable, Unreadable
from shared.errors import ErrorCode
from shared.log.events import Complete, Connected, Delta, Progress, Snapshot, StageStarted, StreamEvent
from shared.log.reader import Frame
from shared.log.transcript import Transcript
from shared.log.usage import JobUsage
from shared.web.envelope import ErrorBody, Exchange, Operation
from shared.web.sse import HEADERS, HEARTBEAT, encode_connected, encode_frame

EVENTS: tuple[StreamEvent, ...] = (
    StageStarted(stage="generate", index=1, of=1),
    Delta(text="Grüße, "),
    Progress(progress=50),
    Delta(text="Welt 🌍\n\n"),
    Complete(result={"text": "Grüße, Welt 🌍"}, usage=JobUsage(input_tokens=1, output_tokens=2)),
)
FRAMES = tuple(Frame(number, event) for number, event in enumerate(EVENTS, start=1))
URL = "http://127.0.0.1:1/jobs/job_1/stream"
RETRY = 1.0


def connection(last: int = 0, frames: Iterable[Frame] = FRAMES) -> bytes:
    """Return what the server sends to a client whose last event id is `last`."""
    head = encode_connected(Connected(job_id="job_1", pipeline="p", last_event_id=last))
    return head + HEARTBEAT + b"".join(encode_frame(frame) + HEARTBEAT for frame in frames if frame.id > last)


@dataclass(slots=True)
class InterruptedBody(httpx.SyncByteStream):
    """Sends `body` in two parts, then ends with `fault` or cleanly."""

    body: bytes
    fault: httpx.TransportError | None = None

    def __iter__(self) -> Iterator[bytes]:
        yield self.body[:7]
        yield self.body[7:]
        if self.fault is not None:
            raise self.fault


@dataclass(slots=True)
class Server(httpx.BaseTransport):
    """Responds to each connection with the next of `script`; after that, with all events the client has not seen."""

    script: list[httpx.Response | Exception] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        response = self.script.pop(0) if self.script else stream(connection(self.last_ids[-1]))
        if isinstance(response, Exception):
            raise response
        response.request = request
        return response

    @property
    def last_ids(self) -> list[int]:
        return [int(request.headers.get("Last-Event-ID", 0)) for request in self.requests]

    def client(self, patience: int = 6) -> JobsClient:
        return JobsClient("http://127.0.0.1:1", "token", patience=patience, sleep=self.slept.append, transport=self)

    def follow(self, *, after: int = 0, patience: int = 6) -> list[Received]:
        with self.client(patience) as client:
            return list(client.follow(URL, after=after))


def stream(body: bytes, fault: httpx.TransportError | None = None) -> httpx.Response:
    return httpx.Response(200, headers=HEADERS, stream=InterruptedBody(body, fault))


def refusal(status: int, code: ErrorCode, **headers: str) -> httpx.Response:
    body = Exchange(Operation.STREAM_JOB).refusal(ErrorBody(code=code, message="because"))
    return httpx.Response(status, content=body.model_dump_json(), headers=headers)


def numbers(received: list[Received]) -> list[int]:
    return [each.id for each in received if each.id is not None]


@pytest.mark.parametrize("fault", [None, httpx.ReadError("reset"), httpx.ReadTimeout("silence")])
def test_a_stream_interrupted_at_any_byte_gives_every_event_exactly_once(
    fault: httpx.TransportError | None,
) -> None:
    whole = connection()
    for cut in range(len(whole)):
        server = Server([stream(whole[:cut], fault)])
        received = server.follow()
        assert numbers(received) == [1, 2, 3, 4, 5], f"cut at byte {cut}"
        assert [each.event for each in received if each.id is not None] == list(EVENTS)
        transcript = Transcript()
        for each in received:
            transcript.apply(each.id or 0, each.event)
        assert transcript.text == "Grüße, Welt 🌍\n\n"
        assert transcript.ended == EVENTS[-1]


def test_the_client_reconnects_with_its_last_event_id_and_tab_after_the_servers_retry_time() -> None:
    server = Server([stream(connection(frames=FRAMES[:2])), stream(connection(2, FRAMES[:3]))])
    server.follow()
    assert server.last_ids == [0, 2, 3]
    assert len({request.url.params["tab"] for request in server.requests}) == 1
    assert all(RETRY <= slept <= 1.2 * RETRY for slept in server.slept)


def test_the_client_keeps_the_ticket_of_a_stream_url() -> None:
    server = Server()
    with server.client() as client:
        list(client.follow(f"{URL}?ticket=abc"))
    assert server.requests[0].url.params["ticket"] == "abc"


def test_the_client_ignores_events_it_has_seen() -> None:
    server = Server([stream(connection(0, FRAMES))])
    assert numbers(server.follow(after=3)) == [4, 5]


def test_the_client_reconnects_after_a_gap_but_not_after_a_snapshot() -> None:
    gap = stream(connection(0, (FRAMES[0], FRAMES[3])))
    server = Server([gap])
    assert numbers(server.follow()) == [1, 2, 3, 4, 5]
    snapshot = Frame(4, Snapshot(text="Grüße, Welt 🌍\n\n", progress=50))
    server = Server([stream(connection(0, (FRAMES[0], snapshot, FRAMES[4])))])
    assert numbers(server.follow()) == [1, 4, 5]


def test_the_client_doubles_its_wait_after_each_fault_and_stops_after_the_last() -> None:
    server = Server([httpx.ConnectError("refused") for _ in range(7)])
    with pytest.raises(Unreachable, match=r"7 connections in a row failed: ConnectError \(refused\)"):
        server.follow(patience=6)
    assert len(server.requests) == 7
    assert [round(slept / base, 0) for slept, base in zip(server.slept, (1, 2, 4, 8, 15, 15), strict=True)] == [1] * 6


def test_an_event_resets_the_number_of_faults() -> None:
    faults: list[httpx.Response | Exception] = [httpx.ConnectError("refused"), httpx.ConnectError("refused")]
    server = Server([*faults, stream(connection(0, FRAMES[:1]), httpx.ReadError("reset")), faults[0]])
    assert numbers(server.follow(patience=2)) == [1, 2, 3, 4, 5]


def test_a_server_error_and_an_empty_response_are_faults() -> None:
    server = Server([httpx.Response(502, text="bad gateway"), refusal(503, ErrorCode.STORAGE_UNAVAILABLE), stream(b"")])
    assert numbers(server.follow()) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, ErrorCode.UNAUTHENTICATED),
        (403, ErrorCode.FORBIDDEN),
        (404, ErrorCode.NOT_FOUND),
        (429, ErrorCode.STREAM_LIMIT_EXCEEDED),
    ],
)
@pytest.mark.parametrize("before", [0, 1])
def test_the_client_does_not_repeat_a_refused_request(status: int, code: ErrorCode, before: int) -> None:
    windows: list[httpx.Response | Exception] = [stream(connection(frames=FRAMES[:2])) for _ in range(before)]
    server = Server([*windows, refusal(status, code, **{"Retry-After": "7"})])
    with pytest.raises(Refused) as caught:
        server.follow()
    assert (caught.value.status, caught.value.error.code, caught.value.retry_after) == (status, code, 7)
    assert len(server.requests) == before + 1


def test_following_after_the_terminal_event_yields_nothing() -> None:
    assert Server([httpx.Response(204)]).follow(after=5) == []


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, text="<html>", headers={"Content-Type": "text/html"}),
        httpx.Response(403, text="<html>"),
        stream(b'id: 1\nevent: delta\ndata: {"type": "delta"}\n\n'),
        stream(b'id: x\nevent: delta\ndata: {"type": "delta", "text": ""}\n\n'),
    ],
)
def test_a_response_of_another_api_is_unreadable(response: httpx.Response) -> None:
    with pytest.raises(Unreadable):
        Server([response]).follow()


def test_a_call_distinguishes_network_faults_from_refusals() -> None:
    server = Server([httpx.ConnectError("refused"), refusal(503, ErrorCode.STORAGE_UNAVAILABLE)])
    with server.client() as client:
        with pytest.raises(Unreachable, match="ConnectError"):
            client.get("job_1")
        with pytest.raises(Unreachable, match="status 503, because"):
            client.get("job_1")
        server.script = [refusal(404, ErrorCode.NOT_FOUND), httpx.Response(200, text="{}")]
        with pytest.raises(Refused, match="404 NOT_FOUND: because"):
            client.cancel("job_1")
        with pytest.raises(Unreadable):
            client.get("job_1")
