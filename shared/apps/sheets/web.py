"""Define the operations and the wire models of sessions, and convert sessions to them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import Header, Path, Request
from pydantic import ConfigDict, Field, FiniteFloat, StrictBool, StrictInt, StrictStr, StringConstraints

from shared.apps.sheets.cells import CellJson
from shared.apps.sheets.models import MOST_FILE_BYTES, MOST_WRITES, SheetChatInput, SheetExportInput
from shared.apps.sheets.operations import Operation as Operation  # noqa: PLC0414 - other modules import it from here
from shared.apps.sheets.queries import MessagePage
from shared.apps.sheets.session import (
    Action,
    BlockRef,
    FileFormat,
    Inventory,
    Session,
    SessionProblem,
    SessionState,
    Version,
)
from shared.apps.sheets.session_store import UploadUrl
from shared.apps.sheets.uploads import DEFAULT_TYPE, NewFile
from shared.apps.sheets.workbook import ChangedRange, SheetInfo
from shared.errors import FieldIssue, InvalidInput
from shared.jobs.job import Job
from shared.runtime.settings import StreamSettings
from shared.schema import Schema
from shared.texts import PLAIN_NAME, in_words
from shared.web.body_size import MAX_SENT_BYTES, sent_bytes
from shared.web.jobs import JobAccepted, accepted
from shared.web.urls import Urls

if TYPE_CHECKING:
    from shared.apps.sheets.cells_query import CellRange, Rows

NAME = r"^[^/\\]+$"
"""A name of a file: no path."""

CONTENT_TYPE = r"^[\w.+-]{1,64}/[\w.+-]{1,100}$"

JOB_EXAMPLES: dict[str, Any] = {
    "workbook": {
        "summary": "Load the uploaded file of a session",
        "value": {"pipeline": "sheet_load", "input": {}, "links": {"sessionId": "ses_01jd8x2v5n7k3q9w4t6y8z0abc"}},
    },
}
"""Examples of `POST /jobs` bodies in the OpenAPI document, by name."""


_VERSION_TAG = re.compile(r'"v([0-9]{1,9})"')

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=100,
        description='the newest version that the client has seen, such as `"v7"`: if there is a newer one, 412',
    ),
]


class Entity(StrEnum):
    """The kinds of `data` in this application's responses."""

    SESSION = "session"
    SESSION_LIST = "session_list"
    MESSAGE_LIST = "message_list"
    CELLS = "cells"
    VERSION = "version"
    VERSION_LIST = "version_list"


SessionId = Annotated[
    str, Path(alias="sessionId", description="the session's id, from the response that created it", max_length=64)
]


class _Body(Schema):
    # Clients send the API's names only.
    model_config = ConfigDict(validate_by_name=False, defer_build=False)


class UploadFile(_Body):
    """A file that is going to be uploaded: an XLSX or CSV workbook."""

    name: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=255, pattern=NAME),
        in_words("must be a file's name without its path: no / and no \\"),
        PLAIN_NAME,
    ]
    bytes: Annotated[int, Field(strict=True, ge=1, le=MOST_FILE_BYTES, description="the exact size of the file")]
    content_type: (
        Annotated[
            str,
            StringConstraints(pattern=CONTENT_TYPE),
            in_words("must be a media type without parameters, such as text/csv"),
        ]
        | None
    ) = Field(default=None, description="the type that the upload is sent with")


class NewSession(_Body):
    """The body of `POST /sessions`."""

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), PLAIN_NAME] | None = (
        Field(default=None, description="what the session is called; the file's name if it is left out")
    )
    file: UploadFile


class NewUploadUrl(_Body):
    """The body of `POST /sessions/{sessionId}/upload-urls`."""

    file: UploadFile | None = Field(default=None, description="another file; the one that was announced if left out")


class NewMessage(SheetChatInput):
    """The body of `POST /sessions/{sessionId}/messages`."""

    model_config = ConfigDict(validate_by_name=False, defer_build=False)


class CellEdit(_Body):
    """One cell to write: either a `value` or a `formula`.

    A value is typed: a text stays a text, also if it looks like a number or begins with `=`; null clears the cell. A
    formula begins with `=`.
    """

    at: Annotated[str, StringConstraints(min_length=1, max_length=20)] = Field(description="the cell, such as B3")
    value: StrictBool | StrictInt | FiniteFloat | StrictStr | None = None
    formula: Annotated[str, StringConstraints(min_length=1, max_length=8192)] | None = None


