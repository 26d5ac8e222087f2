"""The adapter for the Responses API reads one response completely, even if its connections break."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from local.model.control import ModelControl
from shared.errors import (
    MillraceError,
    ModelDisconnected,
    ModelOutputTooLong,
    ModelRateLimited,
    ModelRefused,
    ModelRejectedRequest,
    ModelTimeout,
    ModelUnavailable,
)
from shared.llm.model import (
    ChatModel,
    Finished,
    Message,
    ModelRequest,
    OutputSchema,
    Piece,
    ResponseGone,
    Spent,
    Started,
)
from shared.llm.model import TextDelta as Delta
from shared.llm.openai import responses
from shared.llm.openai.responses import OpenAIResponsesModel
from shared.llm.output_bound import MAX_REASONING_CHARS
from tests.llm.case_server import CaseServer, Endless, http_response
from tests.llm.model_calls import (
    HEAD,
    KEY,
    PROMPT,
    TOOLS,
    AdapterFor,
    answer,
    calls_of,
    collect,
    fault,
    raw_server,
    request,
    text_of,
)
from tests.llm.stream_shapes import stream
from tests.patience import PATIENCE

RESUMABLE = (Started, Delta)


@pytest.fixture
def model_class() -> type[OpenAIResponsesModel]:
    return OpenAIResponsesModel


@pytest.fixture(autouse=True)
def quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "_POLL_SECONDS", 0.02)


def last_cursor(pieces: list[Piece]) -> str:
    cursor = [piece for piece in pieces if isinstance(piece, RESUMABLE)][-1].cursor
    assert cursor is not None
    return cursor


async def begin(model: ChatModel, count: int = 1) -> list[Piece]:
    """Return the first pieces of a call, and leave it."""
    async with contextlib.aclosing(model.stream(request())) as pieces:
        return [await anext(pieces) for _ in range(count)]


def document_of(url: str, scripted: ModelControl) -> dict[str, Any]:
    """Return the server's document of the only response."""
    (record,) = scripted.requests()
    stored: dict[str, Any] = httpx.get(
        f"{url}/responses/{record['id']}", headers={"authorization": f"Bearer {KEY}"}
    ).json()
    return stored


def stored_text(url: str, scripted: ModelControl) -> str:
    text: str = document_of(url, scripted)["output"][0]["content"][0]["text"]
    return text


@contextlib.asynccontextmanager
async def cutting(url: str, bytes_until_cut: list[int]) -> AsyncIterator[str]:
    """Forward to `url`, and cut each connection after that number of response bytes; later connections are not cut."""
    target = httpx.URL(url)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carriers.append(asyncio.current_task())
        left = bytes_until_cut.pop(0) if bytes_until_cut else 10**9
        there, back = await asyncio.open_connection(target.host, target.port)

        async def ask() -> None:
            while data := await reader.read(65536):
                back.write(data.replace(f":{port}\r\n".encode(), f":{target.port}\r\n".encode()))  # in Host

        asking = asyncio.create_task(ask())
        try:
            while left and (data := await there.read(min(left, 4096))):
                writer.write(data)
                await writer.drain()
                left -= len(data)
        except ConnectionError:
            pass  # the adapter has disconnected
        finally:
            asking.cancel()
            for each in (writer, back):
                each.close()

    carriers: list[Any] = []
    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/v1"
        for carrier in carriers:
            carrier.cancel()
        await asyncio.gather(*carriers, return_exceptions=True)


