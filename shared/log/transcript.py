"""Compute what the events of a log amount to: text, items, stage and progress."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from typing import Literal, TypeVar

from shared.log.event_log import LogSnapshot
from shared.log.events import (
    TERMINAL,
    Delta,
    Item,
    Progress,
    Reset,
    Snapshot,
    StageStarted,
    StoredEvent,
    StoredReset,
    StreamEvent,
    Subtask,
    Tool,
)
from shared.log.history import History

K = TypeVar("K", Item, Subtask)
ENDED = frozenset({"finished", "failed"})


@dataclass(frozen=True, slots=True)
class KeptText:
    """The text that a reset keeps: the beginning of the text so far, or of the text of the last checkpoint."""

    text: str
    of: Literal["text", "checkpoint"]


@dataclass(slots=True)
class Transcript:
    """The text, items, stage and progress after all events up to `seq`, which is 0 before the first event.

    `ended` is the terminal event if it is the last event; a resumption clears it. `checkpoint_text` is the text when
    the stage began: a later attempt at the stage may need it, although a reset has removed it from the text.
    """

    seq: int = 0
    stage: str | None = None
    progress: float = 0
    ended: StoredEvent | None = None
    items: dict[str, Item] = field(default_factory=dict)
    subtasks: dict[str, Subtask] = field(default_factory=dict)
    checkpoint_text: str = ""
    history: History = field(default_factory=History, compare=False)
    _parts: list[str] = field(default_factory=list)

    @classmethod
    def of_snapshot(cls, snapshot: LogSnapshot) -> Transcript:
        """Return the transcript that a snapshot stores."""
        return cls(
            snapshot.seq,
            snapshot.stage,
            snapshot.progress,
            None,
            _by_key(snapshot.items),
            _by_key(snapshot.subtasks),
            snapshot.checkpoint_text,
            History.of(snapshot.history, is_whole=snapshot.history_is_whole),
            [snapshot.text],
        )

    @property
    def text(self) -> str:
        """Return the text so far."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    def as_snapshot(self) -> Snapshot:
        """Return everything so far as one event."""
        return Snapshot(
            text=self.text,
            items=tuple(self.items.values()),
            subtasks=tuple(self.subtasks.values()),
            stage=self.stage,
            progress=self.progress,
        )

    def items_of(self, stage: str) -> dict[str, Item]:
        """Return the items of one stage by key, in log order."""
        return {key: item for key, item in self.items.items() if item.stage == stage}

    def text_up_to_last_item(self, stage: str) -> str | None:
        """Return the text that belongs to the stage's items, or None if the stage has no item."""
        last = next((item for item in reversed(self.items.values()) if item.stage == stage), None)
        return None if last is None else self.text[: last.text_length]

    def keep(self, text: str) -> KeptText:
        """Return how a reset names `text`, which is the beginning of the text so far or of the checkpoint's text.

        In a log that an earlier version has compacted, it may be neither. Then return as much of it as the two begin
        with in common.
        """
        if self.text.startswith(text):
            return KeptText(text, "text")
        if self.checkpoint_text.startswith(text):
            return KeptText(text, "checkpoint")
        both = takewhile(lambda pair: pair[0] == pair[1], zip(self.text, text, strict=False))
        return KeptText("".join(character for character, _ in both), "text")

    def sent(self, event: StoredEvent) -> StreamEvent:
        """Return the next event of the log as the stream sends it: a reset has the text that it keeps."""
        return event.as_sent(self._text_after(event)) if isinstance(event, StoredReset) else event

    def apply(self, seq: int, event: StreamEvent | StoredEvent, at: datetime | None = None) -> None:
        """Apply the event with number `seq`. Ignore it if it was applied before.

        `at` is the time of its append; without it, the event does not become part of the history.
        """
        if seq <= self.seq:
            return
        if at is not None:
            self.history.add(seq, at, event)
        self.seq = seq
        self._take(event)

    def _take(self, event: StreamEvent | StoredEvent) -> None:
        self.ended = None
        match event:
            case Delta(text=text):
                self._parts.append(text)
            case Reset() | StoredReset():
                self._take_reset(event)
            case Item(key=key):
                self.items[key] = event
            case Subtask() | Tool():
                self._take_subtask(event)
            case Snapshot(text=text, items=items, subtasks=subtasks, stage=stage, progress=progress):
                self._parts, self.stage, self.progress = [text], stage, progress
                self.items, self.subtasks = _by_key(items), _by_key(subtasks)
            case StageStarted(stage=stage):
                self._begin(stage)
            case Progress(progress=progress):
                self.progress = progress
            case _ if event.type in TERMINAL:
                self.ended = event  # type: ignore[assignment]  # TERMINAL names stored events only
            case _:
                pass

    def _begin(self, stage: str) -> None:
        if stage != self.stage:
            self.stage, self.checkpoint_text = stage, self.text

    def _text_after(self, reset: Reset | StoredReset) -> str:
        if reset.text is not None:
            return reset.text
        assert isinstance(reset, StoredReset)  # noqa: S101 - a Reset has its text
        whole = self.checkpoint_text if reset.kept_of == "checkpoint" else self.text
        return whole[: reset.kept_characters]

    def _take_reset(self, reset: Reset | StoredReset) -> None:
        self._parts, self.progress = [self._text_after(reset)], reset.progress
        # The next attempt begins the unfinished ones again, or not at all.
        self.subtasks = {key: each for key, each in self.subtasks.items() if each.status in ENDED}

    def _take_subtask(self, event: Subtask | Tool) -> None:
        """Store the event as the latest state of its subtask. A tool call is a subtask; one without a key is left out.

        Tool calls that were stored before they had keys are without one.
        """
        if isinstance(event, Subtask):
            self.subtasks[event.key] = event
        elif event.key is not None:
            self.subtasks[event.key] = Subtask(key=event.key, title=event.title or event.name, status=event.status)


def _by_key(keyed: Iterable[K]) -> dict[str, K]:
    return {each.key: each for each in keyed}
