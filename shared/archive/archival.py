"""Archive jobs when they end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from shared.archive.ledger import End
from shared.archive.record import ArchivedJob, Retention
from shared.archive.retention import ArchiveDays, RetentionRule
from shared.archive.store import ArchiveStore
from shared.clock import Clock
from shared.errors import Conflict
from shared.jobs.checkpoints import CheckpointStore, StageOutput, latest_checkpoint
from shared.jobs.ending import ensure_terminal_event, terminal_events
from shared.jobs.job import Job, JobStatus, LinkKind, ids_of
from shared.jobs.links import LinkedEntities
from shared.jobs.store import JobStore
from shared.jobs.transitions import JobTransition
from shared.log.event_log import EventLog, LogEntry, end_shown_by
from shared.log.history import joined
from shared.log.reader import read_log
from shared.log.transcript import Transcript
from shared.observability.log import log


class JobArchival:
    """Archive ended jobs. `entities_of` returns who may have the entity of a link, as LinkChecks has it."""

    def __init__(
        self,
        *,
        jobs: JobStore,
        event_log: EventLog,
        checkpoints: CheckpointStore,
        archive: ArchiveStore,
        days: ArchiveDays,
        entities_of: Callable[[LinkKind, str], Iterable[LinkedEntities]],
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._log = event_log
        self._checkpoints = checkpoints
        self._archive = archive
        self._days = days
        self._entities_of = entities_of
        self._retention = RetentionRule(entities_of)
        self._clock = clock

    def archive(self, transition: JobTransition) -> End | None:
        """Archive the job if the transition is an end of it, and return what the ledger counts; None if it is not.

        It can be repeated, and transitions of a job may come in any order: the record of a later end stays. A job that
        was erased, or whose session, run or project was deleted, leaves no record, whatever happens at the same time.
        """
        if not transition.ended:
            return None
        job, current, is_current = transition.job, self._as_stored(transition.job), False
        if current is not None and _end_together(current, job):
            job, is_current = current, True  # an attempt that was stopped has counted its calls after the end
        if current is None and self._jobs.is_erased(job.id):
            self._archive.erase(job.owner, job.id)
            return End(job, erased=True)
        was_resumed = current is not None and current.generation > job.generation
        retention = None if was_resumed else self._store(job, is_current=is_current)
        # An erasure first says that it erases, then deletes the record. So either this finds what it says, or the
        # erasure finds the record. The deletion of what the job is linked to does the same.
        erased = self._jobs.is_erased(job.id)
        if erased or (retention is not None and self._lost_a_link(job)):
            self._archive.erase(job.owner, job.id)
            log.info("erased job not archived", **ids_of(job))
        elif retention is not None:
            log.info("job archived", **ids_of(job), retention=retention, generation=job.generation)
        return End(job, erased=erased)

    def _as_stored(self, job: Job) -> Job | None:
        """Return the stored job. A completed job is never resumed, so a cheaper read will do if it shows the end."""
        if job.status is JobStatus.COMPLETED:
            older = self._jobs.get(job.id, consistent=False)
            if older is not None and _end_together(older, job):
                return older
        return self._jobs.get(job.id)

    def _store(self, job: Job, *, is_current: bool) -> Retention | None:
        """Store the job's record, and return its retention; None if records of this retention are not kept."""
        retention = self._retention.of(job)
        if not self._days.of(retention):
            return None
        transcript, entries = read_log(self._log, job.id, consistent=False)  # half the price, and shows most ends
        if not _shows_end(job, transcript, entries):
            transcript, entries = read_log(self._log, job.id)
        if is_current and not end_shown_by(entries).ends(job.generation):
            # The process that ended the job has died before it appended the end, or is just about to.
            ensure_terminal_event(self._log, job, clock=self._clock)
            transcript, entries = read_log(self._log, job.id)
        record = self._record(job, transcript, entries).model_copy(update={"retention": retention})
        self._archive.put(record)
        return retention

    def _lost_a_link(self, job: Job) -> bool:
        """Return whether a run, session or project that the job is linked to has been deleted."""
        return any(not self._exists(job, kind, entity_id) for kind, entity_id in job.links.by_kind().items())

    def _exists(self, job: Job, kind: LinkKind, entity_id: str) -> bool:
        """Return whether the job's owner has the entity; true if no application owns links of this kind."""
        owned = False
        for entities in self._entities_of(kind, job.pipeline):
            owned = True
            try:
                if entities.condition(job, entity_id) is not None:
                    return True
            except Conflict:
                return True  # it takes no more jobs, but exists
        return not owned

    def _record(self, job: Job, transcript: Transcript, entries: Sequence[LogEntry]) -> ArchivedJob:
        earlier = self._archive.get(job.owner, job.id) if job.generation > 1 else None
        last = transcript.seq if transcript.ended is not None else transcript.seq + len(terminal_events(job))
        if transcript.ended is None:
            log.warning("job archived without the end of its log", **ids_of(job))
        completed, history = job.status is JobStatus.COMPLETED, transcript.history
        return ArchivedJob(
            retention="standard",
            archived_at=self._clock(),
            job=job,
            input=job.input,
            text=transcript.text,
            items=tuple(transcript.items.values()),
            subtasks=tuple(transcript.subtasks.values()),
            stage=transcript.stage or job.stage,
            progress=100 if completed else transcript.progress,
            last_event_id=last,
            log_bytes=end_shown_by(entries).log_bytes,
            result=self._result(job) if completed else None,
            history=joined(earlier.history, history.entries) if earlier is not None else history.entries,
            history_is_whole=history.is_whole or (earlier is not None and _meet(earlier, entries)),
            outputs={} if completed else self._outputs(job),
        )

    def _result(self, job: Job) -> dict[str, Any] | None:
        latest = latest_checkpoint(job)
        output = self._outputs(job, only=latest[0]).get(latest[0]) if latest is not None else None
        return None if output is None else output.output

    def _outputs(self, job: Job, *, only: str | None = None) -> dict[str, StageOutput]:
        """Return the outputs of the job's finished stages, or of one of them, in the order of the stages."""
        refs = sorted(job.checkpoints.items(), key=lambda each: each[1].seq)
        found: dict[str, StageOutput] = {}
        for stage, ref in refs:
            if only in {None, stage}:
                try:
                    found[stage] = self._checkpoints.get(job.id, stage, ref)
                except KeyError:  # the job's record of the stream came so late that DynamoDB has deleted the output
                    log.warning("job archived without an output", **ids_of(job), stage=stage)
        return found


def _end_together(one: Job, other: Job) -> bool:
    """Return whether both are the same job after the same end."""
    return (one.generation, one.status) == (other.generation, other.status)


def _shows_end(job: Job, transcript: Transcript, entries: Sequence[LogEntry]) -> bool:
    """Return whether the entries end with the job's end, and the transcript has all events up to there."""
    end = end_shown_by(entries)
    return end.ends(job.generation) and transcript.seq == end.seq


def _meet(earlier: ArchivedJob, entries: Sequence[LogEntry]) -> bool:
    """Return whether the earlier record's history is whole, and the log's entries begin where it ends or before."""
    return earlier.history_is_whole and bool(entries) and entries[0].seq <= earlier.last_event_id + 1
