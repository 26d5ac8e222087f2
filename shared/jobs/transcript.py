"""What the events of a job add up to: the text, stage and progress a watcher should see."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.jobs.event_log import LogSnapshot
from shared.jobs.events import TERMINAL, Delta, Progress, Reset, Snapshot, StageStarted, StoredEvent, StreamEvent


@dataclass(slots=True)
class Transcript:
    """The fold over a job's events; `seq` is the last one folded in (0 before the first)."""

    seq: int = 0
    stage: str | None = None
    progress: float = 0
    ended: StoredEvent | None = None
    _parts: list[str] = field(default_factory=list)

    @classmethod
    def of_snapshot(cls, snapshot: LogSnapshot) -> Transcript:
        return cls(snapshot.seq, snapshot.stage, snapshot.progress, None, [snapshot.text])

    @property
    def text(self) -> str:
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    def apply(self, seq: int, event: StreamEvent) -> None:
        """Fold in the event at `seq`. Events at or before the last one folded are ignored: seen is seen."""
        if seq <= self.seq:
            return
        self.seq = seq
        self.ended = None
        match event:
            case Delta(text=text):
                self._parts.append(text)
            case Reset(text=text, progress=progress):
                self._parts, self.progress = [text], progress
            case Snapshot(text=text, stage=stage, progress=progress):
                self._parts, self.stage, self.progress = [text], stage, progress
            case StageStarted(stage=stage):
                self.stage = stage
            case Progress(progress=progress):
                self.progress = progress
            case _ if event.type in TERMINAL:
                self.ended = event  # type: ignore[assignment]  # TERMINAL names stored events only
            case _:
                pass
