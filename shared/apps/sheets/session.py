"""Sheet sessions: a workbook, its versions, and the conversation about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from shared.apps.sheets.ops import Op
from shared.apps.sheets.workbook import ChangedRange, SheetInfo
from shared.log.usage import TokenUsage
from shared.schema import Schema, adapter_of

MOST_ERRORS = 20
"""How many of its newest errors a session keeps."""


class SessionState(StrEnum):
    """The state of a session.

    INITIALIZING: its workbook is not loaded yet. ACTIVE: it can be read, changed and talked to. ERROR: its data cannot
    be used; the newest of `errors` says why and what helps. CLOSED: it was closed, and can only be deleted.
    """

    INITIALIZING = "INITIALIZING"
    ACTIVE = "ACTIVE"
    ERROR = "ERROR"
    CLOSED = "CLOSED"


class FileFormat(StrEnum):
    """The formats of workbooks."""

    XLSX = "xlsx"
    CSV = "csv"


class Source(Schema):
    """The uploaded file. `format`, `etag` and `sha256` are known when it was inspected."""

    key: str
    name: str
    bytes: int
    format: FileFormat | None = None
    etag: str | None = None
    sha256: str | None = None


Action: TypeAlias = Literal["upload", "load", "recover"]
"""What helps a session that is not active: another upload, loading the upload, or going back to an older version."""


class SessionProblem(Schema):
    """Something that went wrong in a session; `action` is the one that helps, if one does."""

    code: str
    message: str
    retryable: bool
    action: Action | None = None
    job_id: str | None = None
    at: datetime


class Inventory(Schema):
    """What the uploaded file has besides cells, and what the engine made of it.

    `parts` counts by kind, such as charts, tables and images. `mode`, `judged`, `mismatches`, `frozen` and `notes` are
    those of the load (`LoadReport`).
    """

    parts: dict[str, int] = Field(default_factory=dict)
    mode: Literal["computed", "values"] | None = None
    engine: str | None = None
    judged: int = 0
    mismatches: int = 0
    frozen: int = 0
    notes: tuple[str, ...] = ()


class Session(Schema):
    """A stored session.

    `seq` is the number of its events so far: every change adds at least one. `version` is the number of its newest
    version, 0 before there is one; `map` is that version's map. `undo_to` and `redo_to` are the versions that undo and
    redo would return to; None if there is nothing to undo or redo.
    """

    id: str
    owner: str
    title: str
    state: SessionState = SessionState.INITIALIZING
    seq: int = 0
    version: int = 0
    map: str | None = None
    snapshot: str | None = None
    source: Source
    sheets: tuple[SheetInfo, ...] = ()
    inventory: Inventory = Inventory()
    active_job_id: str | None = None
    errors: tuple[SessionProblem, ...] = ()
    messages: int = 0
    bytes: int = 0
    undo_to: int | None = None
    redo_to: int | None = None
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None

    @property
    def sweep_at(self) -> datetime | None:
        """Return when the sweep has to look at the session if it does not change before; None for never.

        A session that is not loaded is given up after UNLOADED_HOURS and removed KEPT_DAYS later. A closed one may have
        live jobs, so the sweep looks at it soon. An active one may have data that no version needs any more.
        """
        match self.state:
            case SessionState.INITIALIZING:
                return self.updated_at + timedelta(hours=UNLOADED_HOURS)
            case SessionState.ERROR:
                return None if self.version else self.updated_at + timedelta(days=KEPT_DAYS)
            case SessionState.CLOSED:
                return self.updated_at
            case SessionState.ACTIVE:
                return self.updated_at + timedelta(days=1)


UNLOADED_HOURS = 24
"""How long a session may wait for its upload and its load."""

KEPT_DAYS = 7
"""How long a closed session, and one that was never loaded, is kept."""


class BlockRef(Schema):
    """A block of a sheet, by its first cell; `digest` is None if all its cells are empty now."""

    sheet: int
    row: int
    column: int
    digest: str | None


class Version(Schema):
    """One immutable state of a session's workbook.

    `map` is the digest of its map of blocks, and `snapshot` names the engine's snapshot; the sweep deletes both when
    the session does not need them any more (`History.retained`). `origin` names the tool call that made the version
    (`<job>:<turn>-call-<n>`): a call has at most one. `result` is what that call returned. `ops` are kept to see later
    what was done, not to compute the version again; None if they are too many for the record. `answer` is the job whose
    answer made these contents. The versions of an answer have the `undo_to` of its first one, so that a person undoes
    the answer in one step; `step_to` is the version that the job itself undoes to.
    """

    session_id: str
    number: int = Field(ge=1)
    kind: Literal["load", "change", "undo", "redo", "recover"]
    by: Literal["user", "model"]
    title: str
    origin: str | None = None
    result: dict[str, Any] | None = None
    ops: tuple[Op, ...] | None = ()
    changed: tuple[ChangedRange, ...] = ()
    errors_introduced: int = 0
    map: str
    snapshot: str
    sheets: tuple[SheetInfo, ...]
    undo_to: int | None = None
    redo_to: int | None = None
    step_to: int | None = None
    answer: str | None = None
    created_at: datetime


class ChatMessage(Schema):
    """One message of the conversation; `versions` are those that the answer made. `id` is a ULID and gives the order.

    `outcome` of an assistant's message: `completed`, `stopped` at a limit, `failed` or `cancelled`.
    """

    session_id: str
    id: str
    role: Literal["user", "assistant"]
    text: str
    job_id: str
    versions: tuple[int, ...] = ()
    outcome: str | None = None
    created_at: datetime


class SessionJob(Schema):
    """A job of a session, as the session keeps it when the job itself has expired."""

    session_id: str
    job_id: str
    pipeline: str
    status: str
    usage: TokenUsage = TokenUsage()
    created_at: datetime
    ended_at: datetime | None = None


# ---- events ----------------------------------------------------------------------------------------------------------


class StateChanged(Schema):
    """The session has moved to a state, or an error was added to it."""

    type: Literal["state"] = "state"
    state: SessionState
    error: SessionProblem | None = None


class VersionPublished(Schema):
    """The workbook has a new version.

    `blocks` are the blocks that changed, by which caches drop exactly those; None if there are more than 200: then drop
    all. `cells` are the changed cells themselves by sheet id and address, if they are few; None otherwise.
    """

    type: Literal["version"] = "version"
    version: int
    kind: Literal["load", "change", "undo", "redo", "recover"]
    by: Literal["user", "model"]
    title: str
    changed: tuple[ChangedRange, ...]
    blocks: tuple[BlockRef, ...] | None
    cells: dict[int, dict[str, Any]] | None = None
    sheets: tuple[SheetInfo, ...]
    errors_introduced: int = 0
    undo_to: int | None = None
    redo_to: int | None = None
    job_id: str | None = None


class MessageAdded(Schema):
    """A message was added to the conversation."""

    type: Literal["message"] = "message"
    message: ChatMessage


class JobChanged(Schema):
    """A job of the session has started or ended; `active_job_id` is the job that runs now."""

    type: Literal["job"] = "job"
    job: SessionJob
    active_job_id: str | None


SessionEvent: TypeAlias = Annotated[
    StateChanged | VersionPublished | MessageAdded | JobChanged, Field(discriminator="type")
]

SESSION_EVENTS: TypeAdapter[tuple[SessionEvent, ...]] = adapter_of(tuple[SessionEvent, ...])
"""Reads and writes the events of one change as JSON."""
