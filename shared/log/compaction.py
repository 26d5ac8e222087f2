"""Keep a log bounded: store a snapshot of its older events and delete those events."""

from __future__ import annotations

from shared.log.event_log import EventLog, LogSnapshot
from shared.log.transcript import Transcript


def compact(log: EventLog, job_id: str, log_bytes: int) -> LogSnapshot | None:
    """Store a snapshot of all events except the newest batch, delete those events, and return the snapshot.

    Return the stored snapshot, or None, if there is nothing to add to it. `log_bytes` is the size of the log's text.
    The snapshot is a function of the events, so attempts that compact the same log store the same snapshot.
    """
    stored = log.snapshot(job_id)
    transcript = Transcript()
    if stored is not None:
        transcript = Transcript.of_snapshot(stored)
    entries = log.read(job_id, after=transcript.seq)
    for entry in entries:
        if entry.seq != transcript.seq + 1 or entry.first == entries[-1].first:
            break
        transcript.apply(entry.seq, entry.event)
    if transcript.seq == (stored.seq if stored else 0):
        return stored
    items = tuple(transcript.items.values())
    snapshot = LogSnapshot(
        transcript.seq,
        transcript.text,
        transcript.stage,
        transcript.progress,
        log_bytes,
        items,
        tuple(transcript.subtasks.values()),
    )
    log.compact(job_id, snapshot)
    return snapshot
