"""A scripted model that speaks OpenAI's wire protocol: answers plausibly without a key, and fails on request.

    python -m local.model_server --port 0

prints `{"port": …, "url": …}` first. Besides `/v1/chat/completions`, `/v1/models` and `/healthz` there are `POST` and
`DELETE /_script` (what is to happen next; see `local/model_behaviour.py`), and `GET` and `DELETE /_requests` (what was
asked, and how it ended). A prompt may direct too: `[[script: status=429, times=1]]`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from local.model_answers import STAMP, DocumentWriter, UnsupportedSchema, split_exactly, split_tokens, stamped
from local.model_behaviour import Behaviour, Rule, Script, UnreadableDirective
from local.model_connection import HttpConnection, HttpRequest
from local.model_prose import brief_of, essay

MODEL: Final = "scripted-1"
_REQUESTS_KEPT: Final = 1000
_NOT_THE_SCHEMA: Final = '{"unexpected": "This document does not fit the schema."}'
_NOT_JSON: Final = 'Certainly! Here is what I came up with: {"suggestions": [{"title": "An answer that breaks off'
_REFUSAL: Final = "I cannot help with that."
_ERRORS: Final[dict[int, tuple[str, str | None]]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "permission_denied"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


class _BadRequest(Exception):
    """What the client sent cannot be answered; the text says why."""


@dataclass(slots=True)
class RequestRecord:
    """One request for a completion; times are seconds since the epoch. `ended` is None while it is being answered."""

    id: str
    model: str
    messages: list[dict[str, str]]
    schema_name: str | None
    arrived_at: float
    first_token_at: float | None = None
    tokens_sent: int = 0
    ended_at: float | None = None
    ended: str | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    record: RequestRecord
    tokens: list[str]
    finish_reason: str
    prompt_tokens: int
    streamed: bool
    usage_wanted: bool
    behaviour: Behaviour

    @property
    def usage(self) -> dict[str, int]:
        sent = self.record.tokens_sent
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": sent,
            "total_tokens": self.prompt_tokens + sent,
        }


@dataclass(slots=True)
class ModelServer:
    """Serves on a loopback port inside the running event loop. Paces are in milliseconds."""

    first_token_ms: float = 50
    token_ms: float = 5
    script: Script = field(default_factory=Script)
    requests: deque[RequestRecord] = field(default_factory=lambda: deque(maxlen=_REQUESTS_KEPT))
    _server: asyncio.Server | None = None
    _count: int = 0

    async def start(self, port: int = 0, host: str = "127.0.0.1", *, listener: socket.socket | None = None) -> int:
        """Returns the port. With `listener`, a socket that already listens, `port` and `host` do not count."""
        loop = asyncio.get_running_loop()
        where: dict[str, Any] = {"host": host, "port": port} if listener is None else {"sock": listener}
        self._server = await loop.create_server(lambda: HttpConnection(self._handle), **where)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _handle(self, request: HttpRequest, connection: HttpConnection) -> None:
        try:
            await self._route(request, connection)
        except (_BadRequest, UnreadableDirective, UnsupportedSchema, ValidationError) as error:
            _send_error(connection, 400, str(error))

    async def _route(self, request: HttpRequest, connection: HttpConnection) -> None:
        match (request.method, request.path):
            case ("POST", "/v1/chat/completions") if _authorized(request):
                await self._complete(request, connection)
            case ("GET", "/v1/models") if _authorized(request):
                models = [{"id": MODEL, "object": "model", "created": 0, "owned_by": "millrace-scripted"}]
                connection.send_json(200, {"object": "list", "data": models})
            case (_, "/v1/chat/completions" | "/v1/models") if not _authorized(request):
                _send_error(connection, 401, "You didn't provide an API key. The scripted model takes any.")
            case ("GET", "/healthz"):
                connection.send_json(200, {"status": "ok", "model": MODEL})
            case ("POST", "/_script"):
                self.script.add(Rule.model_validate_json(request.body))
                connection.send_json(200, {"status": "ok"})
            case ("DELETE", "/_script"):
                self.script.clear()
                connection.send_json(200, {"status": "ok"})
            case ("GET", "/_requests"):
                connection.send_json(200, {"requests": [asdict(record) for record in self.requests]})
            case ("DELETE", "/_requests"):
                self.requests.clear()
                connection.send_json(200, {"status": "ok"})
            case _:
                _send_error(connection, 404, f"Unknown request URL: {request.method} {request.path}.")

    async def _complete(self, request: HttpRequest, connection: HttpConnection) -> None:
        body = _completion_request(request.body)
        users = [message["content"] for message in body["messages"] if message["role"] == "user"]
        self._count += 1
        record = RequestRecord(
            id=f"chatcmpl-scripted-{self._count}",
            model=body["model"],
            messages=body["messages"],
            schema_name=((body.get("response_format") or {}).get("json_schema") or {}).get("name"),
            arrived_at=time.time(),
        )
        behaviour = self.script.behaviour_for(users[-1] if users else "")
        self.requests.append(record)
        try:
            if behaviour.status is not None:
                _send_scripted_error(connection, behaviour, behaviour.status)
            else:
                answer = _answer(record, body, users, behaviour)
                await (self._stream(answer, connection) if answer.streamed else self._send_whole(answer, connection))
            record.ended = "finished" if behaviour.fault is None else f"scripted: {behaviour.fault}"
        except asyncio.CancelledError:
            record.ended = "client_disconnected"
            raise
        except (_BadRequest, UnsupportedSchema):
            record.ended = "rejected"
            raise
        finally:
            record.ended_at = time.time()

    async def _stream(self, answer: _Answer, connection: HttpConnection) -> None:
        connection.start_stream("text/event-stream; charset=utf-8")
        record, behaviour = answer.record, answer.behaviour
        pace = _Pace(self, behaviour)
        before, after = _frame_around_text(record)
        for number, token in enumerate(answer.tokens):
            if number == behaviour.breaks_off_after:
                break
            await pace.reach(number)
            if number == 0:
                record.first_token_at = time.time()
                connection.send(_event(record, {"role": "assistant", "content": "", "refusal": None}))
            if STAMP in token:
                token = token.replace(STAMP, f"{time.time_ns()} ")  # noqa: PLW2901 - the time is that of sending
            if behaviour.refusal:
                connection.send(_event(record, {"refusal": token}))
            else:
                connection.send(before + json.dumps(token).encode() + after)
            record.tokens_sent += 1
        if behaviour.breaks_off_after is None:
            self._end_stream(answer, connection)
        else:
            await self._break_off(behaviour, connection)

    def _end_stream(self, answer: _Answer, connection: HttpConnection) -> None:
        record, behaviour = answer.record, answer.behaviour
        closing = b"" if behaviour.omit_finish_reason else _event(record, {}, answer.finish_reason)
        if answer.usage_wanted and not behaviour.omit_usage:
            closing += _data({**_head(record), "choices": [], "usage": answer.usage})
        connection.send(closing + b"data: [DONE]\n\n")
        connection.end_stream()

    @staticmethod
    async def _break_off(behaviour: Behaviour, connection: HttpConnection) -> None:
        at = behaviour.breaks_off_after
        if behaviour.hang_after == at:
            await asyncio.Event().wait()
        elif behaviour.disconnect_after == at:
            connection.cut()
        else:
            if behaviour.error_after == at:
                connection.send(_data(_error_document(500, "The server had an error.", behaviour.error_code)))
            connection.end_stream()

    async def _send_whole(self, answer: _Answer, connection: HttpConnection) -> None:
        record, behaviour = answer.record, answer.behaviour
        pace = _Pace(self, behaviour)
        await pace.reach(0)
        record.first_token_at = time.time()
        await pace.reach(len(answer.tokens) - 1)
        if behaviour.breaks_off_after is not None:
            await self._break_off_whole(behaviour, connection)
            return
        record.tokens_sent = len(answer.tokens)
        text = "".join(answer.tokens).replace(STAMP, f"{time.time_ns()} ")
        message = {"role": "assistant", "content": text, "refusal": None}
        if behaviour.refusal:
            message = {"role": "assistant", "content": None, "refusal": text}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason}
        document = {**_head(record), "object": "chat.completion", "choices": [choice]}
        connection.send_json(200, document if behaviour.omit_usage else {**document, "usage": answer.usage})

    @staticmethod
    async def _break_off_whole(behaviour: Behaviour, connection: HttpConnection) -> None:
        if behaviour.hang_after is not None:
            await asyncio.Event().wait()
        connection.cut()


class _Pace:
    """When each token is due, counted from the request: a late one does not delay those after it."""

    def __init__(self, server: ModelServer, behaviour: Behaviour) -> None:
        self._started = time.monotonic()
        first = server.first_token_ms if behaviour.first_token_ms is None else behaviour.first_token_ms
        each = server.token_ms if behaviour.token_ms is None else behaviour.token_ms
        self._first, self._each = first / 1000, each / 1000

    async def reach(self, number: int) -> None:
        wait = self._started + self._first + number * self._each - time.monotonic()
        # Also when late: a stream at full speed must not keep the others from theirs.
        await asyncio.sleep(max(wait, 0))


def _answer(record: RequestRecord, body: dict[str, Any], users: list[str], behaviour: Behaviour) -> _Answer:
    tokens, finish_reason = _tokens(body, users, behaviour), "stop"
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    if behaviour.length:
        most = min(most or len(tokens), max(1, len(tokens) // 2))
    if most and most < len(tokens):
        tokens, finish_reason = tokens[:most], "length"
    if behaviour.content_filter:
        tokens, finish_reason = tokens[: len(tokens) // 2], "content_filter"
    # A cut beyond the end of the answer happens at its end.
    tokens += [" "] * max(0, (behaviour.breaks_off_after or 0) + 1 - len(tokens))
    return _Answer(
        record=record,
        tokens=tokens,
        finish_reason=finish_reason,
        prompt_tokens=sum(len(message["content"].split()) for message in body["messages"]),
        streamed=bool(body.get("stream")),
        usage_wanted=bool((body.get("stream_options") or {}).get("include_usage")),
        behaviour=behaviour,
    )


def _tokens(body: dict[str, Any], users: list[str], behaviour: Behaviour) -> list[str]:
    document = None
    if behaviour.refusal:
        text = _REFUSAL
    elif behaviour.text is not None:
        text = behaviour.text
    elif behaviour.invalid_json:
        text = _NOT_JSON
    elif behaviour.off_schema:
        text = _NOT_THE_SCHEMA
    else:
        document = _document(body, users)
        text = essay(brief_of(users)) if document is None else json.dumps(document, ensure_ascii=False)
    if behaviour.timestamps:
        count = behaviour.tokens or len(split_tokens(text))
        return [STAMP] * count if document is None else stamped(document, count)
    return split_tokens(text) if behaviour.tokens is None else split_exactly(text, behaviour.tokens)


def _document(body: dict[str, Any], users: list[str]) -> Any:
    wanted = body.get("response_format") or {}
    brief = brief_of(users)
    match wanted.get("type", "text"):
        case "text":
            return None
        case "json_object":
            return {"answer": essay(brief)}
        case "json_schema":
            schema = (wanted.get("json_schema") or {}).get("schema")
            if not isinstance(schema, dict):
                raise _BadRequest("Missing required parameter: 'response_format.json_schema.schema'.")
            return DocumentWriter(schema, brief).write()
        case other:
            raise _BadRequest(
                f"Invalid value: {other!r}. Supported values are: 'json_object', 'json_schema', and 'text'."
            )


def _completion_request(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise _BadRequest("We could not parse the JSON body of your request.") from error
    if not isinstance(body, dict):
        raise _BadRequest("The body must be a JSON object.")
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise _BadRequest("you must provide a model parameter")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _BadRequest("Invalid 'messages': expected an array with at least one message.")
    body["messages"] = [_message(message) for message in messages]
    return body


def _message(message: Any) -> dict[str, str]:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise _BadRequest("Invalid 'messages': every message needs a role.")
    content = message.get("content") or ""
    if isinstance(content, list):
        content = "\n".join(part.get("text", "") for part in content if isinstance(part, dict))
    return {"role": message["role"], "content": str(content)}


def _authorized(request: HttpRequest) -> bool:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and bool(key.strip())


def _send_scripted_error(connection: HttpConnection, behaviour: Behaviour, status: int) -> None:
    retry_after = 1 if behaviour.retry_after is None and status == 429 else behaviour.retry_after
    headers = [] if retry_after is None else [("retry-after", str(retry_after))]
    _send_error(connection, status, f"Scripted error {status}.", code=behaviour.error_code, headers=headers)


def _send_error(
    connection: HttpConnection,
    status: int,
    message: str,
    *,
    code: str | None = None,
    headers: Sequence[tuple[str, str]] = (),
) -> None:
    connection.send_json(status, _error_document(status, message, code), headers)


def _error_document(status: int, message: str, code: str | None) -> dict[str, Any]:
    kind, usual_code = _ERRORS.get(status, ("server_error", None))
    return {"error": {"message": message, "type": kind, "param": None, "code": code or usual_code}}


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
    """What stands before and after the JSON string of one token: the rest is the same in every chunk."""
    before, after = _event(record, {"content": STAMP}).split(json.dumps(STAMP).encode())
    return before, after


def _data(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


async def serve(
    *, port: int, host: str, first_token_ms: float, token_ms: float, listener: socket.socket | None = None
) -> None:
    """Serve until SIGINT or SIGTERM."""
    server = ModelServer(first_token_ms=first_token_ms, token_ms=token_ms)
    bound = await server.start(port, host, listener=listener)
    print(json.dumps({"port": bound, "url": f"http://{host}:{bound}/v1", "model": MODEL}), flush=True)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    server.close()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m local.model_server", description="The scripted local model.")
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes any free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--fd", type=int, help="a socket that already listens, in place of a port")
    parser.add_argument("--first-token-ms", type=float, default=50)
    parser.add_argument("--token-ms", type=float, default=5)
    options = parser.parse_args(arguments)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            serve(
                port=options.port,
                host=options.host,
                first_token_ms=options.first_token_ms,
                token_ms=options.token_ms,
                listener=None if options.fd is None else socket.socket(fileno=options.fd),
            )
        )


if __name__ == "__main__":
    main()