@pytest.mark.parametrize("seed", range(12))
def test_the_adapter_reads_one_response_once_over_any_broken_connections(
    scripted: ModelControl, scripted_model_url: str, adapter_for: AdapterFor, seed: int
) -> None:
    chance = random.Random(seed)
    scripted.script(tokens=120, token_ms=chance.choice([0, 0, 2]), first_token_ms=chance.choice([0, 20]))
    # The first connection is long enough to get the response's id; the others may break within the headers.
    cuts = [chance.randint(2500, 6000), *(chance.randint(0, 12000) for _ in range(chance.randint(1, 6)))]
    pieces: list[Piece] = []

    async def run() -> int:
        async with cutting(scripted_model_url, list(cuts)) as url:
            model = adapter_for(url)
            for connections in itertools.count(1):
                cursor = last_cursor(pieces) if pieces else None
                with contextlib.suppress(ModelDisconnected):
                    await collect(model, request(resume_from=cursor), pieces)
                    return connections
        raise AssertionError

    assert asyncio.run(run()) > 1, "nothing was cut"
    assert text_of(pieces) == stored_text(scripted_model_url, scripted)
    (end,) = [piece for piece in pieces if isinstance(piece, Finished)]
    assert end.usage.output_tokens == 120
    assert len([piece for piece in pieces if isinstance(piece, Started)]) == 1


@pytest.mark.parametrize("after", [0, 1, 7, 20])
@pytest.mark.parametrize("how", ["disconnect_after", "clean_end_after"])
def test_the_adapter_reads_the_rest_of_a_response_after_a_dropped_connection(
    scripted: ModelControl, model: ChatModel, scripted_model_url: str, how: str, after: int
) -> None:
    behaviour: dict[str, Any] = {how: after}
    scripted.script(tokens=20, token_ms=2, **behaviour)
    pieces: list[Piece] = []

    assert isinstance(fault(model, into=pieces), ModelDisconnected)
    cursor = last_cursor(pieces)
    asyncio.run(collect(model, request(resume_from=cursor), pieces))

    assert text_of(pieces) == stored_text(scripted_model_url, scripted)
    (record,) = scripted.requests()
    number = int(cursor.split(":")[1])
    assert [watcher["after"] for watcher in record["watchers"]] == [None, number]


