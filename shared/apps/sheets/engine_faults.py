"""Turn an engine whose process has ended into a fault after which another attempt may succeed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.apps.sheets.workbook import EngineGone
from shared.errors import ErrorCode, StorageUnavailable


@contextmanager
def transient_engine() -> Iterator[None]:
    """Raise StorageUnavailable for EngineGone: HTTP clients get 503, and Step Functions runs the stage again."""
    try:
        yield
    except EngineGone as gone:
        how = "has ended" if gone.killed_by is None else f"was killed by {gone.killed_by}"
        message = f"the process that computes the workbook {how}; nothing was changed: try again"
        raise StorageUnavailable(message, code=ErrorCode.WORKER_LOST) from gone
