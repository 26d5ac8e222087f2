"""The scripted model's chat completions, in OpenAI's form."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local.model.behaviour import Behaviour
from local.model.connection import HttpConnection, HttpRequest
from local.model.conversation import chat_messages
from local.model.errors import error_document, send_scripted_error
from local.model.output import Output, Token
from local.model.prompt import Prompt
from local.model.requests import MODEL, Pace, RequestRecord, Requests, json_body, read_prompt
from local.model.tokens import STAMP, with_time


@dataclass(frozen=True, slots=True)
class _Completion:
    record: RequestRecord
    output: Output
    behaviour: Behaviour
    pace: Pace
    usage_wanted: bool

    @property
    def usage(self) -> dict[str, Any]:
        read, sent = self.output.prompt_tokens, self.record.tokens_sent + self.output.reasoning_tokens
        return {
            "prompt_tokens": read,
            "completion_tokens": sent,
            "total_tokens": read + sent,
            "prompt_tokens_details": {"cached_tokens": self.output.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": self.output.reasoning_tokens},
        }


class ChatCompletions:
    """Serves `/v1/chat/completions`."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def create(self, request: HttpRequest, connection: HttpConnection) -> None:
        """Write one output. Raises BadRequest, UnreadableDirective and UnsupportedSchema."""
        body = json_body(request.body)
        prompt = await read_prompt(_prompt, request, body)
        record, behaviour = self._requests.take("chat.completions", prompt)
        with record.recording_end(behaviour):
            if behaviour.status is not None:
                send_scripted_error(connection, behaviour, behaviour.status)
                return
            completion = _Completion(
                record=record,
                output=Output.of(prompt, behaviour),
                behaviour=behaviour,
                pace=self._requests.pace(prompt, behaviour),
                usage_wanted=bool((body.get("stream_options") or {}).get("include_usage")),
            )
            await (_stream(completion, connection) if body.get("stream") else _send_whole(completion, connection))


def _prompt(body: dict[str, Any]) -> Prompt:
    given = body.get("response_format") or {}
    return Prompt.of(
        body,
        chat_messages(body.get("messages")),
        {**given, **(given.get("json_schema") or {})},
        body.get("max_completion_tokens") or body.get("max_tokens"),
        nested_tools=True,
    )


async def _stream(completion: _Completion, connection: HttpConnection) -> None:
    connection.start_stream("text/event-stream; charset=utf-8")
    record, behaviour = completion.record, completion.behaviour
    before, after = _frame_around_text(record)
    for number, token in enumerate(completion.output.tokens):
        if number == behaviour.breaks_off_after:
            break
        await completion.pace.reach(number)
        if number == 0:
            record.first_token_at = time.time()
            connection.send(_event(record, {"role": "assistant", "content": "", "refusal": None}))
        text = with_time(token.text)
        if token.call is not None:
            connection.send(_call_events(completion, number))
        elif behaviour.refusal:
            connection.send(_event(record, {"refusal": text}))
        else:
            connection.send(before + json.dumps(text).encode() + after)
        record.tokens_sent += 1
    if behaviour.breaks_off_after is None:
        _end_stream(completion, connection)
    else:
        await _break_off(behaviour, connection)


def _call_events(completion: _Completion, number: int) -> bytes:
    """Return the chunk with a fragment of a call's arguments and, before the first one, the chunk with id and name."""
    tokens, token = completion.output.tokens, completion.output.tokens[number]
    fragment = {"index": token.call, "function": {"arguments": token.text}}
    events = _event(completion.record, {"tool_calls": [fragment]})
    if number > 0 and tokens[number - 1].call == token.call:
        return events
    head = {"index": token.call, **_call(completion.output, token.call or 0, "")}
    return _event(completion.record, {"tool_calls": [head]}) + events


def _call(output: Output, position: int, arguments: str) -> dict[str, Any]:
    call = output.calls[position]
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _end_stream(completion: _Completion, connection: HttpConnection) -> None:
    record, behaviour = completion.record, completion.behaviour
    closing = b"" if behaviour.omit_finish_reason else _event(record, {}, completion.output.finish_reason)
    if completion.usage_wanted and not behaviour.omit_usage:
        closing += _data({**_head(record), "choices": [], "usage": completion.usage})
    connection.send(closing + b"data: [DONE]\n\n")
    connection.end_stream()


async def _break_off(behaviour: Behaviour, connection: HttpConnection) -> None:
    at = behaviour.breaks_off_after
    if behaviour.hang_after == at:
        await asyncio.Event().wait()
    elif behaviour.disconnect_after == at:
        connection.cut()
    else:
        if behaviour.error_after == at:
            connection.send(_data(error_document(500, "The server had an error.", behaviour.error_code)))
        connection.end_stream()


async def _send_whole(completion: _Completion, connection: HttpConnection) -> None:
    record, behaviour, tokens = completion.record, completion.behaviour, completion.output.tokens
    await completion.pace.reach(0)
    record.first_token_at = time.time()
    await completion.pace.reach(len(tokens) - 1)
    if behaviour.breaks_off_after is not None:
        await _break_off_whole(behaviour, connection)
        return
    record.tokens_sent = len(tokens)
    choice = {
        "index": 0,
        "message": _message(completion),
        "logprobs": None,
        "finish_reason": completion.output.finish_reason,
    }
    document = {**_head(record), "object": "chat.completion", "choices": [choice]}
    connection.send_json(200, document if behaviour.omit_usage else {**document, "usage": completion.usage})


def _message(completion: _Completion) -> dict[str, Any]:
    output = completion.output
    text = with_time("".join(token.text for token in output.tokens if token.call is None))
    if completion.behaviour.refusal:
        return {"role": "assistant", "content": None, "refusal": text}
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if output.calls:
        calls = [_call(output, at, _arguments(output.tokens, at)) for at in range(len(output.calls))]
        message |= {"content": text or None, "tool_calls": calls}
    return message


def _arguments(tokens: Sequence[Token], call: int) -> str:
    return "".join(token.text for token in tokens if token.call == call)


async def _break_off_whole(behaviour: Behaviour, connection: HttpConnection) -> None:
    if behaviour.hang_after is not None:
        await asyncio.Event().wait()
    connection.cut()


def _head(record: RequestRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "object": "chat.completion.chunk",
        "created": int(record.arrived_at),
        "model": MODEL,
        "system_fingerprint": "scripted",
    }


def _event(record: RequestRecord, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return _data({**_head(record), "choices": [choice]})


def _frame_around_text(record: RequestRecord) -> tuple[bytes, bytes]:
    """Return the bytes before and after the JSON string of a token, which are the same in every chunk."""
    before, after = _event(record, {"content": STAMP}).split(json.dumps(STAMP).encode())
    return before, after


def _data(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"
