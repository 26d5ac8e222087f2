"""Open the engine's snapshots of workbooks, if this version of the engine wrote them."""

from __future__ import annotations

from shared.apps.sheets.session_store import WorkbookData
from shared.apps.sheets.workbook import Engine, SnapshotUnreadable, Workbook


def engine_of(snapshot: str) -> str:
    """Return the name and version of the engine that wrote the snapshot of this name."""
    return snapshot.rpartition("-")[0]


def open_snapshot(engine: Engine, data: WorkbookData, session_id: str, snapshot: str) -> Workbook:
    """Return the workbook of a snapshot.

    Raises:
        DataGone: the snapshot is not stored.
        SnapshotUnreadable: another version of the engine wrote it, or it is damaged.
        EngineGone: the engine's process has ended.
    """
    if engine_of(snapshot) != engine.version:
        raise SnapshotUnreadable(f"{engine_of(snapshot)} wrote the snapshot, and {engine.version} cannot read it")
    return engine.open(data.snapshot(session_id, snapshot))
