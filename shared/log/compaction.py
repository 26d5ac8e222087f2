"""Store a snapshot of a log's older events: to keep the log bounded, or to keep it for longer."""

from __future__ import annotations

from shared.log.event_log import EventLog, LogSnapshot
from shared.log.transcript import Transcript


def compact(log: EventLog, job_id: str, log_bytes: int, *, expires_at: int) -> LogSnapshot | None:
    """Store a snapshot of all events except the newest batch, delete those events, and return the snapshot.

    Return the stored snapshot, or None, if there is nothing to add to it. `log_bytes` is the size of what the snapshot
    covers, `expires_at` is when the job expires (Unix seconds).
    """
    stored = log.snapshot(job_id)
    snapshot = _snapshot(log, job_id, stored, log_bytes, consistent=False)
    if snapshot.seq == (stored.seq if stored else 0):
        return stored
    log.compact(job_id, snapshot, expires_at=expires_at)
    return snapshot


def renew(log: EventLog, job_id: str, *, expires_at: int) -> None:
    """Store a snapshot of all events except the newest batch, for a job that now expires later, at `expires_at`.

    The events themselves still expire when they did. From then on, readers get the snapshot.
    """
    snapshot = _snapshot(log, job_id, log.snapshot(job_id), log.tail(job_id).log_bytes, consistent=True)
    log.renew(job_id, snapshot, expires_at=expires_at)


def _snapshot(
    log: EventLog, job_id: str, stored: LogSnapshot | None, log_bytes: int, *, consistent: bool
) -> LogSnapshot:
    """Return a snapshot of all events except the newest batch; `stored` is the log's newest one.

    It is a function of the events, so attempts that compact the same log store the same snapshot.
    """
    transcript = Transcript() if stored is None else Transcript.of_snapshot(stored)
    entries = log.read(job_id, after=transcript.seq, consistent=consistent)
    for entry in entries:
        if entry.seq != transcript.seq + 1 or entry.first == entries[-1].first:
            break
        transcript.apply(entry.seq, entry.event, entry.at)
    return LogSnapshot(
        transcript.seq,
        transcript.text,
        transcript.stage,
        transcript.progress,
        log_bytes,
        tuple(transcript.items.values()),
        tuple(transcript.subtasks.values()),
        transcript.checkpoint_text,
        transcript.history.entries,
        transcript.history.is_whole,
    )
