"""Keep a log bounded: fold its older events into a snapshot and drop them."""

from __future__ import annotations

from shared.log.event_log import EventLog, LogSnapshot
from shared.log.transcript import Transcript


def compact(log: EventLog, job_id: str, log_bytes: int) -> LogSnapshot | None:
    """Fold all but the newest batch into a snapshot, drop what it covers, and answer it.

    Folding a prefix of the log gives the same snapshot whoever does it, and however often.
    """
    standing = log.snapshot(job_id)
    transcript = Transcript()
    if standing is not None:
        transcript = Transcript.of_snapshot(standing)
    entries = log.read(job_id, after=transcript.seq)
    for entry in entries:
        if entry.seq != transcript.seq + 1 or entry.first == entries[-1].first:
            break
        transcript.apply(entry.seq, entry.event)
    if transcript.seq == (standing.seq if standing else 0):
        return standing
    items = tuple(transcript.items.values())
    snapshot = LogSnapshot(transcript.seq, transcript.text, transcript.stage, transcript.progress, log_bytes, items)
    log.compact(job_id, snapshot)
    return snapshot
