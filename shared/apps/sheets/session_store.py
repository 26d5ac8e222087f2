"""The ports that keep sessions, and the data of their workbooks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from shared.apps.sheets.session import ChatMessage, Session, SessionEvent, SessionJob, SessionState, Version
from shared.jobs.store import PreparedWrites


class StaleSession(Exception):
    """The session has changed since it was read: read it again, check again, and try again."""


@dataclass(frozen=True, slots=True)
class SessionChange:
    """One change of a session, which is stored wholly or not at all.

    `before` is the session as it was read, None for a new one. `after.seq` is `before.seq` plus the number of `events`,
    which get the numbers in between.
    """

    before: Session | None
    after: Session
    events: tuple[SessionEvent, ...]
    version: Version | None = None
    messages: tuple[ChatMessage, ...] = ()
    jobs: tuple[SessionJob, ...] = ()

    def __post_init__(self) -> None:
        seq = self.before.seq if self.before else 0
        if self.after.seq != seq + len(self.events):
            raise ValueError("a change numbers its events: after.seq must be before.seq plus their count")


@dataclass(frozen=True, slots=True)
class NumberedEvent:
    """An event of a session with its number, from 1."""

    seq: int
    at: datetime
    event: SessionEvent


class SessionStore(Protocol):
    """Keep sessions, their events, versions, messages and jobs. Raises the storage faults of `shared/errors.py`."""

    def save(self, change: SessionChange, *, also: PreparedWrites | None = None) -> None:
        """Store the change in one transaction, together with the writes `also`.

        Raises StaleSession if the session is not as `before` any more, or a condition of `also` does not hold.
        """

    def prepare(self, change: SessionChange) -> PreparedWrites:
        """Prepare the change as side writes of a job's transition, with the same condition as `save`."""

    def prepare_open(self, session_id: str) -> PreparedWrites:
        """Prepare a condition that writes nothing, for a job's transaction: the session is stored and not closed."""

    def get(self, session_id: str) -> Session | None:
        """Return the session, strongly consistent; None if there is none."""

    def list_of(
        self, owner: str, *, state: SessionState | None = None, limit: int, cursor: str | None
    ) -> tuple[Sequence[Session], str | None]:
        """Return a page of the owner's sessions, newest first, and the cursor of the next page.

        Raises ValueError for an invalid cursor.
        """

    def events(self, session_id: str, *, after: int) -> Sequence[NumberedEvent]:
        """Return the events after this number, in order. Events older than a day may be gone."""

    def version(self, session_id: str, number: int) -> Version | None:
        """Return the version, strongly consistent; None if there is none."""

    def versions(self, session_id: str, *, limit: int, before: int | None = None) -> Sequence[Version]:
        """Return up to `limit` versions with numbers below `before`, newest first, strongly consistent."""

    def messages(self, session_id: str, *, limit: int, before: str | None = None) -> Sequence[ChatMessage]:
        """Return up to `limit` messages with ids below `before`, newest first, strongly consistent."""

    def job(self, session_id: str, job_id: str) -> SessionJob | None:
        """Return one job of the session, strongly consistent; None if it is none of its jobs."""

    def message(self, session_id: str, message_id: str) -> ChatMessage | None:
        """Return one message, strongly consistent; None if there is none."""

    def jobs(self, session_id: str, *, limit: int, before: str | None = None) -> Sequence[SessionJob]:
        """Return up to `limit` jobs with ids below `before`, newest first."""

    def due(self, now: datetime) -> Sequence[Session]:
        """Return up to MOST_DUE sessions whose `sweep_at` is not after `now`, those that wait longest first.

        A session that was postponed is due at the time that was given. The latest changes may be missing.
        """

    def postpone(self, session: Session, until: datetime | None) -> None:
        """Let the session be due at `until`; None for never. Do nothing if the session has changed meanwhile."""

    def ids_of(self, owner: str, *, gone: bool = False) -> Iterator[str]:
        """Yield the ids of all sessions of the owner, or with `gone` of deleted ones that `purge` has not forgotten."""

    def delete(self, session_id: str, *, purge_at: datetime) -> None:
        """Remove the session with all that belongs to it. It can be repeated if it fails.

        From `purge_at` on `deleted` names it: until then others may still store what they have begun to write for it.
        """

    def deleted(self, now: datetime) -> Sequence[str]:
        """Return the ids of up to MOST_DUE deleted sessions whose `purge_at` is not after `now`, the oldest first."""

    def purge(self, session_id: str) -> None:
        """Remove what was stored for a deleted session meanwhile, and forget it. It can be repeated if it fails."""


