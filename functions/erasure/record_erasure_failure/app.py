"""State RecordErasureFailure of the erasure of an owner: note that a step has failed after all its retries."""

from typing import Any

from shared.bootstrap import core
from shared.runtime.invocation import observed


@observed
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    core().owner_eraser.fail(str(event["erasureId"]))
    return {}
