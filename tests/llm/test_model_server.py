"""The scripted model implements chat completions for clients of the OpenAI protocol."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from local.model.control import ModelControl
from tests.patience import PATIENCE

HELLO = {"model": "scripted-1", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def client(scripted: ModelControl, scripted_model_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=scripted_model_url, headers={"authorization": "Bearer any"}, trust_env=False) as client:
        yield client


def chunks_of(response: httpx.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_every_response_says_that_the_model_is_scripted(client: httpx.Client) -> None:
    assert client.get("/models").json()["data"][0]["id"] == "scripted-1"
    answer = client.post("/chat/completions", json={**HELLO, "model": "gpt-4o"}).json()
    assert answer["model"] == "scripted-1"
    assert answer["system_fingerprint"] == "scripted"
    assert "scripted model" in answer["choices"][0]["message"]["content"]


def test_streamed_and_whole_outputs_are_equal(client: httpx.Client) -> None:
    whole = client.post("/chat/completions", json=HELLO).json()
    streamed = client.post(
        "/chat/completions", json={**HELLO, "stream": True, "stream_options": {"include_usage": True}}
    )

    assert streamed.headers["content-type"].startswith("text/event-stream")
    *chunks, usage = chunks_of(streamed)
    assert (
        "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
        == whole["choices"][0]["message"]["content"]
    )
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-1]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"] == "stop"
    assert usage["usage"] == whole["usage"]
    assert usage["usage"]["completion_tokens"] == len(chunks) - 2, "each chunk is one token"


def test_usage_is_streamed_only_on_request(client: httpx.Client) -> None:
    assert all(
        "usage" not in chunk for chunk in chunks_of(client.post("/chat/completions", json={**HELLO, "stream": True}))
    )


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_an_output_limit_cuts_the_output(client: httpx.Client, limit: str) -> None:
    answer = client.post("/chat/completions", json={**HELLO, limit: 4}).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 4


def test_the_output_for_json_object_is_json(client: httpx.Client) -> None:
    answer = client.post("/chat/completions", json={**HELLO, "response_format": {"type": "json_object"}}).json()
    assert isinstance(json.loads(answer["choices"][0]["message"]["content"]), dict)


def test_any_key_is_accepted_and_one_is_required(scripted_model_url: str) -> None:
    refused = httpx.post(f"{scripted_model_url}/chat/completions", json=HELLO)
    assert refused.status_code == 401
    assert refused.json()["error"].keys() == {"message", "type", "param", "code"}
    assert httpx.get(scripted_model_url.replace("/v1", "/healthz")).json()["status"] == "ok"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"messages": [{"role": "user", "content": "x"}]}',
        b'{"model": "m", "messages": []}',
        b'{"model": "m", "messages": ["x"]}',
        json.dumps({**HELLO, "response_format": {"type": "json_schema"}}).encode(),
        json.dumps({**HELLO, "response_format": {"type": "xml"}}).encode(),
        json.dumps({"model": "m", "messages": [{"role": "user", "content": "[[script: typo=1]]"}]}).encode(),
    ],
)
def test_an_invalid_request_gets_an_error_in_openais_form(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/chat/completions", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_rate_limit_says_when_to_repeat_the_request(client: httpx.Client, scripted: ModelControl) -> None:
    scripted.script(status=429, retry_after=7, times=1)
    limited = client.post("/chat/completions", json=HELLO)
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    assert limited.json()["error"]["code"] == "rate_limit_exceeded"
    assert client.post("/chat/completions", json=HELLO).status_code == 200
    assert [record["ended"] for record in scripted.requests()] == ["scripted: status 429", "finished"]


@pytest.mark.parametrize("behaviour", [{"invalid_json": True}, {"off_schema": True}])
def test_a_rule_can_make_an_output_break_its_schema(
    client: httpx.Client, scripted: ModelControl, behaviour: Any
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    wanted = {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}}
    scripted.script(**behaviour)
    text = client.post("/chat/completions", json={**HELLO, **wanted}).json()["choices"][0]["message"]["content"]
    if "off_schema" in behaviour:
        assert "n" not in json.loads(text)
    else:
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)


def test_a_rule_with_an_unknown_setting_is_refused(scripted: ModelControl) -> None:
    with pytest.raises(ValueError, match="stauts"):
        scripted.script(stauts=429)


@pytest.mark.parametrize("behaviour", [{"disconnect_after": 2}, {"disconnect_after": 0}])
def test_a_disconnected_response_has_no_end(client: httpx.Client, scripted: ModelControl, behaviour: Any) -> None:
    scripted.script(**behaviour)
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/chat/completions", json={**HELLO, "stream": True})
    (record,) = scripted.requests()
    assert (record["tokens_sent"], record["ended"]) == (behaviour["disconnect_after"], "scripted: disconnect_after")


def test_tokens_come_at_the_given_pace_and_contain_their_time(client: httpx.Client, scripted: ModelControl) -> None:
    scripted.script(tokens=40, timestamps=True, first_token_ms=100, token_ms=5)
    started = time.time_ns()
    chunks = chunks_of(client.post("/chat/completions", json={**HELLO, "stream": True}))
    sent = [int(text) for chunk in chunks if (text := chunk["choices"][0]["delta"].get("content"))]
    assert len(sent) == 40
    assert sent == sorted(sent)
    assert (sent[0] - started) / 1e6 >= 100
    assert (sent[-1] - started) / 1e6 >= 100 + 39 * 5


@pytest.mark.parametrize("api", ["chat/completions", "responses"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_paused_output_continues_when_its_prompt_is_released(
    client: httpx.Client, scripted: ModelControl, api: str, stream: bool
) -> None:
    scripted.script(tokens=5, pause_after=2)
    asked = HELLO if api == "chat/completions" else {"model": "scripted-1", "input": "hello"}
    body = {**asked, "stream": stream}
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(client.post, f"/{api}", json=body)
        sent = 2 if stream or api == "responses" else 0
        scripted.wait_for_request(lambda record: record["tokens_sent"] == sent)
        scripted.release("another prompt")
        assert scripted.requests()[0]["ended"] is None
        scripted.release("hello")
        assert asking.result().status_code == 200
    (record,) = scripted.requests()
    assert (record["tokens_sent"], record["ended"]) == (5, "finished")
    assert client.post(f"/{api}", json=body).status_code == 200, "a later response to the prompt does not pause"
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        scripted.release(None)  # type: ignore[arg-type]


def test_it_runs_as_a_program_that_stops_on_sigint() -> None:
    command = [sys.executable, "-m", "local.model.server", "--port", "0", "--first-token-ms", "0", "--token-ms", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            url = json.loads(process.stdout.readline())["url"]
            assert httpx.post(f"{url}/chat/completions", json=HELLO, headers={"authorization": "Bearer x"}).is_success
        finally:
            process.send_signal(signal.SIGINT)
            _, complaints = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert complaints == ""
