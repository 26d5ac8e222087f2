"""The adapter, through the real SDK and real HTTP, against the scripted model and servers that misbehave worse."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from local.model_control import ModelControl
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
from shared.jobs.usage import TokenUsage
from shared.llm.model import Finished, Message, ModelRequest, OutputSchema, TextDelta
from shared.llm.openai_model import OpenAIChatModel

PROMPT = "the secret prompt"
KEY = "sk-test-secret"
AdapterFor = Callable[..., OpenAIChatModel]


def request(text: str = PROMPT, **more: Any) -> ModelRequest:
    return ModelRequest(model="scripted-1", messages=(Message("system", "Be brief."), Message("user", text)), **more)


async def collect(model: OpenAIChatModel, asked: ModelRequest, into: list[str] | None = None) -> tuple[str, Finished]:
    texts: list[str] = [] if into is None else into
    ends: list[Finished] = []
    async for part in model.stream(asked):
        assert not ends, "nothing may follow Finished"
        if isinstance(part, TextDelta):
            texts.append(part.text)
        else:
            ends.append(part)
    (end,) = ends
    return "".join(texts), end


def answer(model: OpenAIChatModel, asked: ModelRequest) -> tuple[str, Finished]:
    return asyncio.run(collect(model, asked))


def fault(model: OpenAIChatModel, asked: ModelRequest | None = None, into: list[str] | None = None) -> MillraceError:
    with pytest.raises(MillraceError) as raised:
        asyncio.run(collect(model, asked or request(), into))
    shown = "".join(traceback.format_exception(raised.value))
    assert PROMPT not in shown
    assert KEY not in shown
    return raised.value


def test_text_usage_and_cost_arrive(scripted: ModelControl, model: OpenAIChatModel) -> None:
    scripted.script(text="one two three")

    text, finished = answer(model, request())

    assert text == "one two three"
    assert (finished.usage.input_tokens, finished.usage.output_tokens, finished.truncated) == (5, 3, False)
    # 5 words of prompt and 3 tokens of answer, at 2 and 10 USD per million.
    assert finished.usage.cost_usd == pytest.approx(40e-6)


def test_the_request_reaches_the_provider_as_the_port_describes_it(
    scripted: ModelControl, model: OpenAIChatModel
) -> None:
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
    assert record["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PROMPT}]
    assert record["ended"] == "finished"


def test_a_model_without_a_price_has_usage_without_cost(scripted: ModelControl, model: OpenAIChatModel) -> None:
    scripted.script(text="one two")
    _, finished = answer(model, ModelRequest(model="unpriced", messages=(Message("user", "hi"),)))
    assert finished.usage == TokenUsage(input_tokens=1, output_tokens=2, cost_usd=None)


def test_a_server_that_sends_no_usage_counts_as_zero(scripted: ModelControl, model: OpenAIChatModel) -> None:
    scripted.script(text="one", omit_usage=True)
    _, finished = answer(model, request())
    assert finished.usage == TokenUsage()


def test_an_answer_cut_at_the_output_limit_is_marked(scripted: ModelControl, model: OpenAIChatModel) -> None:
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
    scripted: ModelControl, model: OpenAIChatModel, behaviour: dict[str, Any], expected: type[MillraceError]
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
    scripted: ModelControl, model: OpenAIChatModel, behaviour: dict[str, Any], expected: type[MillraceError]
) -> None:
    scripted.script(text="one two three four", **{key: value for key, value in behaviour.items() if key != "tokens"})
    seen: list[str] = []

    assert type(fault(model, into=seen)) is expected
    assert "".join(seen).startswith("one two three"), "what had arrived was delivered"


@pytest.mark.parametrize("behaviour", [{"hang_after": 0}, {"hang_after": 2}, {"first_token_ms": 60_000}])
def test_silence_is_a_timeout(
    scripted: ModelControl, scripted_model_url: str, adapter_for: AdapterFor, behaviour: Any
) -> None:
    scripted.script(**behaviour)
    assert isinstance(fault(adapter_for(scripted_model_url, token_timeout=0.2)), ModelTimeout)
    scripted.wait_for_request(lambda record: record["ended"] == "client_disconnected")


@pytest.mark.parametrize("leave", ["close", "cancel", "cancel before the first token"])
def test_leaving_early_ends_the_call_at_the_provider(
    scripted: ModelControl, model: OpenAIChatModel, leave: str
) -> None:
    waiting = leave == "cancel before the first token"
    scripted.script(tokens=10_000, token_ms=5, first_token_ms=60_000 if waiting else 1)

    async def read_for_ever(first: asyncio.Event) -> None:
        async with contextlib.aclosing(model.stream(request())) as parts:
            async for _ in parts:
                first.set()

    async def run() -> float:
        if leave == "close":
            parts = model.stream(request())
            await anext(parts)
            left_at = time.time()
            await parts.aclose()
        else:
            first = asyncio.Event()
            reading = asyncio.create_task(read_for_ever(first))
            if waiting:
                await asyncio.to_thread(scripted.wait_for_request, lambda record: record["ended"] is None)
            else:
                await first.wait()
            left_at = time.time()
            reading.cancel()
            await asyncio.wait([reading])
            assert reading.cancelled()
        return left_at

    left_at = asyncio.run(run())

    record = scripted.wait_for_request(lambda record: record["ended"] is not None)
    assert record["ended"] == "client_disconnected"
    assert record["ended_at"] - left_at < 1.0


def test_one_model_serves_one_event_loop_after_another(scripted: ModelControl, model: OpenAIChatModel) -> None:
    # Lambda keeps the process and makes a new loop for every invocation.
    scripted.script(text="again")
    assert [answer(model, request())[0] for _ in range(3)] == ["again"] * 3


def test_no_key_is_a_rejected_request(scripted_model_url: str, adapter_for: AdapterFor) -> None:
    assert isinstance(fault(adapter_for(scripted_model_url, api_key="")), ModelRejectedRequest)


def test_what_the_key_source_raises_passes_through() -> None:
    def unreachable() -> str:
        raise StorageUnavailable("The secret cannot be read.")

    assert isinstance(
        fault(OpenAIChatModel(base_url="http://127.0.0.1:9/v1", api_key=unreachable, prices={})), StorageUnavailable
    )


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
    scripted: ModelControl, model: OpenAIChatModel, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.script(text="the secret answer", times=1)
    scripted.script(status=400)
    with caplog.at_level(logging.DEBUG):
        answer(model, request())
        fault(model)
    assert all(secret not in caplog.text for secret in (PROMPT, KEY, "the secret answer"))


# --- servers that misbehave in ways the scripted model cannot -------------------------------------------------------

Converse = Callable[[asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
SAYS_X = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
STOPS = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'


@contextlib.asynccontextmanager
async def raw_server(converse: Converse, heads: list[bytes]) -> AsyncIterator[str]:
    """`heads` receives the heads of the requests."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.append(asyncio.current_task())
        try:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            await converse(writer)
        except ConnectionError:
            pass  # the adapter has gone
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    conversations: list[Any] = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        for conversation in conversations:
            conversation.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)


