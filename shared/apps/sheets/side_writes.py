"""Let a session follow its jobs: it changes in the transaction that creates, resumes or ends a job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from shared.apps.sheets import moves
from shared.apps.sheets.models import SheetAnswer, WorkbookLoaded
from shared.apps.sheets.moves import Request, refuse_if_busy, refuse_unless_possible
from shared.apps.sheets.publication import Publication
from shared.apps.sheets.session import (
    Action,
    ChatMessage,
    JobChanged,
    MessageAdded,
    Session,
    SessionEvent,
    SessionJob,
    SessionProblem,
    SessionState,
    StateChanged,
    Version,
)
from shared.apps.sheets.session_id import message_id
from shared.apps.sheets.session_store import SessionChange, SessionStore
from shared.errors import ErrorCode, FieldIssue, InvalidInput
from shared.jobs.checkpoints import CheckpointStore, latest_checkpoint
from shared.jobs.job import Job, JobStatus
from shared.jobs.store import PreparedWrites
from shared.log.event_log import EventLog
from shared.log.reader import read_transcript

LOAD, CHAT, EXPORT = "sheet_load", "sheet_chat", "sheet_export"
"""The names of the pipelines."""

NEEDS = {LOAD: Request.LOAD, CHAT: Request.ASK, EXPORT: Request.EXPORT}
"""What a job of each pipeline asks of its session."""

ALONE = frozenset({LOAD, CHAT})
"""The pipelines of which a session has one live job at a time. An export only reads a version."""

VERSIONS_OF_ANSWER = 100
"""How many of the newest versions are searched for those of an answer: more than a chat job may make."""

HELPS: dict[str, Action] = {ErrorCode.UNSUPPORTED_FILE: "upload", ErrorCode.DATA_GONE: "upload"}
"""What helps after a load that failed with this code; to load the file again helps after any other."""

CANCELLED = "CANCELLED"
"""The code of a session's problem whose load was cancelled."""


