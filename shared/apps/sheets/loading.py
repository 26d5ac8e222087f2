"""The stages of `sheet_load`: inspect the uploaded file, then load it and store the session's next version."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from shared.apps.sheets.addresses import Area, Cell
from shared.apps.sheets.blocks import block_area
from shared.apps.sheets.cells import CellJson, cell_json
from shared.apps.sheets.engine_faults import transient_engine
from shared.apps.sheets.models import MOST_FILE_BYTES, FirstBlock, SheetLoadInput, WorkbookLoaded
from shared.apps.sheets.ops import Op
from shared.apps.sheets.publication import MOST_BLOCKS, Publication
from shared.apps.sheets.publishing import Publishing
from shared.apps.sheets.session import Inventory, Session, Source
from shared.apps.sheets.session_store import DataGone, FileInfo, SessionFiles, SessionStore
from shared.apps.sheets.workbook import Engine, LoadReport, UnsupportedFile, Workbook, WorkbookRefusal
from shared.errors import DataLost, UnusableFile
from shared.log.events import Subtask
from shared.stages.stage import StageContext
from shared.temporary_folders import temporary_folder

MOST_FIRST_BYTES = 48_000
"""The most bytes of first blocks, as JSON, in a result: so that watchers get it with the job's last event."""

CHANGES_NOT_KEPT = (
    "The changes of this session cannot be made again, because those of one version were too large to be kept. Load "
    "the file without `rebuild`."
)

T = TypeVar("T")


class Inspected(Protocol):
    """What an inspection says of a file: its format, and how many parts it has besides cells, by kind."""

    @property
    def format(self) -> str: ...

    @property
    def parts(self) -> Mapping[str, int]: ...


class InspectWorkbook:
    """Refuse a file that is no workbook or not safe to unpack. `inspect` raises UnsupportedFile."""

    name = "inspect_workbook"

    def __init__(self, *, sessions: SessionStore, files: SessionFiles, inspect: Callable[[Path], Inspected]) -> None:
        self._sessions = sessions
        self._files = files
        self._inspect = inspect

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return the file's source and its parts. Raises UnusableFile and DataLost."""
        session = _session_of(context, self._sessions)
        return await _step(context, "inspect", "Inspect the file", lambda: self._inspected(session))

    def _inspected(self, session: Session) -> dict[str, Any]:
        source = session.source
        found = self._files.info(source.key)
        _refuse_unless_announced(source, found)
        with downloaded(self._files, source) as file:
            try:
                inspected = self._inspect(file)
            except UnsupportedFile as refused:
                raise UnusableFile(str(refused)) from refused
            known = {"format": inspected.format, "etag": found.etag if found else None, "sha256": sha256_of(file)}
        after = Source.model_validate({**source.model_dump(), **known})
        return {"source": after.model_dump(mode="json"), "parts": dict(inspected.parts)}


class LoadWorkbook:
    """Load the inspected file into the engine, and store its version. The end of the job makes it the session's."""

    name = "load_workbook"

    def __init__(
        self,
        *,
        sessions: SessionStore,
        files: SessionFiles,
        engine: Engine,
        publishing: Publishing,
        changes: Callable[[Session], Sequence[Sequence[Op]] | None],
    ) -> None:
        """`changes` returns those that make the newest version from the file; None if not all are kept."""
        self._sessions = sessions
        self._files = files
        self._engine = engine
        self._publishing = publishing
        self._changes = changes

    async def run(self, context: StageContext) -> dict[str, Any]:
        """Return the WorkbookLoaded. Raises UnusableFile and DataLost."""
        session = _session_of(context, self._sessions)
        inspected = context.previous.output if context.previous is not None else {}
        source = Source.model_validate(inspected["source"])
        changes = await asyncio.to_thread(self._changes_of, context, session, source)
        workbook, report = await _step(context, "compute", "Compute the workbook", lambda: self._loaded(source))
        try:
            if changes:
                await _step(context, "repeat", "Make its changes again", lambda: _repeat(workbook, changes))
            publication = await _step(
                context,
                "store",
                "Store its cells",
                lambda: self._publication(session, workbook, source, is_rebuilt=changes is not None),
            )
            with transient_engine():
                first = await asyncio.to_thread(lambda: tuple(first_blocks(workbook, publication)))
        except WorkbookRefusal as refused:
            raise UnusableFile(f"The workbook is too large: {refused.message}. Split it into smaller files.") from None
        finally:
            workbook.close()
        loaded = WorkbookLoaded(
            version=publication.version,
            blocks=tuple(publication.blocks) if len(publication.blocks) <= MOST_BLOCKS else None,
            source=source,
            inventory=_inventory(inspected["parts"], report),
            differences=tuple(dict(each) for each in report.differences),
            first_blocks=first,
        )
        return loaded.model_dump(mode="json")

    def _changes_of(self, context: StageContext, session: Session, source: Source) -> Sequence[Sequence[Op]] | None:
        """Return the changes to make again after the load; None if the job only loads the file. Raises UnusableFile."""
        assert isinstance(context.input, SheetLoadInput)  # noqa: S101 - the pipeline's input model
        if not context.input.rebuild or not session.version:
            return None
        if source.sha256 != session.source.sha256:
            raise UnusableFile(
                "The uploaded file is not the one that was changed in this session, so the changes cannot be made "
                "again. Load it without `rebuild`."
            )
        changes = self._changes(session)
        if changes is None:
            raise UnusableFile(CHANGES_NOT_KEPT)
        return changes

    def _publication(self, session: Session, workbook: Workbook, source: Source, *, is_rebuilt: bool) -> Publication:
        if not is_rebuilt:
            return self._publishing.load(session, workbook, title=f"Load {source.name}")
        try:
            return self._publishing.rebuild(session, workbook)
        except DataGone:
            raise DataLost("Data of the newest version is no longer stored. Recover the session.") from None

    def _loaded(self, source: Source) -> tuple[Workbook, LoadReport]:
        with downloaded(self._files, source) as file:
            if sha256_of(file) != source.sha256:
                raise UnusableFile("The file was replaced while it was loaded. Upload it again, then load it.")
            try:
                with transient_engine():
                    return self._engine.load(file, str(source.format))
            except UnsupportedFile as refused:
                raise UnusableFile(str(refused)) from refused


