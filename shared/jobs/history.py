"""The history of a job: its attempts, resets and ends with their times, as the log's events tell them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydantic import Field

from shared.log.event_log import LogEntry
from shared.log.events import Cancelled, Complete, Failed, StageStarted, StoredReset
from shared.schema import Schema


class HistoryEntry(Schema):
    """One moment of a job: an attempt at a stage began, the text was reset, or the job ended.

    `reason` is that of a reset or of a failure, `message` tells it to people.
    """

    event_id: int = Field(ge=1, description="the id that the event has in the job's stream")
    at: datetime
    type: Literal["stage", "reset", "complete", "error", "cancelled"]
    stage: str | None = None
    attempt: int | None = None
    reason: str | None = None
    message: str | None = None


def history_of(entries: Iterable[LogEntry]) -> tuple[HistoryEntry, ...]:
    """Return the moments among these entries of a log, in order. Compaction has removed those that it covers."""
    return tuple(found for found in map(_moment, entries) if found is not None)


def joined(earlier: Iterable[HistoryEntry], later: Iterable[HistoryEntry]) -> tuple[HistoryEntry, ...]:
    """Return both in order of their event ids, each event once; `later` replaces an entry of the same event."""
    by_id = {each.event_id: each for each in (*earlier, *later)}
    return tuple(by_id[event_id] for event_id in sorted(by_id))


def _moment(entry: LogEntry) -> HistoryEntry | None:
    at = {"event_id": entry.seq, "at": entry.at}
    match entry.event:
        case StageStarted(stage=stage, attempt=attempt):
            return HistoryEntry(**at, type="stage", stage=stage, attempt=attempt)
        case StoredReset(reason=reason, message=message, attempt=attempt):
            return HistoryEntry(**at, type="reset", attempt=attempt, reason=str(reason), message=message)
        case Failed(code=code, message=message, stage=stage, attempt=attempt):
            return HistoryEntry(**at, type="error", stage=stage, attempt=attempt, reason=code.value, message=message)
        case Cancelled(stage=stage):
            return HistoryEntry(**at, type="cancelled", stage=stage)
        case Complete():
            return HistoryEntry(**at, type="complete")
        case _:
            return None