MOST_DUE = 100
"""How many sessions `due` and `deleted` return, at most."""


@dataclass(frozen=True, slots=True)
class VersionData:
    """What a version of a workbook consists of: its new blocks by digest, its map, and the engine's snapshot.

    `engine` is the name and version of the engine that wrote the snapshot.
    """

    blocks: Mapping[str, bytes]
    map_digest: str
    map: bytes
    snapshot: bytes
    engine: str


@dataclass(frozen=True, slots=True)
class Retained:
    """The names of the data that a session still needs."""

    blocks: frozenset[str]
    maps: frozenset[str]
    snapshots: frozenset[str]


class WorkbookData(Protocol):
    """Keep what workbooks consist of, by digest: blocks and maps never change, so they are cached for ever."""

    def store(self, session_id: str, version: VersionData) -> str:
        """Store the data of a version, and return the name of its snapshot, which contains the engine's version.

        To store data again does nothing. If it fails, a part may be stored: the version is published later, by
        `SessionStore.save`.
        """

    def block(self, session_id: str, digest: str) -> bytes:
        """Return a block. Raises DataGone if it is not stored."""

    def blocks(self, session_id: str, digests: Iterable[str]) -> Mapping[str, bytes]:
        """Return blocks by digest, read at the same time. Raises DataGone if one is not stored."""

    def map(self, session_id: str, digest: str) -> bytes:
        """Return a map. Raises DataGone if it is not stored."""

    def snapshot(self, session_id: str, name: str) -> bytes:
        """Return a snapshot. Raises DataGone if it is not stored."""

    def missing(
        self, session_id: str, *, maps: Iterable[str] = (), snapshots: Iterable[str] = (), blocks: Iterable[str] = ()
    ) -> Sequence[str]:
        """Return those of the names that are not stored. They are asked about, not read."""

    def thin(self, session_id: str, keep: Retained, *, before: datetime) -> int:
        """Delete the blocks, maps and snapshots that are not in `keep` and were stored before this time.

        Return how many were deleted. It can be repeated if it fails.
        """

    def delete(self, session_id: str) -> None:
        """Remove all data and files of the session. It can be repeated if it fails."""


@dataclass(frozen=True, slots=True)
class UploadUrl:
    """A URL to which a client sends a file with PUT and exactly these headers, until `expires_at`."""

    url: str
    headers: Mapping[str, str]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A stored file; `etag` changes with its content."""

    bytes: int
    etag: str


class SessionFiles(Protocol):
    """Keep the files of sessions: the uploaded source and the exports. Clients read and write them by signed URLs."""

    def upload_url(self, key: str, *, size: int, content_type: str) -> UploadUrl:
        """Return a URL for an upload of exactly `size` bytes of this type, valid for 15 minutes."""

    def info(self, key: str) -> FileInfo | None:
        """Return the size and the tag of a file; None if it is not stored."""

    def download(self, key: str, to: Path) -> None:
        """Write a stored file, such as a session's source, to a local file. Raises DataGone if it is not stored."""

    def upload(self, key: str, file: Path, *, content_type: str) -> None:
        """Store a local file, such as an export."""

    def download_url(self, key: str, *, name: str) -> str:
        """Return a URL that is valid for 5 minutes, from which a browser saves the file under this name."""


class DataGone(Exception):
    """Data of the workbook is not stored any more."""
