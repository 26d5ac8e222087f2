"""Decide what an attempt at a part appends to the log, from what the log amounts to at that moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.log.events import ApplicationEvent, Item, Progress, StageStarted, StoredEvent, Subtask
from shared.log.transcript import Transcript


@dataclass(frozen=True, slots=True)
class PartEvents:
    """The events of one part of the stage `stage`, which is number `index` of `of`, from 1.

    `titles` has every part of the fan-out. `text_length` is the length of the job's text, which no part changes.
    `since` is the job's progress before the fan-out; with all parts finished it is `100 * index / of`.
    """

    stage: str
    index: int
    of: int
    part: str
    titles: Mapping[str, str]
    text_length: int
    since: float

    def are_over(self, transcript: Transcript) -> bool:
        """Return whether the part has its result."""
        return self.part in transcript.items_of(self.stage)

    def started(self, transcript: Transcript, is_first: bool) -> list[StoredEvent]:
        """Return the events of a starting attempt; `is_first` if no part has started in this generation."""
        if self.are_over(transcript):
            return []
        events: list[StoredEvent] = [StageStarted(stage=self.stage, index=self.index, of=self.of)] if is_first else []
        if not self.is_under_way(transcript):
            events.append(self._subtask("started"))
        return [*events, *self._progress(transcript)]

    def finished(
        self, transcript: Transcript, result: dict[str, Any], event: ApplicationEvent | None
    ) -> list[StoredEvent]:
        """Return the events of an attempt that has a result; none if another attempt was first."""
        if self.are_over(transcript):
            return []
        return [
            self.item(result),
            self._subtask("finished", progress=100),
            *self._progress(transcript, newly_finished=1),
            *(() if event is None else (event,)),
        ]

    def failed(self, transcript: Transcript) -> list[StoredEvent]:
        """Return the events of an attempt that has failed; none if the log does not show the part as started."""
        return [self._subtask("failed")] if self.is_under_way(transcript) else []

    def item(self, result: dict[str, Any]) -> Item:
        """Return the item that keeps the part's result."""
        return Item(stage=self.stage, key=self.part, data=result, text_length=self.text_length)

    def is_under_way(self, transcript: Transcript) -> bool:
        """Return whether an attempt at the part has started and the log does not show its end."""
        subtask = transcript.subtasks.get(self.part)
        return subtask is not None and subtask.status == "started"

    def _subtask(self, status: Literal["started", "finished", "failed"], *, progress: float | None = None) -> Subtask:
        return Subtask(key=self.part, title=self.titles[self.part], status=status, progress=progress)

    def _progress(self, transcript: Transcript, *, newly_finished: int = 0) -> list[Progress]:
        """Return the progress that follows from the finished parts, if it is above the progress so far."""
        finished = len(self.titles.keys() & transcript.items_of(self.stage).keys()) + newly_finished
        until = 100 * self.index / self.of
        progress = round(self.since + (until - self.since) * finished / len(self.titles), 1)
        return [Progress(progress=progress)] if progress > max(self.since, transcript.progress) else []
