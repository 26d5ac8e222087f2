"""Let a session work: load its file, answer a message, recover it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.apps.sheets import moves
from shared.apps.sheets.health import SessionHealth
from shared.apps.sheets.models import SheetChatInput, SheetLoadInput
from shared.apps.sheets.moves import Request, refuse_if_busy, refuse_unless_possible
from shared.apps.sheets.queries import owned_session
from shared.apps.sheets.saving import save
from shared.apps.sheets.session import Action, Session, SessionProblem
from shared.apps.sheets.session_store import SessionChange, SessionFiles, SessionStore
from shared.clock import Clock
from shared.errors import Conflict, ErrorCode
from shared.jobs.creation import JobCreation, NewJob
from shared.jobs.job import Job, JobLinks
from shared.jobs.pipeline import JobInput

NOTHING_LEFT = "no version of the workbook and no upload is stored any more; upload the file again"

CHANGES_LOST = (
    "no version of the workbook can be read, and not all of its changes are kept, so it cannot be made again; load the "
    "session to start again from its file without the changes"
)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a request's job is traced by."""

    trace_id: str | None = None
    request_id: str | None = None


class SessionWork:
    """Start the work that owners ask of their sessions. `owner` is the authenticated user."""

    def __init__(
        self,
        *,
        sessions: SessionStore,
        files: SessionFiles,
        health: SessionHealth,
        jobs: JobCreation,
        recover: Callable[[Session], Session | None],
        can_rebuild: Callable[[Session], bool],
        clock: Clock,
    ) -> None:
        """`recover` returns the session with its newest whole version; None if there is none.

        `can_rebuild` returns whether that version cannot be read, but can be made again from the session's file.
        """
        self._sessions = sessions
        self._files = files
        self._health = health
        self._jobs = jobs
        self._recover = recover
        self._can_rebuild = can_rebuild
        self._clock = clock

    def load(self, owner: str, session_id: str, origin: Origin, *, idempotency_key: str | None = None) -> Job:
        """Start the job that loads the session's upload.

        Raises:
            NotFound, Forbidden: as `owned_session`.
            Conflict: the session is active or closed, its load runs, or its file is not uploaded.
        """
        session = owned_session(self._sessions, owner, session_id)
        load = _load(session, origin)
        repeated = self._jobs.repeated(owner, idempotency_key, load)
        if repeated is not None:
            return repeated
        refuse_unless_possible(session, Request.LOAD)
        refuse_if_busy(session)
        self._refuse_without_upload(session)
        return self._jobs.create(owner, load, idempotency_key=idempotency_key)

    def ask(
        self,
        owner: str,
        session_id: str,
        message: SheetChatInput,
        origin: Origin,
        *,
        idempotency_key: str | None = None,
    ) -> Job:
        """Start the job that answers the message.

        Raises:
            NotFound, Forbidden: as `owned_session`.
            InvalidInput: the agent or the model is not available.
            Conflict: the session is not valid, or another job of the session runs.
        """
        session = owned_session(self._sessions, owner, session_id)
        chat = _job(session, "sheet_chat", message, origin)
        repeated = self._jobs.repeated(owner, idempotency_key, chat)
        if repeated is not None:
            return repeated
        self._health.refuse_unless_valid(session, Request.ASK)
        refuse_if_busy(session)
        return self._jobs.create(owner, chat, idempotency_key=idempotency_key)

    def recover(
        self, owner: str, session_id: str, origin: Origin, *, idempotency_key: str | None = None
    ) -> tuple[Session, Job | None]:
        """Return the session with its newest whole version, or else start the job that loads its upload again.

        If the newest version cannot be read, the job also makes the session's changes again. A repeat of a request that
        started a job, with the same key, returns that job.

        Raises:
            NotFound, Forbidden: as `owned_session`.
            Conflict: the session is not in the state ERROR, its load runs, or neither a version nor the upload is
                stored. Also if no version can be read and not all changes are kept: a load would lose them.
        """
        session = owned_session(self._sessions, owner, session_id)
        loads = [_load(session, origin, rebuild=rebuild) for rebuild in (False, True)]
        repeated = self._jobs.repeated(owner, idempotency_key, *loads)
        if repeated is not None:
            return session, repeated
        refuse_unless_possible(session, Request.RECOVER)
        refuse_if_busy(session)
        has_upload = self._files.info(session.source.key) is not None
        rebuilds = has_upload and self._can_rebuild(session)
        recovered = self._recover(session) if session.version and not rebuilds else None
        if recovered is not None:
            return recovered, None
        if not has_upload:
            raise self._hopeless(session, ErrorCode.DATA_GONE, NOTHING_LEFT, "upload")
        if not rebuilds and session.errors and session.errors[-1].code == ErrorCode.DATA_UNREADABLE:
            raise self._hopeless(session, ErrorCode.DATA_UNREADABLE, CHANGES_LOST, "load")
        job = self._jobs.create(owner, loads[rebuilds], idempotency_key=idempotency_key)
        return self._sessions.get(session.id) or session, job

    def _refuse_without_upload(self, session: Session) -> None:
        found = self._files.info(session.source.key)
        if found is None:
            raise Conflict("the file is not uploaded; send it to the session's upload URL, then load it")
        if found.bytes != session.source.bytes:
            raise Conflict(
                f"the uploaded file has {found.bytes} bytes, but {session.source.bytes} were announced; upload it again"
            )

    def _hopeless(self, session: Session, code: ErrorCode, message: str, action: Action) -> Conflict:
        """Add the error to the session, with the action that helps, and return the error to raise."""
        problem = SessionProblem(code=code, message=message, retryable=False, action=action, at=self._clock())

        def decide(current: Session) -> SessionChange | None:
            return moves.failed(current, problem) if current.seq == session.seq else None

        after = save(self._sessions, session, decide)
        return Conflict(message, code=code, state=after.state)


def _load(session: Session, origin: Origin, *, rebuild: bool = False) -> NewJob:
    """Return the job that loads the session's upload, and then makes its changes again if `rebuild`."""
    return _job(session, "sheet_load", SheetLoadInput(rebuild=rebuild), origin)


def _job(session: Session, pipeline: str, job_input: JobInput, origin: Origin) -> NewJob:
    return NewJob(pipeline, job_input, JobLinks(session_id=session.id), origin.trace_id, origin.request_id)
