"""The history of a job: when its attempts began, when text arrived, what reset it, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from shared.log.events import (
    Cancelled,
    Complete,
    Delta,
    Failed,
    Reset,
    Snapshot,
    StageStarted,
    StoredEvent,
    StoredReset,
    StreamEvent,
    Subtask,
    Tool,
)
from shared.schema import Schema

MAX_PARTS = 200
"""Maximum entries of tool calls and subtasks in a history: a fan-out may have a thousand parts."""

MAX_ENTRIES = 500
"""Maximum entries of a history."""


class HistoryEntry(Schema):
    """One moment of a job, or the time in which an attempt's text arrived.

    `reason` is that of a reset or of a failure, `message` tells it to people; `retryCount` is that of a reset, and null
    in entries of an earlier version. An entry of type `text` begins with the
    first text after a stage began or after a reset, and ends at `endedAt` with the last; `characters` is its length.
    Entries of a tool call or of a subtask have its `key`, `title` and `status`.
    """

    event_id: int = Field(ge=1, description="the id that the event has in the job's stream")
    at: datetime
    type: Literal["stage", "text", "tool", "subtask", "reset", "complete", "error", "cancelled"]
    stage: str | None = None
    attempt: int | None = None
    reason: str | None = None
    message: str | None = None
    retry_count: int | None = None
    ended_at: datetime | None = None
    characters: int | None = None
    key: str | None = None
    title: str | None = None
    status: Literal["started", "finished", "failed"] | None = None


@dataclass(slots=True)
class _Text:
    """The text that has arrived since a stage began or since a reset."""

    event_id: int
    began: datetime
    ended: datetime
    characters: int

    def entry(self) -> HistoryEntry:
        return HistoryEntry(
            event_id=self.event_id, at=self.began, type="text", ended_at=self.ended, characters=self.characters
        )


@dataclass(slots=True)
class History:
    """The entries of the events so far. It keeps at most MAX_ENTRIES; `is_whole` is false if it has left out any."""

    is_whole: bool = True
    _entries: list[HistoryEntry] = field(default_factory=list)
    _text: _Text | None = None
    _parts: int = 0

    @classmethod
    def of(cls, entries: Iterable[HistoryEntry], *, is_whole: bool) -> History:
        """Return a history that continues after these entries."""
        history = cls(is_whole, list(entries))
        history._parts = sum(each.type in {"tool", "subtask"} for each in history._entries)
        last = next((each for each in reversed(history._entries) if each.type not in {"tool", "subtask"}), None)
        if last is not None and last.type == "text":
            history._entries.remove(last)
            history._text = _Text(last.event_id, last.at, last.ended_at or last.at, last.characters or 0)
        return history

    @property
    def entries(self) -> tuple[HistoryEntry, ...]:
        """Return the entries in order of their events."""
        found = [*self._entries, self._text.entry()] if self._text is not None else self._entries
        return tuple(sorted(found, key=lambda each: each.event_id))

    def add(self, seq: int, at: datetime, event: StreamEvent | StoredEvent) -> None:
        """Add the event with number `seq`, which was appended at `at`."""
        if isinstance(event, Delta):
            self._add_text(seq, at, len(event.text))
            return
        if isinstance(event, Snapshot):
            self.is_whole = False
            return
        entry = _moment(seq, at, event)
        if entry is None:
            return
        if entry.type in {"tool", "subtask"}:
            if self._parts >= MAX_PARTS:
                self.is_whole = False
                return
            self._parts += 1
        elif self._text is not None:
            self._append(self._text.entry())
            self._text = None
        self._append(entry)

    def _add_text(self, seq: int, at: datetime, characters: int) -> None:
        if self._text is None:
            self._text = _Text(seq, at, at, characters)
        else:
            self._text.ended = at
            self._text.characters += characters

    def _append(self, entry: HistoryEntry) -> None:
        if len(self._entries) >= MAX_ENTRIES:
            self.is_whole = False
            del self._entries[0]
        self._entries.append(entry)


def joined(earlier: Iterable[HistoryEntry], later: Iterable[HistoryEntry]) -> tuple[HistoryEntry, ...]:
    """Return both in order of their event ids, each event once; `later` replaces an entry of the same event."""
    by_id = {each.event_id: each for each in (*earlier, *later)}
    return tuple(by_id[event_id] for event_id in sorted(by_id))


def _moment(seq: int, at: datetime, event: StreamEvent | StoredEvent) -> HistoryEntry | None:
    fields = _part(event) or _moment_fields(event)
    return None if fields is None else HistoryEntry(event_id=seq, at=at, **fields)


def _part(event: StreamEvent | StoredEvent) -> dict[str, Any] | None:
    match event:
        case Tool(key=key, name=name, status=status):
            return {"type": "tool", "key": key, "title": event.title or name, "status": status}
        case Subtask(key=key, title=title, status=status) if status != "running":
            return {"type": "subtask", "key": key, "title": title, "status": status}
        case _:
            return None


def _moment_fields(event: StreamEvent | StoredEvent) -> dict[str, Any] | None:
    match event:
        case StageStarted(stage=stage, attempt=attempt):
            return {"type": "stage", "stage": stage, "attempt": attempt}
        case (
            StoredReset(reason=reason, message=message, attempt=attempt, retry_count=retries)
            | Reset(reason=reason, message=message, attempt=attempt, retry_count=retries)
        ):
            return {
                "type": "reset",
                "attempt": attempt,
                "reason": str(reason),
                "message": message,
                "retry_count": retries,
            }
        case Failed(code=code, message=message, stage=stage, attempt=attempt):
            return {"type": "error", "stage": stage, "attempt": attempt, "reason": code.value, "message": message}
        case Cancelled(stage=stage):
            return {"type": "cancelled", "stage": stage}
        case Complete():
            return {"type": "complete"}
        case _:
            return None
