"""Both adapters behave the same over the real SDK and HTTP, with the scripted model as provider."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any

import pytest

from local.model.control import ModelControl
from shared.errors import (
    MillraceError,
    ModelDisconnected,
    ModelMisconfigured,
    ModelRateLimited,
    ModelRefused,
    ModelRejectedRequest,
    ModelTimeout,
    ModelUnavailable,
    StorageUnavailable,
)
from shared.llm.model import ChatModel, Message, ModelRequest, OutputSchema, Piece
from shared.log.usage import TokenUsage
from tests.llm.model_calls import KEY, PROMPT, AdapterFor, answer, collect, fault, raw_server, request, text_of


def test_the_adapter_returns_text_usage_and_cost(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(text="one two three")

    text, finished = answer(model, request())

    assert text == "one two three"
    assert (finished.usage.input_tokens, finished.usage.output_tokens, finished.truncated) == (5, 3, False)
    # 5 words of prompt and 3 tokens of output, at 2 and 10 USD per million.
    assert finished.usage.cost_usd == pytest.approx(40e-6)


def test_the_provider_gets_every_field_of_the_request(scripted: ModelControl, model: ChatModel) -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }

    text, _ = answer(
        model, request(output_schema=OutputSchema("numbers", schema), temperature=0.0, max_output_tokens=50)
    )

    assert isinstance(json.loads(text)["n"], int)
    (record,) = scripted.requests()
    assert record["model"] == "scripted-1"
    assert record["schema_name"] == "numbers"
    assert (record["temperature"], record["most_tokens"]) == (0.0, 50)
    assert record["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PROMPT}]
    assert record["ended"] == "finished"


def test_the_provider_gets_no_empty_turn_of_the_model(scripted: ModelControl, model: ChatModel) -> None:
    turns = [Message("user", "one"), Message("assistant", " \n"), Message("assistant", "two"), Message("user", "three")]
    answer(model, ModelRequest(model="scripted-1", messages=tuple(turns)))
    (record,) = scripted.requests()
    assert [message["content"] for message in record["messages"]] == ["one", "two", "three"]


def test_the_adapter_omits_fields_without_a_value(scripted: ModelControl, model: ChatModel) -> None:
    answer(model, request())

    (record,) = scripted.requests()
    assert (record["schema_name"], record["temperature"], record["most_tokens"]) == (None, None, None)


def test_a_model_without_a_price_has_usage_without_cost(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(text="one two")
    _, finished = answer(model, ModelRequest(model="unpriced", messages=(Message("user", "hi"),)))
    assert finished.usage == TokenUsage(input_tokens=1, output_tokens=2, cost_usd=None)


def test_usage_that_the_provider_does_not_send_is_not_reported(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(text="one", omit_usage=True)
    _, finished = answer(model, request())
    assert finished.usage == TokenUsage(unreported_calls=1)


def test_an_output_cut_at_the_limit_is_marked(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(text="one two three")
    text, finished = answer(model, request(max_output_tokens=2))
    assert text == "one two"
    assert finished.truncated
    assert finished.usage.output_tokens == 2


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ({"status": 400}, ModelRejectedRequest),
        ({"status": 400, "error_code": "content_policy_violation"}, ModelRefused),
        ({"status": 401}, ModelRejectedRequest),
        ({"status": 403}, ModelRejectedRequest),
        ({"status": 404}, ModelRejectedRequest),
        ({"status": 408}, ModelTimeout),
        ({"status": 422}, ModelRejectedRequest),
        ({"status": 429}, ModelRateLimited),
        ({"status": 429, "error_code": "insufficient_quota"}, ModelRejectedRequest),
        ({"status": 500}, ModelUnavailable),
        ({"status": 503}, ModelUnavailable),
        ({"status": 504}, ModelTimeout),
        ({"refusal": True}, ModelRefused),
        ({"content_filter": True}, ModelRefused),
    ],
)
def test_the_adapter_turns_each_failure_into_a_fault_after_one_call(
    scripted: ModelControl, model: ChatModel, behaviour: dict[str, Any], expected: type[MillraceError]
) -> None:
    scripted.script(**behaviour)
    assert type(fault(model)) is expected
    assert len(scripted.requests()) == 1, "Step Functions owns retries"


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ({"disconnect_after": 3}, ModelDisconnected),
        ({"clean_end_after": 3}, ModelDisconnected),
        ({"error_after": 3}, ModelUnavailable),
        ({"error_after": 3, "error_code": "rate_limit_exceeded"}, ModelRateLimited),
        ({"error_after": 3, "error_code": "content_filter"}, ModelRefused),
    ],
)
def test_an_unfinished_stream_is_a_fault(
    scripted: ModelControl, model: ChatModel, behaviour: dict[str, Any], expected: type[MillraceError]
) -> None:
    scripted.script(text="one two three four", **behaviour)
    seen: list[Piece] = []

    assert type(fault(model, into=seen)) is expected
    assert text_of(seen).startswith("one two three"), "what had arrived was delivered"


def test_an_adapter_can_be_used_in_several_event_loops(scripted: ModelControl, model: ChatModel) -> None:
    # Lambda keeps the process, and each invocation has a new loop.
    scripted.script(text="again")
    assert [answer(model, request())[0] for _ in range(3)] == ["again"] * 3


def test_an_empty_key_is_named_and_not_retried(scripted_model_url: str, adapter_for: AdapterFor) -> None:
    misconfigured = fault(adapter_for(scripted_model_url, api_key=""))
    assert isinstance(misconfigured, ModelMisconfigured)
    assert misconfigured.message.startswith("ModelSecret (the model's key) is empty")


def test_the_adapter_passes_errors_of_the_key_source_on(adapter_for: AdapterFor) -> None:
    def unreachable() -> str:
        raise StorageUnavailable("The secret cannot be read.")

    assert isinstance(fault(adapter_for("http://127.0.0.1:9/v1", api_key=unreachable)), StorageUnavailable)


def test_a_closed_port_is_an_unavailable_model(adapter_for: AdapterFor, unused_port: int) -> None:
    assert isinstance(fault(adapter_for(f"http://127.0.0.1:{unused_port}/v1")), ModelUnavailable)


@pytest.mark.parametrize("base_url", ["not a url", "ftp://127.0.0.1/v1", "http://[::1/v1"])
def test_an_invalid_base_url_is_not_retried(adapter_for: AdapterFor, base_url: str) -> None:
    misconfigured = fault(adapter_for(base_url))
    assert isinstance(misconfigured, ModelMisconfigured)
    assert misconfigured.message.startswith("ModelBaseUrl (the model's base URL) must")


def test_a_key_that_is_not_a_valid_header_is_not_retried(scripted_model_url: str, adapter_for: AdapterFor) -> None:
    misconfigured = fault(adapter_for(scripted_model_url, api_key=KEY.replace("-", "\u2013", 1)))
    assert isinstance(misconfigured, ModelMisconfigured)
    assert "character 3 is U+2013 (EN DASH)" in misconfigured.message


def head_of_a_request(adapter_for: AdapterFor, query: str = "", **settings: str) -> tuple[str, list[str]]:
    """Return the request target and the header lines of a call, which is refused."""
    heads: list[bytes] = []

    async def refuse(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()

    async def call() -> None:
        async with raw_server(refuse, heads) as url:
            with pytest.raises(ModelRejectedRequest):
                await collect(adapter_for(f"{url}/{query}", **settings), request())

    asyncio.run(call())
    line, *headers = heads[0].decode().split("\r\n")
    return line.split(" ")[1], [re.sub(r"^[^:]+", lambda name: name[0].lower(), header) for header in headers]


def test_a_key_that_was_copied_with_more_is_sent_without_it(adapter_for: AdapterFor) -> None:
    _, headers = head_of_a_request(adapter_for, api_key=f'"Bearer {KEY}\u200b"\n')
    assert f"authorization: Bearer {KEY}" in headers
    assert not any(header.startswith("api-key:") for header in headers)


def test_each_request_has_the_query_of_the_base_url(adapter_for: AdapterFor) -> None:
    target, headers = head_of_a_request(adapter_for, "?api-version=2024-06-01&x=")
    assert target.startswith("/v1/")
    assert target.partition("?")[2] == "api-version=2024-06-01&x="
    assert f"api-key: {KEY}" in headers, "Azure's dated API takes no other key"


def test_a_proxy_of_another_scheme_is_not_looked_at(
    scripted: ModelControl, model: ChatModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    scripted.script(text="one")
    assert answer(model, request())[0] == "one"


def test_a_proxy_that_is_not_valid_is_named(model: ChatModel, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):  # a stack that an earlier test has started sets them
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "gopher://127.0.0.1:1")
    misconfigured = fault(model)
    assert isinstance(misconfigured, ModelMisconfigured)
    assert misconfigured.message.startswith("HTTP_PROXY (the proxy for the model's endpoint) must begin with")


def test_debug_logs_do_not_contain_the_prompt_the_output_or_the_key(
    scripted: ModelControl, model: ChatModel, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.script(text="the secret answer", times=1)
    scripted.script(status=400)
    with caplog.at_level(logging.DEBUG):
        answer(model, request())
        fault(model)
    assert all(secret not in caplog.text for secret in (PROMPT, KEY, "the secret answer"))
