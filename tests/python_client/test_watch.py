"""Watching a job with the Python client: connections break, end and are refused, and the watch has every event once.

Each test runs with asyncio and without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from millrace_client import (
    AsyncMillrace,
    JobCancelled,
    JobFailed,
    JobView,
    Millrace,
    MillraceError,
    Refused,
    UnknownEvent,
    Unreachable,
    Unreadable,
    WatchedEvent,
)
from millrace_client._async import watch as async_watch
from millrace_client._sync import watch as sync_watch

from tests.python_client.server import (
    CONNECTED,
    USAGE,
    Answer,
    FakeServer,
    complete,
    delta,
    frame,
    refusal,
    stream,
    success,
)

ACCEPTED = {
    "jobId": "job_1",
    "status": "pending",
    "statusUrl": "https://api.example/jobs/job_1",
    "streamUrl": "https://stream.example/jobs/job_1/stream",
}
FAILED = {
    "type": "error",
    "code": "MODEL_UNAVAILABLE",
    "message": "the model is gone",
    "stage": None,
    "attempt": 3,
    "retryCount": 2,
    "retryable": True,
    "requestId": None,
    "traceId": None,
    "usage": USAGE,
}


@dataclass
class Watched:
    """What a watch has given, and what it has sent."""

    server: FakeServer
    events: list[WatchedEvent] = field(default_factory=list)
    view: JobView = field(default_factory=JobView)
    result: dict[str, Any] | None = None
    error: MillraceError | None = None

    @property
    def types(self) -> list[tuple[int, str]]:
        return [(each.id, each.event.type) for each in self.events]


Watching = Callable[..., Watched]


def _without_asyncio(answers: list[Answer], *, after: int = 0, most: int = 1_000) -> Watched:
    seen = Watched(FakeServer([success(ACCEPTED, 202), *answers]))
    with httpx.Client(transport=seen.server) as http:
        watch = Millrace("https://api.example", "token", http=http).start_job("suggestion", {})
        watch.view.last_event_id = after
        seen.view = watch.view
        try:
            with closing(iter(watch)) as events:
                for event in events:
                    seen.events.append(event)
                    if len(seen.events) == most:
                        return seen
            seen.result = watch.view.result if watch.view.outcome == "complete" else None
            watch.raise_for_outcome()
        except MillraceError as error:
            seen.error = error
    return seen


def _with_asyncio(answers: list[Answer], *, after: int = 0, most: int = 1_000) -> Watched:
    seen = Watched(FakeServer([success(ACCEPTED, 202), *answers]))

    async def follow() -> None:
        async with httpx.AsyncClient(transport=seen.server) as http:

            async def token(_: str | None) -> str:
                return "token"

            watch = await AsyncMillrace("https://api.example", token, http=http).start_job("suggestion", {})
            watch.view.last_event_id = after
            seen.view = watch.view
            try:
                async with aclosing(aiter(watch)) as events:
                    async for event in events:
                        seen.events.append(event)
                        if len(seen.events) == most:
                            return
                seen.result = watch.view.result if watch.view.outcome == "complete" else None
                watch.raise_for_outcome()
            except MillraceError as error:
                seen.error = error

    asyncio.run(follow())
    return seen


@pytest.fixture(params=["sync", "asyncio"])
def watching(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Watching:
    """Return a function that creates a job at a server with these answers and follows it, without waits."""

    async def no_sleep(seconds: float) -> None:
        assert seconds >= 0

    monkeypatch.setattr(async_watch, "sleep", no_sleep)
    monkeypatch.setattr(sync_watch, "sleep", lambda seconds: None)
    return _without_asyncio if request.param == "sync" else _with_asyncio


def detail(**values: Any) -> dict[str, Any]:
    """Return a job as the API does."""
    return {
        "jobId": "job_1",
        "pipeline": "suggestion",
        "title": None,
        "status": "completed",
        "stage": None,
        "progress": 100,
        "attempt": 1,
        "retryCount": 0,
        "maxRetries": 3,
        "lastFault": None,
        "failure": None,
        "model": "m",
        "agent": None,
        "usage": USAGE,
        "links": {"sessionId": None, "runId": None, "projectId": None},
        "traceId": None,
        "requestId": None,
        "executionArn": None,
        "createdAt": "2026-11-26T08:00:00Z",
        "updatedAt": "2026-11-26T08:00:00Z",
        "startedAt": None,
        "endedAt": None,
        "expiresAt": "2026-11-26T08:10:00Z",
        "statusUrl": "https://api.example/jobs/job_1",
        "streamUrl": ACCEPTED["streamUrl"],
        "input": {},
        "result": {},
        "text": "",
        "items": [],
        "subtasks": [],
        "lastEventId": 0,
        "archived": False,
        "history": [],
        "historyIsWhole": True,
        "omitted": [],
        **values,
    }


def test_a_job_is_followed_to_its_result(watching: Watching) -> None:
    seen = watching([stream(CONNECTED, delta(1, "a"), delta(2, "b"), complete(3, done=True))])

    assert seen.types == [(1, "delta"), (2, "delta"), (3, "complete")]
    assert (seen.view.text, seen.view.pipeline, seen.result) == ("ab", "suggestion", {"done": True})
    assert seen.view.usage is not None
    assert seen.view.usage.output_tokens == 2
    assert seen.server.sent("authorization") == ["Bearer token"] * 2
    assert len(seen.server.requests[1].url.params["tab"]) >= 16


def test_after_a_broken_connection_the_next_one_starts_after_the_last_event(watching: Watching) -> None:
    seen = watching(
        [
            stream(CONNECTED, delta(1, "a"), delta(2, "b"), end=httpx.ReadError("reset")),
            httpx.ConnectError("offline"),
            refusal(503, "STORAGE_UNAVAILABLE", retryable=True),
            stream(CONNECTED, delta(2, "b"), delta(3, "c")),
            stream(CONNECTED, complete(4)),
        ]
    )

    assert (seen.view.text, [each.id for each in seen.events]) == ("abc", [1, 2, 3, 4])
    assert seen.server.sent("last-event-id")[1:] == [None, "2", "2", "2", "3"]


def test_an_event_that_the_end_of_a_connection_cuts_off_is_requested_again(watching: Watching) -> None:
    half = delta(2, "bcd")[:20]
    seen = watching(
        [stream(CONNECTED, delta(1, "a") + half), stream(CONNECTED, delta(2, "bcd"), complete(3))],
    )

    assert seen.view.text == "abcd"
    assert seen.server.sent("last-event-id")[1:] == [None, "1"]


def test_after_a_gap_the_watch_reconnects_before_the_missing_event(watching: Watching) -> None:
    seen = watching(
        [stream(CONNECTED, delta(1, "a"), delta(3, "c")), stream(CONNECTED, delta(2, "b"), delta(3, "c"), complete(4))],
    )

    assert seen.view.text == "abc"


def test_text_with_characters_of_any_kind_arrives_whole(watching: Watching) -> None:
    text = "é\u2028\u2029\u0085\x0b🎼\n\r\n"
    whole = (CONNECTED + delta(1, text) + complete(2)).encode()
    seen = watching([stream(*(bytes([each]) for each in whole))])

    assert seen.view.text == text


def test_a_snapshot_may_skip_events_and_a_reset_takes_text_back(watching: Watching) -> None:
    snapshot = frame(5, type="snapshot", text="abc", progress=40, stage="Write", items=[], subtasks=[])
    reset = frame(6, type="reset", text="ab", progress=20, reason="RETRY", message="again", attempt=2, retryCount=1)
    seen = watching([stream(CONNECTED, snapshot, reset, delta(7, "!"), complete(8))])

    assert (seen.view.text, seen.view.attempt, seen.view.retry_count) == ("ab!", 2, 1)
    assert [each.message for each in seen.view.resets] == ["again"]


def test_an_event_of_a_newer_server_counts(watching: Watching) -> None:
    later = frame(1, type="sketch", key="s1", lines=3)
    seen = watching([stream(CONNECTED, later, complete(2))])

    assert isinstance(seen.events[0].event, UnknownEvent)
    assert seen.view.news[0].model_dump() == {"type": "sketch", "key": "s1", "lines": 3}
    assert seen.result == {}


def test_the_end_of_a_job_that_ended_between_two_connections_is_read(watching: Watching) -> None:
    found = detail(text="ab", result={"done": True}, lastEventId=3)
    seen = watching([stream(CONNECTED, delta(1, "a")), httpx.Response(204), success(found)])

    assert (seen.view.text, seen.view.last_event_id, seen.result) == ("ab", 3, {"done": True})


def test_what_the_api_leaves_out_stays_as_it_was_seen(watching: Watching) -> None:
    found = detail(text="", omitted=["text"], lastEventId=2)
    seen = watching([stream(CONNECTED, delta(1, "a"), delta(2, "b")), httpx.Response(204), success(found)])

    assert seen.view.text == "ab"


def test_a_job_that_was_resumed_after_its_end_is_followed_on(watching: Watching) -> None:
    live = detail(status="in_progress", lastEventId=1)
    seen = watching(
        [stream(CONNECTED, delta(1, "a")), httpx.Response(204), success(live), stream(CONNECTED, complete(2))]
    )

    assert seen.types[-1] == (2, "complete")


def test_a_failed_job_raises_its_failure(watching: Watching) -> None:
    seen = watching([stream(CONNECTED, frame(1, **FAILED))])

    assert isinstance(seen.error, JobFailed)
    assert (seen.error.job_id, seen.error.failure.code) == ("job_1", "MODEL_UNAVAILABLE")


def test_a_cancelled_job_raises_that(watching: Watching) -> None:
    seen = watching([stream(CONNECTED, frame(1, type="cancelled", stage=None, usage=USAGE))])

    assert isinstance(seen.error, JobCancelled)


@pytest.mark.parametrize(("status", "code"), [(401, "UNAUTHENTICATED"), (403, "FORBIDDEN"), (404, "NOT_FOUND")])
def test_a_refusal_is_raised_at_once(watching: Watching, status: int, code: str) -> None:
    seen = watching([refusal(status, code)])

    assert isinstance(seen.error, Refused)
    assert (seen.error.status, seen.error.code, seen.error.request_id) == (status, code, "request-1")


def test_a_stream_that_stays_unreadable_ends_the_watch_instead_of_a_loop(watching: Watching) -> None:
    def nonsense(_: httpx.Request) -> httpx.Response:
        return stream(CONNECTED, "id: 1\nevent: delta\ndata: {\n\n")

    seen = watching([nonsense, nonsense, nonsense, nonsense])

    assert isinstance(seen.error, Unreadable)
    assert len(seen.server.requests) == 5


@pytest.mark.parametrize("broken", ['id: x\nevent: progress\ndata: {"type": "progress", "progress": 1}\n\n', "<html>"])
def test_what_is_no_stream_of_this_api_is_unreadable(watching: Watching, broken: str) -> None:
    def page(_: httpx.Request) -> httpx.Response:
        if broken == "<html>":
            return httpx.Response(200, headers={"Content-Type": "text/html"}, text=broken)
        return stream(CONNECTED, broken)

    assert isinstance(watching([page] * 4).error, Unreadable)


def test_a_network_that_stays_down_is_reported_after_the_idle_limit(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(range(0, 10_000, 10))
    for module in (async_watch, sync_watch):
        monkeypatch.setattr(module, "monotonic", lambda: next(now))

    seen = watching([httpx.ConnectError("offline")] * 50)

    assert isinstance(seen.error, Unreachable)
    assert 2 < len(seen.server.requests) < 15


def test_a_watch_can_start_after_an_event_and_stop_before_the_end(watching: Watching) -> None:
    seen = watching([stream(CONNECTED, delta(8, "a"), delta(9, "b"), complete(10))], after=7, most=1)

    assert (seen.types, seen.error) == ([(8, "delta")], None)
    assert seen.server.sent("last-event-id")[1] == "7"


def test_a_watch_that_was_left_continues_after_the_last_event() -> None:
    server = FakeServer(
        [
            success(detail(status="in_progress")),
            stream(CONNECTED, delta(1, "a"), delta(2, "b")),
            stream(CONNECTED, delta(2, "b"), complete(3)),
        ]
    )
    with Millrace("https://api.example", "token", http=httpx.Client(transport=server)) as millrace:
        watch = millrace.watch("job_1")
        for _ in watch:
            break
        assert watch.view.text == "a"

        assert watch.result() == {}

    assert watch.view.text == "ab"
    assert server.sent("last-event-id") == [None, None, "1"]


def test_a_watch_that_has_seen_the_end_follows_a_job_that_was_resumed() -> None:
    reset = frame(3, type="reset", text="a", progress=0, reason="RESUMED", message="again", attempt=2, retryCount=1)
    server = FakeServer(
        [
            success(detail(status="in_progress")),
            stream(CONNECTED, delta(1, "a"), frame(2, **FAILED)),
            stream(CONNECTED),  # the first connection ends before the next attempt begins
            stream(CONNECTED, reset, delta(4, "b"), complete(5)),
        ]
    )
    with Millrace("https://api.example", "token", http=httpx.Client(transport=server)) as millrace:
        watch = millrace.watch("job_1")
        with pytest.raises(JobFailed):
            watch.result()

        assert watch.result() == {}

    assert (watch.view.text, watch.view.failure) == ("ab", None)
    assert server.sent("last-event-id") == [None, None, "2", "2"]
