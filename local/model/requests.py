"""The requests that the scripted model received, and the behaviour and the pace of each response."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from local.model.behaviour import Behaviour, Script
from local.model.connection import HttpRequest
from local.model.conversation import Message
from local.model.directives import UnreadableDirective
from local.model.documents import UnsupportedSchema
from local.model.errors import BadRequest
from local.model.offered_tools import ToolChoice
from local.model.prompt import Prompt

MODEL: Final = "scripted-1"
_REQUESTS_KEPT: Final = 1000
_LARGE_BODY: Final = 50_000


@dataclass(slots=True)
class Watcher:
    """A connection that received a response's events.

    `after` is the sequence number after which it asked to continue; None is the connection that created the response.
    """

    after: int | None
    attached_at: float
    left_at: float | None = None


@dataclass(slots=True)
class RequestRecord:
    """One request. Times are seconds since the epoch; `ended` is None while the output is being written.

    `tools` are the names of the offered tools. `chosen_tool` is the one that `tool_choice` names, if it names one.
    """

    id: str
    api: Literal["chat.completions", "responses"]
    model: str
    messages: list[Message]
    tools: list[str]
    tool_choice: ToolChoice
    chosen_tool: str | None
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
    def recording_end(self, behaviour: Behaviour) -> Iterator[None]:
        """At the end of the block, record how the request ended, unless that is recorded already."""
        ended = "finished" if behaviour.fault is None else f"scripted: {behaviour.fault}"
        try:
            yield
        except asyncio.CancelledError:
            ended = "client_disconnected"
            raise
        except (BadRequest, UnreadableDirective, UnsupportedSchema):
            ended = "rejected"
            raise
        finally:
            self.end(ended)

    def end(self, how: str) -> None:
        self.ended = self.ended or how
        self.ended_at = time.time()


class Pace:
    """The times at which tokens are due, counted from the request: a late token does not delay the next ones.

    `released`: returns when the response may continue after its pause before the token `pause_at`, counted from 0.
    """

    def __init__(
        self, first_token_ms: float, token_ms: float, *, pause_at: int | None, released: Callable[[], Awaitable[None]]
    ) -> None:
        self._started = time.monotonic()
        self._first, self._each = first_token_ms / 1000, token_ms / 1000
        self._pause_at, self._released = pause_at, released

    async def reach(self, number: int) -> None:
        """Wait until this token (counted from 0) is due."""
        if self._pause_at is not None and number >= self._pause_at:
            await self._released()
            self._pause_at = None
        wait = self._started + self._first + number * self._each - time.monotonic()
        # A late token yields as well: otherwise a stream at full speed would block the other streams.
        await asyncio.sleep(max(wait, 0))


@dataclass(slots=True)
class Requests:
    """The latest requests and the script for the next ones. The default pace is in milliseconds."""

    first_token_ms: float
    token_ms: float
    script: Script = field(default_factory=Script)
    records: deque[RequestRecord] = field(default_factory=lambda: deque(maxlen=_REQUESTS_KEPT))
    _count: int = 0

    def take(self, api: Literal["chat.completions", "responses"], prompt: Prompt) -> tuple[RequestRecord, Behaviour]:
        """Record one request and return the behaviour that is scripted for it. Raises UnreadableDirective."""
        behaviour = self.script.behaviour_for(prompt.request)
        self._count += 1
        record = RequestRecord(
            id=f"{'resp_' if api == 'responses' else 'chatcmpl-'}scripted-{self._count}",
            api=api,
            model=prompt.model,
            messages=prompt.messages,
            tools=[tool.name for tool in prompt.tools],
            tool_choice=prompt.tool_choice,
            chosen_tool=prompt.chosen_tool,
            schema_name=prompt.schema_name,
            temperature=prompt.temperature,
            most_tokens=prompt.most_tokens,
            arrived_at=time.time(),
        )
        self.records.append(record)
        return record, behaviour

    def pace(self, prompt: Prompt, behaviour: Behaviour) -> Pace:
        """Return the pace of one output, which starts now."""
        return Pace(
            self.first_token_ms if behaviour.first_token_ms is None else behaviour.first_token_ms,
            self.token_ms if behaviour.token_ms is None else behaviour.token_ms,
            pause_at=behaviour.pause_after,
            released=functools.partial(self.script.wait_for_release, prompt.request),
        )


async def read_prompt(read: Callable[[dict[str, Any]], Prompt], request: HttpRequest, body: dict[str, Any]) -> Prompt:
    """Read the prompt; a large body in a thread, because its images take long and other streams are being sent."""
    return await asyncio.to_thread(read, body) if len(request.body) > _LARGE_BODY else read(body)


def json_body(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in a request's body. Raises BadRequest."""
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise BadRequest("We could not parse the JSON body of your request.") from error
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    return body
