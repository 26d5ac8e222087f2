"""GET /jobs/{jobId}/stream sends the job's events to its owner, from the event after the last one received."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from httpx_sse import EventSource

from shared.web.stream import RECONNECT_GRACE_SECONDS
from tests.api_user import (
    STREAM_WINDOW_SECONDS,
    TERMINAL,
    ApiUser,
    Event,
    broken_rules,
    data_of,
    fold,
    refusal,
    wait_until,
)

HANGS = "token_ms=0, first_token_ms=0, hang_after=5"
UNHURRIED = "token_ms=5"
UNKNOWN = "job_01jd8x2v5n7k3q9w4t6y8z0abc"


@pytest.fixture
def hanging_job(user: ApiUser) -> Iterator[str]:
    """A job whose model stops in the middle of its output and keeps the connection open."""
    job_id = user.new_job(HANGS)
    yield job_id
    user.cancel(job_id)


def tokens_of(usage: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in usage.items() if name not in {"compute", "cost"}}


def ids(events: list[Event]) -> list[int]:
    return [event.id for event in events if event.id is not None]


# ---- what is sent ----------------------------------------------------------------------------------------------------


def test_a_watcher_gets_every_event_from_the_first_stage_to_the_result(user: ApiUser) -> None:
    job_id = user.new_job()

    events = user.watch(job_id)

    job = user.job(job_id)
    assert events[0] == Event(
        None, "connected", {"type": "connected", "jobId": job_id, "pipeline": "suggestion", "lastEventId": 0}
    )
    assert ids(events) == list(range(1, job["lastEventId"] + 1))
    assert [event.data["stage"] for event in events if event.type == "stage"] == [
        "generate_suggestions",
        "validate_suggestions",
    ]
    assert fold(events) == job["text"]
    progress = [event.data["progress"] for event in events if event.type == "progress"]
    assert progress == sorted(progress)
    assert progress[-1] == 100
    assert events[-1].type == "complete"
    assert events[-1].data["result"] == job["result"]
    # The connections of watchers are counted when they end, so the job may have more of them than its last event.
    assert tokens_of(events[-1].data["usage"]) == tokens_of(job["usage"])
    assert job["result"]["suggestions"]


def test_the_headers_forbid_buffering(user: ApiUser, hanging_job: str) -> None:
    with user.stream(hanging_job) as source:
        headers = source.response.headers

        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert headers["cache-control"] == "no-store, no-transform"
        assert headers["x-accel-buffering"] == "no"
        assert "content-length" not in headers
        assert headers["x-request-id"]


def test_the_stream_sends_the_time_to_wait_before_a_reconnection(user: ApiUser, hanging_job: str) -> None:
    with user.stream(hanging_job) as source:
        assert next(source.iter_sse()).retry == 1000


def test_the_stream_sends_heartbeats_when_there_are_no_events(user: ApiUser, hanging_job: str) -> None:
    with user.stream(hanging_job) as source:
        lines = (line for line in source.response.iter_lines() if line.startswith(":"))

        assert [next(lines), next(lines)] == [": heartbeat", ": heartbeat"]


def test_a_watcher_gets_text_before_the_model_has_finished(user: ApiUser, hanging_job: str) -> None:
    with user.stream(hanging_job) as source:
        first = next(event for event in map(Event.of, source.iter_sse()) if event.type == "delta")

        assert first.data["text"]
        assert user.job(hanging_job)["status"] == "in_progress"


def test_every_watcher_gets_the_same_events_in_the_same_order(user: ApiUser) -> None:
    job_id = user.new_job(UNHURRIED)

    with ThreadPoolExecutor(4) as pool:
        watching = [pool.submit(user.watch, job_id) for _ in range(4)]
        seen = [watcher.result() for watcher in watching]

    assert seen[0][-1].type == "complete"
    assert all(events == seen[0] for events in seen)


def test_the_events_of_two_users_jobs_do_not_mix(new_user: Callable[[], ApiUser]) -> None:
    users = [new_user(), new_user()]
    jobs = [each.new_job(UNHURRIED) for each in users]

    with ThreadPoolExecutor(2) as pool:
        seen = list(pool.map(lambda pair: pair[0].watch(pair[1]), zip(users, jobs, strict=True)))

    for each, own, foreign, events in zip(users, jobs, reversed(jobs), seen, strict=True):
        assert each.jobs() == [own]
        assert events[0].data["jobId"] == own
        assert fold(events) == each.job(own)["text"]
        refusal(each.stream_refused(foreign), 403, "FORBIDDEN")
        refusal(each.api.get(f"/jobs/{foreign}"), 403, "FORBIDDEN")


# ---- reconnecting ----------------------------------------------------------------------------------------------------


def test_a_late_watcher_gets_all_events_of_an_ended_job_at_once(user: ApiUser) -> None:
    job_id = user.new_job()
    live = user.watch(job_id)

    assert user.watch(job_id) == live


def test_a_client_that_reconnects_gets_only_the_events_that_it_missed(user: ApiUser) -> None:
    job_id = user.new_job()
    whole = user.watch(job_id)
    middle = ids(whole)[len(whole) // 2]

    rest = user.watch(job_id, after=middle)

    assert rest[0].data["lastEventId"] == middle
    assert rest[1:] == [event for event in whole if event.id is not None and event.id > middle]
    assert user.watch(job_id, lastEventId=str(middle)) == rest


def test_the_last_event_id_header_comes_before_the_query_parameter(user: ApiUser) -> None:
    job_id = user.new_job()
    last = ids(user.watch(job_id))[-1]

    assert ids(user.watch(job_id, after=last - 1, lastEventId="1")) == [last]


def test_a_client_that_reconnects_after_the_terminal_event_gets_204(user: ApiUser) -> None:
    job_id = user.new_job()
    last = ids(user.watch(job_id))[-1]

    response = user.stream_refused(job_id, after=str(last))

    assert response.status_code == 204
    assert response.content == b""


def test_connections_end_after_their_window_and_no_event_is_lost(hurried_user: ApiUser) -> None:
    job_id = hurried_user.new_job("token_ms=0, first_token_ms=0, pause_after=20")

    connections: list[list[Event]] = []
    last = 0
    while not connections or connections[-1][-1].type not in TERMINAL:
        connections.append(hurried_user.watch(job_id, after=last, tab="tab-1"))
        last = max([last, *ids(connections[-1])])
        if len(connections) == 2:
            hurried_user.release(job_id)

    events = [event for each in connections for event in each if event.id is not None]
    job = hurried_user.job(job_id)
    assert len(connections) > 2
    assert [event.id for event in events] == list(range(1, job["lastEventId"] + 1))
    assert fold(events) == job["text"]


def test_clients_without_a_tab_can_all_reconnect_after_the_window(hurried_user: ApiUser) -> None:
    job_id = hurried_user.new_job(HANGS)
    with ThreadPoolExecutor(5) as pool:
        for _ in range(2):
            windows = [pool.submit(hurried_user.watch, job_id) for _ in range(5)]
            assert all(window.result()[-1].type not in TERMINAL for window in windows)
    hurried_user.cancel(job_id)


def test_a_live_job_shows_its_text_and_the_event_at_which_its_stream_continues(user: ApiUser) -> None:
    job_id = user.new_job("token_ms=0, first_token_ms=0, pause_after=100")

    def with_text() -> dict[str, object] | None:
        job = user.job(job_id)
        return job if len(job["text"]) > 200 else None

    joined = wait_until(with_text)
    assert joined is not None
    assert joined["status"] == "in_progress"
    assert joined["stage"] == "generate_suggestions"
    user.release(job_id)

    events = user.watch(job_id, after=int(str(joined["lastEventId"])))

    assert fold(events, str(joined["text"])) == user.job(job_id)["text"]
    assert ids(events)[0] == int(str(joined["lastEventId"])) + 1


# ---- slots -----------------------------------------------------------------------------------------------------------


def opened(user: ApiUser, job_id: str, closing: ExitStack, *, tab: str = "") -> EventSource:
    source = closing.enter_context(user.stream(job_id, tab=tab) if tab else user.stream(job_id))
    assert source.response.status_code == 200
    return source


def test_a_sixth_stream_is_refused_until_one_of_five_is_closed(user: ApiUser, hanging_job: str) -> None:
    with ExitStack() as others, ExitStack() as fifth:
        began = time.time()
        opened(user, hanging_job, others, tab="tab-0")
        first_opened_by = time.time()
        for number in range(1, 4):
            opened(user, hanging_job, others, tab=f"tab-{number}")
        opened(user, hanging_job, fifth, tab="tab-4")

        asked_at = time.time()
        refused = user.stream_refused(hanging_job, tab="tab-5")
        error = refusal(refused, 429, "STREAM_LIMIT_EXCEEDED")
        # The first stream ends after the stack's window, and its slot is kept for 5 s more.
        kept = STREAM_WINDOW_SECONDS + RECONNECT_GRACE_SECONDS
        earliest, latest = began + kept - time.time(), first_opened_by + kept - asked_at
        assert math.floor(earliest) <= int(refused.headers["retry-after"]) <= math.ceil(latest)
        assert error["details"]["retryAfterSeconds"] == int(refused.headers["retry-after"])
        assert error["retryable"] is True

        fifth.close()
        wait_until(lambda: _opens(user, hanging_job))


def _opens(user: ApiUser, job_id: str) -> bool:
    with user.stream(job_id) as source:
        return source.response.status_code == 200


def test_one_users_five_streams_do_not_limit_another_user(new_user: Callable[[], ApiUser]) -> None:
    busy, quiet = new_user(), new_user()
    with ExitStack() as closing:
        job_id = busy.new_job(HANGS)
        for _ in range(5):
            opened(busy, job_id, closing)

        assert quiet.watch(quiet.new_job())[-1].type == "complete"
    busy.cancel(job_id)


def test_a_newer_connection_of_a_tab_ends_the_older_one(user: ApiUser, hanging_job: str) -> None:
    with ThreadPoolExecutor(1) as pool, ExitStack() as closing:
        earlier = pool.submit(list, opened(user, hanging_job, closing, tab="other-0").iter_sse())
        older = opened(user, hanging_job, closing, tab="mine").iter_sse()
        for number in range(1, 3):
            opened(user, hanging_job, closing, tab=f"other-{number}")

        newer = opened(user, hanging_job, closing, tab="mine").iter_sse()

        assert all(event.event not in TERMINAL for event in older)
        assert not earlier.done()  # so the older connection did not end with its window
        assert next(newer).event == "connected"
        user.cancel(hanging_job)


def test_an_open_stream_renews_the_lease_of_its_slot(user: ApiUser, hanging_job: str) -> None:
    with ExitStack() as closing:
        for number in range(5):
            opened(user, hanging_job, closing, tab=f"tab-{number}")
        first = leases(user)

        wait_until(lambda: all(until > first[tab] for tab, until in leases(user).items()))

        assert leases(user).keys() == first.keys()
        assert user.stream_refused(hanging_job).status_code == 429


def leases(user: ApiUser) -> dict[str, float]:
    """Return until when each tab's slot is leased, in Unix seconds."""
    record = user.stack.client("dynamodb").get_item(
        TableName="millrace-JobsTable",
        Key={"PK": {"S": f"USER#{user.name}"}, "SK": {"S": "LIMIT#connections"}},
        ConsistentRead=True,
    )
    stored = json.loads(record["Item"]["text"]["S"])
    return {lease["tab"]: lease["until"] for lease in stored["byConnection"].values()}


