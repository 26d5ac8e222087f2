"""The scripted model's Responses API, in OpenAI's form: a background response continues without a connection."""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from local.model.behaviour import Behaviour
from local.model.connection import HttpConnection, HttpRequest
from local.model.documents import UnsupportedSchema
from local.model.errors import BadRequest, send_error, send_scripted_error
from local.model.output import Output
from local.model.prompt import Prompt
from local.model.requests import MODEL, Pace, RequestRecord, Requests, Watcher, json_body
from local.model.tokens import with_time

_KEPT: Final = 200
_KEPT_SECONDS: Final = 600.0  # as long as OpenAI: https://developers.openai.com/api/docs/guides/background

# A response has one item with one part, and each event names both.
_PART: Final = {"output_index": 0, "content_index": 0}


@dataclass(slots=True)
class _Response:
    """One response. It is written at its own pace, and its events are kept for connections that come later."""

    record: RequestRecord
    body: dict[str, Any]
    output: Output
    behaviour: Behaviour
    pace: Pace
    background: bool
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"] = "queued"
    generation: asyncio.Task[None] | None = None
    _texts: list[str] = field(default_factory=list)
    _events: list[bytes] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _broken_off_at: int | None = None
    _finished: bool = False

    async def generate(self) -> None:
        """Write all events, and record how the response ended."""
        try:
            with self.record.recording_end(self.behaviour):
                await self._write()
        finally:
            self._finished = True
            self._announce()

    def stop(self, ended: str) -> None:
        """Stop writing, unless the response has finished. `ended` is what the request record says."""
        if self._finished or self.record.ended is not None:
            return
        self.status, self.record.ended = "cancelled", ended
        if self.generation is not None:
            self.generation.cancel()

    async def wait_until_finished(self) -> None:
        while not self._finished:
            await self._changed.wait()

    @property
    def cut(self) -> bool:
        """Whether its connections were closed, as scripted."""
        return self._broken_off_at is not None and self.behaviour.disconnect_after is not None

    async def watch(self, connection: HttpConnection, after: int | None) -> None:
        """Send the events after a sequence number, including future ones, until the response has finished.

        A scripted break ends the connections of that moment, but no later connection.
        """
        watcher = Watcher(after=after, attached_at=time.time())
        self.record.watchers.append(watcher)
        breakable = self._broken_off_at is None
        sent = 0 if after is None else after + 1
        connection.start_stream("text/event-stream; charset=utf-8")
        try:
            while True:
                changed = self._changed
                breaks = breakable and self._broken_off_at is not None
                until = self._broken_off_at if breaks else len(self._events)
                if events := b"".join(self._events[sent:until]):
                    connection.send(events)
                sent = max(sent, len(self._events))
                if breaks and self.behaviour.disconnect_after is not None:
                    connection.cut()
                    return
                if breaks or self._finished:
                    connection.end_stream()
                    return
                await changed.wait()
        finally:
            watcher.left_at = time.time()

    def document(self) -> dict[str, Any]:
        """Return the response object."""
        failed = self.status == "failed"
        reason = {"length": "max_output_tokens"}.get(self.output.finish_reason, self.output.finish_reason)
        return {
            "id": self.record.id,
            "object": "response",
            "created_at": int(self.record.arrived_at),
            "status": self.status,
            "background": self.background,
            "error": {"code": self.behaviour.error_code or "server_error", "message": "Scripted."} if failed else None,
            "incomplete_details": {"reason": reason} if self.status == "incomplete" else None,
            "instructions": self.body.get("instructions"),
            "max_output_tokens": self.body.get("max_output_tokens"),
            "metadata": {},
            "model": MODEL,
            "output": [self._item()] if self.status in {"completed", "incomplete"} else [],
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "store": True,
            "temperature": self.body.get("temperature", 1.0),
            "text": self.body.get("text") or {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": self._usage(),
        }

    async def _write(self) -> None:
        self._add_event("response.created", response=self.document())
        self._add_event("response.queued", response=self.document())
        self.status = "in_progress"
        self._add_event("response.in_progress", response=self.document())
        kind = "refusal" if self.behaviour.refusal else "output_text"
        for number, token in enumerate(self.output.tokens):
            if number == self.behaviour.breaks_off_after and await self._breaks_off():
                return
            await self.pace.reach(number)
            if number == 0:
                self.record.first_token_at = time.time()
                self._add_event("response.output_item.added", output_index=0, item={**self._item(), "content": []})
                self._add_event("response.content_part.added", **_PART, item_id=self._item_id, part=self._part())
            text = with_time(token)
            self._texts.append(text)
            self.record.tokens_sent += 1
            self._add_event(f"response.{kind}.delta", **_PART, item_id=self._item_id, delta=text, logprobs=[])
        self._end(kind)

    async def _breaks_off(self) -> bool:
        """Perform the scripted break; return whether the response ends here, which a background response does not."""
        at = self.behaviour.breaks_off_after
        if self.behaviour.hang_after == at:
            await asyncio.Event().wait()
        if self.behaviour.error_after == at:
            self.status = "failed"
            self._add_event("response.failed", response=self.document())
            return True
        self._broken_off_at = len(self._events)
        self._announce()
        return not self.background

    def _end(self, kind: str) -> None:
        part = self._part()
        self._add_event(f"response.{kind}.done", **_PART, item_id=self._item_id, **part)
        self._add_event("response.content_part.done", **_PART, item_id=self._item_id, part=part)
        self.status = "completed" if self.output.finish_reason == "stop" else "incomplete"
        self._add_event("response.output_item.done", output_index=0, item=self._item())
        if not self.behaviour.omit_finish_reason:
            self._add_event(f"response.{self.status}", response=self.document())

    @property
    def _item_id(self) -> str:
        return self.record.id.replace("resp_", "msg_")

    def _item(self) -> dict[str, Any]:
        return {
            "id": self._item_id,
            "type": "message",
            "role": "assistant",
            "status": self.status,
            "content": [self._part()],
        }

    def _part(self) -> dict[str, Any]:
        text = "".join(self._texts)
        if self.behaviour.refusal:
            return {"type": "refusal", "refusal": text}
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}

    def _usage(self) -> dict[str, Any] | None:
        if self.behaviour.omit_usage or self.status not in {"completed", "incomplete"}:
            return None
        read, sent = self.output.prompt_tokens, self.record.tokens_sent
        return {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": sent,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": read + sent,
        }

    def _add_event(self, kind: str, **fields: Any) -> None:
        event = {**fields, "type": kind, "sequence_number": len(self._events)}
        self._events.append(f"event: {kind}\ndata: {json.dumps(event)}\n\n".encode())
        self._announce()

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Responses:
    """Serves `/v1/responses`. It keeps the newest responses for some time; an older one is stopped and deleted."""

    def __init__(self, requests: Requests, *, most: int = _KEPT, seconds: float = _KEPT_SECONDS) -> None:
        self._requests = requests
        self._most = most
        self._seconds = seconds
        self._kept: OrderedDict[str, _Response] = OrderedDict()

    async def handle(self, request: HttpRequest, connection: HttpConnection) -> None:
        """Serve one request. Raises BadRequest, UnreadableDirective and UnsupportedSchema."""
        self._forget()
        _, _, rest = request.path.partition("/v1/responses/")
        response_id, _, action = rest.partition("/")
        response = self._kept.get(response_id)
        match (request.method, action):
            case ("POST", "") if not response_id:
                await self._create(request, connection)
            case ("GET" | "DELETE", "") | ("POST", "cancel") if response is None:
                send_error(connection, 404, f"Response with id '{response_id}' not found.", code="response_not_found")
            case ("GET", "") if response is not None:
                await _retrieve(response, request, connection)
            case ("POST", "cancel") if response is not None:
                _cancel(response, connection)
            case ("DELETE", "") if response is not None:
                self._kept.pop(response_id).stop("deleted")
                connection.send_json(200, {"id": response_id, "object": "response", "deleted": True})
            case _:
                send_error(connection, 404, f"Unknown request URL: {request.method} {request.path}.")

    async def _create(self, request: HttpRequest, connection: HttpConnection) -> None:
        body = json_body(request.body)
        prompt = _prompt(body)
        record, behaviour = self._requests.take("responses", prompt)
        if behaviour.status is not None:
            with record.recording_end(behaviour):
                send_scripted_error(connection, behaviour, behaviour.status)
            return
        response = _Response(
            record=record,
            body=body,
            output=_output(record, prompt, behaviour),
            behaviour=behaviour,
            pace=self._requests.pace(behaviour),
            background=bool(body.get("background")),
        )
        self._kept[record.id] = response
        response.generation = asyncio.get_running_loop().create_task(response.generate())
        try:
            await _respond(response, connection, streamed=bool(body.get("stream")))
        except asyncio.CancelledError:
            if not response.background:
                response.stop("client_disconnected")
            raise

    def _forget(self) -> None:
        oldest = time.time() - self._seconds
        while self._kept:
            response_id, response = next(iter(self._kept.items()))
            if len(self._kept) <= self._most and response.record.arrived_at >= oldest:
                return
            self._kept.pop(response_id).stop("forgotten")


