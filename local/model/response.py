"""One response of the scripted model, and its events."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any, Literal

from local.model.behaviour import Behaviour
from local.model.connection import HttpConnection
from local.model.output import Output
from local.model.requests import MODEL, Pace, RequestRecord, Watcher
from local.model.response_items import CallItem, Event, Item, MessageItem
from local.model.tokens import with_time


@dataclass(slots=True)
class ScriptedResponse:
    """One response. It is written at its own pace, and its events are kept for connections that come later."""

    record: RequestRecord
    body: dict[str, Any]
    output: Output
    behaviour: Behaviour
    pace: Pace
    background: bool
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"] = "queued"
    generation: asyncio.Task[None] | None = None
    _items: list[Item] = field(default_factory=list)
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
            "output": self._output_items() if self.status in {"completed", "incomplete"} else [],
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "store": True,
            "temperature": self.body.get("temperature", 1.0),
            "text": self.body.get("text") or {"format": {"type": "text"}},
            "tool_choice": self.body.get("tool_choice") or "auto",
            "tools": self.body.get("tools") or [],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": self._usage(),
        }

    async def _write(self) -> None:
        self._add_event("response.created", response=self.document())
        self._add_event("response.queued", response=self.document())
        self.status = "in_progress"
        self._add_event("response.in_progress", response=self.document())
        for number, token in enumerate(self.output.tokens):
            if number == self.behaviour.breaks_off_after and await self._breaks_off():
                return
            await self.pace.reach(number)
            if number == 0:
                self.record.first_token_at = time.time()
            item = self._item_of(token.call)
            self._add_events(item.delta(with_time(token.text)))
            self.record.tokens_sent += 1
        self._end()

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

    def _end(self) -> None:
        self.status = "incomplete" if self.output.finish_reason in {"length", "content_filter"} else "completed"
        self._add_events(*(self._items[-1].closing(self.status) if self._items else ()))
        if not self.behaviour.omit_finish_reason:
            self._add_event(f"response.{self.status}", response=self.document())

    def _item_of(self, call: int | None) -> Item:
        """Return the item that is being written; at its first token, close the one before it and open it."""
        identity = self.record.id.replace("resp_", "msg_") if call is None else self.output.calls[call].item_id
        if self._items and self._items[-1].id == identity:
            return self._items[-1]
        if self._items:
            self._add_events(*self._items[-1].closing("completed"))
        index = len(self._items)
        item: Item = (
            MessageItem(identity, index, refused=self.behaviour.refusal)
            if call is None
            else CallItem(identity, index, call=self.output.calls[call])
        )
        self._items.append(item)
        self._add_events(*item.opening())
        return item

    def _output_items(self) -> list[dict[str, Any]]:
        return [item.document("completed") for item in self._items[:-1]] + [
            item.document(self.status) for item in self._items[-1:]
        ]

    def _usage(self) -> dict[str, Any] | None:
        if self.behaviour.omit_usage or self.status not in {"completed", "incomplete"}:
            return None
        read, sent = self.output.prompt_tokens, self.record.tokens_sent + self.output.reasoning_tokens
        return {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": self.output.cached_tokens, "cache_write_tokens": 0},
            "output_tokens": sent,
            "output_tokens_details": {"reasoning_tokens": self.output.reasoning_tokens},
            "total_tokens": read + sent,
        }

    def _add_events(self, *events: Event) -> None:
        for kind, fields in events:
            self._add_event(f"response.{kind}", **fields)

    def _add_event(self, kind: str, **fields: Any) -> None:
        event = {**fields, "type": kind, "sequence_number": len(self._events)}
        self._events.append(f"event: {kind}\ndata: {json.dumps(event)}\n\n".encode())
        self._announce()

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