def test_the_adapter_returns_a_cursor_before_the_first_token(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(text="one two", pause_after=0)

    (started,) = asyncio.run(begin(model))

    assert isinstance(started, Started)
    assert scripted.requests()[0]["first_token_at"] is None
    scripted.release(PROMPT)
    assert answer(model, request(resume_from=started.cursor))[0] == "one two"
    assert len(scripted.requests()) == 1


def test_the_response_continues_after_its_reader_left(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(tokens=100, pause_after=10)

    pieces = asyncio.run(begin(model, count=2))

    record = scripted.wait_for_request(lambda record: record["watchers"][0]["left_at"] is not None)
    assert record["ended"] is None
    assert text_of(pieces)
    scripted.release(PROMPT)
    record = scripted.wait_for_request(lambda record: record["ended"] is not None)
    assert (record["ended"], record["tokens_sent"]) == ("finished", 100)


def test_the_adapter_reads_the_rest_of_a_response_that_has_ended(
    scripted: ModelControl, model: ChatModel, scripted_model_url: str
) -> None:
    scripted.script(tokens=10)
    pieces = asyncio.run(begin(model, count=2))
    scripted.wait_for_request(lambda record: record["ended"] == "finished")

    rest, finished = answer(model, request(resume_from=last_cursor(pieces)))

    assert text_of(pieces) + rest == stored_text(scripted_model_url, scripted)
    assert finished.usage.output_tokens == 10


def test_the_adapter_returns_only_the_end_after_the_last_text(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(text="one two")
    pieces: list[Piece] = []
    _, finished = asyncio.run(collect(model, request(), pieces))
    assert answer(model, request(resume_from=last_cursor(pieces))) == ("", finished)


def test_the_provider_gets_every_field_of_the_request(
    scripted: ModelControl, model: ChatModel, scripted_model_url: str
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    answer(model, request(output_schema=OutputSchema("numbers", schema), temperature=0.5, max_output_tokens=50))

    sent = document_of(scripted_model_url, scripted)

    assert sent["background"] is True
    assert sent["instructions"] == "Be brief."
    assert (sent["temperature"], sent["max_output_tokens"]) == (0.5, 50)
    assert sent["text"]["format"] == {"type": "json_schema", "name": "numbers", "schema": schema, "strict": True}


def test_the_adapter_keeps_the_order_of_messages(scripted: ModelControl, model: ChatModel) -> None:
    said = [("system", "a"), ("system", "b"), ("user", "c"), ("assistant", "d"), ("system", "e"), ("user", "f")]
    answer(model, ModelRequest("m", tuple(Message(role, text) for role, text in said)))  # type: ignore[arg-type]
    answer(model, ModelRequest("m", (Message("system", "alone"),)))

    first, second = scripted.requests()

    assert [message["content"] for message in first["messages"]] == ["a\n\nb", "c", "d", "e", "f"]
    assert second["messages"] == [{"role": "system", "content": "alone"}]


# --- tool calls -------------------------------------------------------------------------------------------------------

PLAN = '[[tools: add {"by": 3, "why": "Grüße 🌍"}; read {}]]'
WANTED = (("add", '{"by": 3, "why": "Grüße 🌍"}'), ("read", "{}"))


def planned(**more: Any) -> ModelRequest:
    return request(PLAN, tools=TOOLS, **more)


def named(pieces: list[Piece]) -> tuple[tuple[str, str], ...]:
    return tuple((call.name, call.arguments) for call in calls_of(pieces))


@pytest.mark.parametrize("seed", range(12))
def test_however_its_connections_are_cut_each_call_is_delivered_once(
    scripted: ModelControl, scripted_model_url: str, adapter_for: AdapterFor, seed: int
) -> None:
    scripted.script(text="Let me see.", tokens=20, token_ms=1, parallel=2, split_arguments=True)
    rng = random.Random(seed)
    cuts = [rng.randrange(200, 14_000) for _ in range(4)]
    pieces: list[Piece] = []

    async def run() -> int:
        attempts, cursor = 0, None
        async with cutting(scripted_model_url, list(cuts)) as url:
            model = adapter_for(url)
            while True:
                attempts += 1
                try:
                    await collect(model, planned(resume_from=cursor), pieces)
                except ModelDisconnected:
                    # As a stage does: the cursor of the last piece that had one, as long as the text is up to it.
                    cursor = next(piece.cursor for piece in reversed(pieces) if isinstance(piece, RESUMABLE))
                else:
                    return attempts

    asyncio.run(run())

    assert text_of(pieces).strip() == "Let me see."
    assert named(pieces) == WANTED
    assert {call.id for call in calls_of(pieces)} == {
        item["call_id"]
        for item in document_of(scripted_model_url, scripted)["output"]
        if item["type"] == "function_call"
    }


@pytest.mark.parametrize("after", [6, 9, 14, 30])
def test_a_call_that_was_begun_is_repeated_to_the_next_attempt(
    scripted: ModelControl, model: ChatModel, after: int
) -> None:
    scripted.script(text="Let me see.", tokens=5, token_ms=1, parallel=2, split_arguments=True, disconnect_after=after)
    pieces: list[Piece] = []

    assert isinstance(fault(model, planned(), pieces), ModelDisconnected)
    assert named(pieces) == ()
    asyncio.run(collect(model, planned(resume_from=last_cursor(pieces)), pieces))

    assert text_of(pieces) == "Let me see."
    assert named(pieces) == WANTED
    assert len(scripted.requests()) == 1


@pytest.mark.parametrize("left_after", [1, 2])
def test_calls_that_are_no_longer_streamed_are_taken_from_the_store(
    scripted: ModelControl, model: ChatModel, left_after: int
) -> None:
    scripted.script(text="Let me see.", tokens=20, pause_after=10, parallel=2, resume_status=400)

    async def begin_calls() -> list[Piece]:
        async with contextlib.aclosing(model.stream(planned())) as pieces:
            return [await anext(pieces) for _ in range(left_after)]

    pieces = asyncio.run(begin_calls())
    scripted.release(PLAN)
    asyncio.run(collect(model, planned(resume_from=last_cursor(pieces)), pieces))

    assert text_of(pieces).strip() == "Let me see."
    assert named(pieces) == WANTED
    cursor = last_cursor(pieces)
    again: list[Piece] = []
    asyncio.run(collect(model, planned(resume_from=cursor), again))
    assert (text_of(again), named(again)) == ("", WANTED), "its calls are there as long as the response is"


def test_calls_whose_end_the_stream_did_not_tell_are_looked_up(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(parallel=2, omit_finish_reason=True)
    pieces: list[Piece] = []
    assert isinstance(fault(model, planned(), pieces), ModelDisconnected)
    asyncio.run(collect(model, planned(resume_from=last_cursor(pieces)), pieces))
    assert named(pieces) == WANTED


# --- cancelling -------------------------------------------------------------------------------------------------------


def test_a_cancellation_ends_the_response_at_the_provider(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(tokens=10_000, token_ms=5)
    cursor = last_cursor(asyncio.run(begin(model, count=3)))

    asyncio.run(model.cancel(cursor))

    record = scripted.wait_for_request(lambda record: record["ended_at"] is not None)
    assert record["ended"] == "cancelled"
    assert record["tokens_sent"] < 10_000
    asyncio.run(model.cancel(cursor))
    with pytest.raises(ResponseGone, match="cancelled"):
        answer(model, request(resume_from=cursor))


def test_the_provider_disconnects_readers_of_a_cancelled_response(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(tokens=10_000, token_ms=5)

    async def run() -> None:
        async with contextlib.aclosing(model.stream(request())) as pieces:
            async for piece in pieces:
                if isinstance(piece, Started):
                    await model.cancel(piece.cursor)

    with pytest.raises(ModelDisconnected):
        asyncio.run(run())


@pytest.mark.parametrize("cursor", ["resp_unknown:3:4", "nonsense", ""])
def test_a_cancellation_of_an_unknown_response_is_ignored(
    scripted: ModelControl, model: ChatModel, cursor: str
) -> None:
    asyncio.run(model.cancel(cursor))


def test_a_cancellation_of_an_ended_response_is_ignored(scripted: ModelControl, model: ChatModel) -> None:
    pieces: list[Piece] = []
    asyncio.run(collect(model, request(), pieces))
    asyncio.run(model.cancel(last_cursor(pieces)))
    assert scripted.requests()[0]["ended"] == "finished"


def test_a_cancellation_at_a_closed_port_is_a_fault(adapter_for: AdapterFor, unused_port: int) -> None:
    with pytest.raises(ModelUnavailable):
        asyncio.run(adapter_for(f"http://127.0.0.1:{unused_port}/v1").cancel("resp_1:2:3"))


def test_a_cancellation_that_the_provider_refuses_is_a_fault(adapter_for: AdapterFor) -> None:
    async def converse(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\n{}")
        await writer.drain()

    async def run() -> None:
        async with raw_server(converse, []) as url:
            await adapter_for(url).cancel("resp_1:2:3")

    with pytest.raises(ModelUnavailable):
        asyncio.run(run())


# --- no response to re-attach to --------------------------------------------------------------------------------------


@pytest.mark.parametrize("cursor", ["resp_unknown:3:4", "resp_unknown::4", "nonsense", ""])
def test_an_unknown_response_cannot_be_read_again(scripted: ModelControl, model: ChatModel, cursor: str) -> None:
    with pytest.raises(ResponseGone):
        answer(model, request(resume_from=cursor))
    assert scripted.requests() == []


def test_a_deleted_response_cannot_be_read_again(
    scripted: ModelControl, model: ChatModel, scripted_model_url: str
) -> None:
    scripted.script(tokens=1000, token_ms=5)
    cursor = last_cursor(asyncio.run(begin(model, count=2)))
    key = {"authorization": f"Bearer {KEY}"}
    httpx.delete(f"{scripted_model_url}/responses/{cursor.split(':')[0]}", headers=key).raise_for_status()
    with pytest.raises(ResponseGone, match="does not know"):
        answer(model, request(resume_from=cursor))


def test_a_failed_response_is_a_fault_and_cannot_be_read_again(scripted: ModelControl, model: ChatModel) -> None:
    scripted.script(tokens=10, error_after=4)
    pieces: list[Piece] = []
    assert isinstance(fault(model, into=pieces), ModelUnavailable)
    again: list[Piece] = []
    with pytest.raises(ResponseGone, match="failed"):
        asyncio.run(collect(model, request(resume_from=last_cursor(pieces)), again))
    assert isinstance(again[-1], Spent)


@pytest.mark.parametrize("behaviour", [{"refusal": True}, {"content_filter": True, "tokens": 6, "token_ms": 20}])
def test_a_refused_response_is_still_refused_when_it_is_read_again(
    scripted: ModelControl, model: ChatModel, behaviour: Any
) -> None:
    scripted.script(**behaviour)
    cursor = last_cursor(asyncio.run(begin(model)))
    pieces: list[Piece] = []
    assert isinstance(fault(model, request(resume_from=cursor), into=pieces), ModelRefused)
    spent = pieces[-1]
    assert isinstance(spent, Spent)
    assert bool(spent.usage.input_tokens) is not bool(spent.usage.unreported_calls)


# --- the response continues after its stream --------------------------------------------------------------------------


def test_the_adapter_polls_a_response_that_can_no_longer_be_streamed(
    scripted: ModelControl, model: ChatModel, scripted_model_url: str
) -> None:
    # OpenAI responds with this when a response is five minutes old: github.com/openai/openai-python/issues/2828
    scripted.script(tokens=60, pause_after=20, resume_status=400)
    pieces = asyncio.run(begin(model, count=2))
    begun = len(pieces)
    scripted.release(PROMPT)

    asyncio.run(collect(model, request(resume_from=last_cursor(pieces)), pieces))

    assert [type(piece) for piece in pieces[begun:]] == [Delta, Finished]
    assert text_of(pieces) == stored_text(scripted_model_url, scripted)
    assert answer(model, request(resume_from=last_cursor(pieces))) == ("", pieces[-1])
    assert len(scripted.requests()) == 1


def test_the_adapter_requests_an_end_that_the_stream_did_not_send(
    scripted: ModelControl, model: ChatModel, scripted_model_url: str
) -> None:
    scripted.script(tokens=6, omit_finish_reason=True)
    pieces: list[Piece] = []
    assert isinstance(fault(model, into=pieces), ModelDisconnected)

    _, finished = asyncio.run(collect(model, request(resume_from=last_cursor(pieces)), pieces))

    assert finished.usage.output_tokens == 6
    assert text_of(pieces) == stored_text(scripted_model_url, scripted)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, ModelRejectedRequest), (429, ModelRateLimited), (500, ModelUnavailable), (504, ModelTimeout)],
)
def test_a_provider_that_refuses_the_rest_is_a_fault(
    scripted: ModelControl, model: ChatModel, status: int, expected: type[MillraceError]
) -> None:
    scripted.script(tokens=3, resume_status=status)
    cursor = last_cursor(asyncio.run(begin(model)))
    assert type(fault(model, request(resume_from=cursor))) is expected


@pytest.mark.parametrize("behaviour", [{"hang_after": 0}, {"hang_after": 2}, {"first_token_ms": 60_000}])
def test_a_silent_provider_is_a_timeout_and_the_response_continues(
    scripted: ModelControl, scripted_model_url: str, adapter_for: AdapterFor, behaviour: Any
) -> None:
    scripted.script(**behaviour)
    cursor = last_cursor(asyncio.run(begin(adapter_for(scripted_model_url))))
    impatient = adapter_for(scripted_model_url, token_timeout=0.2)
    for _ in range(2):
        assert isinstance(fault(impatient, request(resume_from=cursor)), ModelTimeout)
    assert isinstance(fault(impatient), ModelTimeout)
    assert scripted.requests()[0]["ended"] is None
    asyncio.run(impatient.cancel(cursor))
    scripted.wait_for_request(lambda record: record["ended"] == "cancelled")


def test_keep_alive_events_are_not_tokens(adapter_for: AdapterFor) -> None:
    async def converse(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        for number in itertools.count():
            writer.write(b'data: {"type": "keepalive", "sequence_number": %d}\n\n' % number)
            await writer.drain()
            await asyncio.sleep(0.02)

    async def run() -> None:
        async with raw_server(converse, []) as url:
            await asyncio.wait_for(collect(adapter_for(url, token_timeout=0.3), request()), timeout=PATIENCE)

    with pytest.raises(ModelTimeout):
        asyncio.run(run())


@pytest.mark.parametrize("resume_from", [None, "resp_1:2:3", "resp_1::3"])
@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "500 Oops", "200 OK"])
def test_the_fault_does_not_quote_the_provider(adapter_for: AdapterFor, status: str, resume_from: str | None) -> None:
    body = f'data: {{"type": "error", "message": "{KEY} may not ask {PROMPT}", "code": "{KEY}", "param": "{PROMPT}"}}'
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"

    async def converse(writer: asyncio.StreamWriter) -> None:
        writer.write(f"{head}{body}".encode())
        await writer.drain()

    async def run() -> None:
        async with raw_server(converse, []) as url:
            await asyncio.wait_for(collect(adapter_for(url), request(resume_from=resume_from)), timeout=PATIENCE)

    with pytest.raises((MillraceError, ResponseGone)) as raised:
        asyncio.run(run())
    shown = "".join(map(str, (raised.value, raised.value.__cause__, raised.value.__suppress_context__)))
    assert PROMPT not in shown
    assert KEY not in shown


def test_a_response_that_does_not_stop_is_cancelled_at_the_provider() -> None:
    cancelled: list[str] = []

    class Cancelling(OpenAIResponsesModel):
        async def cancel(self, cursor: str) -> None:
            cancelled.append(cursor)

    created = {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "status": "in_progress"}}
    delta = {"type": "response.output_text.delta", "sequence_number": 1, "delta": "word " * 100}
    piece = stream([delta]).partition(b"\r\n\r\n")[2]
    with CaseServer(lambda _: Endless(stream([created]), piece)) as server:
        model = Cancelling(base_url=server.url, api_key=lambda: KEY, prices={})
        raised = fault(model, request(max_chars=1_000))

    assert isinstance(raised, ModelOutputTooLong)
    assert cancelled == ["resp_1:0:0"]


JSON_HEAD = b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
ENDLESS_DOCUMENT = Endless(JSON_HEAD + b'{"status": "in_progress", "output": "', b"word " * 20_000)


def test_a_stored_response_without_an_end_is_read_to_its_bound() -> None:
    with CaseServer(lambda _: ENDLESS_DOCUMENT) as server:
        model = OpenAIResponsesModel(base_url=server.url, api_key=lambda: KEY, prices={})
        raised = fault(model, request(resume_from="resp_1::3", max_chars=1_000))

    assert isinstance(raised, ModelOutputTooLong)
    assert "ended at 16,012,000 bytes" in raised.message


def test_the_text_of_a_stored_response_has_the_bound_of_an_output() -> None:
    text = "x" * 10_000_000
    stored = {
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": text}]}],
    }
    pieces: list[Piece] = []
    with CaseServer(lambda _: http_response(200, stored)) as server:
        model = OpenAIResponsesModel(base_url=server.url, api_key=lambda: KEY, prices={})
        raised = fault(model, request(resume_from="resp_1::0", max_chars=1_000), pieces)

    assert isinstance(raised, ModelOutputTooLong)
    assert "ended at 1,000 characters" in raised.message
    assert len(text_of(pieces)) == 1_000 + MAX_REASONING_CHARS


def test_the_body_that_answers_a_cancellation_is_not_read() -> None:
    with CaseServer(lambda _: ENDLESS_DOCUMENT) as server:
        model = OpenAIResponsesModel(base_url=server.url, api_key=lambda: KEY, prices={})
        asyncio.run(model.cancel("resp_1:0:0"))
    assert server.bodies == [{}]