# ---- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", ["-1", "1.5", "x", "0x10", "1e3", "1" * 11, "1 2", "\N{DEVANAGARI DIGIT ONE}"])
def test_an_invalid_last_event_id_is_refused(user: ApiUser, hanging_job: str, after: str) -> None:
    rule = {"Last-Event-ID": "must be the id of an event of this stream, which is a whole number"}

    assert broken_rules(user.stream_refused(hanging_job, lastEventId=after)) == rule
    if after.isascii():
        assert broken_rules(user.stream_refused(hanging_job, after=after)) == rule


def test_a_last_event_id_after_the_last_event_is_refused(user: ApiUser) -> None:
    job_id = user.new_job()
    last = ids(user.watch(job_id))[-1]

    found = broken_rules(user.stream_refused(job_id, after=str(last + 1)))

    assert found == {"Last-Event-ID": f"must be at most {last}, the id of the last event"}


def test_an_empty_last_event_id_starts_at_the_first_event(user: ApiUser) -> None:
    job_id = user.new_job()
    user.ended(job_id)

    response = user.stream_refused(job_id, after="", lastEventId="")

    assert response.status_code == 200
    assert "\nid: 1\n" in response.text


@pytest.mark.parametrize("tab", ["", "t" * 65])
def test_a_tab_must_have_1_to_64_characters(user: ApiUser, hanging_job: str, tab: str) -> None:
    assert broken_rules(user.stream_refused(hanging_job, tab=tab)).keys() == {"tab"}


