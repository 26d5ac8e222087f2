"""What both adapters do alike, through the real SDK and real HTTP, against the scripted model."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from local.model.control import ModelControl
from shared.errors import (
    MillraceError,
    ModelDisconnected,
    ModelRateLimited,
    ModelRefused,
    ModelRejectedRequest,
    ModelTimeout,
    ModelUnavailable,
    StorageUnavailable,
)
from shared.llm.model import ChatModel, Message, ModelRequest, OutputSchema, Piece
from shared.log.usage import TokenUsage
from tests.llm.model_calls import KEY, PROMPT, AdapterFor, answer, fault, request, text_of


def test_text_usage_and_cost_arrive(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(text="one two three")

    text, finished = answer(model, request())

    assert text == "one two three"
    assert (finished.usage.input_tokens, finished.usage.output_tokens, finished.truncated) == (5, 3, False)
    # 5 words of prompt and 3 tokens of answer, at 2 and 10 USD per million.
    assert finished.usage.cost_usd == pytest.approx(40e-6)


def test_the_request_reaches_the_provider_as_the_port_describes_it(scripted: ModelControl, model: ChatModel) -> None:
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


def test_what_a_request_leaves_open_is_left_to_the_provider(scripted: ModelControl, model: ChatModel) -> None:
    answer(model, request())

    (record,) = scripted.requests()
    assert (record["schema_name"], record["temperature"], record["most_tokens"]) == (None, None, None)


def test_a_model_without_a_price_has_usage_without_cost(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(text="one two")
    _, finished = answer(model, ModelRequest(model="unpriced", messages=(Message("user", "hi"),)))
    assert finished.usage == TokenUsage(input_tokens=1, output_tokens=2, cost_usd=None)


def test_a_server_that_sends_no_usage_counts_as_zero(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(text="one", omit_usage=True)
    _, finished = answer(model, request())
    assert finished.usage == TokenUsage()


def test_an_answer_cut_at_the_output_limit_is_marked(scripted: ModelControl, model: ChatModel) -> None:
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
def test_each_failure_becomes_its_fault_in_a_single_call(
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
        ({"tokens": 3, "omit_finish_reason": True}, ModelDisconnected),
        ({"error_after": 3}, ModelUnavailable),
        ({"error_after": 3, "error_code": "rate_limit_exceeded"}, ModelRateLimited),
        ({"error_after": 3, "error_code": "content_filter"}, ModelRefused),
    ],
)
def test_a_stream_that_does_not_finish_is_never_taken_for_an_answer(
    scripted: ModelControl, model: ChatModel, behaviour: dict[str, Any], expected: type[MillraceError]
) -> None:
    scripted.script(text="one two three four", **{key: value for key, value in behaviour.items() if key != "tokens"})
    seen: list[Piece] = []

    assert type(fault(model, into=seen)) is expected
    assert text_of(seen).startswith("one two three"), "what had arrived was delivered"


def test_one_model_serves_one_event_loop_after_another(scripted: ModelControl, model: ChatModel) -> None:
    # Lambda keeps the process and makes a new loop for every invocation.
    scripted.script(text="again")
    assert [answer(model, request())[0] for _ in range(3)] == ["again"] * 3


def test_no_key_is_a_rejected_request(scripted_model_url: str, adapter_for: AdapterFor) -> None:
    assert isinstance(fault(adapter_for(scripted_model_url, api_key="")), ModelRejectedRequest)


def test_what_the_key_source_raises_passes_through(adapter_for: AdapterFor) -> None:
    def unreachable() -> str:
        raise StorageUnavailable("The secret cannot be read.")

    assert isinstance(fault(adapter_for("http://127.0.0.1:9/v1", api_key=unreachable)), StorageUnavailable)


def test_nobody_listening_is_unavailable(adapter_for: AdapterFor, unused_port: int) -> None:
    assert isinstance(fault(adapter_for(f"http://127.0.0.1:{unused_port}/v1")), ModelUnavailable)


@pytest.mark.parametrize("base_url", ["not a url", "ftp://127.0.0.1/v1", "http://[::1/v1"])
def test_a_base_url_that_cannot_work_is_not_retried(adapter_for: AdapterFor, base_url: str) -> None:
    assert isinstance(fault(adapter_for(base_url)), ModelRejectedRequest)


def test_a_key_that_cannot_be_a_header_is_not_retried_and_not_quoted(
    scripted_model_url: str, adapter_for: AdapterFor
) -> None:
    assert isinstance(fault(adapter_for(scripted_model_url, api_key=f"{KEY}\n")), ModelRejectedRequest)


def test_not_even_debug_logs_hold_prompt_answer_or_key(
    scripted: ModelControl, model: ChatModel, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.script(text="the secret answer", times=1)
    scripted.script(status=400)
    with caplog.at_level(logging.DEBUG):
        answer(model, request())
        fault(model)
    assert all(secret not in caplog.text for secret in (PROMPT, KEY, "the secret answer"))