def ask_raw(adapter_for: AdapterFor, converse: Converse, *, token_timeout: float = 2.0) -> tuple[str, Finished]:
    async def run() -> tuple[str, Finished]:
        async with raw_server(converse, []) as url:
            return await collect(adapter_for(url, token_timeout=token_timeout), request())

    return asyncio.run(run())


def saying(data: bytes) -> Converse:
    async def converse(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return converse


def test_a_connection_that_closes_before_answering_is_disconnected(adapter_for: AdapterFor) -> None:
    with pytest.raises(ModelDisconnected):
        ask_raw(adapter_for, saying(b""))


def test_an_answer_that_is_not_a_stream_is_disconnected(adapter_for: AdapterFor) -> None:
    with pytest.raises(ModelDisconnected):
        ask_raw(adapter_for, saying(HEAD + b"<html>Welcome</html>"))


def test_a_finished_answer_stands_although_its_connection_then_breaks(adapter_for: AdapterFor) -> None:
    chunked = HEAD.replace(b"connection: close", b"transfer-encoding: chunked")
    body = SAYS_X + STOPS
    text, finished = ask_raw(adapter_for, saying(chunked + b"%x\r\n%b\r\n" % (len(body), body) + b"ff\r\ndata: {"))
    assert text == "x"
    assert finished == Finished(usage=TokenUsage())


def test_a_finished_answer_stands_without_done(adapter_for: AdapterFor) -> None:
    assert ask_raw(adapter_for, saying(HEAD + SAYS_X + STOPS))[0] == "x"


def test_a_provider_that_goes_on_after_done_is_not_waited_for(adapter_for: AdapterFor) -> None:
    async def converse(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + SAYS_X + STOPS + b"data: [DONE]\n\n")
        await writer.drain()
        await asyncio.sleep(60)

    async def run() -> str:
        async with raw_server(converse, []) as url:
            text, _ = await asyncio.wait_for(collect(adapter_for(url), request()), timeout=5)
            return text

    assert asyncio.run(run()) == "x"


def test_keep_alive_comments_are_not_tokens(adapter_for: AdapterFor) -> None:
    async def converse(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + SAYS_X)
        while True:
            writer.write(b": still here\n\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    with pytest.raises(ModelTimeout):
        ask_raw(adapter_for, converse, token_timeout=0.3)


def test_a_rotated_key_is_used_by_the_next_call() -> None:
    keys = iter(["sk-old", "sk-new"])
    heads: list[bytes] = []

    async def run() -> None:
        async with raw_server(saying(HEAD + SAYS_X + STOPS), heads) as url:
            model = OpenAIChatModel(base_url=url, api_key=lambda: next(keys), prices={})
            await collect(model, request())
            await collect(model, request())

    asyncio.run(run())

    assert [b"sk-old" in head for head in heads] == [True, False]
    assert [b"sk-new" in head for head in heads] == [False, True]


@pytest.mark.parametrize("status", ["400 Bad Request", "500 Oops", "200 OK"])
def test_a_provider_that_quotes_prompt_and_key_is_not_quoted(adapter_for: AdapterFor, status: str) -> None:
    error = json.dumps(
        {"error": {"message": f"{KEY} may not ask {PROMPT}", "type": PROMPT, "code": KEY, "param": PROMPT}}
    )
    body = f"data: {error}\n\n" if status == "200 OK" else error
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"

    with pytest.raises(MillraceError) as raised:
        ask_raw(adapter_for, saying(f"{head}{body}".encode()))

    shown = "".join(traceback.format_exception(raised.value))
    assert PROMPT not in shown
    assert KEY not in shown