class CellEditing(_Body):
    """The body of `PATCH /sessions/{sessionId}/cells`."""

    sheet: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(description="the name of the sheet")
    cells: Annotated[tuple[CellEdit, ...], Field(min_length=1, max_length=MOST_WRITES)]


class NewExport(SheetExportInput):
    """The body of `POST /sessions/{sessionId}/exports`."""

    model_config = ConfigDict(validate_by_name=False, defer_build=False)


class Cells(Schema):
    """The cells of a range.

    `rows` are the cells row by row, without the empty cells at the end of a row and the empty rows at the end. A cell
    is its value: a number, a text, a boolean or null. If there is more to say it is an object with its `value` and some
    of `text` (how it is shown), `formula`, `iso` (a date or time), `error` and `frozen`. `blocks` are the blocks that
    the range has a part of: a block with the same digest has the same cells. `version` is a version with these cells.
    """

    version: int
    sheet: SheetInfo
    range: str
    rows: tuple[tuple[CellJson, ...], ...]
    blocks: tuple[BlockRef, ...]


class VersionDetail(Schema):
    """A version of the workbook.

    `undoTo` and `redoTo` are the versions that undo and redo return to from it. Undo takes back all versions of one
    answer, so these have the same `undoTo`.
    """

    version: int
    kind: Literal["load", "change", "undo", "redo", "recover"]
    by: Literal["user", "model"]
    title: str
    changed: tuple[ChangedRange, ...]
    errors_introduced: int
    undo_to: int | None
    redo_to: int | None
    created_at: datetime


class VersionList(Schema):
    """One page of versions, newest first. Send `cursor` to get the next page; it is null on the last page."""

    versions: tuple[VersionDetail, ...]
    cursor: str | None


class SessionFile(Schema):
    """The uploaded file of a session; `format` is known when it was inspected."""

    name: str
    bytes: int
    format: FileFormat | None


class SessionDetail(Schema):
    """A session. To follow it, read it again with its `ETag`, or subscribe to its events after `lastEventId`.

    `action` is what helps a session that is not active: `upload` a file, `load` it, or `recover` an older version.
    `undoTo` and `redoTo` are the versions that undo and redo return to; null if there is nothing to undo or redo.
    """

    session_id: str
    title: str
    state: SessionState
    action: Action | None
    version: int
    file: SessionFile
    sheets: tuple[SheetInfo, ...]
    inventory: Inventory
    active_job_id: str | None = Field(description="the load or the answer that runs now")
    errors: tuple[SessionProblem, ...]
    messages: int
    undo_to: int | None
    redo_to: int | None
    last_event_id: int
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    session_url: str


class UploadTarget(Schema):
    """Where to send the file: with this method and exactly these headers, until `expiresAt`."""

    url: str
    method: Literal["PUT"] = "PUT"
    headers: dict[str, str]
    expires_at: datetime


class SessionWithUpload(SessionDetail):
    """A session and the URL for its upload."""

    upload: UploadTarget


class SessionList(Schema):
    """One page of the owner's sessions, newest first. Send `cursor` to get the next page; it is null on the last page.

    A page with a cursor may have fewer sessions than `limit`, or none, if few match the filter: get the next page.
    """

    sessions: tuple[SessionDetail, ...]
    cursor: str | None


class SessionRecovered(Schema):
    """A session that is recovered; or the job that loads its file again, if no version of it is stored wholly."""

    session: SessionDetail
    job: JobAccepted | None


class SessionDeleted(Schema):
    """The id of the session that was deleted, with its versions, messages, jobs and file."""

    session_id: str


class MessageDetail(Schema):
    """A message. `versions` are the versions that the answer made; `jobStatus` is null if the job is unknown.

    `outcome` of an answer is `completed`, `stopped` at a limit, `failed` or `cancelled`; null for a question.
    """

    message_id: str
    role: Literal["user", "assistant"]
    text: str
    job_id: str
    job_status: str | None
    versions: tuple[int, ...]
    outcome: str | None
    created_at: datetime


class MessageList(Schema):
    """One page of a session's messages, newest first. Send `cursor` for the next page; it is null on the last page."""

    messages: tuple[MessageDetail, ...]
    cursor: str | None


