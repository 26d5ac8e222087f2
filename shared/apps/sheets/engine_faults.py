"""Turn an engine whose process has ended into a fault after which another attempt may succeed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.apps.sheets.workbook import EngineGone
from shared.errors import ErrorCode, StorageUnavailable

ENDED = "the process that computes the workbook has ended; nothing was changed: try again"


@contextmanager
def transient_engine() -> Iterator[None]:
    """Raise StorageUnavailable for EngineGone: HTTP clients get 503, and Step Functions runs the stage again."""
    try:
        yield
    except EngineGone as gone:
        raise StorageUnavailable(ENDED, code=ErrorCode.WORKER_LOST) from gone