@pytest.mark.parametrize("job_id", [UNKNOWN, "job_", "x", "job_" + "i" * 26, "%00", "..%2f..", "%F0%9F%98%80"])
def test_an_unknown_job_has_no_stream(user: ApiUser, job_id: str) -> None:
    refusal(user.stream_refused(job_id), 404, "NOT_FOUND")


# ---- tickets ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def browser(user: ApiUser) -> Iterator[httpx.Client]:
    """A client that sends no token."""
    with httpx.Client(base_url=user.stack.stream_url, trust_env=False) as client:
        yield client


def test_a_ticket_opens_the_stream_it_was_issued_for(user: ApiUser, browser: httpx.Client) -> None:
    job_id = user.new_job()
    ticket = data_of(user.api.post(f"/jobs/{job_id}/stream-tickets"), 201)

    response = browser.get(ticket["streamUrl"])

    assert response.status_code == 200
    assert "event: complete" in response.text


def test_a_ticket_does_not_open_another_jobs_stream(user: ApiUser, browser: httpx.Client) -> None:
    ticket = data_of(user.api.post(f"/jobs/{user.new_job()}/stream-tickets"), 201)["ticket"]

    refusal(browser.get(f"/jobs/{user.new_job()}/stream", params={"ticket": ticket}), 403, "FORBIDDEN")


@pytest.mark.parametrize(
    "tamper",
    [
        lambda ticket: "",
        lambda ticket: "x",
        lambda ticket: "\N{GRINNING FACE}.\N{GRINNING FACE}",
        lambda ticket: ticket.partition(".")[0],
        lambda ticket: "." + ticket.partition(".")[2],
        lambda ticket: ("A" if ticket[0] != "A" else "B") + ticket[1:],
        lambda ticket: ticket.partition(".")[0] + "." + "A" * 43,
        lambda ticket: ticket + ".x",
    ],
)
def test_a_changed_ticket_is_refused(user: ApiUser, browser: httpx.Client, tamper: Callable[[str], str]) -> None:
    job_id = user.new_job()
    ticket = data_of(user.api.post(f"/jobs/{job_id}/stream-tickets"), 201)["ticket"]

    response = browser.get(f"/jobs/{job_id}/stream", params={"ticket": tamper(ticket)})

    refusal(response, 401, "UNAUTHENTICATED")
    assert response.headers["www-authenticate"] == "Bearer"
