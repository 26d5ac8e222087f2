"""Create sessions, and the URLs to which their owners upload workbooks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.apps.sheets import moves
from shared.apps.sheets.moves import Request, refuse_if_busy, refuse_unless_possible
from shared.apps.sheets.queries import owned_session
from shared.apps.sheets.saving import save
from shared.apps.sheets.session import Session, Source
from shared.apps.sheets.session_id import new_session_id
from shared.apps.sheets.session_store import SessionChange, SessionFiles, SessionStore, StaleSession, UploadUrl
from shared.clock import Clock
from shared.errors import Conflict, ErrorCode, FieldIssue, InvalidInput
from shared.jobs.idempotency import IdempotencyKeys, KeyClaim, hash_of_request

IDEMPOTENCY_SECONDS = 24 * 3600
"""How long an idempotency key is valid."""

DEFAULT_TYPE = "application/octet-stream"
"""The content type of an upload whose client names none."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that a client is going to upload; its fields are valid."""

    name: str
    bytes: int
    content_type: str = DEFAULT_TYPE


class SessionUploads:
    """Create sessions and the URLs of their uploads. `owner` is the authenticated user."""

    def __init__(self, *, sessions: SessionStore, files: SessionFiles, keys: IdempotencyKeys, clock: Clock) -> None:
        self._sessions = sessions
        self._files = files
        self._keys = keys
        self._clock = clock

    def create(
        self, owner: str, title: str | None, file: NewFile, *, idempotency_key: str | None = None
    ) -> tuple[Session, UploadUrl]:
        """Store a session and return it with the URL for its upload. A repeat with the same key gets the first one.

        Raises:
            InvalidInput: the key was used with another request.
            Conflict: the session of the first request with this key was deleted.
        """
        now = self._clock()
        change = moves.created(_new_session(owner, title, file, now))
        if idempotency_key is None:
            self._sessions.save(change)
            return change.after, self._url(change.after, file)
        hashed = {"session": {"title": title, "name": file.name, "bytes": file.bytes, "type": file.content_type}}
        claim = KeyClaim(job_id=change.after.id, request_hash=hash_of_request(hashed), claimed_at=now.timestamp())
        session = self._claimed(owner, idempotency_key, claim, change)
        return session, self._url(session, file)

    def upload_url(self, owner: str, session_id: str, file: NewFile | None) -> tuple[Session, UploadUrl]:
        """Return the session with a new URL for its upload: of another file, or of the same one if `file` is None.

        Raises:
            NotFound, Forbidden: as `owned_session`.
            Conflict: the session is active or closed, or its load runs.
        """
        session = owned_session(self._sessions, owner, session_id)

        def decide(current: Session) -> SessionChange | None:
            refuse_unless_possible(current, Request.UPLOAD)
            refuse_if_busy(current)
            if file is None:
                return None
            source = Source(key=current.source.key, name=file.name, bytes=file.bytes)
            return moves.with_source(current, source, self._clock())

        session = save(self._sessions, session, decide)
        source = session.source
        return session, self._url(session, file or NewFile(source.name, source.bytes))

    def _claimed(self, owner: str, key: str, claim: KeyClaim, change: SessionChange) -> Session:
        """Store the session together with the claim of the key, or return the session that has claimed it before."""
        first = self._keys.find(owner, key)
        if first is None:
            expires_at = int(claim.claimed_at) + IDEMPOTENCY_SECONDS
            try:
                self._sessions.save(change, also=self._keys.claiming(owner, key, claim, expires_at=expires_at))
            except StaleSession:
                first = self._keys.find(owner, key)
        if first is None:
            return change.after
        if first.request_hash != claim.request_hash:
            rule = "must be a new key, because this key was used with a different request body"
            raise InvalidInput([FieldIssue("Idempotency-Key", rule)], code=ErrorCode.IDEMPOTENCY_KEY_REUSED)
        session = self._sessions.get(first.job_id)
        if session is None:
            raise Conflict(
                f"this Idempotency-Key created session {first.job_id}, which was deleted; send a new key to create "
                "another"
            )
        return session

    def _url(self, session: Session, file: NewFile) -> UploadUrl:
        return self._files.upload_url(session.source.key, size=file.bytes, content_type=file.content_type)


def _new_session(owner: str, title: str | None, file: NewFile, now: datetime) -> Session:
    session_id = new_session_id(int(now.timestamp() * 1000))
    return Session(
        id=session_id,
        owner=owner,
        title=title or file.name,
        source=Source(key=f"sheets/{session_id}/source", name=file.name, bytes=file.bytes),
        created_at=now,
        updated_at=now,
    )