class SessionJobs:
    """Implements SideWrites: the session lists the job, shows its messages, and changes its state as the job ends."""

    def __init__(self, sessions: SessionStore, *, checkpoints: CheckpointStore, event_log: EventLog) -> None:
        self._sessions = sessions
        self._checkpoints = checkpoints
        self._log = event_log

    def on_creation(self, job: Job) -> PreparedWrites | None:
        """Prepare the job's entry in its session, and the question of a chat.

        Raises:
            InvalidInput: the job names no session of its owner.
            Conflict: the session's state does not allow the job, or another job runs.
        """
        session = self._session(job)
        if session is None or session.owner != job.owner:
            rule = "must be the id of one of your sessions: a job of this pipeline works on a session"
            raise InvalidInput([FieldIssue("links.sessionId", rule)])
        refuse_unless_possible(session, NEEDS[job.pipeline])
        if job.pipeline in ALONE:
            refuse_if_busy(session)
        question = [_question(job)] if job.pipeline == CHAT else []
        return self._prepare(session, job, active=self._active_with(session, job), messages=question)

    def on_transition(self, job: Job) -> PreparedWrites | None:
        """Prepare what the session has to say of a job that ends or resumes; None if it says so already.

        Raises Conflict if the session's state does not allow the resumption, or another job runs.
        """
        session = self._session(job)
        before = None if session is None else self._sessions.job(session.id, job.id)
        if session is None or before is None:
            return None  # the session was deleted
        if not job.status.ended:
            refuse_unless_possible(session, NEEDS[job.pipeline])
            if job.pipeline in ALONE:
                refuse_if_busy(session, except_for=job.id)
            return self._prepare(session, job, active=self._active_with(session, job))
        answer = list(self._answer(session, job))
        if before == _entry(job) and not answer:
            return None
        return self._end(session, job, answer)

    def _end(self, session: Session, job: Job, answer: list[ChatMessage]) -> PreparedWrites:
        active = None if session.active_job_id == job.id else session.active_job_id
        if job.pipeline != LOAD or session.state not in {SessionState.INITIALIZING, SessionState.ERROR}:
            return self._prepare(session, job, active=active, messages=answer)
        if job.status is JobStatus.COMPLETED:
            return self._loaded(session, job, active)
        problem = _problem(job)
        event = StateChanged(state=SessionState.ERROR, error=problem)
        errors = moves.failed(session, problem).after.errors
        return self._prepare(session, job, active=active, events=[event], state=SessionState.ERROR, errors=errors)

    def _loaded(self, session: Session, job: Job, active: str | None) -> PreparedWrites:
        """Prepare the session's first version, or the one after a reload, together with the end of the load."""
        loaded = WorkbookLoaded.model_validate(self._output(job))
        publication = Publication(loaded.version, loaded.blocks or (), job_id=job.id)
        published = publication.event
        if loaded.blocks is None:
            published = published.model_copy(update={"blocks": None})
        head = publication.head_of(session, events=0)
        fields = {"source": loaded.source, "inventory": loaded.inventory, "bytes": loaded.source.bytes}
        events: list[SessionEvent] = [StateChanged(state=SessionState.ACTIVE), published]
        return self._prepare(
            session, job, active=active, events=events, version=loaded.version, head=head.model_copy(update=fields)
        )

    def _prepare(
        self,
        session: Session,
        job: Job,
        *,
        active: str | None,
        events: Iterable[SessionEvent] = (),
        messages: Iterable[ChatMessage] = (),
        version: Version | None = None,
        head: Session | None = None,
        **fields: Any,
    ) -> PreparedWrites:
        """Prepare the change of the session that lists the job as it is, with these further events and fields.

        `head` is the session with the fields that its new version has changed.
        """
        messages = tuple(messages)
        new = sum(self._sessions.message(session.id, each.id) is None for each in messages)
        entry = _entry(job)
        all_events = (
            *events,
            *(MessageAdded(message=each) for each in messages),
            JobChanged(job=entry, active_job_id=active),
        )
        after = (head or session).model_copy(
            update={
                **fields,
                "active_job_id": active,
                "messages": session.messages + new,
                "seq": session.seq + len(all_events),
                "updated_at": job.updated_at,
            }
        )
        return self._sessions.prepare(
            SessionChange(session, after, all_events, version=version, messages=messages, jobs=(entry,))
        )

    def _answer(self, session: Session, job: Job) -> Iterator[ChatMessage]:
        """Yield the answer of an ended chat, if it is not stored like this."""
        if job.pipeline != CHAT:
            return
        text, outcome = self._text(job)
        # A job that has not started has made no version; the function that creates it may not read them.
        made = self._sessions.versions(session.id, limit=VERSIONS_OF_ANSWER) if job.started_at is not None else ()
        answer = ChatMessage(
            session_id=session.id,
            id=message_id(job.id, "assistant"),
            role="assistant",
            text=text,
            job_id=job.id,
            versions=tuple(sorted(each.number for each in made if (each.origin or "").startswith(f"{job.id}:"))),
            outcome=outcome,
            created_at=job.ended_at or job.updated_at,
        )
        if self._sessions.message(session.id, answer.id) != answer:
            yield answer

    def _text(self, job: Job) -> tuple[str, str]:
        """Return the text of an ended chat's answer, and how it ended."""
        if job.status is JobStatus.COMPLETED:
            answer = SheetAnswer.model_validate(self._output(job))
            return answer.text, answer.outcome
        return read_transcript(self._log, job.id, consistent=True).text, job.status.value

    def _output(self, job: Job) -> dict[str, Any]:
        """Return the output of the last stage of a completed job."""
        latest = latest_checkpoint(job)
        assert latest is not None  # noqa: S101 - a job is completed after its last stage
        return self._checkpoints.get(job.id, *latest).output

    def _session(self, job: Job) -> Session | None:
        return self._sessions.get(job.links.session_id) if job.links.session_id else None

    def _active_with(self, session: Session, job: Job) -> str | None:
        return job.id if job.pipeline in ALONE else session.active_job_id


def _entry(job: Job) -> SessionJob:
    return SessionJob(
        session_id=str(job.links.session_id),
        job_id=job.id,
        pipeline=job.pipeline,
        status=job.status,
        usage=job.usage,
        created_at=job.created_at,
        ended_at=job.ended_at,
    )


def _question(job: Job) -> ChatMessage:
    return ChatMessage(
        session_id=str(job.links.session_id),
        id=message_id(job.id, "user"),
        role="user",
        text=str(job.input["text"]),
        job_id=job.id,
        created_at=job.created_at,
    )


def _problem(job: Job) -> SessionProblem:
    """Return why the session has no workbook, from a load that failed or was cancelled."""
    at = job.ended_at or job.updated_at
    if job.failure is None or job.status is JobStatus.CANCELLED:
        message = "the load of the file was cancelled; load it again"
        return SessionProblem(code=CANCELLED, message=message, retryable=True, action="load", job_id=job.id, at=at)
    failure = job.failure
    return SessionProblem(
        code=failure.code,
        message=failure.message,
        retryable=failure.retryable,
        action=HELPS.get(failure.code, "load"),
        job_id=job.id,
        at=at,
    )
