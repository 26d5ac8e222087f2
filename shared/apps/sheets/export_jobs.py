"""Create the jobs of `sheet_export`, and run their stage."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from shared.apps.sheets.exporting import Exports, too_large_for_csv
from shared.apps.sheets.health import SessionHealth
from shared.apps.sheets.maps import SheetMap, WorkbookMap
from shared.apps.sheets.models import SheetExportInput, WorkbookExported
from shared.apps.sheets.moves import Request
from shared.apps.sheets.queries import owned_session
from shared.apps.sheets.session import Session, Version
from shared.apps.sheets.session_store import DataGone, SessionFiles, SessionStore
from shared.apps.sheets.workbook import SnapshotUnreadable
from shared.clock import Clock
from shared.errors import DataLost, DataUnreadable, FieldIssue, InvalidInput, NotFound, UnusableFile
from shared.jobs.creation import JobCreation, NewJob
from shared.jobs.job import Job, JobLinks
from shared.stages.stage import StageContext
from shared.temporary_folders import temporary_folder

DOWNLOAD_SECONDS = 300
"""How long the URL of an export is valid."""


class ExportCreation:
    """Start exports. `owner` is the authenticated user."""

    def __init__(self, *, sessions: SessionStore, exports: Exports, health: SessionHealth, jobs: JobCreation) -> None:
        self._sessions = sessions
        self._exports = exports
        self._health = health
        self._jobs = jobs

    def create(
        self,
        owner: str,
        session_id: str,
        wanted: SheetExportInput,
        *,
        trace_id: str | None,
        request_id: str | None,
        idempotency_key: str | None,
    ) -> Job:
        """Start the job that writes the file.

        Raises:
            NotFound, Forbidden: as `owned_session`; NotFound also if there is no such version any more.
            InvalidInput: there is no such sheet, or it is too large for CSV.
            Conflict: the session is not valid.
        """
        session = owned_session(self._sessions, owner, session_id)
        export = NewJob("sheet_export", wanted, JobLinks(session_id=session.id), trace_id, request_id)
        repeated = self._jobs.repeated(owner, idempotency_key, export)
        if repeated is not None:
            return repeated
        self._health.refuse_unless_valid(session, Request.EXPORT)
        self._refuse_unknown(session, wanted)
        return self._jobs.create(owner, export, idempotency_key=idempotency_key)

    def _refuse_unknown(self, session: Session, wanted: SheetExportInput) -> None:
        version = wanted_version(self._sessions, session, wanted)
        if version is None:
            raise NotFound(f"version {wanted.version} was not found; the newest version is {session.version}")
        try:
            head = self._exports.map_of(version)
        except DataGone:
            if version.number == session.version:
                raise self._health.lost(session) from None
            raise NotFound(
                f"version {wanted.version} is not kept any more; the newest version is {session.version}"
            ) from None
        if wanted.sheet is not None and head.sheet(wanted.sheet) is None:
            names = ", ".join(repr(info.name) for info in head.infos[:10])
            raise InvalidInput([FieldIssue("sheet", f"must be the name of a sheet: {names}")])
        rule = too_large_for_csv(_sheet(head, wanted.sheet)) if wanted.format == "csv" else None
        if rule is not None:
            raise InvalidInput([FieldIssue("sheet", rule)])


class ExportWorkbook:
    """Write the file and store it for its download."""

    name = "export_workbook"

    def __init__(self, *, sessions: SessionStore, files: SessionFiles, exports: Exports, clock: Clock) -> None:
        self._sessions = sessions
        self._files = files
        self._exports = exports
        self._clock = clock

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return the WorkbookExported. Raises DataLost, DataUnreadable and UnusableFile."""
        assert isinstance(context.input, SheetExportInput)  # noqa: S101 - the pipeline's input model
        session = self._sessions.get(str(context.job.links.session_id))
        if session is None:
            raise DataLost("The session was deleted.")
        context.output.report_progress(5)
        exported = await asyncio.to_thread(self._export, session, context.input)
        return exported.model_dump(mode="json")

    def _export(self, session: Session, wanted: SheetExportInput) -> WorkbookExported:
        version = wanted_version(self._sessions, session, wanted)
        if version is None:
            raise DataLost(f"There is no version {wanted.version} of the workbook.")
        try:
            with temporary_folder("export") as folder:
                return self._written(session, version, wanted, folder)
        except DataGone:
            raise DataLost(f"Data of version {version.number} is no longer stored. Recover the session.") from None
        except SnapshotUnreadable:
            raise DataUnreadable(f"Data of version {version.number} cannot be read. Recover the session.") from None

    def _written(self, session: Session, version: Version, wanted: SheetExportInput, folder: Path) -> WorkbookExported:
        file = folder / "export"
        key = f"sheets/{session.id}/exports/{version.number}"
        name = Path(session.source.name).stem
        if wanted.format == "csv":
            head = self._exports.map_of(version)
            sheet = _sheet(head, wanted.sheet)
            exported = self._exports.write_csv(session, head, sheet, file)
            key, name = f"{key}-{sheet.info.id}.csv", f"{name} – {sheet.info.name}.csv"
        else:
            exported = self._exports.write_xlsx(session, version, folder, file)
            key, name = f"{key}.xlsx", f"{name}.xlsx"
        self._files.upload(key, file, content_type=exported.content_type)
        return WorkbookExported(
            version=version.number,
            format=wanted.format,
            name=name,
            bytes=file.stat().st_size,
            losses=exported.losses,
            download_url=self._files.download_url(key, name=name),
            expires_at=self._clock() + timedelta(seconds=DOWNLOAD_SECONDS),
        )


def wanted_version(sessions: SessionStore, session: Session, wanted: SheetExportInput) -> Version | None:
    """Return the version to export; None if there is none of this number."""
    return sessions.version(session.id, wanted.version or session.version)


def _sheet(head: WorkbookMap, name: str | None) -> SheetMap:
    """Return the sheet of this name, or the first one that is not hidden. Raises UnusableFile if there is none."""
    if name is None:
        return next((sheet for sheet in head.sheets if not sheet.info.hidden), head.sheets[0])
    found = head.sheet(name)
    if found is None:
        raise UnusableFile(f"There is no sheet {name!r} in this version. Name one of its sheets.")
    return found