class SessionUrls(Urls):
    """Build the URLs of sessions and their jobs."""

    def __init__(self, request: Request) -> None:
        super().__init__(request, StreamSettings.read().stream_url)

    def session(self, session_id: str) -> str:
        """Return the URL of the session."""
        return self.api(f"/sessions/{session_id}")


def new_file(file: UploadFile) -> NewFile:
    """Return the file that a body announces."""
    return NewFile(file.name, file.bytes, file.content_type or DEFAULT_TYPE)


def etag_of(session: Session) -> str:
    """Return the ETag of a session, which changes with each of its events."""
    return f'"s{session.seq}"'


def detail(session: Session, urls: SessionUrls) -> SessionDetail:
    """Return the wire model of a session."""
    return SessionDetail(**_fields(session, urls))


def with_upload(session: Session, upload: UploadUrl, urls: SessionUrls) -> SessionWithUpload:
    """Return the wire model of a session and the URL for its upload."""
    target = UploadTarget(url=upload.url, headers=dict(upload.headers), expires_at=upload.expires_at)
    return SessionWithUpload(**_fields(session, urls), upload=target)


def recovered(session: Session, job: Job | None, urls: SessionUrls) -> SessionRecovered:
    """Return the wire model of a session that was recovered."""
    return SessionRecovered(session=detail(session, urls), job=accepted(job, urls) if job is not None else None)


def message_list(page: MessagePage) -> MessageList:
    """Return the wire model of a page of messages."""
    return MessageList(messages=tuple(_messages(page)), cursor=page.cursor)


def version_detail(version: Version) -> VersionDetail:
    """Return the wire model of a version."""
    shown = VersionDetail.model_fields.keys() & Version.model_fields.keys()
    return VersionDetail(version=version.number, **{name: getattr(version, name) for name in shown})


def version_list(versions: Sequence[Version], before: int | None) -> VersionList:
    """Return the wire model of a page of versions."""
    cursor = None if before is None else str(before)
    return VersionList(versions=tuple(map(version_detail, versions)), cursor=cursor)


def cells(found: CellRange, rows: Rows) -> Cells:
    """Return the wire model of cells. Raises InvalidInput if they are too large for a response."""
    content = Cells.model_construct(
        version=found.version,
        sheet=found.sheet,
        range=str(found.area),
        rows=tuple(map(tuple, rows)),
        blocks=found.blocks,
    )
    if sent_bytes(content) > MAX_SENT_BYTES:
        raise InvalidInput([FieldIssue("range", "has too much text for one response; read it in several parts")])
    return content


def expected_version(if_match: str | None) -> int | None:
    """Return the version that `If-Match` names; None if there is no such header, or it is `*`.

    Raises InvalidInput for a header of another form.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    found = _VERSION_TAG.fullmatch(if_match.strip())
    if found is None:
        raise InvalidInput([FieldIssue("If-Match", 'must be the newest version that you have seen, such as "v7"')])
    return int(found[1])


def version_cursor(cursor: str | None) -> int | None:
    """Return the number in the cursor of a page of versions. Raises InvalidInput for another text."""
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdigit():
        raise InvalidInput([FieldIssue("cursor", "must be the `cursor` of an earlier page")])
    return int(cursor)


def _messages(page: MessagePage) -> list[MessageDetail]:
    return [
        MessageDetail(
            message_id=each.id,
            role=each.role,
            text=each.text,
            job_id=each.job_id,
            job_status=page.jobs[each.job_id].status if each.job_id in page.jobs else None,
            versions=each.versions,
            outcome=each.outcome,
            created_at=each.created_at,
        )
        for each in page.messages
    ]


def _fields(session: Session, urls: SessionUrls) -> dict[str, Any]:
    shown = SessionDetail.model_fields.keys() & Session.model_fields.keys()
    source = session.source
    return {name: getattr(session, name) for name in shown} | {
        "session_id": session.id,
        "action": _action(session),
        "file": SessionFile(name=source.name, bytes=source.bytes, format=source.format),
        "last_event_id": session.seq,
        "session_url": urls.session(session.id),
    }


def _action(session: Session) -> Action | None:
    if session.state is SessionState.INITIALIZING:
        return "upload"
    if session.state is SessionState.ERROR and session.errors:
        return session.errors[-1].action
    return None