def _repeat(workbook: Workbook, changes: Sequence[Sequence[Op]]) -> None:
    """Make the changes of each version again. Raises UnusableFile if this version of the engine refuses one."""
    for ops in changes:
        try:
            with transient_engine():
                workbook.apply(ops)
        except WorkbookRefusal as refused:
            raise UnusableFile(
                f"The session's changes cannot be made again: {refused.message}. Load the file without `rebuild`."
            ) from refused


@contextmanager
def downloaded(files: SessionFiles, source: Source) -> Iterator[Path]:
    """Yield a local copy of the uploaded file, and remove it at the end. Raises DataLost."""
    with temporary_folder("workbook") as folder:
        file = folder / "source"
        try:
            files.download(source.key, file)
        except DataGone:
            raise DataLost("The uploaded file is no longer stored. Upload it again, then load it.") from None
        yield file


def first_blocks(workbook: Workbook, publication: Publication) -> Iterator[FirstBlock]:
    """Yield the first block of each sheet, in the workbook's order, as long as they are few bytes together."""
    digests = {each.sheet: each.digest for each in publication.blocks if (each.row, each.column) == (1, 1)}
    left = MOST_FIRST_BYTES
    for sheet in workbook.sheets:
        digest = digests.get(sheet.id)
        if digest is None:
            continue
        rows = tuple(tuple(row) for row in _rows(workbook, sheet.name, sheet.rows, sheet.columns))
        left -= len(json.dumps(rows, ensure_ascii=False).encode())
        if left < 0:
            return
        yield FirstBlock(sheet=sheet.id, digest=digest, rows=rows)


def _rows(workbook: Workbook, sheet: str, rows: int, columns: int) -> Iterator[list[CellJson]]:
    """Yield the rows of the sheet's first block, without empty cells at their ends."""
    area = block_area(1, 1)
    last = Cell(min(rows, area.rows), min(columns, area.columns))
    for row in workbook.read(sheet, Area(area.first, last)):
        cells = [cell_json(cell) for cell in row]
        while cells and cells[-1] is None:
            cells.pop()
        yield cells


async def _step(context: StageContext, key: str, title: str, work: Callable[[], T]) -> T:
    """Run blocking work in a thread, with events that say when it begins and how it ends."""
    await context.output.append(Subtask(key=key, title=title, status="started"))
    try:
        done = await asyncio.to_thread(work)
    except Exception:
        await context.output.append(Subtask(key=key, title=title, status="failed"))
        raise
    await context.output.append(Subtask(key=key, title=title, status="finished"))
    return done


def _session_of(context: StageContext, sessions: SessionStore) -> Session:
    """Return the session of the stage's job. Raises DataLost if it was deleted."""
    session = sessions.get(str(context.job.links.session_id))
    if session is None:
        raise DataLost("The session was deleted.")
    return session


def _refuse_unless_announced(source: Source, found: FileInfo | None) -> None:
    """Raise UnusableFile if the file is not uploaded, or has another size than was announced."""
    if found is None:
        raise UnusableFile("The file is not uploaded. Send it to the session's upload URL, then load it.")
    if found.bytes != source.bytes or found.bytes > MOST_FILE_BYTES:
        raise UnusableFile(
            f"The uploaded file has {found.bytes:,} bytes, but {source.bytes:,} were announced. Upload it again."
        )


def sha256_of(file: Path) -> str:
    """Return the digest of a local file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


STRUCTURE_LOCKED = (
    "The file protects its structure: spreadsheet programs refuse to add, rename, move or delete its sheets."
)
"""The note of a workbook whose `parts` have `structureProtections`."""


def _inventory(parts: Mapping[str, int], report: LoadReport) -> Inventory:
    locked = (STRUCTURE_LOCKED,) if parts.get("structureProtections") else ()
    return Inventory.model_validate(
        {
            "parts": dict(parts),
            "mode": report.mode,
            "engine": report.engine,
            "judged": report.judged,
            "mismatches": report.mismatches,
            "frozen": report.frozen,
            "notes": (*report.notes, *locked),
        }
    )