async def _respond(response: _Response, connection: HttpConnection, *, streamed: bool) -> None:
    if streamed:
        await response.watch(connection, None)
        return
    if not response.background:
        await response.wait_until_finished()
    if response.cut:
        connection.cut()
    else:
        connection.send_json(200, response.document())


async def _retrieve(response: _Response, request: HttpRequest, connection: HttpConnection) -> None:
    if request.query.get("stream", "").lower() != "true":
        connection.send_json(200, response.document())
        return
    if response.behaviour.resume_status is not None:
        send_scripted_error(connection, response.behaviour, response.behaviour.resume_status)
    elif not response.background:
        raise BadRequest("Only responses created with background=true can be streamed again.")
    else:
        after = request.query.get("starting_after")
        if after is not None and not after.isdecimal():
            raise BadRequest("Invalid 'starting_after': expected a sequence number.")
        await response.watch(connection, None if after is None else int(after))


def _cancel(response: _Response, connection: HttpConnection) -> None:
    if not response.background:
        raise BadRequest("Responses can only be cancelled if they were created with background=true.")
    response.stop("cancelled")
    connection.send_json(200, response.document())


def _output(record: RequestRecord, prompt: Prompt, behaviour: Behaviour) -> Output:
    try:
        return Output.of(prompt, behaviour)
    except (BadRequest, UnsupportedSchema):
        record.end("rejected")
        raise


def _prompt(body: dict[str, Any]) -> Prompt:
    given = body.get("input")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise BadRequest("Invalid 'input': expected a string or an array with at least one item.")
    instructions = body.get("instructions")
    messages = [{"role": "system", "content": instructions}, *given] if instructions else given
    response_format = (body.get("text") or {}).get("format") or {}
    return Prompt.of(body, messages, response_format, body.get("max_output_tokens"))
