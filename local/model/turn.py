"""One request to the scripted model and what is said to it, whichever of OpenAI's APIs it came by."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from local.model.behaviour import Behaviour, Script
from local.model.documents import STAMP, DocumentWriter, UnsupportedSchema, split_exactly, split_tokens, stamped
from local.model.errors import BadRequest
from local.model.ideas import brainstorming
from local.model.prose import brief_of, essay

MODEL: Final = "scripted-1"
_REQUESTS_KEPT: Final = 1000
_NOT_THE_SCHEMA: Final = '{"unexpected": "This document does not fit the schema."}'
_NOT_JSON: Final = 'Certainly! Here is what I came up with: {"suggestions": [{"title": "An answer that breaks off'
_REFUSAL: Final = "I cannot help with that."

FinishReason = Literal["stop", "length", "content_filter"]


@dataclass(slots=True)
class Watcher:
    """A connection that was sent a response's events; `after` is the sequence number it resumed at, None: it asked."""

    after: int | None
    attached_at: float
    left_at: float | None = None


@dataclass(slots=True)
class RequestRecord:
    """One request for an answer; times are seconds since the epoch. `ended` is None while it is being answered."""

    id: str
    api: Literal["chat.completions", "responses"]
    model: str
    messages: list[dict[str, str]]
    schema_name: str | None
    temperature: float | None
    most_tokens: int | None
    arrived_at: float
    first_token_at: float | None = None
    tokens_sent: int = 0
    ended_at: float | None = None
    ended: str | None = None
    watchers: list[Watcher] = field(default_factory=list)

    @contextlib.contextmanager
    def answering(self, behaviour: Behaviour) -> Iterator[None]:
        """Writes down how it ends, unless that is known before."""
        ended = "finished" if behaviour.fault is None else f"scripted: {behaviour.fault}"
        try:
            yield
        except asyncio.CancelledError:
            ended = "client_disconnected"
            raise
        except (BadRequest, UnsupportedSchema):
            ended = "rejected"
            raise
        finally:
            self.end(ended)

    def end(self, how: str) -> None:
        self.ended = self.ended or how
        self.ended_at = time.time()


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a request asks for. `wanted` has the `type`, and for `json_schema` also `name` and `schema`."""

    model: str
    messages: list[dict[str, str]]
    wanted: dict[str, Any]
    most_tokens: int | None
    temperature: float | None = None

    @property
    def users(self) -> list[str]:
        return [message["content"] for message in self.messages if message["role"] == "user"]

    @classmethod
    def of(cls, body: dict[str, Any], messages: list[Any], wanted: dict[str, Any], most_tokens: int | None) -> Prompt:
        """Raises BadRequest."""
        if not isinstance(body.get("model"), str) or not body["model"]:
            raise BadRequest("you must provide a model parameter")
        asked = [_message(message) for message in messages]
        return cls(body["model"], asked, wanted, most_tokens, body.get("temperature"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What will be said, and how it ends."""

    tokens: list[str]
    finish_reason: FinishReason
    prompt_tokens: int

    @classmethod
    def to(cls, prompt: Prompt, behaviour: Behaviour) -> Answer:
        """Raises BadRequest and UnsupportedSchema."""
        tokens = _tokens(prompt, behaviour)
        finish_reason: FinishReason = "stop"
        most = prompt.most_tokens
        if behaviour.length:
            most = min(most or len(tokens), max(1, len(tokens) // 2))
        if most and most < len(tokens):
            tokens, finish_reason = tokens[:most], "length"
        if behaviour.content_filter:
            tokens, finish_reason = tokens[: len(tokens) // 2], "content_filter"
        # A cut beyond the end of the answer happens at its end.
        tokens += [" "] * max(0, (behaviour.breaks_off_after or 0) + 1 - len(tokens))
        return cls(
            tokens=tokens,
            finish_reason=finish_reason,
            prompt_tokens=sum(len(message["content"].split()) for message in prompt.messages),
        )


class Pace:
    """When each token is due, counted from the request: a late one does not delay those after it."""

    def __init__(self, first_token_ms: float, token_ms: float) -> None:
        self._started = time.monotonic()
        self._first, self._each = first_token_ms / 1000, token_ms / 1000

    async def reach(self, number: int) -> None:
        wait = self._started + self._first + number * self._each - time.monotonic()
        # Also when late: a stream at full speed must not keep the others from theirs.
        await asyncio.sleep(max(wait, 0))


@dataclass(slots=True)
class Turns:
    """What was asked so far, and what is to happen next. The default pace is in milliseconds."""

    first_token_ms: float
    token_ms: float
    script: Script = field(default_factory=Script)
    requests: deque[RequestRecord] = field(default_factory=lambda: deque(maxlen=_REQUESTS_KEPT))
    _count: int = 0

    def take(self, api: Literal["chat.completions", "responses"], prompt: Prompt) -> tuple[RequestRecord, Behaviour]:
        """Write down one request and take the behaviour meant for it. Raises UnreadableDirective."""
        behaviour = self.script.behaviour_for(prompt.users[-1] if prompt.users else "")
        self._count += 1
        record = RequestRecord(
            id=f"{'resp_' if api == 'responses' else 'chatcmpl-'}scripted-{self._count}",
            api=api,
            model=prompt.model,
            messages=prompt.messages,
            schema_name=prompt.wanted.get("name"),
            temperature=prompt.temperature,
            most_tokens=prompt.most_tokens,
            arrived_at=time.time(),
        )
        self.requests.append(record)
        return record, behaviour

    def pace(self, behaviour: Behaviour) -> Pace:
        return Pace(
            self.first_token_ms if behaviour.first_token_ms is None else behaviour.first_token_ms,
            self.token_ms if behaviour.token_ms is None else behaviour.token_ms,
        )


def with_time(token: str) -> str:
    """The token, stamped with the time of its sending if it is one of those."""
    return token.replace(STAMP, f"{time.time_ns()} ") if STAMP in token else token


def json_body(raw: bytes) -> dict[str, Any]:
    """Raises BadRequest."""
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise BadRequest("We could not parse the JSON body of your request.") from error
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    return body


def _tokens(prompt: Prompt, behaviour: Behaviour) -> list[str]:
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
        document = _document(prompt)
        text = essay(brief_of(prompt.users)) if document is None else json.dumps(document, ensure_ascii=False)
    if behaviour.timestamps:
        count = behaviour.tokens or len(split_tokens(text))
        return [STAMP] * count if document is None else stamped(document, count)
    return split_tokens(text) if behaviour.tokens is None else split_exactly(text, behaviour.tokens)


def _document(prompt: Prompt) -> Any:
    brief = brief_of(prompt.users)
    match prompt.wanted.get("type", "text"):
        case "text":
            return None
        case "json_object":
            return {"answer": essay(brief)}
        case "json_schema":
            schema = prompt.wanted.get("schema")
            if not isinstance(schema, dict):
                raise BadRequest("Missing required parameter: the 'schema' of a 'json_schema'.")
            ideas = brainstorming(str(prompt.wanted.get("name")), schema, "\n".join(prompt.users))
            return DocumentWriter(schema, brief).write() if ideas is None else ideas
        case other:
            raise BadRequest(
                f"Invalid value: {other!r}. Supported values are: 'json_object', 'json_schema', and 'text'."
            )


def _message(message: Any) -> dict[str, str]:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise BadRequest("Invalid messages: every message needs a role.")
    content = message.get("content") or ""
    if isinstance(content, list):
        content = "\n".join(part.get("text", "") for part in content if isinstance(part, dict))
    return {"role": message["role"], "content": str(content)}
