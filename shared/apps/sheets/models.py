"""Define the inputs and the results of the jobs of a session."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from shared.apps.sheets.cells import CellJson
from shared.apps.sheets.session import BlockRef, Inventory, Source, Version
from shared.jobs.pipeline import JobInput
from shared.schema import Schema

MOST_FILE_BYTES = 50_000_000
"""The largest file."""

MOST_WRITES = 500
"""The most cells that a person writes at once."""

MOST_TEXT = 8000
"""Maximum characters of a message."""


class SheetLoadInput(JobInput):
    """The input of a job that loads the uploaded file of its session, which `links.sessionId` names."""

    rebuild: bool = Field(
        default=False,
        strict=True,
        description="make the session's changes again after the file was loaded; refused if the file is not the one "
        "that was loaded before, or not all changes are kept",
    )


class FirstBlock(Schema):
    """The first block of a sheet, for a page that shows it at once.

    `rows` are rows of cells: a cell is its value, or an object with `value` and what else there is to say.
    """

    sheet: int = Field(description="the id of the sheet")
    digest: str
    rows: tuple[tuple[CellJson, ...], ...]


class WorkbookLoaded(Schema):
    """The result of `sheet_load`: the version that becomes the session's when the job is completed.

    `blocks` are the blocks of the version; null if they are more than an event names. `differences` are formula cells
    whose value in the file differs from the engine's, with both values.
    """

    version: Version
    blocks: tuple[BlockRef, ...] | None
    source: Source
    inventory: Inventory
    differences: tuple[dict[str, Any], ...] = ()
    first_blocks: tuple[FirstBlock, ...] = ()


class Selection(Schema):
    """What is selected in the page while a message is sent."""

    sheet: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    range: Annotated[str, StringConstraints(min_length=1, max_length=40)] = Field(description="such as `B2:D9`")


class SheetChatInput(JobInput):
    """The input of a job that answers a message about the workbook of its session."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MOST_TEXT)]
    selection: Selection | None = None


class SheetAnswer(Schema):
    """The result of `sheet_chat`: the answer, and the numbers of the versions that its changes made.

    `outcome` is `stopped` if a limit ended the work before the model was done.
    """

    text: str
    outcome: Literal["completed", "stopped"] = "completed"
    versions: tuple[int, ...] = ()


class SheetExportInput(JobInput):
    """The input of a job that writes a version of its session's workbook to a file to download."""

    format: Literal["xlsx", "csv"] = "xlsx"
    sheet: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        default=None, description="the sheet to write as CSV; the first one that is not hidden if it is left out"
    )
    version: int | None = Field(
        default=None, strict=True, ge=1, le=999_999_999, description="the newest version if it is left out"
    )


class WorkbookExported(Schema):
    """The result of `sheet_export`: where to download the file, until `expiresAt`.

    `losses` names what the file does not have that the workbook or its uploaded file has. `bytes` is the file's size.
    """

    version: int
    format: Literal["xlsx", "csv"]
    name: str
    bytes: int
    losses: tuple[str, ...]
    download_url: str
    expires_at: datetime
