"""The adapter for chat completions handles the scripted model and servers with other faults."""

from __future__ import annotations

import asyncio
import contextlib
import json
import traceback
from typing import Any

import pytest

from local.model.control import ModelControl
from shared.errors import (
    MillraceError,
    ModelDisconnected,
    ModelRejectedRequest,
    ModelTimeout,
)
from shared.llm.model import ChatModel, Finished, OutputSchema, ResponseGone
from shared.llm.openai.chat import OpenAIChatModel
from shared.log.usage import TokenUsage
from tests.llm.model_calls import (
    HEAD,
    KEY,
    PROMPT,
    AdapterFor,
    Converse,
    collect,
    fault,
    raw_server,
    request,
)
from tests.patience import PATIENCE

SAYS_X = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
STOPS = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'


@pytest.fixture
def model_class() -> type[OpenAIChatModel]:
    return OpenAIChatModel


def test_the_adapter_knows_no_response_to_re_attach_to(scripted: ModelControl, model: ChatModel) -> None:
    async def run() -> None:
        await model.cancel("resp_of_another_api:3:7")
        await collect(model, request(resume_from="resp_of_another_api:3:7"))

    with pytest.raises(ResponseGone):
        asyncio.run(run())
    assert scripted.requests() == []


@pytest.mark.parametrize("behaviour", [{"hang_after": 0}, {"hang_after": 2}, {"first_token_ms": 60_000}])
def test_a_silent_provider_is_a_timeout(
    scripted: ModelControl, scripted_model_url: str, adapter_for: AdapterFor, behaviour: Any
) -> None:
    scripted.script(**behaviour)
    assert isinstance(fault(adapter_for(scripted_model_url, token_timeout=0.2)), ModelTimeout)
    scripted.wait_for_request(lambda record: record["ended"] == "client_disconnected")


@pytest.mark.parametrize("leave", ["close", "cancel", "cancel before the first token"])
def test_a_reader_that_leaves_early_ends_the_call_at_the_provider(
    scripted: ModelControl, model: ChatModel, leave: str
) -> None:
    waiting = leave == "cancel before the first token"
    scripted.script(tokens=10_000, token_ms=5, first_token_ms=60_000 if waiting else 1)

    async def read_for_ever(first: asyncio.Event) -> None:
        async with contextlib.aclosing(model.stream(request())) as parts:
            async for _ in parts:
                first.set()

    async def run() -> None:
        if leave == "close":
            parts = model.stream(request())
            await anext(parts)
            await parts.aclose()
        else:
            first = asyncio.Event()
            reading = asyncio.create_task(read_for_ever(first))
            if waiting:
                await asyncio.to_thread(scripted.wait_for_request, lambda record: record["ended"] is None)
            else:
                await first.wait()
            reading.cancel()
            await asyncio.wait([reading])
            assert reading.cancelled()

    asyncio.run(run())

    record = scripted.wait_for_request(lambda record: record["ended"] is not None)
    assert record["ended"] == "client_disconnected"
    assert record["tokens_sent"] < 10_000


def ask_raw(adapter_for: AdapterFor, converse: Converse, *, token_timeout: float = PATIENCE) -> tuple[str, Finished]:
    async def run() -> tuple[str, Finished]:
        async with raw_server(converse, []) as url:
            return await collect(adapter_for(url, token_timeout=token_timeout), request())

    return asyncio.run(run())


def saying(data: bytes) -> Converse:
    async def converse(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return converse


def test_a_connection_that_closes_before_the_response_is_disconnected(adapter_for: AdapterFor) -> None:
    with pytest.raises(ModelDisconnected):
        ask_raw(adapter_for, saying(b""))


def test_the_end_of_the_stream_is_the_end_of_the_output(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(text="one two", omit_finish_reason=True)
    assert asyncio.run(collect(model, request()))[0] == "one two"


def test_an_output_that_fits_is_kept_although_its_stream_ends_without_a_word(adapter_for: AdapterFor) -> None:
    chunk = b'data: {"choices":[{"delta":{"content":"{\\"n\\": 1}"}}]}\n\n'

    async def run(schema: dict[str, Any]) -> str:
        async with raw_server(saying(HEAD + chunk), []) as url:
            text, _ = await collect(adapter_for(url), request(output_schema=OutputSchema("numbers", schema)))
            return text

    assert asyncio.run(run({"required": ["n"]})) == '{"n": 1}'
    with pytest.raises(ModelDisconnected):
        asyncio.run(run({"required": ["n", "m"]}))


def test_the_adapter_keeps_a_finished_output_when_the_connection_breaks_after_it(adapter_for: AdapterFor) -> None:
    chunked = HEAD.replace(b"connection: close", b"transfer-encoding: chunked")
    body = SAYS_X + STOPS
    text, finished = ask_raw(adapter_for, saying(chunked + b"%x\r\n%b\r\n" % (len(body), body) + b"ff\r\ndata: {"))
    assert text == "x"
    assert finished == Finished(usage=TokenUsage(unreported_calls=1))


def test_the_adapter_keeps_a_finished_output_without_done(adapter_for: AdapterFor) -> None:
    assert ask_raw(adapter_for, saying(HEAD + SAYS_X + STOPS))[0] == "x"


def test_the_adapter_stops_reading_after_done(adapter_for: AdapterFor) -> None:
    async def converse(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + SAYS_X + STOPS + b"data: [DONE]\n\n")
        await writer.drain()
        await asyncio.sleep(60)

    async def run() -> str:
        async with raw_server(converse, []) as url:
            text, _ = await asyncio.wait_for(collect(adapter_for(url), request()), timeout=PATIENCE)
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


def test_the_next_call_uses_a_rotated_key() -> None:
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


@pytest.mark.parametrize(("changed", "calls"), [(True, 2), (False, 1)])
def test_a_key_that_is_refused_is_fetched_again_once(changed: bool, calls: int) -> None:
    keys: list[str] = []
    heads: list[bytes] = []

    def api_key() -> str:
        keys.append(f"sk-{len(keys)}")
        return keys[-1]

    async def run() -> None:
        refusal = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        async with raw_server(saying(refusal), heads) as url:
            model = OpenAIChatModel(base_url=url, api_key=api_key, prices={}, key_changed=lambda: changed)
            with pytest.raises(ModelRejectedRequest, match="the API key is not accepted"):
                await collect(model, request())

    asyncio.run(run())
    assert (len(keys), len(heads)) == (calls, calls)


@pytest.mark.parametrize("status", ["400 Bad Request", "500 Oops", "200 OK"])
def test_the_fault_does_not_quote_the_provider(adapter_for: AdapterFor, status: str) -> None:
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
