"""The scripted model implements the Responses API for clients of the OpenAI protocol."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Annotated, Any

import httpx
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import Field, TypeAdapter

from local.model.connection import HttpConnection, HttpRequest
from local.model.control import ModelControl
from local.model.requests import Requests
from local.model.responses import Responses

HELLO = {"model": "scripted-1", "input": "hello"}
EVENT: TypeAdapter[Any] = TypeAdapter(Annotated[ResponseStreamEvent, Field(discriminator="type")])


@pytest.fixture
def client(scripted: ModelControl, scripted_model_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=scripted_model_url, headers={"authorization": "Bearer any"}, trust_env=False) as client:
        yield client


def events_of(response: httpx.Response) -> list[dict[str, Any]]:
    """Return the events. Each fits the SDK's data model, and has its type in both fields where OpenAI writes it."""
    assert response.headers["content-type"].startswith("text/event-stream")
    events = []
    for block in response.text.strip().split("\n\n"):
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        EVENT.validate_python(event)
        events.append(event)
    return events


def text_in(events: list[dict[str, Any]]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


@pytest.mark.parametrize(
    ("behaviour", "last", "part"),
    [
        ({}, "response.completed", "output_text"),
        ({"length": True}, "response.incomplete", "output_text"),
        ({"content_filter": True}, "response.incomplete", "output_text"),
        ({"refusal": True}, "response.completed", "refusal"),
        ({"error_after": 2}, "response.failed", "output_text"),
    ],
)
@pytest.mark.parametrize("background", [False, True])
def test_events_are_numbered_and_in_openais_order(
    client: httpx.Client, scripted: ModelControl, behaviour: dict[str, Any], last: str, part: str, background: bool
) -> None:
    scripted.script(**behaviour)

    events = events_of(client.post("/responses", json={**HELLO, "stream": True, "background": background}))

    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    kinds = list(dict.fromkeys(event["type"] for event in events))
    opening = ["created", "queued", "in_progress", "output_item.added", "content_part.added", f"{part}.delta"]
    closing = [] if last == "response.failed" else [f"{part}.done", "content_part.done", "output_item.done"]
    assert kinds == [*(f"response.{kind}" for kind in opening + closing), last]
    stored = client.get(f"/responses/{events[0]['response']['id']}").json()
    assert stored == events[-1]["response"]
    Response.model_validate(stored)


def test_streamed_polled_and_whole_outputs_are_equal(client: httpx.Client) -> None:
    whole = client.post("/responses", json=HELLO).json()
    streamed = events_of(client.post("/responses", json={**HELLO, "stream": True}))
    begun = client.post("/responses", json={**HELLO, "background": True}).json()
    assert begun["status"] in {"queued", "in_progress"}
    while (polled := client.get(f"/responses/{begun['id']}").json())["status"] != "completed":
        time.sleep(0.01)

    texts = {response["output"][0]["content"][0]["text"] for response in (whole, polled)}
    assert texts == {text_in(streamed)}
    assert whole["usage"] == polled["usage"] == streamed[-1]["response"]["usage"]
    assert whole["usage"]["output_tokens"] == sum("delta" in event for event in streamed)


def test_a_new_connection_gets_the_missed_and_all_later_events(client: httpx.Client, scripted: ModelControl) -> None:
    scripted.script(tokens=50, token_ms=3)
    with client.stream("POST", "/responses", json={**HELLO, "stream": True, "background": True}) as first:
        created = next(line for line in first.iter_lines() if line.startswith("data: "))
        identity = json.loads(created.removeprefix("data: "))["response"]["id"]

    rest = events_of(client.get(f"/responses/{identity}", params={"stream": "true", "starting_after": 9}))
    everything = events_of(client.get(f"/responses/{identity}", params={"stream": "true"}))

    assert rest == everything[10:]
    (record,) = scripted.requests()
    assert [watcher["after"] for watcher in record["watchers"]] == [None, 9, None]
    assert (record["api"], record["ended"]) == ("responses", "finished")


def test_without_background_the_response_ends_with_its_connection(client: httpx.Client, scripted: ModelControl) -> None:
    scripted.script(tokens=1000, token_ms=5)
    with client.stream("POST", "/responses", json={**HELLO, "stream": True}) as response:
        next(response.iter_lines())
    assert scripted.wait_for_request(lambda record: record["ended_at"])["ended"] == "client_disconnected"


@pytest.mark.parametrize("stream", [True, False])
def test_without_background_a_disconnection_ends_the_response(
    client: httpx.Client, scripted: ModelControl, stream: bool
) -> None:
    scripted.script(disconnect_after=2)
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/responses", json={**HELLO, "stream": stream})
    (record,) = scripted.requests()
    assert (record["tokens_sent"], record["ended"]) == (2, "scripted: disconnect_after")


@pytest.mark.parametrize(
    ("method", "rest"), [("GET", ""), ("GET", "?stream=true&starting_after=3"), ("POST", "/cancel"), ("DELETE", "")]
)
def test_an_unknown_response_is_404_in_openais_form(client: httpx.Client, method: str, rest: str) -> None:
    answer = client.request(method, f"/responses/resp_unknown{rest}")
    assert answer.status_code == 404
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_only_a_background_response_can_be_cancelled_or_read_again(client: httpx.Client) -> None:
    identity = client.post("/responses", json=HELLO).json()["id"]
    assert client.post(f"/responses/{identity}/cancel").status_code == 400
    assert client.get(f"/responses/{identity}", params={"stream": "true"}).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"input": "x"},
        {"model": "m"},
        {"model": "m", "input": []},
        {"model": "m", "input": ["x"]},
        {"model": "m", "input": "x", "text": {"format": {"type": "xml"}}},
        {"model": "m", "input": "x", "text": {"format": {"type": "json_schema"}}},
        {"model": "m", "input": "[[script: typo=1]]"},
    ],
)
def test_an_invalid_request_gets_an_error_in_openais_form(client: httpx.Client, body: dict[str, Any]) -> None:
    answer = client.post("/responses", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_position_that_is_not_a_number_is_refused(client: httpx.Client) -> None:
    identity = client.post("/responses", json={**HELLO, "background": True}).json()["id"]
    assert client.get(f"/responses/{identity}?stream=true&starting_after=x").status_code == 400
    assert client.patch(f"/responses/{identity}").status_code == 404


class _Connection:
    """A fake of the connection of a client that stays connected."""

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []

    def send_json(self, status: int, document: dict[str, Any], headers: Any = ()) -> None:
        self.documents.append({**document, "http": status})


@pytest.mark.parametrize(("most", "seconds", "kept"), [(2, 60, [404, 200, 200]), (9, 0, [404, 404, 404])])
def test_responses_are_kept_for_a_limited_time_and_number(most: int, seconds: float, kept: list[int]) -> None:
    async def run() -> tuple[list[int], list[str | None]]:
        requests = Requests(first_token_ms=60_000, token_ms=0)
        responses, client = Responses(requests, most=most, seconds=seconds), _Connection()

        async def call(method: str, path: str, body: bytes = b"") -> None:
            connection: HttpConnection = client  # type: ignore[assignment]
            await responses.handle(HttpRequest(method, path, {}, {}, body), connection)
            await asyncio.sleep(0.01)

        for _ in range(3):
            await call("POST", "/v1/responses", json.dumps({**HELLO, "background": True}).encode())
        for record in list(requests.records):
            await call("GET", f"/v1/responses/{record.id}")
        ended = [record.ended for record in requests.records]
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        return [document["http"] for document in client.documents[3:]], ended

    statuses, ended = asyncio.run(run())

    assert statuses == kept
    assert ended == [{404: "forgotten", 200: None}[status] for status in kept]
